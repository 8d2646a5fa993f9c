import t from 'tap';
import type { LoopbackServer } from '../../src/loopback/server.js';
import type { Client } from '../../src/xmpp-core/client.js';
import {
  stanzaErrorCondition,
  streamErrorCondition,
  type StanzaErrorType,
} from '../../src/xmpp-core/error-conditions.js';
import { StanzaError, StreamError } from '../../src/xmpp-core/errors.js';
import { contactPresence } from '../../src/xmpp-core/im/contact-presence.js';
import { resourceLocking } from '../../src/xmpp-core/im/resource-locking.js';
import { NS_ROSTER } from '../../src/xmpp-core/im/roster-item.js';
import { roster, type RosterEvents } from '../../src/xmpp-core/im/roster.js';
import { subscriptions, type SubscriptionEvents } from '../../src/xmpp-core/im/subscriptions.js';
import { Jid } from '../../src/xmpp-core/jid/jid.js';
import { chooseText, readTexts } from '../../src/xmpp-core/stanza/language.js';
import { NS_CLIENT, NS_STANZAS, NS_STREAMS } from '../../src/xmpp-core/stanza/namespaces.js';
import { readStanzaError, writeStanzaError } from '../../src/xmpp-core/stanza/stanza-error.js';
import {
  readAvailability,
  writeMessage,
  writePresence,
  type Message,
  type Presence,
} from '../../src/xmpp-core/stanza/stanzas.js';
import { memoryStorage } from '../../src/xmpp-core/storage.js';
import { el, type Element } from '../../src/xmpp-core/xml/element.js';
import { serialize } from '../../src/xmpp-core/xml/serialize.js';
import { parseElement as parse } from '../../src/xmpp-core/xml/stream-parser.js';
import { DEFAULT_LIMITS } from '../../src/xmpp-core/xml/limits.js';
import { PATIENCE_MS, recorder, startLoopback, until, type Recorder } from '../support/loopback.js';
import { dialogue } from '../support/script.js';

const ANN = Jid.parse('ann@localhost');
const BOB = Jid.parse('bob@localhost');
const DESK = { resource: 'desk', plugins: [roster] };
const EVERYTHING = [roster, subscriptions, contactPresence];

const soon = { timeoutMs: PATIENCE_MS };
const onRoster = <Name extends keyof RosterEvents>(client: Client, name: Name) =>
  client.get(roster).events.once(name, soon);
const onSubscription = <Name extends keyof SubscriptionEvents>(client: Client, name: Name) =>
  client.get(subscriptions).events.once(name, soon);

/** Comes online and knows its roster. */
async function arrive(client: Client): Promise<Client> {
  const received = onRoster(client, 'received');
  await client.start();
  await received;
  return client;
}

/** Sends raw text to a session and waits until the client has dealt with it, which the answer to a request after it shows. */
async function inject(server: LoopbackServer, client: Client, xml: string): Promise<void> {
  const jid = client.jid ?? client.account;
  let hasPassed = false;
  const dispose = client.events.on('message', ({ type }) => {
    hasPassed ||= type === 'headline';
  });
  server.inject(jid, `${xml}<message xmlns='${NS_CLIENT}' type='headline'/>`);
  await until(() => hasPassed, 'what was injected');
  dispose();
}

const addresses = (client: Client): string[] => [...client.get(roster).items.keys()].toSorted();
const push = (items: string, more = ''): string =>
  `<iq xmlns='${NS_CLIENT}' type='set' id='push' ${more}><query xmlns='${NS_ROSTER}'>${items}</query></iq>`;
const rosterRequests = ({ sent }: Recorder): (Element | undefined)[] =>
  sent.filter((element) => element.attr('type') === 'get').flatMap((iq) => iq.child('query', NS_ROSTER) ?? []);
const answersTo = ({ sent }: Recorder, id: string): Element[] =>
  sent.filter((element) => element.is('iq', NS_CLIENT) && element.attr('id') === id);

// [RFC6121-2.1.3-a] [RFC6121-2.2-a] [RFC6121-4.2.1-a,b]
t.test('requests the roster in each new session, before the initial presence', async (t) => {
  const { server, client } = await startLoopback(t);
  const log = recorder();
  server.misbehave(log);
  const ann = await arrive(client('ann', DESK));
  const names = (): string[] =>
    log.sent.map(
      ({ name, nodes }) => `${name} ${nodes.map((node) => (typeof node === 'string' ? '' : node.ns)).join('')}`,
    );
  const order = (): number[] => [`iq ${NS_ROSTER}`, 'presence '].map((what) => names().lastIndexOf(what));
  const [asked = -1, present = -1] = order();
  t.ok(asked >= 0 && asked < present, names().join(', '));
  t.strictSame(rosterRequests(log)[0]?.nodes, [], 'the request has no item in it');
  for (const attribute of ['to', 'type']) t.equal(log.sent[present]?.attr(attribute), undefined);

  const again = onRoster(ann, 'received');
  server.cutAll();
  await again;
  await until(() => names().filter((name) => name === 'presence ').length === 2, 'the second presence');
  const [askedAgain = -1, presentAgain = -1] = order();
  t.ok(askedAgain > present && askedAgain < presentAgain, names().join(', '));
});

// [RFC6121-2.1.1-a] [RFC6121-2.6.2-a]
t.test('uses roster versioning only if the server offers it', async (t) => {
  const { server, client } = await startLoopback(t);
  const log = recorder();
  server.misbehave(log);
  const ann = client('ann', DESK);
  await arrive(ann);
  t.equal(rosterRequests(log)[0]?.attr('ver'), '', 'RFC 6121 §2.6.2: an empty version says that we have none');
  await ann.stop();

  const plain = recorder();
  server.misbehave({
    ...plain,
    features: (stage) =>
      stage === 'authenticated'
        ? `<stream:features><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></stream:features>`
        : undefined,
  });
  await arrive(client('ann', DESK));
  t.equal(rosterRequests(plain)[0]?.attr('ver'), undefined);
});

