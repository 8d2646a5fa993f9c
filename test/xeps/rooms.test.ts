/** What people are promised about rooms (XEP-0045, 0249, 0410, 0421, 0425, 0486). */
import t, { type Test } from 'tap';
import * as xeps from '../../src/xeps/index.js';
import type { Client } from '../../src/xmpp-core/client.js';
import { StanzaError, TimeoutError } from '../../src/xmpp-core/errors.js';
import { Jid } from '../../src/xmpp-core/jid/jid.js';
import { writeMessage } from '../../src/xmpp-core/stanza/stanzas.js';
import type { Element } from '../../src/xmpp-core/xml/element.js';
import { serialize } from '../../src/xmpp-core/xml/serialize.js';
import { recorded } from '../support/fixtures.js';
import { PATIENCE_MS, recorder, startLoopback, until } from '../support/loopback.js';

const { muc } = xeps;
const ROOM = Jid.parse('tea@rooms.localhost');

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

// [XEP-0045 §7.2.2] [pitfall-muc-self-presence] [pitfall-nick-conflict]
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
  await t.rejects(room(ann).join(), /already being joined/);
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

// [XEP-0045 §7.2.6] [XEP-0045 §7.2.8] [pitfall-nick-conflict]
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
  await t.rejects(carl.get(muc).join(ROOM, { nick: 'carl' }), {
    name: 'RoomError',
    why: 'password',
    condition: 'not-authorized',
  });
  const again = carl.get(muc).join(ROOM, { nick: 'carl', password: 'sesame' });
  await t.rejects(again, { name: 'RoomError' });
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

// [XEP-0045 §7.2.13] [XEP-0045 §7.5] [XEP-0421 §3] [pitfall-own-messages]
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

// [XEP-0045 §7.14] [XEP-0045 §8.2] [XEP-0045 §9.1] [XEP-0045 §10.9] [pitfall-muc-lost]
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

// [XEP-0045 §7.2.14] [pitfall-muc-lost]
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

// [XEP-0421 §5] [XEP-0359 §6] [pitfall-stanza-id-spoofing]
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

// [XEP-0421 §3.2]
t.test('whoever speaks is found by the id of what they said, though their presence had another', async (t) => {
  const { server, online } = await startLoopback(t);
  const ann = await online('ann', { plugins: [muc] });
  const { occupants } = await ann.get(muc).join(ROOM, { nick: 'ann' });
  const mine = occupants.get('ann')?.occupantId;
  const id = (text: string): string => `<occupant-id xmlns='${xeps.NS_OCCUPANT_ID}' id='${text}'/>`;
  const delay = `<delay xmlns='urn:xmpp:delay' stamp='2026-11-23T00:00:00Z'/>`;
  const says = async (nick: string, rest: string): Promise<string | undefined> => {
    const event = ann.get(muc).events.once('message', { timeoutMs: PATIENCE_MS });
    const from = `${ROOM.toString()}/${nick}`;
    server.inject(ann.jid ?? ann.account, `<message type='groupchat' from='${from}'><body>x</body>${rest}</message>`);
    return (await event).occupant?.occupantId;
  };
  const came = ann.get(muc).events.once('occupantJoined', { timeoutMs: PATIENCE_MS });
  server.inject(
    ann.jid ?? ann.account,
    presence('bob', item).replace('</presence>', `${id('of-presence')}</presence>`),
  );
  t.equal((await came).occupant.occupantId, 'of-presence');
  t.equal(await says('bob', id('before') + delay), undefined);
  t.equal(occupants.get('bob')?.occupantId, 'of-presence', 'what was said before may be somebody else’s');
  t.equal(await says('bob', id('of-words')), 'of-words');
  t.equal(occupants.get('bob')?.occupantId, 'of-words');
  await says('ann', id('of-words'));
  t.equal(occupants.get('ann')?.occupantId, mine, 'who we are, only our own presence says');
});

