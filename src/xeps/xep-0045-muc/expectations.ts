/** What a room was asked by a message or a presence: it is done when the room shows it, and refused by an error with its id. */
import { withDeadline } from '../../xmpp-core/deadline.js';
import type { Received } from '../../xmpp-core/stanza/stanzas.js';
import type { Element } from '../../xmpp-core/xml/element.js';

interface Expectation {
  readonly id: string;
  readonly isShownBy: (seen: Received) => boolean;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

const TIMEOUT_MS = 30_000;

export class Expectations {
  readonly #open = new Set<Expectation>();

  /**
   * Sends a stanza and waits for its effect.
   * @param what for people: "changing the subject of …"
   * @throws the error that `refuse` or `endAll` was given, TimeoutError, the signal's reason
   */
  async expect(
    what: string,
    stanza: Element,
    isShownBy: (seen: Received) => boolean,
    send: (stanza: Element) => void,
    signal?: AbortSignal,
  ): Promise<void> {
    const id = stanza.attr('id') ?? '';
    let expectation: Expectation | undefined;
    try {
      await withDeadline(what, TIMEOUT_MS, signal, () => {
        return new Promise<void>((resolve, reject) => {
          expectation = { id, isShownBy, resolve, reject };
          this.#open.add(expectation);
          send(stanza);
        });
      });
    } finally {
      if (expectation !== undefined) this.#open.delete(expectation);
    }
  }

  /** Something came from the room. */
  seen(stanza: Received): void {
    for (const one of this.#open) if (one.isShownBy(stanza)) one.resolve();
  }

  /** @returns whether it was an answer to something that is expected */
  refuse(id: string | undefined, error: Error): boolean {
    const refused = [...this.#open].filter((one) => one.id === id);
    for (const one of refused) one.reject(error);
    return refused.length > 0;
  }

  endAll(error: Error): void {
    for (const one of this.#open) one.reject(error);
  }
}