// [RFC6121-2.1.1-a] [RFC6121-2.1.2-6] [RFC6121-2.6.3-a]
t.test('a roster outlives the program: only what changed in between comes over the wire', async (t) => {
  const { server, client } = await startLoopback(t);
  const storage = memoryStorage();
  const first = await arrive(client('ann', { ...DESK, storage }));
  const added = onRoster(first, 'changed');
  await first.get(roster).set({ jid: BOB, name: 'Bob & "Bobby"', groups: ['Friends', 'Früh', 'Friends'] });
  await added;
  await until(() => first.get(roster).items.size === 1, 'the push');
  await first.stop();

  const elsewhere = await arrive(client('ann', { plugins: [roster], resource: 'phone' }));
  const changed = onRoster(elsewhere, 'changed');
  await elsewhere.get(roster).set({ jid: Jid.parse('cid@localhost') });
  await changed;

  const log = recorder();
  server.misbehave(log);
  const ann = client('ann', { ...DESK, storage });
  const pushed = onRoster(ann, 'changed');
  const good: string[] = [];
  ann.get(roster).events.on('received', ({ items }) => good.push(...items.keys()));
  await ann.start();
  t.match((await pushed).item, { jid: { localpart: 'cid' } }, 'and the rest is pushed (§2.6.3)');
  t.match(rosterRequests(log)[0]?.attr('ver'), /^v\d/);
  t.strictSame(good, ['bob@localhost'], 'what was kept is good');
  t.match(ann.get(roster).get(BOB), { name: 'Bob & "Bobby"', groups: ['Friends', 'Früh'], subscription: 'none' });
  await ann.stop();

  await storage.set(`roster ${ANN.toString()}`, '<query xmlns="jabber:iq:roster" ver="v1"><item');
  const damaged = await arrive(client('ann', { ...DESK, storage }));
  t.strictSame(addresses(damaged), ['bob@localhost', 'cid@localhost'], 'what is damaged is fetched again');
});

// [RFC6121-2.1.2-6] [RFC6121-2.1.5-a,b] [RFC6121-2.3-a] [RFC6121-2.5-a]
t.test('our own changes come back to all our clients', async (t) => {
  const { server, client } = await startLoopback(t);
  const log = recorder();
  server.misbehave(log);
  const desk = await arrive(client('ann', DESK));
  const phone = await arrive(client('ann', { resource: 'phone', plugins: [roster] }));
  for (const change of [{ name: 'Bob' }, { name: 'Robert', groups: ['Work', 'Play', 'Work'] }, {}]) {
    const events = [onRoster(desk, 'changed'), onRoster(phone, 'changed')];
    await desk.get(roster).set({ jid: BOB, ...change });
    for (const { item } of await Promise.all(events)) {
      t.strictSame([item.name, item.groups], [change.name, [...new Set(change.groups)]]);
    }
  }
  const gone = [onRoster(desk, 'removed'), onRoster(phone, 'removed')];
  await phone.get(roster).remove(BOB);
  for (const { item } of await Promise.all(gone)) t.ok(item.jid.equals(BOB));
  t.equal(desk.get(roster).items.size, 0);
  const sets = log.sent.filter((iq) => iq.attr('type') === 'set').flatMap((iq) => iq.child('query', NS_ROSTER) ?? []);
  t.ok(sets.every((query) => query.children().length === 1));
  t.strictSame(
    sets.map((query) => query.child('item')?.children('group').length),
    [0, 2, 0, 0],
    'a group is not sent twice',
  );
  await t.rejects(desk.get(roster).remove(BOB), { name: 'StanzaError', condition: 'item-not-found' });
  await t.rejects(desk.get(roster).set({ jid: BOB, groups: [''] }), /a group of bob@localhost has no name/);
});

// [RFC6121-2.1.2-3,5,6]
t.test('a push says all there is to say of a contact, and what does not exist is ignored', async (t) => {
  const { server, client } = await startLoopback(t);
  const ann = await arrive(client('ann', DESK));
  const item = (attributes: string, groups = ''): string =>
    push(`<item jid='bob@localhost' ${attributes}>${groups}</item>`);
  const cases: readonly [string, object][] = [
    [item("subscription='both' name='Bob'"), { subscription: 'both', name: 'Bob', isAsked: false, isApproved: false }],
    [
      item("ask='subscribe' approved='true'"),
      { subscription: 'none', name: undefined, isAsked: true, isApproved: true },
    ],
    [item("subscription='from' approved='1'"), { subscription: 'from', isApproved: true }],
    [
      item("subscription='constructor' ask='unsubscribe' approved='no'"),
      { subscription: 'none', isAsked: false, isApproved: false },
    ],
    [item('', '<group>A</group><group>B</group><group>A</group><group/>'), { groups: ['A', 'B'] }],
  ];
  for (const [xml, expected] of cases) {
    await inject(server, ann, xml);
    t.match(ann.get(roster).get(BOB), expected, xml);
  }
  t.equal(
    ann.get(roster).get(BOB.withResource('desk'))?.jid,
    ann.get(roster).get(BOB)?.jid,
    'of one client as of the person',
  );
  const phone = push("<item jid='bob@localhost/phone' name='Phone'/>");
  await inject(server, ann, phone);
  t.equal(ann.get(roster).get(BOB.withResource('phone'))?.name, 'Phone', 'unless it has an entry of its own');
});

