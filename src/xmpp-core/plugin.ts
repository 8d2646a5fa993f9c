/** What an extension is made of: a plugin, the one door through which it acts, and the guards that say whom it listens to. */
import type { StanzaError } from './errors.js';
import type { Disposer, Events } from './events.js';
import type { Jid } from './jid/jid.js';
import type { IqRequest, Message, Presence } from './stanza/stanzas.js';
import type { SessionKeeper } from './session.js';
import type { Storage } from './storage.js';
import type { StreamFeature } from './stream/stream-feature.js';
import type { HttpRequest, HttpResponse } from './transport/http.js';
import type { Element } from './xml/element.js';

/** An extension of the protocol: one XEP, one module. `Handle` is what its users get from `client.get(plugin)`. */
export interface Plugin<Handle> {
  readonly name: string;
  /** The number of the XEP. */
  readonly xep?: number;
  /** What is announced through service discovery while the plugin is there. */
  readonly features?: readonly string[];
  /** Plugins that are set up before this one, whether or not they were named to the client. */
  readonly requires?: readonly Plugin<unknown>[];
  /** Called once a client. Everything registered through `context` is undone when the client stops. */
  setup(context: PluginContext): Handle;
}

/** Gives a plugin the type of what its `setup` returns. */
export function definePlugin<Handle>(plugin: Plugin<Handle>): Plugin<Handle> {
  return plugin;
}

/** What a guard may ask about the session. */
export interface GuardScope {
  /** Our own account, bare. */
  readonly account: Jid;
  /** Whether a request of ours to that entity is under way. */
  asked(entity: Jid): boolean;
}

/**
 * Says of whom a handler takes something. A stanza from anybody else never reaches the handler. It is a required argument
 * everywhere: carbons, roster pushes and archive results that a stranger forged are the best known holes of XMPP clients.
 */
export interface SenderGuard {
  readonly name: string;
  admits(sender: Jid, scope: GuardScope): boolean;
}

/** The guards of the core; a plugin may have its own, as multi-user chat has for the rooms it is in. */
export const from = {
  anyone: { name: 'anyone', admits: () => true },
  /** Our own account, exactly its bare JID (or no `from`, which means the same: RFC 6120 §8.1.2.1). */
  ownAccount: { name: 'ownAccount', admits: (sender, { account }) => sender.equals(account) },
  /** The server: its domain, or our own account, on whose behalf it speaks. */
  server: {
    name: 'server',
    admits: (sender, { account }) => sender.equals(account) || sender.toString() === account.domainpart,
  },
  /** An entity that has a request of ours under way. */
  asked: { name: 'asked', admits: (sender, scope) => scope.asked(sender) },
} as const satisfies Record<string, SenderGuard>;

/** Which stanzas a handler wants: those with such a child, or every one. */
export type Match = { readonly ns: string; readonly name?: string } | 'every';

/** What a message handler may return to say that the application need not see the message: a plugin tells of it in its own way. */
export const handled = Symbol('handled');

/** A message of ours that did not arrive (RFC 6120 §8.3). Anybody can send such a thing, whatever we sent. */
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
  /** 30 seconds unless told. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /**
   * Is given the result while it is routed, before any stanza that came after it. Who waits for the promise instead may find
   * that much of what came in the same chunk has been dealt with already.
   */
  readonly onResult?: (payload: Element | undefined) => void;
}

/** Everything a plugin can do. */
export interface PluginContext {
  /** Our own account, bare. */
  readonly account: Jid;
  readonly storage: Storage;
  /** The namespaces that all plugins of this client announce. */
  readonly features: readonly string[];
  /** The full JID of the session; `undefined` while there is none. */
  jid(): Jid | undefined;
  /** What the server offered last, at the end of the negotiation, as `<stream:features/>`; `undefined` before the first session. */
  streamFeatures(): Element | undefined;
  /** Milliseconds since the server was last heard of; `undefined` while there is no connection. */
  silentMs(): number | undefined;

  /**
   * Calls `handler` for each message that matches and whose sender is admitted; `payload` is the matching child (the message
   * itself for `every`). Messages of type `error` never come here. Returning `handled` keeps the message from the client's
   * `message` event; other handlers still see their payloads in it, whatever the order of the plugins.
   */
  onMessage(
    match: Match,
    guard: SenderGuard,
    handler: (payload: Element, message: Message) => typeof handled | void,
  ): Disposer;
  /** The same for presence, errors included. */
  onPresence(match: Match, guard: SenderGuard, handler: (payload: Element, presence: Presence) => void): Disposer;
  /** Calls `handler` for each message of type `error`, which says that one of ours did not arrive. */
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
  /** Elements of the stream that are no stanzas, such as those of stream management. */
  onNonza(ns: string, handler: (element: Element) => void): Disposer;
  /** Called at each new session before the initial presence, for what has to be sent before it (RFC 6121 §2.2). */
  onBound(handler: () => void): Disposer;
  /** Called after the session came up, before the client tells its application. A resumed one is as it was, and needs no set-up. */
  onOnline(handler: (session: { readonly resumed: boolean }) => void): Disposer;
  /** Called when the session is gone; not while it is suspended and may be resumed. */
  onOffline(handler: () => void): Disposer;
  /** Looks at every stanza that is sent, and may give another in its place. */
  outgoing(transform: (stanza: Element) => Element): Disposer;
  /** Adds something to negotiate when a stream is opened. */
  streamFeature(feature: StreamFeature): Disposer;
  /** Has the client's sessions kept beyond their connections. @throws XmppError when somebody keeps them already */
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
  /** Asks the server for a sign of life, in the way of a session that is kept. @returns false when there is no such way */
  probe(): boolean;
  /**
   * Gives the connection up, as when nothing has been heard for too long; the client then reconnects. A `StreamError` is told to the
   * server, and ends the session.
   */
  connectionLost(reason: Error): void;
  /** An emitter for the plugin's own events; what their handlers throw becomes the client's `error` event. */
  events<Map>(): Events<Map>;
  /** The handle of a plugin that this one requires. */
  get<Handle>(plugin: Plugin<Handle>): Handle;
}
