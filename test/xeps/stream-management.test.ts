import t, { type Test } from 'tap';
import {
  clientStateIndication,
  Ledger,
  livenessWith,
  muc,
  NS_CSI,
  NS_MUC,
  NS_STREAM_MANAGEMENT,
  streamManagement,
  streamManagementWith,
} from '../../src/xeps/index.js';
import type { Client, ClientOptions } from '../../src/xmpp-core/client.js';
import { NegotiationError, StreamError } from '../../src/xmpp-core/errors.js';
import { ResendQueue } from '../../src/xeps/xep-0198-stream-management/resend-queue.js';
import { ManagedSession } from '../../src/xeps/xep-0198-stream-management/managed-session.js';
import type { Negotiation } from '../../src/xmpp-core/stream/stream-feature.js';
import { contactPresence } from '../../src/xmpp-core/im/contact-presence.js';
import { resourceLocking } from '../../src/xmpp-core/im/resource-locking.js';
import { inBackground } from '../../src/xmpp-core/background.js';
import { Jid } from '../../src/xmpp-core/jid/jid.js';
import { NS_CLIENT, NS_STREAM } from '../../src/xmpp-core/stanza/namespaces.js';
import { writeMessage } from '../../src/xmpp-core/stanza/stanzas.js';
import { el, type Element } from '../../src/xmpp-core/xml/element.js';
import { scope, serialize } from '../../src/xmpp-core/xml/serialize.js';
import { recorded } from '../support/fixtures.js';
import { PATIENCE_MS, recorder, startLoopback, until } from '../support/loopback.js';
import { BIND, dialogue, features, HEADER, type Peer } from '../support/script.js';

const SM = `<sm xmlns='${NS_STREAM_MANAGEMENT}'/>`;
const ENABLED = `<enabled xmlns='${NS_STREAM_MANAGEMENT}' id='s1' resume='true' max='600'/>`;
const R = `<r xmlns='${NS_STREAM_MANAGEMENT}'/>`;
const a = (h: number): string => `<a xmlns='${NS_STREAM_MANAGEMENT}' h='${h}'/>`;
const resumed = (h: number): string => `<resumed xmlns='${NS_STREAM_MANAGEMENT}' h='${h}' previd='s1'/>`;
const BOB = Jid.parse('bob@localhost/x');
const chat = (id: string) => writeMessage({ to: BOB, type: 'chat', id, body: id });
const wire = (id: string): string =>
  `<message to='bob@localhost/x' type='chat' id='${id}'><body>${id}</body></message>`;
const incoming = (body: string): string => `<message from='bob@localhost/x' type='chat'><body>${body}</body></message>`;

/** Logs a new session in and enables stream management in it. @returns what the client said first in it */
async function enables(peer: Peer, enabled = ENABLED, ...offers: string[]): Promise<string> {
  await peer.authenticates();
  peer.sends(HEADER + features(BIND, SM, ...offers));
  peer.binds(await peer.receives(/<\/iq>/));
  const first = await peer.receives(/<enable [^>]*>/);
  peer.sends(enabled);
  return first;
}

/** Logs in to the point where the client asks to resume. @returns its request */
async function asksToResume(peer: Peer, ...offers: string[]): Promise<string> {
  await peer.authenticates();
  peer.sends(HEADER + features(BIND, SM, ...offers));
  return peer.receives(/<resume [^>]*>/);
}

/** A session with stream management and no presence, so that each count is the test's own. */
async function counted(t: Test, options: Partial<ClientOptions> = {}) {
  const scene = await dialogue(t, {
    presence: false,
    plugins: [streamManagement],
    reconnect: { firstMs: 1, maxMs: 1 },
    ...options,
  });
  const first = await enables(scene.peer);
  await scene.started;
  await until(() => scene.client.get(streamManagement).enabled, 'enabled');
  return { ...scene, first };
}

/** Breaks the connection, and waits until the client has seen it. */
async function breaks(client: Client, peer: Peer): Promise<void> {
  const suspended = client.events.once('suspended', { timeoutMs: PATIENCE_MS });
  peer.hangsUp();
  await suspended;
}

