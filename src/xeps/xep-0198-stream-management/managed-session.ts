/** The session of one client as both sides count it: enabled, asked about, resumed or lost. */
import { NegotiationError, StreamError } from '../../xmpp-core/errors.js';
import type { Jid } from '../../xmpp-core/jid/jid.js';
import type { Kept, SessionKeeper } from '../../xmpp-core/session.js';
import type { Negotiation } from '../../xmpp-core/stream/stream-feature.js';
import { el, type Element } from '../../xmpp-core/xml/element.js';
import { Ledger, NS_STREAM_MANAGEMENT, type LedgerLimits, type Unacknowledged } from './ledger.js';
import { ResendQueue } from './resend-queue.js';

/** What a managed session needs of its client, and tells it. */
export interface ManagedSessionOptions {
  readonly limits: LedgerLimits;
  /** Whether the server offers to count with us. */
  isOffered(): boolean;
  /** Whether there is a connection. */
  isConnected(): boolean;
  /** Sends what is no stanza. */
  send(element: Element): void;
  /** Does work that nobody awaits. */
  background(work: () => unknown): void;
  /** The server has broken the rules. */
  onBroken(error: StreamError): void;
  onAcknowledged(stanza: Element): void;
  onFailed(stanza: Element): void;
  /** The server counts nothing in this session: nobody will know whether the stanza arrived. */
  onUncounted(stanza: Element): void;
}

/** What the server promised when it began to count (§3, §5). */
interface Promised extends Kept {
  readonly id: string;
}

/** For a server that resumes and does not say for how long: §3 leaves that open. */
const DEFAULT_RESUMPTION_MS = 300_000;
/** §5: an id should not be longer. */
const MAX_ID_LENGTH = 4_000;

export class ManagedSession implements SessionKeeper {
  /** The messages of earlier sessions that are to be sent again. */
  readonly resendQueue: ResendQueue;
  readonly #options: ManagedSessionOptions;
  /** The counts of the session under way; `undefined` when there is none, or the server does not count. */
  #ledger: Ledger | undefined;
  #jid: Jid | undefined;
  #isEnabled = false;
  #promised: Promised | undefined;
  /** Whether an `<r/>` of ours will be sent at the end of this turn, or waits for its answer: there is one at most. */
  #asking: 'no' | 'soon' | 'asked' = 'no';
  #isParting = false;
  /** What `<bound/>` said, where stream management was enabled together with the resource. */
  #inlineAnswer: Element | undefined;

  constructor(options: ManagedSessionOptions) {
    this.#options = options;
    this.resendQueue = new ResendQueue((stanza) => options.onFailed(stanza));
  }

  get enabled(): boolean {
    return this.#isEnabled;
  }

