/** An XMPP client: it holds one session with the account's server, and reconnects when it is lost. */
import type { ClientOptions } from './client-options.js';
import { connectFirst, redirectTarget, type Route } from './connecting.js';
import { inBackground } from './background.js';
import { OfflineError, StreamError, XmppError } from './errors.js';
import { abortReason, Events, type Listenable } from './events.js';
import { Jid } from './jid/jid.js';
import type { OutgoingIq, Plugin, Undelivered } from './plugin.js';
import { Plugins, type PluginHost } from './plugins.js';
import { backoffMs, DEFAULT_RECONNECT, isConflict, isPermanent } from './reconnect.js';
import { reportError } from './report-error.js';
import { Router } from './router.js';
import { isStanza } from './session.js';
import { writePresence, type Message, type OutgoingPresence, type Presence } from './stanza/stanzas.js';
import { memoryStorage, type Storage } from './storage.js';
import { Authenticator } from './stream/authenticator.js';
import { bind } from './stream/bind.js';
import { legacySession } from './stream/legacy-session.js';
import { sasl } from './stream/sasl.js';
import { startTls } from './stream/start-tls.js';
import { negotiate, type Negotiation, type StreamFeature } from './stream/stream-feature.js';
import { connectStream } from './stream/connect-stream.js';
import type { XmlStream } from './stream/xml-stream.js';
import { httpRequest } from './transport/http.js';
import { redirectedFrom, type Target } from './transport/targets.js';
import type { Element } from './xml/element.js';

export type { ClientOptions } from './client-options.js';

/** `suspended` is a session without a connection that can be resumed. */
export type ClientState = 'offline' | 'connecting' | 'negotiating' | 'online' | 'suspended';

/** Why the client is offline, and whether it will retry. */
export interface Offline {
  /** `undefined` when it was stopped by its application or the stream was closed in order. */
  readonly reason: Error | undefined;
  readonly willRetry: boolean;
  readonly retryInMs: number | undefined;
}

/** What a client reports: `client.events.on('message', (message) => …)`. */
export interface ClientEvents {
  /** A session is up; `resumed` when it is an earlier one, with nothing lost. */
  online: { readonly jid: Jid; readonly resumed: boolean };
  /** The connection is lost, or a reconnect failed, but the session can be resumed: stanzas are buffered. */
  suspended: { readonly reason: Error | undefined; readonly retryInMs: number };
  offline: Offline;
  /** A message that no plugin returned `handled` for. */
  message: Message;
  presence: Presence;
  /** A message of ours came back as an error. */
  undelivered: Undelivered;
  /**
   * A failure that no caller awaits: a handler threw, background work of a plugin failed, a stanza could not be used. Without a listener the
   * error is printed on the console.
   */
  error: { readonly error: unknown; readonly where: string };
}

/**
 * One account on its server. `start()` connects it, and it stays connected, over broken connections, until `stop()`. What arrives comes as
 * `events`; extensions are plugins, and `get(plugin)` is what each has to offer.
 */
export interface Client {
  /** The account, bare; after an anonymous login the one that the server made. */
  readonly account: Jid;
  /** The full JID while there is a session, online or suspended. */
  readonly jid: Jid | undefined;
  readonly state: ClientState;
  readonly events: Listenable<ClientEvents>;
  /**
   * Connects, and from then on stays connected until `stop()`.
   * @param signal stops the client when it is aborted before the first session is up
   * @returns when the first session is up
   * @throws a permanent error (see `isPermanent`), OfflineError when the client was stopped, or the signal's reason
   */
  start(signal?: AbortSignal): Promise<void>;
  /** Ends the current backoff. */
  reconnectNow(): void;
  /** Says good-bye, closes the stream within a deadline, and undoes all that plugins registered. */
  stop(): Promise<void>;
  /** What to show to who may see us: at once when online, and at each later session; `false` shows nothing at those. */
  setPresence(presence: OutgoingPresence | false): void;
  /** Sends a stanza. See `PluginContext.send`. */
  send(stanza: Element): void;
  /** Sends a request. See `PluginContext.iq`. */
  iq(request: OutgoingIq): Promise<Element | undefined>;
  /** The handle of a plugin. @throws XmppError when the client does not have it */
  get<Handle>(plugin: Plugin<Handle>): Handle;
}

/** The result of a negotiation. */
interface Entry {
  readonly stream: XmlStream;
  readonly target: Target;
  readonly jid: Jid;
  readonly resumed: boolean;
  readonly offers: Element | undefined;
}

const CONNECT_TIMEOUT_MS = 30_000;
/** A roster of 10,000 contacts is 1 to 2 MiB. */
const LONG_ANSWER_BYTES = 16 * 1024 * 1024;
const CLOSE_TIMEOUT_MS = 3_000;

