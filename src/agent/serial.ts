/** Pieces of work that must not overlap. */

/** Runs one piece of work after the other, in the order they came. */
export class Serial {
  #last: Promise<unknown> | undefined;

  /**
   * Starts `work` when everything before it has ended, whether it succeeded or failed.
   * @returns the outcome of `work`
   */
  run<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = runAfter(this.#last, work);
    this.#last = Promise.allSettled([result]);
    return result;
  }

  /** Resolves when everything that was started so far has ended. */
  async settled(): Promise<void> {
    await this.#last;
  }
}

/** Starts `work` when `before` has settled. @param before never rejects */
export async function runAfter<Result>(
  before: Promise<unknown> | undefined,
  work: () => Promise<Result>,
): Promise<Result> {
  await before;
  return work();
}
