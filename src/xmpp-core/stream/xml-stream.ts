/**
 * One XML stream over one connection (RFC 6120 §4): opened, restarted after TLS and SASL, closed in order or by an error.
 *
 * While features are negotiated its elements are drawn with `receive()`, one at a time. Once the session is up `deliverTo()`
 * has each of them handed over as it is parsed.
 */
import { streamErrorCondition } from '../error-conditions.js';
import { NegotiationError, StreamError, XmppError } from '../errors.js';
import { untilAborted } from '../deadline.js';
import { languageOf } from '../stanza/language.js';
import { NS_STREAM, NS_STREAMS } from '../stanza/namespaces.js';
import { readErrorParts } from '../stanza/stanza-error.js';
import type { Security, Transport } from '../transport/transport.js';
import { el, type Element } from '../xml/element.js';
import type { XmlLimits } from '../xml/limits.js';
import { documentFraming, type FrameReader, type Framing } from './framing.js';
import { readStreamLimits, refuseOversized, type StreamLimits } from './stream-limits.js';

/** Who speaks with whom. */
export interface StreamAddress {
  readonly domain: string;
  /** Our bare JID, if we have one. It is told to the server only when TLS protects it (RFC 6120 §4.7.1). */
  readonly from: string | undefined;
}

/** How many elements may wait while features are negotiated, where each answers a question of ours. */
const MAX_WAITING = 64;
/** How much of a server's own words goes into an error, in characters. */
const MAX_WORDS = 200;