t.test('what comes from a room that we are not in is neither of a room nor a message like others', async (t) => {
  const { server, online } = await startLoopback(t);
  const ann = await online('ann', { plugins: [muc] });
  const inRooms: unknown[] = [];
  ann.get(muc).events.on('message', (one) => inRooms.push(one));
  const seen = ann.events.once('message', { timeoutMs: PATIENCE_MS });
  const of = (type: string, body: string): string =>
    `<message type='${type}' from='${ROOM.toString()}/x'><body>${body}</body></message>`;
  server.inject(ann.jid ?? ann.account, of('groupchat', 'to all'));
  server.inject(ann.jid ?? ann.account, of('chat', 'to ann'));
  t.equal((await seen).body, 'to ann');
  t.strictSame(inRooms, []);
});

const NS_STANZAS = 'urn:ietf:params:xml:ns:xmpp-stanzas';
const ROOM_TEXT = ROOM.toString();
const iqError = (id: string, from: string, condition: string): string =>
  `<iq type='error' id='${id}' from='${from}'><error type='cancel'><${condition} xmlns='${NS_STANZAS}'/></error></iq>`;

// [XEP-0410 §3.2] [pitfall-muc-ghost] [pitfall-muc-lost]
t.test('a room that has forgotten us is found out by asking, and entered again', async (t) => {
  const { server, online } = await startLoopback(t);
  let answer: string | undefined;
  const log = recorder((element) =>
    element.child('ping', xeps.NS_PING) === undefined || element.attr('to') !== `${ROOM_TEXT}/ann`
      ? undefined
      : answer === undefined
        ? ''
        : iqError(element.attr('id') ?? '', `${ROOM_TEXT}/ann`, answer),
  );
  server.misbehave(log);
  const selfPing = xeps.mucSelfPingWith({ silenceMs: 30, timeoutMs: 50, retryMs: 30 });
  const ann = await online('ann', { plugins: [muc, selfPing] });
  const pings = (): number => log.sent.filter((one) => one.child('ping', xeps.NS_PING)).length;
  const joins = (): number => log.sent.filter((one) => one.child('x', xeps.NS_MUC)).length;
  await ann.get(muc).join(ROOM, { nick: 'ann' });
  await until(() => pings() >= 2, 'another question where none was answered');
  answer = 'service-unavailable';
  const before = pings();
  await until(() => pings() >= before + 2, 'a question after the next silence');
  t.equal(joins(), 1, 'neither silence nor a client that does not know pings is a loss');
  const left = ann.get(muc).events.once('left', { timeoutMs: PATIENCE_MS });
  const back = ann.get(muc).events.once('joined', { timeoutMs: PATIENCE_MS });
  answer = 'not-acceptable';
  t.equal((await left).why, 'lost');
  answer = 'item-not-found';
  t.equal((await back).nick, 'ann');
});

// [XEP-0410 §3.2]
t.test('what an answer to a self-ping means is as the XEP has it', (t) => {
  const verdict = (condition: Parameters<typeof StanzaError.of>[0]): string =>
    xeps.selfPingVerdict(StanzaError.of(condition));
  t.equal(xeps.selfPingVerdict(undefined), 'joined');
  for (const one of ['service-unavailable', 'feature-not-implemented', 'item-not-found'] as const)
    t.equal(verdict(one), 'joined', one);
  for (const one of ['remote-server-not-found', 'remote-server-timeout'] as const)
    t.equal(verdict(one), 'undecided', one);
  t.equal(xeps.selfPingVerdict(new TimeoutError('a ping', 1)), 'undecided');
  for (const one of ['not-acceptable', 'not-allowed', 'bad-request'] as const) t.equal(verdict(one), 'lost', one);
  t.end();
});

