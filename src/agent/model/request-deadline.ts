/** One signal for everything that may end a request early: the caller's abort, and limits on how long content may take. */
import { abortReason } from '../../xmpp-core/events.js';

/**
 * Watches over one request. `signal` goes to whoever does the work; it is aborted with the caller's reason, or with the error of
 * the limit that was passed, so whoever sees it aborted throws its reason.
 */
export class RequestDeadline {
  readonly #controller = new AbortController();
  readonly #outer: AbortSignal;
  readonly #follow = (): void => this.#controller.abort(abortReason(this.#outer));
  #timer: NodeJS.Timeout | undefined;

  constructor(outer: AbortSignal) {
    this.#outer = outer;
    if (outer.aborted) this.#follow();
    else outer.addEventListener('abort', this.#follow);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** From now, the request has `ms` milliseconds until the next call of `allow` or `pause`. */
  restart(ms: number, late: () => Error): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#controller.abort(late()), ms);
  }

  /** Stops the clock: it is not the provider we wait for. */
  pause(): void {
    clearTimeout(this.#timer);
  }

  /** Ends the watch, and whatever still runs under its signal. */
  close(): void {
    clearTimeout(this.#timer);
    this.#outer.removeEventListener('abort', this.#follow);
    this.#controller.abort();
  }
}