// [XEP-0198 §3] [XEP-0198 §4]
t.test(
  'stream management is asked for once, right after binding, and all of one turn is asked about once',
  async (t) => {
    const { client, peer, first } = await counted(t);
    t.equal(first, `<enable xmlns='${NS_STREAM_MANAGEMENT}' resume='true'/>`);
    const acknowledged: (string | undefined)[] = [];
    client.get(streamManagement).events.on('acknowledged', ({ stanza }) => acknowledged.push(stanza.attr('id')));
    client.send(chat('m1'));
    client.send(chat('m2'));
    t.equal(await peer.receives(/<r [^>]*>/), wire('m1') + wire('m2') + R);
    const known = client.get(streamManagement).acknowledged('m3');
    t.equal(await Promise.race([known.then(() => 'at once'), Promise.resolve('later')]), 'later', 'of nothing sent');
    client.send(chat('m3'));
    const third = client.get(streamManagement).acknowledged('m3');
    t.equal(await peer.receives(/<\/message>/), wire('m3'), 'one question at most waits for its answer');
    t.equal(peer.unread, '');
    peer.sends(a(2));
    t.equal(await peer.receives(/<r [^>]*>/), R, 'what came after the question is asked about when it is answered');
    t.strictSame(acknowledged, ['m1', 'm2']);
    peer.sends(a(3));
    await third;
    t.strictSame(acknowledged, ['m1', 'm2', 'm3']);
    t.strictSame(client.get(streamManagement).unacknowledged, []);
  },
);

// [XEP-0198 §4] [pitfall-sm-counters]
t.test(
  'only stanzas are counted, from <enabled/> on, and each question is answered at once with what was handled',
  async (t) => {
    const { client, peer, started } = await dialogue(t, { presence: false, plugins: [streamManagement] });
    await peer.authenticates();
    peer.sends(HEADER + features(BIND, SM));
    peer.binds(await peer.receives(/<\/iq>/));
    await peer.receives(/<enable [^>]*>/);
    const handled: (string | undefined)[] = [];
    client.events.on('message', ({ body }) => handled.push(body));
    peer.sends(incoming('before') + ENABLED + R);
    t.equal(await peer.receives(/<a [^>]*>/), a(0), 'what came before was not counted');
    await started;
    peer.sends(
      `${incoming('one')}<other xmlns='urn:example'/><presence from='bob@localhost/x'/>${R}${incoming('two')}`,
    );
    t.equal(await peer.receives(/<a [^>]*>/), a(2));
    peer.sends(R);
    t.equal(await peer.receives(/<a [^>]*>/), a(3));
    t.strictSame(handled, ['before', 'one', 'two']);
    const stopped = client.stop();
    t.match(await peer.receives(/<\/stream:stream>/), a(3), 'the server is told what arrived before we go');
    peer.sends('</stream:stream>');
    await stopped;
  },
);

// [XEP-0198 §5] [pitfall-resume-before-bind] [pitfall-sm-counters]
t.test(
  'a session whose connection broke is resumed before anything is bound, and nothing is lost or doubled in either direction',
  async (t) => {
    const { client, peer, next } = await counted(t);
    const heard: (string | undefined)[] = [];
    const seen: string[] = [];
    client.events.on('message', ({ body }) => heard.push(body));
    client.events.on('suspended', () => seen.push('suspended'));
    client.events.on('offline', () => seen.push('offline'));
    client.events.on('online', (online) => seen.push(`online ${online.resumed}`));
    peer.sends(incoming('one') + incoming('two'));
    await until(() => heard.length === 2, 'two messages');
    for (const id of ['m1', 'm2', 'm3']) client.send(chat(id));
    await peer.receives(/<r [^>]*>/);
    const jid = client.jid?.toString();
    const answer = client.iq({ to: BOB, type: 'get', payload: el('q', 'urn:example') });
    const request = await peer.receives(/<\/iq>/);
    await breaks(client, peer);
    t.equal(client.state, 'suspended');
    t.equal(client.jid?.toString(), jid);
    client.send(chat('m4'));

    const again = await next();
    t.match(await asksToResume(again), /<resume xmlns='urn:xmpp:sm:3' h='2' previd='s1'\/>$/);
    // The server has handled the first two; its own third message never reached us.
    again.sends(resumed(2) + incoming('three'));
    t.equal(
      await again.receives(/<r [^>]*>/),
      wire('m3') + request + wire('m4') + R,
      'in their order, and asked about',
    );
    again.sends(R);
    t.equal(await again.receives(/<a [^>]*>/), a(3), 'counts go on');
    t.equal(again.unread, '');
    t.strictSame(heard, ['one', 'two', 'three']);
    t.strictSame(seen, ['suspended', 'online true']);
    t.equal(client.jid?.toString(), jid);
    const id = /id='([^']*)'/.exec(request)?.[1] ?? '';
    again.sends(a(5) + `<iq type='result' id='${id}' from='bob@localhost/x'><r xmlns='urn:example'/></iq>`);
    t.equal((await answer)?.name, 'r', 'a question of before the loss gets its answer');
    t.strictSame(client.get(streamManagement).unacknowledged, []);
  },
);

