/** XEP-0045 Multi-User Chat, with its invitations (XEP-0249), occupant ids (XEP-0421) and moderation (XEP-0425). */
import t, { type Test } from 'tap';
import * as xeps from '../../src/xeps/index.js';
import type { Client } from '../../src/xmpp-core/client.js';
import { Jid } from '../../src/xmpp-core/jid/jid.js';
import { writeMessage } from '../../src/xmpp-core/stanza/stanzas.js';
import type { Element } from '../../src/xmpp-core/xml/element.js';
import { serialize } from '../../src/xmpp-core/xml/serialize.js';
import { recorded } from '../support/fixtures.js';
import { PATIENCE_MS, recorder, startLoopback, until } from '../support/loopback.js';
import { item, NS_STANZAS, presence, refusal, ROOM, ROOM_TEXT, spoken, status } from '../support/rooms.js';

const { muc } = xeps;
const room = (client: Client) => {
  const found = client.get(muc).rooms.get(ROOM.toString());
  if (found === undefined) throw new Error('the room is not known');
  return found;
};

// [XEP-0045 §7.2.2] [pitfall-muc-self-presence] [pitfall-nick-conflict]
t.test('a room is joined at our self-presence and not before, with the nick that the room assigns', async (t) => {
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
  await until(() => order.length === 4, 'the message with the new nick');
  t.equal(order.at(-1), 'renamed true still mine');
});

// [XEP-0045 §7.2.6] [XEP-0045 §7.2.8] [pitfall-nick-conflict]
t.test(
  'a taken nick leads to the next one, a refusal rejects the join, and a cancelled join is withdrawn',
  async (t) => {
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
    const departures = (): number => silent.sent.filter((one) => one.attr('type') === 'unavailable').length;
    const controller = new AbortController();
    const givenUp = dora.get(muc).join(ROOM, { nick: 'dora' }, controller.signal);
    await until(() => silent.sent.some((one) => one.child('x', xeps.NS_MUC)), 'the join');
    controller.abort(new Error('enough'));
    await t.rejects(givenUp, /enough/);
    await until(() => departures() === 1, 'the unavailable presence');
    const left = dora.get(muc).join(ROOM, { nick: 'dora' });
    dora.get(muc).leave(ROOM);
    await t.rejects(left, /was left before/);
    t.equal(dora.get(muc).rooms.size, 0);
  },
);

// [XEP-0045 §6.2] [pitfall-muc-no-room]
t.test(
  'an address where there can be no room is refused at once, and nothing is sent there but questions',
  async (t) => {
    const { server, online } = await startLoopback(t);
    const info = (to: string, id: string, rest: string): string =>
      `<iq type='result' from='${to}' id='${id}'><query xmlns='http://jabber.org/protocol/disco#info'>${rest}</query></iq>`;
    const error = (to: string, id: string, condition: string): string =>
      `<iq type='error' from='${to}' id='${id}'><error type='cancel'><${condition} xmlns='${NS_STANZAS}'/></error></iq>`;
    const is = (category: string, type: string): string => `<identity category='${category}' type='${type}'/>`;
    const refused = error;
    const described = info;
    type Reply = readonly [reply: typeof info, what: string];
    const service = (category: string, type: string): Reply => [described, is(category, type)];
    const says = (condition: string): Reply => [refused, condition];
    // What Prosody and ejabberd answer for these addresses.
    const cases: readonly (readonly [what: string, room: Reply, service: Reply, why: string])[] = [
      ['an account', says('service-unavailable'), service('server', 'im'), 'not-a-room'],
      ['an account that asks for a subscription', says('subscription-required'), service('server', 'im'), 'not-a-room'],
      ['a contact', service('account', 'registered'), service('server', 'im'), 'not-a-room'],
      ['an upload service', says('service-unavailable'), service('store', 'file'), 'not-a-service'],
      ['an upload service for every address', service('store', 'file'), service('store', 'file'), 'not-a-service'],
      ['a server without others', says('not-allowed'), says('not-allowed'), 'unreachable'],
    ];
    for (const [what, room, host, why] of cases) {
      const log = recorder((element) => {
        const to = element.attr('to') ?? '';
        if (element.name !== 'iq' || !to.endsWith('elsewhere.test')) return undefined;
        const [reply, text] = to.includes('@') ? room : host;
        return reply(to, element.attr('id') ?? '', text);
      });
      server.misbehave(log);
      const ann = await online('ann', { plugins: [muc] });
      const address = 'tea@elsewhere.test';
      await t.rejects(ann.get(muc).join(address, { nick: 'ann' }), { name: 'RoomError', attempt: 'join', why }, what);
      const message = ann.events.once('message', { timeoutMs: PATIENCE_MS });
      server.inject(
        ann.jid ?? ann.account,
        `<message type='chat' from='${address}'><body>I am no room</body></message>`,
      );
      t.match(await message, { body: 'I am no room' });
      await ann.stop();
      t.strictSame(
        log.sent.filter((one) => one.name === 'presence' && one.attr('to') !== undefined),
        [],
        'neither a join nor a departure',
      );
    }
  },
);

