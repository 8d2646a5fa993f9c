/** Recovery after a kill at the worst moment: before a message is stored, while commands wait, in the middle of an answer. */
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { Account } from '../../../../src/agent/channel/account.js';
import { parseConfig } from '../../../../src/agent/config/parse-config.js';
import { ConversationStore } from '../../../../src/agent/conversation/history.js';
import { MediaStore } from '../../../../src/agent/media/store.js';
import { LOOPBACK_CERTIFICATE } from '../../../../src/loopback/certificate.js';
import { chatPlugins } from '../../../../src/xeps/chat-plugins.js';
import { NS_RSM } from '../../../../src/xeps/xep-0059-result-set-management.js';
import { writeDirectInvitation } from '../../../../src/xeps/xep-0249-direct-invitations.js';
import { writeCorrection } from '../../../../src/xeps/xep-0308-message-correction.js';
import { NS_MAM } from '../../../../src/xeps/xep-0313-message-archive/index.js';
import { writeOriginId } from '../../../../src/xeps/xep-0359-stable-ids.js';
import { createClient } from '../../../../src/xmpp-core/client.js';
import { newId } from '../../../../src/xmpp-core/stanza/ids.js';
import { writeMessage } from '../../../../src/xmpp-core/stanza/stanzas.js';
import { memoryStorage } from '../../../../src/xmpp-core/storage.js';
import { askAgain, PASSWORD, Stage, times } from '../../../support/bot.js';
import { hangs, textAnswer } from '../../../support/openai-server.js';

// Starting programs is slow on a busy machine.
t.setTimeout(180_000);

t.test('a message and its record on disk', async (t) => {
  const stage = await Stage.set(t);
  const { model } = stage;
  const alice = await stage.person('alice');

  // [promise-conversation-arrival] [promise-conversation-once]
  t.test('reads messages that were not stored before a kill from the archive, once', async (t) => {
    const bot = await stage.runProcess();
    model.next(textAnswer('First.'), textAnswer('Second.'));
    alice.send('did you write that down?');
    await alice.receives('First.');
    alice.client.send(writeMessage({ to: stage.jid(), type: 'chat', body: 'without an id' }));
    await alice.receives('Second.');
    t.equal(await bot.stop('SIGKILL'), 'SIGKILL');
    // The way of a message to the disk takes a moment, in which a process can be killed: nothing of it is there then.
    const history = join(stage.dataDirectory, 'history', 'conversations');
    for (const folder of await readdir(history)) await rm(join(history, folder), { recursive: true });
    model.next(textAnswer('Third.'), textAnswer('Fourth.'));
    const next = await stage.runProcess();
    await alice.receives('Third.');
    await alice.receives('Fourth.');
    t.equal(await next.stop('SIGKILL'), 'SIGKILL');
    const before = model.requests.length;
    const last = await stage.runProcess();
    await askAgain(stage, alice);
    t.equal(model.requests.length, before + 1, 'stored messages are recognised, with or without an id');
    t.equal(times(alice.texts, 'Third.'), 1);
    t.equal(await last.stop(), 0);
  });
});

