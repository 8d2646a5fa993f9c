import t from 'tap';
import { Jid } from '../../src/xmpp-core/jid/jid.js';
import { NS_CLIENT } from '../../src/xmpp-core/stanza/namespaces.js';
import { readMessage, writeMessage, type Message } from '../../src/xmpp-core/stanza/stanzas.js';
import type { Element } from '../../src/xmpp-core/xml/element.js';
import { scope, serialize } from '../../src/xmpp-core/xml/serialize.js';
import { parseElement } from '../../src/xmpp-core/xml/stream-parser.js';
import { AwaitedIds } from '../../src/xeps/awaited-ids.js';
import * as xeps from '../../src/xeps/index.js';
import { recorded } from '../support/fixtures.js';
import { PATIENCE_MS, recorder, startLoopback, until } from '../support/loopback.js';

const { chatStates, deliveryReceipts, displayedMarkers, httpUpload, outOfBandRequests } = xeps;
const ROOM = Jid.parse('tea@rooms.example');

/** A message as it is received. */
function received(xml: string): Message {
  return viewOf(parseElement(xml.replace('<message ', `<message xmlns='${NS_CLIENT}' `)));
}

function viewOf(element: Element): Message {
  const from = Jid.parse(element.attr('from') ?? 'a@b/c');
  return readMessage({
    element,
    from,
    to: Jid.tryParse(element.attr('to')),
    id: element.attr('id'),
    language: undefined,
  });
}

/** The same of a room, with what `muc` knows of who is behind the nick. */
function inRoom(
  xml: string,
  known: { occupantId?: string; realJid?: string; stanzaId?: string } = {},
): xeps.MessageInRoom {
  const message = received(xml);
  const nick = message.from.resource;
  const realJid = Jid.tryParse(known.realJid);
  const { occupantId, stanzaId } = known;
  return { message, nick, occupant: { realJid }, occupantId, stanzaId, own: false };
}

const payload = (element: Element): Message => received(`<message from='a@b/c'>${write(element)}</message>`);
const write = (element: Element): string => serialize(element, scope('', {}));

// [XEP-0184 §5] [XEP-0184 §8]
t.test('a receipt is given when it is asked for, to who may know that we are there, and to nobody else', async (t) => {
  const { server, online } = await startLoopback(t);
  const log = recorder();
  server.misbehave(log);
  const plugins = [deliveryReceipts];
  const ann = await online('ann', { resource: 'desk', plugins });
  const bob = await online('bob', { resource: 'desk', plugins });
  const eve = await online('eve', { plugins });
  const quiet = await online('carl', { resource: 'desk', plugins });
  ann.get(deliveryReceipts).allow((sender) => sender.localpart !== 'eve');
  const to = ann.account.withResource('desk');
  const receipts = (): string[] =>
    log.sent.flatMap((one) => {
      const id = xeps.readReceipt(one);
      return one.name === 'message' && id !== undefined ? [`${id} to ${one.attr('to') ?? ''}`] : [];
    });

  const arrived = bob.get(deliveryReceipts).events.once('received', { timeoutMs: PATIENCE_MS });
  eve.send(eve.get(deliveryReceipts).request(writeMessage({ to, type: 'chat', id: 'stranger', body: 'x' })));
  bob.send(writeMessage({ to, type: 'chat', id: 'unasked', body: 'x' }));
  const ask = xeps.writeReceiptRequest();
  bob.send(writeMessage({ to, type: 'chat', id: 'loop', payloads: [xeps.writeReceipt('y'), ask] }));
  server.inject(
    to,
    `<message type='groupchat' id='room' from='bob@localhost/desk'><request xmlns='urn:xmpp:receipts'/></message>`,
  );
  server.inject(
    to,
    `<message type='error' id='error' from='bob@localhost/desk'><request xmlns='urn:xmpp:receipts'/></message>`,
  );
  server.inject(to, `<message id='own' from='ann@localhost/other'><request xmlns='urn:xmpp:receipts'/></message>`);
  const told = quiet.events.once('message', { timeoutMs: PATIENCE_MS });
  const unallowed = writeMessage({ to: quiet.jid ?? quiet.account, type: 'chat', id: 'untold', body: 'x' });
  bob.send(bob.get(deliveryReceipts).request(unallowed));
  await told;
  bob.send(bob.get(deliveryReceipts).request(writeMessage({ to, type: 'chat', id: 'asked', body: 'x' })));
  t.match(await arrived, { id: 'asked', from: { resource: 'desk' } });
  t.strictSame(
    receipts().filter((one) => one !== 'y to ann@localhost/desk'),
    ['asked to bob@localhost/desk'],
  );
});

// [XEP-0184 §5]
t.test(
  'a receipt counts once, from whom the message went to, and no more of them are awaited than we can keep',
  async (t) => {
    const { server, online } = await startLoopback(t);
    const ann = await online('ann', { resource: 'desk', plugins: [deliveryReceipts] });
    const receipts = ann.get(deliveryReceipts);
    const seen: string[] = [];
    receipts.events.on('received', ({ from, id }) => seen.push(`${id} ${from.toString()}`));
    const ask = (id: string, to: string): Element =>
      receipts.request(writeMessage({ to: Jid.parse(to), type: 'chat', id, body: 'x' }));
    t.ok(xeps.asksForReceipt(ask('first', 'bob@localhost')));
    for (let i = 0; i < 1_000; i++) ask(`m${i}`, 'bob@localhost/phone');
    const occupant = writeMessage({
      to: Jid.parse('tea@rooms.localhost/bob'),
      type: 'chat',
      id: 'aside',
      body: 'x',
      payloads: [xeps.writeMucUser({})],
    });
    receipts.request(occupant);
    const receipt = (from: string, id: string): void =>
      server.inject(
        ann.jid ?? ann.account,
        `<message from='${from}'><received xmlns='urn:xmpp:receipts' id='${id}'/></message>`,
      );
    receipt('eve@localhost/x', 'm500');
    receipt('bob@localhost/desk', 'first');
    receipt('bob@localhost/desk', 'never-sent');
    receipt('bob@localhost/desk', 'm500');
    receipt('bob@localhost/desk', 'm500');
    receipt('tea@rooms.localhost/eve', 'aside');
    receipt('tea@rooms.localhost/bob', 'aside');
    await until(() => seen.length === 2, 'the receipts');
    t.strictSame(seen, ['m500 bob@localhost/desk', 'aside tea@rooms.localhost/bob']);
    const room = writeMessage({ to: ROOM, type: 'groupchat', body: 'x' });
    t.throws(() => receipts.request(room), { name: 'XmppError' });
  },
);