// [RFC6121-2.1.6-a,b,d] [RFC6121-11-a] [pitfall-roster-push-spoofing]
t.test('nobody but our own account changes our roster (CVE-2015-8688, CVE-2016-9928)', async (t) => {
  const { server, client } = await startLoopback(t);
  const log = recorder();
  server.misbehave(log);
  const ann = await arrive(client('ann', DESK));
  const item = "<item jid='eve@evil.example' name='Bob' subscription='both'/>";
  const strangers = [
    'eve@evil.example',
    'localhost',
    'ann@localhost/desk',
    'ann@localhost/phone',
    'ann@localhost.evil.example',
    'bob@localhost',
  ];
  for (const [index, stranger] of strangers.entries()) {
    await inject(server, ann, push(item, `from='${stranger}'`).replace("id='push'", `id='${index}'`));
    await until(() => answersTo(log, String(index)).length > 0, 'the refusal');
    t.match(
      readStanzaError(answersTo(log, String(index))[0] ?? el('iq', NS_CLIENT)),
      { condition: 'service-unavailable' },
      stranger,
    );
  }
  t.strictSame(addresses(ann), []);

  for (const own of ['', "from='ann@localhost'", "from='ANN@LOCALHOST'"]) {
    await inject(server, ann, push("<item jid='bob@localhost'/>", own));
    t.strictSame(addresses(ann), ['bob@localhost'], own);
    await inject(server, ann, push("<item jid='bob@localhost' subscription='remove'/>", own));
    t.strictSame(addresses(ann), [], own);
  }
  await until(() => answersTo(log, 'push').length === 6, 'the answers');
  t.ok(answersTo(log, 'push').every((answer) => answer.attr('type') === 'result'));
});

// [RFC6121-2.1.6-c,d] [pitfall-roster-push-spoofing]
t.test('a push is of exactly one usable item, or refused whole', async (t) => {
  const { server, client } = await startLoopback(t);
  const log = recorder();
  server.misbehave(log);
  const ann = await arrive(client('ann', DESK));
  const pushes = [
    push(''),
    push("<item jid='bob@localhost'/><item jid='cid@localhost'/>"),
    push('<item/>'),
    push("<item jid='@localhost'/>"),
    push("<item jid='a@b@c/&#xFFFD;'/>"),
    push("<item jid=''/>"),
  ];
  for (const [index, xml] of pushes.entries()) {
    await inject(server, ann, xml.replace("id='push'", `id='${index}'`));
    await until(() => answersTo(log, String(index)).length > 0, 'the refusal');
    t.match(
      readStanzaError(answersTo(log, String(index))[0] ?? el('iq', NS_CLIENT)),
      { type: 'modify', condition: 'bad-request' },
      xml,
    );
  }
  t.strictSame(addresses(ann), []);
});

// [RFC6121-2.1.2-3] [RFC7622-4-a] [pitfall-unprepared-jid]
t.test('an address is one contact, however it is written', async (t) => {
  const { server, client } = await startLoopback(t);
  const ann = await arrive(client('ann', DESK));
  for (const spelling of ['bob@localhost', 'BOB@LOCALHOST', 'ｂｏｂ@localhost', 'Bob@LocalHost.']) {
    await inject(server, ann, push(`<item jid='${spelling}' name='${spelling}'/>`));
    t.equal(ann.get(roster).get(BOB)?.name, spelling);
    t.equal(ann.get(roster).items.size, 1, spelling);
  }
  await inject(server, ann, push("<item jid='bOb@lOcAlHoSt' subscription='remove'/>"));
  t.equal(ann.get(roster).items.size, 0);
});

/** A server that answers every request for the roster with this. */
function rosterOf(query: (ver: string | undefined) => string, behind = ''): Recorder {
  return recorder((element) => {
    const asked = element.attr('type') === 'get' ? element.child('query', NS_ROSTER) : undefined;
    if (asked === undefined) return undefined;
    const id = element.attr('id') ?? '';
    return `<iq xmlns='${NS_CLIENT}' type='result' id='${id}'>${query(asked.attr('ver'))}</iq>${behind}`;
  });
}

// [RFC6120-13.12-a]
t.test('a hostile roster is taken as far as it makes sense, is bounded, and is not kept', async (t) => {
  const storage = memoryStorage();
  const { server, client } = await startLoopback(t);
  const items = [
    "<item jid='bob@localhost' name='first'/>",
    "<item jid='BOB@localhost' name='last'/>",
    "<item jid='@@'/><item/><item jid='x@y@z'/><item jid='&#x200B;@localhost'/>",
    "<item jid='gone@localhost' subscription='remove'/>",
    "<item jid='constructor' name='__proto__'><group>__proto__</group></item>",
    "<other xmlns='urn:other'/><item xmlns='urn:other' jid='other@localhost'/>",
  ].join('');
  server.misbehave(rosterOf(() => `<query xmlns='${NS_ROSTER}' ver='1'>${items}</query>`));
  const ann = await arrive(client('ann', { ...DESK, storage }));
  t.strictSame(addresses(ann), ['bob@localhost', 'constructor']);
  t.equal(ann.get(roster).get(BOB)?.name, 'last');
  await ann.stop();

  // As large as a stanza may be, again and again by pushes.
  const name = 'x'.repeat(1_000_000);
  const large = (index: number): string => push(`<item jid='c${index}@localhost' name='${name}'/>`);
  const bounded = await arrive(client('ann', { ...DESK, storage }));
  for (let index = 0; index < 18; index++) await inject(server, bounded, large(index));
  const within = Array.from({ length: 15 }, (_, index) => `c${index}@localhost`);
  t.strictSame(addresses(bounded), ['bob@localhost', ...within, 'constructor'].toSorted());
  await inject(server, bounded, push("<item jid='c0@localhost' subscription='remove'/>"));
  await inject(server, bounded, large(17));
  t.ok(bounded.get(roster).get(Jid.parse('c17@localhost')), 'what was removed made room');
  const small = addresses(bounded).filter((address) => address.endsWith('@localhost') && address !== 'bob@localhost');
  for (const address of small) await inject(server, bounded, push(`<item jid='${address}' subscription='remove'/>`));
  t.equal(bounded.get(roster).items.size, 2);
  t.equal(await storage.get(`roster ${ANN.toString()}`), undefined, 'a roster with holes is not kept under a version');
  await bounded.stop();

  const log = rosterOf(() => `<query xmlns='${NS_ROSTER}' ver='${'v'.repeat(100_000)}'/>`);
  server.misbehave(log);
  await (await arrive(client('ann', { ...DESK, storage }))).stop();
  await (await arrive(client('ann', { ...DESK, storage }))).stop();
  t.strictSame(
    rosterRequests(log).map((query) => query?.attr('ver')),
    ['', ''],
    'a version is no place to store something with us',
  );
});

