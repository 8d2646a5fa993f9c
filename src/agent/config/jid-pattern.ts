/** The patterns of allowlists: bare JIDs in which `*` stands for any characters of its part. */
import { Jid, JidError } from '../../xmpp-core/jid/jid.js';

/**
 * `alice@example.com`, `*@trusted.org`, `bot-*@*.example.com`. A star never reaches across the `@`. A pattern without `@` matches only
 * JIDs without a localpart: servers and components.
 */
export class JidPattern {
  readonly #localpart: string;
  readonly #domainpart: string;

  private constructor(localpart: string, domainpart: string) {
    this.#localpart = localpart;
    this.#domainpart = domainpart;
  }

  /**
   * Reads a pattern and prepares it as a JID is prepared, so that the case of letters does not matter.
   * @throws {JidError} when there is a resource, or no JID could match
   */
  static parse(text: string): JidPattern {
    // RFC 7622 lets a localpart hold a star, but no domain: there a word that the text does not have holds its place.
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

  /** Compares the bare JID. */
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

/** Each piece is looked for once, from where the one before it ended: no backtracking, whatever a peer calls itself. */
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