// [XEP-0333 §4] [XEP-0333 §5]
t.test(
  'markers go forward only, count from whom the message went to, and are sent to who asked and may know',
  async (t) => {
    const { server, online } = await startLoopback(t);
    const log = recorder();
    server.misbehave(log);
    const ann = await online('ann', { resource: 'desk', plugins: [displayedMarkers] });
    const markers = ann.get(displayedMarkers);
    const seen: string[] = [];
    markers.events.on('displayed', ({ id, from }) => seen.push(`${id} ${from.toString()}`));
    for (const id of ['1', '2', '3'])
      markers.request(writeMessage({ to: Jid.parse('bob@localhost'), type: 'chat', id, body: 'x' }));
    const displayed = (from: string, id: string, type = 'chat'): void =>
      server.inject(
        ann.jid ?? ann.account,
        `<message type='${type}' from='${from}'><displayed xmlns='${xeps.NS_MARKERS}' id='${id}'/></message>`,
      );
    displayed('eve@localhost/x', '2');
    displayed('bob@localhost/x', '2');
    displayed('bob@localhost/x', '1');
    displayed('bob@localhost/x', '3');
    displayed('tea@rooms.localhost/bob', 'by-the-room', 'groupchat');
    await until(() => seen.length === 3, 'the markers');
    t.strictSame(seen, ['2 bob@localhost/x', '3 bob@localhost/x', 'by-the-room tea@rooms.localhost/bob']);

    const asks = `<markable xmlns='${xeps.NS_MARKERS}'/>`;
    const said = received(`<message type='chat' id='q' from='bob@localhost/x'><body>x</body>${asks}</message>`);
    t.notOk(markers.mark(said), 'nobody was allowed to know');
    markers.allow(() => true);
    t.ok(markers.mark(said));
    t.notOk(markers.mark(received(`<message type='chat' id='q' from='bob@localhost/x'><body>x</body></message>`)));
    t.notOk(markers.mark(received(`<message type='chat' from='bob@localhost/x'><body>x</body>${asks}</message>`)));
    t.notOk(
      markers.mark(received(`<message type='chat' id='q' from='ann@localhost/x'><body>x</body>${asks}</message>`)),
    );
    const inTheRoom = `<message type='groupchat' id='own-choice' from='tea@rooms.localhost/bob'><body>x</body></message>`;
    t.notOk(markers.mark(inRoom(inTheRoom)), 'a message that the room gave no id cannot be named');
    t.notOk(markers.mark({ ...inRoom(inTheRoom, { stanzaId: 'by-the-room' }), own: true }), 'our own words');
    const marker = `<message type='chat' id='q' from='bob@localhost/x'>${asks}<displayed xmlns='${xeps.NS_MARKERS}' id='1'/></message>`;
    t.notOk(markers.mark(received(marker)), 'a marker');
    t.ok(markers.mark(inRoom(inTheRoom, { stanzaId: 'by-the-room' })));
    await until(() => log.sent.filter((one) => xeps.readDisplayed(one) !== undefined).length === 2, 'the markers');
    t.strictSame(
      log.sent.flatMap((one) =>
        xeps.readDisplayed(one) === undefined ? [] : [[one.attr('to'), xeps.readDisplayed(one)]],
      ),
      [
        ['bob@localhost/x', 'q'],
        ['tea@rooms.localhost', 'by-the-room'],
      ],
    );
  },
);

/** Pairs of a message and what came later about it, and whether the author of the later one wrote the first. */
function authorship(
  later: string,
): readonly (readonly [string, boolean, xeps.AnyMessage, xeps.AnyMessage, xeps.SameAuthorOptions?])[] {
  const direct = (from: string, rest: string): Message =>
    received(`<message type='chat' from='${from}' ${rest}</message>`);
  const room = (nick: string, rest: string, known = {}): xeps.AnyMessage =>
    inRoom(`<message type='groupchat' from='tea@rooms.example/${nick}' ${rest}</message>`, {
      stanzaId: 'named',
      ...known,
    });
  const first = `id='named'><body>one</body>`;
  const second = `id='b'><body>two</body>${later}`;
  return [
    ['the same person, from another client', true, direct('ann@a.example/1', first), direct('ann@a.example/2', second)],
    ['somebody else', false, direct('ann@a.example/1', first), direct('eve@a.example/1', second)],
    [
      'a room in the name of a person',
      false,
      direct('ann@a.example/1', first),
      room('ann', second, { occupantId: 'o' }),
    ],
    ['the same occupant', true, room('ann', first, { occupantId: 'o' }), room('ann', second, { occupantId: 'o' })],
    [
      'the same occupant, renamed',
      true,
      room('ann', first, { occupantId: 'o' }),
      room('nan', second, { occupantId: 'o' }),
    ],
    [
      'another under that nick',
      false,
      room('ann', first, { occupantId: 'o' }),
      room('ann', second, { occupantId: 'p' }),
    ],
    ['an occupant not known any more', false, room('ann', first, { occupantId: 'o' }), room('ann', second)],
    [
      'the same real JID',
      true,
      room('ann', first, { realJid: 'ann@a.example' }),
      room('ann', second, { realJid: 'ann@a.example' }),
    ],
    [
      'another real JID',
      false,
      room('ann', first, { realJid: 'ann@a.example' }),
      room('ann', second, { realJid: 'eve@a.example' }),
    ],
    [
      'the same real JID, but an occupant that is not known any more',
      false,
      room('ann', first, { realJid: 'ann@a.example', occupantId: 'o' }),
      room('ann', second, { realJid: 'ann@a.example' }),
    ],
    [
      'the room itself',
      false,
      inRoom(`<message type='groupchat' from='tea@rooms.example' ${first}</message>`, { stanzaId: 'named' }),
      inRoom(`<message type='groupchat' from='tea@rooms.example' ${second}</message>`),
      { sameStay: true },
    ],
    ['the same nick, of which nobody knows more', false, room('ann', first), room('ann', second)],
    ['the same nick, held all the time', true, room('ann', first), room('ann', second), { sameStay: true }],
    ['another nick', false, room('ann', first), room('eve', second), { sameStay: true }],
    [
      'the same words from another room',
      false,
      room('ann', first, { occupantId: 'o' }),
      inRoom(`<message type='groupchat' from='milk@rooms.example/ann' ${second}</message>`, { occupantId: 'o' }),
    ],
    [
      'a private message about what was said in the room',
      false,
      room('ann', first, { occupantId: 'o' }),
      inRoom(`<message type='chat' from='tea@rooms.example/ann' ${second}</message>`, { occupantId: 'o' }),
    ],
    [
      'a private message of another occupant',
      false,
      inRoom(`<message type='chat' from='tea@rooms.example/ann' ${first}</message>`, { realJid: 'ann@a.example' }),
      inRoom(`<message type='chat' from='tea@rooms.example/eve' ${second}</message>`, { realJid: 'eve@a.example' }),
    ],
  ];
}

