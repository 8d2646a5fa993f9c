/** Sessions, rooms and profile of an account: the built program, over XMPP. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { readDiscoInfo, serviceDiscovery } from '../../../src/xeps/xep-0030-service-discovery.js';
import { muc } from '../../../src/xeps/xep-0045-muc/index.js';
import { NS_VCARD, readVCard } from '../../../src/xeps/xep-0054-vcard-temp.js';
import { NS_PUBSUB } from '../../../src/xeps/xep-0060-pubsub/index.js';
import { NS_AVATAR_METADATA, readAvatarMetadata } from '../../../src/xeps/xep-0084-user-avatar.js';
import { NS_VERSION, readSoftwareVersion } from '../../../src/xeps/xep-0092-software-version.js';
import { readCapabilities, verificationString } from '../../../src/xeps/xep-0115-entity-capabilities.js';
import { messageArchive } from '../../../src/xeps/xep-0313-message-archive/index.js';
import { writeMessage } from '../../../src/xmpp-core/stanza/stanzas.js';
import { el, type Element } from '../../../src/xmpp-core/xml/element.js';
import { serialize } from '../../../src/xmpp-core/xml/serialize.js';
import { StanzaError } from '../../../src/xmpp-core/errors.js';
import { NS_CLIENT } from '../../../src/xmpp-core/stanza/namespaces.js';
import { errorReply } from '../../../src/xmpp-core/stanza/stanza-error.js';
import { ConversationStore } from '../../../src/agent/conversation/history.js';
import { askAgain, promptOf, Stage, times } from '../../support/bot.js';
import { until } from '../../support/loopback.js';
import { hangs, textAnswer } from '../../support/openai-server.js';

// Starting programs is slow on a busy machine.
t.setTimeout(180_000);

t.test('messages to other clients, and missed messages', async (t) => {
  const stage = await Stage.set(t);
  const { model } = stage;
  const alice = await stage.person('alice');

  // [promise-conversation-once]
  t.test(
    'does not answer messages to or from another client of the account, neither as carbons nor from the archive',
    async (t) => {
      const bot = await stage.run();
      const other = stage.otherClient(t, [messageArchive]);
      await other.start();
      const before = model.requests.length;
      const toOther = stage.jid().withResource('other');
      const heard = other.events.once('message', {
        where: ({ body }) => body === 'you, not the bot',
        timeoutMs: 10_000,
      });
      alice.send('you, not the bot', { to: toOther });
      await heard;
      other.send(writeMessage({ to: alice.client.account, type: 'chat', body: 'a word of mine' }));
      await alice.receives('a word of mine');
      await askAgain(stage, alice);
      t.equal(model.requests.length, before + 1);
      t.notMatch(promptOf(model).at(-1)?.[1], /not the bot|word of mine/);
      t.equal(await bot.stop(), 0);
      const next = await stage.run();
      await askAgain(stage, alice);
      t.equal(model.requests.length, before + 2, 'nor from the archive');
      t.equal(await next.stop(), 0);
    },
  );

  // [promise-conversation-waited] [promise-conversation-once] [promise-limit-stale]
  t.test('answers messages that only the archive has, once, unless they are stale', async (t) => {
    const other = stage.otherClient(t, [messageArchive]);
    await other.start();
    // The server gives it to the client that is there, and keeps it for no other.
    const heard = other.events.once('message', { where: ({ body }) => body === 'in the archive', timeoutMs: 10_000 });
    alice.send('in the archive');
    await heard;
    await other.stop();
    alice.send('kept by the server');
    model.next(textAnswer('From the archive.'), textAnswer('From the server.'));
    const bot = await stage.runProcess();
    await Promise.all([alice.receives('From the archive.'), alice.receives('From the server.')]);
    await askAgain(stage, alice);
    t.equal(await bot.stop('SIGKILL'), 'SIGKILL');
    const before = model.requests.length;
    const next = await stage.run();
    await askAgain(stage, alice);
    t.equal(model.requests.length, before + 1, 'and not again after a restart');
    t.equal(times(alice.texts, 'From the archive.'), 1);
    t.equal(await next.stop(), 0);
  });

  // [promise-conversation-once]
  t.test('does not run a command again after a crash', async (t) => {
    const bot = await stage.runProcess();
    const before = alice.texts.filter((text) => text.startsWith('Account:')).length;
    alice.send('/status');
    await alice.receives(/^Account:/);
    await bot.stop('SIGKILL');
    const next = await stage.run();
    await askAgain(stage, alice);
    t.equal(alice.texts.filter((text) => text.startsWith('Account:')).length, before + 1);
    t.equal(await next.stop(), 0);
  });

  // [promise-conversation-crash] [promise-conversation-once]
  t.test(
    'finds in the archive whether an answer was sent before a crash; if unknown, sends it again with a note',
    async (t) => {
      const bot = await stage.run();
      await askAgain(stage, alice);
      await bot.stop();
      const ids = (await stage.data()).flatMap(({ path, text }) =>
        path.includes('alice')
          ? [...(text ?? '').matchAll(/"kind":"answer".*?"id":"([^"]+)"/g)].map(([, id]) => id)
          : [],
      );
      const sent = ids.at(-1) ?? '';
      t.ok(
        alice.received.some(({ id, body }) => id === sent && body === 'And on it goes.'),
        'the last message of an answer has its id',
      );
      // What stands there when the process is killed before the line that says that it was sent.
      const carol = await stage.person('carol');
      const store = await ConversationStore.open(join(stage.dataDirectory, 'history'));
      for (const [name, id, text] of [
        ['alice', sent, 'And on it goes.'],
        ['alice', 'never-left', 'This never left.'],
        ['carol', 'perhaps', 'Nobody knows of this.'],
      ] as const) {
        const conversation = await store.conversation(`moltis@localhost/${name}@localhost`);
        const reference = { kind: 'direct', to: `${name}@localhost` };
        const key = `key of ${id}`;
        await conversation.addMessage({ kind: 'question', key, speaker: name, text: '?', at: new Date(), reference });
        await conversation.addAnswer([key], { id, text });
        await conversation.markSending(id);
      }
      await store.close();
      const goesOn = times(alice.texts, 'And on it goes.');
      const next = await stage.run();
      await alice.receives('This never left.');
      await carol.receives(/already.*\n\nNobody knows of this\.$/s);
      await askAgain(stage, alice);
      t.equal(times(alice.texts, 'And on it goes.'), goesOn + 1, 'an answer that arrived is not sent again');
      t.equal(await next.stop(), 0);
    },
  );
});

t.test('rooms', async (t) => {
  const stage = await Stage.set(t);
  const { model, server } = stage;
  const alice = await stage.person('alice');
  const mallory = await stage.person('mallory');
  const operators = ['alice@localhost'];

  // [promise-rooms-history]
  t.test('requests the missed messages of a room after a restart, also more than its history has', async (t) => {
    const team = await alice.enter(stage.room('team'));
    const rooms = [stage.room('team').toString()];
    for (let index = 1; index <= 25; index++) await alice.sendIn(team, `before ${index}.`);
    const bot = await stage.run({ rooms });
    await bot.expect('joined');
    model.next(textAnswer('I read.'));
    await alice.sendIn(team, 'moltis: what was said?');
    await alice.receives('I read.');
    const first = promptOf(model).at(-1)?.[1] ?? '';
    t.notMatch(first, 'before 5.', 'at the first join the last 20 messages');
    t.match(first, /before 6\.[^]*before 25\./);
    t.equal(await bot.stop(), 0);

    for (let index = 1; index <= 30; index++) await alice.sendIn(team, `moltis: missed ${index}.`);
    const before = model.requests.length;
    const next = await stage.run({ rooms });
    await next.expect('joined');
    const isRead = async (): Promise<boolean> =>
      (await stage.data()).some(({ text }) => text?.includes('missed 10.') === true);
    while (!(await isRead())) await delay(10);
    model.next(textAnswer('I read that, too.'));
    await alice.sendIn(team, 'moltis: and now?');
    await alice.receives('I read that, too.');
    const second = promptOf(model).at(-1)?.[1] ?? '';
    for (const index of [1, 10, 30]) t.equal(second.split(`missed ${index}.`).length, 2, `missed ${index}, once`);
    t.equal(model.requests.length, before + 1, 'and none of it is a question');
    t.equal(await next.stop(), 0);
  });

  // [promise-rooms-invited]
  t.test('accepts invitations of operators only, and rejoins after a restart', async (t) => {
    const [club, den, pub] = [stage.room('club'), stage.room('den'), stage.room('pub')];
    const hers = await alice.enter(club);
    const theirs = await mallory.enter(den);
    await alice.enter(pub);
    const settings = { operators, group_policy: 'allowlist', group_allowlist: ['named@rooms.localhost'] };
    const bot = await stage.run(settings);
    await askAgain(stage, alice);
    theirs.inviteDirectly(stage.jid());
    await bot.expect('denied', { from: 'mallory@localhost/phone' });
    hers.inviteDirectly(stage.jid());
    await bot.expect('joined', { room: club.toString() });
    model.next(textAnswer('Thank you.'));
    await alice.sendIn(hers, 'moltis: welcome');
    await alice.receives('Thank you.');

    // What a room passes on is the word of whoever runs its server.
    const passedOn = (room: string): string =>
      `<message from='${room}'><x xmlns='http://jabber.org/protocol/muc#user'><invite from='alice@localhost/phone'/></x></message>`;
    server.inject(stage.jid().withResource('moltis'), passedOn('trap@rooms.example') + passedOn(pub.toString()));
    await bot.expect('denied', { from: 'trap@rooms.example' });
    await bot.expect('joined', { room: pub.toString() });
    await alice.receives(
      'The room trap@rooms.example says that you invited me. If you did, send me: /join trap@rooms.example',
    );
    t.equal(await bot.stop(), 0);

    const next = await stage.run(settings);
    await next.expect('joined', { room: club.toString() });
    await next.expect('joined', { room: pub.toString() });
    alice.send(`/leave ${pub.toString()}`);
    await next.expect('left', { room: pub.toString(), why: 'left' });
    await alice.receives(/^I left pub@/);
    alice.send(`/rooms`);
    t.match((await alice.receives(/^club@/)).body, /^club@rooms\.localhost: as moltis, 2 present$/);
    t.equal(await next.stop(), 0);

    const last = await stage.run(settings);
    await last.expect('joined', { room: club.toString() });
    await askAgain(stage, alice);
    t.same(
      last.logged('joined').map(({ room }) => room),
      [club.toString()],
    );
    t.equal(await last.stop(), 0);
    // Whoever is no operator any more vouches for nothing.
    const without = await stage.run({ ...settings, operators: [] });
    await without.expect('denied', { from: club.toString() });
    t.equal(await without.stop(), 0);
  });

  // [promise-rooms-kicked] [promise-log-events]
  t.test('logs why the bot left a room, and where a destroyed room has moved', async (t) => {
    const rooms = [stage.room('team').toString(), stage.room('gone').toString()];
    await alice.enter(stage.room('gone'));
    const bot = await stage.run({ rooms });
    for (const room of rooms) await bot.expect('joined', { room });
    const out = (room: string, what: string): void =>
      server.inject(
        stage.jid().withResource('moltis'),
        `<presence from='${room}/moltis' type='unavailable'><x xmlns='http://jabber.org/protocol/muc#user'>${what}</x></presence>`,
      );
    const kick = `<item role='none' affiliation='none'><actor nick='alice'/><reason>too loud</reason></item>`;
    out(stage.room('team').toString(), `${kick}<status code='307'/><status code='110'/>`);
    t.match(await bot.expect('left', { why: 'kicked' }), { reason: 'too loud', by: 'alice', room: rooms[0] });
    const end = `<item role='none' affiliation='none'/><destroy jid='new@rooms.localhost'><reason>moved</reason></destroy>`;
    out(stage.room('gone').toString(), `${end}<status code='110'/>`);
    t.match(await bot.expect('left', { why: 'destroyed' }), { reason: 'moved', alternate: 'new@rooms.localhost' });
    await askAgain(stage, alice);
    const followed = bot.logged('joined').filter(({ room }) => room === 'new@rooms.localhost');
    t.same(followed, [], 'it is not followed');
    t.equal(await bot.stop(), 0);
  });

  // [promise-group-policy]
  t.test('joins no room under group_policy disabled, not even for an operator', async (t) => {
    const club = alice.client.get(muc).rooms.get(stage.room('club').toString());
    const bot = await stage.run({ operators, group_policy: 'disabled', rooms: [stage.room('team').toString()] });
    await bot.expect('denied', { from: stage.room('team').toString(), why: 'group_policy is disabled' });
    await askAgain(stage, alice);
    club?.inviteDirectly(stage.jid());
    await bot.expect('denied', { from: stage.room('club').toString() });
    await askAgain(stage, alice);
    t.same(bot.logged('joined'), []);
    t.equal(await bot.stop(), 0);
  });

  // [promise-group-allowlist] [promise-rooms-only-named]
  t.test('joins the listed rooms that the allowlist admits, and no room that only has settings', async (t) => {
    const room = (name: string): string => stage.room(name).toString();
    await alice.enter(stage.room('named'));
    const bot = await stage.run({
      group_policy: 'allowlist',
      group_allowlist: ['n*@rooms.localhost'],
      rooms: [room('other'), room('named')],
      muc_rooms: { [room('nobody')]: { require_mention: false } },
    });
    await bot.expect('denied', { from: room('other'), why: 'the room is not in group_allowlist' });
    await bot.expect('joined', { room: room('named') });
    await askAgain(stage, alice);
    t.equal(bot.logged('joined').length, 1);
    t.equal(await bot.stop(), 0);
  });

  // [promise-account-resource] [promise-account-nick] [promise-rooms-join] [promise-account-back]
  t.test('uses the resource as nick, and rejoins its rooms after a lost session', async (t) => {
    const rooms = [stage.room('team').toString()];
    const bot = await stage.run({ resource: 'robot', rooms });
    t.match(bot.logged('online')[0], { jid: 'moltis@localhost/robot', resumed: false });
    await bot.expect('joined', { nick: 'robot' });
    server.failAll('system-shutdown');
    t.match(await bot.expect('offline'), { retryInMs: Number, reason: String });
    await bot.expect('online', { resumed: false });
    await bot.expect('joined', { nick: 'robot' });
    t.equal(await bot.stop(), 0);
  });
});

t.test('drops unfinished work of rooms that the configuration no longer has', async (t) => {
  const stage = await Stage.set(t);
  const { model } = stage;
  const room = stage.room('team');
  const inRoom = { rooms: [room.toString()], group_policy: 'open' };
  const alice = await stage.person('alice');
  const hers = await alice.enter(room);
  const bot = await stage.runProcess(inRoom);
  await bot.expect('joined');
  model.next(hangs, hangs);
  await alice.sendIn(hers, 'moltis: a question');
  await model.request(0);
  alice.send('a question for you alone', { to: room.withResource('moltis') });
  await model.request(1);
  t.equal(await bot.stop('SIGKILL'), 'SIGKILL');
  for (const account of [{ group_policy: 'open' }, inRoom]) {
    const next = await stage.run(account);
    await askAgain(stage, alice);
    t.equal(await next.stop(), 0);
  }
  t.equal(model.requests.length, 4, 'nor when it is meant to be there again');
});

t.test('the profile of an account', async (t) => {
  const stage = await Stage.set(t);
  const alice = await stage.person('alice');
  /** The account's card, and the items of its nodes, which this server does not keep by itself. */
  let card: Element | undefined;
  const nodes = new Map<string, Element>();
  let writes = 0;
  stage.server.misbehave({
    answer(iq) {
      const [payload] = iq.children();
      if (iq.name !== 'iq' || payload === undefined) return undefined;
      const node = payload.children()[0]?.attr('node') ?? '';
      const isSet = iq.attr('type') === 'set';
      if (payload.ns !== NS_VCARD && payload.ns !== NS_PUBSUB) return undefined;
      if (isSet) writes += 1;
      if (isSet && payload.ns === NS_VCARD) card = payload;
      else if (isSet) nodes.set(node, payload.children()[0]?.child('item') ?? payload);
      const item = nodes.get(node);
      const items =
        item === undefined ? undefined : el('pubsub', NS_PUBSUB, {}, el('items', NS_PUBSUB, { node }, item));
      const found = payload.ns === NS_VCARD ? card : items;
      if (!isSet && found === undefined) return serialize(errorReply(iq, StanzaError.of('item-not-found')));
      const result = isSet ? undefined : found;
      return serialize(el('iq', NS_CLIENT, { type: 'result', id: iq.attr('id') }, result));
    },
  });

  // [promise-presence-identity]
  t.test('states that it is a bot, its name and its version', async (t) => {
    const bot = await stage.run({ nick: 'Robbie' });
    const jid = stage.jid().withResource('moltis');
    const query = await alice.client.get(serviceDiscovery).query(jid);
    t.match(readDiscoInfo(query).identities, [{ category: 'client', type: 'bot', name: 'Robbie' }]);
    const { version } = JSON.parse(await readFile('package.json', 'utf8')) as { version: string };
    const told = await alice.client.iq({ to: jid, type: 'get', payload: el('query', NS_VERSION) });
    t.same(told === undefined ? undefined : readSoftwareVersion(told), { name: 'moltis-xmpp', version });

    const presence = alice.client.events.once('presence', {
      where: ({ from, type }) => type === 'available' && from.equals(jid),
      timeoutMs: 10_000,
    });
    alice.client.send(el('presence', NS_CLIENT, { to: stage.jid().toString(), type: 'subscribe' }));
    const capabilities = readCapabilities((await presence).element);
    const ver = createHash('sha1')
      .update(verificationString(query) ?? '')
      .digest('base64');
    t.equal(capabilities?.ver, ver, 'in its presence, too');
    const state = join(stage.dataDirectory, 'state.json');
    await until(() => readFileSync(state, 'utf8').includes('appearance'), 'that it has set a name and an avatar');
    t.equal(await bot.stop(), 0);
  });

  // [promise-presence-picture]
  t.test('sets a name and an avatar once, and keeps what a person chose', async (t) => {
    const id = readAvatarMetadata(nodes.get(NS_AVATAR_METADATA)?.children()[0] ?? el('none', ''));
    t.match(id, [{ type: 'image/png', width: 96, height: 96 }]);
    const { fullName, photo } = readVCard(card ?? el('none', ''));
    t.match({ fullName, type: photo?.mediaType }, { fullName: 'Robbie', type: 'image/png' });
    t.equal(photo?.bytes.length, id?.[0]?.bytes);
    const before = writes;
    card = el('vCard', NS_VCARD);
    nodes.clear();
    const again = await stage.run();
    await askAgain(stage, alice);
    t.equal(await again.stop(), 0);
    t.equal(writes, before, 'a removed avatar is not set again');

    // Another folder: a bot that knows nothing of the account, which looks as a person wants it.
    await rm(stage.dataDirectory, { recursive: true });
    card = el(
      'vCard',
      NS_VCARD,
      {},
      el('FN', NS_VCARD, {}, 'Marvin'),
      el('PHOTO', NS_VCARD, {}, el('BINVAL', NS_VCARD, {}, 'iVBORw0KGgo=')),
    );
    const other = await stage.run();
    await askAgain(stage, alice);
    t.equal(await other.stop(), 0);
    t.equal(readVCard(card).fullName, 'Marvin');
    t.equal(writes, before);
  });
});
