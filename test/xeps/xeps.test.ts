import t from 'tap';
import type { Client } from '../../src/xmpp-core/client.js';
import { Jid } from '../../src/xmpp-core/jid/jid.js';
import { NS_CLIENT, NS_STREAM } from '../../src/xmpp-core/stanza/namespaces.js';
import { writeMessage } from '../../src/xmpp-core/stanza/stanzas.js';
import type { Element } from '../../src/xmpp-core/xml/element.js';
import { scope, serialize } from '../../src/xmpp-core/xml/serialize.js';
import { StreamParser } from '../../src/xmpp-core/xml/stream-parser.js';
import * as xeps from '../../src/xeps/index.js';
import { PATIENCE_MS, recorder, startLoopback, until } from '../support/loopback.js';

const { muc, serviceDiscovery, chatStates, messageReactions, httpUpload, ping } = xeps;
const ROOM = Jid.parse('tea@rooms.localhost');

/** The element that a text is, read by the parser that reads the network. */
function parse(text: string): Element {
  const found: Element[] = [];
  const parser = new StreamParser({
    onOpen: () => undefined,
    onElement: (one) => found.push(one),
    onClose: () => undefined,
  });
  parser.write(Buffer.from(`<stream:stream xmlns='${NS_CLIENT}' xmlns:stream='${NS_STREAM}' version='1.0'>${text}`));
  const [element] = found;
  if (element === undefined) throw new Error('this is no element');
  return element;
}

const message = (payload: string): Element => parse(`<message from='a@b/c'>${payload}</message>`);
const write = (element: Element): string => serialize(element, scope(NS_CLIENT, {}));

t.test('each codec reads what it writes, and reads nothing from what is no payload of its own', async (t) => {
  const jid = Jid.parse('room@muc.example/nick');
  const at = new Date('2026-07-01T12:34:56.789Z');
  const wrap = (payload: Element): Element => message(write(payload));
  const empty = message('<body>text</body>');

  t.strictSame(xeps.readOutOfBandData(wrap(xeps.writeOutOfBandData({ url: 'https://a/b?c&d', description: '<x>' }))), [
    { url: 'https://a/b?c&d', description: '<x>' },
  ]);
  t.strictSame(
    xeps.readOutOfBandData(message(`<x xmlns='jabber:x:oob'/><x xmlns='jabber:x:oob'><url> </url></x>`)),
    [],
  );
  for (const state of ['active', 'composing', 'paused', 'inactive', 'gone'] as const)
    t.equal(xeps.readChatState(wrap(xeps.writeChatState(state))), state);
  t.equal(xeps.readChatState(message(`<sleeping xmlns='http://jabber.org/protocol/chatstates'/>`)), undefined);
  t.equal(xeps.readDelay(wrap(xeps.writeDelay({ stamp: at, from: jid })))?.stamp.getTime(), at.getTime());
  t.equal(xeps.readDelay(wrap(xeps.writeDelay({ stamp: at, from: jid })))?.from?.toString(), jid.toString());
  t.equal(xeps.readCorrection(wrap(xeps.writeCorrection('bad1'))), 'bad1');
  t.equal(xeps.readOriginId(wrap(xeps.writeOriginId('o'))), 'o');
  t.equal(xeps.readStanzaId(wrap(xeps.writeStanzaId('s', jid.bare)), jid.bare), 's');
  t.equal(xeps.readStanzaId(wrap(xeps.writeStanzaId('s', jid.bare)), Jid.parse('other@muc.example')), undefined);
  t.equal(xeps.readOccupantId(wrap(xeps.writeOccupantId('abc'))), 'abc');
  const reactions = { id: 'm', emoji: new Set(['👋', '🐢']) };
  t.strictSame(xeps.readReactions(wrap(xeps.writeReactions(reactions))), reactions);
  t.strictSame(xeps.readReactions(wrap(xeps.writeReactions({ id: 'm', emoji: new Set() })))?.emoji, new Set());
  t.equal(xeps.readReply(wrap(xeps.writeReply({ id: 'r', to: jid })))?.to?.toString(), jid.toString());
  t.strictSame(xeps.readReply(message(`<reply xmlns='urn:xmpp:reply:0' id='r' to='@@'/>`)), { id: 'r', to: undefined });

  for (const read of [
    xeps.readChatState,
    xeps.readDelay,
    xeps.readCorrection,
    xeps.readOriginId,
    xeps.readOccupantId,
    xeps.readReactions,
    xeps.readReply,
    xeps.readEncryption,
    xeps.readMucUser,
  ])
    t.equal(read(empty), undefined, read.name);
  for (const payload of [
    `<delay xmlns='urn:xmpp:delay'/>`,
    `<delay xmlns='urn:xmpp:delay' stamp='yesterday'/>`,
    `<replace xmlns='urn:xmpp:message-correct:0'/>`,
    `<reactions xmlns='urn:xmpp:reactions:0'><reaction>👋</reaction></reactions>`,
    `<reply xmlns='urn:xmpp:reply:0'/>`,
    `<occupant-id xmlns='urn:xmpp:occupant-id:0'/>`,
  ]) {
    const read = [xeps.readDelay, xeps.readCorrection, xeps.readReactions, xeps.readReply, xeps.readOccupantId];
    t.ok(
      read.every((one) => one(message(payload)) === undefined),
      payload,
    );
  }
});

