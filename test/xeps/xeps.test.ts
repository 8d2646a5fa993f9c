import t from 'tap';
import { Jid } from '../../src/xmpp-core/jid/jid.js';
import { NS_CLIENT, NS_STREAM } from '../../src/xmpp-core/stanza/namespaces.js';
import type { Element } from '../../src/xmpp-core/xml/element.js';
import { scope, serialize } from '../../src/xmpp-core/xml/serialize.js';
import { StreamParser } from '../../src/xmpp-core/xml/stream-parser.js';
import * as xeps from '../../src/xeps/index.js';
import { recorder, startLoopback, until } from '../support/loopback.js';

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

// [XEP-0066 §3] [XEP-0085 §5.2] [XEP-0203 §3] [XEP-0308 §4] [XEP-0359 §3] [XEP-0421 §3] [XEP-0444 §3] [XEP-0461 §3]
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
  t.equal(xeps.readDelay(wrap(xeps.writeDelay({ stamp: at, from: jid })))?.stamp?.getTime(), at.getTime());
  t.equal(xeps.readDelay(wrap(xeps.writeDelay({ stamp: at, from: jid })))?.from?.toString(), jid.toString());
  t.equal(xeps.readCorrection(wrap(xeps.writeCorrection('bad1'))), 'bad1');
  t.equal(xeps.readOriginId(wrap(xeps.writeOriginId('o'))), 'o');
  t.equal(xeps.readStanzaId(wrap(xeps.writeStanzaId('s', jid.bare)), jid.bare), 's');
  t.equal(xeps.readStanzaId(wrap(xeps.writeStanzaId('s', jid.bare)), Jid.parse('other@muc.example')), undefined);
  const twice = message(
    `<stanza-id xmlns='urn:xmpp:sid:0' id='1' by='a@b'/><stanza-id xmlns='urn:xmpp:sid:0' id='2' by='a@b'/>`,
  );
  t.equal(xeps.readStanzaId(twice, Jid.parse('a@b')), undefined, 'of two, one is a forgery');
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
    `<replace xmlns='urn:xmpp:message-correct:0'/>`,
    `<reactions xmlns='urn:xmpp:reactions:0'><reaction>👋</reaction></reactions>`,
    `<reply xmlns='urn:xmpp:reply:0'/>`,
    `<occupant-id xmlns='urn:xmpp:occupant-id:0'/>`,
  ]) {
    const read = [xeps.readCorrection, xeps.readReactions, xeps.readReply, xeps.readOccupantId];
    t.ok(
      read.every((one) => one(message(payload)) === undefined),
      payload,
    );
  }
});

// [XEP-0082 §3.2]
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

// [XEP-0082 §4] [XEP-0203 §4] [pitfall-old-delay]
t.test('a stamp is read in every form that servers send', async (t) => {
  const at = '2026-01-02T03:04:05.000Z';
  for (const [text, iso] of [
    ['2026-01-02T03:04:05Z', at],
    ['2026-01-02T03:04:05+0000', at],
    ['2026-01-02T05:04:05+0200', at],
    ['2026-01-02T05:04:05+02', at],
    ['2026-01-02T03:04:05', at],
    ['2026-01-02 03:04:05', at],
    ['2026-01-02 03:04:05 UTC', at],
    ['20260102T03:04:05', at],
    [' 2026-01-02T03:04:05Z ', at],
    ['2026-01-02T03:04:05.123456', '2026-01-02T03:04:05.123Z'],
    ['', undefined],
    ['yesterday', undefined],
    ['20260230T03:04:05', undefined],
    ['2026-01-02T25:04:05', undefined],
    ['2026-01-02', undefined],
  ] as const) {
    const read = xeps.readDelay(message(`<delay xmlns='urn:xmpp:delay' stamp='${text}'/>`));
    t.ok(read, 'whatever its stamp, the message is delayed');
    t.equal(read?.stamp?.toISOString(), iso, text);
  }
  const old = `<x xmlns='jabber:x:delay' from='a@b' stamp='20260102T03:04:05'>Offline Storage</x>`;
  const read = xeps.readDelay(message(old));
  t.equal(read?.stamp?.toISOString(), at, 'XEP-0091 alone');
  t.match(read, { reason: 'Offline Storage' });
  t.equal(read?.from?.toString(), 'a@b');
  const unreadable = `<delay xmlns='urn:xmpp:delay' stamp='?'/>`;
  t.equal(xeps.readDelay(message(unreadable + old))?.stamp?.toISOString(), at, 'of two, the one that can be read');
  const long = ' '.repeat(200_000);
  t.equal(xeps.readDelay(message(`<delay xmlns='urn:xmpp:delay' stamp='2026${long}x'/>`))?.stamp, undefined);
});

