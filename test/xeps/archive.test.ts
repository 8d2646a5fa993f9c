import t from 'tap';
import type { Client, ClientOptions } from '../../src/xmpp-core/client.js';
import { Jid } from '../../src/xmpp-core/jid/jid.js';
import { writeMessage } from '../../src/xmpp-core/stanza/stanzas.js';
import { memoryStorage } from '../../src/xmpp-core/storage.js';
import { NS_CLIENT } from '../../src/xmpp-core/stanza/namespaces.js';
import { el, type Element } from '../../src/xmpp-core/xml/element.js';
import { serialize } from '../../src/xmpp-core/xml/serialize.js';
import { parseElement } from '../../src/xmpp-core/xml/stream-parser.js';
import * as xeps from '../../src/xeps/index.js';
import { recorded } from '../support/fixtures.js';
import { PATIENCE_MS, recorder, startLoopback, until, type Loopback } from '../support/loopback.js';
import { dialogue, features, HEADER } from '../support/script.js';

const { carbons, messageArchive, muc, stanzaIds } = xeps;
const plugins = [carbons, messageArchive, muc, xeps.chatStates];
const ROOM = Jid.parse('tea@rooms.localhost');
const TEXTS = ['one', 'two', 'three', 'four', 'five', 'six', 'seven'];

function fullJid(client: Client): Jid {
  if (client.jid === undefined) throw new Error('this client is offline');
  return client.jid;
}

function say(from: Client, to: Jid, ...texts: readonly string[]): void {
  for (const body of texts) from.send(writeMessage({ to, type: 'chat', body }));
}

/** What was sent before is dealt with. */
async function settled(client: Client): Promise<void> {
  await client.get(xeps.serviceDiscovery).items(Jid.parse('localhost'));
}

async function collected(messages: AsyncIterable<xeps.ArchivedMessage>): Promise<xeps.ArchivedMessage[]> {
  const all: xeps.ArchivedMessage[] = [];
  for await (const message of messages) all.push(message);
  return all;
}

async function texts(messages: AsyncIterable<xeps.ArchivedMessage>): Promise<(string | undefined)[]> {
  return (await collected(messages)).map(({ message }) => message.body);
}

/** Collects the texts that a client is told of, by the way they come. */
function listening(client: Client): Record<'live' | 'received' | 'sent', (string | undefined)[]> {
  const heard = { live: [], received: [], sent: [] } as ReturnType<typeof listening>;
  client.events.on('message', ({ body }) => heard.live.push(body));
  client.get(carbons).events.on('received', ({ body }) => heard.received.push(body));
  client.get(carbons).events.on('sent', ({ body }) => heard.sent.push(body));
  return heard;
}

/** Two clients of ann's account, and bob. */
async function company(
  { online }: Loopback,
  options: Partial<ClientOptions> = {},
): Promise<{ desk: Client; phone: Client; bob: Client }> {
  const desk = await online('ann', { resource: 'desk', plugins, ...options });
  const phone = await online('ann', { resource: 'phone', plugins });
  const bob = await online('bob', { resource: 'tablet', plugins });
  await until(() => phone.get(carbons).enabled && desk.get(carbons).enabled, 'carbons');
  return { desk, phone, bob };
}

// [XEP-0280 §4] [XEP-0280 §7] [XEP-0280 §8] [XEP-0280 §9]
t.test('a client sees what the account’s other clients receive and send, as copies, but nothing private', async (t) => {
  const { desk, phone, bob } = await company(await startLoopback(t));
  const heard = listening(phone);
  say(bob, fullJid(desk), 'a question');
  say(desk, fullJid(bob), 'an answer');
  for (const [from, to] of [
    [desk, bob],
    [bob, desk],
  ] as const)
    from.send(writeMessage({ to: fullJid(to), type: 'chat', body: 'in private', payloads: xeps.writePrivate() }));
  await Promise.all([settled(desk), settled(bob)]);
  await settled(phone);
  t.strictSame(heard, { live: [], received: ['a question'], sent: ['an answer'] });

  await phone.get(carbons).disable();
  t.notOk(phone.get(carbons).enabled);
  say(desk, fullJid(bob), 'unseen');
  await settled(desk);
  await settled(phone);
  t.strictSame(heard.sent, ['an answer']);
});

