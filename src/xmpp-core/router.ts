/** Routes stanzas: responses to their requests, requests to their handler, everything else by payload. */
import { OfflineError, StanzaError, TimeoutError, XmppError } from './errors.js';
import { abortReason, type Disposer } from './events.js';
import { Jid } from './jid/jid.js';
import {
  senders,
  handled,
  type GuardScope,
  type Match,
  type OutgoingIq,
  type SenderGuard,
  type Undelivered,
} from './plugin.js';
import { newId } from './stanza/ids.js';
import { NS_CLIENT } from './stanza/namespaces.js';
import { languageOf } from './stanza/language.js';
import { errorReply, readStanzaError } from './stanza/stanza-error.js';
import {
  readMessage,
  readPresence,
  type IqRequest,
  type Message,
  type Presence,
  type Received,
} from './stanza/stanzas.js';
import { el, type Element } from './xml/element.js';

/** The callbacks of the router into its client. */
export interface RouterHandlers {
  /** Whether requests of others are answered; see `ClientOptions.answers`. */
  answers(requester: Jid): boolean;
  send(stanza: Element): void;
  onMessage(message: Message): void;
  onPresence(presence: Presence): void;
  onUndelivered(undelivered: Undelivered): void;
  /** A handler threw, or a stanza could not be used. */
  report(error: unknown, where: string): void;
  /** Does work that nobody awaits; what it throws is reported. */
  background(where: string, work: () => unknown): void;
}

type MessageHandler = (payload: Element, message: Message) => typeof handled | void;
type UndeliveredHandler = (undelivered: Undelivered) => void;
type PresenceHandler = (payload: Element, presence: Presence) => void;
type IqHandler = (payload: Element, request: IqRequest) => Element | undefined | Promise<Element | undefined>;

interface Registration<Handler> {
  readonly match: Match;
  readonly guard: SenderGuard;
  readonly handler: Handler;
}

interface Pending {
  readonly to: Jid;
  /** For people: the answer that is awaited. */
  readonly what: string;
  readonly isLong: boolean;
  resolve(payload: Element | undefined): void;
  reject(error: Error): void;
}

const DEFAULT_IQ_TIMEOUT_MS = 30_000;

/** The routing table of one client. */
export class Router {
  readonly #account: () => Jid;
  readonly #out: RouterHandlers;
  readonly #scope: GuardScope;
  readonly #pending = new Map<string, Pending>();
  readonly #iqHandlers = new Map<string, { guard: SenderGuard; handler: IqHandler }>();
  readonly #nonzaHandlers = new Map<string, (element: Element) => void>();
  #undeliveredHandlers: readonly { readonly guard: SenderGuard; readonly handler: UndeliveredHandler }[] = [];
  #messageHandlers: readonly Registration<MessageHandler>[] = [];
  #presenceHandlers: readonly Registration<PresenceHandler>[] = [];

  /** @param account our own, bare, as it is at the moment */
  constructor(account: () => Jid, out: RouterHandlers) {
    this.#account = account;
    this.#out = out;
    this.#scope = {
      get account() {
        return account();
      },
      asked: (entity) => [...this.#pending.values()].some(({ to }) => to.equals(entity)),
    };
  }