// [XEP-0045 §7.2.15]
t.test('every refusal of a room says in a word why, and what can be done', async (t) => {
  const { server, online } = await startLoopback(t);
  let condition = '';
  const refuse = (element: Element): string | undefined =>
    element.child('x', xeps.NS_MUC) === undefined
      ? undefined
      : `<presence type='error' id='${element.attr('id') ?? ''}' from='${ROOM_TEXT}/ann'><error type='cancel'>` +
        `<${condition} xmlns='${NS_STANZAS}'/></error></presence>`;
  server.misbehave(recorder(refuse));
  const ann = await online('ann', { plugins: [muc] });
  for (const [given, why] of [
    ['not-authorized', 'password'],
    ['forbidden', 'banned'],
    ['item-not-found', 'no-such-room'],
    ['not-allowed', 'creation-restricted'],
    ['not-acceptable', 'nick-reserved'],
    ['registration-required', 'members-only'],
    ['conflict', 'nick-taken'],
    ['service-unavailable', 'full'],
    ['gone', 'gone'],
    ['remote-server-timeout', 'unreachable'],
    ['undefined-condition', 'other'],
  ] as const) {
    condition = given;
    const joining = ann.get(muc).join(ROOM, { nick: 'ann', whenTaken: 'fail' });
    await t.rejects(joining, { name: 'RoomError', why, condition: given, attempt: 'join' });
  }
});

// [XEP-0045 §8.1] [XEP-0045 §8.6] [XEP-0045 §9.3] [XEP-0045 §10.2.1] [XEP-0425 §5]
t.test('what a room says itself is told apart from what occupants say in its name', async (t) => {
  const { server, online } = await startLoopback(t);
  const ann = await online('ann', { plugins: [muc] });
  const room = await ann.get(muc).join(ROOM, { nick: 'ann' });
  const told: string[] = [];
  const { events } = ann.get(muc);
  events.on('configured', ({ changes }) => told.push(changes.join()));
  events.on('affiliationChanged', ({ jid, affiliation, own }) =>
    told.push(`${jid?.toString() ?? ''} ${affiliation} ${String(own)}`),
  );
  events.on('moderated', ({ id, reason }) => told.push(`${id} ${reason ?? ''}`));
  events.on('approvalRequested', ({ request }) => told.push(`${request.kind} ${request.nick ?? ''}`));
  events.on('declined', ({ by, reason }) => told.push(`${by?.toString() ?? ''} ${reason ?? ''}`));
  events.on('subject', ({ subject }) => told.push(`about ${subject}`));
  events.on('notice', ({ message }) => told.push(message.body ?? ''));
  const user = (content: string): string => `<x xmlns='${xeps.NS_MUC_USER}'>${content}</x>`;
  const field = (name: string, value: string): string => `<field var='${name}'><value>${value}</value></field>`;
  const payloads = [
    ['groupchat', user(status(104) + status(172))],
    ['groupchat', user(`<item affiliation='member' jid='bob@localhost'/>`)],
    ['normal', user(`<item affiliation='admin' jid='ann@localhost'/>`)],
    [
      'groupchat',
      `<retract xmlns='urn:xmpp:message-retract:1' id='s1'><moderated xmlns='urn:xmpp:message-moderate:1'/><reason>spam</reason></retract>`,
    ],
    [
      'normal',
      `<x xmlns='jabber:x:data' type='form'><field var='FORM_TYPE' type='hidden'><value>http://jabber.org/protocol/muc#request</value></field>` +
        `${field('muc#role', 'participant')}${field('muc#roomnick', 'eve')}</x>`,
    ],
    ['normal', user(`<decline from='hecate@localhost'><reason>busy</reason></decline>`)],
    ['groupchat', '<body>closing at ten</body>'],
  ] as const;
  const said = (from: string): string =>
    payloads.map(([type, payload]) => `<message type='${type}' from='${from}'>${payload}</message>`).join('');
  const last = `<message type='groupchat' from='${ROOM_TEXT}/eve'><subject>the end</subject></message>`;
  const talk = `<message type='groupchat' from='${ROOM_TEXT}/eve'><subject>no</subject><body>a topic</body></message>`;
  server.inject(ann.jid ?? ann.account, said(`${ROOM_TEXT}/eve`) + said(ROOM_TEXT) + talk + last);
  await until(() => told.includes('about the end'), 'the last word');
  t.strictSame(
    told.filter((one) => one !== 'about '),
    [
      'settings,non-anonymous',
      'bob@localhost member false',
      'ann@localhost admin true',
      's1 spam',
      'voice eve',
      'hecate@localhost busy',
      'closing at ten',
      'about the end',
    ],
  );
  t.equal(room.self?.realJid?.toString(), 'ann@localhost');
});