// [XEP-0198 §5] [pitfall-sm-failed-queue]
t.test(
  'where the server has forgotten the session a new one begins, and what it had not handled is sent again or told',
  async (t) => {
    const { client, peer, next } = await counted(t);
    const seen: string[] = [];
    client.events.on('offline', () => seen.push('offline'));
    client.events.on('online', (online) => seen.push(`online ${online.resumed}`));
    const failed: string[] = [];
    client.get(streamManagement).events.on('failed', ({ stanza }) => failed.push(stanza.name));
    client.send(chat('m1'));
    client.send(chat('m2'));
    client.send(el('presence', 'jabber:client', { to: 'bob@localhost' }));
    const answer = client.iq({ to: BOB, type: 'set', payload: el('q', 'urn:example') });
    answer.catch(() => undefined);
    client.send(writeMessage({ to: Jid.parse('tea@rooms.localhost'), type: 'groupchat', id: 'm3', body: 'm3' }));
    await peer.receives(/<r [^>]*>/);
    await breaks(client, peer);
    client.send(chat('m4'));
    const second = client.get(streamManagement).acknowledged('m2');

    const again = await next();
    await asksToResume(again);
    again.sends(
      `<failed xmlns='${NS_STREAM_MANAGEMENT}' h='1'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>`,
    );
    again.binds(await again.receives(/<\/iq>/));
    const said = await again.receives(/<enable [^>]*>(<message .*?<\/message>){2}/);
    t.match(said, /id='m2'><body>m2<\/body><delay xmlns='urn:xmpp:delay' stamp='[^']*Z'\/><\/message><message /);
    t.match(said, /id='m4'/, 'with what was sent while there was no connection');
    t.notMatch(said, /id='m1'/, 'the server has the first one');
    await t.rejects(answer, /connection was lost/, 'a request may have been carried out, so it is not repeated');
    t.strictSame(seen, ['offline', 'online false']);
    t.strictSame(failed, ['presence', 'iq']);
    again.sends(ENABLED.replace('s1', 's2'));
    t.equal(await again.receives(/<r [^>]*>/), R);
    again.sends(a(2));
    await second;
    // The room would refuse it until we are in it again: what others, other rooms and a good-bye say is no sign of that.
    const inRoom = (from: string, code: string, type = ''): string =>
      `<presence from='${from}' ${type}><x xmlns='http://jabber.org/protocol/muc#user'>${code}</x></presence>`;
    const self = `<status code='110'/>`;
    again.sends(
      inRoom('tea@rooms.localhost/bob', '') +
        inRoom('coffee@rooms.localhost/ann', self) +
        inRoom('tea@rooms.localhost/ann', self, `type='unavailable'`) +
        R,
    );
    t.equal(await again.receives(/<a [^>]*>/), a(3));
    t.equal(again.unread, '');
    again.sends(inRoom('tea@rooms.localhost/ann', self));
    t.match(await again.receives(/<\/message>/), /type='groupchat' id='m3'>.*<delay /);
  },
);

// [XEP-0198 §6]
t.test('a count that cannot be ends the stream and the session', async (t) => {
  for (const h of ['3', '0', '-1', '4294967296', 'x']) {
    const { client, peer, next } = await counted(t);
    for (const id of ['m1', 'm2']) client.send(chat(id));
    await peer.receives(/<r [^>]*>/);
    peer.sends(a(1));
    await peer.receives(/<r [^>]*>/);
    const offline = client.events.once('offline', { timeoutMs: PATIENCE_MS });
    peer.sends(`<a xmlns='${NS_STREAM_MANAGEMENT}' h='${h}'/>`);
    const end = await peer.receives(/<\/stream:stream>/);
    t.match(end, `<stream:error><undefined-condition xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>`);
    if (/^[30]$/.test(h)) {
      t.match(end, `<handled-count-too-high xmlns='${NS_STREAM_MANAGEMENT}' h='${h}' send-count='2'/></stream:error>`);
    }
    t.match((await offline).reason, { name: 'StreamError' });
    const again = await next();
    t.match(await enables(again, ENABLED), /<enable /, 'there is nothing to resume');
    t.match(
      await again.receives(/<\/message>/),
      /id='m2'.*<delay /,
      'what was not acknowledged goes out in the next session',
    );
  }
});

// [XEP-0198 §5]
t.test('a count that cannot be in <resumed/> ends the attempt, and the next one begins a new session', async (t) => {
  const { client, peer, next } = await counted(t);
  client.send(chat('m1'));
  await peer.receives(/<r [^>]*>/);
  await breaks(client, peer);
  const again = await next();
  await asksToResume(again);
  again.sends(resumed(2));
  t.match(await again.receives(/<\/stream:stream>/), /handled-count-too-high/);
  const third = await next();
  t.match(await enables(third), /<enable /);
  t.match(await third.receives(/<\/message>/), /id='m1'/);
});

