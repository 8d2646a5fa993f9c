/** What of one session was handled by whom: the counts of both directions, and the stanzas whose fate is not known yet (§4). */
import { StreamError, XmppError } from '../../xmpp-core/errors.js';
import { el, type Element } from '../../xmpp-core/xml/element.js';
import { serialize } from '../../xmpp-core/xml/serialize.js';

export const NS_STREAM_MANAGEMENT = 'urn:xmpp:sm:3';

/** A stanza that was sent and not yet acknowledged. */
export interface Unacknowledged {
  readonly stanza: Element;
  /** When it was sent first. */
  readonly sentAt: Date;
  /** Its size, about what it takes in memory. */
  readonly characters: number;
}

/** How much may wait for its acknowledgement. */
export interface LedgerLimits {
  readonly stanzas: number;
  readonly characters: number;
}

/**
 * One for each session. It lives as long as the session does, over all its connections: the counts begin when stream management is
 * enabled, and nothing sets them back (§5).
 */
export class Ledger {
  readonly #limits: LedgerLimits;
  /** The last count that the peer told us, modulo 2^32. */
  #acknowledged: number;
  #handled: number;
  #queue: Unacknowledged[] = [];
  #characters = 0;

  /** @param counts where to begin: other than from 0 only in tests of what lies beyond 2^32 */
  constructor(limits: LedgerLimits, counts = { acknowledged: 0, handled: 0 }) {
    this.#limits = limits;
    this.#acknowledged = counts.acknowledged;
    this.#handled = counts.handled;
  }

  /** How many stanzas of the peer we have handled: what we tell it as `h`. */
  get handled(): number {
    return this.#handled;
  }

  /** What the peer has not acknowledged, in the order in which it was sent. */
  get queue(): readonly Unacknowledged[] {
    return this.#queue;
  }

  /** A stanza of the peer was handled. */
  countHandled(): void {
    // §4: after 2^32 - 1 comes 0.
    this.#handled = (this.#handled + 1) >>> 0;
  }

  /** @throws XmppError when so much waits already that nothing more is taken */
  assertRoom(): void {
    const { stanzas, characters } = this.#limits;
    if (this.#queue.length < stanzas && this.#characters < characters) return;
    throw new XmppError(
      `${this.#queue.length} stanzas are unacknowledged; nothing more is sent until the server acknowledges some`,
    );
  }

  /** Takes a stanza that is being sent. */
  add(stanza: Element, sentAt = new Date()): void {
    const characters = serialize(stanza).length;
    this.#queue.push({ stanza, sentAt, characters });
    this.#characters += characters;
  }

  /**
   * Takes the peer's count of our stanzas.
   * @param h as it stands in an `<a/>`, `<resumed/>` or `<failed/>`
   * @returns the stanzas that were handled since the last count
   * @throws StreamError when it is no number, goes back, or counts more than was sent (§6)
   */
  acknowledge(h: string | undefined): readonly Unacknowledged[] {
    const count = /^\d{1,10}$/.test(h ?? '') ? Number(h) : Infinity;
    if (count > 0xff_ff_ff_ff) {
      throw new StreamError('undefined-condition', 'the count of an acknowledgement is not a 32-bit number');
    }
    // Modulo 2^32 (RFC 1982 §3.2). A count that goes back is one that is far too high.
    const more = (count - this.#acknowledged) >>> 0;
    if (more > this.#queue.length) {
      const sent = (this.#acknowledged + this.#queue.length) >>> 0;
      throw new StreamError(
        'undefined-condition',
        `the server acknowledged ${count} stanzas, but only ${sent} were sent`,
        {
          details: {
            application: el('handled-count-too-high', NS_STREAM_MANAGEMENT, { h: `${count}`, 'send-count': `${sent}` }),
          },
        },
      );
    }
    this.#acknowledged = count;
    const handled = this.#queue.splice(0, more);
    for (const { characters } of handled) this.#characters -= characters;
    return handled;
  }
}