// [XEP-0045 §6.2] [pitfall-muc-no-room]
t.test('a service that says nothing against rooms is asked for one', async (t) => {
  const { server, online } = await startLoopback(t);
  const error = (condition: string): string => `<error type='cancel'><${condition} xmlns='${NS_STANZAS}'/></error>`;
  const info = (rest: string): string => `<query xmlns='http://jabber.org/protocol/disco#info'>${rest}</query>`;
  const replies: readonly (readonly ['result' | 'error', string])[] = [
    ['result', info(`<identity category='conference' type='irc'/>`)],
    ['result', info(`<identity category='gateway' type='irc'/>`)],
    ['result', info(`<identity category='component' type='generic'/><feature var='${xeps.NS_MUC}'/>`)],
    ['error', error('service-unavailable')],
    ['error', error('forbidden')],
  ];
  for (const [type, payload] of replies) {
    server.misbehave({
      answer: (element) => {
        const to = element.attr('to') ?? '';
        if (element.child('query', 'http://jabber.org/protocol/disco#info') === undefined) return undefined;
        const attributes = (kind: string): string => `type='${kind}' from='${to}' id='${element.attr('id') ?? ''}'`;
        if (to === ROOM_TEXT) return `<iq ${attributes('error')}>${error('service-unavailable')}</iq>`;
        return to === ROOM.domainpart ? `<iq ${attributes(type)}>${payload}</iq>` : undefined;
      },
    });
    const ann = await online('ann', { plugins: [muc] });
    t.ok((await ann.get(muc).join(ROOM, { nick: 'ann' })).joined, payload);
    await ann.stop();
  }
});

// [XEP-0045 §7.2.13] [XEP-0045 §7.5] [XEP-0421 §3] [pitfall-own-messages]
t.test(
  'history is marked as delayed, our own messages as ours, and private messages have their own event',
  async (t) => {
    const { online } = await startLoopback(t);
    const ann = await online('ann', { plugins: [muc] });
    await ann.get(muc).join(ROOM, { nick: 'ann' });
    const echo = ann.get(muc).events.once('message', { timeoutMs: PATIENCE_MS });
    const id = room(ann).sendMessage('first');
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
  },
);

// [XEP-0045 §7.14] [XEP-0045 §8.2] [XEP-0045 §9.1] [XEP-0045 §10.9] [pitfall-muc-lost]
t.test('every end of a stay has its cause, and the room is no longer joined', async (t) => {
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
    t.throws(() => room(ann).sendMessage('x'), /we are not in/);
  }
  await ann.get(muc).join(ROOM, { nick: 'ann' });
  const left = ann.get(muc).events.once('left', { timeoutMs: PATIENCE_MS });
  const destroy = `<item affiliation='none' role='none'/><destroy><reason>moved</reason></destroy>`;
  server.inject(ann.jid ?? ann.account, presence('ann', destroy, 'unavailable'));
  t.match(await left, { why: 'destroyed', reason: 'moved' });
});