// [XEP-0198 §4] [pitfall-sm-counters]
t.test('counts wrap at 2^32, and what goes back by one is far too high', async (t) => {
  const edge = 2 ** 32 - 1;
  const ledger = new Ledger({ stanzas: 10, characters: 1_000 }, { acknowledged: edge, handled: edge });
  for (const id of ['m1', 'm2', 'm3']) ledger.add(chat(id));
  t.strictSame(
    ledger.acknowledge('1').map(({ stanza }) => stanza.attr('id')),
    ['m1', 'm2'],
  );
  t.throws(() => ledger.acknowledge('0'), StreamError);
  t.throws(() => ledger.acknowledge('3'), StreamError);
  t.strictSame(ledger.acknowledge('1'), [], 'the same count again says nothing new');
  t.equal(ledger.acknowledge('2').length, 1);
  ledger.countHandled();
  t.equal(ledger.handled, 0);
});

// [XEP-0198 §4]
t.test('what waits for its acknowledgement is bounded, online and suspended', async (t) => {
  const bounded = streamManagementWith({ stanzas: 2, characters: 1_000_000 });
  const scene = await dialogue(t, { presence: false, plugins: [bounded], reconnect: { firstMs: 1, maxMs: 1 } });
  const { client, peer } = scene;
  await enables(peer);
  await scene.started;
  client.send(chat('m1'));
  await until(() => client.get(bounded).enabled, 'enabled');
  await breaks(client, peer);
  client.send(chat('m2'));
  t.throws(() => client.send(chat('m3')), /2 stanzas are unacknowledged/);
  const again = await scene.next();
  await asksToResume(again);
  again.sends(resumed(1));
  t.equal(await again.receives(/<r [^>]*>/), wire('m2') + R, 'what was refused is not sent');
  client.send(chat('m4'));
  t.throws(() => client.send(chat('m5')), /are unacknowledged/);
  again.sends(a(3));
  await until(() => client.get(bounded).unacknowledged.length === 0, 'room');
  client.send(chat('m5'));
  t.equal(await again.receives(/<r [^>]*>/), wire('m4') + wire('m5') + R);
  const bytes = new Ledger({ stanzas: 10, characters: 10 }, { acknowledged: 0, handled: 0 });
  bytes.assertRoom();
  bytes.add(chat('m1'));
  t.throws(() => bytes.assertRoom(), /unacknowledged/);
});

// [XEP-0198 §7] [XEP-0198 §3]
t.test(
  'a stream that was closed, by an error too, ends its session; so does one that the server will not resume',
  async (t) => {
    const error = `<stream:error><system-shutdown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>`;
    for (const end of ['</stream:stream>', `${error}</stream:stream>`]) {
      const { client, peer, next } = await counted(t);
      client.events.on('suspended', () => t.fail('the session is over'));
      const offline = client.events.once('offline', { timeoutMs: PATIENCE_MS });
      peer.sends(end);
      await offline;
      t.equal(client.jid, undefined);
      t.throws(() => client.send(chat('m1')), /not online/);
      t.match(await enables(await next()), /<enable /);
    }
    for (const enabled of [`<enabled xmlns='${NS_STREAM_MANAGEMENT}'/>`, `<failed xmlns='${NS_STREAM_MANAGEMENT}'/>`]) {
      const scene = await dialogue(t, {
        presence: false,
        plugins: [streamManagement],
        reconnect: { firstMs: 1, maxMs: 1 },
      });
      await enables(scene.peer, enabled);
      await scene.started;
      const offline = scene.client.events.once('offline', { timeoutMs: PATIENCE_MS });
      scene.client.send(chat('m1'));
      await scene.peer.receives(/<\/message>/);
      scene.peer.hangsUp();
      await offline;
      t.match(await enables(await scene.next()), /<enable /);
    }
  },
);

// [XEP-0198 §5]
t.test('a session is given up when the next attempt would come after the time that the server keeps it', async (t) => {
  const scene = await dialogue(t, {
    presence: false,
    plugins: [streamManagement],
    reconnect: { firstMs: 1e9, maxMs: 1e9 },
  });
  await enables(scene.peer, ENABLED.replace("max='600'", "max='1'"));
  await scene.started;
  await until(() => scene.client.get(streamManagement).enabled, 'enabled');
  scene.client.events.on('suspended', () => t.fail('nobody would come back in time'));
  const offline = scene.client.events.once('offline', { timeoutMs: PATIENCE_MS });
  scene.peer.hangsUp();
  t.ok((await offline).willRetry);
});

