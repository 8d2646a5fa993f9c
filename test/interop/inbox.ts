/** How long anything awaited here may take, in milliseconds, unless the caller knows better. */
export const PATIENCE = 60_000;

interface Waiter<Item> {
  readonly predicate: (item: Item) => boolean;
  readonly resolve: (item: Item) => void;
  readonly reject: (reason: Error) => void;
}

/** What has come from a process and was not yet asked for. An item is taken out by the first who expects it. */
export class Inbox<Item> {
  readonly #name: string;
  readonly #items: Item[] = [];
  readonly #waiters = new Set<Waiter<Item>>();
  #closed: Error | undefined;

  /** @param name whose inbox it is, for the errors */
  constructor(name: string) {
    this.#name = name;
  }

  put(item: Item): void {
    for (const waiter of this.#waiters) {
      if (waiter.predicate(item)) {
        waiter.resolve(item);
        return;
      }
    }
    this.#items.push(item);
  }

  /** Nothing more will come: whoever waits is told why. */
  close(reason: Error): void {
    this.#closed = reason;
    for (const waiter of this.#waiters) waiter.reject(this.#failure(reason.message));
  }

  /** What has come and was not taken, oldest first. */
  get untaken(): readonly Item[] {
    return this.#items;
  }

  /**
   * Takes the oldest item that the predicate admits, or the next one that comes.
   *
   * @param what the thing awaited, in words
   * @param patience milliseconds
   * @throws Error when it does not come in time or cannot come any more; the message lists what came instead
   */
  async expect(what: string, predicate: (item: Item) => boolean, patience: number = PATIENCE): Promise<Item> {
    const index = this.#items.findIndex(predicate);
    const [found] = index < 0 ? [] : this.#items.splice(index, 1);
    if (found !== undefined) return found;
    if (this.#closed !== undefined) throw this.#failure(`${what}: ${this.#closed.message}`);
    return new Promise<Item>((resolve, reject) => {
      const timer = setTimeout(() => waiter.reject(this.#failure(`no ${what} within ${patience} ms`)), patience);
      const settle = (): void => {
        clearTimeout(timer);
        this.#waiters.delete(waiter);
      };
      const waiter: Waiter<Item> = {
        predicate,
        resolve: (item) => {
          settle();
          resolve(item);
        },
        reject: (reason) => {
          settle();
          reject(reason);
        },
      };
      this.#waiters.add(waiter);
    });
  }

  #failure(message: string): Error {
    const came = this.#items.slice(-8).map((item) => JSON.stringify(item));
    return new Error([`${this.#name}: ${message}; untaken:`, ...(came.length === 0 ? ['nothing'] : came)].join('\n  '));
  }
}
