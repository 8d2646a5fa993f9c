/** Addresses of XMPP (RFC 7622): `localpart@domainpart/resource`. A Jid is prepared when it is made, so two can simply be compared. */
import { XmppError } from '../errors.js';
import { codePointName } from './code-points.js';
import { DomainError, prepareDomain } from './domain.js';
import { opaqueString, PrecisError, usernameCaseMapped } from './precis.js';
import { BoundedMap } from '../bounded-map.js';

/** The parts of an address (RFC 7622 §3.1). */
export type JidPart = 'localpart' | 'domainpart' | 'resource';

/** A text is no JID. The message quotes the beginning of the part that is wrong, made visible, and says what is wrong with it. */
export class JidError extends XmppError {
  override readonly name = 'JidError';
  readonly part: JidPart;

  constructor(part: JidPart, text: string, reason: string, options?: { readonly cause?: unknown }) {
    super(`not a JID: the ${part}${text === '' ? '' : ` ${quoted(text)}`}: ${reason}`, options);
    this.part = part;
  }
}

/** RFC 7622 §3.2, §3.3, §3.4: the bytes that a part may have in UTF-8, after preparation. */
const MAX_PART_BYTES = 1023;
/** In UTF-16 units before preparation; no longer text becomes 1023 bytes: composing makes at best one character of three bytes of four. */
const MAX_RAW_PART_LENGTH = 4 * MAX_PART_BYTES;
/** Longer texts are read, but not remembered: what a peer can make the cache hold stays about a megabyte. */
const MAX_REMEMBERED_LENGTH = 256;

/** How much of a text a message quotes. */
const QUOTED_CHARACTERS = 48;

