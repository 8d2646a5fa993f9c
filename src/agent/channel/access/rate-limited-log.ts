/** What is worth a line of the log once an hour for each of those who cause it: nobody must be able to fill the disk. */
import { BoundedMap } from '../../../xmpp-core/bounded-map.js';

const AGAIN_MS = 60 * 60_000;
/** Strangers decide how many there are. */
const MAX_REMEMBERED = 10_000;

export class OncePerHour {
  readonly #lastAt = new BoundedMap<string, number>(MAX_REMEMBERED);

  /** Whether it is due for `who`; then it counts as done. */
  isDue(who: string): boolean {
    const now = performance.now();
    const lastAt = this.#lastAt.get(who);
    if (lastAt !== undefined && now - lastAt < AGAIN_MS) return false;
    this.#lastAt.set(who, now);
    return true;
  }
}