// [pitfall-roster-too-long]
t.test('a roster may be longer than a stanza, and nothing else may', async (t) => {
  const { server, client } = await startLoopback(t);
  const contacts = Array.from({ length: 12_000 }, (_, index) => {
    const group = '<group>Colleagues of the northern office</group>';
    return `<item jid='colleague-${index}@localhost' name='Colleague number ${index}'>${group}</item>`;
  }).join('');
  t.ok(contacts.length > DEFAULT_LIMITS.stanzaBytes);
  server.misbehave(rosterOf(() => `<query xmlns='${NS_ROSTER}'>${contacts}</query>`));
  const ann = await arrive(client('ann', DESK));
  t.equal(ann.get(roster).items.size, 12_000);

  const offline = ann.events.once('offline', { timeoutMs: PATIENCE_MS });
  server.inject(ann.jid ?? ann.account, push(`<item jid='bob@localhost' name='${'x'.repeat(1_048_576)}'/>`));
  t.match((await offline).reason, { condition: 'policy-violation', by: 'us' });
});

// [pitfall-roster-too-long]
t.test('the longest roster is a setting', async (t) => {
  const answerOf = (id: string, bytes: number): string => {
    const [before, after] = [
      `<iq type='result' id='${id}'><query xmlns='${NS_ROSTER}'><item jid='bob@localhost' name='`,
      `'/></query></iq>`,
    ];
    return before + 'x'.repeat(bytes - before.length - after.length) + after;
  };
  for (const [bytes, isTaken] of [
    [20_000, true],
    [20_001, false],
  ] as const) {
    const options = { plugins: [roster], limits: { stanzaBytes: 4_000 }, longAnswerBytes: 20_000 };
    const { client, peer, started } = await dialogue(t, options);
    await peer.acceptsLogin();
    const request = await peer.receives(/<query xmlns='jabber:iq:roster'\/><\/iq>/);
    await started;
    const outcome = Promise.race([
      onRoster(client, 'received').then(() => 'received'),
      client.events.once('offline', { timeoutMs: PATIENCE_MS }).then(() => 'offline'),
    ]);
    peer.sends(answerOf(/id='([^']*)'/.exec(request)?.[1] ?? '', bytes));
    t.equal(await outcome, isTaken ? 'received' : 'offline', `${bytes} bytes`);
    await client.stop();
  }
});

// [RFC6120-10.1-a]
t.test('what is pushed right behind the roster is not undone by it', async (t) => {
  const { server, client } = await startLoopback(t);
  const behind = push("<item jid='bob@localhost' name='new'/>");
  server.misbehave(
    rosterOf(() => `<query xmlns='${NS_ROSTER}' ver='1'><item jid='bob@localhost' name='old'/></query>`, behind),
  );
  const ann = client('ann', DESK);
  const changed = onRoster(ann, 'changed');
  await ann.start();
  t.match(await changed, { item: { name: 'new' }, previous: { name: 'old' } });
  t.equal(ann.get(roster).get(BOB)?.name, 'new');
});

// [RFC6121-2.6.3-b]
t.test('a lost connection takes nothing from the roster, and neither does a server that has none', async (t) => {
  const { server, client } = await startLoopback(t);
  const log = recorder();
  server.misbehave(log);
  const ann = await arrive(client('ann', DESK));
  await ann.get(roster).set({ jid: BOB, name: 'Bob' });
  const offline = ann.events.once('offline', soon);
  const again = onRoster(ann, 'received');
  server.cutAll();
  await offline;
  t.strictSame(addresses(ann), ['bob@localhost'], 'while offline');
  await again;
  t.strictSame(addresses(ann), ['bob@localhost'], 'and after');
  t.match(rosterRequests(log).at(-1)?.attr('ver'), /^v\d/, 'asked for by its version');

  server.misbehave({
    answer: (element) =>
      element.child('query', NS_ROSTER) === undefined
        ? undefined
        : `<iq xmlns='${NS_CLIENT}' type='error' id='${element.attr('id')}'>${serialize(writeStanzaError(StanzaError.of('item-not-found')))}</iq>`,
  });
  const failed = onRoster(ann, 'failed');
  server.cutAll();
  t.match((await failed).error, { condition: 'item-not-found' });
  t.equal(ann.state, 'online');
  t.strictSame(addresses(ann), ['bob@localhost']);
});

