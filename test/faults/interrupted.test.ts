/** A session with all plugins that ends after each of its stanzas: nothing that was under way may fail where nobody looks. */
import net from 'node:net';
import t, { type Test } from 'tap';
import * as library from '../../src/index.js';
import { XmlStream } from '../../src/xmpp-core/stream/xml-stream.js';
import { LOOPBACK_CERTIFICATE } from '../../src/loopback/certificate.js';
import { LoopbackServer } from '../../src/loopback/server.js';
import { PASSWORD, PATIENCE_MS } from '../support/loopback.js';
import { listen } from '../support/meddler.js';

const { Jid, el, NS_VCARD, NS_BOOKMARKS } = library;
const PNG = Buffer.from('89504e470d0a1a0a0000000d4948445200000001000000010806000000', 'hex');

/** Every plugin that the library exports. */
const plugins = Object.values(library).filter(isPlugin);

function isPlugin(value: unknown): value is library.Plugin<unknown> {
  return typeof value === 'object' && value !== null && 'setup' in value && 'name' in value;
}

/** What goes wrong where nobody waits for it. */
const unexpected: unknown[] = [];
const note = (error: unknown): unknown => unexpected.push(error);

type Direction = 'received' | 'sent';
let onStanza: (direction: Direction, stream: XmlStream) => void = () => undefined;
/** The streams of the clients that are not interrupted. */
const steady = new WeakSet<XmlStream>();
watchStreams();

/** Has `onStanza` called after each element that a client takes, and each that it sends. */
function watchStreams(): void {
  // Taken off the prototype to be called with the stream that they belong to.
  // oxlint-disable-next-line typescript/unbound-method
  const { deliverTo, prepare } = XmlStream.prototype;
  XmlStream.prototype.deliverTo = function watched(this: XmlStream, deliver) {
    deliverTo.call(this, (element) => {
      deliver(element);
      if (!steady.has(this)) onStanza('received', this);
    });
  };
  XmlStream.prototype.prepare = function watched(this: XmlStream, element) {
    const leave = prepare.call(this, element);
    return () => {
      leave();
      if (!steady.has(this)) onStanza('sent', this);
    };
  };
}

interface Scene {
  readonly server: LoopbackServer;
  readonly bob: library.Client;
  /** Makes the client that is interrupted. */
  readonly ann: () => library.Client;
  /** Destroys its connections. */
  readonly cut: () => void;
}

async function setScene(t: Test): Promise<Scene> {
  const server = await LoopbackServer.start({ mechanisms: ['PLAIN'] });
  for (const name of ['ann', 'bob']) server.addAccount(name, PASSWORD);
  // What this server does not know it answers as one that does, so that what follows the answer happens as well.
  server.misbehave({
    answer: (element, stage) => {
      const payload = element.name === 'iq' && stage === 'bound' ? element.children()[0] : undefined;
      const answer = payload === undefined || element.attr('type') === 'result' ? undefined : resultFor(payload);
      const to = element.attr('to');
      if (answer === undefined) return undefined;
      return library.serialize(el('iq', 'jabber:client', { type: 'result', id: element.attr('id'), from: to }, answer));
    },
  });
  const { port, sockets } = await listen(t, (socket) => {
    const onward = net.connect(server.ports.startTls, '127.0.0.1');
    socket.pipe(onward).pipe(socket);
    onward.on('error', () => socket.destroy()).on('close', () => socket.destroy());
    socket.on('close', () => onward.destroy());
  });
  const client = (name: string, at: number): library.Client => {
    const made = library.createClient({
      jid: Jid.of(name, server.domain),
      password: PASSWORD,
      resource: 'desk',
      server: { host: '127.0.0.1', port: at, directTls: false },
      ca: LOOPBACK_CERTIFICATE,
      channelBinding: 'off',
      plugins,
      reconnect: { firstMs: 1, maxMs: 2 },
      connectTimeoutMs: PATIENCE_MS,
    });
    made.events.on('error', ({ error, where }) =>
      note(new Error(`error event of ${name}: ${where}`, { cause: error })),
    );
    return made;
  };
  const bob = client('bob', server.ports.startTls);
  onStanza = (_direction, stream) => steady.add(stream);
  await bob.start();
  t.teardown(async () => {
    onStanza = () => undefined;
    await bob.stop();
    await server.stop();
  });
  return { server, bob, ann: () => client('ann', port), cut: () => sockets.forEach((socket) => socket.destroy()) };
}

function resultFor({ name, ns }: library.Element): library.Element | undefined {
  if (ns === NS_VCARD) {
    const photo = el(
      'PHOTO',
      NS_VCARD,
      {},
      el('TYPE', NS_VCARD, {}, 'image/png'),
      el('BINVAL', NS_VCARD, {}, PNG.toString('base64')),
    );
    return el('vCard', NS_VCARD, {}, photo);
  }
  if (ns.startsWith('http://jabber.org/protocol/pubsub')) return el(name, ns);
  if (['urn:xmpp:blocking', 'jabber:iq:private'].includes(ns)) return el(name, ns);
  return undefined;
}