// [XEP-0198 §5]
t.test('the first attempt to resume goes where the server wants us', async (t) => {
  const other = await dialogue(t, { presence: false });
  await other.client.stop();
  const scene = await dialogue(t, {
    presence: false,
    plugins: [streamManagement],
    reconnect: { firstMs: 1, maxMs: 1 },
  });
  const { port } = other;
  await enables(scene.peer, ENABLED.replace('resume=', `location='127.0.0.1:${port}' resume=`));
  await scene.started;
  await until(() => scene.client.get(streamManagement).enabled, 'enabled');
  await breaks(scene.client, scene.peer);
  const there = await other.next();
  await asksToResume(there);
  there.sends(resumed(0));
  await scene.client.events.once('online', { timeoutMs: PATIENCE_MS });
});

// [pitfall-one-liveness-policy]
t.test(
  'after a silence a counted session is asked for its count and not pinged, and without an answer it is suspended',
  async (t) => {
    const { client, peer, next } = await counted(t, {
      plugins: [streamManagement, livenessWith({ silenceMs: 30, deadlineMs: 300 })],
    });
    t.equal(await peer.receives(/<r [^>]*>/), R);
    peer.sends(a(0));
    t.equal(await peer.receives(/<r [^>]*>/), R);
    const { reason } = await client.events.once('suspended', { timeoutMs: PATIENCE_MS });
    t.match(reason, { name: 'TimeoutError' });
    const again = await next();
    await asksToResume(again);
    again.sends(resumed(0));
    t.equal(await again.receives(/<r [^>]*>/), R, 'and so it goes on');
  },
);

// [XEP-0045] [XEP-0198 §5]
t.test(
  'what plugins know of a session is as it was after it was resumed, and nothing is asked for again',
  async (t) => {
    const { client, peer, next } = await counted(t, {
      presence: {},
      plugins: [streamManagement, muc, contactPresence, resourceLocking],
    });
    const roster = await peer.receives(/<iq [^>]*><query xmlns='jabber:iq:roster'.*?<presence [^>]*>/);
    const id = /id='([^']*)'><query xmlns='jabber:iq:roster'/.exec(roster)?.[1] ?? '';
    peer.sends(
      `<iq type='result' id='${id}'><query xmlns='jabber:iq:roster'><item jid='bob@localhost' subscription='both'/></query></iq>` +
        `<presence from='bob@localhost/x'/>` +
        incoming('hello'),
    );
    const joined = client.get(muc).join(Jid.parse('tea@rooms.localhost'), { nick: 'ann' });
    const info = await peer.receives(/<iq [^>]*to='tea@rooms.localhost'[^>]*>.*?<\/iq>/);
    const infoId = /to='tea@rooms.localhost'[^>]* id='([^']*)'/.exec(info)?.[1] ?? '';
    peer.sends(
      `<iq type='result' id='${infoId}' from='tea@rooms.localhost'><query xmlns='http://jabber.org/protocol/disco#info'><identity category='conference' type='text'/></query></iq>`,
    );
    await peer.receives(/<presence [^>]*to='tea@rooms.localhost\/ann'.*?<\/presence>/);
    peer.sends(
      `<presence from='tea@rooms.localhost/ann'><x xmlns='http://jabber.org/protocol/muc#user'><item affiliation='none' role='participant'/><status code='110'/></x></presence>` +
        `<message from='tea@rooms.localhost' type='groupchat'><subject/></message>`,
    );
    await joined;
    await breaks(client, peer);
    const again = await next();
    const online = client.events.once('online', { timeoutMs: PATIENCE_MS });
    const h = /h='(\d+)'/.exec(await asksToResume(again))?.[1];
    t.equal(h, '6');
    again.sends(resumed(client.get(streamManagement).unacknowledged.length) + R);
    await online;
    await again.receives(/<a [^>]*>/);
    t.equal(again.unread, '');
    t.equal(client.get(muc).rooms.get('tea@rooms.localhost')?.joined, true);
    t.equal(client.get(contactPresence).of(BOB).length, 1);
    t.equal(client.get(resourceLocking).address(BOB.bare).toString(), 'bob@localhost/x');
  },
);

// [XEP-0352 §4.2] [XEP-0352 §5.2]
t.test('an inactive client says so where that is offered, and again in a resumed and in a new session', async (t) => {
  const INACTIVE = `<inactive xmlns='${NS_CSI}'/>`;
  const CSI = `<csi xmlns='${NS_CSI}'/>`;
  const scene = await dialogue(t, {
    presence: false,
    plugins: [streamManagement, clientStateIndication],
    reconnect: { firstMs: 1, maxMs: 1 },
  });
  const { client, peer, next } = scene;
  const state = client.get(clientStateIndication);
  await enables(peer, ENABLED, CSI);
  await scene.started;
  await until(() => client.get(streamManagement).enabled, 'enabled');
  state.setActive(true);
  state.setActive(false);
  state.setActive(false);
  t.equal(await peer.receives(/<inactive [^>]*>/), INACTIVE, 'once, and not that it is active');
  await breaks(client, peer);
  state.setActive(true);
  state.setActive(false);
  const again = await next();
  await asksToResume(again, CSI);
  again.sends(resumed(0));
  t.equal(await again.receives(/<inactive [^>]*>/), INACTIVE);
  again.sends('</stream:stream>');
  const third = await next();
  await enables(third, ENABLED, CSI);
  t.equal(await third.receives(/<inactive [^>]*>/), INACTIVE);
  state.setActive(true);
  t.equal(await third.receives(/<active [^>]*>/), `<active xmlns='${NS_CSI}'/>`);
  t.equal(state.active, true);
});

