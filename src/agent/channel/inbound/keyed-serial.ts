/** Work that has to be done in the order it came in, for each conversation by itself. */

export class KeyedSerial {
  /** The end of what came last, by conversation; gone when nothing is under way. */
  readonly #last = new Map<string, Promise<void>>();

  /** Resolves when all that has come so far is done. */
  async settled(): Promise<void> {
    await Promise.all(this.#last.values());
  }

  /**
   * Does the work when all that came before it in this conversation is done, however that ended.
   * @returns when it is done; rejects as the work does
   */
  async run(conversation: string, work: () => Promise<void>): Promise<void> {
    const done = (this.#last.get(conversation) ?? Promise.resolve()).then(work);
    const ended = done.then(
      () => undefined,
      // Whoever brought the work is told.
      () => undefined,
    );
    this.#last.set(conversation, ended);
    try {
      await done;
    } finally {
      if (this.#last.get(conversation) === ended) this.#last.delete(conversation);
    }
  }
}
