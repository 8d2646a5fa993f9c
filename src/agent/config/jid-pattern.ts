/** The patterns of allowlists: bare JIDs with `*` as a wildcard. */
import { Jid, JidError } from '../../xmpp-core/jid/jid.js';

/**
 * A pattern such as `alice@example.com`, `*@trusted.org` or `bot-*@*.example.com`. `*` never matches across the `@`. A pattern without
 * `@` matches only JIDs without a localpart: servers and components.
 */
export class JidPattern {
  readonly #localpart: string;
  readonly #domainpart: string;

  private constructor(localpart: string, domainpart: string) {
    this.#localpart = localpart;
    this.#domainpart = domainpart;
  }

  /**
   * Parses a pattern and prepares it like a JID (RFC 7622), so that case does not matter.
   * @throws {JidError} when it has a resource, or no JID can match it
   */
  static parse(text: string): JidPattern {
    // RFC 7622 allows `*` in a localpart but not in a domainpart: there, a word that is not in the text replaces it.
    let placeholder = 'star';
    while (text.toLowerCase().includes(placeholder)) placeholder += 's';
    const at = text.indexOf('@');
    const jid = Jid.parse(text.slice(0, at + 1) + text.slice(at + 1).replaceAll('*', placeholder));
    if (!jid.isBare)
      throw new JidError('resource', '', 'only bare JIDs are matched; leave out the "/" and what follows it');
    return new JidPattern(jid.localpart, jid.domainpart.replaceAll(placeholder, '*'));
  }

  /** True when only JIDs without a localpart can match. */
  get isServer(): boolean {
    return this.#localpart === '';
  }

  /** Whether the bare JID matches. */
  matches(jid: Jid): boolean {
    if ((this.#localpart === '') !== (jid.localpart === '')) return false;
    return matchesGlob(this.#localpart, jid.localpart) && matchesGlob(this.#domainpart, jid.domainpart);
  }

  toString(): string {
    return (this.#localpart && `${this.#localpart}@`) + this.#domainpart;
  }

  toJSON(): string {
    return this.toString();
  }
}

/** Searches each piece once, after the end of the previous one: no backtracking, whatever JID a peer chooses. */
function matchesGlob(pattern: string, text: string): boolean {
  const [first = '', ...rest] = pattern.split('*');
  const last = rest.pop();
  if (last === undefined) return text === pattern;
  if (!text.startsWith(first)) return false;
  let position = first.length;
  for (const piece of rest) {
    const found = text.indexOf(piece, position);
    if (found < 0) return false;
    position = found + piece.length;
  }
  return text.length - position >= last.length && text.endsWith(last);
}