// [RFC6121-3.1.1-a,b] [RFC6121-3.1.4-a,b] [RFC6121-3.2.1-a] [RFC6121-3.3.1-a]
t.test('a subscription is requested with a text, approved, shown in both rosters, and cancelled', async (t) => {
  const { server, client } = await startLoopback(t);
  const log = recorder();
  server.misbehave(log);
  const ann = await arrive(client('ann', { plugins: EVERYTHING, resource: 'desk' }));
  const bob = await arrive(
    client('bob', {
      plugins: EVERYTHING,
      resource: 'desk',
      presence: { show: 'away', status: 'at lunch', priority: 3 },
    }),
  );

  const requested = onSubscription(bob, 'requested');
  ann.get(subscriptions).request(BOB.withResource('desk'), [{ text: 'Ich bin’s', language: 'de' }]);
  const { contact, words } = await requested;
  t.ok(contact.equals(ANN), 'it comes from the bare JID');
  t.strictSame(words, { text: 'Ich bin’s', language: 'de' });
  t.match(ann.get(roster).get(BOB), { subscription: 'none', isAsked: true });
  t.equal(bob.get(roster).get(ANN), undefined, 'nobody is let in before somebody says so');

  const approved = onSubscription(ann, 'approved');
  const available = ann
    .get(contactPresence)
    .events.once('available', { ...soon, where: ({ jid }) => jid.bare.equals(BOB) });
  bob.get(subscriptions).approve(contact);
  t.ok((await approved).contact.equals(BOB));
  t.match(await available, { show: 'away', status: 'at lunch', priority: 3 });
  t.match(ann.get(roster).get(BOB), { subscription: 'to', isAsked: false });
  await until(() => bob.get(roster).get(ANN)?.subscription === 'from', 'the push to bob');

  const denied = onSubscription(ann, 'denied');
  bob.get(subscriptions).deny(ANN);
  t.ok((await denied).contact.equals(BOB));
  t.match(ann.get(roster).get(BOB), { subscription: 'none' });
  t.strictSame(ann.get(contactPresence).of(BOB), [], 'who took it back is no longer seen');

  const again = onSubscription(bob, 'requested');
  ann.get(subscriptions).request(BOB);
  t.equal((await again).words, undefined);
  const unsubscribed = onSubscription(bob, 'unsubscribed');
  ann.get(subscriptions).unsubscribe(BOB);
  t.ok((await unsubscribed).contact.equals(ANN));

  const said = log.sent.filter((element) => element.attr('to') !== undefined && element.name === 'presence');
  t.strictSame(
    said.map((presence) => `${presence.attr('type')} ${presence.attr('to')}`),
    ['subscribe', 'subscribed', 'unsubscribed', 'subscribe', 'unsubscribe'].map(
      (type) => `${type} ${(type.endsWith('ed') ? ANN : BOB).toString()}`,
    ),
  );
  t.ok(said.every((presence) => presence.attr('id') !== undefined));
});

// [RFC6121-3.4-a]
t.test(
  'a pre-approved request needs no second approval, and pre-approval is not tried without server support',
  async (t) => {
    const { server, client } = await startLoopback(t);
    const ann = await arrive(client('ann', { plugins: EVERYTHING }));
    const bob = await arrive(client('bob', { plugins: EVERYTHING }));
    const changed = onRoster(bob, 'changed');
    bob.get(subscriptions).preApprove(ANN);
    t.match((await changed).item, { isApproved: true, subscription: 'none' });
    const approved = onSubscription(ann, 'approved');
    ann.get(subscriptions).request(BOB);
    await approved;
    await until(() => bob.get(roster).get(ANN)?.subscription === 'from', 'the push to bob');

    const log = recorder();
    server.misbehave({
      ...log,
      features: (stage) =>
        stage === 'authenticated'
          ? `<stream:features><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></stream:features>`
          : undefined,
    });
    const cid = await arrive(client('cid', { plugins: EVERYTHING }));
    t.throws(() => cid.get(subscriptions).preApprove(ANN), {
      name: 'XmppError',
      message: /does not support pre-approval/,
    });
    t.notOk(log.sent.some((element) => element.attr('type') === 'subscribed'));
  },
);

const from = (jid: string, inside = '', type = ''): string =>
  `<presence xmlns='${NS_CLIENT}' from='${jid}' ${type === '' ? '' : `type='${type}'`}>${inside}</presence>`;

// [RFC6121-4.5.4-a] [RFC6121-4.7.1-a,c] [RFC6121-4.7.2.1-a] [RFC6121-4.7.2.2-a] [RFC6121-4.7.2.3-a]
t.test('contacts are seen by client, the highest priority first, and strangers are not', async (t) => {
  const { server, client } = await startLoopback(t);
  const ann = await arrive(client('ann', { plugins: EVERYTHING, resource: 'desk' }));
  const seen = (of = BOB): string[] =>
    ann
      .get(contactPresence)
      .of(of)
      .map(({ jid }) => jid.resource);
  // In one piece: the push has taken effect by the time its presence is read.
  await inject(
    server,
    ann,
    push("<item jid='bob@localhost' subscription='both'/>") +
      from('bob@localhost/phone', '<priority>-5</priority>') +
      from('bob@localhost/desk', '<show>dnd</show><status>busy</status><priority> 7 </priority>') +
      from('bob@localhost/tablet', '<show>sleeping</show><priority>high</priority>') +
      from('eve@localhost/desk') +
      from('room@rooms.localhost/bob') +
      from('ann@localhost/other'),
  );
  t.strictSame(seen(), ['desk', 'tablet', 'phone']);
  t.match(ann.get(contactPresence).of(BOB)[0], { show: 'dnd', status: 'busy', priority: 7 });
  t.match(
    ann.get(contactPresence).of(BOB)[1],
    { show: undefined, status: undefined, priority: 0 },
    'what makes no sense says nothing',
  );
  t.strictSame(seen(BOB.withResource('phone')), ['phone']);
  t.strictSame(seen(Jid.parse('eve@localhost')), []);
  t.strictSame(seen(Jid.parse('room@rooms.localhost')), []);
  t.ok(seen(ANN).includes('other'), 'our other clients are');

  const gone: string[] = [];
  ann.get(contactPresence).events.on('unavailable', ({ jid }) => gone.push(jid.resource));
  await inject(
    server,
    ann,
    from('bob@localhost/desk', '', 'unavailable') + from('bob@localhost/desk', '', 'unavailable'),
  );
  t.strictSame(seen(), ['tablet', 'phone']);
  await inject(server, ann, from('bob@localhost', '', 'error'));
  t.strictSame(seen(), [], 'an error from the bare JID speaks of all');
  t.strictSame(gone, ['desk', 'phone', 'tablet']);

  await inject(server, ann, Array.from({ length: 200 }, (_, index) => from(`bob@localhost/${index}`)).join(''));
  t.equal(seen().length, 64);
  t.equal(seen()[0], '199');
  await inject(server, ann, push("<item jid='bob@localhost' subscription='from'/>") + from('bob@localhost/199'));
  t.strictSame(seen(), [], 'who may be seen no longer is not');

  await inject(server, ann, push("<item jid='bob@localhost' subscription='to'/>") + from('bob@localhost/desk'));
  t.strictSame(seen(), ['desk']);
  const offline = ann.events.once('offline', soon);
  server.cutAll();
  await offline;
  t.strictSame(seen(), [], 'without a session nobody is known to be there');
});

