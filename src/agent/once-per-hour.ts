/** Limits an action to once an hour for each key, so that nobody can fill the log or flood an operator. */
import { BoundedMap } from '../xmpp-core/bounded-map.js';

const AGAIN_MS = 60 * 60_000;
/** Anybody can add keys. */
const MAX_REMEMBERED = 10_000;

/** Remembers when each key last had its turn; the oldest keys are forgotten first. */
export class OncePerHour {
  readonly #lastAt = new BoundedMap<string, number>(MAX_REMEMBERED);

  /** Whether the action is due for `who`. If it is, the next hour begins. */
  isDue(who: string): boolean {
    const now = performance.now();
    const lastAt = this.#lastAt.get(who);
    if (lastAt !== undefined && now - lastAt < AGAIN_MS) return false;
    this.#lastAt.set(who, now);
    return true;
  }
}
