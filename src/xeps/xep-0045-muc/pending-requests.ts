/**
 * Requests that a room answers by showing their effect, such as a new subject or nick: they are messages and presences, which get no result
 * as an IQ does. A refusal is an error with the id of the request.
 */
import { withDeadline } from '../../xmpp-core/deadline.js';
import type { Received } from '../../xmpp-core/stanza/stanzas.js';
import type { Element } from '../../xmpp-core/xml/element.js';

interface PendingRequest {
  readonly id: string;
  readonly isEffect: (stanza: Received) => boolean;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

const TIMEOUT_MS = 30_000;

/** The requests of one room that are under way. */
export class PendingRequests {
  readonly #pending = new Set<PendingRequest>();

  /**
   * Sends a request and waits for its effect.
   * @param what for the message of an error: "changing the subject of …"
   * @param isEffect whether a stanza of the room shows that the request was carried out
   * @throws the error passed to `fail` or `failAll`, TimeoutError, the signal's reason
   */
  async send(
    what: string,
    stanza: Element,
    isEffect: (stanza: Received) => boolean,
    send: (stanza: Element) => void,
    signal?: AbortSignal,
  ): Promise<void> {
    const id = stanza.attr('id') ?? '';
    let request: PendingRequest | undefined;
    try {
      await withDeadline(what, TIMEOUT_MS, signal, () => {
        return new Promise<void>((resolve, reject) => {
          request = { id, isEffect, resolve, reject };
          this.#pending.add(request);
          send(stanza);
        });
      });
    } finally {
      if (request !== undefined) this.#pending.delete(request);
    }
  }

  /** Completes the requests whose effect this stanza shows. */
  receive(stanza: Received): void {
    for (const request of this.#pending) if (request.isEffect(stanza)) request.resolve();
  }

  /** Fails the request with this id. @returns whether there is one */
  fail(id: string | undefined, error: Error): boolean {
    const failed = [...this.#pending].filter((request) => request.id === id);
    for (const request of failed) request.reject(error);
    return failed.length > 0;
  }

  /** Fails every request, as when we are no longer in the room. */
  failAll(error: Error): void {
    for (const request of this.#pending) request.reject(error);
  }
}