// [XEP-0198 §5] [XEP-0198 §7]
t.test(
  'a client on the loopback server is back in its session after the network failed, and misses nothing',
  async (t) => {
    const { server, online } = await startLoopback(t, { resumableSeconds: 600 });
    const log = recorder();
    server.misbehave(log);
    const plugins = [streamManagement, muc];
    const ann = await online('ann', { plugins });
    const bob = await online('bob', { plugins, reconnect: { firstMs: 200, maxMs: 200 } });
    const room = Jid.of('tea', server.rooms.domain);
    await ann.get(muc).join(room, { nick: 'ann' });
    await bob.get(muc).join(room, { nick: 'bob' });
    const heard: (string | undefined)[] = [];
    bob.events.on('message', ({ body }) => heard.push(body));
    bob.get(muc).events.on('message', ({ message: { body } }) => heard.push(body));
    const say = (body: string): void => ann.send(writeMessage({ to: bob.account, type: 'chat', body }));
    say('before');
    await until(() => heard.length === 1, 'the first message');
    const jids = [...server.sessions];
    const back = [ann, bob].map((client) => client.events.once('online', { timeoutMs: PATIENCE_MS }));
    const lost = bob.events.once('suspended', { timeoutMs: PATIENCE_MS });
    server.cutAll();
    await lost;
    t.strictSame(server.sessions, [], 'they are not connected, and nobody hears that they are gone');
    say('while nobody is connected');
    t.match(await back[0], { resumed: true });
    say('while bob is away');
    ann.get(muc).rooms.get(room.toString())?.sendMessage('in the room');
    t.match(await back[1], { resumed: true });
    await until(() => heard.length === 4, 'what was said meanwhile');
    t.strictSame(heard, ['before', 'while nobody is connected', 'while bob is away', 'in the room']);
    t.strictSame([...server.sessions].toSorted(), jids.toSorted());
    const isJoin = (one: Element): boolean => one.child('x', NS_MUC) !== undefined;
    t.equal(log.sent.filter(isJoin).length, 2, 'nobody had to join the room again');
    server.inject(bob.jid ?? bob.account, incoming('injected') + R);
    await until(() => heard.length === 5, 'what the test itself said');
    await ann.get(streamManagement).acknowledged('none');
    await until(
      () => [ann, bob].every((client) => client.get(streamManagement).unacknowledged.length === 0),
      'the counts',
    );
    server.failAll('system-shutdown');
    const anew = await bob.events.once('online', { timeoutMs: PATIENCE_MS });
    t.equal(anew.resumed, false, 'a stream that the server ended is not resumed');
  },
);

// [XEP-0198 §5]
t.test(
  'a loopback session that is not resumed in time is over, and what its client missed waits for the next one',
  async (t) => {
    const { server, client, online } = await startLoopback(t, { resumableSeconds: 0.05 });
    const bob = await online('bob', {
      plugins: [streamManagement],
      reconnect: { firstMs: 3_600_000, maxMs: 3_600_000 },
    });
    await until(() => bob.get(streamManagement).enabled, 'enabled');
    server.cutAll();
    const ann = await online('ann');
    const watching = ann.events.once('message', { timeoutMs: PATIENCE_MS });
    ann.send(writeMessage({ to: bob.jid ?? BOB, type: 'chat', body: 'are you there?' }));
    ann.send(writeMessage({ to: ann.account, type: 'chat', body: 'and I?' }));
    await watching;
    await bob.stop();
    const later = client('bob', { resource: 'later' });
    const heard = later.events.once('message', { timeoutMs: PATIENCE_MS });
    await later.start();
    t.equal((await heard).body, 'are you there?');
  },
);

