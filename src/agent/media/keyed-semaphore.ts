import { TimeoutError } from '../../xmpp-core/errors.js';
import { abortReason } from '../../xmpp-core/events.js';

interface Waiting {
  readonly key: string;
  readonly go: () => void;
}

/** Options of a `KeyedSemaphore`. */
export interface KeyedSemaphoreOptions {
  /** How many tasks run at once. */
  readonly total: number;
  /** How many tasks of one key run at once. */
  readonly perKey: number;
  /** How long a task waits to start, in milliseconds. */
  readonly waitMs: number;
}

/** Limits concurrent tasks, in total and per key; others wait in order of arrival. */
export class KeyedSemaphore {
  readonly #options: KeyedSemaphoreOptions;
  #free: number;
  /** Running tasks by key, without zeros. */
  readonly #running = new Map<string, number>();
  readonly #waiting = new Set<Waiting>();

  constructor(options: KeyedSemaphoreOptions) {
    this.#options = options;
    this.#free = options.total;
  }

  /**
   * Runs `work` as soon as the limits allow. A waiting key at its limit does not block the others.
   * @throws TimeoutError when it cannot start in time, the signal's reason when that comes first, or the error of `work`
   */
  async run<Result>(key: string, signal: AbortSignal, work: () => Promise<Result>): Promise<Result> {
    signal.throwIfAborted();
    if (this.#canStart(key)) this.#take(key);
    else await this.#wait(key, signal);
    try {
      return await work();
    } finally {
      this.#release(key);
    }
  }

  #canStart(key: string): boolean {
    return this.#free > 0 && (this.#running.get(key) ?? 0) < this.#options.perKey;
  }

  #take(key: string): void {
    this.#free -= 1;
    this.#running.set(key, (this.#running.get(key) ?? 0) + 1);
  }

  #release(key: string): void {
    this.#free += 1;
    const running = (this.#running.get(key) ?? 0) - 1;
    if (running > 0) this.#running.set(key, running);
    else this.#running.delete(key);
    for (const waiting of this.#waiting) {
      if (!this.#canStart(waiting.key)) continue;
      // Taken here, so that no new task can take it in between.
      this.#take(waiting.key);
      return waiting.go();
    }
  }

  #wait(key: string, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const { waitMs } = this.#options;
      const timer = setTimeout(() => giveUp(new TimeoutError('waiting for other downloads', waitMs)), waitMs);
      const end = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(waiting);
        signal.removeEventListener('abort', abort);
      };
      const waiting: Waiting = {
        key,
        go: () => {
          end();
          resolve();
        },
      };
      const giveUp = (reason: Error): void => {
        end();
        reject(reason);
      };
      const abort = (): void => giveUp(abortReason(signal));
      this.#waiting.add(waiting);
      signal.addEventListener('abort', abort, { once: true });
    });
  }
}