/**
 * Makes a client that has the plugins it is given and no others; nothing happens before `start()`.
 * @throws {JidError} when `jid` is no address
 */
export function createClient(options: ClientOptions): Client {
  return new XmppClient(options);
}

/** The client itself. Exported for clients that can do more; users have it from `createClient`. */
export class XmppClient implements Client {
  readonly events: Events<ClientEvents>;
  readonly #options: ClientOptions & { readonly jid: Jid };
  readonly #router: Router;
  readonly #authenticator: Authenticator;
  readonly #plugins: Plugins;
  readonly #stopping = new AbortController();
  readonly #http: PluginHost['http'] = (request) => httpRequest({ ca: this.#options.ca, ...request });
  /** What a client negotiates by itself; plugins add to it. */
  readonly #features: readonly StreamFeature[] = [startTls, sasl, bind, legacySession];
  #state: ClientState = 'offline';
  #stream: XmlStream | undefined;
  #account: Jid;
  #jid: Jid | undefined;
  #offers: Element | undefined;
  #presence: OutgoingPresence | false;
  #lastReceivedAt = 0;
  #hadSession = false;
  /** Ends the wait between two sessions. */
  #wakeUp: (() => void) | undefined;
  /** Resolves when the client has come to its end; never rejects. */
  #running: Promise<void> | undefined;
  /** The redirect that ended the last session. */
  #redirect: Target | undefined;
  /** Requesting it again would disconnect the other client (RFC 6120 §4.9.3.3). */
  #isResourceTaken = false;
  /** Until when a suspended session can be resumed, by `performance.now()`. */
  #resumableUntil = 0;