export class XmlStream {
  readonly #transport: Transport;
  readonly #address: StreamAddress;
  readonly #limits: Partial<XmlLimits>;
  readonly #framing: Framing;
  #reader: FrameReader;
  #header: Element | undefined;
  #peerLimits: StreamLimits = { maxBytes: undefined, idleSeconds: undefined };
  #inbox: Element[] = [];
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
    limits: Partial<XmlLimits> = {},
    framing: Framing = documentFraming,
  ) {
    this.#transport = transport;
    this.#address = address;
    this.#limits = limits;
    this.#framing = framing;
    this.#reader = this.#newReader();
    transport.handle({ onData: (chunk) => this.#read(chunk), onClose: (error) => this.#disconnected(error) });
  }

  /** What protects the connection; `undefined` before TLS. */
  get security(): Security | undefined {
    return this.#transport.security;
  }

  /** For people: the address we are connected to. */
  get peer(): string {
    return this.#transport.peer;
  }

  /** Whether anything can be sent: the stream is neither over nor being closed. */
  get isWritable(): boolean {
    return !this.#ended && !this.#closing;
  }

  /** Whether the stream is over, for whatever reason. */
  get ended(): boolean {
    return this.#ended;
  }

  /** The server's name for this stream (RFC 6120 §4.7.3). */
  get id(): string | undefined {
    return this.#header?.attr('id');
  }

  /** The language of what does not say its own (RFC 6120 §4.7.4). */
  get language(): string | undefined {
    return this.#header === undefined ? undefined : languageOf(this.#header, undefined);
  }

  /**
   * Opens the stream, at the beginning and again after TLS and SASL (RFC 6120 §4.3.3), and gives the `<stream:features/>`.
   * @throws StreamError what the server reports, or what it did wrong
   */
  async open(signal: AbortSignal): Promise<Element> {
    this.#reader.stop();
    this.#reader = this.#newReader();
    this.#header = undefined;
    this.#inbox = [];
    const { domain, from } = this.#address;
    this.#write(
      this.#framing.header({
        to: domain,
        from: this.security === undefined ? undefined : from,
        version: '1.0',
        'xml:lang': 'en',
      }),
    );
    return this.features(signal);
  }

  /**
   * The `<stream:features/>` that the server sends when the stream is open, or when it has changed without being opened anew.
   * @throws NegotiationError when something else comes, and what `receive` throws
   */
  async features(signal: AbortSignal): Promise<Element> {
    const features = await this.receive(signal);
    if (!features.is('features', NS_STREAM)) {
      throw new NegotiationError(`${this.peer} sent <${features.name}/> instead of its stream features`);
    }
    // XEP-0478 §4: they may change with each announcement.
    this.#peerLimits = readStreamLimits(features);
    return features;
  }

  /**
   * The next element of the stream.
   * @throws StreamError or the transport's error when the stream ends instead, or the signal's reason
   */
  async receive(signal: AbortSignal): Promise<Element> {
    while (this.#inbox.length === 0) {
      if (this.#ended) throw this.#why();
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

  /** From now on hands each element over as it comes, those first that wait. */
  deliverTo(deliver: (element: Element) => void): void {
    this.#deliver = deliver;
    for (const element of this.#inbox.splice(0)) deliver(element);
  }

  /** Calls `handler` once when the stream has ended; without a reason when it was closed in order. */
  onEnd(handler: (reason: Error | undefined) => void): void {
    if (this.#ended) handler(this.#reason);
    else this.#onEnd.push(handler);
  }

  /** What the server takes, as it said last. */
  get peerLimits(): StreamLimits {
    return this.#peerLimits;
  }

  /** Sends an element. What is sent in one turn of the event loop leaves in one write. @throws what `prepare` throws; XmppError after the end */
  send(element: Element): void {
    this.prepare(element)();
  }

  /**
   * Writes an element down, for who has to know that it can be sent before it is.
   * @returns sends it
   * @throws StanzaError `policy-violation` for what is larger than the server takes (XEP-0478 §4); XmlError for what is no XML
   */
  prepare(element: Element): () => void {
    const text = this.#framing.element(element);
    refuseOversized(element.name, text, this.#peerLimits.maxBytes);
    return () => this.#write(text);
  }

  /**
   * Puts TLS under the stream. Whatever came in the clear after the server's consent is an injection (RFC 6120 §5.4.3.3).
   * @throws TlsError, NegotiationError
   */
  async startTls(signal: AbortSignal): Promise<void> {
    this.#reader.stop();
    if (this.#inbox.length > 0)
      throw new NegotiationError(`${this.peer} sent data between <proceed/> and the TLS handshake`);
    await this.#transport.startTls(signal);
  }

  /** Closes in order (RFC 6120 §4.4), waiting for the server's own end at most `ms` milliseconds. */
  async close(ms: number): Promise<void> {
    if (!this.#ended) {
      const ended = new Promise<void>((resolve) => this.onEnd(() => resolve()));
      this.#sendClose();
      const timer = setTimeout(() => this.destroy(), ms);
      await ended;
      clearTimeout(timer);
    }
    // Both sides have said all they had to say; what is left of the connection holds nobody up.
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

  /** Ends at once, without a word to the server; `reason` is told to those who listen for the end. */
  destroy(reason?: Error): void {
    // What has ended closes its connection by itself, and its last words may be on their way.
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
      // A mistake of ours; whoever waits for the end of the stream learns of it, and the process goes on.
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
      if (this.#inbox.length >= MAX_WAITING)
        throw new StreamError('policy-violation', 'too much data during negotiation');
      this.#inbox.push(element);
      this.#wakeUp();
    }
  }

  /** Who closes the connection and not the stream has left it unfinished (RFC 6120 §4.4). */
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
    // `#write` would refuse: nothing follows the end of a stream.
    this.#unsent.push(this.#framing.footer);
    this.#flush();
  }

  #write(text: string): void {
    if (!this.isWritable) throw this.#why();
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

  /** For whoever wants something of a stream that is over: what ended it says more than that it has ended. */
  #why(): XmppError {
    if (this.#reason instanceof XmppError) return this.#reason;
    const detail = this.#reason === undefined ? 'closed the stream' : `is disconnected: ${this.#reason.message}`;
    return new NegotiationError(`${this.peer} ${detail}`, { cause: this.#reason });
  }

  #wakeUp(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}

/** What a `<stream:error/>` says (RFC 6120 §4.9.2). */
function readStreamError(error: Element, isProtected: boolean, language: string | undefined): StreamError {
  const { defined, text, details } = readErrorParts(error, NS_STREAMS, language);
  const { alternative, ...said } = details;
  if (defined === 'see-other-host') return moved(alternative ?? '', isProtected);
  return new StreamError(streamErrorCondition(defined), text, { by: 'peer', details: said });
}

/** RFC 6120 §4.9.3.19: where nothing protects the stream, anybody on the way could have said so. */
function moved(seeOther: string, isProtected: boolean): StreamError {
  return new StreamError('see-other-host', `the server redirects to ${JSON.stringify(seeOther.slice(0, MAX_WORDS))}`, {
    by: 'peer',
    seeOther: isProtected ? seeOther : undefined,
  });
}