// [XEP-0198 §3] [XEP-0198 §4] [XEP-0198 §5] [XEP-0352 §3]
t.test('what real servers say of stream management is understood', async (t) => {
  for (const server of ['Prosody', 'ejabberd']) {
    const element = (name: string): Element => {
      const found = recorded(198).get(`${name}, by ${server}`);
      if (found === undefined) throw new Error(`'${name}' is not recorded`);
      return found;
    };
    const says = (name: string): string => serialize(element(name), scope(NS_CLIENT, { stream: NS_STREAM }));
    const offer = HEADER + says('what is offered once one is logged in');
    const { client, peer, started, next } = await dialogue(t, {
      presence: false,
      plugins: [streamManagement, clientStateIndication],
      reconnect: { firstMs: 1, maxMs: 1 },
    });
    await peer.authenticates();
    peer.sends(offer);
    peer.binds(await peer.receives(/<\/iq>/));
    await peer.receives(/<enable [^>]*>/);
    peer.sends(says('enabled') + says('a question'));
    t.equal(await peer.receives(/<a [^>]*>/), a(0), server);
    await started;
    client.get(clientStateIndication).setActive(false);
    client.send(chat('m1'));
    client.send(chat('m2'));
    t.equal(await peer.receives(/<r [^>]*>/), `<inactive xmlns='${NS_CSI}'/>${wire('m1')}${wire('m2')}${R}`, server);
    const known = client.get(streamManagement).acknowledged('m2');
    peer.sends(says('an acknowledgement'));
    await known;
    const back = client.events.once('online', { timeoutMs: PATIENCE_MS });
    peer.hangsUp();
    const again = await next();
    await again.authenticates();
    again.sends(offer);
    const previous = element('enabled').attr('id') ?? '';
    t.equal(
      await again.receives(/<resume [^>]*>/),
      `<resume xmlns='${NS_STREAM_MANAGEMENT}' h='0' previd='${previous}'/>`,
    );
    again.sends(says('resumed'));
    t.match(await back, { resumed: true }, server);
  }
});

// [XEP-0198 §3]
t.test('what was sent before the server refused to count is not sent again, and nobody waits for it', async (t) => {
  const { client, peer, started, next } = await dialogue(t, {
    presence: false,
    plugins: [streamManagement],
    reconnect: { firstMs: 1, maxMs: 1 },
  });
  const refused = `<failed xmlns='${NS_STREAM_MANAGEMENT}'><feature-not-implemented xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>`;
  await enables(peer);
  await started;
  await until(() => client.get(streamManagement).enabled, 'enabled');
  client.send(chat('m1'));
  await peer.receives(/<r [^>]*>/);
  peer.sends('</stream:stream>');

  const second = await next();
  await second.authenticates();
  second.sends(HEADER + features(BIND, SM));
  const online = client.events.once('online', { timeoutMs: PATIENCE_MS });
  second.binds(await second.receives(/<\/iq>/));
  t.match(await second.receives(/<\/message>/), /<enable .*id='m1'/, 'what the lost session owed is paid');
  await online;
  client.send(chat('m2'));
  const known = client.get(streamManagement).acknowledged('m2');
  await second.receives(/<\/message>/);
  second.sends(refused);
  await known;
  t.strictSame(client.get(streamManagement).unacknowledged, []);
  client.send(chat('m3'));
  t.equal(await second.receives(/<\/message>/), wire('m3'), 'and the session goes on without counts');
  second.sends('</stream:stream>');

  const third = await next();
  await enables(third);
  await until(() => client.get(streamManagement).enabled, 'enabled again');
  client.send(chat('m4'));
  t.equal(await third.receives(/<r [^>]*>/), wire('m4') + R, 'nothing goes out twice');
});

const unexpected = (error: unknown): never => {
  throw error;
};

/** A session with nobody behind it: what it sends and tells. */
function alone() {
  const sent: Element[] = [];
  const failed: (string | undefined)[] = [];
  const session = new ManagedSession({
    limits: { stanzas: 10, characters: 10_000 },
    isOffered: () => true,
    isConnected: () => true,
    send: (element) => sent.push(element),
    background: (work) => inBackground(work, unexpected),
    onBroken: (error) => {
      throw error;
    },
    onAcknowledged: () => undefined,
    onFailed: (stanza) => failed.push(stanza.attr('id')),
    onUncounted: () => undefined,
  });
  return { session, sent, failed };
}

const sm = (name: string, attributes: Readonly<Record<string, string>> = {}): Element =>
  el(name, NS_STREAM_MANAGEMENT, attributes);
const ME = Jid.parse('ann@localhost/x');
const FRESH = { jid: ME, resumed: false } as const;