t.test('an answer and its messages', async (t) => {
  const stage = await Stage.set(t);
  const { model } = stage;
  const alice = await stage.person('alice');

  // [promise-conversation-crash] [promise-conversation-once]
  t.test('sends only the missing part of an answer', async (t) => {
    const asked = alice.send('a question');
    // What the archive and the disk have when the process is killed between two messages, and in the middle of one that grew.
    const bot = createClient({
      jid: stage.jid(),
      password: PASSWORD,
      ca: LOOPBACK_CERTIFICATE,
      server: { host: '127.0.0.1', port: stage.server.ports.startTls, directTls: false },
      plugins: chatPlugins,
    });
    t.teardown(() => bot.stop());
    await bot.start();
    for (const [id, body] of [
      ['half', 'The first message.'],
      ['half.2', 'The sec'],
    ] as const) {
      bot.send(writeMessage({ to: alice.client.account, type: 'chat', id, body, payloads: [writeOriginId(id)] }));
    }
    await alice.receives('The sec');
    await bot.stop();
    const store = await ConversationStore.open(join(stage.dataDirectory, 'history'));
    const conversation = await store.conversation('moltis@localhost/alice@localhost');
    const reference = { kind: 'direct', to: 'alice@localhost', messageId: asked };
    const key = `id alice@localhost ${asked}`;
    await conversation.addMessage({ kind: 'question', key, speaker: 'alice', text: '?', at: new Date(), reference });
    const text = 'The first message.\n\nThe second message.\n\nThe last message.';
    await conversation.addAnswer([key], { id: 'half', text, begun: true });
    await store.close();

    const next = await stage.runProcess({ text_chunk_limit: 20 });
    t.match(await alice.receives('The second message.'), { replaces: 'half.2' });
    t.match(await alice.receives('The last message.'), { id: 'half.3', replaces: undefined });
    t.equal(times(alice.texts, 'The first message.'), 1);
    t.match(
      await alice.expect('the mark', ({ reactedTo }) => reactedTo === asked),
      { reactions: [] },
      'and its mark is removed',
    );
    await askAgain(stage, alice);
    t.notOk(alice.texts.some((one) => one.includes('interrupted')));
    t.equal(await next.stop(), 0);
  });

  // [promise-conversation-correction] [promise-conversation-once]
  t.test('a repeated correction, such as from the archive, does not restart a turn', async (t) => {
    const bot = await stage.runProcess();
    const before = model.requests.length;
    model.next(hangs, hangs);
    const id = alice.send('sloly, please');
    await model.request(before);
    const correct = (): void => {
      const payloads = [writeCorrection(id)];
      alice.client.send(writeMessage({ to: stage.jid(), type: 'chat', id: newId(), body: 'slowly, please', payloads }));
    };
    correct();
    await model.request(before + 1);
    correct();
    alice.send('/status');
    await alice.receives(/^Account:/);
    t.equal(model.requests.length, before + 2);
    alice.send('/stop');
    await alice.receives('Stopped.');
    t.equal(await bot.stop(), 0);
  });

  // [promise-answer-reactions]
  t.test('removes the mark of a question after a kill', async (t) => {
    const bot = await stage.runProcess();
    model.next(hangs, textAnswer('Now.'));
    const id = alice.send('slowly, please');
    const isMark = ({ reactedTo }: { readonly reactedTo: string | undefined }): boolean => reactedTo === id;
    t.same((await alice.expect('the mark', isMark)).reactions, ['👀']);
    t.equal(await bot.stop('SIGKILL'), 'SIGKILL');
    const next = await stage.runProcess();
    await alice.receives('Now.');
    t.same((await alice.expect('the mark', isMark)).reactions, []);
    t.equal(await next.stop(), 0);
  });
});