t.test('times are those of XEP-0082 and no others', async (t) => {
  for (const [text, iso] of [
    ['1969-07-21T02:56:15Z', '1969-07-21T02:56:15.000Z'],
    ['1969-07-20T21:56:15-05:00', '1969-07-21T02:56:15.000Z'],
    ['2026-01-02T03:04:05.123456Z', '2026-01-02T03:04:05.123Z'],
  ] as const)
    t.equal(xeps.readDateTime(text)?.toISOString(), iso);
  for (const text of ['', '20020910T23:08:25', '2026-01-02', '2026-13-01T00:00:00Z', '2026-01-02 03:04:05Z', '1'])
    t.equal(xeps.readDateTime(text), undefined, text);
});

t.test('an encrypted message is known by its declaration, or by its payload where there is none', async (t) => {
  const declared = (namespace: string, name = ''): string =>
    `<encryption xmlns='urn:xmpp:eme:0' namespace='${namespace}' ${name === '' ? '' : `name='${name}'`}/>`;
  t.equal(xeps.readEncryption(message(declared('urn:xmpp:omemo:2'))), 'OMEMO');
  t.equal(xeps.readEncryption(message(declared('urn:new', 'New'))), 'New');
  t.match(xeps.readEncryption(message(declared('urn:new'))), /unknown/);
  t.equal(xeps.readEncryption(message(declared('urn:new', 'x'.repeat(500))))?.length, 40);
  t.equal(xeps.readEncryption(message(`<encrypted xmlns='eu.siacs.conversations.axolotl'/>`)), 'OMEMO');
});

t.test('a slot is taken only over https, with the three headers that are allowed, on one line each', async (t) => {
  const slot = (put: string, get: string, headers = ''): Element =>
    parse(`<slot xmlns='urn:xmpp:http:upload:0'><put url='${put}'>${headers}</put><get url='${get}'/></slot>`);
  const header = (name: string, value: string): string => `<header name='${name}'>${value}</header>`;
  const read = xeps.readSlot(
    slot(
      'https://up/1',
      'https://down/1',
      header('authorization', 'Basic&#xD;&#xA;Host: evil') +
        header('COOKIE', 'a=b') +
        header('Expires', 'never') +
        header('Host', 'evil') +
        header('X-Other', 'x'),
    ),
  );
  t.strictSame(read, {
    putUrl: 'https://up/1',
    getUrl: 'https://down/1',
    headers: { Authorization: 'BasicHost: evil', Cookie: 'a=b', Expires: 'never' },
  });
  for (const [put, get] of [
    ['http://up/1', 'https://down/1'],
    ['https://up/1', 'http://down/1'],
    ['file:///etc/passwd', 'https://down/1'],
    ['nonsense', 'https://down/1'],
  ] as const)
    t.equal(xeps.readSlot(slot(put, get)), undefined, `${put} ${get}`);
  t.equal(xeps.readSlot(parse(`<slot xmlns='urn:xmpp:http:upload:0'/>`)), undefined);
  t.strictSame(
    xeps.readSlotRequest(xeps.writeSlotRequest({ filename: 'très cool.jpg', size: 23_456, contentType: 'image/jpeg' })),
    { filename: 'très cool.jpg', size: 23_456, contentType: 'image/jpeg' },
  );
});