// [XEP-0280 §10.4]
t.test('a copy comes to no handler of messages, so that nothing answers it by itself', async (t) => {
  const { desk, phone, bob } = await company(await startLoopback(t));
  const states: string[] = [];
  phone.get(xeps.chatStates).events.on('changed', ({ state }) => states.push(state));
  const copy = phone.get(carbons).events.once('received');
  bob.send(writeMessage({ to: fullJid(desk), type: 'chat', payloads: [xeps.writeChatState('composing')] }));
  t.equal(xeps.readChatState((await copy).element), 'composing');
  t.strictSame(states, []);
});

// [XEP-0280 §11] [pitfall-carbons-spoofing]
t.test('a copy counts only from our own bare account, alone, forwarded once, and in its own direction', async (t) => {
  const loopback = await startLoopback(t);
  const { desk, phone } = await company(loopback);
  const heard = listening(phone);
  const inner = (from: string, to: string, ns = 'jabber:client'): string =>
    `<message xmlns='${ns}' from='${from}' to='${to}' type='chat'><body>forged</body></message>`;
  const forwarded = (...stanzas: string[]): string =>
    `<forwarded xmlns='urn:xmpp:forward:0'>${stanzas.join('')}</forwarded>`;
  const copy = (direction: string, content: string): string =>
    `<${direction} xmlns='urn:xmpp:carbons:2'>${content}</${direction}>`;
  const good = forwarded(inner('eve@localhost/x', 'ann@localhost/desk'));
  const inject = (from: string, content: string): void =>
    loopback.server.inject(
      fullJid(phone),
      `<message from='${from}' to='ann@localhost/phone' type='chat'><body>outside</body>${content}</message>`,
    );

  for (const from of ['eve@localhost', 'eve@localhost/x', 'localhost', 'ann@localhost/desk', 'ann@localhost.eve'])
    inject(from, copy('received', good));
  inject('ann@localhost', copy('received', good + good));
  inject('ann@localhost', copy('received', good) + copy('received', good));
  inject('ann@localhost', copy('received', good) + copy('sent', good));
  inject('ann@localhost', copy('received', forwarded(inner('eve@localhost', 'ann@localhost').repeat(2))));
  inject('ann@localhost', copy('received', forwarded(inner('eve@localhost', 'ann@localhost', 'jabber:server'))));
  inject('ann@localhost', copy('received', forwarded(inner('ann@localhost/desk', 'bob@localhost'))));
  inject('ann@localhost', copy('sent', good));
  inject('ann@localhost', copy('received', forwarded(`<message to='ann@localhost' xmlns='jabber:client'/>`)));
  inject('ann@localhost', copy('received', inner('eve@localhost', 'ann@localhost')));
  inject('ann@localhost', copy('received', ''));
  inject('ann@localhost', copy('received', good));
  await settled(desk);
  await settled(phone);
  t.strictSame(heard, { live: [], received: ['forged'], sent: [] });
});

// [XEP-0386 §3.2] [XEP-0280 §4]
t.test('where the server can do that, copies are asked for within the login, and not again', async (t) => {
  const { client, peer, started } = await dialogue(t, { plugins: [xeps.sasl2, xeps.bind2, carbons], presence: false });
  await peer.receives(/<stream:stream [^>]*>/);
  const bind = `<bind xmlns='urn:xmpp:bind:0'><inline><feature var='urn:xmpp:carbons:2'/></inline></bind>`;
  peer.sends(
    HEADER +
      features(
        `<authentication xmlns='urn:xmpp:sasl:2'><mechanism>PLAIN</mechanism><inline>${bind}</inline></authentication>`,
      ),
  );
  t.match(await peer.receives(/<\/authenticate>/), `<enable xmlns='urn:xmpp:carbons:2'/></bind>`);
  const jid = 'ann@localhost/made-by-the-server';
  const bound = `<authorization-identifier>${jid}</authorization-identifier><bound xmlns='urn:xmpp:bind:0'/>`;
  peer.sends(`<success xmlns='urn:xmpp:sasl:2'>${bound}</success>${features()}`);
  await started;
  t.ok(client.get(carbons).enabled);
  say(client, Jid.parse('bob@localhost'), 'hello');
  t.notMatch(await peer.receives(/<\/message>/), 'urn:xmpp:carbons:2');
});

