/** Addresses of XMPP (RFC 7622): `localpart@domainpart/resource`. A Jid is prepared when it is made, so two can simply be compared. */
import { XmppError } from '../errors.js';
import { prepareDomain } from './domain.js';
import { codePointName, opaqueString, PrecisError, usernameCaseMapped } from './precis.js';

/** The parts of an address, by the names of RFC 7622 §3.1. */
export type JidPart = 'localpart' | 'domainpart' | 'resource';

/** A text is no JID. The message says which part is wrong and why; its length does not depend on the text's. */
export class JidError extends XmppError {
  override readonly name = 'JidError';
  readonly part: JidPart;

  constructor(part: JidPart, reason: string, options?: { readonly cause?: unknown }) {
    super(`not a JID: the ${part} is wrong: ${reason}`, options);
    this.part = part;
  }
}

/** RFC 7622 §3.2, §3.3, §3.4: no part is longer, after preparation. */
const MAX_PART_BYTES = 1023;

/** No text longer than this is looked at. Preparation can shorten a part, but not an honest one to less than half. */
const MAX_TEXT_LENGTH = 2 * (3 * MAX_PART_BYTES + 2);

/** What XML, URIs and the JID itself use to delimit (RFC 7622 §3.3.1). */
const NOT_IN_LOCALPART = /["&'/:<>@]/;

/** An address of XMPP: prepared, immutable, cheap to compare. */
export class Jid {
  /** Who, at the domain: `''` when absent. */
  readonly localpart: string;
  /** The domain, in U-labels, or an IP address. */
  readonly domainpart: string;
  /** Which client or occupant: `''` when absent. */
  readonly resource: string;
  readonly #text: string;
  #bare: Jid | undefined;

  /** Takes prepared parts only; the doors are `parse` and `of`. */
  private constructor(localpart: string, domainpart: string, resource: string) {
    this.localpart = localpart;
    this.domainpart = domainpart;
    this.resource = resource;
    this.#text = (localpart && `${localpart}@`) + domainpart + (resource && `/${resource}`);
  }

  /**
   * Reads an address as it stands in a stanza or a configuration.
   * @throws {JidError} when a part is missing, too long or not allowed
   */
  static parse(text: string): Jid {
    const known = parsed.get(text);
    if (known) return known;
    if (text.length > MAX_TEXT_LENGTH) throw new JidError('domainpart', `the whole is longer than ${MAX_TEXT_LENGTH}`);
    // RFC 7622 §3.2: the first slash ends the bare JID, whatever comes after it; only then is the at sign looked for.
    const own = ownCopy(text);
    const slash = own.indexOf('/');
    const bare = slash < 0 ? own : own.slice(0, slash);
    const at = bare.indexOf('@');
    if (at === 0) throw new JidError('localpart', 'nothing stands before the "@"');
    if (slash >= 0 && slash === own.length - 1) throw new JidError('resource', 'nothing stands after the "/"');
    const jid = Jid.of(at < 0 ? '' : bare.slice(0, at), bare.slice(at + 1), slash < 0 ? '' : own.slice(slash + 1));
    parsed.set(own, jid);
    return jid;
  }

  /** As `parse`, for what a peer sends: `undefined` when there is no text or it is no JID. */
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
   * Puts an address together from its parts, `''` for an absent one.
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
    return this === other || this.#text === other?.toString();
  }

  /** The canonical text: `Jid.parse` of it gives an equal Jid. */
  toString(): string {
    return this.#text;
  }

  toJSON(): string {
    return this.#text;
  }
}

function prepareLocalpart(text: string): string {
  if (text === '') return '';
  const prepared = checked('localpart', text, usernameCaseMapped);
  const delimiter = NOT_IN_LOCALPART.exec(prepared);
  if (delimiter) throw new JidError('localpart', `${codePointName(delimiter[0])} is not allowed (RFC 7622 §3.3.1)`);
  return prepared;
}

function prepareDomainpart(text: string): string {
  return checked('domainpart', text, prepareDomain);
}

function prepareResource(text: string): string {
  return text === '' ? '' : checked('resource', text, opaqueString);
}

function checked(part: JidPart, text: string, prepare: (text: string) => string): string {
  let prepared;
  try {
    prepared = prepare(text);
  } catch (error) {
    if (error instanceof PrecisError || error instanceof RangeError) {
      throw new JidError(part, error instanceof PrecisError ? error.reason : error.message, { cause: error });
    }
    throw error;
  }
  if (prepared.length * 3 > MAX_PART_BYTES && new TextEncoder().encode(prepared).length > MAX_PART_BYTES) {
    throw new JidError(part, `it is longer than ${MAX_PART_BYTES} bytes`);
  }
  return prepared;
}

/** A slice of a large string keeps all of it in memory; this gives the characters a string of their own. */
function ownCopy(text: string): string {
  return ` ${text}`.slice(1);
}

/**
 * Remembers what was used lately, in two generations: when the younger is full it becomes the elder, and the elder goes. So it never
 * holds more than twice the size of one, and what is in use stays.
 */
class RecentMap<V> {
  readonly #size: number;
  #young = new Map<string, V>();
  #old = new Map<string, V>();

  constructor(size: number) {
    this.#size = size;
  }

  get(key: string): V | undefined {
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const old = this.#old.get(key);
    if (old !== undefined) this.set(key, old);
    return old;
  }

  set(key: string, value: V): void {
    if (this.#young.size >= this.#size) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, value);
  }
}

const parsed = new RecentMap<Jid>(512);