  constructor(options: ClientOptions) {
    this.#options = { ...options, jid: Jid.from(options.jid) };
    this.#account = this.#options.jid.bare;
    this.#presence = options.presence ?? {};
    const report = (error: unknown, where: string): void => this.#report(error, where);
    // A handler of `error` that throws would be given its own error.
    this.events = new Events((error, where) => (where === 'error' ? reportError(error, where) : report(error, where)));
    this.#router = new Router(() => this.#account, {
      answers: options.answers ?? (() => true),
      send: (stanza) => this.send(stanza),
      onMessage: (message) => this.events.emit('message', message),
      onPresence: (presence) => this.events.emit('presence', presence),
      onUndelivered: (undelivered) => this.events.emit('undelivered', undelivered),
      report,
      background: (where, work) => this.#background(where, work),
    });
    const storage = options.storage ?? memoryStorage();
    const { login, password, channelBinding } = options;
    this.#authenticator = new Authenticator({ login, password, storage, channelBinding });
    this.#plugins = new Plugins(this.#host(storage), this.#router, report);
    for (const plugin of options.plugins ?? []) this.#plugins.install(plugin);
  }

  get account(): Jid {
    return this.#account;
  }

  get jid(): Jid | undefined {
    return this.#jid;
  }

  get state(): ClientState {
    return this.#state;
  }

  async start(signal?: AbortSignal): Promise<void> {
    if (this.#running !== undefined) throw new XmppError('this client was already started');
    const over = new AbortController();
    const signals = [this.#stopping.signal, over.signal, ...(signal === undefined ? [] : [signal])];
    const online = this.events.once('online', { signal: AbortSignal.any(signals) });
    this.#running = this.#run(over);
    try {
      await online;
    } catch (error) {
      if (signal?.aborted === true) await this.stop();
      throw error;
    }
  }

  reconnectNow(): void {
    this.#wakeUp?.();
  }

  async stop(): Promise<void> {
    const stream = this.#stream;
    if (stream?.ended === false) this.#sayGoodbye(stream);
    this.#stopping.abort(new OfflineError('the client was stopped'));
    this.#wakeUp?.();
    await stream?.close(CLOSE_TIMEOUT_MS);
    await this.#running;
    this.#plugins.dispose();
  }

  /** RFC 6121 §4.5; a failure must not keep the client from stopping. */
  #sayGoodbye(stream: XmlStream): void {
    try {
      this.send(writePresence({ type: 'unavailable' }));
      const parting = this.#plugins.keeper?.parting();
      if (parting !== undefined) stream.send(parting);
    } catch (error) {
      this.#report(error, 'stop');
    }
  }

  setPresence(presence: OutgoingPresence | false): void {
    this.#presence = presence;
    if (this.#isSendable && presence !== false) this.send(writePresence(presence));
  }

  /** A stream that is being closed takes nothing more. A suspended session has none, and keeps what is sent for the next. */
  get #isSendable(): boolean {
    return this.#jid !== undefined && this.#stream?.isWritable !== false;
  }

  send(element: Element): void {
    const ofStream = !isStanza(element);
    if (!this.#isSendable || (ofStream && this.#stream === undefined)) {
      throw new OfflineError(`${this.account.toString()} is not online, so nothing can be sent`);
    }
    if (ofStream) return this.#stream?.send(element);
    const stanza = this.#plugins.transformed(element);
    // What cannot be sent must not count as sent.
    const leave = this.#stream?.prepare(stanza);
    this.#plugins.keeper?.sent(stanza);
    // A suspended session has no stream: what was shown to its keeper leaves with the next one.
    leave?.();
  }

  iq(request: OutgoingIq): Promise<Element | undefined> {
    return this.#router.iq(request);
  }

  get<Handle>(plugin: Plugin<Handle>): Handle {
    return this.#plugins.get(plugin);
  }

  /** What nobody awaits and nobody else can answer for. That the session has ended meanwhile is no error. */
  #report(error: unknown, where: string): void {
    if (error instanceof OfflineError) return;
    if (this.events.has('error')) this.events.emit('error', { error, where });
    else reportError(error, where);
  }

  #background(where: string, work: () => unknown): void {
    inBackground(work, (error) => this.#report(error, where));
  }

  /** @param over is aborted at the end, with the reason. */
  async #run(over: AbortController): Promise<void> {
    try {
      over.abort(await this.#keepOnline());
    } catch (error) {
      this.#report(error, 'client');
      over.abort(error);
    }
  }

  /** One session after another. @returns why: the client was stopped, or going on is pointless */
  async #keepOnline(): Promise<Error> {
    const stopping = this.#stopping.signal;
    const policy = this.#options.reconnect ?? DEFAULT_RECONNECT;
    for (let failures = 0; ; failures++) {
      const { reason, onlineMs } = await this.#oneSession();
      this.#hadSession ||= onlineMs > 0;
      if (isConflict(reason)) this.#isResourceTaken = true;
      // Only a session that held ends the series: a server that accepts and then drops us is still failing.
      if (onlineMs >= policy.firstMs) failures = 0;
      const willRetry = !stopping.aborted && !isPermanent(reason, this.#hadSession);
      const retryInMs = willRetry ? backoffMs(failures, reason, policy, Math.random()) : undefined;
      if (retryInMs !== undefined && performance.now() + retryInMs < this.#resumableUntil) {
        this.events.emit('suspended', { reason, retryInMs });
      } else {
        this.#endSession(reason);
        this.#state = 'offline';
        this.events.emit('offline', { reason: stopping.aborted ? undefined : reason, willRetry, retryInMs });
        if (retryInMs === undefined)
          return stopping.aborted ? abortReason(stopping) : (reason ?? new OfflineError('the stream was closed'));
      }
      await this.#wait(retryInMs);
    }
  }

  async #wait(ms: number): Promise<void> {
    // A handler of `offline` may have stopped us.
    if (this.#stopping.signal.aborted) return;
    // Being woken, or stopped, ends the wait just as its time does; the loop then looks for itself.
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wakeUp = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wakeUp = undefined;
  }

  /** @returns why it ended, and how long stanzas could flow, in milliseconds */
  async #oneSession(): Promise<{ reason: Error | undefined; onlineMs: number }> {
    let entry: Entry | undefined;
    try {
      if (this.#stopping.signal.aborted) throw abortReason(this.#stopping.signal);
      entry = await this.#connect();
      const onlineAt = performance.now();
      return { reason: await this.#serve(entry), onlineMs: performance.now() - onlineAt };
    } catch (error) {
      entry?.stream.destroy();
      return { reason: error instanceof Error ? error : new XmppError(String(error)), onlineMs: 0 };
    }
  }

  /** The first target that lets us in. */
  #connect(): Promise<Entry> {
    this.#advance('connecting');
    const { server, websocket, resolver, connectTimeoutMs = CONNECT_TIMEOUT_MS } = this.#options;
    const http = this.#http;
    const route: Route = {
      domain: this.account.domainpart,
      server,
      websocket,
      resolver,
      timeoutMs: connectTimeoutMs,
      checksPorts: !this.#hadSession,
      http,
    };
    const first = this.#redirect;
    this.#redirect = undefined;
    return connectFirst(route, (...to) => this.#enter(...to), this.#stopping.signal, first);
  }

  async #enter(target: Target, signal: AbortSignal, onAnswer: () => void): Promise<Entry> {
    const { jid, ca, certificate, limits, longAnswerBytes = LONG_ANSWER_BYTES } = this.#options;
    const isLong = (): boolean => this.#router.awaitsLongAnswer;
    const resource = this.#isResourceTaken ? undefined : this.#options.resource;
    const account = jid.bare;
    const stream = await connectStream(
      target,
      { account, ca, certificate, onAnswer, limits, longAnswers: { bytes: longAnswerBytes, awaited: isLong } },
      signal,
    );
    try {
      this.#advance('negotiating');
      const authenticator = this.#authenticator;
      const features = [...this.#features, ...this.#plugins.streamFeatures];
      const negotiation: Negotiation = { stream, account, resource, authenticator, features, signal };
      const bound = await negotiate(negotiation);
      // Whoever aborted has stopped waiting, and would never learn of this stream.
      signal.throwIfAborted();
      return { stream, target, jid: bound, resumed: negotiation.resumed === true, offers: negotiation.offers };
    } catch (error) {
      stream.destroy();
      throw error;
    }
  }

  /** A suspended session stays so until it is resumed or given up. */
  #advance(state: 'connecting' | 'negotiating'): void {
    if (this.#state !== 'suspended') this.#state = state;
  }

  /** Lets stanzas flow until the stream ends. @returns why it ended */
  async #serve(entry: Entry): Promise<Error | undefined> {
    const { stream, jid, resumed } = entry;
    const ended = new Promise<Error | undefined>((resolve) => stream.onEnd(resolve));
    // A server can send the end together with our resource; then there never was a session.
    if (stream.ended) return ended;
    if (!resumed) this.#replaceSession(entry);
    this.#stream = stream;
    this.#state = 'online';
    this.#resumableUntil = 0;
    this.#lastReceivedAt = performance.now();
    const { keeper } = this.#plugins;
    for (const element of keeper?.began({ jid, resumed }) ?? []) stream.send(element);
    // What fails in these must not reach the socket that calls them.
    stream.onEnd((reason) => this.#background('stream', () => this.#lost(reason, entry)));
    this.#announce(entry);
    // Only now: what came early must find the plugins ready for this session.
    stream.deliverTo((element) =>
      this.#background('stream', () => {
        this.#lastReceivedAt = performance.now();
        this.#router.route(element, stream.language);
        if (isStanza(element)) keeper?.handled();
      }),
    );
    return ended;
  }

  #replaceSession({ jid, offers }: Entry): void {
    if (this.#state === 'suspended') {
      const reason = new XmppError('the server did not resume the session');
      this.#endSession(reason);
      this.events.emit('offline', { reason, willRetry: true, retryInMs: 0 });
    }
    this.#jid = jid;
    this.#account = jid.bare;
    this.#offers = offers;
  }

  /** The stream has ended: either the session waits for another one, or it is over as well. */
  #lost(reason: Error | undefined, { target }: Entry): void {
    this.#stream = undefined;
    // Who closes the stream, in order or by an error, ends the session; only a connection that broke leaves it unfinished.
    const isBroken = reason !== undefined && !(reason instanceof StreamError) && !this.#stopping.signal.aborted;
    const kept = isBroken ? this.#plugins.keeper?.lost() : undefined;
    this.#redirect =
      kept?.location === undefined ? redirectTarget(reason, target) : redirectedFrom(target, kept.location);
    if (kept === undefined) return this.#endSession(reason);
    this.#state = 'suspended';
    this.#resumableUntil = performance.now() + kept.ms;
  }

  #endSession(reason: Error | undefined): void {
    if (this.#jid === undefined) return;
    this.#jid = undefined;
    this.#state = 'offline';
    this.#resumableUntil = 0;
    this.#plugins.keeper?.ended();
    this.#router.sessionEnded(reason);
    this.#plugins.lifecycle.emit('offline', undefined);
  }

  /** Tells the server, the plugins and the application, in this order, that we are here. The server knows it of a resumed session. */
  #announce({ stream, jid, resumed }: Entry): void {
    const { lifecycle } = this.#plugins;
    const steps = [
      ...(resumed ? [] : [() => lifecycle.emit('bound', undefined), () => this.setPresence(this.#presence)]),
      () => lifecycle.emit('online', { resumed }),
      () => this.events.emit('online', { jid, resumed }),
    ];
    // A handler may stop the client.
    for (const step of steps) if (stream.isWritable) step();
  }

  /** The client as plugins see it. */
  #host(storage: Storage): PluginHost {
    const account = (): Jid => this.#account;
    return {
      get account() {
        return account();
      },
      storage,
      jid: () => this.#jid,
      streamFeatures: () => this.#offers,
      silentMs: () => (this.#stream === undefined ? undefined : performance.now() - this.#lastReceivedAt),
      presenceChanged: () => this.setPresence(this.#presence),
      send: (stanza) => this.send(stanza),
      http: this.#http,
      connectionLost: (reason) => {
        if (reason instanceof StreamError) this.#stream?.fail(reason);
        else this.#stream?.destroy(reason);
      },
    };
  }
}
