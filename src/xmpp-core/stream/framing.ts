/**
 * How the elements of a stream lie on what carries them. Over TCP they are the children of one endless document (RFC 6120 §4); over
 * a WebSocket each is a document of its own, in a message of its own (RFC 7395 §3.3). All else about a stream is the same.
 */
import { NS_CLIENT, NS_FRAMING, NS_STREAM } from '../stanza/namespaces.js';
import { el, type Attributes, type Element } from '../xml/element.js';
import type { XmlLimits } from '../xml/limits.js';
import { scope, serialize, serializeOpenTag } from '../xml/serialize.js';
import { parseElement, StreamParser } from '../xml/stream-parser.js';

/** What a peer's stream consists of, in its order. */
export interface FrameHandlers {
  /** The header that opens the stream. Nothing but its XML has been judged. */
  onOpen(header: Element): void;
  onElement(element: Element): void;
  /** The stream was closed in order. @param seeOther the WebSocket to go to instead (RFC 7395 §3.6.1) */
  onClose(seeOther?: string): void;
}

/** Reads one stream, from its header to its end. */
export interface FrameReader {
  /** Takes what the transport brought. @throws StreamError with the condition to send to the peer, and what a handler throws */
  write(data: Uint8Array): void;
  /** Forgets everything and calls no handler any more. */
  stop(): void;
}

export interface Framing {
  /** The header that a peer must open with. */
  readonly root: { readonly name: string; readonly ns: string };
  /** What opens the stream, with these attributes. */
  header(attributes: Attributes): string;
  /** An element on its own. */
  element(element: Element): string;
  /** What closes the stream. */
  readonly footer: string;
  /** What is sent in one turn, as the pieces in which a transport writes it. */
  pieces(sent: readonly string[]): readonly string[];
  reader(handlers: FrameHandlers, limits?: Partial<XmlLimits>): FrameReader;
}

const STREAM_PREFIX = { stream: NS_STREAM };
const CLIENT_SCOPE = scope(NS_CLIENT, STREAM_PREFIX);

/** One document for the whole stream (RFC 6120 §4.2, §4.8). */
export const documentFraming: Framing = {
  root: { name: 'stream', ns: NS_STREAM },
  header: (attributes) =>
    `<?xml version='1.0'?>${serializeOpenTag(el('stream', NS_STREAM, attributes), STREAM_PREFIX, NS_CLIENT)}`,
  element: (element) => serialize(element, CLIENT_SCOPE),
  footer: '</stream:stream>',
  pieces: (sent) => [sent.join('')],
  reader: (handlers, limits) => new StreamParser(handlers, limits),
};

/** One document for each element; each declares its namespaces itself (RFC 7395 §3.3). */
export const messageFraming: Framing = {
  root: { name: 'open', ns: NS_FRAMING },
  header: (attributes) => serialize(el('open', NS_FRAMING, attributes)),
  element: (element) => serialize(element),
  footer: serialize(el('close', NS_FRAMING)),
  pieces: (sent) => sent,
  reader: (handlers, limits) => new MessageReader(handlers, limits),
};

class MessageReader implements FrameReader {
  readonly #handlers: FrameHandlers;
  readonly #limits: Partial<XmlLimits> | undefined;
  #isOpen = false;
  #isStopped = false;

  constructor(handlers: FrameHandlers, limits: Partial<XmlLimits> | undefined) {
    this.#handlers = handlers;
    this.#limits = limits;
  }

  write(message: Uint8Array): void {
    if (this.#isStopped) return;
    const element = parseElement(message, this.#limits);
    // A server may answer `<open/>` with `<close/>` at once (RFC 7395 §3.4).
    if (element.is('close', NS_FRAMING)) {
      this.#handlers.onClose(element.attr('see-other-uri'));
    } else if (this.#isOpen) {
      this.#handlers.onElement(element);
    } else {
      this.#isOpen = true;
      this.#handlers.onOpen(element);
    }
  }

  stop(): void {
    this.#isStopped = true;
  }
}