// [XEP-0045 §7.2.14] [pitfall-muc-lost]
t.test('after a reconnect the room is joined again and asked for the messages since', async (t) => {
  const { server, online } = await startLoopback(t);
  const ann = await online('ann', { plugins: [muc] });
  await ann.get(muc).join(ROOM, { nick: 'ann', history: { maxStanzas: 0 } });
  const echo = ann.get(muc).events.once('message', { timeoutMs: PATIENCE_MS });
  room(ann).sendMessage('remember');
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

  // With a forged time in the future, the next join would ask for no history.
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
t.test('ids count only in a room that announces them, and only if the room itself assigned them', async (t) => {
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
t.test('the author of a message has the occupant id of the message, even if their presence had another', async (t) => {
  const { server, online } = await startLoopback(t);
  const ann = await online('ann', { plugins: [muc] });
  const { occupants } = await ann.get(muc).join(ROOM, { nick: 'ann' });
  const mine = occupants.get('ann')?.occupantId;
  const id = (text: string): string => `<occupant-id xmlns='${xeps.NS_OCCUPANT_ID}' id='${text}'/>`;
  const delay = `<delay xmlns='urn:xmpp:delay' from='${ROOM.toString()}' stamp='2026-11-23T00:00:00Z'/>`;
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
  t.equal(occupants.get('bob')?.occupantId, 'of-presence', 'the author of a delayed message may be somebody else');
  t.equal(await says('bob', id('of-words')), 'of-words');
  t.equal(occupants.get('bob')?.occupantId, 'of-words');
  await says('ann', id('of-words'));
  t.equal(occupants.get('ann')?.occupantId, mine, 'our own occupant id is the one in our own presence');
});

// [XEP-0045 §7.2.14] [pitfall-foreign-delay]
t.test('the delay of the room makes history, that of anybody else only before the subject', async (t) => {
  const { server, online } = await startLoopback(t);
  const ann = await online('ann', { plugins: [muc] });
  const sent = async (delay: string): Promise<Date | undefined> => {
    const event = ann.get(muc).events.once('message', { timeoutMs: PATIENCE_MS });
    const head = `<message type='groupchat' from='${ROOM.toString()}/bob'>`;
    server.inject(ann.jid ?? ann.account, `${head}<body>x</body>${delay}</message>`);
    return (await event).delayed;
  };
  const stamp = '2026-01-02T03:04:05Z';
  const by = (from: string, time = stamp): string => `<delay xmlns='urn:xmpp:delay' from='${from}' stamp='${time}'/>`;
  await ann.get(muc).join(ROOM, { nick: 'ann' });
  for (const foreign of ['bob@localhost/phone', 'localhost', `${ROOM.toString()}/bob`])
    t.equal(await sent(by(foreign)), undefined, `the delay of ${foreign}`);
  t.equal(await sent(`<delay xmlns='urn:xmpp:delay' stamp='${stamp}'/>`), undefined, 'a delay of nobody');
  t.equal((await sent(by(ROOM.toString())))?.toISOString(), '2026-01-02T03:04:05.000Z');
  t.ok(await sent(by(ROOM.toString(), 'yesterday')), 'with a time that cannot be read, it is history');
  const secondsAgo = (seconds: number): string => new Date(Date.now() - seconds * 1_000).toISOString();
  t.equal(await sent(by(ROOM.toString(), secondsAgo(0))), undefined, 'some rooms stamp live messages, too');
  t.equal(await sent(by(ROOM.toString(), secondsAgo(25))), undefined, 'by a clock that is slow');
  t.equal(await sent(by(ROOM.toString(), secondsAgo(-25))), undefined, 'or fast');
  t.ok(await sent(by(ROOM.toString(), secondsAgo(35))), 'what is older is history');
  t.ok(await sent(`<x xmlns='jabber:x:delay' from='${ROOM.toString()}' stamp='20260102T03:04:05'/>`), 'XEP-0091');
});

t.test('a groupchat message from a room that we are not in is dropped', async (t) => {
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

// [XEP-0045 §7.2.15]
t.test('every refusal of a join has a reason that a program can read', async (t) => {
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
t.test('payloads of the room itself are events, and the same payloads from an occupant are not', async (t) => {
  const { server, online } = await startLoopback(t);
  const ann = await online('ann', { plugins: [muc] });
  const room = await ann.get(muc).join(ROOM, { nick: 'ann' });
  const emitted: string[] = [];
  const { events } = ann.get(muc);
  events.on('configured', ({ changes }) => emitted.push(changes.join()));
  events.on('affiliationChanged', ({ jid, affiliation, own }) =>
    emitted.push(`${jid?.toString() ?? ''} ${affiliation} ${String(own)}`),
  );
  events.on('moderated', ({ id, reason }) => emitted.push(`${id} ${reason ?? ''}`));
  events.on('approvalRequested', ({ request }) => emitted.push(`${request.kind} ${request.nick ?? ''}`));
  events.on('declined', ({ by, reason }) => emitted.push(`${by?.toString() ?? ''} ${reason ?? ''}`));
  events.on('subject', ({ subject }) => emitted.push(`about ${subject}`));
  events.on('notice', ({ message }) => emitted.push(message.body ?? ''));
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
  await until(() => emitted.includes('about the end'), 'the last message');
  t.strictSame(
    emitted.filter((one) => one !== 'about '),
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
t.test(
  'direct and mediated invitations are emitted once for each inviter and room, and not for a room that we are in',
  async (t) => {
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
    // The same invitation, one of somebody else, one to another room, and one from an address that is no room.
    const same = invite(ROOM_TEXT) + invite(ROOM_TEXT, 'eve@localhost');
    const all = same + invite('other@rooms.localhost') + invite('rooms.localhost') + word;
    server.inject(bob.jid ?? bob.account, all);
    await until(() => others.length > 0, 'the message after them');
    t.strictSame(
      invitations.map(({ room, by }) => `${room.toString()} by ${by?.bare.toString()}`),
      [`${ROOM_TEXT} by ann@localhost`, `${ROOM_TEXT} by eve@localhost`, 'other@rooms.localhost by ann@localhost'],
    );
    t.match(invitations[2], { direct: false, password: 'p' });

    const toAnn: xeps.Invitation[] = [];
    ann.get(muc).events.on('invited', (one) => toAnn.push(one));
    const next = ann.events.once('message', { timeoutMs: PATIENCE_MS });
    server.inject(ann.jid ?? ann.account, invite(ROOM_TEXT, 'bob@localhost') + word);
    await next;
    t.strictSame(toAnn, [], 'she is in that room');
  },
);

t.test('the list of occupants is bounded in a hostile room, and one event reports that some are missing', async (t) => {
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
  t.ok(room.self, 'we are always in the list');
});

// [XEP-0045]
t.test('recorded presences of kicks, nick changes and destroyed rooms are read', (t) => {
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

// [XEP-0045 §7.2.2] [XEP-0045 §7.6] [XEP-0045 §7.8.2] [XEP-0045 §10.9]
t.test('a recorded stay in a room of ejabberd emits its events in order', async (t) => {
  const { server, online } = await startLoopback(t);
  server.misbehave(recorder((element) => (element.child('x', xeps.NS_MUC) === undefined ? undefined : '')));
  const ann = await online('ann', { plugins: [muc] });
  const { events } = ann.get(muc);
  const emitted: string[] = [];
  events.on('joined', ({ nick }) => emitted.push(`joined as ${nick}`));
  events.on('renamed', ({ nick, before, self }) => emitted.push(`${before} is ${nick} ${String(self)}`));
  events.on('message', ({ nick, own, message: { body } }) => emitted.push(`${nick} ${String(own)}: ${body ?? ''}`));
  events.on('configured', ({ changes }) => emitted.push(changes.join()));
  events.on('invited', ({ by, reason }) => emitted.push(`invited by ${by?.bare.toString() ?? ''}: ${reason ?? ''}`));
  events.on('left', ({ why, reason, destruction }) =>
    emitted.push(`${why}: ${reason ?? ''}, ${destruction?.alternate?.localpart ?? ''}`),
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
  await until(() => emitted.length === 6, 'the end');
  t.strictSame(emitted, [
    'joined as bob',
    'bob is robert true',
    'ann false: the hurly-burly is done',
    'non-anonymous',
    'destroyed: moved, heath',
    'invited by bob@example.org: come',
  ]);
});

/** A client in a room whose every stanza the test writes. It announces stable ids and occupant ids by default. */
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
  /** Sends stanzas of the room, and waits until the client has handled them. */
  const says = async (...texts: string[]): Promise<void> => {
    const heard = ann.events.once('message', { timeoutMs: PATIENCE_MS, where: ({ from }) => from.localpart === 'bob' });
    server.inject(ann.jid ?? ann.account, `${texts.join('')}<message from='bob@localhost/x'><body>x</body></message>`);
    await heard;
  };
  const self = presence('ann', `<item affiliation='owner' role='moderator'/>${status(110)}`);
  /** Starts a join, and waits until the room got the request. */
  const startJoin = async (changes: Partial<xeps.RoomOptions> = {}): Promise<{ joining: Promise<xeps.Room> }> => {
    const before = joins().length;
    const joining = ann.get(muc).join(ROOM, { nick: 'ann', ...changes });
    joining.catch(() => undefined);
    await until(() => joins().length > before, 'the join');
    return { joining };
  };
  const enter = async (): Promise<xeps.Room> => {
    const { joining } = await startJoin();
    await says(self);
    return joining;
  };
  return { server, ann, announced, log, sent, joins, says, self, startJoin, enter };
}

t.test('a room emits its own events, and the plugin emits each of them again with the room', async (t) => {
  const { ann, enter, says } = await scripted(t);
  const all: string[] = [];
  const { events } = ann.get(muc);
  events.on('joined', ({ room, nick }) => all.push(`${nick} joined ${room.jid.localpart}`));
  events.on('message', ({ room, message: { body } }) => all.push(`${room.jid.localpart}: ${body ?? ''}`));
  events.on('left', ({ room, why }) => all.push(`${why} ${room.jid.localpart}`));
  const room = await enter();
  t.equal(ann.get(muc).rooms.get(ROOM_TEXT), room);
  const own: string[] = [];
  room.events.on('message', ({ nick, message: { body } }) => own.push(`${nick}: ${body ?? ''}`));
  room.events.on('occupantJoined', ({ occupant: { nick } }) => own.push(`${nick} joined`));
  room.events.on('joined', ({ nick }) => own.push(`joined as ${nick}`));
  room.events.on('left', ({ why }) => own.push(why));
  await says(presence('bob', item), spoken('bob', '<body>hello</body>'));
  await says(presence('ann', item + status(307, 110), 'unavailable'));
  await enter();
  t.strictSame(own, ['bob joined', 'bob: hello', 'kicked', 'joined as ann']);
  t.strictSame(all, ['ann joined tea', 'tea: hello', 'kicked tea', 'ann joined tea']);
});

t.test('an error in a handler of a room keeps no other handler from its event', async (t) => {
  const { ann, enter, says } = await scripted(t);
  const room = await enter();
  const faults: string[] = [];
  ann.events.on('error', ({ error }) => faults.push(String(error)));
  room.events.on('message', () => {
    throw new Error('a mistake');
  });
  const message = ann.get(muc).events.once('message', { timeoutMs: PATIENCE_MS });
  await says(spoken('bob', '<body>hello</body>'));
  t.equal((await message).message.body, 'hello');
  t.match(faults, [/a mistake/]);
});

// [XEP-0045 §7.14]
t.test(
  'a room that was left is not joined after a reconnect, and can be joined again unless a later join replaced it',
  async (t) => {
    const { server, online } = await startLoopback(t);
    const log = recorder();
    server.misbehave(log);
    const ann = await online('ann', { plugins: [muc] });
    const joins = (): number => log.sent.filter((one) => one.child('x', xeps.NS_MUC)).length;
    const room = await ann.get(muc).join(ROOM, { nick: 'ann' });
    const left = room.events.once('left', { timeoutMs: PATIENCE_MS });
    room.leave('bye');
    t.match(await left, { why: 'left' });
    t.equal(ann.get(muc).rooms.size, 0);
    const back = ann.events.once('online', { timeoutMs: PATIENCE_MS });
    server.cutAll();
    await back;
    await room.join();
    t.equal(joins(), 2, 'only the two joins that were asked for');
    t.equal(ann.get(muc).rooms.get(ROOM_TEXT), room);
    room.leave();
    const later = await ann.get(muc).join(ROOM, { nick: 'ann' });
    t.not(later, room);
    await t.rejects(room.join(), /joined again since/);
    room.leave();
    t.equal(ann.get(muc).rooms.get(ROOM_TEXT), later, 'leaving the earlier one does not leave the later one');
  },
);

// [XEP-0461 §4.1] [XEP-0045 §7.5]
t.test('a reply names the message by the id of its kind, and is private if the message was', async (t) => {
  const { enter, says, sent } = await scripted(t);
  const room = await enter();
  const messages: xeps.OccupantMessage[] = [];
  for (const name of ['message', 'privateMessage'] as const) room.events.on(name, (one) => messages.push(one));
  await says(
    spoken('bob', `<body>x</body><stanza-id xmlns='urn:xmpp:sid:0' by='${ROOM_TEXT}' id='s'/>`),
    `<message type='chat' id='p' from='${ROOM_TEXT}/bob'><body>x</body><x xmlns='${xeps.NS_MUC_USER}'/></message>`,
    spoken('bob', '<body>x</body>'),
  );
  const replies = [];
  for (const message of messages) {
    const id = room.reply(message, 'yes');
    await until(() => sent('message').at(-1)?.attr('id') === id, 'the reply');
    const reply = sent('message').at(-1);
    const { id: about, to } = (reply && xeps.readReply(reply)) ?? {};
    replies.push([reply?.attr('type'), reply?.attr('to'), reply?.childText('body'), about, to?.resource]);
  }
  t.strictSame(replies, [
    ['groupchat', ROOM_TEXT, 'yes', 's', 'bob'],
    ['chat', `${ROOM_TEXT}/bob`, 'yes', 'p', 'bob'],
    ['groupchat', ROOM_TEXT, 'yes', undefined, undefined],
  ]);
});

// [XEP-0045 §7.2] [XEP-0045 §7.14]
t.test('a join takes only its own answer, and is withdrawn only if the room did not refuse it', async (t) => {
  const { ann, announced, joins, says, enter, startJoin, sent, server } = await scripted(t);
  const departures = (): number => sent('presence').filter((one) => one.attr('type') === 'unavailable').length;
  const emitted: string[] = [];
  ann.get(muc).events.on('occupantJoined', ({ occupant: { nick } }) => emitted.push(nick));
  const refused = await startJoin();
  const id = joins().at(-1)?.attr('id') ?? '';
  await says(
    refusal('of-something-else', 'registration-required'),
    presence('ann', item + status(110), 'unavailable'),
    presence('bob', item),
  );
  t.equal(room(ann).joined, false, 'an error for another id and the end of an earlier stay are no answer');
  t.strictSame(emitted, [], 'occupants who are there already do not join');
  await says(refusal(id, 'forbidden'));
  await t.rejects(refused.joining, { name: 'RoomError', why: 'banned' });
  t.equal(joins().length, 1, 'another nick is not tried');
  t.equal(departures(), 0, 'we were never in the room, so we do not leave it');

  const thrown = await startJoin();
  await says(presence('ann', item + status(110, 301), 'unavailable'));
  await t.rejects(thrown.joining, { name: 'RoomError', why: 'banned' });

  announced.isSilent = true;
  const early = ann.get(muc).join(ROOM, { nick: 'ann' });
  ann.get(muc).leave(ROOM);
  await t.rejects(early, /was left before/);
  announced.isSilent = false;
  const before = joins().length;
  await enter();
  t.equal(joins().length, before + 1, 'a join that is cancelled during discovery is not sent');

  ann.get(muc).leave(ROOM);
  const { joining } = await startJoin();
  const offline = ann.events.once('offline', { timeoutMs: PATIENCE_MS });
  server.cutAll();
  await offline;
  await t.rejects(joining, /connection was lost/);
});

// [XEP-0045 §7.6] [XEP-0045 §8.1]
t.test(
  'a change of the subject or nick resolves when the room shows it, and rejects with the room’s reason',
  async (t) => {
    const { enter, says, sent } = await scripted(t);
    const room = await enter();
    const settled: string[] = [];
    const note = (what: string) => (): void => void settled.push(what);
    const subject = room.setSubject('tea');
    subject.then(note('subject'), note('refused'));
    const about = (nick: string, rest = ''): string => spoken(nick, `<subject>tea</subject>${rest}`);
    await says(about('bob'), about('ann', '<body>tea</body>'), spoken('ann', '<subject>coffee</subject>'));
    t.strictSame(settled, [], 'the subject of somebody else, another subject, or a message with a body');
    await says(about('ann'));
    await subject;

    const refused = room.changeNick('bob');
    refused.catch(note('refused'));
    await says(presence('eve', item), presence('bob', item));
    t.strictSame(settled, ['subject'], 'somebody else has the nick');
    t.ok(room.isChangingNick);
    const request = (): Element | undefined => sent('presence').find((one) => one.attr('to') === `${ROOM_TEXT}/bob`);
    await until(() => request() !== undefined, 'the request for another nick');
    await says(refusal(request()?.attr('id') ?? '', 'conflict'));
    await t.rejects(refused, { name: 'RoomError', attempt: 'nick', why: 'nick-taken' });
    t.notOk(room.isChangingNick);
    const pending = room.changeNick('nan');
    pending.catch(() => undefined);
    await says(presence('ann', item + status(110, 307), 'unavailable'));
    await t.rejects(pending, /no longer in/);
  },
);

// [XEP-0045 §7.2.2] [XEP-0045 §7.14] [XEP-0045 §10.9] [XEP-0421 §3]
t.test(
  'the room decides who is in it, which occupant we are and when we are out, in each form that services use',
  async (t) => {
    const { ann, announced, enter, says, self, log } = await scripted(t);
    const asked = (): number => log.sent.filter((one) => one.child('query', xeps.NS_DISCO_INFO)).length;
    const { events } = ann.get(muc);
    const emitted: string[] = [];
    events.on('message', ({ nick, own, stanzaId }) => emitted.push(`${nick} ${String(own)} ${stanzaId ?? ''}`));
    events.on('subject', ({ subject }) => emitted.push(`about ${subject}`));
    events.on('occupantJoined', ({ occupant: { nick } }) => emitted.push(`${nick} came`));
    const room = await enter();
    const outOf = async (text: string): Promise<string> => {
      const left = events.once('left', { timeoutMs: PATIENCE_MS });
      await says(text);
      return (await left).why;
    };
    // A presence of the room itself, as for its avatar.
    await says(presence('', item).replace(`${ROOM_TEXT}/`, ROOM_TEXT));
    t.strictSame([...room.occupants.keys()], ['ann']);
    t.equal(
      await outOf(presence('ann', item + status(307), 'unavailable')),
      'kicked',
      'not every service sends status 110',
    );
    await says(presence('bob', item), spoken('bob', '<body>too late</body>'));
    t.equal(room.occupants.size, 0);
    t.strictSame(emitted, [], 'nothing is emitted while we are out of the room');

    await enter();
    const destroy = `<item affiliation='none' role='none'/><destroy/>`;
    await says(presence('bob', destroy, 'unavailable'));
    t.ok(room.joined, 'an occupant cannot destroy the room');
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
    t.strictSame(emitted.splice(0), ['bob came', 'before-i-was-ann true s', 'ann false s', 'bob false ']);
    const before = asked();
    announced.features = [];
    await says(spoken('', `<x xmlns='${xeps.NS_MUC_USER}'>${status(104)}</x>`));
    await until(() => asked() > before, 'the discovery of the features');
    await until(() => room.features.size === 0, 'the answer');
    await says(spoken('bob', id('his') + stamped));
    t.strictSame(emitted, ['bob false '], 'ids of a room that no longer announces them do not count');
  },
);