t.test('a server that copies nothing is told of, and does not stand in the way', async (t) => {
  const loopback = await startLoopback(t);
  loopback.server.misbehave({
    answer: (element) =>
      element.child('enable', xeps.NS_CARBONS) === undefined
        ? undefined
        : `<iq type='error' id='${element.attr('id') ?? ''}'><error type='cancel'><feature-not-implemented xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>`,
  });
  const ann = loopback.client('ann', { plugins });
  const refused = ann.get(carbons).events.once('refused');
  await ann.start();
  t.match(await refused, { error: { condition: 'feature-not-implemented' } });
  t.notOk(ann.get(carbons).enabled);
});

// [XEP-0313 §4.1] [XEP-0313 §4.3] [XEP-0313 §5]
t.test('an archive is read in both directions, a page at a time and only as far as it is wanted', async (t) => {
  const loopback = await startLoopback(t);
  const watch = recorder();
  const bob = await loopback.online('bob', { resource: 'tablet', plugins });
  loopback.server.misbehave(watch);
  const ann = await loopback.online('ann', { resource: 'desk', plugins });
  say(bob, ann.account, ...TEXTS);
  await settled(bob);
  say(ann, Jid.parse('cat@localhost'), 'meow');
  const archive = ann.get(messageArchive);
  const paged = { with: bob.account, pageSize: 2 };
  const pages = (): Element[] => watch.sent.flatMap((iq) => iq.child('query', xeps.NS_MAM) ?? []);

  const all = await collected(archive.messages(paged));
  t.strictSame(
    all.map(({ message }) => message.body),
    TEXTS,
  );
  t.equal(pages().length, 4);
  t.strictSame(await texts(archive.messages({ ...paged, order: 'newest-first' })), TEXTS.toReversed());
  t.ok(pages().at(-1)?.child('flip-page'));
  const [first, , third, , fifth] = all.map(({ id }) => id);
  if (first === undefined || third === undefined || fifth === undefined) throw new Error('there were seven');
  t.strictSame(await texts(archive.messages({ ...paged, afterId: third })), TEXTS.slice(3));
  t.strictSame(await texts(archive.messages({ ...paged, afterId: first, beforeId: fifth })), TEXTS.slice(1, 4));
  const backward = { ...paged, order: 'newest-first', afterId: first, beforeId: fifth } as const;
  t.strictSame(await texts(archive.messages(backward)), ['four', 'three', 'two']);
  t.strictSame(await texts(archive.messages({ ids: [third, first] })), ['one', 'three']);
  t.strictSame(await texts(archive.messages({ ...paged, end: new Date(0) })), []);
  const metadata = await archive.metadata();
  t.equal(metadata.start?.id, first);

  const before = pages().length;
  for await (const { message } of archive.messages(paged)) if (message.body === 'two') break;
  t.equal(pages().length, before + 1, 'pages that nobody reads are not asked for');
  t.strictSame(await texts(archive.messages({ ...paged, limit: 3 })), TEXTS.slice(0, 3));
  t.equal(xeps.readPageRequest(pages().at(-1) ?? raise())?.max, 1, 'nor messages beyond the limit');

  const stopping = new AbortController();
  const aborted = archive.messages({ ...paged, signal: stopping.signal })[Symbol.asyncIterator]();
  await aborted.next();
  stopping.abort(new Error('enough'));
  await t.rejects(aborted.next(), /enough/);
});

function raise(): never {
  throw new Error('this is not there');
}

/** A server whose archive of the account says what the test says; each answer is used once. */
async function scripted(
  t: Parameters<typeof startLoopback>[0],
  answer: (query: { id: string; queryId: string; request: Element }) => string | undefined,
  features = [xeps.NS_MAM, xeps.NS_STABLE_IDS],
): Promise<{ loopback: Loopback; ann: Client; requests: Element[] }> {
  const loopback = await startLoopback(t);
  const requests: Element[] = [];
  loopback.server.misbehave({
    answer: (element) => {
      const id = element.attr('id') ?? '';
      const request = element.child('query', xeps.NS_MAM);
      if (element.child('query', xeps.NS_DISCO_INFO) !== undefined)
        return `<iq type='result' id='${id}' from='${element.attr('to') ?? 'ann@localhost'}'><query xmlns='${xeps.NS_DISCO_INFO}'>${features.map((one) => `<feature var='${one}'/>`).join('')}</query></iq>`;
      if (request === undefined) return undefined;
      requests.push(request);
      return answer({ id, queryId: request.attr('queryid') ?? '', request });
    },
  });
  return { loopback, requests, ann: await loopback.online('ann', { resource: 'desk', plugins }) };
}