t.test('what we are and can do is what discovery tells, and nodes are not found', async (t) => {
  const { online } = await startLoopback(t);
  const ann = await online('ann', { resource: 'desk', plugins: xeps.chatPlugins });
  const bob = await online('bob', { plugins: [serviceDiscovery] });
  const disco = bob.get(serviceDiscovery);
  const desk = Jid.parse('ann@localhost/desk');
  ann.get(serviceDiscovery).identify({ category: 'client', type: 'bot', name: 'Ann' });
  const { identities, features } = await disco.info(desk);
  t.strictSame(identities, [{ category: 'client', type: 'bot', name: 'Ann' }]);
  for (const feature of [xeps.NS_DISCO_INFO, xeps.NS_MUC, xeps.NS_CHAT_STATES, xeps.NS_PING, xeps.NS_REACTIONS])
    t.ok(features.has(feature), feature);
  t.strictSame(await disco.items(desk), []);
  await t.rejects(disco.info(desk, { node: 'x' }), { name: 'StanzaError', condition: 'item-not-found' });
  const items = await disco.items(Jid.parse('localhost'));
  t.strictSame(
    items.map(({ jid }) => jid.toString()),
    ['rooms.localhost', 'upload.localhost'],
  );
});

t.test('a ping is answered, and tells who is not there', async (t) => {
  const { online } = await startLoopback(t);
  await online('ann', { resource: 'desk', plugins: [ping] });
  const bob = await online('bob', { plugins: [ping] });
  t.ok((await bob.get(ping).ping(Jid.parse('ann@localhost/desk'))) >= 0);
  await online('carl', { resource: 'no-ping' });
  t.ok((await bob.get(ping).ping(Jid.parse('carl@localhost/no-ping'))) >= 0, 'a refusal is a sign of life');
});

t.test('chat states and reactions come as events of their own, in conversations and in rooms', async (t) => {
  const { online } = await startLoopback(t);
  // Rooms come first, as in any order of plugins: what is a room's message still has its payloads.
  const ann = await online('ann', { resource: 'desk', plugins: xeps.chatPlugins });
  const bob = await online('bob', { resource: 'desk', plugins: xeps.chatPlugins });
  for (const client of [ann, bob]) await client.get(muc).join(ROOM, { nick: client.account.localpart });
  const seen: string[] = [];
  ann.get(chatStates).events.on('changed', ({ state, message: { from } }) => seen.push(`${state} ${from.toString()}`));
  ann
    .get(messageReactions)
    .events.on('reacted', ({ id, emoji, message: { from } }) =>
      seen.push(`${id} ${[...emoji].join('')} ${from.toString()}`),
    );
  ann.events.on('message', ({ body }) => seen.push(`message ${body ?? ''}`));
  bob.get(chatStates).send(ann.jid ?? ann.account, 'chat', 'composing');
  bob.get(messageReactions).react(ann.jid ?? ann.account, 'chat', 'm1', ['👍', '🎉']);
  bob.get(messageReactions).react(ROOM, 'groupchat', 'm2', ['🐢']);
  await until(() => seen.length === 5, 'the events');
  t.strictSame(seen, [
    'composing bob@localhost/desk',
    'message ',
    'm1 👍🎉 bob@localhost/desk',
    'message ',
    'm2 🐢 tea@rooms.localhost/bob',
  ]);
});

