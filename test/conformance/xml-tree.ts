/** XML as the suite sees it: trees made by saxes, so that what is tested here has no part in judging itself. */
import { SaxesParser, type SaxesAttributeNS, type SaxesTagNS } from 'saxes';

export interface XmlTree {
  readonly name: string;
  readonly ns: string;
  /** By local name, or `{namespace}name` for those that have one. Declarations of namespaces are none. */
  readonly attributes: ReadonlyMap<string, string>;
  readonly elements: readonly XmlTree[];
  /** All text that stands directly in it. */
  readonly text: string;
}

/** Something that stands in a stream: its head, an element, or its end; or what may not stand there. */
export interface Item {
  readonly kind: 'head' | 'element' | 'end' | 'malformed';
  /** Of a head, without content; of an end, the empty element of its name; of what is malformed, nothing. */
  readonly tree: XmlTree;
  /** As it was written; of what is malformed, what is wrong with it. */
  readonly text: string;
}

/** What came and is no XML, or none that may stand in a stream. */
export function malformed(error: unknown): Item {
  return { kind: 'malformed', tree: growing(undefined), text: String(error) };
}

interface Growing extends XmlTree {
  readonly elements: XmlTree[];
  text: string;
}

const STREAM_OPEN = `<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>`;
/** What has been read where a stream begins. */
const BEGINNING = /^\s*<(\?xml|stream:stream)$/;

/**
 * Reads what one side of a stream says, as it comes.
 * A stream that begins anew, after TLS or SASL, is known by its beginning: nobody writes it into an older one.
 */
export class ItemReader {
  readonly #found: (item: Item) => void;
  #parser: SaxesParser<{ xmlns: true }>;
  #open: Growing[] = [];
  #unread = '';

  /** @param found is told of each item once it is whole */
  constructor(found: (item: Item) => void) {
    this.#found = found;
    this.#parser = this.#newParser();
  }

  /** @throws Error when it is not well-formed, or nothing that may stand in a stream (RFC 6120 §11.1) */
  read(text: string): void {
    // One character at a time, so that the text of an item is what was read up to its end.
    for (const character of text) {
      this.#unread += character;
      if (this.#open.length <= 1 && BEGINNING.test(this.#unread)) this.#beginAnew();
      else this.#parser.write(character);
    }
  }

  #beginAnew(): void {
    this.#parser = this.#newParser();
    this.#open = [];
    this.#parser.write(this.#unread.trimStart());
  }

  #newParser(): SaxesParser<{ xmlns: true }> {
    const parser = new SaxesParser({ xmlns: true, position: false });
    parser.on('error', (error) => {
      throw error;
    });
    parser.on('opentag', (tag) => {
      this.#open.push(growing(tag));
      if (this.#open.length === 1) this.#give('head', this.#open[0]);
    });
    const addText = (text: string): void => {
      const last = this.#open.at(-1);
      if (last !== undefined && this.#open.length > 1) last.text += text;
      else if (text.trim() !== '') throw new Error(`there is text outside of all elements: ${text}`);
    };
    parser.on('text', addText);
    parser.on('cdata', addText);
    for (const kind of ['comment', 'doctype', 'processinginstruction'] as const) {
      parser.on(kind, () => {
        throw new Error(`there is a ${kind} in the stream`);
      });
    }
    parser.on('closetag', () => {
      const closed = this.#open.pop();
      if (this.#open.length > 1) this.#open.at(-1)?.elements.push(closed ?? growing(undefined));
      else this.#give(this.#open.length === 1 ? 'element' : 'end', closed);
    });
    return parser;
  }

  #give(kind: Item['kind'], tree: Growing | undefined): void {
    const text = this.#unread.trim();
    this.#unread = '';
    this.#found({ kind, tree: tree ?? growing(undefined), text });
  }
}

/**
 * Reads one item of a script, in which the namespaces of a stream hold.
 * @throws Error when it is not well-formed, or not exactly one
 */
export function parseItem(text: string): Item {
  const items: Item[] = [];
  const reader = new ItemReader((item) => items.push(item));
  const isHead = /^\s*(<\?xml[^>]*>\s*)?<stream:stream/.test(text);
  if (!isHead) reader.read(STREAM_OPEN);
  reader.read(text.trim());
  const [item, surplus] = isHead ? items : items.slice(1);
  if (item === undefined || surplus !== undefined) throw new Error(`this is not exactly one element: ${text}`);
  return item;
}

/** Reads a message of a WebSocket, which stands for itself (RFC 7395 §3.3). */
export function parseFrame(text: string): Item {
  const items: Item[] = [];
  const reader = new ItemReader((item) => items.push(item));
  reader.read('<frame>');
  reader.read(text);
  const item = items[1];
  if (item === undefined) throw new Error(`this is not an element: ${text}`);
  return item;
}

/** Takes out the space between tags in which a line breaks: it makes a script readable, and is not said. */
export function withoutLayout(text: string): string {
  return text.replaceAll(/>\s*\n\s*</g, '><').trim();
}

function growing(tag: SaxesTagNS | undefined): Growing {
  const attributes = new Map<string, string>();
  for (const attribute of Object.values(tag?.attributes ?? {})) {
    if (attribute.prefix !== 'xmlns' && attribute.name !== 'xmlns') attributes.set(nameOf(attribute), attribute.value);
  }
  return { name: tag?.local ?? '', ns: tag?.uri ?? '', attributes, elements: [], text: '' };
}

function nameOf({ prefix, local, uri }: SaxesAttributeNS): string {
  if (prefix === '') return local;
  return prefix === 'xml' ? `xml:${local}` : `{${uri}}${local}`;
}