const result = (queryId: string, id: string, body = id, from = ''): string =>
  `<message${from}><result xmlns='urn:xmpp:mam:2' queryid='${queryId}' id='${id}'><forwarded xmlns='urn:xmpp:forward:0'>` +
  `<delay xmlns='urn:xmpp:delay' stamp='2026-01-02T03:04:05Z'/><message xmlns='jabber:client' from='bob@localhost/x' to='ann@localhost'><body>${body}</body></message>` +
  `</forwarded></result></message>`;
const fin = (id: string, attributes = `complete='true'`, set = ''): string =>
  `<iq type='result' id='${id}'><fin xmlns='urn:xmpp:mam:2' ${attributes}><set xmlns='http://jabber.org/protocol/rsm'>${set}</set></fin></iq>`;
const refusal = (id: string, condition: string): string =>
  `<iq type='error' id='${id}'><error type='cancel'><${condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>`;

// [XEP-0313 §8.2] [pitfall-forwarded-spoofing]
t.test('a result counts only from the archive that was asked, with the id of a query under way', async (t) => {
  let late = '';
  const { loopback, ann } = await scripted(t, ({ id, queryId }) => {
    late = result(queryId, 'late');
    return [
      result(queryId, 'from eve', 'forged', ` from='eve@localhost'`),
      result(queryId, 'from another client', 'forged', ` from='ann@localhost/phone'`),
      result(queryId, 'from the server', 'forged', ` from='localhost'`),
      result('guessed', 'of no query', 'forged'),
      `<message><result xmlns='urn:xmpp:mam:2' id='no query'><forwarded xmlns='urn:xmpp:forward:0'/></result></message>`,
      result(queryId, 'good'),
      result(queryId, 'good too', 'good too', ` from='ann@localhost'`),
      fin(id),
      result(queryId, 'late'),
    ].join('');
  });
  const heard = listening(ann);
  t.strictSame(await texts(ann.get(messageArchive).messages()), ['good', 'good too']);
  loopback.server.inject(fullJid(ann), late);
  loopback.server.inject(
    fullJid(ann),
    `<message from='eve@localhost'><forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' from='bob@localhost'><body>forged</body></message></forwarded></message>`,
  );
  await settled(ann);
  t.strictSame(heard.live, [undefined], 'a bare forwarded message is never its content');
});

// [XEP-0313 §4.3.2]
t.test('what an archive does against the rules is told, and never held in memory', async (t) => {
  const answers: ((query: { id: string; queryId: string }) => string)[] = [
    ({ id, queryId }) => ['a', 'b', 'c', 'd'].map((one) => result(queryId, one)).join('') + fin(id),
    ({ id }) => `<iq type='result' id='${id}'/>`,
    ({ id }) => fin(id, ''),
    ({ id, queryId }) => result(queryId, 'a') + fin(id, ''),
    ({ id, queryId }) => result(queryId, 'a') + fin(id, ''),
    ({ id, queryId }) =>
      `<message><result xmlns='urn:xmpp:mam:2' queryid='${queryId}' id='gone'/></message>` + fin(id, ''),
    ({ id, queryId }) => result(queryId, 'next') + fin(id),
    ({ id }) => refusal(id, 'forbidden'),
  ];
  const { ann, requests } = await scripted(t, (query) => answers.shift()?.(query));
  const archive = ann.get(messageArchive);
  await t.rejects(collected(archive.messages({ pageSize: 3 })), xeps.ArchiveError, 'more than was asked for');
  await t.rejects(collected(archive.messages()), xeps.ArchiveError, 'no end');
  t.strictSame(await texts(archive.messages()), [], 'an empty page that is not the last, with no way on');
  t.strictSame(await texts(archive.messages()), ['a', 'a'], 'a page that goes in a circle ends');
  t.strictSame(await texts(archive.messages()), ['next'], 'a message that was removed is passed over');
  t.equal(xeps.readPageRequest(requests.at(-1) ?? raise())?.after, 'gone');
  await t.rejects(collected(archive.messages()), /forbidden/);
  await t.rejects(collected(archive.messages({ ids: ['a'] })), /cannot filter by ids/);
  await t.rejects(archive.metadata(), xeps.ArchiveError);
});

