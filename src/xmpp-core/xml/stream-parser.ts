/** Parses the bytes of an XML stream into stanzas (RFC 6120 §4). */

import { XmppError } from '../errors.js';
import type { Element } from './element.js';
import type { ParserLimits } from './limits.js';
import { notWellFormed } from './violations.js';
import { XmlReader } from './xml-reader.js';

/** Called for the parts of a stream, in order. */
export interface StreamHandlers {
  /** The peer's stream header: name, namespace and attributes. Only its XML has been validated. */
  onOpen(header: Element): void;
  /** A complete child of the stream's root. */
  onElement(element: Element): void;
  /** The peer's closing tag. */
  onClose(): void;
}

/**
 * Parses one XML stream, from its header to its closing tag, in chunks of any size. It accepts only the XML of RFC 6120 §11, within
 * the limits, and the calls to the handlers never depend on how the bytes were split.
 */
export class StreamParser {
  readonly #reader: XmlReader;
  #state: 'ready' | 'writing' | 'failed' | 'stopped' = 'ready';
  #failure: unknown;

  constructor(handlers: StreamHandlers, limits?: ParserLimits) {
    this.#reader = new XmlReader(handlers, 'stream', limits);
  }

  /**
   * Parses the next bytes (or whole characters), and calls the handlers for what they complete before it returns. After `stop` it
   * does nothing. A handler must not call it.
   * @throws StreamError at the first violation, with the condition to send to the peer; and whatever a handler throws. Nothing is
   * parsed after that: every later call throws the same
   */
  write(chunk: Uint8Array | string): void {
    if (this.#state === 'stopped') return;
    if (this.#state === 'failed') throw this.#failure;
    if (this.#state === 'writing') throw new XmppError('a handler of the parser called write()');
    this.#state = 'writing';
    try {
      this.#reader.read(typeof chunk === 'string' ? encode(chunk) : chunk);
    } catch (error) {
      this.#failure = error;
      this.#state = 'failed';
      this.#reader.stop();
      throw error;
    }
    if (!this.#reader.stopped) this.#state = 'ready';
  }

  /**
   * Drops everything, including the rest of the current chunk, and calls no handler again: for STARTTLS and stream restarts, after
   * which a new parser begins (RFC 6120 §4.3.3). A handler may call it.
   */
  stop(): void {
    this.#state = 'stopped';
    this.#reader.stop();
  }
}

/**
 * Parses a document that is one element, such as a frame of RFC 7395.
 * @throws StreamError with the condition to send to the peer, if it is anything else or exceeds the limits
 */
export function parseElement(text: string | Uint8Array, limits?: ParserLimits): Element {
  let root: Element | undefined;
  const reader = new XmlReader(
    {
      onOpen() {},
      onElement(element) {
        root = element;
      },
      onClose() {},
    },
    'document',
    limits,
  );
  reader.read(typeof text === 'string' ? encode(text) : text);
  if (root === undefined || !reader.complete) throw notWellFormed('the document ends too early');
  return root;
}

/** Rejects lone surrogates, which TextEncoder would silently replace. */
function encode(text: string): Uint8Array {
  if (/\p{Surrogate}/u.test(text)) throw notWellFormed('an incomplete character');
  return new TextEncoder().encode(text);
}