t.test('commands that wait for their turn', async (t) => {
  const stage = await Stage.set(t);
  const { model } = stage;
  const alice = await stage.person('alice');
  /** Commands are stored in the file of their conversation. */
  const written = async (count: number): Promise<void> => {
    const commands = async (): Promise<number> =>
      (await stage.data()).reduce((sum, { text = '' }) => sum + text.split('"kind":"command"').length - 1, 0);
    while ((await commands()) < count) await delay(10);
  };

  // [promise-command-crash] [promise-conversation-once]
  t.test('waiting commands run after a kill, in order and once', async (t) => {
    const bot = await stage.runProcess();
    const before = model.requests.length;
    model.next(hangs);
    alice.send('one');
    await model.request(before);
    alice.send('/retry');
    alice.send('/new');
    alice.send('two');
    alice.send('/context');
    await alice.receives(/^The next request includes/);
    await written(3);
    t.equal(await bot.stop('SIGKILL'), 'SIGKILL');
    model.next(textAnswer('First.'), textAnswer('First, again.'), textAnswer('Second.'));
    const next = await stage.runProcess();
    await alice.receives('Second.');
    t.same(
      alice.texts.filter((text) => !text.startsWith('The next request') && text !== '').slice(-4),
      ['First.', 'New session started. The old one is kept, but I no longer see it.', 'First, again.', 'Second.'],
      'a question asked again by /retry comes after those that wait',
    );
    t.equal(await next.stop('SIGKILL'), 'SIGKILL');
    const asked = model.requests.length;
    const last = await stage.runProcess();
    await askAgain(stage, alice);
    t.equal(model.requests.length, asked + 1);
    t.equal(times(alice.texts, 'New session started. The old one is kept, but I no longer see it.'), 1);
    t.equal(alice.texts.filter((text) => text.startsWith('The next request')).length, 1);
    t.equal(await last.stop(), 0);
  });

  // [promise-command-crash] [promise-command-stop]
  t.test('waiting commands run after a clean restart', async (t) => {
    const bot = await stage.runProcess();
    const before = model.requests.length;
    model.next(hangs);
    alice.send('one more');
    await model.request(before);
    alice.send('/compact');
    await written(4);
    bot.signal('SIGTERM');
    await bot.expect('stopping');
    bot.signal('SIGTERM');
    t.equal(await bot.end(), 1);
    model.next(textAnswer('One more.'), textAnswer('Short.'));
    const next = await stage.runProcess();
    await alice.receives('One more.');
    await alice.receives(/^(Summarised|A summary would not be shorter)/);
    t.equal(await next.stop(), 0);
  });

  // [promise-command-crash] [promise-command-stop]
  t.test('commands that /stop dropped do not run after a crash', async (t) => {
    const bot = await stage.runProcess();
    const before = model.requests.length;
    model.next(hangs);
    alice.send('another');
    await model.request(before);
    alice.send('/new');
    alice.send('/stop');
    await alice.receives('Stopped.');
    t.equal(await bot.stop('SIGKILL'), 'SIGKILL');
    const sessions = alice.texts.filter((text) => text.startsWith('New session started')).length;
    const next = await stage.runProcess();
    await askAgain(stage, alice);
    t.equal(alice.texts.filter((text) => text.startsWith('New session started')).length, sessions);
    t.equal(await next.stop(), 0);
  });
});