// [XEP-0313 §7]
t.test('who has no archive is not asked for what is in it', async (t) => {
  const { ann, requests } = await scripted(t, () => undefined, []);
  await t.rejects(collected(ann.get(messageArchive).messages()), /has no message archive/);
  t.strictSame(requests, []);
});

// [XEP-0313 §4.3.2]
t.test('an id that the archive has forgotten is told as such, also when the archive does not say so', async (t) => {
  const answers: ((query: { id: string; queryId: string }) => string)[] = [
    ({ id }) => refusal(id, 'item-not-found'),
    ({ id }) => fin(id),
    ({ id, queryId }) => result(queryId, 'newest') + fin(id),
    ({ id }) => fin(id),
    ({ id, queryId }) => result(queryId, 'newest') + fin(id),
    ({ id }) => fin(id),
    ({ id, queryId }) => result(queryId, 'newest') + fin(id),
  ];
  const { ann } = await scripted(t, (query) => answers.shift()?.(query));
  const archive = ann.get(messageArchive);
  await t.rejects(collected(archive.since('gone')), xeps.ArchiveIdGoneError);
  await t.rejects(collected(archive.since('gone')), xeps.ArchiveIdGoneError);
  t.strictSame(await texts(archive.since('newest')), [], 'nothing follows the last message');
});

// [XEP-0313 §3.3.1] [XEP-0359 §6]
t.test('what was missed is caught up with once, over runs of the program, whatever comes live as well', async (t) => {
  const loopback = await startLoopback(t);
  const storage = memoryStorage();
  const options = { resource: 'desk', plugins, storage };
  const bob = await loopback.online('bob', { resource: 'tablet', plugins });
  const before = await loopback.online('ann', options);
  say(bob, before.account, 'long ago');
  await settled(bob);
  t.strictSame(await texts(before.get(messageArchive).catchUp()), [], 'what was before is not missed');
  say(bob, before.account, 'live');
  await before.events.once('message', { where: ({ body }) => body === 'live' });
  await before.stop();
  say(bob, before.account, ...TEXTS);
  await settled(bob);

  const after = loopback.client('ann', options);
  const heard = listening(after);
  await after.start();
  const caught = await texts(after.get(messageArchive).catchUp({ pageSize: 2 }));
  await settled(after);
  t.strictSame(new Set([...heard.live, ...caught]), new Set(TEXTS));
  t.equal(heard.live.length + caught.length, TEXTS.length);
  t.strictSame(await texts(after.get(messageArchive).catchUp()), []);
  await after.stop();

  const third = loopback.client('ann', { ...options, presence: false });
  await third.start();
  t.strictSame(await texts(third.get(messageArchive).catchUp()), [], 'it is known where the last run has ended');
  say(bob, third.account, 'while nobody is there');
  await settled(bob);
  t.strictSame(await texts(third.get(messageArchive).catchUp()), ['while nobody is there']);
  const later = listening(third);
  third.setPresence({});
  await settled(third);
  t.strictSame(later.live, [], 'what the server kept is not brought again');
});

// [XEP-0313 §4.3.2]
t.test(
  'catching up goes by time where the id is gone, and takes again what the reader or the archive was not done with',
  async (t) => {
    const answers: ((query: { id: string; queryId: string }) => string)[] = [
      ({ id, queryId }) => result(queryId, 'old') + fin(id),
      ({ id }) => refusal(id, 'item-not-found'),
      ({ id, queryId }) => result(queryId, 'a') + result(queryId, 'b') + result(queryId, 'c') + fin(id),
      ({ id, queryId }) => result(queryId, 'b') + result(queryId, 'c') + fin(id, `complete='true' stable='false'`),
      ({ id, queryId }) => result(queryId, 'b') + result(queryId, 'c') + result(queryId, 'd') + fin(id),
    ];
    const { ann, requests } = await scripted(t, (query) => answers.shift()?.(query));
    const archive = ann.get(messageArchive);
    const filterOf = (at: number): xeps.ArchiveRequest | undefined =>
      xeps.readArchiveRequest(requests.at(at) ?? raise());
    t.strictSame(await texts(archive.catchUp()), []);

    for await (const { id } of archive.catchUp()) if (id === 'b') break;
    t.equal(filterOf(-2)?.page?.after, 'old');
    t.equal(filterOf(-1)?.filter.start?.toISOString(), '2026-01-02T03:04:05.000Z');
    t.strictSame(await texts(archive.catchUp()), ['b', 'c']);
    t.equal(filterOf(-1)?.page?.after, 'a');
    t.strictSame(await texts(archive.catchUp()), ['d'], 'an unstable page is asked for again');
    t.equal(filterOf(-1)?.page?.after, 'a');
  },
);