  /** Whether a request waits for an answer that may be long. */
  get awaitsLongAnswer(): boolean {
    return [...this.#pending.values()].some(({ isLong }) => isLong);
  }

  onMessage(match: Match, guard: SenderGuard, handler: MessageHandler): Disposer {
    const registration = { match, guard, handler };
    this.#messageHandlers = [...this.#messageHandlers, registration];
    return () => {
      this.#messageHandlers = this.#messageHandlers.filter((one) => one !== registration);
    };
  }

  onUndelivered(guard: SenderGuard, handler: UndeliveredHandler): Disposer {
    const registration = { guard, handler };
    this.#undeliveredHandlers = [...this.#undeliveredHandlers, registration];
    return () => {
      this.#undeliveredHandlers = this.#undeliveredHandlers.filter((one) => one !== registration);
    };
  }

  onPresence(match: Match, guard: SenderGuard, handler: PresenceHandler): Disposer {
    const registration = { match, guard, handler };
    this.#presenceHandlers = [...this.#presenceHandlers, registration];
    return () => {
      this.#presenceHandlers = this.#presenceHandlers.filter((one) => one !== registration);
    };
  }

  onIq(match: { type: 'get' | 'set'; ns: string; name: string }, guard: SenderGuard, handler: IqHandler): Disposer {
    return register(this.#iqHandlers, iqKey(match.type, match.ns, match.name), { guard, handler });
  }

  onNonza(ns: string, handler: (element: Element) => void): Disposer {
    return register(this.#nonzaHandlers, ns, handler);
  }

  /**
   * Takes one element of the stream, and is done with it when it returns: what comes after finds its effects (RFC 6120 §10.1).
   * Never throws: what goes wrong is reported.
   */
  route(element: Element, streamLanguage?: string): void {
    try {
      if (element.ns === NS_CLIENT) this.#routeStanza(element, streamLanguage);
      else this.#nonzaHandlers.get(element.ns)?.(element);
    } catch (error) {
      this.#out.report(error, element.name);
    }
  }

  /** Sends a request and waits for its answer. See `PluginContext.iq`. */
  iq(request: OutgoingIq): Promise<Element | undefined> {
    const { type, payload, timeoutMs = DEFAULT_IQ_TIMEOUT_MS, signal, longAnswer = false, onResult } = request;
    const id = newId();
    // Its stack leads to the caller; that of an error made later leads to the socket or the timer.
    const caller = new Error();
    return new Promise((resolve, reject) => {
      const to = request.to === undefined ? undefined : Jid.from(request.to);
      const addressee = to ?? this.#account();
      const key = pendingKey(addressee, id);
      const what = `the answer of ${addressee.toString()} to <${payload.name} xmlns='${payload.ns}'/>`;
      const settle = (act: () => void): void => {
        this.#pending.delete(key);
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
        act();
      };
      const onAbort = (): void => settle(() => reject(abortReason(signal)));
      const timer = setTimeout(() => fail(new TimeoutError(what, timeoutMs)), timeoutMs);
      const fail = (error: Error): void => settle(() => reject(withStackOf(caller, error)));
      this.#pending.set(key, {
        to: addressee,
        what,
        isLong: longAnswer,
        resolve: (result) =>
          settle(() => {
            resolve(result);
            onResult?.(result);
          }),
        reject: fail,
      });
      if (signal?.aborted === true) return onAbort();
      signal?.addEventListener('abort', onAbort);
      try {
        this.#out.send(el('iq', NS_CLIENT, { to: to?.toString(), type, id }, payload));
      } catch (error) {
        settle(() => reject(error instanceof Error ? error : new XmppError(String(error))));
      }
    });
  }

  /** The session is over: no answer to a request that waits can come. */
  sessionEnded(reason: Error | undefined): void {
    // Each rejection takes its entry away, which a Map allows while it is walked.
    for (const pending of this.#pending.values())
      pending.reject(new OfflineError(`the connection was lost before ${pending.what} came`, { cause: reason }));
  }

  #routeStanza(stanza: Element, streamLanguage: string | undefined): void {
    const from = stanza.attr('from');
    const sender = from === undefined ? this.#account() : Jid.fromWire(from);
    if (sender === undefined)
      throw new XmppError(
        `a <${stanza.name}/> was dropped: its 'from' is no address: ${JSON.stringify(from?.slice(0, 100))}`,
      );
    const received: Received = {
      element: stanza,
      from: sender,
      to: Jid.fromWire(stanza.attr('to')),
      id: stanza.attr('id'),
      language: languageOf(stanza, streamLanguage),
    };
    if (stanza.name === 'message') this.#routeMessage(received);
    else if (stanza.name === 'presence') this.#routePresence(received);
    else if (stanza.name === 'iq') this.#routeIq(received);
  }

  #routeMessage(received: Received): void {
    const { element: stanza, from: sender, id, language } = received;
    if (stanza.attr('type') === 'error') {
      this.#routeUndelivered({ from: sender, id, error: readStanzaError(stanza, language) });
      return;
    }
    const message = readMessage(received);
    let isHandled = false;
    for (const { match, guard, handler } of this.#messageHandlers) {
      const payload = matching(stanza, match);
      if (payload === undefined || !guard.admits(sender, this.#scope)) continue;
      try {
        if (handler(payload, message) === handled) isHandled = true;
      } catch (error) {
        this.#out.report(error, 'message');
      }
    }
    if (!isHandled) this.#out.onMessage(message);
  }

  #routeUndelivered(undelivered: Undelivered): void {
    for (const { guard, handler } of this.#undeliveredHandlers) {
      if (!guard.admits(undelivered.from, this.#scope)) continue;
      try {
        handler(undelivered);
      } catch (error) {
        this.#out.report(error, 'undelivered');
      }
    }
    this.#out.onUndelivered(undelivered);
  }

  #routePresence(received: Received): void {
    const { element: stanza, from: sender } = received;
    const presence = readPresence(received);
    if (presence === undefined) return;
    for (const { match, guard, handler } of this.#presenceHandlers) {
      const payload = matching(stanza, match);
      if (payload === undefined || !guard.admits(sender, this.#scope)) continue;
      try {
        handler(payload, presence);
      } catch (error) {
        this.#out.report(error, 'presence');
      }
    }
    this.#out.onPresence(presence);
  }

  #routeIq(received: Received): void {
    const { element: stanza, from: sender, id, language } = received;
    const type = stanza.attr('type');
    if (type === 'result' || type === 'error') {
      // An answer counts only from the very entity that was asked (RFC 6120 §8.1.2.1, §8.2.3).
      const pending = id === undefined ? undefined : this.#pending.get(pendingKey(sender, id));
      if (pending === undefined) return;
      if (type === 'error') pending.reject(naming(pending.what, readStanzaError(stanza, language)));
      else pending.resolve(stanza.children()[0]);
      return;
    }
    if (!senders.server.admits(sender, this.#scope) && !this.#out.answers(sender)) {
      this.#out.send(refusal(stanza, new StanzaError('cancel', 'service-unavailable')));
      return;
    }
    const children = stanza.children();
    const payload = children[0];
    // RFC 6120 §8.2.3: a request has an id, and exactly one child.
    if (id === undefined || (type !== 'get' && type !== 'set') || payload === undefined || children.length > 1) {
      this.#out.send(refusal(stanza, new StanzaError('modify', 'bad-request')));
      return;
    }
    this.#answer({ ...received, id, type, payload });
  }

  #answer(request: IqRequest): void {
    const { element, payload, from } = request;
    const registered = this.#iqHandlers.get(iqKey(request.type, payload.ns, payload.name));
    if (registered === undefined || !registered.guard.admits(from, this.#scope)) {
      this.#out.send(refusal(element, new StanzaError('cancel', 'service-unavailable')));
      return;
    }
    // A handler is called at once, and may answer at once or later; every request is answered exactly once.
    this.#out.background('iq', async () => this.#out.send(await this.#replyTo(request, registered.handler)));
  }

  async #replyTo(request: IqRequest, handler: IqHandler): Promise<Element> {
    const { element, id, payload } = request;
    try {
      const result = await handler(payload, request);
      return el('iq', NS_CLIENT, { to: element.attr('from'), type: 'result', id }, result);
    } catch (error) {
      if (error instanceof StanzaError) return refusal(element, error);
      this.#out.report(error, 'iq');
      return refusal(element, new StanzaError('cancel', 'internal-server-error'));
    }
  }
}

/** RFC 6120 §8.1.2.1: from whom it is the server writes itself; to repeat the address that a stanza was sent to would be to trust it. */
function refusal(stanza: Element, error: StanzaError): Element {
  return errorReply(stanza, error).withAttributes({ from: undefined });
}

function matching(stanza: Element, match: Match): Element | undefined {
  if (match === 'every') return stanza;
  const { ns, name } = match;
  return name === undefined ? stanza.children().find((child) => child.ns === ns) : stanza.child(name, ns);
}

function register<Value>(registry: Map<string, Value>, key: string, value: Value): Disposer {
  if (registry.has(key)) throw new XmppError(`a handler for '${key}' is already registered`);
  registry.set(key, value);
  return () => {
    if (registry.get(key) === value) registry.delete(key);
  };
}

function iqKey(type: string, ns: string, name: string): string {
  return `${type} {${ns}}${name}`;
}

/** `item-not-found (the answer of …)`: without it nobody knows who refused what. */
function naming(what: string, error: StanzaError): StanzaError {
  error.message += ` (${what})`;
  return error;
}

function withStackOf(caller: Error, error: Error): Error {
  // The first line of a stack in V8 is the error's own; elsewhere there is no such line.
  const frames = caller.stack?.replace(`Error: ${caller.message}\n`, '') ?? '';
  error.stack = `${error.name}: ${error.message}\n${frames}`;
  return error;
}

/** A space cannot stand in an id of ours, so that no two pairs share a key. */
function pendingKey(entity: Jid, id: string): string {
  return `${id} ${entity.toString()}`;
}