/** What delimits the parts, and URIs, and XML attributes (RFC 7622 §3.3.1). */
const NOT_IN_LOCALPART = /["&'/:<>@]/;

/** An address of XMPP: prepared, immutable, cheap to compare. */
export class Jid {
  /** Who, at the domain; `''` when absent. */
  readonly localpart: string;
  /** The domain, in U-labels, or an IP address. `toAsciiDomain` makes it fit for DNS and TLS. */
  readonly domainpart: string;
  /** Which client, or which occupant of a room; `''` when absent. */
  readonly resource: string;
  readonly #text: string;
  #bare: Jid | undefined;

  /** Takes prepared parts only; the doors are `parse` and `of`. */
  private constructor(localpart: string, domainpart: string, resource: string) {
    const beforeDomain = localpart === '' ? '' : `${localpart}@`;
    const afterDomain = resource === '' ? '' : `/${resource}`;
    // The parts are cut from our own copy, so that no part keeps alive the larger text it was found in.
    this.#text = ownCopy(beforeDomain + domainpart + afterDomain);
    this.localpart = this.#text.slice(0, localpart.length);
    this.domainpart = this.#text.slice(beforeDomain.length, beforeDomain.length + domainpart.length);
    this.resource = this.#text.slice(this.#text.length - resource.length);
    Object.freeze(this);
  }

  /**
   * Reads an address, as it stands in a stanza or in a configuration.
   * @throws {JidError} when a part is missing, too long or not allowed
   */
  static parse(text: string): Jid {
    const known = recent.get(text);
    if (known) return known;
    // RFC 7622 §3.2: the first slash ends the bare JID, whatever comes after it; only before it does an at sign count.
    const [bare, resource] = splitAtFirst('/', text);
    const [beforeAt, afterAt] = splitAtFirst('@', bare);
    if (beforeAt === '' && afterAt !== undefined) throw missing('localpart', 'before the "@"', text);
    if (afterAt === '') throw missing('domainpart', 'after the "@"', text);
    if (resource === '') throw missing('resource', 'after the "/"', text);
    const jid = afterAt === undefined ? Jid.of('', beforeAt, resource) : Jid.of(beforeAt, afterAt, resource);
    if (text.length <= MAX_REMEMBERED_LENGTH) recent.set(text === jid.#text ? jid.#text : ownCopy(text), jid);
    return jid;
  }

  /**
   * Takes an address that a caller gave, as text or as a Jid: the way in for every argument that may be either.
   * @throws {JidError} for text that is no address
   */
  static from(address: Jid | string): Jid {
    return typeof address === 'string' ? Jid.parse(address) : address;
  }

  /** As `parse`, for what a peer sends: `undefined` when there is no text, or when it is no JID. */
  static tryParse(text: string | undefined): Jid | undefined {
    if (text === undefined) return undefined;
    try {
      return Jid.parse(text);
    } catch (error) {
      if (error instanceof JidError) return undefined;
      throw error;
    }
  }

  /**
   * Puts an address together from its parts, `''` for one that is absent.
   * @throws {JidError} when a part is too long or not allowed
   */
  static of(localpart: string, domainpart: string, resource = ''): Jid {
    return new Jid(prepareLocalpart(localpart), prepareDomainpart(domainpart), prepareResource(resource));
  }

  /** The same address without its resource. */
  get bare(): Jid {
    if (this.isBare) return this;
    return (this.#bare ??= new Jid(this.localpart, this.domainpart, ''));
  }

  /** True when there is no resource. */
  get isBare(): boolean {
    return this.resource === '';
  }

  /**
   * The same bare JID with another resource, `''` for none.
   * @throws {JidError} when the resource is too long or not allowed
   */
  withResource(resource: string): Jid {
    return new Jid(this.localpart, this.domainpart, prepareResource(resource));
  }

  /** True when all three parts are the same. */
  equals(other: Jid | undefined): boolean {
    return other !== undefined && this.#text === other.#text;
  }

  /** The canonical text: `Jid.parse` of it gives an equal Jid. */
  toString(): string {
    return this.#text;
  }

  toJSON(): string {
    return this.#text;
  }
}

/** Addresses parsed lately: in a room or a chat the same few come again and again. */
const recent = new BoundedMap<string, Jid>(512);

function prepareLocalpart(text: string): string {
  if (text === '') return '';
  const prepared = prepare('localpart', text, usernameCaseMapped);
  const delimiter = NOT_IN_LOCALPART.exec(prepared)?.[0];
  if (delimiter === undefined) return prepared;
  throw new JidError('localpart', text, `${codePointName(delimiter)} (${delimiter}) is not allowed (RFC 7622 §3.3.1)`);
}

function prepareDomainpart(text: string): string {
  return prepare('domainpart', text, prepareDomain);
}

function prepareResource(text: string): string {
  return text === '' ? '' : prepare('resource', text, opaqueString);
}

function prepare(part: JidPart, text: string, rules: (text: string) => string): string {
  const tooLong = `it is longer than ${MAX_PART_BYTES} bytes`;
  if (text.length > MAX_RAW_PART_LENGTH) throw new JidError(part, text, tooLong);
  const prepared = applied(part, text, rules);
  if (exceedsBytes(prepared, MAX_PART_BYTES)) throw new JidError(part, text, tooLong);
  return prepared;
}

/** The prepared text; what the rules complain about becomes a JidError about the part. */
function applied(part: JidPart, text: string, rules: (text: string) => string): string {
  try {
    return rules(text);
  } catch (cause) {
    if (cause instanceof PrecisError) throw new JidError(part, text, cause.reason, { cause });
    if (cause instanceof DomainError) throw new JidError(part, text, cause.message, { cause });
    throw cause;
  }
}

/** Quotes the whole text, as there is nothing of the part to quote. */
function missing(part: JidPart, where: string, text: string): JidError {
  return new JidError(part, '', `there is nothing ${where} of ${quoted(text)}`);
}

/** True when the text is longer in UTF-8. No unit of UTF-16 takes more than three bytes, so the encoder is seldom asked. */
function exceedsBytes(text: string, bytes: number): boolean {
  return text.length * 3 > bytes && new TextEncoder().encode(text).length > bytes;
}

/** What stands before the separator's first occurrence, and what after it: `undefined` when there is none. */
function splitAtFirst(separator: string, text: string): [string, string | undefined] {
  const index = text.indexOf(separator);
  return index < 0 ? [text, undefined] : [text.slice(0, index), text.slice(index + 1)];
}

/** The same characters in a string of their own: a slice of a large text keeps all of it in memory. */
function ownCopy(text: string): string {
  return ` ${text}`.slice(1);
}

/** The beginning of a text, in quotes, with what cannot be seen or would disturb a log spelt out. */
function quoted(text: string): string {
  const beginning = Array.from(text.slice(0, 2 * QUOTED_CHARACTERS))
    .slice(0, QUOTED_CHARACTERS)
    .join('');
  const visible = beginning.replaceAll(/[\p{C}\p{Zl}\p{Zp}"\\]/gu, (character) => `<${codePointName(character)}>`);
  return `"${visible}${beginning.length < text.length ? '…' : ''}"`;
}