// [XEP-0313 §3.3.2] [XEP-0313 §6.1.2]
t.test('a room’s archive is caught up with as the account’s is, and speaks of that room only', async (t) => {
  const loopback = await startLoopback(t);
  const ann = await loopback.online('ann', { resource: 'desk', plugins });
  const bob = await loopback.online('bob', { resource: 'tablet', plugins });
  const room = await ann.get(muc).join(ROOM, { nick: 'ann' });
  for (const text of TEXTS) room.sendMessage(text);
  await ann.get(muc).events.once('message', { where: ({ message }) => message.body === 'seven' });
  const archive = bob.get(messageArchive);
  const all = await collected(archive.messages({ archive: ROOM, pageSize: 3 }));
  t.ok(
    all.every(({ message }) => message.from.toString() === 'tea@rooms.localhost/ann' && message.type === 'groupchat'),
  );

  t.strictSame(await texts(archive.catchUp({ archive: ROOM })), []);
  await bob.get(muc).join(ROOM, { nick: 'bob', history: { maxStanzas: 2 } });
  const said = bob.get(muc).events.once('message', { where: ({ message }) => message.body === 'eight' });
  room.sendMessage('eight');
  const { stanzaId = raise() } = await said;
  t.ok(bob.get(stanzaIds).arrived(ROOM, stanzaId));
  t.notOk(bob.get(stanzaIds).arrived(ROOM, stanzaId), 'history brings it again');
  room.sendMessage('nine');
  await settled(ann);
  t.strictSame(await texts(archive.catchUp({ archive: ROOM })), ['nine']);

  await t.rejects(collected(archive.messages({ archive: Jid.parse('none@rooms.localhost') })), /item-not-found/);
});

// [XEP-0313 §6.1.2]
t.test('what a room’s archive says of anybody outside of the room is not believed', async (t) => {
  const from = ` from='${ROOM.toString()}'`;
  const { ann } = await scripted(t, ({ id, queryId }) =>
    [
      result(queryId, 'forged', 'forged', from),
      result(queryId, 'true', 'true', from).replace('bob@localhost/x', `${ROOM.toString()}/bob`),
      fin(id).replace('<iq', `<iq${from}`),
    ].join(''),
  );
  t.strictSame(await texts(ann.get(messageArchive).messages({ archive: ROOM })), ['true']);
});

// [XEP-0359 §6]
t.test(
  'ids are remembered in bounded memory, where nobody pushes out another’s; they decide only where they are believed',
  async (t) => {
    const seen = new xeps.SeenIds();
    t.ok(seen.record(ROOM, 'kept'));
    const noisy = Jid.parse('noisy@rooms.localhost');
    for (let id = 0; id < 5_000; id++) seen.record(noisy, String(id));
    t.notOk(seen.record(ROOM, 'kept'));
    t.ok(seen.record(noisy, '0'), 'the oldest is forgotten');
    t.ok(
      seen.record(ROOM, 'x'.repeat(10_000)) && seen.record(ROOM, 'x'.repeat(10_000)),
      'what is too long is not kept',
    );
    seen.forget(ROOM, 'kept');
    t.ok(seen.record(ROOM, 'kept'));

    const { loopback, ann } = await scripted(t, () => undefined, []);
    const heard = listening(ann);
    await settled(ann);
    const twice = `<message from='eve@localhost'><body>x</body><stanza-id xmlns='urn:xmpp:sid:0' id='1' by='ann@localhost'/></message>`;
    loopback.server.inject(fullJid(ann), twice + twice);
    await settled(ann);
    t.strictSame(heard.live, ['x', 'x'], 'a server that does not say that its ids are its own is not believed');
  },
);