/** Uses everything that sends after it has waited for something. Never rejects: each caller here takes its own error. */
async function live(ann: library.Client, { server, bob }: Scene): Promise<void> {
  const calls: Promise<unknown>[] = [];
  const call = (work: () => unknown): void => {
    calls.push((async () => work())().catch((error: unknown) => error instanceof Error || note(error)));
  };
  ann.events.on('online', ({ jid }) => {
    const room = Jid.of('den', server.rooms.domain);
    const bobJid = bob.jid ?? bob.account;
    const get = <Handle>(plugin: library.Plugin<Handle>): Handle => ann.get(plugin);
    call(() => get(library.httpUpload).upload({ name: 'a.png', type: 'image/png', data: PNG }));
    call(() => get(library.vcard).publish({ fullName: 'Ann', photo: PNG }));
    call(() => get(library.vcardAvatars).fetch(bobJid));
    call(() => get(library.vcard4).update({}));
    call(() => get(library.userAvatar).publish(PNG));
    call(() => get(library.userAvatar).read(bob.account));
    call(() => get(library.userNickname).publish('Annie'));
    call(() => get(library.personalEventing).features());
    call(() => get(library.bookmarks).set({ jid: room, autojoin: true }));
    call(() => get(library.bookmarks).all());
    call(() => get(library.privateData).publish('urn:test', el('x', 'urn:test'), 'one'));
    call(() => get(library.privateXml).get('x', 'urn:test'));
    call(async () => {
      for await (const archived of get(library.messageArchive).catchUp()) if (archived.id === '') break;
    });
    call(() => get(library.archivePreferences).get());
    call(() => get(library.messageArchive).metadata());
    call(() => get(library.adHocCommands).list(bobJid));
    call(async () => (await get(library.adHocCommands).execute(bobJid, 'count')).act('next'));
    call(() => get(library.blocking).blocks(bobJid));
    call(() => get(library.entityCapabilities).of(bobJid));
    call(() => get(library.entityTime).of(bobJid));
    call(() => get(library.softwareVersion).of(bobJid));
    call(() => get(library.ping).ping(bobJid));
    call(() => get(library.registration).changePassword(PASSWORD));
    call(() => get(library.carbons).disable());
    call(() => get(library.roster).set({ jid: bob.account, name: 'Bob' }));
    call(async () => {
      const rooms = get(library.muc);
      const [service = room] = await rooms.services();
      await rooms.list(service);
      const joined = await rooms.join(room, { nick: 'ann' });
      joined.say('hello');
      await get(library.mucAvatars).fetch(room);
      await get(library.mucSelfPing).check(joined);
      await joined.setSubject('tests');
      await rooms.registration(room).state();
      await joined.changeNick('annie');
      await joined.management.configuration();
    });
    call(() => ann.setPresence({ show: 'away' }));
    bob.send(library.writeMessage({ to: jid, type: 'chat', body: 'hi', payloads: requests() }));
    for (const ns of ['urn:xmpp:ping', 'urn:xmpp:time', 'jabber:iq:version', library.NS_DISCO_INFO, 'jabber:iq:last'])
      server.inject(
        jid,
        `<iq type='get' id='${ns}' from='${bobJid.toString()}'><${ns === 'urn:xmpp:ping' ? 'ping' : 'query'} xmlns='${ns}'/></iq>`,
      );
    server.inject(
      jid,
      `<message from='${jid.bare.toString()}'><event xmlns='http://jabber.org/protocol/pubsub#event'><items node='${NS_BOOKMARKS}'/></event></message>`,
    );
  });
  try {
    await ann.start();
  } catch (error) {
    if (!(error instanceof library.OfflineError)) note(error);
  }
  for (let settled = 0; settled < calls.length;) {
    settled = calls.length;
    await Promise.all(calls);
  }
}

const requests = (): library.Element[] => [
  el('request', 'urn:xmpp:receipts'),
  el('markable', 'urn:xmpp:chat-markers:0'),
];

/** How many stanzas there are in each direction when nothing interrupts. */
async function countStanzas(scene: Scene): Promise<Record<Direction, number>> {
  const count = { received: 0, sent: 0 };
  onStanza = (direction) => count[direction]++;
  const ann = scene.ann();
  await live(ann, scene);
  await ann.stop();
  return count;
}

/** Interrupts a session after a stanza, and another one with what it left behind. */
async function interrupt(
  scene: Scene,
  direction: Direction,
  at: number,
  act: (ann: library.Client) => unknown,
): Promise<void> {
  let seen = 0;
  const acts: unknown[] = [];
  const ann = scene.ann();
  onStanza = (passed) => {
    if (passed === direction && ++seen === at) acts.push(act(ann));
  };
  await live(ann, scene);
  await ann.stop();
  await Promise.all(acts);
}

// Some 250 sessions: seconds on a quiet machine.
t.setTimeout(180_000);

t.test(
  'a client that is stopped, or whose connection is cut, after any stanza leaves nothing unhandled',
  { timeout: 180_000 },
  async (t) => {
    process.on('unhandledRejection', note).on('uncaughtException', note);
    t.teardown(() => process.off('unhandledRejection', note).off('uncaughtException', note));
    const scene = await setScene(t);
    const acts = { stopped: (ann: library.Client) => ann.stop(), cut: () => scene.cut() };
    const count = await countStanzas(scene);
    t.comment(`${plugins.length} plugins, ${count.received} stanzas received and ${count.sent} sent`);
    t.ok(count.received > 40 && count.sent > 40, 'the session is a full one');
    t.strictSame(unexpected, [], 'nothing goes wrong when nothing interrupts');
    for (const [how, act] of Object.entries(acts)) {
      for (const direction of ['received', 'sent'] as const) {
        for (let at = 1; at <= count[direction]; at++) {
          await interrupt(scene, direction, at, act);
          if (unexpected.length > 0)
            t.fail(`${how} after stanza ${at} that was ${direction}`, { unexpected: unexpected.splice(0).map(String) });
        }
        t.pass(`${how} after each of ${count[direction]} that were ${direction}`);
      }
    }
    await new Promise((resolve) => setImmediate(resolve));
    t.strictSame(unexpected, [], 'nothing comes later');
  },
);