// [XEP-0308 §5] [XEP-0308 §6] [pitfall-correction-spoofing]
t.test('only who wrote a message can correct it', async (t) => {
  for (const [who, expected, original, correction, watched] of authorship(write(xeps.writeCorrection('named'))))
    t.equal(xeps.mayCorrect(original, correction, watched), expected, who);
  const ann = (rest: string): Message => received(`<message type='chat' from='ann@a.example/1' ${rest}</message>`);
  const replace = write(xeps.writeCorrection('named'));
  t.notOk(xeps.mayCorrect(ann(`id='other'><body>x</body>`), ann(`><body>y</body>${replace}`)), 'not the message named');
  t.notOk(xeps.mayCorrect(ann(`id='named'>`), ann(`><body>y</body>${replace}`)), 'what was no text becomes none');
});

// [XEP-0424 §5] [XEP-0424 §7] [pitfall-correction-spoofing]
t.test('only who wrote a message can retract it', async (t) => {
  for (const [who, expected, original, retraction, watched] of authorship(write(xeps.writeRetraction('named'))))
    t.equal(xeps.mayRetract(original, retraction, watched), expected, who);
  const origin = write(xeps.writeOriginId('o'));
  const room = (rest: string): xeps.AnyMessage =>
    inRoom(`<message type='groupchat' from='tea@rooms.example/ann' ${rest}</message>`, { occupantId: 'a' });
  t.ok(
    xeps.mayRetract(room(`id='x'><body>x</body>${origin}`), room(`id='y'>${write(xeps.writeRetraction('o'))}`)),
    'in a room without ids of its own, by the id that the sender gave',
  );
  t.notOk(xeps.mayRetract(room(`id='x'><body>x</body>`), room(`id='y'>${write(xeps.writeRetraction('x'))}`)));
});

// [XEP-0424 §5] [pitfall-old-retraction]
t.test('before version 0.4, a retraction names the id that the sender gave, in rooms as well', async (t) => {
  const old = `<apply-to xmlns='urn:xmpp:fasten:0' id='o'><retract xmlns='urn:xmpp:message-retract:0'/></apply-to>`;
  const [text, today] = [`<body>x</body>${write(xeps.writeOriginId('o'))}`, write(xeps.writeRetraction('o'))];
  const direct = (who: string, rest: string): xeps.AnyMessage =>
    received(`<message type='chat' from='${who}@a.example/1' ${rest}</message>`);
  const room = (who: string, rest: string): xeps.AnyMessage =>
    inRoom(`<message type='groupchat' from='tea@rooms.example/${who}' ${rest}</message>`, {
      occupantId: who,
      stanzaId: 's',
    });
  for (const from of [direct, room]) {
    t.ok(xeps.mayRetract(from('ann', `id='x'>${text}`), from('ann', `id='y'>${old}`)));
    t.notOk(xeps.mayRetract(from('ann', `id='x'>${text}`), from('eve', `id='y'>${old}`)), 'only its author');
    t.notOk(
      xeps.mayRetract(from('ann', `id='x'>${text}`), from('ann', `id='y'>${today}`)),
      'today it names another id',
    );
    t.notOk(xeps.mayRetract(from('ann', `id='x'><body>x</body>`), from('ann', `id='y'>${old}`)), 'another message');
  }
});

// [XEP-0424 §1] [XEP-0425 §1] [pitfall-old-retraction]
t.test('retractions and moderations of earlier versions are read', async (t) => {
  const fastened = (inside: string): string => `<apply-to xmlns='urn:xmpp:fasten:0' id='s'>${inside}</apply-to>`;
  const old = `<retract xmlns='urn:xmpp:message-retract:0'/>`;
  const by = `xmlns='urn:xmpp:message-moderate:0' by='tea@rooms.example/ann'`;
  const moderated = fastened(`<moderated ${by}>${old}<reason>rude</reason></moderated>`);
  const of = (payload: string, from = 'tea@rooms.example'): Message =>
    received(`<message type='groupchat' from='${from}'>${payload}</message>`);
  t.equal(xeps.readRetraction(of(fastened(old)).element), 's');
  t.equal(xeps.readRetraction(of(moderated).element), undefined, 'a moderator is not the author');
  t.equal(xeps.readRetraction(of(fastened(`<external name='body' xmlns='urn:xmpp:fasten:0'/>`)).element), undefined);
  t.match(xeps.readModeratedRetraction(of(moderated)), { id: 's', reason: 'rude' });
  t.equal(xeps.readModeratedRetraction(of(moderated, 'tea@rooms.example/eve')), undefined, 'an occupant has no say');
  t.equal(xeps.readModeratedRetraction(of(fastened(old))), undefined);
  const tombstone = `<retracted xmlns='urn:xmpp:message-retract:0' stamp='2026-01-02T03:04:05Z'/>`;
  t.ok(xeps.readTombstone(of(tombstone).element)?.stamp);
  t.match(xeps.readModeratedTombstone(of(`<moderated ${by}>${tombstone}</moderated>`).element), { reason: undefined });
});

// [XEP-0425 §4] [XEP-0425 §5] [pitfall-correction-spoofing]
t.test('a moderator has taken a message back only when the room itself says so', async (t) => {
  const moderated = `<retract id='s' xmlns='urn:xmpp:message-retract:1'><moderated by='tea@rooms.example/ann' xmlns='urn:xmpp:message-moderate:1'><occupant-id xmlns='urn:xmpp:occupant-id:0' id='o'/></moderated><reason>rude</reason></retract>`;
  const by = (from: string, type = 'groupchat'): Message =>
    received(`<message type='${type}' from='${from}'>${moderated}</message>`);
  t.match(xeps.readModeratedRetraction(by('tea@rooms.example')), { id: 's', occupantId: 'o', reason: 'rude' });
  t.equal(xeps.readModeratedRetraction(by('tea@rooms.example/eve')), undefined);
  t.equal(xeps.readModeratedRetraction(by('eve@a.example/x', 'chat')), undefined);
  t.equal(xeps.readModeratedRetraction(by('tea@rooms.example', 'normal')), undefined, 'said to one alone');
  const nameless = moderated.replace(`id='s' `, '');
  const unnamed = received(`<message type='groupchat' from='tea@rooms.example'>${nameless}</message>`);
  t.equal(xeps.readModeratedRetraction(unnamed), undefined, 'of no message');
  t.equal(xeps.readRetraction(by('tea@rooms.example').element), undefined, "it is not the author's own act");
  t.notOk(
    xeps.mayRetract(
      inRoom(`<message type='groupchat' from='tea@rooms.example/bob'><body>x</body></message>`, { stanzaId: 's' }),
      inRoom(
        by('tea@rooms.example/bob') && `<message type='groupchat' from='tea@rooms.example/bob'>${moderated}</message>`,
      ),
      { sameStay: true },
    ),
  );
  const tombstone = received(
    `<message type='groupchat' from='tea@rooms.example/bob'><retracted stamp='2019-09-20T23:19:12Z' xmlns='urn:xmpp:message-retract:1'><moderated xmlns='urn:xmpp:message-moderate:1'/><reason>rude</reason></retracted></message>`,
  ).element;
  t.match(xeps.readModeratedTombstone(tombstone), { reason: 'rude', by: undefined });
  t.equal(xeps.readTombstone(tombstone)?.stamp?.toISOString(), '2019-09-20T23:19:12.000Z');
  const own = payload(xeps.writeTombstone({ id: 'r', stamp: new Date('2019-09-20T23:19:12Z') })).element;
  t.equal(xeps.readTombstone(own)?.id, 'r');
  t.equal(xeps.readModeratedTombstone(own), undefined);
  t.equal(
    write(xeps.writeModeration('s', 'rude')),
    `<moderate xmlns='urn:xmpp:message-moderate:1' id='s'><retract xmlns='urn:xmpp:message-retract:1'/><reason>rude</reason></moderate>`,
  );
});