// [XEP-0249 §2] [XEP-0045 §7.8.2]
t.test('people are invited directly and by the room, once each, and not to where they are', async (t) => {
  const { server, online } = await startLoopback(t);
  const ann = await online('ann', { plugins: [muc] });
  const bob = await online('bob', { plugins: [muc] });
  const invitations: xeps.Invitation[] = [];
  bob.get(muc).events.on('invited', (one) => invitations.push(one));
  const others: unknown[] = [];
  bob.events.on('message', (one) => others.push(one));
  const room = await ann.get(muc).join(ROOM, { nick: 'ann', password: 'sesame' });
  room.inviteDirectly(bob.jid ?? bob.account, { reason: 'come', continues: { thread: 't1' } });
  await until(() => invitations.length === 1, 'the invitation');
  t.match(invitations[0], { direct: true, reason: 'come', password: 'sesame', continues: { thread: 't1' } });
  t.equal(invitations[0]?.by?.bare.toString(), 'ann@localhost');
  const invite = (from: string, by = 'ann@localhost/x'): string =>
    `<message from='${from}'><x xmlns='${xeps.NS_MUC_USER}'><invite from='${by}'/><password>p</password></x>` +
    `<x xmlns='jabber:x:conference' jid='${from}'/></message>`;
  const word = `<message from='eve@localhost/x' type='chat'><body>well?</body></message>`;
  // The same again, then by somebody else; then another room, and something that no room can have sent.
  const same = invite(ROOM_TEXT) + invite(ROOM_TEXT, 'eve@localhost');
  const all = same + invite('other@rooms.localhost') + invite('rooms.localhost') + word;
  server.inject(bob.jid ?? bob.account, all);
  await until(() => others.length > 0, 'the word after them');
  t.strictSame(
    invitations.map(({ room, by }) => `${room.toString()} by ${by?.bare.toString()}`),
    [`${ROOM_TEXT} by ann@localhost`, `${ROOM_TEXT} by eve@localhost`, 'other@rooms.localhost by ann@localhost'],
  );
  t.match(invitations[2], { direct: false, password: 'p' });
});

t.test(
  'a hostile room cannot fill the memory: so many occupants are kept, and that some are not is told',
  async (t) => {
    const { server, online } = await startLoopback(t);
    const ann = await online('ann', { plugins: [muc] });
    const room = await ann.get(muc).join(ROOM, { nick: 'ann' });
    const crowded: unknown[] = [];
    ann.get(muc).events.on('crowded', (one) => crowded.push(one));
    const many = Array.from({ length: xeps.MAX_OCCUPANTS + 2 }, (_one, index) => presence(`n${index}`, item));
    server.inject(ann.jid ?? ann.account, many.join(''));
    const last = ann.get(muc).events.once('renamed', { timeoutMs: PATIENCE_MS });
    server.inject(ann.jid ?? ann.account, presence('n1', `<item nick='m1'/>${status(303)}`, 'unavailable'));
    t.match(await last, { nick: 'm1', before: 'n1', self: false });
    t.equal(room.occupants.size, xeps.MAX_OCCUPANTS);
    t.equal(crowded.length, 1);
    t.ok(room.self, 'we ourselves are always on the list');
  },
);

// [XEP-0045]
t.test('what real services say of kicks, nicks and ends is read', (t) => {
  const said = recorded(45);
  const user = (name: string): xeps.MucUser | undefined => {
    const stanza = said.get(name);
    return stanza === undefined ? undefined : xeps.readMucUser(stanza);
  };
  for (const by of ['', ', by ejabberd']) {
    t.match(user(`an occupant${by}`), { affiliation: 'owner', role: 'moderator', jid: undefined });
    t.match(user(`self-presence${by}`), { statuses: new Set([110]), jid: Jid });
    t.match(user(`a new nick${by}`), { statuses: new Set([303, 110]), nick: 'robert' });
    t.match(user(`a room that is non-anonymous now${by}`), { statuses: new Set([xeps.Status.nowNonAnonymous]) });
    t.match(user(`a room that ends${by}`), { reason: 'moved' });
    t.equal(user(`a room that ends${by}`)?.destruction?.alternate?.toString(), 'heath@conference.example.org');
  }
  t.match(user('a kick'), { statuses: new Set([307, 110]), reason: 'Avaunt!', actor: { nick: 'ann' } });
  t.end();
});