const presence = (nick: string, rest: string, type = ''): string =>
  `<presence from='${ROOM.toString()}/${nick}' ${type === '' ? '' : `type='${type}'`}>` +
  `<x xmlns='${xeps.NS_MUC_USER}'>${rest}</x></presence>`;
const item = `<item affiliation='none' role='participant'/>`;
const status = (...codes: number[]): string => codes.map((code) => `<status code='${code}'/>`).join('');

const room = (client: Client) => {
  const found = client.get(muc).rooms.get(ROOM.toString());
  if (found === undefined) throw new Error('the room is not known');
  return found;
};

// [pitfall-muc-self-presence] [pitfall-nick-conflict]
t.test('a room is joined at the self-presence and not before, under whatever nick the room gave us', async (t) => {
  const { server, online } = await startLoopback(t);
  const log = recorder((element) => (element.name === 'presence' && element.attr('to') !== undefined ? '' : undefined));
  server.misbehave(log);
  const ann = await online('ann', { plugins: [muc] });
  const inject = (text: string): void => server.inject(ann.jid ?? ann.account, text);
  const order: string[] = [];
  ann.get(muc).events.on('joined', ({ nick }) => order.push(`joined as ${nick}`));
  ann
    .get(muc)
    .events.on('message', ({ nick, own, message: { body } }) => order.push(`${nick} ${String(own)} ${body ?? ''}`));
  const joining = ann.get(muc).join(ROOM, { nick: 'ann' });
  await until(() => log.sent.some((one) => one.child('x', xeps.NS_MUC)), 'the join');
  await t.rejects(room(ann).join(), /being joined already/);
  inject(presence('other', item) + presence('ann', item) + presence('', item));
  await ann
    .get(muc)
    .events.once('message', { timeoutMs: 20 })
    .catch(() => undefined);
  t.equal(room(ann).joined, false);
  const say = (nick: string, body: string): string =>
    `<message type='groupchat' from='${ROOM.toString()}/${nick}'><body>${body}</body></message>`;
  inject(presence('given', item + status(110, 210)) + say('given', 'mine') + say('other', 'theirs'));
  await joining;
  t.equal(room(ann).nick, 'given');
  t.strictSame(order, ['joined as given', 'given true mine', 'other false theirs']);
  t.strictSame([...room(ann).occupants.keys()], ['other', 'ann', 'given']);

  inject(
    presence('given', `<item nick='renamed'/>${status(110, 303)}`, 'unavailable') +
      presence('renamed', item + status(110)),
  );
  inject(say('renamed', 'still mine'));
  await until(() => order.length === 4, 'the message under the new nick');
  t.equal(order.at(-1), 'renamed true still mine');
});

// [pitfall-nick-conflict]
t.test('a taken nick gives the next, a refusal is told, and a join that is given up is taken back', async (t) => {
  const { server, online } = await startLoopback(t);
  const first = await online('ann', { plugins: [muc] });
  const created = first.get(muc).events.once('joined', { timeoutMs: PATIENCE_MS });
  await first.get(muc).join(ROOM, { nick: 'bot' });
  t.match(await created, { created: true, nick: 'bot' });
  const second = await online('bob', { plugins: [muc] });
  t.equal((await second.get(muc).join(ROOM, { nick: 'bot' })).nick, 'bot-2');

  const refuse = (element: Element): string | undefined =>
    element.child('x', xeps.NS_MUC) === undefined
      ? undefined
      : `<presence type='error' from='${ROOM.toString()}/carl'><error type='auth'>` +
        `<not-authorized xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></presence>`;
  const log = recorder(refuse);
  server.misbehave(log);
  const carl = await online('carl', { plugins: [muc] });
  await t.rejects(carl.get(muc).join(ROOM, { nick: 'carl' }), { name: 'StanzaError', condition: 'not-authorized' });
  const again = carl.get(muc).join(ROOM, { nick: 'carl', password: 'sesame' });
  await t.rejects(again, { name: 'StanzaError' });
  await until(
    () => log.sent.some((one) => one.child('x', xeps.NS_MUC)?.childText('password') === 'sesame'),
    'the password',
  );

  const silent = recorder((element) => (element.child('x', xeps.NS_MUC) === undefined ? undefined : ''));
  server.misbehave(silent);
  const dora = await online('dora', { plugins: [muc] });
  const goodbyes = (): number => silent.sent.filter((one) => one.attr('type') === 'unavailable').length;
  const controller = new AbortController();
  const givenUp = dora.get(muc).join(ROOM, { nick: 'dora' }, controller.signal);
  await until(() => silent.sent.some((one) => one.child('x', xeps.NS_MUC)), 'the join');
  controller.abort(new Error('enough'));
  await t.rejects(givenUp, /enough/);
  await until(() => goodbyes() === 1, 'the good-bye');
  const left = dora.get(muc).join(ROOM, { nick: 'dora' });
  dora.get(muc).leave(ROOM);
  await t.rejects(left, /was left before/);
  t.equal(dora.get(muc).rooms.size, 0);
});