// [XEP-0308 §4] [XEP-0424 §4]
t.test('a correction is the whole message again, under a new id, and always names the first version', async (t) => {
  const first = writeMessage({
    to: ROOM,
    type: 'groupchat',
    id: 'a',
    body: 'airlock',
    thread: 't',
    payloads: [xeps.writeOriginId('a'), xeps.writeReply({ id: 'r', to: undefined })],
  });
  const second = xeps.correctMessage(first, 'window');
  const third = xeps.correctMessage(second, 'windows');
  for (const corrected of [second, third]) {
    t.equal(xeps.readCorrection(corrected), 'a');
    t.equal(corrected.children('replace', xeps.NS_CORRECTION).length, 1);
    t.equal(xeps.readReply(corrected)?.id, 'r');
    t.equal(corrected.childText('thread'), 't');
    t.equal(xeps.readOriginId(corrected), undefined, 'an id that was of the other message');
    t.not(corrected.attr('id'), 'a');
  }
  t.strictSame(
    third.children('body').map(({ text }) => text),
    ['windows'],
  );
});

// [XEP-0426 §2] [XEP-0428 §2] [XEP-0461 §3]
t.test(
  'fallbacks are counted in code points, cut out for extensions that are known, and ignored where they are wrong',
  async (t) => {
    // The table of XEP-0426 §2, in code points.
    for (const [text, length] of [
      ['Hello, world!', 13],
      ['You & Me', 8],
      ['こんにちは世界', 7],
      ['🧛🏾 👨‍👨‍👦‍👦 🇺🇳', 13],
    ] as const)
      t.equal(xeps.codePointLength(text), length, text);
    const strip = (body: string, ...fallbacks: string[]): string =>
      xeps.withoutFallback(received(`<message from='a@b'>${fallbacks.join('')}</message>`).element, body, ['urn:x']);
    const fallback = (parts: string, about = 'urn:x'): string =>
      `<fallback xmlns='urn:xmpp:fallback:0' for='${about}'>${parts}</fallback>`;
    t.equal(strip('> 🐢\nyes', fallback(`<body start='0' end='4'/>`)), 'yes');
    t.equal(strip('abcdef', fallback(`<body start='4' end='5'/><body start='0' end='2'/>`)), 'cdf');
    t.equal(strip('abcdef', fallback(`<body start='1' end='4'/><body start='2' end='5'/>`)), 'af', 'overlapping');
    t.equal(
      strip('abc', fallback(`<body start='0' end='1'/>`), fallback(`<body start='2' end='3'/>`)),
      'b',
      'two of them',
    );
    t.equal(strip('abc', fallback(`<body start='0' end='1'/>`, 'urn:y')), 'abc', 'of an extension that is not known');
    t.equal(strip('abc', `<fallback xmlns='urn:xmpp:fallback:0'/>`), 'abc', 'of none');
    for (const whole of ['', '<body/>', `<body/><body start='0' end='1'/>`]) t.equal(strip('abc', fallback(whole)), '');
    t.equal(strip('abc', fallback(`<subject/>`)), 'abc');
    for (const [start, end] of [
      ['0', '4'],
      ['2', '1'],
      ['-1', '2'],
      ['a', '2'],
      ['0', '1e0'],
      ['', ''],
      ['0', '99999999999999999999'],
    ] as const)
      t.equal(strip('abc', fallback(`<body start='${start}' end='${end}'/>`)), 'abc', `${start} to ${end}`);
    t.equal(strip('abc', fallback(`<body start='1'/>`)), 'abc');

    const { body, payloads } = xeps.writeQuotedReply(
      { id: 'q', to: Jid.parse('anna@example.com') },
      { author: 'Anna 🐢', text: 'We should\nbake a cake' },
      'Great idea!',
    );
    t.equal(body, '> Anna 🐢 wrote:\n> We should\n> bake a cake\nGreat idea!');
    const reply = received(`<message from='a@b'>${payloads.map(write).join('')}<body>${body}</body></message>`);
    t.equal(xeps.readReplyBody(reply), 'Great idea!');
    t.equal(xeps.readReplyBody(received(`<message from='a@b'><body>&gt; x</body></message>`)), '> x');
    t.equal(xeps.readReplyBody(received(`<message from='a@b'/>`)), undefined);
  },
);

// [XEP-0461 §4.1] [XEP-0444 §4.2] [XEP-0424 §5.1]
t.test('in a room a message is named by the id that the room gave it, elsewhere by that of its sender', async (t) => {
  const direct = received(`<message type='chat' id='a' from='a@b'>${write(xeps.writeOriginId('o'))}</message>`);
  t.equal(xeps.referenceId(direct), 'o');
  t.equal(xeps.stanzaReferenceId(direct), 'a');
  const said = `<message type='groupchat' id='a' from='tea@rooms.example/ann'/>`;
  t.equal(xeps.referenceId(received(said)), undefined);
  t.equal(xeps.referenceId(inRoom(said)), undefined);
  for (const id of [xeps.referenceId, xeps.stanzaReferenceId]) t.equal(id(inRoom(said, { stanzaId: 's' })), 's');
});