// [XEP-0380 §3]
t.test('an encrypted message is known by its declaration, or by its payload where there is none', async (t) => {
  const declared = (namespace: string, name = ''): string =>
    `<encryption xmlns='urn:xmpp:eme:0' namespace='${namespace}' ${name === '' ? '' : `name='${name}'`}/>`;
  t.equal(xeps.readEncryption(message(declared('urn:xmpp:omemo:2'))), 'OMEMO');
  t.equal(xeps.readEncryption(message(declared('urn:new', 'New'))), 'New');
  t.match(xeps.readEncryption(message(declared('urn:new'))), /unknown/);
  t.equal(xeps.readEncryption(message(declared('urn:new', 'x'.repeat(500))))?.length, 40);
  t.equal(xeps.readEncryption(message(`<encrypted xmlns='eu.siacs.conversations.axolotl'/>`)), 'OMEMO');
});

// [XEP-0380 §1] [pitfall-otr]
t.test('an OTR message is known by its body', async (t) => {
  for (const body of [
    '?OTR:AAID.',
    '?OTR,1,3,?OTR:AA',
    '?OTR|1|2,1,3,AA',
    '?OTRv23?\nNo plugin.',
    '?OTR?v2?',
    '?OTR Error: x',
  ])
    t.equal(xeps.readEncryption(message(`<body>${body}</body>`)), 'OTR', body);
  for (const body of ['?OTRAS is a word', 'what is ?OTR: for', 'ls \t  \t\t\t\t \t \t \t'])
    t.equal(xeps.readEncryption(message(`<body>${body}</body>`)), undefined, body);
});

// [XEP-0363 §5]
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

// [XEP-0030 §3.1]
t.test('what we are and can do is what discovery tells, and nodes are not found', async (t) => {
  const { online } = await startLoopback(t);
  const ann = await online('ann', { resource: 'desk', plugins: xeps.chatPlugins });
  const bob = await online('bob', { plugins: [serviceDiscovery] });
  const disco = bob.get(serviceDiscovery);
  const desk = Jid.parse('ann@localhost/desk');
  ann.get(serviceDiscovery).setIdentity({ category: 'client', type: 'bot', name: 'Ann' });
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

// [XEP-0199 §4.1] [XEP-0199 §4.3]
t.test('a ping is answered, and tells who is not there', async (t) => {
  const { online } = await startLoopback(t);
  await online('ann', { resource: 'desk', plugins: [ping] });
  const bob = await online('bob', { plugins: [ping] });
  t.ok((await bob.get(ping).ping(Jid.parse('ann@localhost/desk'))) >= 0);
  await online('carl', { resource: 'no-ping' });
  t.ok((await bob.get(ping).ping(Jid.parse('carl@localhost/no-ping'))) >= 0, 'a refusal is a sign of life');
});

// [XEP-0085 §5.1] [XEP-0444 §3]
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

// [XEP-0363 §3] [XEP-0363 §6]
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

// [XEP-0363 §5]
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
  await t.rejects(upload(0), { name: 'UploadError', message: /refused an upload slot: bad-request/ });
  await t.rejects(upload(1, AbortSignal.abort(new Error('enough'))), /enough/);
  const got = await upload(3);
  answer = slot('http://localhost/put');
  await t.rejects(upload(1), { name: 'UploadError', message: /https/ });
  answer = slot(new URL('/nowhere', got).href);
  await t.rejects(upload(1), { name: 'UploadError', message: /HTTP 404/ });
  answer = slot(got);
  await t.rejects(upload(3), { name: 'UploadError', message: /HTTP 403/ }, 'without the header of the slot');
});

// [XEP-0363 §3]
t.test('a server without an upload service is told, and its nodes are not asked', async (t) => {
  const { server, online } = await startLoopback(t);
  const commands = `<item jid='localhost' node='http://jabber.org/protocol/commands'/>`;
  let asked = 0;
  server.misbehave(
    recorder((element) => {
      if (element.child('query', xeps.NS_DISCO_INFO) !== undefined) asked += 1;
      if (element.child('query', xeps.NS_DISCO_ITEMS) === undefined) return undefined;
      return `<iq type='result' from='localhost' id='${element.attr('id') ?? ''}'><query xmlns='${xeps.NS_DISCO_ITEMS}'>${commands}</query></iq>`;
    }),
  );
  const ann = await online('ann', { plugins: [httpUpload] });
  await t.rejects(ann.get(httpUpload).upload({ name: 'a', type: 'b/c', data: new Uint8Array(1) }), {
    name: 'UploadError',
    message: /localhost has no upload service/,
  });
  t.equal(asked, 1, 'the server itself');
});
