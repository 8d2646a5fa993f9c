/** The same invitation often comes twice, through the room and directly; people are asked once (XEP-0249 §4). */
import type { Invitation } from './invitations.js';

const SAME_MS = 60_000;
const MAX_REMEMBERED = 100;

export class RecentInvitations {
  /** When a room was last invited to, the oldest first. */
  readonly #at = new Map<string, number>();

  /** Whether nobody invited us to this room a moment ago. */
  isNew({ room }: Invitation): boolean {
    const key = room.bare.toString();
    const now = performance.now();
    const isNew = now - (this.#at.get(key) ?? -Infinity) > SAME_MS;
    if (!isNew) return false;
    this.#at.delete(key);
    this.#at.set(key, now);
    const [oldest] = this.#at.keys();
    if (this.#at.size > MAX_REMEMBERED && oldest !== undefined) this.#at.delete(oldest);
    return true;
  }
}