// [pitfall-own-messages]
t.test('history is delayed, our own words are known as ours, and private messages stand apart', async (t) => {
  const { online } = await startLoopback(t);
  const ann = await online('ann', { plugins: [muc] });
  await ann.get(muc).join(ROOM, { nick: 'ann' });
  const echo = ann.get(muc).events.once('message', { timeoutMs: PATIENCE_MS });
  const id = room(ann).say('first');
  t.match(await echo, { own: true, delayed: undefined, nick: 'ann', message: { id, body: 'first' } });
  t.type((await echo).stanzaId, 'string');
  t.equal((await echo).occupantId, room(ann).occupants.get('ann')?.occupantId);

  const bob = await online('bob', { plugins: [muc] });
  const past = bob.get(muc).events.once('message', { timeoutMs: PATIENCE_MS });
  const present = ann.get(muc).events.once('occupantJoined', { timeoutMs: PATIENCE_MS });
  await bob.get(muc).join(ROOM, { nick: 'bob', history: { maxStanzas: 5 } });
  t.match(await past, { own: false, delayed: Date, occupant: undefined, message: { body: 'first' } });
  t.equal((await present).occupant.realJid?.toString(), 'bob@localhost');

  const apart = ann.get(muc).events.once('privateMessage', { timeoutMs: PATIENCE_MS });
  const others: unknown[] = [];
  ann.events.on('message', (one) => others.push(one));
  ann.get(muc).events.on('message', (one) => others.push(one));
  bob.send(writeMessage({ to: ROOM.withResource('ann'), type: 'chat', body: 'psst' }));
  t.match(await apart, { nick: 'bob', own: false, message: { body: 'psst' } });
  t.strictSame(others, []);
  const gone = ann.get(muc).events.once('occupantLeft', { timeoutMs: PATIENCE_MS });
  bob.get(muc).leave(ROOM);
  t.equal((await gone).occupant.nick, 'bob');
});

// [pitfall-muc-lost]
t.test('every way out of a room says why, and the room is not taken for joined any more', async (t) => {
  const { server, online } = await startLoopback(t);
  const owner = await online('owner', { plugins: [muc] });
  await owner.get(muc).join(ROOM, { nick: 'owner' });
  const ann = await online('ann', { plugins: [muc] });
  for (const [statuses, why] of [
    [[307], 'kicked'],
    [[301], 'banned'],
    [[332], 'shutdown'],
    [[333, 307], 'error'],
    [[321], 'membership'],
    [[322], 'membership'],
  ] as const) {
    await ann.get(muc).join(ROOM, { nick: 'ann' });
    const left = ann.get(muc).events.once('left', { timeoutMs: PATIENCE_MS });
    server.rooms.expel(ROOM, 'ann', statuses);
    t.equal((await left).why, why);
    t.equal(room(ann).joined, false);
    t.equal(room(ann).occupants.size, 0);
    t.throws(() => room(ann).say('x'), /we are not in/);
  }
  await ann.get(muc).join(ROOM, { nick: 'ann' });
  const left = ann.get(muc).events.once('left', { timeoutMs: PATIENCE_MS });
  const destroy = `<item affiliation='none' role='none'/><destroy><reason>moved</reason></destroy>`;
  server.inject(ann.jid ?? ann.account, presence('ann', destroy, 'unavailable'));
  t.match(await left, { why: 'destroyed', reason: 'moved' });
});

