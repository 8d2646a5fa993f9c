/**
 * One XML stream over one connection (RFC 6120 §4): opened, restarted after TLS and SASL, closed normally or by an error.
 *
 * During negotiation its elements are pulled with `receive()`, one at a time. Once the session is up, `deliverTo()` pushes each
 * element as it is parsed.
 */
import { streamErrorCondition } from '../error-conditions.js';
import { NegotiationError, StreamError, XmppError } from '../errors.js';
import { untilAborted } from '../deadline.js';
import { isStanza } from '../session.js';
import { languageOf } from '../stanza/language.js';
import { NS_STREAM, NS_STREAMS } from '../stanza/namespaces.js';
import { readErrorParts } from '../stanza/stanza-error.js';
import type { Security, Transport } from '../transport/transport.js';
import { el, type Element } from '../xml/element.js';
import type { ParserLimits } from '../xml/limits.js';
import { documentFraming, type FrameReader, type Framing } from './framing.js';
import { readStreamLimits, rejectOversized, type StreamLimits } from './stream-limits.js';

/** The addresses in the stream header. */
export interface StreamAddress {
  readonly domain: string;
  /** Our bare JID, if we have one. It is sent only over TLS (RFC 6120 §4.7.1). */
  readonly from: string | undefined;
}

/** How many elements may wait during negotiation: nearly all answer a request of ours. */
const MAX_QUEUED = 64;
/** How much of a server's text goes into an error, in characters. */
const MAX_TEXT_LENGTH = 200;

/** A stream over a transport. */
export class XmlStream {
  readonly #transport: Transport;
  readonly #address: StreamAddress;
  readonly #limits: ParserLimits;
  readonly #framing: Framing;
  #reader: FrameReader;
  #header: Element | undefined;
  #peerLimits: StreamLimits = { maxBytes: undefined, idleSeconds: undefined };
  #inbox: Element[] = [];
  /** Stanzas that came before the session. */
  #early: Element[] = [];
  #wake: (() => void) | undefined;
  #deliver: ((element: Element) => void) | undefined;
  #unsent: string[] = [];
  #closing = false;
  #ended = false;
  #reason: Error | undefined;
  #onEnd: ((reason: Error | undefined) => void)[] = [];

