/** The plugin API: the plugin, the context through which it acts, and the guards that restrict the senders it accepts. */
import type { StanzaError } from './errors.js';
import type { Disposer, Events } from './events.js';
import type { Jid } from './jid/jid.js';
import type { IqRequest, Message, Presence } from './stanza/stanzas.js';
import type { SessionKeeper } from './session.js';
import type { Storage } from './storage.js';
import type { StreamFeature } from './stream/stream-feature.js';
import type { HttpRequest, HttpResponse } from './transport/http.js';
import type { Element } from './xml/element.js';

/** A protocol extension: one XEP, one module. `client.get(plugin)` returns its `Handle`. */
export interface Plugin<Handle> {
  readonly name: string;
  /** The number of the XEP. */
  readonly xep?: number;
  /** The features that the client announces through service discovery. */
  readonly features?: readonly string[];
  /** Plugins that are set up before this one, even if the client does not list them. */
  readonly requires?: readonly Plugin<unknown>[];
  /** Called once a client. Everything registered through `context` is undone when the client stops. */
  setup(context: PluginContext): Handle;
}

/** Gives a plugin the type of what its `setup` returns. */
export function definePlugin<Handle>(plugin: Plugin<Handle>): Plugin<Handle> {
  return plugin;
}

/** What a guard can query about the session. */
export interface GuardScope {
  /** Our own account, bare. */
  readonly account: Jid;
  /** Whether a request of ours to this entity is pending. */
  asked(entity: Jid): boolean;
}

/**
 * Decides from which senders a handler accepts stanzas; all others never reach it. It is a required argument everywhere: forged
 * carbons, roster pushes and archive results are the best-known vulnerabilities of XMPP clients.
 */
export interface SenderGuard {
  readonly name: string;
  admits(sender: Jid, scope: GuardScope): boolean;
}

/** The guards of the core; a plugin may have its own, as multi-user chat has for the rooms it is in. */
export const senders = {
  anyone: { name: 'anyone', admits: () => true },
  /** Our own account, exactly its bare JID (or no `from`, which means the same: RFC 6120 §8.1.2.1). */
  ownAccount: { name: 'ownAccount', admits: (sender, { account }) => sender.equals(account) },
  /** The server: its domain, or our own account, on whose behalf it speaks. */
  server: {
    name: 'server',
    admits: (sender, { account }) => sender.equals(account) || sender.toString() === account.domainpart,
  },
  /** An entity with a pending request of ours. */
  asked: { name: 'asked', admits: (sender, scope) => scope.asked(sender) },
} as const satisfies Record<string, SenderGuard>;

/** Which stanzas a handler receives: those with such a child, or every one. */
export type Match = { readonly ns: string; readonly name?: string } | 'every';

/** Returned by a message handler to keep the message from the client's `message` event: the plugin reports it by its own event. */
export const handled = Symbol('handled');

/** A message of ours that was not delivered (RFC 6120 §8.3). Anybody can forge this, whatever we sent. */
export interface Undelivered {
  readonly from: Jid;
  readonly id: string | undefined;
  readonly error: StanzaError;
}

/** A request to another entity. */
export interface OutgoingIq {
  /** Our own account when it is absent. */
  readonly to?: Jid | string;
  readonly type: 'get' | 'set';
  readonly payload: Element;
  /** Default: 30 seconds. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** While we wait for the answer, stanzas may be as long as `ClientOptions.longAnswerBytes` allows. */
  readonly longAnswer?: boolean;
  /**
   * Called with the result while it is routed, before any later stanza. The promise resolves later, when other stanzas of the same
   * chunk may have been handled already.
   */
  readonly onResult?: (payload: Element | undefined) => void;
}

/** The API of a plugin's `setup`. */
export interface PluginContext {
  /** Our own account, bare. */
  readonly account: Jid;
  readonly storage: Storage;
  /** The namespaces that all plugins of this client announce. */
  readonly features: readonly string[];
  /** The full JID of the session; `undefined` while there is none. */
  jid(): Jid | undefined;
  /** The server's last `<stream:features/>`, at the end of the negotiation; `undefined` before the first session. */
  streamFeatures(): Element | undefined;
  /** Milliseconds since the last data from the server; `undefined` without a connection. */
  silentMs(): number | undefined;