// [RFC6121-4.4.1-a] [RFC6121-4.7.2.2-a] [RFC6121-4.7.2.3-a] [RFC6121-8.5.2-a]
t.test('our own presence can be changed, and is the same after a reconnect', async (t) => {
  const { server, online } = await startLoopback(t);
  const log = recorder();
  server.misbehave(log);
  const ann = await online('ann', { presence: { status: 'new here' } });
  ann.setPresence({
    show: 'xa',
    status: [
      { text: 'gone', language: 'en' },
      { text: 'fort', language: 'de' },
    ],
    priority: -1,
  });
  const sent = (): Element[] => log.sent.filter(({ name }) => name === 'presence');
  await until(() => sent().length === 2, 'the change');
  t.equal(sent()[0]?.childText('status'), 'new here');
  server.cutAll();
  await until(() => sent().length === 3, 'the presence of the next session');
  for (const presence of sent().slice(1)) {
    t.match(readAvailability({ element: presence, language: 'en' }), { show: 'xa', status: 'gone', priority: -1 });
    t.strictSame(
      readTexts(presence, 'status', 'en').map(({ language }) => language),
      ['en', 'de'],
    );
  }
  ann.setPresence(false);
  server.cutAll();
  await ann.events.once('online', soon);
  t.equal(await ann.iq({ type: 'get', payload: el('ping', 'urn:xmpp:ping') }), undefined);
  t.equal(sent().length, 3, 'none, when told so');
  for (const priority of [128, -129, 1.5, NaN])
    t.throws(() => writePresence({ priority }), /must be a whole number from -128 to 127/);
});

// [RFC6121-5.1-a]
t.test('a chat continues with the client that replied, until another client writes or sends presence', async (t) => {
  const { server, client } = await startLoopback(t);
  const ann = client('ann', { plugins: [resourceLocking], resource: 'desk' });
  await ann.start();
  const address = (): string => ann.get(resourceLocking).address(BOB.withResource('any')).toString();
  const chat = (jid: string, type = 'chat', inside = '<body>Hi</body>'): string =>
    `<message xmlns='${NS_CLIENT}' from='${jid}' type='${type}'>${inside}</message>`;
  const steps: readonly [string, string][] = [
    [chat('bob@localhost/phone', 'chat', '<active xmlns="urn:states"/>'), 'bob@localhost'],
    [chat('bob@localhost/phone', 'groupchat'), 'bob@localhost'],
    [chat('bob@localhost/phone'), 'bob@localhost/phone'],
    [from('cid@localhost/phone'), 'bob@localhost/phone'],
    [chat('bob@localhost/desk'), 'bob@localhost'],
    [chat('bob@localhost/desk'), 'bob@localhost/desk'],
    [from('bob@localhost/desk', '<show>away</show>'), 'bob@localhost'],
    [chat('bob@localhost/desk'), 'bob@localhost/desk'],
    [from('bob@localhost/phone', '', 'unavailable'), 'bob@localhost'],
    [chat('bob@localhost/desk'), 'bob@localhost/desk'],
  ];
  t.equal(address(), 'bob@localhost', 'it begins with the bare JID');
  for (const [xml, expected] of steps) {
    await inject(server, ann, xml);
    t.equal(address(), expected, xml);
  }
  const offline = ann.events.once('offline', soon);
  server.cutAll();
  await offline;
  t.equal(address(), 'bob@localhost', 'and anew at each session');
});

async function messagesOf(server: LoopbackServer, client: Client, xml: string): Promise<readonly Message[]> {
  const messages: Message[] = [];
  const dispose = client.events.on('message', (message) => messages.push(message));
  await inject(server, client, xml);
  dispose();
  return messages.slice(0, -1);
}

