/** XMPP addresses (RFC 7622): `localpart@domainpart/resource`. A Jid is prepared when it is created, so two can simply be compared. */
import { XmppError } from '../errors.js';
import { codePointName } from './code-points.js';
import { DomainError, prepareDomain } from './domain.js';
import { opaqueString, PrecisError, usernameCaseMapped } from './precis.js';
import { BoundedMap } from '../bounded-map.js';

/** The parts of an address (RFC 7622 §3.1). */
export type JidPart = 'localpart' | 'domainpart' | 'resource';

/** Thrown for a text that is not a JID. The message quotes the beginning of the invalid part, with invisible characters spelt out, and the reason. */
export class JidError extends XmppError {
  override readonly name = 'JidError';
  readonly part: JidPart;

  constructor(part: JidPart, text: string, reason: string, options?: { readonly cause?: unknown }) {
    super(`not a JID: the ${part}${text === '' ? '' : ` ${quoted(text)}`}: ${reason}`, options);
    this.part = part;
  }
}

/** RFC 7622 §3.2, §3.3, §3.4: the longest part, in bytes of UTF-8 after preparation. */
const MAX_PART_BYTES = 1023;
/** In UTF-16 units before preparation. No longer text can shrink to 1023 bytes: composition makes at best three bytes of four units. */
const MAX_RAW_PART_LENGTH = 4 * MAX_PART_BYTES;
/** Longer texts are parsed but not cached, so that a peer cannot make the cache hold more than about a megabyte. */
const MAX_CACHED_LENGTH = 256;

/** How much of a text an error message quotes. */
const QUOTED_CHARACTERS = 48;

