/**
 * How a stream's elements are framed. Over TCP they are the children of one endless document (RFC 6120 §4); over a WebSocket each is a
 * document in its own message (RFC 7395 §3.3). Everything else about a stream is the same.
 */
import { NS_CLIENT, NS_FRAMING, NS_STREAM } from '../stanza/namespaces.js';
import { isSpace } from '../xml/bytes.js';
import { el, type Attributes, type Element } from '../xml/element.js';
import type { ParserLimits } from '../xml/limits.js';
import { scope, serialize, serializeOpenTag } from '../xml/serialize.js';
import { parseElement, StreamParser } from '../xml/stream-parser.js';

/** Called for the parts of a peer's stream, in order. */
export interface FrameHandlers {
  /** The header that opens the stream. Only its XML has been validated. */
  onOpen(header: Element): void;
  onElement(element: Element): void;
  /** The peer closed the stream. @param seeOther the WebSocket to connect to instead (RFC 7395 §3.6.1) */
  onClose(seeOther?: string): void;
}

/** Reads one stream, from its header to its end. */
export interface FrameReader {
  /** Parses data of the transport. @throws StreamError with the condition to send to the peer, and whatever a handler throws */
  write(data: Uint8Array): void;
  /** Drops everything and calls no handler again. */
  stop(): void;
}

/** Writes and reads the frames of a stream. */
export interface Framing {
  /** The header that the peer must send. */
  readonly root: { readonly name: string; readonly ns: string };
  /** The text that opens the stream, with these attributes. */
  header(attributes: Attributes): string;
  /** The text of one element. */
  element(element: Element): string;
  /** The text that closes the stream. */
  readonly footer: string;
  /** Groups what is sent in one turn of the event loop into writes of the transport. */
  pieces(sent: readonly string[]): readonly string[];
  reader(handlers: FrameHandlers, limits?: ParserLimits): FrameReader;
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
  readonly #limits: ParserLimits | undefined;
  #isOpen = false;
  #isStopped = false;

  constructor(handlers: FrameHandlers, limits: ParserLimits | undefined) {
    this.#handlers = handlers;
    this.#limits = limits;
  }

  write(message: Uint8Array): void {
    // White space alone keeps a connection alive, as between the stanzas of RFC 6120 §4.6.1.
    if (this.#isStopped || isSpace(message)) return;
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