  constructor(
    transport: Transport,
    address: StreamAddress,
    limits: ParserLimits = {},
    framing: Framing = documentFraming,
  ) {
    this.#transport = transport;
    this.#address = address;
    this.#limits = limits;
    this.#framing = framing;
    this.#reader = this.#newReader();
    transport.handle({ onData: (chunk) => this.#read(chunk), onClose: (error) => this.#disconnected(error) });
  }

  /** The TLS of the connection; `undefined` before TLS. */
  get security(): Security | undefined {
    return this.#transport.security;
  }

  /** For people: the address we are connected to. */
  get peer(): string {
    return this.#transport.peer;
  }

  /** Whether anything can be sent: the stream has not ended and is not closing. */
  get isWritable(): boolean {
    return !this.#ended && !this.#closing;
  }

  /** Whether the stream has ended, for whatever reason. */
  get ended(): boolean {
    return this.#ended;
  }

  /** The server's name for this stream (RFC 6120 §4.7.3). */
  get id(): string | undefined {
    return this.#header?.attr('id');
  }

  /** The default language of the peer's texts (RFC 6120 §4.7.4). */
  get language(): string | undefined {
    return this.#header === undefined ? undefined : languageOf(this.#header, undefined);
  }

  /**
   * Opens the stream, first and again after TLS and SASL (RFC 6120 §4.3.3), and returns the `<stream:features/>`.
   * @throws StreamError for an error that the server reports or a violation by it
   */
  async open(signal: AbortSignal): Promise<Element> {
    this.#reader.stop();
    this.#reader = this.#newReader();
    this.#header = undefined;
    this.#inbox = [];
    this.#early = [];
    const { domain, from } = this.#address;
    this.#write(
      this.#framing.header({
        to: domain,
        from: this.security === undefined ? undefined : from,
        version: '1.0',
        'xml:lang': 'en',
      }),
    );
    return this.#takeFeatures(await this.receive(signal));
  }

  /**
   * Receives the `<stream:features/>` that the server sends when they change without a restart (XEP-0388 §2.6.1).
   * @throws NegotiationError for another element, and what `receive` throws
   */
  async newFeatures(signal: AbortSignal): Promise<Element> {
    return this.#takeFeatures(await this.receiveAnswer(signal));
  }

  #takeFeatures(features: Element): Element {
    if (!features.is('features', NS_STREAM)) {
      throw new NegotiationError(`${this.peer} sent <${features.name}/> instead of its stream features`);
    }
    // XEP-0478 §4: limits may change with each announcement.
    this.#peerLimits = readStreamLimits(features);
    return features;
  }

  /**
   * Receives the next element of the stream.
   * @throws StreamError or the transport's error when the stream ends first, or the signal's reason
   */
  async receive(signal: AbortSignal): Promise<Element> {
    while (this.#inbox.length === 0) {
      if (this.#ended) throw this.#endError();
      await untilAborted(
        signal,
        new Promise<void>((resolve) => {
          this.#wake = resolve;
        }),
      );
    }
    // The loop ended because there is one.
    return this.#inbox.shift() as Element;
  }

  /**
   * Receives the next element that is no message, presence or request. Those are kept for the session: a server may send them as soon as it
   * has bound the resource, which can be before it tells us.
   * @throws what `receive` throws
   */
  async receiveAnswer(signal: AbortSignal): Promise<Element> {
    for (;;) {
      const element = await this.receive(signal);
      if (!isStanza(element) || isIqAnswer(element)) return element;
      this.#early.push(element);
    }
  }

  /** Delivers the elements that have come so far, and from then on each one as it is parsed. */
  deliverTo(deliver: (element: Element) => void): void {
    this.#deliver = deliver;
    for (const element of [...this.#early.splice(0), ...this.#inbox.splice(0)]) deliver(element);
  }

  /** Calls `handler` once when the stream has ended; without a reason if it was closed normally. */
  onEnd(handler: (reason: Error | undefined) => void): void {
    if (this.#ended) handler(this.#reason);
    else this.#onEnd.push(handler);
  }

  /** The limits that the server announced last. */
  get peerLimits(): StreamLimits {
    return this.#peerLimits;
  }

  /** Sends an element. Elements of one turn of the event loop share one write. @throws what `prepare` throws; XmppError after the end */
  send(element: Element): void {
    this.prepare(element)();
  }

  /**
   * Serializes an element, for callers that must know that it can be sent before they send it.
   * @returns a function that sends it
   * @throws StanzaError `policy-violation` if it is larger than the server accepts (XEP-0478 §4); XmlError if XML cannot carry it
   */
  prepare(element: Element): () => void {
    const text = this.#framing.element(element);
    rejectOversized(element.name, text, this.#peerLimits.maxBytes);
    return () => this.#write(text);
  }

  /**
   * Starts TLS. Plaintext after the server's consent is an injection, and rejected (RFC 6120 §5.4.3.3).
   * @throws TlsError, NegotiationError
   */
  async startTls(signal: AbortSignal): Promise<void> {
    this.#reader.stop();
    if (this.#inbox.length > 0)
      throw new NegotiationError(`${this.peer} sent data between <proceed/> and the TLS handshake`);
    await this.#transport.startTls(signal);
  }

  /** Closes the stream (RFC 6120 §4.4), waiting at most `ms` milliseconds for the server to close its side. */
  async close(ms: number): Promise<void> {
    if (!this.#ended) {
      const ended = new Promise<void>((resolve) => this.onEnd(() => resolve()));
      this.#sendClose();
      const timer = setTimeout(() => this.destroy(), ms);
      await ended;
      clearTimeout(timer);
    }
    // Both sides are done, so there is no need to wait for the connection to close.
    this.#transport.destroy();
  }

  /** Ends the stream with an error of ours (RFC 6120 §4.9). */
  fail(error: StreamError): void {
    if (!this.isWritable) return;
    this.#reason = error;
    this.send(el('error', NS_STREAM, {}, el(error.condition, NS_STREAMS), error.details.application));
    this.#sendClose();
    this.#transport.end();
    this.#end(error);
  }

  /** Ends at once, without notifying the server; handlers of the end get the `reason`. */
  destroy(reason?: Error): void {
    // An ended stream closes its connection itself, and its last data may still be in flight.
    if (this.#ended) return;
    this.#reason ??= reason;
    this.#transport.destroy();
    this.#end(this.#reason);
  }

  #newReader(): FrameReader {
    return this.#framing.reader(
      {
        onOpen: (header) => this.#opened(header),
        onElement: (element) => this.#received(element),
        onClose: (seeOther) => this.#closedByPeer(seeOther),
      },
      this.#limits,
    );
  }

  #read(chunk: Uint8Array): void {
    if (this.#ended) return;
    try {
      this.#reader.write(chunk);
    } catch (error) {
      if (error instanceof StreamError) this.fail(error);
      // A bug of ours: it ends the stream, whose handlers get the error, and not the process.
      else this.destroy(error instanceof Error ? error : new XmppError(String(error)));
    }
  }

  #opened(header: Element): void {
    const { name, ns } = this.#framing.root;
    if (!header.is(name, ns)) throw new StreamError('invalid-namespace', `${this.peer} does not speak XMPP`);
    // RFC 6120 §4.7.5: without a version of at least 1.0 there are no features to negotiate.
    if (!/^0*[1-9]\d*\./.test(header.attr('version') ?? '')) {
      throw new StreamError('unsupported-version', `${this.peer} uses a version of XMPP older than RFC 6120`);
    }
    this.#header = header;
  }

  #received(element: Element): void {
    if (element.is('error', NS_STREAM)) {
      this.#reason = readStreamError(element, this.security !== undefined, this.language);
      this.#sendClose();
      this.#transport.end();
      this.#end(this.#reason);
    } else if (this.#deliver !== undefined) {
      this.#deliver(element);
    } else {
      if (this.#inbox.length + this.#early.length >= MAX_QUEUED)
        throw new StreamError('policy-violation', 'too much data during negotiation');
      this.#inbox.push(element);
      this.#wakeUp();
    }
  }

  /** A peer that closes the connection without closing the stream has cut it off (RFC 6120 §4.4). */
  #disconnected(error: Error | undefined): void {
    const unfinished = this.#closing
      ? undefined
      : new NegotiationError(`${this.peer} closed the connection without closing the stream`);
    this.#end(this.#reason ?? error ?? unfinished);
  }

  #closedByPeer(seeOther: string | undefined): void {
    if (seeOther !== undefined) this.#reason = moved(seeOther, this.security !== undefined);
    this.#sendClose();
    this.#transport.end();
    this.#end(this.#reason);
  }

  #sendClose(): void {
    if (this.#closing) return;
    this.#closing = true;
    // `#write` would throw, since the stream is now closing.
    this.#unsent.push(this.#framing.footer);
    this.#flush();
  }

  #write(text: string): void {
    if (!this.isWritable) throw this.#endError();
    if (this.#unsent.length === 0) queueMicrotask(() => this.#flush());
    this.#unsent.push(text);
  }

  #flush(): void {
    const sent = this.#unsent;
    if (sent.length === 0) return;
    this.#unsent = [];
    for (const piece of this.#framing.pieces(sent)) this.#transport.write(piece);
  }

  #end(reason: Error | undefined): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#reason = reason;
    this.#reader.stop();
    this.#wakeUp();
    for (const handler of this.#onEnd.splice(0)) handler(reason);
  }

  /** The error for using an ended stream: the reason of its end, if known. */
  #endError(): XmppError {
    if (this.#reason instanceof XmppError) return this.#reason;
    const detail = this.#reason === undefined ? 'closed the stream' : `is disconnected: ${this.#reason.message}`;
    return new NegotiationError(`${this.peer} ${detail}`, { cause: this.#reason });
  }

  #wakeUp(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}

function isIqAnswer(stanza: Element): boolean {
  const type = stanza.attr('type');
  return stanza.name === 'iq' && (type === 'result' || type === 'error');
}

/** Reads a `<stream:error/>` (RFC 6120 §4.9.2). */
function readStreamError(error: Element, isProtected: boolean, language: string | undefined): StreamError {
  const { defined, text, details } = readErrorParts(error, NS_STREAMS, language);
  const { alternative, ...rest } = details;
  if (defined === 'see-other-host') return moved(alternative ?? '', isProtected);
  return new StreamError(streamErrorCondition(defined), text, { by: 'peer', details: rest });
}

/** RFC 6120 §4.9.3.19: without TLS, anyone on the path could have forged the redirect, so it is not followed. */
function moved(seeOther: string, isProtected: boolean): StreamError {
  return new StreamError(
    'see-other-host',
    `the server redirects to ${JSON.stringify(seeOther.slice(0, MAX_TEXT_LENGTH))}`,
    {
      by: 'peer',
      seeOther: isProtected ? seeOther : undefined,
    },
  );
}
