import { abortReason } from '../../xmpp-core/events.js';

/** So many at once and no more; the others wait in line, as long as they like to. */
export class Permits {
  #free: number;
  readonly #waiting = new Set<() => void>();

  constructor(count: number) {
    this.#free = count;
  }

  /** Runs some work when it is its turn. @throws the signal's reason when that comes first, or what the work throws */
  async run<Result>(signal: AbortSignal, work: () => Promise<Result>): Promise<Result> {
    await this.#acquire(signal);
    try {
      return await work();
    } finally {
      this.#free += 1;
      const [next] = this.#waiting;
      next?.();
    }
  }

  async #acquire(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    while (this.#free === 0) await this.#turn(signal);
    this.#free -= 1;
  }

  #turn(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = (): void => {
        this.#waiting.delete(next);
        signal.removeEventListener('abort', abort);
      };
      const next = (): void => {
        end();
        resolve();
      };
      const abort = (): void => {
        end();
        reject(abortReason(signal));
      };
      this.#waiting.add(next);
      signal.addEventListener('abort', abort, { once: true });
    });
  }
}