  /**
   * Calls `handler` for each message that matches and whose sender is admitted; `payload` is the matching child (the message
   * itself for `every`). Messages of type `error` are excluded. Returning `handled` keeps the message from the client's
   * `message` event; other handlers still see their payloads in it, whatever the order of the plugins.
   */
  onMessage(
    match: Match,
    guard: SenderGuard,
    handler: (payload: Element, message: Message) => typeof handled | void,
  ): Disposer;
  /** The same for presence, errors included. */
  onPresence(match: Match, guard: SenderGuard, handler: (payload: Element, presence: Presence) => void): Disposer;
  /** Calls `handler` for each message of type `error`: one of ours was not delivered. */
  onUndelivered(guard: SenderGuard, handler: (undelivered: Undelivered) => void): Disposer;
  /**
   * Answers requests. What the handler returns is the payload of the result; a `StanzaError` that it throws is the error.
   * One handler for each kind and payload: a second registration throws.
   */
  onIq(
    match: { readonly type: 'get' | 'set'; readonly ns: string; readonly name: string },
    guard: SenderGuard,
    handler: (payload: Element, request: IqRequest) => Element | undefined | Promise<Element | undefined>,
  ): Disposer;
  /** Calls `handler` for top-level elements that are not stanzas, such as those of stream management. */
  onNonza(ns: string, handler: (element: Element) => void): Disposer;
  /** Called at each new session before the initial presence, for what has to be sent before it (RFC 6121 §2.2). */
  onBound(handler: () => void): Disposer;
  /** Called when the session is up, before the client's `online` event. A resumed session needs no setup. */
  onOnline(handler: (session: { readonly resumed: boolean }) => void): Disposer;
  /** Called when the session is gone; not while it is suspended and may be resumed. */
  onOffline(handler: () => void): Disposer;
  /** Passes every outgoing stanza through `transform`, which may replace it. */
  outgoing(transform: (stanza: Element) => Element): Disposer;
  /** Adds something to negotiate when a stream is opened. */
  streamFeature(feature: StreamFeature): Disposer;
  /** Registers what keeps sessions beyond their connections. @throws XmppError if there is a keeper already */
  keepSession(keeper: SessionKeeper): Disposer;

  /**
   * Broadcasts our presence again if it was: for plugins that add to it what has changed (see `outgoing`). While offline it does nothing,
   * as each session begins with it.
   */
  presenceChanged(): void;
  /**
   * Does work that nobody awaits. What it throws, or rejects with, goes to `onFailure`, or else becomes the client's `error` event with the
   * name of the plugin. An `OfflineError` is no failure: the session has ended, and the rest of the work is not done.
   */
  background(work: () => unknown, onFailure?: (error: unknown) => void): void;
  /** Does such work after a time, unless the returned function is called or the client stops before. */
  after(ms: number, work: () => unknown): Disposer;

  /**
   * Sends a stanza; while the session is suspended it leaves when that is resumed. An element that is no stanza passes neither
   * `outgoing` nor the counts of a session, and needs a connection.
   * @throws OfflineError when there is no session or its stream is being closed; XmppError when there is no room to keep the stanza
   */
  send(element: Element): void;
  /** Sends a request. @returns the payload of the result. @throws StanzaError, TimeoutError, OfflineError, the signal's reason */
  iq(request: OutgoingIq): Promise<Element | undefined>;
  /** HTTP with the authorities that this client trusts. */
  http(request: HttpRequest): Promise<HttpResponse>;
  /** Asks the session keeper to probe the connection. @returns false if it cannot */
  probe(): boolean;
  /**
   * Drops the connection, for example when the server is silent for too long; the client then reconnects. A `StreamError` is sent to
   * the server, and ends the session.
   */
  connectionLost(reason: Error): void;
  /** An emitter for the plugin's own events; what their handlers throw becomes the client's `error` event. */
  events<Map>(): Events<Map>;
  /** The handle of a plugin that this one requires. */
  get<Handle>(plugin: Plugin<Handle>): Handle;
}
