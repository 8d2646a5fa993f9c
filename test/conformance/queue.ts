/** Things that come, taken one by one by somebody who waits for them, but not for ever. */
import { setTimeout as after } from 'node:timers/promises';

/** How long the other side may take for one step; far more than any does. Whoever wants to see scenarios fail asks for less. */
export const PATIENCE_MS = Number(process.env['PATIENCE_MS'] ?? 5_000);

/** What it resolves to. Rejects when that takes too long. */
export async function inTime<Value>(coming: Promise<Value>): Promise<Value> {
  const settled = new AbortController();
  const deadline = after(PATIENCE_MS, undefined, { signal: settled.signal });
  const late = deadline.then(() => {
    throw new Error(`nothing came for ${PATIENCE_MS} ms`);
  });
  // Once the other has won nobody asks how this one ends.
  late.catch(() => undefined);
  try {
    return await Promise.race([coming, late]);
  } finally {
    settled.abort();
  }
}

export class Queue<Thing> {
  readonly #things: Thing[] = [];
  #failure: Error | undefined;
  #wake: () => void = () => undefined;

  /** What has come and was not taken. */
  get waiting(): readonly Thing[] {
    return this.#things;
  }

  add(thing: Thing): void {
    this.#things.push(thing);
    this.#wake();
  }

  /** Nothing more comes, and why. What has come can still be taken. */
  fail(error: Error): void {
    this.#failure ??= error;
    this.#wake();
  }

  /** The next one. Rejects when none comes in time, or none can come any more. */
  async next(): Promise<Thing> {
    for (;;) {
      const thing = this.#things.shift();
      if (thing !== undefined) return thing;
      if (this.#failure !== undefined) throw this.#failure;
      await inTime(
        new Promise<void>((resolve) => {
          this.#wake = resolve;
        }),
      );
    }
  }
}