const DOT = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==';

// [XEP-0486 §3.1] [XEP-0486 §3.2] [XEP-0486 §3.3]
t.test(
  'the picture of a room is the one that the room announces, and is looked at again when that may have changed',
  async (t) => {
    const { server, online } = await startLoopback(t);
    const { mucAvatars } = xeps;
    let announced: string[] = [];
    const log = recorder((element) => {
      const id = element.attr('id') ?? '';
      if (element.attr('to') !== ROOM_TEXT || element.name !== 'iq') return undefined;
      const result = (payload: string): string => `<iq type='result' id='${id}' from='${ROOM_TEXT}'>${payload}</iq>`;
      if (element.child('query', xeps.NS_DISCO_INFO) !== undefined)
        return result(
          `<query xmlns='${xeps.NS_DISCO_INFO}'><identity category='conference' type='text'/>` +
            `<x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE' type='hidden'><value>http://jabber.org/protocol/muc#roominfo</value></field>` +
            `<field var='muc#roominfo_avatarhash' type='text-multi'>${announced.map((one) => `<value>${one}</value>`).join('')}</field></x></query>`,
        );
      if (element.child('vCard', xeps.NS_VCARD) === undefined) return undefined;
      if (element.attr('type') === 'set') return iqError(id, ROOM_TEXT, 'forbidden');
      return result(`<vCard xmlns='vcard-temp'><PHOTO><BINVAL>${DOT}</BINVAL></PHOTO></vCard>`);
    });
    server.misbehave(log);
    const ann = await online('ann', { plugins: [muc, mucAvatars] });
    const pictures = ann.get(mucAvatars);
    const asked = (): number => log.sent.filter((one) => one.child('vCard', xeps.NS_VCARD)).length;
    t.equal(await pictures.fetch(ROOM), undefined);
    t.equal(asked(), 0, 'a room that announces no picture is not asked for one');
    const hash = Buffer.from((await xeps.digest('sha-1', new Uint8Array(Buffer.from(DOT, 'base64')))) ?? []);
    announced = ['no hash', 'f'.repeat(40)];
    t.equal(await pictures.fetch(ROOM), undefined, 'another picture than it announces');
    t.strictSame(await pictures.hashes(ROOM), ['f'.repeat(40)]);
    announced = [hash.toString('hex').toUpperCase()];
    t.match(await pictures.fetch(ROOM), { mediaType: 'image/png', bytes: Buffer.from(DOT, 'base64') });
    const publishing = pictures.publish(ROOM, Buffer.from(DOT, 'base64'));
    await t.rejects(publishing, { name: 'RoomError', attempt: 'picture', why: 'rank' });
    await t.rejects(pictures.publish(ROOM, new Uint8Array(3)), { name: 'XmppError' });
    t.equal(log.sent.at(-1)?.child('vCard', xeps.NS_VCARD)?.child('PHOTO')?.childText('BINVAL'), DOT);

    await ann.get(muc).join(ROOM, { nick: 'ann' });
    const changes: string[] = [];
    pictures.events.on('changed', ({ room: { jid } }) => changes.push(jid.toString()));
    const update = (from: string, photo = `<photo/>`): string =>
      `<presence from='${from}'><x xmlns='${xeps.NS_VCARD_UPDATE}'>${photo}</x></presence>`;
    const said = (code: number, from = ROOM_TEXT): string =>
      `<message type='groupchat' from='${from}'><x xmlns='${xeps.NS_MUC_USER}'>${status(code)}</x></message>`;
    const last = `<message type='chat' from='bob@localhost/x'><body>well?</body></message>`;
    const heard = ann.events.once('message', { timeoutMs: PATIENCE_MS });
    server.inject(
      ann.jid ?? ann.account,
      said(104) +
        update(ROOM_TEXT) +
        // An occupant has a picture of their own, a room that is not ready says nothing, and in another we are not.
        [update(`${ROOM_TEXT}/bob`), update(ROOM_TEXT, ''), update('other@rooms.localhost')].join('') +
        said(172) +
        said(104, `${ROOM_TEXT}/bob`) +
        last,
    );
    await heard;
    t.strictSame(changes, [ROOM_TEXT, ROOM_TEXT]);
  },
);

