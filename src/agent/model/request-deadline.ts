/** One signal for everything that can end a request early: the caller's abort, and time limits on content. */
import { abortReason } from '../../xmpp-core/events.js';

/**
 * The deadline of one request. `signal` aborts with the caller's reason, or with the error of the time limit that expired.
 */
export class RequestDeadline {
  readonly #controller = new AbortController();
  readonly #caller: AbortSignal;
  readonly #follow = (): void => this.#controller.abort(abortReason(this.#caller));
  #timer: NodeJS.Timeout | undefined;

  /** @param caller the caller's signal */
  constructor(caller: AbortSignal) {
    this.#caller = caller;
    if (caller.aborted) this.#follow();
    else caller.addEventListener('abort', this.#follow);
  }

  /** Pass this to the work of the request. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Restarts the timer: without another call of `restart` or `pause` within `ms` milliseconds, the signal aborts with `createError()`. */
  restart(ms: number, createError: () => Error): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#controller.abort(createError()), ms);
  }

  /** Stops the timer, while the consumer and not the provider takes time. */
  pause(): void {
    clearTimeout(this.#timer);
  }

  /** Stops the timer and aborts everything that still uses the signal. */
  close(): void {
    clearTimeout(this.#timer);
    this.#caller.removeEventListener('abort', this.#follow);
    this.#controller.abort();
  }
}