// [XEP-0372 §3]
t.test('references are read where their place is in the text, and mentions name whom they mean', async (t) => {
  const read = (attributes: string, body = '🐢 Ann'): unknown =>
    xeps.readReferences(
      received(
        `<message from='a@b'><body>${body}</body><reference xmlns='urn:xmpp:reference:0' ${attributes}/></message>`,
      ),
    );
  const uri = `type='mention' uri='xmpp:ann@a.example'`;
  const reference = { type: 'mention', uri: 'xmpp:ann@a.example' };
  t.strictSame(read(`${uri} begin='2' end='5'`), [{ ...reference, range: { start: 2, end: 5 } }]);
  t.strictSame(read(uri), [reference]);
  for (const wrong of [`begin='2' end='6'`, `begin='3' end='2'`, `begin='2'`, `end='2'`, `begin='x' end='2'`])
    t.strictSame(read(`${uri} ${wrong}`), [], wrong);
  t.strictSame(read(`type='data' begin='0' end='1'`), []);
  const elsewhere = { type: 'data', uri: 'xmpp:x', range: { start: 72, end: 78 }, anchor: 'xmpp:room?;item=b' };
  t.strictSame(read(`type='data' uri='xmpp:x' begin='72' end='78' anchor='xmpp:room?;item=b'`), [elsewhere]);
  const nick = Jid.parse('tea@rooms.example/Ann%20 / Ä');
  const mention = received(
    `<message from='a@b'><body>Ann</body>${write(xeps.writeMention({ jid: nick, range: { start: 0, end: 3 } }))}</message>`,
  );
  t.ok(xeps.readMentions(mention)[0]?.jid.equals(nick));
  for (const bad of ['xmpp:%', 'https://a.example', 'xmpp:', 'xmpp:@@'])
    t.strictSame(xeps.readMentions(payload(xeps.writeReference({ type: 'mention', uri: bad }))), [], bad);
  t.strictSame(
    xeps
      .readMentions(payload(xeps.writeReference({ type: 'mention', uri: 'xmpp:a@b.example?message' })))
      .map(({ jid }) => jid.toString()),
    ['a@b.example'],
  );
});

/** Styled text as a letter for each kind: `s(…)` strong, `e(…)` emphasis, `k(…)` strike, `c(…)` code. */
function shown(blocks: readonly xeps.StyledBlock[]): string {
  const span = (one: xeps.StyledSpan): string => {
    if (one.kind === 'text') return one.text;
    if (one.kind === 'code') return `c(${one.text})`;
    return `${{ strong: 's', emphasis: 'e', strike: 'k' }[one.kind]}(${one.spans.map(span).join('')})`;
  };
  return blocks
    .map((block) => {
      if (block.kind === 'line') return block.spans.map(span).join('');
      if (block.kind === 'preformatted') return `pre[${block.label}](${block.text})`;
      return `quote(${shown(block.blocks)})`;
    })
    .join('|');
}

// [XEP-0393 §5] [XEP-0393 §6] [XEP-0393 §7]
t.test('styled text is read as the examples of the specification say', async (t) => {
  for (const [text, expected] of [
    ['*strong span*', 's(strong span)'],
    ['plain _emphasis_ plain', 'plain e(emphasis) plain'],
    ['`pre` plain *strong*', 'c(pre) plain s(strong)'],
    ['*strong*plain*', 's(strong)plain*'],
    ['* plain *strong*', '* plain s(strong)'],
    ['not strong*', 'not strong*'],
    ['*not strong', '*not strong'],
    ['*not \n strong*', '*not | strong*'],
    ['*not *strong', '*not *strong'],
    ['**', '**'],
    ['***', '***'],
    ['****', '****'],
    ['Everyone ~dis~likes cake.', 'Everyone k(dis)likes cake.'],
    ['This is `*monospace*`', 'This is c(*monospace*)'],
    ['This is *`monospace and bold`*', 'This is s(c(monospace and bold))'],
    ['*_~all~_*', 's(e(k(all)))'],
    ['a*b*', 'a*b*'],
    ['*a _b* c_', 's(a _b) c_'],
    ['*a *', '*a *'],
    ['\u00a0*a*', '\u00a0s(a)'],
    ['```ignored\n(println)\n```\n\nafter', 'pre[ignored]((println))||after'],
    ['> ```\n> (println)\n\nafter', 'quote(pre[]((println)))||after'],
    ['>> That is.\n> Said he.\n\nWho?', 'quote(quote(That is.)|Said he.)||Who?'],
    ['>  two spaces', 'quote( two spaces)'],
    ['```\nnever ends', 'pre[](never ends)'],
    ['', ''],
  ] as const)
    t.equal(shown(xeps.parseStyling(text)), expected, JSON.stringify(text));
  t.equal(xeps.withoutStyling(xeps.parseStyling('*a _b_*\n> ~c~\n> > d\n```\n*e*\n```')), 'a b\n> c\n> > d\n*e*');
  t.ok(xeps.isUnstyled(payload(xeps.writeUnstyled()).element));
  t.notOk(xeps.isUnstyled(received(`<message from='a@b'/>`).element));
});

// [XEP-0393 §10]
t.test('no text makes the reading of styles deep or slow', async (t) => {
  for (const text of ['>'.repeat(100_000), '*a '.repeat(50_000), '*_~'.repeat(50_000), '*a* '.repeat(50_000)]) {
    const blocks = xeps.parseStyling(text);
    t.equal(blocks.length, 1);
    t.ok(xeps.withoutStyling(blocks).length > 0);
  }
  let depth = 0;
  for (let [block] = xeps.parseStyling('>'.repeat(1_000)); block?.kind === 'quotation'; [block] = block.blocks) depth++;
  t.equal(depth, 10);
});

// [XEP-0446 §2] [XEP-0446 §3] [XEP-0447 §3] [XEP-0447 §6] [XEP-0103 §3] [XEP-0300 §2]
t.test(
  'shared files say what they are and where they are, and only sources that can be trusted are used',
  async (t) => {
    const data = new TextEncoder().encode('The quick brown fox');
    const hashes = new Map([['sha-256', (await xeps.digestBase64('sha-256', data)) ?? '']]);
    const file: xeps.SharedFile = {
      id: 'f',
      disposition: 'inline',
      file: {
        name: 'fox.txt',
        mediaType: 'text/plain',
        size: 19,
        date: new Date('2026-07-26T21:46:00Z'),
        width: 1,
        height: 2,
        length: 3,
        description: 'a fox',
        hashes,
        thumbnails: [{ uri: 'cid:x', mediaType: 'image/png', width: 128, height: 96 }],
      },
      urls: ['https://up.example/fox.txt', 'http://up.example/fox.txt'],
    };
    const { body, payloads } = xeps.writeFileMessage(file);
    const message = received(`<message from='a@b'>${payloads.map(write).join('')}<body>${body}</body></message>`);
    t.strictSame(xeps.readSharedFiles(message.element), [file]);
    t.equal(xeps.withoutFallback(message.element, body, [xeps.NS_FILE_SHARING]), '', 'the body is there for others');
    t.equal(xeps.readOutOfBandData(message.element)[0]?.url, file.urls[0]);
    t.equal(await xeps.verify(hashes, data), true);
    t.equal(await xeps.verify(hashes, new Uint8Array(19)), false);

    const attached = ['https://other.example/fox.txt', 'ftp://other.example/fox.txt'];
    t.strictSame(xeps.usableUrls(file, attached), [...file.urls, 'https://other.example/fox.txt']);
    t.strictSame(xeps.usableUrls({ ...file, file: { name: 'fox.txt' } }, attached), ['https://up.example/fox.txt']);

    const later = xeps.writeAttachedSources({ messageId: 'm', fileId: 'f', urls: ['https://up.example/1'] });
    t.strictSame(
      xeps.readAttachedSources(received(`<message from='a@b'>${later.map(write).join('')}</message>`).element),
      { messageId: 'm', fileId: 'f', urls: ['https://up.example/1'] },
    );
    const odd = received(
      `<message from='a@b'><file-sharing xmlns='urn:xmpp:sfs:0'/><file-sharing xmlns='urn:xmpp:sfs:0'><file xmlns='urn:xmpp:file:metadata:0'><size>-1</size><width>x</width><date>never</date></file><sources><encrypted xmlns='urn:xmpp:esfs:0'/><jinglepub xmlns='urn:xmpp:jinglepub:1'/><url-data xmlns='http://jabber.org/protocol/url-data' target='no url'/></sources></file-sharing></message>`,
    );
    t.strictSame(xeps.readSharedFiles(odd.element), [{ file: {}, urls: [] }]);
  },
);