// [XEP-0045 §7.2.2] [XEP-0045 §7.6] [XEP-0045 §7.8.2] [XEP-0045 §10.9]
t.test(
  'a stay in a room of ejabberd, from a recording: joined, renamed, spoken to, invited, and its end',
  async (t) => {
    const { server, online } = await startLoopback(t);
    server.misbehave(recorder((element) => (element.child('x', xeps.NS_MUC) === undefined ? undefined : '')));
    const ann = await online('ann', { plugins: [muc] });
    const { events } = ann.get(muc);
    const told: string[] = [];
    events.on('joined', ({ nick }) => told.push(`joined as ${nick}`));
    events.on('renamed', ({ nick, before, self }) => told.push(`${before} is ${nick} ${String(self)}`));
    events.on('message', ({ nick, own, message: { body } }) => told.push(`${nick} ${String(own)}: ${body ?? ''}`));
    events.on('configured', ({ changes }) => told.push(changes.join()));
    events.on('invited', ({ by, reason }) => told.push(`invited by ${by?.bare.toString() ?? ''}: ${reason ?? ''}`));
    events.on('left', ({ why, reason, destruction }) =>
      told.push(`${why}: ${reason ?? ''}, ${destruction?.alternate?.localpart ?? ''}`),
    );
    const says = (name: string): void => {
      const stanza = recorded(45).get(`${name}, by ejabberd`);
      if (stanza === undefined) throw new Error(`'${name}' is not recorded`);
      server.inject(ann.jid ?? ann.account, serialize(stanza).replaceAll('coven@conference.example.org', ROOM_TEXT));
    };
    const joining = ann.get(muc).join(ROOM, { nick: 'bob' });
    for (const name of ['an occupant', 'self-presence', 'no subject']) says(name);
    await joining;
    for (const name of [
      'a new nick',
      'words to all',
      'a room that is non-anonymous now',
      'a room that ends',
      'an invitation',
    ])
      says(name);
    await until(() => told.length === 6, 'the end');
    t.strictSame(told, [
      'joined as bob',
      'bob is robert true',
      'ann false: the hurly-burly is done',
      'non-anonymous',
      'destroyed: moved, heath',
      'invited by bob@example.org: come',
    ]);
  },
);

/** Somebody with a room of which the test says every word; it announces stable ids and occupant ids unless told. */
async function scripted(t: Test) {
  const { server, online } = await startLoopback(t);
  const announced = { features: [xeps.NS_STABLE_IDS, xeps.NS_OCCUPANT_ID], isSilent: false };
  const log = recorder((element) => {
    if (element.attr('to')?.startsWith(ROOM_TEXT) !== true) return undefined;
    if (element.child('query', xeps.NS_DISCO_INFO) === undefined || announced.isSilent) return '';
    const features = announced.features.map((feature) => `<feature var='${feature}'/>`).join('');
    return `<iq type='result' id='${element.attr('id') ?? ''}' from='${ROOM_TEXT}'><query xmlns='${xeps.NS_DISCO_INFO}'>${features}</query></iq>`;
  });
  server.misbehave(log);
  const ann = await online('ann', { plugins: [muc], reconnect: { firstMs: 3_600_000, maxMs: 3_600_000 } });
  const sent = (name: string): Element[] =>
    log.sent.filter((one) => one.name === name && one.attr('to')?.startsWith(ROOM_TEXT) === true);
  const joins = (): Element[] => sent('presence').filter((one) => one.child('x', xeps.NS_MUC));
  /** The room says it, and it has been heard. */
  const says = async (...texts: string[]): Promise<void> => {
    const heard = ann.events.once('message', { timeoutMs: PATIENCE_MS, where: ({ from }) => from.localpart === 'bob' });
    server.inject(ann.jid ?? ann.account, `${texts.join('')}<message from='bob@localhost/x'><body>x</body></message>`);
    await heard;
  };
  const self = presence('ann', `<item affiliation='owner' role='moderator'/>${status(110)}`);
  /** Asks to come in, and is heard to have asked. */
  const knock = async (changes: Partial<xeps.RoomOptions> = {}): Promise<{ joining: Promise<xeps.Room> }> => {
    const before = joins().length;
    const joining = ann.get(muc).join(ROOM, { nick: 'ann', ...changes });
    joining.catch(() => undefined);
    await until(() => joins().length > before, 'the join');
    return { joining };
  };
  const enter = async (): Promise<xeps.Room> => {
    const { joining } = await knock();
    await says(self);
    return joining;
  };
  return { server, ann, announced, log, sent, joins, says, self, knock, enter };
}

