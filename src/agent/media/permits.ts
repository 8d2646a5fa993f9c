import { TimeoutError } from '../../xmpp-core/errors.js';
import { abortReason } from '../../xmpp-core/events.js';

interface Waiting {
  readonly whose: string;
  readonly go: () => void;
}

export interface PermitsOptions {
  /** So many at once and no more. */
  readonly count: number;
  /** And so many of each. */
  readonly each: number;
  /** How long one waits in line, in milliseconds. */
  readonly waitMs: number;
}

/** So many at once and no more, and so many of each; the others wait in line. */
export class Permits {
  readonly #options: PermitsOptions;
  #free: number;
  /** How many each holds; who holds none is not in it. */
  readonly #held = new Map<string, number>();
  readonly #waiting = new Set<Waiting>();

  constructor(options: PermitsOptions) {
    this.#options = options;
    this.#free = options.count;
  }

  /**
   * Runs some work when it is its turn. Who has as many as one may have is passed over in the line.
   * @throws TimeoutError when its turn does not come in time, the signal's reason when that comes first, or what the work throws
   */
  async run<Result>(whose: string, signal: AbortSignal, work: () => Promise<Result>): Promise<Result> {
    signal.throwIfAborted();
    if (this.#mayGo(whose)) this.#take(whose);
    else await this.#turn(whose, signal);
    try {
      return await work();
    } finally {
      this.#release(whose);
    }
  }

  #mayGo(whose: string): boolean {
    return this.#free > 0 && (this.#held.get(whose) ?? 0) < this.#options.each;
  }

  #take(whose: string): void {
    this.#free -= 1;
    this.#held.set(whose, (this.#held.get(whose) ?? 0) + 1);
  }

  #release(whose: string): void {
    this.#free += 1;
    const held = (this.#held.get(whose) ?? 0) - 1;
    if (held > 0) this.#held.set(whose, held);
    else this.#held.delete(whose);
    for (const waiting of this.#waiting) {
      if (!this.#mayGo(waiting.whose)) continue;
      // Taken here, so that nobody who comes in between can take it.
      this.#take(waiting.whose);
      return waiting.go();
    }
  }

  #turn(whose: string, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const { waitMs } = this.#options;
      const timer = setTimeout(() => giveUp(new TimeoutError('waiting for other downloads', waitMs)), waitMs);
      const end = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(waiting);
        signal.removeEventListener('abort', abort);
      };
      const waiting: Waiting = {
        whose,
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