// [XEP-0446 §3] [pitfall-remote-file-name]
t.test('a name that somebody else gave a file cannot lead out of the directory it is put in', async (t) => {
  for (const [name, safe] of [
    ['photo.jpg', 'photo.jpg'],
    ['../../etc/passwd', '_.._etc_passwd'],
    ['/etc/passwd', '_etc_passwd'],
    ['..', 'file'],
    ['.bashrc', 'bashrc'],
    ['a\\b:c\u0007d', 'a_b_c_d'],
    ['gpj.\u202eexe', 'gpj._exe'],
    ['', 'file'],
    [undefined, 'file'],
  ] as const)
    t.equal(xeps.safeFileName(name), safe, String(name));
  const long = xeps.safeFileName(`${'🐢'.repeat(500)}.jpeg`);
  t.ok(Buffer.byteLength(long) <= 255 && long.endsWith('.jpeg'));
});

// [XEP-0245 §2]
t.test('what begins with /me and a space says what its author does, and nothing else does', async (t) => {
  t.equal(xeps.readAction('/me shrugs in disgust'), 'shrugs in disgust');
  t.equal(xeps.showAction('/me shrugs', 'Atlas'), '* Atlas shrugs');
  t.equal(xeps.readAction(xeps.writeAction('shrugs')), 'shrugs');
  for (const text of ['/meshrugs', "/me's disgusted", ' /me shrugs', '"/me shrugs"', '* Atlas shrugs', '/ME shrugs']) {
    t.equal(xeps.readAction(text), undefined, text);
    t.equal(xeps.showAction(text, 'Atlas'), text);
  }
});

// [XEP-0444 §3.2] [XEP-0444 §4.1]
t.test('of each person the newest reactions count, in whatever order they come', async (t) => {
  const tally = new xeps.ReactionTally(Jid.parse('me@a.example'));
  const xml = (from: string, emoji: string, rest = '', to = 'me@a.example/x'): string =>
    `<message type='chat' from='${from}' to='${to}'><reactions xmlns='urn:xmpp:reactions:0' id='m'>${emoji === '' ? '' : `<reaction>${emoji}</reaction>`}</reactions>${rest}</message>`;
  const ann = Jid.parse('ann@a.example');
  const shown = (conversation = ann): string[] => tally.of(conversation, 'm').map(({ emoji }) => [...emoji].join(''));
  const old = `<delay xmlns='urn:xmpp:delay' stamp='2020-01-01T00:00:00Z'/>`;
  t.ok(tally.add(received(xml('ann@a.example/1', '👍'))));
  t.ok(tally.add(received(xml('me@a.example/2', '🐢', '', 'ann@a.example'))), 'ours, from another client');
  t.strictSame(shown(), ['👍', '🐢']);
  t.ok(tally.add(received(xml('ann@a.example/2', '🎉'))), 'another client of hers');
  t.notOk(tally.add(received(xml('ann@a.example/3', '💀', old))), 'what came late is not news');
  t.strictSame(shown(), ['🎉', '🐢']);
  t.ok(tally.add(received(xml('ann@a.example/2', ''))));
  t.notOk(tally.add(received(xml('ann@a.example/3', '💀', old))));
  t.strictSame(shown(), ['🐢']);
  t.ok(tally.add(received(xml('eve@a.example/1', '💩'))));
  t.strictSame(shown(), ['🐢'], 'a stranger has no say in our conversation');

  const room = xml('tea@rooms.example/ann', '👍').replace("'chat'", "'groupchat'");
  t.notOk(tally.add(received(room)), 'who is behind a nick only the room can tell');
  t.ok(tally.add(inRoom(room, { occupantId: 'a' })));
  t.ok(tally.add(inRoom(room.replace('/ann', '/nan').replace('👍', '🎉'), { occupantId: 'a' })));
  t.ok(tally.add(inRoom(room.replace('👍', '🌵'), { occupantId: 'b' })));
  t.strictSame(shown(ROOM), ['🎉', '🌵']);
  for (let i = 0; i < 2_000; i++) tally.add(inRoom(room, { occupantId: `o${i}` }));
  t.equal(shown(ROOM).length, 500);
  t.notOk(tally.add(received(`<message from='ann@a.example'><body>x</body></message>`)));
  const later = `<delay xmlns='urn:xmpp:delay' stamp='2999-01-01T00:00:00Z'/>`;
  t.ok(tally.add(received(xml('ann@a.example/1', '🔮', later))));
  t.ok(tally.add(received(xml('ann@a.example/1', '🎈'))), 'nobody speaks for all time by a date in the future');
  const many = Array.from({ length: 60 }, (_one, index) => `<reaction>${index}</reaction>`).join('');
  const odd = `<reaction> </reaction><reaction>${'x'.repeat(101)}</reaction>`;
  const read = xeps.readReactions(
    received(xml('ann@a.example/1', '1').replace('<reaction>1</reaction>', odd + many)).element,
  );
  t.strictSame(
    [...(read?.emoji ?? [])],
    Array.from({ length: 50 }, (_one, index) => String(index)),
  );
});

// [XEP-0444 §2.2]
t.test('which reactions somebody takes is known before one is sent', async (t) => {
  const form = xeps.writeDataForm({
    type: 'result',
    fields: [
      { name: 'FORM_TYPE', type: 'hidden', values: ['urn:xmpp:reactions:0:restrictions'] },
      { name: 'max_reactions_per_user', values: ['1'] },
      { name: 'allowlist', values: ['💘', '❤️'] },
    ],
  });
  const none = { identities: [], features: new Set<string>(), forms: [] };
  const restrictions = xeps.readReactionRestrictions({ ...none, forms: [form] });
  for (const [emoji, allowed] of [
    [['💘'], true],
    [[], true],
    [['💘', '❤️'], false],
    [['💀'], false],
  ] as const)
    t.equal(xeps.isAllowedReaction(emoji, restrictions), allowed, emoji.join(' '));
  t.ok(xeps.isAllowedReaction(['💀', '💘'], xeps.readReactionRestrictions(none)));
});