const refusal = (id: string, condition: string): string =>
  `<presence type='error' id='${id}' from='${ROOM_TEXT}/ann'><error type='cancel'><${condition} xmlns='${NS_STANZAS}'/></error></presence>`;
const spoken = (nick: string, rest: string): string =>
  `<message type='groupchat' from='${ROOM_TEXT}${nick === '' ? '' : `/${nick}`}'>${rest}</message>`;

// [XEP-0045 §7.2] [XEP-0045 §7.14]
t.test('a join hears only what is said to it, and is taken back only when it was not refused', async (t) => {
  const { ann, announced, joins, says, enter, knock, sent, server } = await scripted(t);
  const goodbyes = (): number => sent('presence').filter((one) => one.attr('type') === 'unavailable').length;
  const told: string[] = [];
  ann.get(muc).events.on('occupantJoined', ({ occupant: { nick } }) => told.push(nick));
  const refused = await knock();
  const id = joins().at(-1)?.attr('id') ?? '';
  await says(
    refusal('of-something-else', 'registration-required'),
    presence('ann', item + status(110), 'unavailable'),
    presence('bob', item),
  );
  t.equal(room(ann).joined, false, 'an error of something else, or the end of an earlier stay, is no answer');
  t.strictSame(told, [], 'who is there already did not come just now');
  await says(refusal(id, 'forbidden'));
  await t.rejects(refused.joining, { name: 'RoomError', why: 'banned' });
  t.equal(joins().length, 1, 'another nick would not help');
  t.equal(goodbyes(), 0, 'we were never in');

  const thrown = await knock();
  await says(presence('ann', item + status(110, 301), 'unavailable'));
  await t.rejects(thrown.joining, { name: 'RoomError', why: 'banned' });

  announced.isSilent = true;
  const early = ann.get(muc).join(ROOM, { nick: 'ann' });
  ann.get(muc).leave(ROOM);
  await t.rejects(early, /was left before/);
  announced.isSilent = false;
  const before = joins().length;
  await enter();
  t.equal(joins().length, before + 1, 'one that was given up while the room was asked is not sent at all');

  ann.get(muc).leave(ROOM);
  const { joining } = await knock();
  const offline = ann.events.once('offline', { timeoutMs: PATIENCE_MS });
  server.cutAll();
  await offline;
  await t.rejects(joining, /connection was lost/);
});

