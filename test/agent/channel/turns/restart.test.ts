/** Unanswered questions survive absence, crashes and signals. */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { ConversationStore } from '../../../../src/agent/conversation/history.js';
import type { Element } from '../../../../src/xmpp-core/xml/element.js';
import { askAgain, promptOf, pausedAnswer, Stage, times } from '../../../support/bot.js';
import { hangs, textAnswer } from '../../../support/openai-server.js';

// Starting programs is slow on a busy machine.
t.setTimeout(180_000);

t.test('a bot that was offline', async (t) => {
  const stage = await Stage.set(t);
  const { model } = stage;
  const alice = await stage.person('alice');

  // [pitfall-muc-history]
  // [promise-limit-stale] [promise-conversation-waited]
  t.test('answers direct messages that arrived while it was offline, unless they are stale', async (t) => {
    alice.send('anybody there?');
    model.next(textAnswer('Now there is.'));
    const bot = await stage.runProcess();
    await alice.receives('Now there is.');
    stage.server.inject(
      stage.jid().withResource('moltis'),
      `<message from="alice@localhost/phone" type="chat" id="old"><body>an old one</body>` +
        `<delay xmlns="urn:xmpp:delay" stamp="2020-01-01T00:00:00Z" from="localhost"/></message>`,
    );
    await askAgain(stage, alice);
    t.same(alice.texts, ['Now there is.', 'And on it goes.']);
    t.match(promptOf(model).at(-1)?.[1], /an old one\nand now\?$/, 'it is known all the same');
    t.equal(await bot.stop(), 0);
  });

  // [promise-conversation-once] [promise-conversation-crash]
  t.test('answers a question that arrived before a kill after the restart, once', async (t) => {
    const bot = await stage.runProcess();
    const before = model.requests.length;
    model.next(hangs, textAnswer('You asked.'));
    const id = alice.send('will you remember?');
    await model.request(before);
    await bot.stop('SIGKILL');
    const next = await stage.runProcess();
    await alice.receives('You asked.');
    alice.send('will you remember?', { id });
    await askAgain(stage, alice);
    t.equal(times(alice.texts, 'You asked.'), 1);
    t.equal(model.requests.length, before + 3, 'the same message again is not asked again');
    t.equal(await next.stop(), 0);
  });

  // [promise-command-stop]
  t.test('does not answer a question dropped by /stop after a restart', async (t) => {
    const bot = await stage.runProcess();
    const before = model.requests.length;
    model.next(hangs);
    alice.send('one');
    alice.send('two');
    await model.request(before);
    alice.send('/stop');
    await alice.receives('Stopped.');
    await bot.stop('SIGKILL');
    const next = await stage.runProcess();
    await askAgain(stage, alice);
    t.equal(model.requests.length, before + 2);
    t.equal(await next.stop(), 0);
  });

  // [promise-conversation-crash]
  t.test('sends an answer again, with a note, when it was killed while sending it', async (t) => {
    const carol = await stage.person('carol');
    const kinds = async (): Promise<readonly string[]> =>
      (await stage.data()).flatMap(({ path, text }) =>
        path.includes('alice') ? [...(text ?? '').matchAll(/^.*?"kind":"(\w+)"/gm)].map(([, kind]) => kind ?? '') : [],
      );
    const before = await kinds();
    const bot = await stage.runProcess();
    await askAgain(stage, alice);
    const wasWritten = ['question', 'answer', 'sending', 'delivered'];
    while ((await kinds()).length < before.length + wasWritten.length) await delay(10);
    t.same((await kinds()).slice(before.length), wasWritten, 'it is written down before it is sent');
    t.equal(await bot.stop('SIGKILL'), 'SIGKILL');

    // What stands there when the process is killed between two of these lines. No archive has a word of this talk.
    const store = await ConversationStore.open(join(stage.dataDirectory, 'history'));
    const conversation = await store.conversation('moltis@localhost/carol@localhost');
    const reference = { kind: 'direct', to: 'carol@localhost' };
    for (const id of ['perhaps', 'surely-not']) {
      await conversation.addMessage({
        kind: 'question',
        key: id,
        speaker: 'carol',
        text: id,
        at: new Date(),
        reference,
      });
      await conversation.addAnswer([id], { id, text: `This was ${id} sent.` });
      if (id === 'perhaps') await conversation.markSending(id);
    }
    await store.close();

    const asked = model.requests.length;
    const next = await stage.runProcess();
    await carol.receives('This was surely-not sent.');
    await carol.receives(
      /^\(I was interrupted while sending this\. You may have it already\.\)\n\nThis was perhaps sent\.$/,
    );
    t.equal(model.requests.length, asked, 'and not made again');
    await askAgain(stage, alice);
    t.equal(await next.stop('SIGKILL'), 'SIGKILL');
    const last = await stage.runProcess();
    await askAgain(stage, alice);
    t.equal(carol.texts.length, 2, 'and not again after that');
    t.equal(await last.stop(), 0);
  });

  t.test('does not answer senders who lost access before the restart', async (t) => {
    const bot = await stage.runProcess();
    const ruth = await stage.person('ruth');
    const before = model.requests.length;
    model.next(hangs);
    ruth.send('will you?');
    await model.request(before);
    await bot.stop('SIGKILL');
    const heard = ruth.received.length;
    const next = await stage.runProcess({ dm_policy: 'allowlist', allowlist: ['alice@localhost'] });
    await next.expect('denied', { from: 'ruth@localhost' });
    await askAgain(stage, alice);
    t.equal(ruth.received.length, heard, 'no answer and no sign');
    t.equal(model.requests.length, before + 2);
    t.equal(await next.stop(), 0);
  });

  t.test('answers unfinished questions first and once, when new ones arrive at the same time', async (t) => {
    const bot = await stage.runProcess();
    const before = model.requests.length;
    model.next(hangs, textAnswer('First.'), textAnswer('Second.'));
    alice.send('one');
    await model.request(before);
    await bot.stop('SIGKILL');
    alice.send('two');
    const next = await stage.runProcess();
    await alice.receives('Second.');
    await askAgain(stage, alice);
    t.same(alice.texts.slice(-3), ['First.', 'Second.', 'And on it goes.']);
    t.equal(model.requests.length, before + 4);
    t.equal(await next.stop(), 0);
  });
});