  get unacknowledged(): readonly Unacknowledged[] {
    return [...this.resendQueue.all, ...(this.#ledger?.queue ?? [])];
  }

  /** Takes an element of the stream in our namespace. */
  take(element: Element): void {
    if (this.#ledger === undefined) return;
    try {
      if (element.name === 'r') this.#answer();
      else if (element.name === 'a') this.#answered(element);
      else if (element.name === 'enabled' && !this.#isEnabled) this.#enable(element);
      else if (element.name === 'failed' && !this.#isEnabled) this.#refused();
    } catch (error) {
      if (!(error instanceof StreamError)) throw error;
      this.#options.onBroken(error);
    }
  }

  /** The request to take the last session up again; `undefined` when that cannot be. */
  writeResume(): Element | undefined {
    if (this.#promised === undefined || this.#ledger === undefined) return undefined;
    return el('resume', NS_STREAM_MANAGEMENT, { h: this.#ledger.handled, previd: this.#promised.id });
  }

  /** Takes the answer to that. @throws NegotiationError, StreamError */
  takeResumption(answer: Element, negotiation: Negotiation): void {
    const { stream } = negotiation;
    if (answer.is('failed', NS_STREAM_MANAGEMENT)) return this.#forgotten(answer);
    if (!answer.is('resumed', NS_STREAM_MANAGEMENT)) {
      throw new NegotiationError(
        `${stream.peer} responded with <${answer.name}/> to the request to resume the session`,
      );
    }
    if (this.#jid === undefined || answer.attr('previd') !== this.#promised?.id) {
      throw new NegotiationError(`${stream.peer} resumed a different session than requested`);
    }
    try {
      this.#acknowledge(answer.attr('h'));
    } catch (error) {
      // Whatever the server has, it is not our session: the next attempt begins a new one.
      this.#promised = undefined;
      if (error instanceof StreamError) stream.fail(error);
      throw error;
    }
    negotiation.jid = this.#jid;
    negotiation.resumed = true;
  }

  /** Begins another negotiation: what was enabled in one that came to nothing is of no account. */
  forgetInline(): void {
    this.#inlineAnswer = undefined;
  }

  /** Takes what `<bound/>` says of stream management (§8.1). */
  takeInline(answer: Element | undefined): void {
    this.#inlineAnswer = answer;
  }

  began({ jid, resumed }: { readonly jid: Jid; readonly resumed: boolean }): readonly Element[] {
    if (!resumed) return this.#begin(jid);
    this.#askSoon();
    return this.#ledger?.queue.map(({ stanza }) => stanza) ?? [];
  }

  sent(stanza: Element): void {
    this.#ledger?.assertRoom();
    this.#ledger?.add(stanza);
    this.#askSoon();
  }

  handled(): void {
    // §4: what came before `<enabled/>` is not counted.
    if (this.#isEnabled) this.#ledger?.countHandled();
  }

  lost(): Kept | undefined {
    this.#asking = 'no';
    return this.#promised;
  }

  ended(): void {
    const left = this.#ledger?.queue ?? [];
    this.#forget();
    this.resendQueue.add(left);
    this.#asking = 'no';
    this.#isParting = false;
  }

  /** §4: so that the server does not take for lost what we have. */
  parting(): Element | undefined {
    this.#isParting = true;
    return this.#isEnabled ? this.#count() : undefined;
  }

  probe(): boolean {
    if (!this.#isEnabled) return false;
    this.#ask();
    return true;
  }

  /** Writes first in a new session: the request to count, then the messages of earlier sessions that were not acknowledged. */
  #begin(jid: Jid): readonly Element[] {
    const inline = this.#inlineAnswer;
    this.#inlineAnswer = undefined;
    this.#jid = jid;
    // §3: it is asked for once at most. There is no need to wait for the answer (§4), as a stream keeps its order.
    const isRequested = inline === undefined && this.#options.isOffered();
    const messages = this.resendQueue.takeForSession();
    if (isRequested || inline?.name === 'enabled') {
      this.#ledger = new Ledger(this.#options.limits);
      for (const { stanza, sentAt } of messages) this.#ledger.add(stanza, sentAt);
    }
    if (inline?.name === 'enabled') this.#enable(inline);
    return [...(isRequested ? [writeEnable()] : []), ...messages.map(({ stanza }) => stanza)];
  }

  #enable(enabled: Element): void {
    this.#isEnabled = true;
    this.#askSoon();
    const id = enabled.attr('id') ?? '';
    const isResumable = ['true', '1'].includes(enabled.attr('resume') ?? '');
    if (!isResumable || id === '' || id.length > MAX_ID_LENGTH) return;
    const seconds = Number(enabled.attr('max'));
    const ms = Number.isSafeInteger(seconds) && seconds > 0 ? seconds * 1_000 : DEFAULT_RESUMPTION_MS;
    this.#promised = { id, ms, location: enabled.attr('location') };
  }

  /** §3: a session without counts, as where none are offered. Everything was sent to a live server, so nothing is sent again. */
  #refused(): void {
    const left = this.#ledger?.queue ?? [];
    this.#forget();
    for (const { stanza } of left) this.#options.onUncounted(stanza);
  }

  /** From now on nobody counts. */
  #forget(): void {
    this.#ledger = undefined;
    this.#promised = undefined;
    this.#isEnabled = false;
  }

  /** §5: the server has forgotten the session; one that still knows its count spares us what it has handled. */
  #forgotten(failed: Element): void {
    this.#promised = undefined;
    try {
      this.#acknowledge(failed.attr('h'));
    } catch (error) {
      // No count, or a wrong one, cannot break a session that is over; all of it is owed then.
      if (!(error instanceof StreamError)) throw error;
    }
  }

  #acknowledge(h: string | undefined): void {
    for (const { stanza } of this.#ledger?.acknowledge(h) ?? []) this.#options.onAcknowledged(stanza);
  }

  #count(): Element {
    return el('a', NS_STREAM_MANAGEMENT, { h: this.#ledger?.handled ?? 0 });
  }

  #answer(): void {
    if (!this.#isParting) this.#options.send(this.#count());
  }

  #answered(a: Element): void {
    this.#asking = 'no';
    this.#acknowledge(a.attr('h'));
    this.#askSoon();
  }

  /** One question for all that is sent in one turn, and in the same write. What is sent before the answer is asked about after it. */
  #askSoon(): void {
    if (this.#asking !== 'no' || !this.#isEnabled || (this.#ledger?.queue.length ?? 0) === 0) return;
    this.#asking = 'soon';
    this.#options.background(async () => {
      await Promise.resolve();
      if (this.#asking === 'soon') this.#ask();
    });
  }

  #ask(): void {
    if (this.#asking === 'asked' || this.#isParting) return;
    this.#asking = 'no';
    if (!this.#options.isConnected()) return;
    this.#asking = 'asked';
    this.#options.send(el('r', NS_STREAM_MANAGEMENT));
  }
}

/** Asks the server to count, and to keep the session when its connection breaks. */
export function writeEnable(): Element {
  return el('enable', NS_STREAM_MANAGEMENT, { resume: true });
}