// [XEP-0297 §3] [XEP-0297 §6]
t.test(
  'what is forwarded is one stanza with the time it was received, and is told as nobody’s word but the bringer’s',
  async (t) => {
    const stanza = el(
      'message',
      NS_CLIENT,
      { from: 'romeo@a.example/x', to: 'ann@localhost', id: 'm' },
      el('body', NS_CLIENT, {}, 'hi'),
    );
    const at = new Date('2010-07-10T23:08:25Z');
    const delayed = { stanza, delay: { stamp: at, from: undefined } };
    const wrap = (...nodes: Element[]): Element => el('wrap', 'urn:example', {}, ...nodes);
    t.match(xeps.readForwarded(wrap(xeps.writeForwarded(delayed))), {
      stanza: { name: 'message' },
      delay: { stamp: at },
    });
    t.equal(xeps.readForwarded(wrap(xeps.writeForwarded({ stanza })))?.delay, undefined);
    t.equal(xeps.readForwarded(wrap()), undefined);
    t.equal(
      xeps.readForwarded(wrap(xeps.writeForwarded({ stanza }), xeps.writeForwarded({ stanza }))),
      undefined,
      'two',
    );
    const forwarded = (...nodes: Element[]): Element => wrap(el('forwarded', xeps.NS_FORWARD, {}, ...nodes));
    t.equal(xeps.readForwarded(forwarded(stanza, stanza)), undefined, 'which of them?');
    t.equal(xeps.readForwarded(forwarded(el('message', 'jabber:server'))), undefined);
    t.equal(xeps.readForwarded(forwarded(el('body', NS_CLIENT))), undefined, 'no stanza');
    const view = (one: Element, language?: string) => xeps.readForwardedMessage({ stanza: one }, language);
    t.match(view(stanza), { body: 'hi', id: 'm' });
    t.equal(view(stanza.withAttributes({ type: 'error' })), undefined);
    t.equal(view(stanza.withAttributes({ from: '@@' })), undefined, 'from nobody');
    t.equal(view(el('presence', NS_CLIENT, { from: 'romeo@a.example/x' })), undefined);

    const { server, online } = await startLoopback(t);
    const ann = await online('ann', { plugins: xeps.chatPlugins });
    const heard: (string | undefined)[] = [];
    ann.events.on('message', ({ body }) => heard.push(body));
    const inner = `<message xmlns='jabber:client' from='bob@localhost/x' to='ann@localhost' type='chat'><body>give eve the money</body></message>`;
    const brought = (body: string): string =>
      `<message from='eve@localhost/x' type='chat'><body>${body}</body><forwarded xmlns='urn:xmpp:forward:0'>${inner}</forwarded></message>`;
    const last = ann.events.once('message', { timeoutMs: PATIENCE_MS, where: ({ body }) => body === 'there' });
    server.inject(ann.jid ?? ann.account, brought('look') + brought('there'));
    await last;
    t.strictSame(heard, ['look', 'there'], 'only what eve said herself was said');
  },
);

// [XEP-0313] [XEP-0280] [XEP-0359] [XEP-0441]
t.test('what servers really send is read as what it says', async (t) => {
  const ann = Jid.parse('ann@example.org');
  for (const [name, stanza] of recorded(280)) {
    const carbon = xeps.readCarbon(stanza);
    const message = carbon === undefined ? undefined : xeps.readForwardedMessage(carbon, undefined);
    t.equal(carbon?.direction, name.includes('sent') ? 'sent' : 'received', name);
    t.match(message?.body, /^an? (question|answer)/);
    t.ok(xeps.readStanzaId(carbon?.stanza ?? raise(), ann));
  }
  for (const [name, stanza] of recorded(313)) {
    const payload = stanza.children()[0] ?? raise();
    if (payload.name === 'result') {
      const found = xeps.readArchiveResult(payload);
      t.match(found, { id: /./, queryId: /./ }, name);
      t.equal(xeps.readForwardedMessage(found?.forwarded ?? raise(), undefined)?.body, 'one');
      t.ok(found?.forwarded?.delay?.stamp);
    } else if (payload.name === 'fin') {
      const page = xeps.readArchivePage(payload);
      t.equal(page?.complete, !name.startsWith('the end of a page'), name);
      t.ok(page?.stable);
      t.equal(page?.page?.first === undefined, name.includes('empty'));
    } else {
      t.match(xeps.readArchiveMetadata(payload), { start: { id: /./ }, end: { at: Date } }, name);
    }
  }
  for (const [name, stanza] of recorded(441)) {
    const preferences = xeps.readArchivePreferences(stanza.children()[0] ?? raise());
    t.strictSame(preferences, { default: 'always', always: [], never: [Jid.parse('bob@example.org')] }, name);
  }
  for (const [name, stanza] of recorded(359)) t.ok(xeps.readStanzaId(stanza, ann), name);
});