// [RFC6120-8.1.4-a] [RFC6120-8.4-a] [RFC6121-4.7.1-b] [RFC6121-5.2.2-a] [RFC6121-5.3-a]
t.test('a message of a type that does not exist is a normal one, and unknown content is passed over', async (t) => {
  const { server, online } = await startLoopback(t);
  const ann = await online('ann');
  const of = (type: string): string =>
    `<message xmlns='${NS_CLIENT}' from='bob@localhost' ${type}><body>Hi</body></message>`;
  const types = [
    '',
    "type='chat'",
    "type='groupchat'",
    "type='headline'",
    "type='normal'",
    "type='Chat'",
    "type='constructor'",
    "type=''",
  ];
  const messages = await messagesOf(server, ann, types.map(of).join(''));
  t.strictSame(
    messages.map(({ type }) => type),
    ['normal', 'chat', 'groupchat', 'headline', 'normal', 'normal', 'normal', 'normal'],
  );

  const unknown = "<x xmlns='urn:unknown'><body xmlns='jabber:client'>no</body></x><body xmlns='urn:unknown'>no</body>";
  const [mixed, only] = await messagesOf(
    server,
    ann,
    `<message xmlns='${NS_CLIENT}' from='bob@localhost'>${unknown}<body>yes</body></message>` +
      `<message xmlns='${NS_CLIENT}' from='bob@localhost'>${unknown}</message>`,
  );
  t.equal(mixed?.body, 'yes', 'RFC 6120 §8.4: what is understood is used');
  t.equal(only?.body, undefined);
  const presences: Presence[] = [];
  ann.events.on('presence', (presence) => presences.push(presence));
  await inject(server, ann, from('bob@localhost/a', unknown) + from('bob@localhost/b', '', 'constructor'));
  t.strictSame(
    presences.map(({ from, type }) => `${from.resource} ${type}`),
    ['a available'],
    'a presence of a type that does not exist is ignored',
  );
});

// [RFC6120-8.1.5-a,b] [RFC6121-5.2.3-a] [RFC6121-5.2.4-a]
t.test('texts have their language from themselves, their stanza, or the stream', async (t) => {
  const { server, online } = await startLoopback(t);
  const ann = await online('ann');
  const [inherited, own, several, none] = await messagesOf(
    server,
    ann,
    `<message xmlns='${NS_CLIENT}' from='bob@localhost'><body>Hi</body></message>` +
      `<message xmlns='${NS_CLIENT}' from='bob@localhost' xml:lang='fr'><body>Salut</body></message>` +
      `<message xmlns='${NS_CLIENT}' from='bob@localhost' xml:lang='cs'><subject xml:lang='de'>Gruß</subject>` +
      `<body xml:lang='de'>Hallo</body><body>Ahoj</body><body xml:lang='en-GB'>Hello</body></message>` +
      `<message xmlns='${NS_CLIENT}' from='bob@localhost' xml:lang=''><body>?</body></message>`,
  );
  t.equal(inherited?.language, 'en', 'RFC 6120 §8.1.5: what the header of the stream said');
  t.equal(own?.language, 'fr');
  t.equal(none?.language, undefined);
  t.match(
    several,
    { body: 'Ahoj', subject: 'Gruß', language: 'cs' },
    'the text of the message itself, or else the first',
  );
  const texts = several === undefined ? [] : readTexts(several.element, 'body', several.language);
  t.strictSame(texts, [
    { text: 'Hallo', language: 'de' },
    { text: 'Ahoj', language: 'cs' },
    { text: 'Hello', language: 'en-GB' },
  ]);
  const wishes: readonly [readonly string[], string | undefined][] = [
    [['cs'], 'Ahoj'],
    [['DE'], 'Hallo'],
    [['de-CH-1996'], 'Hallo'],
    [['de-CH-x-dialect'], 'Hallo'],
    [['fr', 'en-GB'], 'Hello'],
    [['en'], 'Hello'],
    [['en-US', 'cs'], 'Ahoj'],
    [['fr'], 'Hallo'],
    [['-', ''], 'Hallo'],
    [[], 'Hallo'],
  ];
  for (const [preferred, text] of wishes) t.equal(chooseText(texts, preferred)?.text, text, preferred.join(', '));
  t.equal(chooseText([], ['de']), undefined);
});

// [RFC6121-5.2.1-a] [RFC6121-5.2.3-a,b] [RFC6121-5.2.4-a] [RFC6121-5.2.5-b]
t.test('a conversation can branch off another, and texts are sent in several languages', async (t) => {
  const { online } = await startLoopback(t);
  const ann = await online('ann', { resource: 'desk' });
  const bob = await online('bob', { resource: 'desk' });
  const message = ann.events.once('message', soon);
  const body = [
    { text: 'Hello', language: undefined },
    { text: 'Hallo', language: 'de' },
  ];
  bob.send(
    writeMessage({
      to: ANN.withResource('desk'),
      type: 'chat',
      subject: 'Greeting',
      body,
      thread: 'b',
      parentThread: 'a',
    }),
  );
  const received = await message;
  t.match(received, { subject: 'Greeting', body: 'Hello', thread: 'b', parentThread: 'a' });
  t.equal(chooseText(readTexts(received.element, 'body', received.language), ['de'])?.text, 'Hallo');
  const twice = ['de', 'DE'].map((language) => ({ text: 'Hallo', language }));
  t.throws(() => writeMessage({ to: ANN, type: 'chat', body: twice }), /two <body\/> have the same language/);
});

/** RFC 6120 §8.3.3, each condition with the type that its definition names (the first, where it names two). */
const CONDITIONS: Readonly<Record<string, StanzaErrorType>> = {
  'bad-request': 'modify',
  conflict: 'cancel',
  'feature-not-implemented': 'cancel',
  forbidden: 'auth',
  gone: 'cancel',
  'internal-server-error': 'cancel',
  'item-not-found': 'cancel',
  'jid-malformed': 'modify',
  'not-acceptable': 'modify',
  'not-allowed': 'cancel',
  'not-authorized': 'auth',
  'policy-violation': 'modify',
  'recipient-unavailable': 'wait',
  redirect: 'modify',
  'registration-required': 'auth',
  'remote-server-not-found': 'cancel',
  'remote-server-timeout': 'wait',
  'resource-constraint': 'wait',
  'service-unavailable': 'cancel',
  'subscription-required': 'auth',
  'undefined-condition': 'cancel',
  'unexpected-request': 'modify',
};

const errorStanza = (error: string): Element =>
  el('iq', NS_CLIENT, { type: 'error', 'xml:lang': 'fr' }, error === '' ? undefined : parse(error));