t.test('messages of the archive that were handled before a crash', async (t) => {
  const stage = await Stage.set(t);
  const { model } = stage;
  const alice = await stage.person('alice');
  /** Waits until that many entries of dropped messages are on disk. */
  const remembered = async (count: number): Promise<void> => {
    const seen = async (): Promise<number> => {
      const state = (await stage.data()).find(({ path }) => path.endsWith('state.json'))?.text ?? '{}';
      const { 'seen moltis@localhost': kept = '[]' } = JSON.parse(state) as Record<string, string>;
      return (JSON.parse(kept) as unknown[]).length;
    };
    while ((await seen()) < count) await delay(10);
  };

  // [promise-limit-messages] [promise-conversation-once]
  t.test(
    'a question over the limit is not answered after a restart, and a correction is not counted twice',
    async (t) => {
      const bot = await stage.runProcess({ limits: { messages_per_minute: 3 } });
      const before = model.requests.length;
      const id = alice.send('oen');
      await alice.receives('You said: oen');
      const payloads = [writeCorrection(id)];
      alice.client.send(writeMessage({ to: stage.jid(), type: 'chat', id: newId(), body: 'one', payloads }));
      alice.send('two');
      await alice.receives('You said: two');
      alice.send('three');
      await alice.receives(/Too many messages at once/);
      await remembered(2);
      t.equal(await bot.stop('SIGKILL'), 'SIGKILL');
      const next = await stage.runProcess({ limits: { messages_per_minute: 2 } });
      for (let count = 1; count <= 2; count++) await askAgain(stage, alice);
      t.equal(model.requests.length, before + 4);
      t.notOk(alice.texts.includes('You said: three'));
      t.equal(await next.stop(), 0);
    },
  );

  // [promise-rooms-invited]
  t.test('ignores an invitation to a room that the bot has left since', async (t) => {
    const settings = { operators: ['alice@localhost'] };
    const room = stage.room('short');
    await alice.enter(room);
    const bot = await stage.runProcess(settings);
    const invite = (): void => {
      const payloads = [writeDirectInvitation({ room })];
      alice.client.send(writeMessage({ to: stage.jid(), type: 'normal', id: newId(), body: 'come, please', payloads }));
    };
    invite();
    await bot.expect('joined', { room: room.toString() });
    alice.send(`/leave ${room.toString()}`);
    await alice.receives(/^I left short@/);
    t.equal(await bot.stop('SIGKILL'), 'SIGKILL');
    const next = await stage.runProcess(settings);
    await askAgain(stage, alice);
    t.same(next.logged('joined'), []);
    t.equal(await next.stop('SIGKILL'), 'SIGKILL');
    invite();
    const last = await stage.runProcess(settings);
    await last.expect('joined', { room: room.toString() });
    t.equal(await last.stop(), 0);
  });

  // [promise-conversation-crash]
  t.test('treats an answer as unknown when the archive fails during the search for it', async (t) => {
    const dora = await stage.person('dora');
    const other = createClient({
      jid: stage.jid(),
      password: PASSWORD,
      ca: LOOPBACK_CERTIFICATE,
      server: { host: '127.0.0.1', port: stage.server.ports.startTls, directTls: false },
      plugins: chatPlugins,
    });
    t.teardown(() => other.stop());
    await other.start();
    // More than a page, and only then what the bot said.
    for (let count = 1; count <= 60; count++)
      other.send(writeMessage({ to: dora.client.account, type: 'chat', id: newId(), body: `${count}` }));
    other.send(writeMessage({ to: dora.client.account, type: 'chat', id: 'told', body: 'All of it.' }));
    await dora.receives('All of it.');
    await other.stop();
    const store = await ConversationStore.open(join(stage.dataDirectory, 'history'));
    const conversation = await store.conversation('moltis@localhost/dora@localhost');
    const reference = { kind: 'direct', to: 'dora@localhost' };
    await conversation.addMessage({
      kind: 'question',
      key: 'told',
      speaker: 'dora',
      text: '?',
      at: new Date(),
      reference,
    });
    await conversation.addAnswer(['told'], { id: 'told', text: 'All of it.', begun: true });
    await store.close();
    stage.server.misbehave({
      answer: (iq) => {
        const query = iq.child('query', NS_MAM);
        if (query?.child('set', NS_RSM)?.child('after') === undefined) return undefined;
        const error = `<error type='wait'><internal-server-error xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>`;
        return `<iq type='error' id='${iq.attr('id') ?? ''}'>${error}</iq>`;
      },
    });
    const bot = await stage.runProcess();
    await dora.receives(/^\(I was interrupted while sending this\. You may have it already\.\)\n\nAll of it\.$/);
    stage.server.misbehave();
    t.equal(await bot.stop(), 0);
  });
});

// [promise-conversation-crash] [promise-run-reload]
t.test('an account stops only when every message is on disk', async (t) => {
  const stage = await Stage.set(t);
  const alice = await stage.person('alice');
  const path = await stage.write(stage.settings({ bot: stage.account() }));
  const { config } = parseConfig(await readFile(path, 'utf8'), { file: path, env: {}, baseDirectory: stage.directory });
  const [account] = config?.accounts ?? [];
  if (config === undefined || account === undefined) throw new Error('no configuration');
  const store = await ConversationStore.open(join(stage.dataDirectory, 'history'));
  // A disk that takes its time.
  const open = store.conversation.bind(store);
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const asked = new Promise<void>((resolve) => {
    store.conversation = async (id) => {
      resolve();
      await held;
      return open(id);
    };
  });
  let wentOffline = (): void => undefined;
  const offline = new Promise<void>((resolve) => {
    wentOffline = resolve;
  });
  const bot = new Account({
    config: account,
    providers: config.providers,
    skillPaths: [],
    modelOf: () => {
      throw new Error('nobody is asked');
    },
    store,
    storage: memoryStorage(),
    media: await MediaStore.open(join(stage.dataDirectory, 'media')),
    log: (_level, event) => {
      if (event === 'offline') wentOffline();
    },
  });
  const over = bot.run();
  alice.send('a question');
  await asked;
  const order: string[] = [];
  const stopped = bot.stop(0).then(() => order.push('stopped'));
  await offline;
  // Nothing is left to be waited for but that disk.
  await delay(500);
  order.push('written');
  release();
  await stopped;
  await over;
  t.same(order, ['written', 'stopped']);
  t.equal((await store.conversation('moltis@localhost/alice@localhost')).hasPendingWork, true);
  await store.close();
});