// [XEP-0313 §4.1] [XEP-0313 §4.3] [XEP-0313 §5] [XEP-0441 §2.1]
t.test('queries, ends, metadata and preferences are written as the specification writes them', async (t) => {
  const canonical = (element: Element): string => serialize(element);
  const asWritten = (text: string): string => canonical(parseElement(text.replace(/>\s+</g, '><')));
  const form = (fields: string): string =>
    `<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'><value>urn:xmpp:mam:2</value></field>${fields}</x>`;
  const field = (name: string, value: string): string => `<field var='${name}'><value>${value}</value></field>`;
  const query = (content: string, attributes = ''): string =>
    `<query xmlns='urn:xmpp:mam:2'${attributes}>${content}</query>`;
  const page = `<set xmlns='http://jabber.org/protocol/rsm'><max>10</max><after>09af3-cc343-b409f</after></set>`;
  // The examples of §4 and §4.1.1 to §4.3.4, with times in milliseconds, as we write them.
  const start = new Date('2010-06-07T00:00:00Z');
  for (const [request, text] of [
    [{ queryId: 'f27', filter: {} }, query('', ` queryid='f27'`)],
    [{ filter: { with: Jid.parse('juliet@capulet.lit') } }, query(form(field('with', 'juliet@capulet.lit')))],
    [{ filter: { start } }, query(form(field('start', '2010-06-07T00:00:00.000Z')))],
    [
      { filter: { afterId: 'a', beforeId: 'b', ids: ['c', 'd'], includeGroupchat: false } },
      query(
        form(
          field('after-id', 'a') +
            field('before-id', 'b') +
            `<field var='ids'><value>c</value><value>d</value></field>` +
            field('include-groupchat', 'false'),
        ),
      ),
    ],
    [{ filter: {}, page: { max: 10, after: '09af3-cc343-b409f' }, flipPage: true }, query(`${page}<flip-page/>`)],
  ] as const) {
    t.equal(canonical(xeps.writeArchiveRequest(request)), asWritten(text));
    t.strictSame(xeps.readArchiveRequest(parseElement(text)), request);
  }
  const holds = `<metadata xmlns='urn:xmpp:mam:2'><start id='YWxwaGEg' timestamp='2008-08-22T21:09:04.000Z'/><end id='b21lZ2Eg' timestamp='2020-04-20T14:34:21.000Z'/></metadata>`;
  const metadata = xeps.readArchiveMetadata(parseElement(holds)) ?? raise();
  t.equal(metadata.end?.at.toISOString(), '2020-04-20T14:34:21.000Z');
  t.equal(canonical(xeps.writeArchiveMetadata(metadata)), asWritten(holds));
  t.strictSame(xeps.readArchiveMetadata(parseElement(`<metadata xmlns='urn:xmpp:mam:2'/>`)), {});
  const prefs = `<prefs xmlns='urn:xmpp:mam:2' default='roster'><always><jid>romeo@montague.lit</jid></always><never><jid>montague@montague.lit</jid></never></prefs>`;
  t.equal(
    canonical(xeps.writeArchivePreferences(xeps.readArchivePreferences(parseElement(prefs)) ?? raise())),
    asWritten(prefs),
  );
  for (const wrong of [
    `<prefs xmlns='urn:xmpp:mam:2'/>`,
    `<prefs xmlns='urn:xmpp:mam:2' default='maybe'/>`,
    `<prefs xmlns='x'/>`,
  ])
    t.equal(xeps.readArchivePreferences(parseElement(wrong)), undefined);
  t.equal(xeps.readArchiveResult(parseElement(`<result xmlns='urn:xmpp:mam:2'/>`)), undefined);
});
