/**
 * A small XMPP server in this process, on 127.0.0.1 only: for the demo, for tests, and for study. It supports StartTLS, direct TLS and
 * WebSocket, SCRAM and PLAIN, binding and resumption, presence, offline messages, rosters, rooms and uploads. It does not federate, and
 * stores nothing on disk.
 */
import net, { type AddressInfo, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { ClientOptions } from '../xmpp-core/client-options.js';
import { StanzaError } from '../xmpp-core/errors.js';
import { Jid } from '../xmpp-core/jid/jid.js';
import { NS_ROSTER } from '../xmpp-core/im/roster-item.js';
import { NS_CLIENT } from '../xmpp-core/stanza/namespaces.js';
import { errorReply } from '../xmpp-core/stanza/stanza-error.js';
import { el, Element } from '../xmpp-core/xml/element.js';
import { NS_DISCO_INFO, NS_DISCO_ITEMS, writeDiscoInfo, writeDiscoItems } from '../xeps/xep-0030-service-discovery.js';
import { NS_PING } from '../xeps/xep-0199-ping.js';
import { writeDelay } from '../xeps/xep-0203-delayed-delivery.js';
import { NS_CARBONS } from '../xeps/xep-0280-message-carbons.js';
import { NS_MAM } from '../xeps/xep-0313-message-archive/codecs.js';
import { NS_STABLE_IDS, writeStanzaId } from '../xeps/xep-0359-stable-ids.js';
import { Accounts } from './accounts.js';
import { ARCHIVE_FEATURES, Archives } from './archives.js';
import { Carbons } from './carbons.js';
import { LOOPBACK_CERTIFICATE } from './certificate.js';
import { Connection, type ConnectionHost, type TlsStart } from './connection.js';
import type { Misbehaviour } from './misbehaviour.js';
import { Rooms } from './rooms.js';
import { Rosters, type AvailableClient } from './rosters.js';
import { Session } from './session.js';
import { Uploads } from './uploads.js';
import { webSocketListener } from './web-socket-listener.js';

/** The options of a server. */
export interface LoopbackOptions {
  /** The SASL mechanisms offered after TLS; by default SCRAM with and without channel binding. */
  readonly mechanisms?: readonly string[];
  /** How many seconds a session can be resumed after its connection broke (XEP-0198). By default there is no resumption. */
  readonly resumableSeconds?: number;
}

const DOMAIN = 'localhost';
const FOREIGN_ROOMS = 'rooms.example';
const MECHANISMS = ['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256', 'SCRAM-SHA-1'];
const MAX_OFFLINE = 100;
const SUBSCRIPTION_TYPES: ReadonlySet<string> = new Set(['subscribe', 'subscribed', 'unsubscribe', 'unsubscribed']);
/** How long `stop` waits for clients to close their streams. */
const CLOSE_TIMEOUT_MS = 1_000;

/** The server: `LoopbackServer.start()` starts one. */
export class LoopbackServer {
  /** The domain of its accounts. */
  readonly domain = DOMAIN;
  readonly rooms: Rooms;
  /** Rooms of another domain, as if on another server, which this one does not vouch for. */
  readonly foreignRooms: Rooms;
  readonly #options: LoopbackOptions;
  readonly #accounts = new Accounts();
  readonly #archives = new Archives();
  readonly #carbons = new Carbons();
  readonly #uploads = new Uploads(`upload.${DOMAIN}`);
  readonly #connections = new Set<Connection>();
  /** Sessions with a bound resource, by full JID. */
  readonly #sessions = new Map<string, Session>();
  /** Clients that have sent initial presence. */
  readonly #available = new Map<Session, AvailableClient>();
  readonly #rosters = new Rosters((account) => this.#availableOf(account));
  readonly #offlineMessages = new Map<string, Element[]>();
  readonly #listeners: Server[] = [];
  readonly #sockets = new Set<Socket>();
  #misbehaviour: Misbehaviour = {};
  #ports = { startTls: 0, directTls: 0, webSocket: 0 };

  private constructor(options: LoopbackOptions) {
    this.#options = options;
    const deliver = (stanza: Element): void => this.#deliver(stanza);
    this.rooms = new Rooms(`rooms.${DOMAIN}`, deliver, this.#archives);
    this.foreignRooms = new Rooms(FOREIGN_ROOMS, deliver, this.#archives);
  }

  /** Starts a server on free ports of 127.0.0.1. */
  static async start(options: LoopbackOptions = {}): Promise<LoopbackServer> {
    const server = new LoopbackServer(options);
    await server.#uploads.listen();
    server.#ports = {
      startTls: await server.#listen(net.createServer((socket) => server.#accept(socket, 'starttls'))),
      directTls: await server.#listen(net.createServer((socket) => server.#accept(socket, 'direct'))),
      webSocket: await server.#listen(
        webSocketListener((socket, carrier) => server.#accept(socket, { webSocketOver: carrier })),
      ),
    };
    return server;
  }

  /** The ports on 127.0.0.1 to connect to. */
  get ports(): { readonly startTls: number; readonly directTls: number; readonly webSocket: number } {
    return this.#ports;
  }

  /** What a client needs to connect here: `createClient({ jid, password, ...server.clientOptions })`. */
  get clientOptions(): Pick<ClientOptions, 'server' | 'ca'> {
    return { server: { host: '127.0.0.1', port: this.#ports.startTls }, ca: LOOPBACK_CERTIFICATE };
  }

  /** The full JIDs of connected clients. */
  get sessions(): readonly string[] {
    return [...this.#sessions].flatMap(([jid, { isConnected }]) => (isConnected ? [jid] : []));
  }

  /** Adds an account. @returns its bare JID */
  addAccount(username: string, password: string): Jid {
    const jid = Jid.of(username, DOMAIN);
    this.#accounts.add(jid.localpart, password);
    return jid;
  }

  /** Accepts this certificate (PEM) as a login to the account, if `EXTERNAL` is offered. */
  trustCertificate(account: Jid, certificate: string): void {
    this.#accounts.trustCertificate(account.localpart, certificate);
  }

  /** Sets the faults of connections from now on; none by default. */
  misbehave(misbehaviour: Misbehaviour = {}): void {
    this.#misbehaviour = misbehaviour;
  }

  /** Breaks all connections, like a failing network. */
  cutAll(): void {
    for (const connection of this.#connections) connection.reset();
  }

  /** Ends all streams with a stream error (RFC 6120 §4.9.3). */
  failAll(condition: string): void {
    for (const connection of this.#connections) connection.fail(condition);
  }

  /** Sends raw text to a session, as if the server itself sent it. */
  inject(jid: Jid, text: string): void {
    this.#sessions.get(jid.toString())?.sendRaw(text);
  }

  /** Stops the server: closes all streams, and leaves no port or connection open. */
  async stop(): Promise<void> {
    for (const connection of this.#connections) connection.close();
    for (const session of this.#sessions.values()) session.end();
    const timer = setTimeout(() => {
      for (const socket of this.#sockets) socket.destroy();
    }, CLOSE_TIMEOUT_MS);
    await Promise.all(
      this.#listeners.map((listener) => new Promise<void>((resolve) => listener.close(() => resolve()))),
    );
    clearTimeout(timer);
    await this.#uploads.close();
  }

  #accept(socket: Duplex, tlsStart: TlsStart): void {
    this.#connections.add(new Connection(socket, this.#host(), tlsStart));
  }

  async #listen(listener: Server): Promise<number> {
    listener.on('connection', (socket: net.Socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
    this.#listeners.push(listener);
    await new Promise<void>((resolve, reject) => {
      listener.once('error', reject).listen(0, '127.0.0.1', resolve);
    });
    return (listener.address() as AddressInfo).port;
  }

  #host(): ConnectionHost {
    return {
      domain: DOMAIN,
      accounts: this.#accounts,
      mechanisms: this.#options.mechanisms ?? MECHANISMS,
      misbehaviour: this.#misbehaviour,
      onBound: (connection, jid) => this.#bound(connection, jid),
      isResumable: this.#options.resumableSeconds !== undefined,
      onResume: (username, id) => this.#resumable(username, id),
      onClosed: (connection) => this.#connections.delete(connection),
    };
  }

  #bound(connection: Connection, jid: Jid): Session {
    // RFC 6120 §7.7.2.2: the newer session wins.
    this.#sessions.get(jid.toString())?.end('conflict');
    const session = new Session(jid, connection, {
      resumableSeconds: this.#options.resumableSeconds,
      onStanza: (from, stanza) => this.#route(from, stanza),
      onEnded: (ended, undelivered) => this.#ended(ended, undelivered),
    });
    this.#sessions.set(jid.toString(), session);
    return session;
  }

  #resumable(username: string, id: string): Session | undefined {
    return [...this.#sessions.values()].find(
      (session) => session.isResumable && session.id === id && session.jid.localpart === username,
    );
  }

  #ended(session: Session, undelivered: readonly Element[]): void {
    this.#rosters.remove(session);
    this.#carbons.remove(session);
    const jid = session.jid.toString();
    if (this.#available.has(session)) {
      this.#presence(session, el('presence', NS_CLIENT, { from: jid, type: 'unavailable' }));
    }
    this.#sessions.delete(jid);
    for (const service of [this.rooms, this.foreignRooms]) service.drop(session.jid);
    // Unacknowledged messages go to the account's other clients, or are stored for the next one (XEP-0198 §5).
    const isTalk = (stanza: Element): boolean =>
      stanza.name === 'message' && stanza.child('body') !== undefined && stanza.attr('type') !== 'groupchat';
    for (const stanza of undelivered.filter(isTalk)) this.#deliver(stanza);
  }

  /** RFC 6120 §10: the server handles stanzas without `to` on behalf of the account. */
  #route(session: Session, stanza: Element): void {
    const from = session.jid;
    const stamped = stanza.withAttributes({ from: from.toString() });
    const toText = stanza.attr('to');
    const to = toText === undefined ? from.bare : Jid.tryParse(toText);
    if (to === undefined) session.send(errorReply(stanza, new StanzaError('modify', 'jid-malformed')));
    else if (stanza.name === 'presence' && toText === undefined) this.#presence(session, stamped);
    else if (to.domainpart === this.rooms.domain) this.rooms.handle(stamped, from, to);
    else if (to.domainpart === this.foreignRooms.domain) this.foreignRooms.handle(stamped, from, to);
    else if (stanza.name === 'presence' && SUBSCRIPTION_TYPES.has(stanza.attr('type') ?? ''))
      this.#rosters.subscription(stanza, from, to);
    else if (stanza.name === 'message' && stanza.attr('type') !== 'error' && this.#isLocal(to))
      this.#handleMessage(session, stamped.withAttributes({ to: to.toString() }), from, to);
    else if (to.localpart !== '' && !(stanza.name === 'iq' && to.isBare))
      this.#deliver(stamped.withAttributes({ to: to.toString() }));
    else if (stanza.name === 'iq') this.#answer(session, stanza, to);
  }

  #isLocal(to: Jid): boolean {
    return to.domainpart === DOMAIN && this.#accounts.has(to.localpart);
  }

  /** Delivers a message between accounts, archives it for both, and copies it to their other clients. */
  #handleMessage(session: Session, message: Element, from: Jid, to: Jid): void {
    const sent = this.#archived(message, from.bare);
    // A message to one's own account is one message in one archive.
    const received = to.bare.equals(from.bare) ? sent : this.#archived(message, to.bare);
    this.#deliver(received);
    this.#carbons.copy('sent', sent, from.bare, session);
    // A message to a bare JID went to all clients.
    if (!to.isBare) this.#carbons.copy('received', received, to.bare, this.#sessions.get(to.toString()));
  }

  /** Archives a message if it has a body. @returns the message with its archive id; forged ids of that archive are removed */
  #archived(message: Element, account: Jid): Element {
    const by = account.toString();
    const nodes = message.nodes.filter(
      (node) => typeof node === 'string' || !(node.is('stanza-id', NS_STABLE_IDS) && node.attr('by') === by),
    );
    const clean = new Element(message.name, message.ns, message.attributes, nodes);
    if (clean.child('body') === undefined) return clean;
    return clean.withNodes(writeStanzaId(this.#archives.store(account, clean), account));
  }

  #presence(session: Session, presence: Element): void {
    const account = session.jid.bare;
    const isLeaving = presence.attr('type') !== undefined;
    const available = { session, presence };
    this.#rosters.broadcast(available, account, !isLeaving && !this.#available.has(session));
    if (isLeaving) return void this.#available.delete(session);
    this.#available.set(session, available);
    for (const message of this.#offlineMessages.get(account.toString()) ?? []) session.send(message);
    this.#offlineMessages.delete(account.toString());
  }

  #availableOf(account: Jid): AvailableClient[] {
    return [...this.#available.values()].filter(({ session }) => session.jid.bare.equals(account.bare));
  }

  /** Delivers a stanza to the client or clients that its `to` addresses (RFC 6121 §8.5). */
  #deliver(stanza: Element): void {
    const to = Jid.tryParse(stanza.attr('to'));
    if (to === undefined) return;
    const session = this.#sessions.get(to.toString());
    if (session !== undefined) return session.send(stanza);
    if (stanza.name === 'presence' || stanza.attr('type') === 'error') return;
    if (!this.#accounts.has(to.localpart) || to.domainpart !== DOMAIN || stanza.name === 'iq') {
      if (stanza.name === 'iq' && stanza.attr('type') === 'result') return;
      return this.#deliver(errorReply(stanza, new StanzaError('cancel', 'service-unavailable')));
    }
    const available = this.#availableOf(to);
    for (const { session } of available) session.send(stanza);
    if (available.length === 0) this.#storeOffline(to.bare.toString(), stanza);
  }

  #storeOffline(account: string, message: Element): void {
    if (message.child('body') === undefined) return;
    const stored = this.#offlineMessages.get(account) ?? [];
    if (stored.length >= MAX_OFFLINE) return;
    stored.push(message.withNodes(writeDelay({ stamp: new Date(), from: Jid.parse(DOMAIN) })));
    this.#offlineMessages.set(account, stored);
  }

  #answer(session: Session, iq: Element, to: Jid): void {
    const payload = iq.children()[0];
    if (payload === undefined || (iq.attr('type') !== 'get' && iq.attr('type') !== 'set')) return;
    const reply = (result: Element | undefined): void =>
      session.send(el('iq', NS_CLIENT, { type: 'result', id: iq.attr('id'), from: iq.attr('to') }, result));
    try {
      if (payload.ns === NS_ROSTER && session.jid.bare.equals(to)) {
        const { result, after } = this.#rosters.answer(session, to, iq);
        reply(result);
        for (const stanza of after) session.send(stanza);
      } else if (payload.ns === NS_MAM && session.jid.bare.equals(to)) {
        reply(this.#archives.answer(to, session.jid, payload, (result) => session.send(result)));
      } else if (payload.ns === NS_CARBONS && session.jid.bare.equals(to)) {
        this.#carbons.handle(session, payload);
        reply(undefined);
      } else {
        reply(to.domainpart === this.#uploads.domain ? this.#uploads.answer(payload) : this.#answerForServer(payload));
      }
    } catch (error) {
      if (!(error instanceof StanzaError)) throw error;
      session.send(errorReply(iq, error));
    }
  }

  #answerForServer(payload: Element): Element | undefined {
    if (payload.ns === NS_PING) return undefined;
    if (payload.ns === NS_DISCO_INFO) {
      const identity = { category: 'server', type: 'im', name: 'Loopback' };
      return writeDiscoInfo({
        identities: [identity],
        features: new Set([NS_DISCO_INFO, NS_DISCO_ITEMS, NS_PING, NS_CARBONS, NS_STABLE_IDS, ...ARCHIVE_FEATURES]),
        forms: [],
      });
    }
    if (payload.ns === NS_DISCO_ITEMS) {
      return writeDiscoItems([{ jid: Jid.parse(this.rooms.domain) }, { jid: Jid.parse(this.#uploads.domain) }]);
    }
    throw new StanzaError('cancel', 'service-unavailable');
  }
}