/** The delimiters of JIDs, URIs and XML attributes (RFC 7622 §3.3.1). */
const NOT_IN_LOCALPART = /["&'/:<>@]/;

/** RFC 6122 forbids these as well, and drops the invisible characters of a localpart: no server writes them. */
const NOT_ON_WIRE = { localpart: /[\s"&'/:<>@\p{DI}]/u, domain: /[\s@]/ };
/** Control characters, and those that break lines. */
const CONTROL = /[\p{Cc}\p{Zl}\p{Zp}]/u;

/** An XMPP address: prepared, immutable, cheap to compare. */
export class Jid {
  /** The account or service at the domain; `''` when absent. */
  readonly localpart: string;
  /** The domain, in U-labels, or an IP address. `toAsciiDomain` converts it for DNS and TLS. */
  readonly domainpart: string;
  /** The client of an account, or the nickname of an occupant in a room; `''` when absent. */
  readonly resource: string;
  readonly #text: string;
  #bare: Jid | undefined;

  /** Takes prepared parts only; callers use `parse` or `of`. */
  private constructor(localpart: string, domainpart: string, resource: string) {
    const beforeDomain = localpart === '' ? '' : `${localpart}@`;
    const afterDomain = resource === '' ? '' : `/${resource}`;
    // The parts are slices of our own copy, so that they do not keep the larger source text in memory.
    this.#text = ownCopy(beforeDomain + domainpart + afterDomain);
    this.localpart = this.#text.slice(0, localpart.length);
    this.domainpart = this.#text.slice(beforeDomain.length, beforeDomain.length + domainpart.length);
    this.resource = this.#text.slice(this.#text.length - resource.length);
    Object.freeze(this);
  }

  /**
   * Parses an address, as written in a stanza or a configuration.
   * @throws {JidError} when a part is missing, too long or not allowed
   */
  static parse(text: string): Jid {
    const known = recent.use(text);
    if (known) return known;
    const { localpart, domainpart, resource } = splitAddress(text);
    if (localpart === '') throw missing('localpart', 'before the "@"', text);
    if (domainpart === '' && localpart !== undefined) throw missing('domainpart', 'after the "@"', text);
    if (resource === '') throw missing('resource', 'after the "/"', text);
    const jid = Jid.of(localpart ?? '', domainpart, resource);
    if (text.length <= MAX_CACHED_LENGTH) recent.set(text === jid.#text ? jid.#text : ownCopy(text), jid);
    return jid;
  }

  /**
   * Takes an address that a caller gave, as text or as a Jid: the way in for every argument that may be either.
   * @throws {JidError} for text that is no address
   */
  static from(address: Jid | string): Jid {
    return typeof address === 'string' ? Jid.parse(address) : address;
  }

  /**
   * Reads an address that a server wrote into a stanza. Servers that prepare addresses by RFC 6122 allow what RFC 7622 does not: such a part is
   * taken as it was written, so that its owner is heard. It never equals a part that can be prepared, nor another spelling: no two people become
   * one. For what people type or configure, use `parse`.
   * @returns `undefined` for `undefined`, and for a text without the form of an address
   */
  static fromWire(text: string | undefined): Jid | undefined {
    const strict = Jid.tryParse(text);
    if (strict !== undefined || text === undefined) return strict;
    const { localpart, domainpart, resource } = splitAddress(text);
    const parts = [localpart ?? '', domainpart, resource ?? ''] as const;
    if (localpart === '' || domainpart === '' || resource === '' || parts.some(isTooLong)) return undefined;
    if (CONTROL.test(text) || NOT_ON_WIRE.localpart.test(parts[0]) || NOT_ON_WIRE.domain.test(domainpart))
      return undefined;
    return new Jid(
      asWritten(parts[0], prepareLocalpart),
      asWritten(parts[1], prepareDomainpart),
      asWritten(parts[2], prepareResource),
    );
  }

  /** Like `parse`, but `undefined` for `undefined` and for a text that is not a JID. */
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
   * Builds an address from its parts, `''` for one that is absent.
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

  /** Whether there is no resource. */
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

  /** The same bare JID with a resource that a server wrote, such as a nick; see `fromWire`. */
  withWireResource(resource: string): Jid {
    return new Jid(this.localpart, this.domainpart, asWritten(resource, prepareResource));
  }

  /** Whether all three parts are equal. */
  equals(other: Jid | undefined): boolean {
    return other !== undefined && this.#text === other.#text;
  }

  /** The canonical text: `Jid.parse` of it gives an equal Jid. */
  toString(): string {
    return this.#text;
  }

  /** The canonical text, for `JSON.stringify`. */
  toJSON(): string {
    return this.#text;
  }
}

/** Recently parsed addresses: in a room or a chat the same few come up all the time. */
const recent = new BoundedMap<string, Jid>(512);

/** The part prepared, or else as it was written. */
function asWritten(text: string, prepare: (text: string) => string): string {
  try {
    return prepare(text);
  } catch (error) {
    if (error instanceof JidError) return text;
    throw error;
  }
}

function isTooLong(part: string): boolean {
  return exceedsBytes(part, MAX_PART_BYTES);
}

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
  const prepared = applyRules(part, text, rules);
  if (exceedsBytes(prepared, MAX_PART_BYTES)) throw new JidError(part, text, tooLong);
  return prepared;
}

/** Applies the rules, and turns their errors into a JidError about the part. */
function applyRules(part: JidPart, text: string, rules: (text: string) => string): string {
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

/** Whether the text is longer than `bytes` in UTF-8. A UTF-16 unit takes at most three bytes, so encoding is seldom needed. */
function exceedsBytes(text: string, bytes: number): boolean {
  return text.length * 3 > bytes && new TextEncoder().encode(text).length > bytes;
}

/** RFC 7622 §3.2: the first slash ends the bare JID, whatever follows; an at sign counts only before it. */
function splitAddress(text: string): {
  readonly localpart: string | undefined;
  readonly domainpart: string;
  readonly resource: string | undefined;
} {
  const [bare, resource] = splitAtFirst('/', text);
  const [beforeAt, afterAt] = splitAtFirst('@', bare);
  return afterAt === undefined
    ? { localpart: undefined, domainpart: beforeAt, resource }
    : { localpart: beforeAt, domainpart: afterAt, resource };
}

/** The text before the first separator and the text after it, which is `undefined` without a separator. */
function splitAtFirst(separator: string, text: string): [string, string | undefined] {
  const index = text.indexOf(separator);
  return index < 0 ? [text, undefined] : [text.slice(0, index), text.slice(index + 1)];
}

/** Copies the characters: a slice of a large text keeps all of it in memory. */
function ownCopy(text: string): string {
  return ` ${text}`.slice(1);
}

/** The beginning of a text, in quotes, with invisible and control characters spelt out. */
function quoted(text: string): string {
  const beginning = Array.from(text.slice(0, 2 * QUOTED_CHARACTERS))
    .slice(0, QUOTED_CHARACTERS)
    .join('');
  const visible = beginning.replaceAll(/[\p{C}\p{Zl}\p{Zp}"\\]/gu, (character) => `<${codePointName(character)}>`);
  return `"${visible}${beginning.length < text.length ? '…' : ''}"`;
}
