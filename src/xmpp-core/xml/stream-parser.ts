/** From the bytes of an XML stream to stanzas (RFC 6120 §4). */

import { XmppError } from '../errors.js';
import type { Element } from './element.js';
import type { XmlLimits } from './limits.js';
import { notWellFormed } from './violations.js';
import { XmlReader } from './xml-reader.js';

/** What a stream consists of, in its order. */
export interface StreamHandlers {
  /** The peer's stream header: its name, namespace and attributes. Nothing but its XML has been judged. */
  onOpen(header: Element): void;
  /** A child of the stream's root, whole. */
  onElement(element: Element): void;
  /** The peer's closing tag. */
  onClose(): void;
}

/**
 * Parses one XML stream, from its header to its closing tag, whatever pieces it comes in. Only the XML of RFC 6120 §11 passes,
 * within the limits, and what the handlers are told never depends on how the bytes were cut.
 */
export class StreamParser {
  readonly #reader: XmlReader;
  #state: 'ready' | 'writing' | 'failed' | 'stopped' = 'ready';
  #failure: unknown;

  constructor(handlers: StreamHandlers, limits?: Partial<XmlLimits>) {
    this.#reader = new XmlReader(handlers, 'stream', limits);
  }

  /**
   * Takes the next bytes (or whole characters), and calls the handlers for what they complete before it returns.
   *
   * Throws a `StreamError` with the condition to send to the peer at the first violation, and what a handler throws. Nothing
   * is parsed after that: every later call throws the same. After `stop` it does nothing. A handler must not call it.
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
   * Forgets everything, also what is left of the chunk under way, and calls no handler any more: for StartTLS and stream
   * restarts, after which a new parser begins (RFC 6120 §4.3.3). May be called from inside a handler.
   */
  stop(): void {
    this.#state = 'stopped';
    this.#reader.stop();
  }
}

/**
 * Parses a document of one element, such as a frame of RFC 7395. Throws a `StreamError` with the condition to send to the peer
 * if it is not exactly that, or passes the limits.
 */
export function parseElement(text: string | Uint8Array, limits?: Partial<XmlLimits>): Element {
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

/** A lone surrogate is no character; an encoder would quietly make another one of it. */
function encode(text: string): Uint8Array {
  if (/\p{Surrogate}/u.test(text)) throw notWellFormed('an incomplete character');
  return new TextEncoder().encode(text);
}