// [XEP-0085 §5.1] [XEP-0085 §5.3] [XEP-0085 §5.5]
t.test(
  'chat states are told to who sends them too, never twice in a row, and nobody is gone from a room',
  async (t) => {
    const { server, online } = await startLoopback(t);
    const ann = await online('ann', { resource: 'desk', plugins: [chatStates] });
    const bob = Jid.parse('bob@localhost/phone');
    const states = ann.get(chatStates);
    const said = async (from: string, rest: string, type = 'chat'): Promise<void> => {
      const seen = ann.events.once('message', { timeoutMs: PATIENCE_MS });
      server.inject(ann.jid ?? ann.account, `<message type='${type}' from='${from}'>${rest}</message>`);
      await seen;
    };
    const active = write(xeps.writeChatState('active'));
    t.notOk(states.notify(bob, 'chat', 'composing'), 'nobody knows whether he wants to know');
    await said('bob@localhost/phone', `<body>x</body>${active}`);
    t.ok(states.notify(bob, 'chat', 'composing'));
    t.notOk(states.notify(bob, 'chat', 'composing'));
    t.ok(states.notify(bob, 'chat', 'paused'));
    ann.send(writeMessage({ to: bob, type: 'chat', body: 'x', payloads: [xeps.writeChatState('active')] }));
    t.notOk(states.notify(bob, 'chat', 'active'), 'what was said told it already');
    await said('bob@localhost/phone', `<body>x</body>`);
    t.notOk(states.notify(bob, 'chat', 'composing'), 'he answers without: he does not');
    states.setSupport(bob, true);
    t.ok(states.notify(bob, 'chat', 'composing'));
    t.ok(states.notify(ROOM, 'groupchat', 'composing'));
    t.notOk(states.notify(ROOM, 'groupchat', 'gone'));
    const changes: string[] = [];
    states.events.on('changed', ({ state }) => changes.push(state));
    const gone = write(xeps.writeChatState('gone'));
    await said('tea@rooms.localhost/bob', gone, 'groupchat');
    await said('bob@localhost/phone', gone);
    t.strictSame(changes, ['gone']);
  },
);

// [XEP-0066 §2]
t.test('a file that is offered is fetched by who is told how, and the other side learns how that ended', async (t) => {
  const { online } = await startLoopback(t);
  const ann = await online('ann', { resource: 'desk', plugins: [outOfBandRequests] });
  const bob = await online('bob', { plugins: [outOfBandRequests] });
  const offer = (url: string): Promise<void> =>
    bob.get(outOfBandRequests).offer(Jid.parse('ann@localhost/desk'), { url, description: 'a file' });
  await t.rejects(offer('https://a.example/1'), { name: 'StanzaError', condition: 'not-acceptable' });
  const fetched: unknown[] = [];
  ann.get(outOfBandRequests).setFetchHandler(async (data, { from: sender }) => {
    await Promise.resolve();
    if (data.url.endsWith('gone')) throw new Error('404');
    fetched.push({ ...data, sender: sender.bare.toString() });
  });
  await offer('https://a.example/1');
  t.strictSame(fetched, [{ url: 'https://a.example/1', description: 'a file', sender: 'bob@localhost' }]);
  await t.rejects(offer('https://a.example/gone'), { name: 'StanzaError', condition: 'item-not-found' });
  await t.rejects(offer(' '), { name: 'StanzaError', condition: 'bad-request' });
});

// [XEP-0363 §4] [XEP-0363 §5] [XEP-0363 §6]
t.test('an upload says what it is for, and a service that wants to be left alone for a time is', async (t) => {
  const { server, online } = await startLoopback(t);
  let error = '';
  const purposes = `<feature var='urn:xmpp:http:upload:purpose:0#ephemeral'/>`;
  const log = recorder((element) => {
    const id = element.attr('id') ?? '';
    if (element.attr('to') !== 'upload.localhost') return undefined;
    if (element.child('query', xeps.NS_DISCO_INFO) !== undefined)
      return `<iq type='result' from='upload.localhost' id='${id}'><query xmlns='${xeps.NS_DISCO_INFO}'><feature var='${xeps.NS_HTTP_UPLOAD}'/>${purposes}</query></iq>`;
    if (element.child('request', xeps.NS_HTTP_UPLOAD) === undefined || error === '') return undefined;
    return `<iq type='error' from='upload.localhost' id='${id}'>${error}</iq>`;
  });
  server.misbehave(log);
  const ann = await online('ann', { plugins: [httpUpload] });
  const upload = (purpose?: xeps.UploadPurpose): Promise<string> =>
    ann.get(httpUpload).upload({
      name: 'a',
      type: 'text/plain',
      data: new Uint8Array(3),
      ...(purpose === undefined ? {} : { purpose }),
    });
  const requests = (): xeps.SlotRequest[] =>
    log.sent.flatMap((one) => {
      const request = one.child('request', xeps.NS_HTTP_UPLOAD);
      return request === undefined ? [] : (xeps.readSlotRequest(request) ?? []);
    });
  const expireBefore = new Date('2026-12-24T00:00:00Z');
  await upload({ expireBefore });
  await upload('profile');
  t.strictSame(
    requests().map(({ purpose }) => purpose),
    [{ expireBefore }, undefined],
    'a purpose that the service does not know is not asked for',
  );

  const wait = (more: string): string =>
    `<error type='wait'><resource-constraint xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>${more}</error>`;
  error = wait(`<file-too-large xmlns='${xeps.NS_HTTP_UPLOAD}'><max-file-size>2</max-file-size></file-too-large>`);
  await t.rejects(upload(), { name: 'UploadError', maxFileSize: 2, retryAt: undefined });
  error = wait(`<retry xmlns='${xeps.NS_HTTP_UPLOAD}' stamp='2001-01-01T00:00:00Z'/>`);
  await t.rejects(upload(), { name: 'UploadError', retryAt: new Date('2001-01-01T00:00:00Z') });
  error = wait(`<retry xmlns='${xeps.NS_HTTP_UPLOAD}' stamp='2999-01-01T00:00:00Z'/>`);
  await t.rejects(upload(), { name: 'UploadError', retryAt: new Date('2999-01-01T00:00:00Z') });
  const asked = requests().length;
  error = '';
  await t.rejects(upload(), { name: 'UploadError', message: /before 2999/ });
  t.equal(requests().length, asked, 'it is not asked again before that');

  const slot = xeps.readSlot(
    parseElement(
      `<slot xmlns='${xeps.NS_HTTP_UPLOAD}'><put url='https://a/b'><header name='Cookie'>a=b</header><header name='cookie'>c=d</header><header name='Expires&#10;'>x</header></put><get url='https://a/b'/></slot>`,
    ),
  );
  t.strictSame(slot?.headers, { Cookie: 'a=b; c=d', Expires: 'x' });
});