// [XEP-0198 §3] [XEP-0198 §5]
t.test('what a server promises counts once, when it was asked for, and only as far as it makes sense', async (t) => {
  const early = alone();
  early.session.take(sm('enabled', { id: 's0', resume: 'true' }));
  t.notOk(early.session.enabled, 'nothing was asked for');
  t.equal(early.session.probe(), false);
  t.equal(early.session.parting(), undefined);

  const { session, sent } = alone();
  session.began(FRESH);
  session.sent(chat('m1'));
  await Promise.resolve();
  t.strictSame(sent, [], 'who does not count is not asked');
  session.take(sm('enabled', { id: 's1', resume: '1', max: '600' }));
  session.take(sm('enabled', { id: 's2', resume: '1', max: '1' }));
  session.take(sm('failed'));
  t.ok(session.enabled);
  t.match(session.lost(), { id: 's1', ms: 600_000 });
  t.equal(session.writeResume()?.attr('previd'), 's1');
  await Promise.resolve();
  session.probe();
  session.probe();
  t.equal(sent.filter(({ name }) => name === 'r').length, 1, 'one question at a time');

  for (const [attributes, ms] of [
    [{ id: 's1' }, undefined],
    [{ resume: 'true' }, undefined],
    [{ resume: 'true', id: '' }, undefined],
    [{ resume: 'true', id: 'x'.repeat(4_001) }, undefined],
    [{ resume: 'true', id: 's1' }, 300_000],
    [{ resume: 'true', id: 's1', max: 'soon' }, 300_000],
    [{ resume: 'true', id: 's1', max: '-1' }, 300_000],
  ] as const) {
    const one = alone().session;
    one.began(FRESH);
    one.take(sm('enabled', attributes));
    t.equal(one.lost()?.ms, ms, JSON.stringify(attributes).slice(0, 60));
  }
});

// [XEP-0198 §5] [XEP-0198 §7]
t.test('only the session that was asked for is taken up, and who is about to leave answers nothing more', async (t) => {
  const { session, sent } = alone();
  session.began(FRESH);
  session.take(sm('enabled', { id: 's1', resume: 'true' }));
  session.sent(chat('m1'));
  session.lost();
  const negotiation = { stream: { peer: 'localhost', fail: () => undefined } } as unknown as Negotiation;
  t.throws(() => session.takeResumption(sm('resumed', { previd: 'other', h: '0' }), negotiation), NegotiationError);
  t.throws(() => session.takeResumption(sm('resumption', { previd: 's1', h: '0' }), negotiation), NegotiationError);
  t.equal(negotiation.jid, undefined);
  session.takeResumption(sm('failed', { h: '99' }), negotiation);
  t.equal(session.unacknowledged.length, 1, 'a count that cannot be is none, in a session that is over');
  t.equal(session.writeResume(), undefined);

  const leaving = alone();
  leaving.session.began(FRESH);
  leaving.session.take(sm('enabled', { id: 's1', resume: 'true' }));
  t.equal(leaving.session.parting()?.name, 'a');
  leaving.session.take(sm('r'));
  leaving.session.sent(chat('m1'));
  await Promise.resolve();
  t.strictSame(leaving.sent, []);
  t.strictSame(
    sent.filter(({ name }) => name === 'a'),
    [],
  );
});

// [XEP-0198 §4]
t.test('after a lost session only its messages are sent again, with their first time and within a bound', async (t) => {
  const ledger = new Ledger({ stanzas: 10, characters: 100 });
  for (let i = 0; i < 5; i++) {
    ledger.assertRoom();
    ledger.add(chat(`m${i}`));
    ledger.acknowledge(String(i + 1));
  }
  t.pass('acknowledged stanzas do not count against the limit');

  const dropped: (string | undefined)[] = [];
  const queue = new ResendQueue((stanza) => dropped.push(stanza.attr('id')));
  const sentAt = new Date('2026-01-01T00:00:00Z');
  const unacknowledged = (stanza: Element) => ({ stanza, sentAt, characters: 1 });
  const delay = (stamp: string): Element => el('delay', 'urn:xmpp:delay', { stamp });
  queue.add([
    unacknowledged(chat('m1').withAttributes({ type: 'error' })),
    unacknowledged(chat('m2').withNodes(delay('2020-01-01T00:00:00Z'))),
    unacknowledged(chat('m3')),
  ]);
  t.strictSame(dropped, ['m1'], 'an error belongs to the lost session');
  t.strictSame(
    queue
      .takeForSession()
      .map(({ stanza }) => stanza.children('delay', 'urn:xmpp:delay').map((one) => one.attr('stamp'))),
    [['2020-01-01T00:00:00Z'], ['2026-01-01T00:00:00.000Z']],
    'the time when it was first sent',
  );
  const toRoom = (id: string): Element => chat(id).withAttributes({ type: 'groupchat', to: 'tea@rooms.localhost' });
  queue.add(Array.from({ length: 1_002 }, (_one, index) => unacknowledged(toRoom(`r${index}`))));
  t.strictSame(dropped, ['m1', 'r0', 'r1']);
  t.strictSame(queue.takeForRoom(Jid.parse('coffee@rooms.localhost')), []);
  t.equal(queue.takeForRoom(Jid.parse('tea@rooms.localhost/ann')).length, 1_000);
  t.strictSame(queue.all, []);
});