t.test('a bot that is asked to stop', async (t) => {
  const stage = await Stage.set(t);
  const { model, server } = stage;
  const alice = await stage.person('alice');
  const sent: Element[] = [];
  server.misbehave({
    answer: (element) => {
      sent.push(element);
      return undefined;
    },
  });

  // [promise-run-stop]
  t.test('finishes the running answer, logs out, and exits with 0', async (t) => {
    const bot = await stage.runProcess();
    const { script, release } = pausedAnswer('', 'The last word.');
    const before = model.requests.length;
    model.next(script);
    alice.send('a question');
    await model.request(before);
    bot.signal('SIGTERM');
    await bot.expect('stopping');
    release();
    await alice.receives('The last word.');
    t.equal(await bot.end(), 0);
    t.match(sent.at(-1)?.attr('type'), 'unavailable');
    t.equal(sent.at(-1)?.name, 'presence');
    t.match(bot.log.at(-1), { event: 'offline', reason: 'stopped', retryInMs: null });
    t.same(bot.logged('error'), []);
  });

  // [promise-run-stop] [promise-conversation-crash]
  t.test(
    'stops on one signal while the model hangs, and keeps unanswered questions',
    { timeout: 60_000 },
    async (t) => {
      const bot = await stage.runProcess();
      const before = model.requests.length;
      model.next(hangs, textAnswer('Better late.'));
      alice.send('an endless one');
      await model.request(before);
      bot.signal('SIGTERM');
      await bot.expect('stopping');
      // Ten seconds for the answer under way, and then the good-bye.
      await bot.expect('offline', { reason: 'stopped' }, 15_000);
      t.equal(await bot.end(), 0);
      t.notOk(alice.texts.includes('Better late.'));
      const next = await stage.runProcess();
      await alice.receives('Better late.');
      t.equal(times(alice.texts, 'Better late.'), 1);
      t.equal(model.requests.length, before + 2);
      t.equal(await next.stop(), 0);
    },
  );

  // [promise-run-stop]
  t.test('exits at once on a second signal, and keeps unanswered questions', async (t) => {
    const bot = await stage.runProcess();
    const before = model.requests.length;
    model.next(hangs, textAnswer('Late, but here.'));
    alice.send('a slow one');
    await model.request(before);
    bot.signal('SIGTERM');
    await bot.expect('stopping');
    bot.signal('SIGTERM');
    t.equal(await bot.end(), 1);
    const next = await stage.runProcess();
    await alice.receives('Late, but here.');
    t.equal(await next.stop('SIGINT'), 0);
  });

  // [promise-run-stop]
  t.test('stops while it waits to reconnect', async (t) => {
    const settings = stage.settings({ bot: stage.account({ server: '127.0.0.1:1' }) });
    const bot = await stage.startProcess(settings);
    t.match(await bot.expect('error'), { kind: 'connect', level: 'warn', message: /127\.0\.0\.1:1\b/ });
    t.match(await bot.expect('offline'), { retryInMs: Number, reason: /ECONNREFUSED|refused/ });
    await bot.expect('offline');
    t.equal(await bot.stop(), 0);
  });
});

// [promise-conversation-full] [promise-conversation-crash]
t.test('sends a notice after a restart when more questions are unanswered than the queue holds', async (t) => {
  const stage = await Stage.set(t);
  const alice = await stage.person('alice');
  const store = await ConversationStore.open(join(stage.dataDirectory, 'history'));
  const conversation = await store.conversation('moltis@localhost/alice@localhost');
  const reference = { kind: 'direct', to: 'alice@localhost' };
  const questions = Array.from({ length: 22 }, (_, index) => `question ${index}`);
  for (const text of questions)
    await conversation.addMessage({ kind: 'question', key: text, speaker: 'alice', text, at: new Date(), reference });
  await store.close();
  stage.model.next(hangs);
  const bot = await stage.runProcess();
  await alice.receives('I still have a lot to answer here; please ask again when I have caught up.');
  alice.send('/stop');
  await alice.receives('Stopped.');
  t.equal(await bot.stop(), 0);
});