// [pitfall-muc-lost]
t.test('after a reconnect we are in the room again, with what was said meanwhile', async (t) => {
  const { server, online } = await startLoopback(t);
  const ann = await online('ann', { plugins: [muc] });
  await ann.get(muc).join(ROOM, { nick: 'ann', history: { maxStanzas: 0 } });
  const echo = ann.get(muc).events.once('message', { timeoutMs: PATIENCE_MS });
  room(ann).say('remember');
  await echo;
  const log = recorder();
  server.misbehave(log);
  const left = ann.get(muc).events.once('left', { timeoutMs: PATIENCE_MS });
  const back = ann.get(muc).events.once('joined', { timeoutMs: PATIENCE_MS });
  server.cutAll();
  t.match(await left, { why: 'offline' });
  t.equal(room(ann).occupants.size, 0);
  t.match(await back, { nick: 'ann' });
  const history = log.sent.map((one) => one.child('x', xeps.NS_MUC)?.child('history')).find((one) => one !== undefined);
  const since = xeps.readDateTime(history?.attr('since'));
  t.ok(since !== undefined && Math.abs(since.getTime() - Date.now()) < 60_000);
  t.equal(history?.attr('maxstanzas'), undefined);

  // A message that pretends to come from the future would keep the room silent until then.
  server.inject(
    ann.jid ?? ann.account,
    `<message type='groupchat' from='${ROOM.toString()}/x'><body>x</body><delay xmlns='urn:xmpp:delay' stamp='2999-01-01T00:00:00Z'/></message>`,
  );
  await ann.get(muc).events.once('message', { timeoutMs: PATIENCE_MS });
  const later = recorder();
  server.misbehave(later);
  const again = ann.get(muc).events.once('joined', { timeoutMs: PATIENCE_MS });
  server.cutAll();
  await again;
  const asked = later.sent.map((one) => one.child('x', xeps.NS_MUC)?.child('history')).find((one) => one !== undefined);
  t.ok((xeps.readDateTime(asked?.attr('since'))?.getTime() ?? Infinity) <= Date.now());
});

// [pitfall-stanza-id-spoofing]
t.test('ids are believed only in a room that announces them, and only when the room itself gave them', async (t) => {
  for (const announced of [true, false]) {
    const { server, online } = await startLoopback(t);
    const disco = (element: Element): string | undefined =>
      announced || element.child('query', xeps.NS_DISCO_INFO) === undefined
        ? undefined
        : `<iq type='result' from='${ROOM.toString()}' id='${element.attr('id') ?? ''}'><query xmlns='${xeps.NS_DISCO_INFO}'/></iq>`;
    server.misbehave(recorder(disco));
    const ann = await online('ann', { plugins: [muc] });
    await ann.get(muc).join(ROOM, { nick: 'ann' });
    const said = async (by: string): Promise<unknown> => {
      const event = ann.get(muc).events.once('message', { timeoutMs: PATIENCE_MS });
      server.inject(
        ann.jid ?? ann.account,
        `<message type='groupchat' from='${ROOM.toString()}/eve'><body>x</body>` +
          `<stanza-id xmlns='urn:xmpp:sid:0' by='${by}' id='s'/><occupant-id xmlns='urn:xmpp:occupant-id:0' id='o'/></message>`,
      );
      const { stanzaId, occupantId } = await event;
      return { stanzaId, occupantId };
    };
    const occupantId = announced ? 'o' : undefined;
    t.strictSame(await said(ROOM.toString()), { stanzaId: announced ? 's' : undefined, occupantId });
    t.strictSame(await said('eve@localhost'), { stanzaId: undefined, occupantId });
    t.strictSame(await said(`${ROOM.toString()}/eve`), { stanzaId: undefined, occupantId });
  }
});