// [XEP-0045 §7.6] [XEP-0045 §8.1]
t.test('what we ask of a room is done when the room shows just that, or it is said why not', async (t) => {
  const { enter, says, sent } = await scripted(t);
  const room = await enter();
  const settled: string[] = [];
  const note = (what: string) => (): void => void settled.push(what);
  const subject = room.setSubject('tea');
  subject.then(note('subject'), note('refused'));
  const about = (nick: string, rest = ''): string => spoken(nick, `<subject>tea</subject>${rest}`);
  await says(about('bob'), about('ann', '<body>tea</body>'), spoken('ann', '<subject>coffee</subject>'));
  t.strictSame(settled, [], 'the words of somebody else, other words, or more than a subject');
  await says(about('ann'));
  await subject;

  const refused = room.changeNick('bob');
  refused.catch(note('refused'));
  await says(presence('eve', item), presence('bob', item));
  t.strictSame(settled, ['subject'], 'somebody else has that nick');
  t.ok(room.isRenaming);
  const request = (): Element | undefined => sent('presence').find((one) => one.attr('to') === `${ROOM_TEXT}/bob`);
  await until(() => request() !== undefined, 'the wish for another nick');
  await says(refusal(request()?.attr('id') ?? '', 'conflict'));
  await t.rejects(refused, { name: 'RoomError', attempt: 'nick', why: 'nick-taken' });
  t.notOk(room.isRenaming);
  const pending = room.changeNick('nan');
  pending.catch(() => undefined);
  await says(presence('ann', item + status(110, 307), 'unavailable'));
  await t.rejects(pending, /no longer in/);
});

// [XEP-0045 §7.2.2] [XEP-0045 §7.14] [XEP-0045 §10.9] [XEP-0421 §3]
t.test(
  'who is in a room, who of them we are and when we are out is what the room says, however it says it',
  async (t) => {
    const { ann, announced, enter, says, self, log } = await scripted(t);
    const asked = (): number => log.sent.filter((one) => one.child('query', xeps.NS_DISCO_INFO)).length;
    const { events } = ann.get(muc);
    const told: string[] = [];
    events.on('message', ({ nick, own, stanzaId }) => told.push(`${nick} ${String(own)} ${stanzaId ?? ''}`));
    events.on('subject', ({ subject }) => told.push(`about ${subject}`));
    events.on('occupantJoined', ({ occupant: { nick } }) => told.push(`${nick} came`));
    const room = await enter();
    const outOf = async (text: string): Promise<string> => {
      const left = events.once('left', { timeoutMs: PATIENCE_MS });
      await says(text);
      return (await left).why;
    };
    // Of the room's own picture, for one.
    await says(presence('', item).replace(`${ROOM_TEXT}/`, ROOM_TEXT));
    t.strictSame([...room.occupants.keys()], ['ann']);
    t.equal(await outOf(presence('ann', item + status(307), 'unavailable')), 'kicked', 'not every service says 110');
    await says(presence('bob', item), spoken('bob', '<body>too late</body>'));
    t.equal(room.occupants.size, 0);
    t.strictSame(told, [], 'out of the room nothing of it is told');

    await enter();
    const destroy = `<item affiliation='none' role='none'/><destroy/>`;
    await says(presence('bob', destroy, 'unavailable'));
    t.ok(room.joined, 'an occupant cannot destroy the room for us');
    t.equal(await outOf(presence('ann', destroy, 'unavailable')), 'destroyed');

    await enter();
    const id = (text: string): string => `<occupant-id xmlns='${xeps.NS_OCCUPANT_ID}' id='${text}'/>`;
    const stamped = `<stanza-id xmlns='urn:xmpp:sid:0' by='${ROOM_TEXT}' id='s'/><body>x</body>`;
    await says(
      self.replace('</presence>', `${id('mine')}</presence>`),
      presence('bob', item).replace('</presence>', `${id('his')}</presence>`),
      spoken('before-i-was-ann', id('mine') + stamped),
      spoken('ann', id('his') + stamped),
      spoken('bob', '<subject>a talk</subject><thread>t</thread>'),
    );
    t.strictSame(told.splice(0), ['bob came', 'before-i-was-ann true s', 'ann false s', 'bob false ']);
    const before = asked();
    announced.features = [];
    await says(spoken('', `<x xmlns='${xeps.NS_MUC_USER}'>${status(104)}</x>`));
    await until(() => asked() > before, 'the question what the room announces now');
    await until(() => room.features.size === 0, 'the answer');
    await says(spoken('bob', id('his') + stamped));
    t.strictSame(told, ['bob false '], 'a room that gives no ids any more is not believed');
  },
);