// [RFC6120-8.3.2-a,b] [RFC6120-8.3.4-a]
t.test('every condition of a stanza error is known with its type, is written and read back', async (t) => {
  for (const [name, type] of Object.entries(CONDITIONS)) {
    const condition = stanzaErrorCondition(name);
    t.equal(condition, name);
    t.equal(StanzaError.of(condition).type, type, name);
    const missing = el('iq', NS_CLIENT, {}, el('error', NS_CLIENT, {}, el(name, NS_STANZAS)));
    t.match(readStanzaError(missing), { condition: name, type }, 'also where no type was sent');
    const application = el('too-many', 'urn:application', { limit: 3 });
    const details = { application, language: 'de', alternative: name === 'gone' ? 'xmpp:new@localhost' : undefined };
    const error = new StanzaError('wait', condition, 'Genug', 'localhost', details);
    const read = readStanzaError(el('iq', NS_CLIENT, {}, writeStanzaError(error)));
    for (const part of ['type', 'condition', 'text', 'by', 'details'] as const)
      t.strictSame(read[part], error[part], name);
  }
});

// [pitfall-legacy-errors]
t.test('an error with a code only is the condition that it became (XEP-0086 §3)', async (t) => {
  const read = (error: string): StanzaError => readStanzaError(errorStanza(error));
  const legacy = (code: string, inside = ''): StanzaError =>
    read(`<error xmlns='${NS_CLIENT}' code='${code}'>${inside}</error>`);
  for (const [code, condition, type] of [
    ['302', 'redirect', 'modify'],
    ['400', 'bad-request', 'modify'],
    ['401', 'not-authorized', 'auth'],
    ['403', 'forbidden', 'auth'],
    ['404', 'item-not-found', 'cancel'],
    ['405', 'not-allowed', 'cancel'],
    ['406', 'not-acceptable', 'modify'],
    ['407', 'registration-required', 'auth'],
    ['408', 'remote-server-timeout', 'wait'],
    ['409', 'conflict', 'cancel'],
    ['500', 'internal-server-error', 'cancel'],
    ['501', 'feature-not-implemented', 'cancel'],
    ['502', 'service-unavailable', 'cancel'],
    ['503', 'service-unavailable', 'cancel'],
    ['504', 'remote-server-timeout', 'wait'],
    ['510', 'service-unavailable', 'cancel'],
    ['999', 'undefined-condition', 'cancel'],
    ['constructor', 'undefined-condition', 'cancel'],
  ] as const)
    t.match(legacy(code), { condition, type, text: undefined }, code);
  t.match(legacy('409', 'Nick is taken'), { condition: 'conflict', text: 'Nick is taken' });
  const both = `<error xmlns='${NS_CLIENT}' code='409' type='auth'><forbidden xmlns='${NS_STANZAS}'/></error>`;
  t.match(read(both), { condition: 'forbidden' }, 'a condition of its own counts more');
});

// [RFC6120-8.3.2-c]
t.test('a stanza error that is unknown, incomplete or absurd is read as far as it goes', async (t) => {
  const error = (attributes: string, inside: string): Element => {
    const ns = { xmlns: NS_CLIENT };
    return el(
      'message',
      ns.xmlns,
      { type: 'error', 'xml:lang': 'fr' },
      parse(`<error xmlns='${NS_CLIENT}' ${attributes}>${inside}</error>`),
    );
  };
  const unknown = `<catastrophe xmlns='${NS_STANZAS}'/>`;
  t.match(readStanzaError(errorStanza('')), { type: 'cancel', condition: 'undefined-condition', text: undefined });
  t.match(readStanzaError(error("type='wait'", unknown)), { type: 'wait', condition: 'undefined-condition' });
  t.match(readStanzaError(error("type='constructor'", `<constructor xmlns='${NS_STANZAS}'/>`)), {
    type: 'cancel',
    condition: 'undefined-condition',
  });
  t.match(readStanzaError(error("type='never'", `<bad-request xmlns='${NS_STANZAS}'/>`)), {
    type: 'modify',
    condition: 'bad-request',
  });
  const text = `<text xmlns='${NS_STANZAS}' xml:lang='de'>Nein</text><text xmlns='${NS_STANZAS}'>Non</text>`;
  t.match(readStanzaError(error("by='room@localhost'", `${text}<conflict xmlns='${NS_STANZAS}'/>`)), {
    condition: 'conflict',
    text: 'Non',
    by: 'room@localhost',
    details: { language: 'fr' },
  });
  const redirect = readStanzaError(error('', `<redirect xmlns='${NS_STANZAS}'> xmpp:b@localhost </redirect>`));
  t.equal(redirect.details.alternative, 'xmpp:b@localhost');
});

// [RFC6120-4.9.4-a]
t.test(
  'what ends a stream is told with the condition of the RFC, the words and the condition of the application',
  async (t) => {
    const { server, online } = await startLoopback(t);
    const ann = await online('ann', { resource: 'desk' });
    const offline = ann.events.once('offline', soon);
    server.inject(
      ANN.withResource('desk'),
      `<stream:error><policy-violation xmlns='${NS_STREAMS}'/><text xmlns='${NS_STREAMS}' xml:lang='de'>Zu viel</text>` +
        `<stanza-too-big xmlns='urn:application'/></stream:error>`,
    );
    const { reason } = await offline;
    t.match(reason, { name: 'StreamError', condition: 'policy-violation', by: 'peer', message: /Zu viel/ });
    t.match(reason instanceof StreamError && reason.details, {
      language: 'de',
      application: { name: 'stanza-too-big' },
    });
    t.equal(streamErrorCondition('see-other-host'), 'see-other-host');
    for (const name of ['catastrophe', 'constructor', '', undefined])
      t.equal(streamErrorCondition(name), 'undefined-condition');
  },
);