t.test('what comes from a room that we are not in is not taken for a room', async (t) => {
  const { server, online } = await startLoopback(t);
  const ann = await online('ann', { plugins: [muc] });
  const events: unknown[] = [];
  ann.get(muc).events.on('message', (one) => events.push(one));
  const seen = ann.events.once('message', { timeoutMs: PATIENCE_MS });
  server.inject(
    ann.jid ?? ann.account,
    `<message type='groupchat' from='${ROOM.toString()}/x'><body>x</body></message>`,
  );
  t.equal((await seen).body, 'x');
  t.strictSame(events, []);
});

t.test('a file goes up though another component never answers, and its progress is told', async (t) => {
  const { server, online } = await startLoopback(t);
  const mute = (element: Element): string | undefined =>
    element.attr('to') === 'rooms.localhost' && element.name === 'iq' ? '' : undefined;
  server.misbehave(recorder(mute));
  const ann = await online('ann', { plugins: [httpUpload] });
  const startedAt = performance.now();
  t.match(await ann.get(httpUpload).service(), { maxFileSize: 10 * 1024 * 1024 });
  t.ok(performance.now() - startedAt < 9_000, 'nobody waits for the one that is silent');
  const data = new Uint8Array(200_000).fill(7);
  const progress: number[] = [];
  const url = await ann.get(httpUpload).upload({
    name: 'ä b?.bin',
    type: 'application/octet-stream',
    data,
    onProgress: (sent) => progress.push(sent),
  });
  t.match(url, /^https:\/\/localhost:\d+\//);
  t.strictSame(progress, [65_536, 131_072, 196_608, 200_000]);
});

t.test('an upload that cannot be is refused with its reason', async (t) => {
  const { server, online } = await startLoopback(t);
  const slot = (putUrl: string): string =>
    `<slot xmlns='${xeps.NS_HTTP_UPLOAD}'><put url='${putUrl}'/><get url='https://localhost/get'/></slot>`;
  let answer: string | undefined;
  server.misbehave(
    recorder((element) =>
      answer === undefined || element.child('request', xeps.NS_HTTP_UPLOAD) === undefined
        ? undefined
        : `<iq type='result' from='upload.localhost' id='${element.attr('id') ?? ''}'>${answer}</iq>`,
    ),
  );
  const ann = await online('ann', { plugins: [httpUpload] });
  const upload = (size: number, signal?: AbortSignal): Promise<string> =>
    ann
      .get(httpUpload)
      .upload({ name: 'a', type: 'text/plain', data: new Uint8Array(size), ...(signal ? { signal } : {}) });
  await t.rejects(upload(10 * 1024 * 1024 + 1), { name: 'UploadError', message: /10485761 bytes.*at most 10485760/ });
  await t.rejects(upload(0), { name: 'UploadError', message: /gives no slot: bad-request/ });
  await t.rejects(upload(1, AbortSignal.abort(new Error('enough'))), /enough/);
  const got = await upload(3);
  answer = slot('http://localhost/put');
  await t.rejects(upload(1), { name: 'UploadError', message: /https/ });
  answer = slot(new URL('/nowhere', got).href);
  await t.rejects(upload(1), { name: 'UploadError', message: /HTTP 404/ });
  answer = slot(got);
  await t.rejects(upload(3), { name: 'UploadError', message: /HTTP 403/ }, 'without the header of the slot');
});

t.test('a server without an upload service is told', async (t) => {
  const { server, online } = await startLoopback(t);
  server.misbehave(
    recorder((element) =>
      element.child('query', xeps.NS_DISCO_ITEMS) === undefined
        ? undefined
        : `<iq type='result' from='localhost' id='${element.attr('id') ?? ''}'><query xmlns='${xeps.NS_DISCO_ITEMS}'/></iq>`,
    ),
  );
  const ann = await online('ann', { plugins: [httpUpload] });
  await t.rejects(ann.get(httpUpload).upload({ name: 'a', type: 'b/c', data: new Uint8Array(1) }), {
    name: 'UploadError',
    message: /localhost has no upload service/,
  });
});