// [XEP-0363 §5]
t.test('a file that is to expire is not given to a service that would keep it', async (t) => {
  const { online } = await startLoopback(t);
  const ann = await online('ann', { plugins: [httpUpload] });
  const wish = { name: 'a', type: 'b/c', data: new Uint8Array(1), purpose: { expireBefore: new Date() } };
  await t.rejects(ann.get(httpUpload).upload(wish), { name: 'UploadError', message: /expire/ });
});

// [XEP-0203 §2] [XEP-0203 §5] [XEP-0082 §3] [XEP-0380 §3]
t.test(
  'of several delays that of a named entity is found; days that do not exist are none; encryption is declared',
  async (t) => {
    const { element } = received(
      `<message from='a@b'><delay xmlns='urn:xmpp:delay' stamp='bad'/><delay xmlns='urn:xmpp:delay' from='eve@a.example' stamp='2999-01-01T00:00:00Z'/><delay xmlns='urn:xmpp:delay' from='b.example' stamp='2020-01-01T00:00:00Z'> Offline Storage </delay></message>`,
    );
    t.equal(xeps.readDelay(element)?.from?.toString(), 'eve@a.example');
    const delay = xeps.readDelayBy(element, Jid.parse('b.example'));
    t.match(delay, { reason: 'Offline Storage', stamp: new Date('2020-01-01T00:00:00Z') });
    t.equal(xeps.readDelayBy(element, Jid.parse('c.example')), undefined);
    t.equal(xeps.readDate('1776-07-04')?.toISOString(), '1776-07-04T00:00:00.000Z');
    t.equal(xeps.writeDate(new Date('1776-07-04T12:00:00Z')), '1776-07-04');
    for (const none of ['2026-02-30', '2026-2-3', '', undefined]) t.equal(xeps.readDate(none), undefined);
    t.equal(xeps.readDateTime('2026-02-30T00:00:00Z'), undefined);
    t.equal(xeps.readEncryption(payload(xeps.writeEncryption('urn:new', 'New')).element), 'New');
    t.equal(xeps.writeEncryption('urn:xmpp:otr:0', 'Something').attr('name'), undefined);
  },
);

// [XEP-0334 §4] [XEP-0333 §4] [XEP-0424 §4] [XEP-0085 §5.2]
t.test(
  'servers are told what to keep: what takes something back and what was read, but not who is typing',
  async (t) => {
    const hints = ['no-permanent-store', 'no-store', 'no-copy', 'store'] as const;
    for (const hint of hints) {
      const written = xeps.writeHint(hint);
      t.equal(write(written), `<${hint} xmlns='urn:xmpp:hints'/>`);
      t.strictSame([...xeps.readHints(payload(written).element)], [hint]);
    }
    const odd = `<store xmlns='urn:other'/><keep xmlns='urn:xmpp:hints'/><store xmlns='urn:xmpp:hints'/><store xmlns='urn:xmpp:hints'/>`;
    t.strictSame([...xeps.readHints(received(`<message from='a@b/c'>${odd}</message>`).element)], ['store']);

    const { server, online } = await startLoopback(t);
    const log = recorder();
    server.misbehave(log);
    const ann = await online('ann', { plugins: [chatStates, displayedMarkers, xeps.messageRetraction] });
    const bob = Jid.parse('bob@localhost/phone');
    ann.get(chatStates).send(bob, 'chat', 'composing');
    ann.get(displayedMarkers).allow(() => true);
    const markable = `<markable xmlns='${xeps.NS_MARKERS}'/>`;
    t.ok(
      ann
        .get(displayedMarkers)
        .mark(received(`<message type='chat' id='q' from='${bob.toString()}'>${markable}</message>`)),
    );
    ann.get(xeps.messageRetraction).retract(bob, 'chat', 'm');
    await until(() => log.sent.filter(({ name }) => name === 'message').length === 3, 'three messages');
    t.strictSame(
      log.sent.filter(({ name }) => name === 'message').map((message) => [...xeps.readHints(message)].join()),
      ['no-store', 'store', 'store'],
    );
  },
);

// [XEP-0184] [XEP-0308] [XEP-0333] [XEP-0424] [XEP-0428] [XEP-0444] [XEP-0461]
t.test('what a client that others wrote sends, and what rooms pass on, is read as it was meant', async (t) => {
  const view = (xep: number, name: string): Message => {
    const element = recorded(xep).get(name);
    if (element === undefined) throw new Error(`'${name}' is not recorded`);
    return viewOf(element);
  };
  const asking = view(184, 'a message that asks, by slixmpp');
  t.ok(xeps.asksForReceipt(asking.element) && xeps.isMarkable(asking.element));
  t.type(xeps.readReceipt(view(184, 'a receipt, by slixmpp').element), 'string');
  t.type(xeps.readDisplayed(view(333, 'a marker, by slixmpp').element), 'string');
  t.ok(xeps.mayCorrect(asking, view(308, 'a correction, by slixmpp')));
  const retraction = view(424, 'a retraction, by slixmpp');
  t.ok(xeps.mayRetract(asking, retraction));
  t.strictSame(xeps.readFallbacks(retraction.element), [{ for: undefined, body: 'whole', subject: 'whole' }]);
  const said = view(444, 'a reaction, by slixmpp');
  t.strictSame(xeps.readReactions(said.element)?.emoji, new Set(['🎉']));
  const reply = view(461, 'a reply with a quotation, by slixmpp');
  t.match(reply.body, /^> .*\n> I do 🐢\ngood$/);
  t.equal(xeps.readReplyBody(reply), 'good', 'a tortoise is one character');
  for (const server of ['Prosody', 'ejabberd']) {
    const { element, from } = view(424, `a retraction in a room, by ${server}`);
    t.type(xeps.readRetraction(element), 'string');
    t.type(xeps.readStanzaId(element, from.bare), 'string');
    t.type(xeps.readOccupantId(element), 'string');
  }
  t.strictSame(xeps.readReactions(view(444, 'a reaction in a room, by ejabberd').element)?.emoji, new Set(['🧪']));
});

// [XEP-0184 §5] [XEP-0333 §5]
t.test('a marker settles what the same person was sent before, and nothing that somebody else was', async (t) => {
  const awaited = new AwaitedIds();
  for (const [id, who] of [
    ['1', 'bob'],
    ['2', 'carl'],
    ['3', 'bob'],
    ['4', 'bob'],
  ] as const)
    awaited.add(writeMessage({ to: Jid.of(who, 'localhost'), type: 'chat', id, body: 'x' }));
  const [bob, carl] = [Jid.parse('bob@localhost/x'), Jid.parse('carl@localhost/x')];
  t.ok(awaited.takeUpTo('3', bob));
  t.notOk(awaited.take('1', bob));
  t.notOk(awaited.take('3', bob));
  t.ok(awaited.take('2', carl));
  t.ok(awaited.take('4', bob));
});
