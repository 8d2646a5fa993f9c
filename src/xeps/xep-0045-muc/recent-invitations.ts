/** The same invitation often comes twice, through the room and directly; people are asked once (XEP-0249 §4). */
import type { Invitation } from './invitations.js';

const SAME_MS = 60_000;
const MAX_REMEMBERED = 100;

export class RecentInvitations {
  /** When we were last invited to a room, and whether by the inviter themselves; the oldest first. */
  readonly #last = new Map<string, { readonly at: number; readonly direct: boolean }>();

  /**
   * Whether we were not invited to this room a moment ago. One that the inviter sent is new after one that the room passed on: only then is it
   * certain who invites.
   */
  isNew({ room, direct }: Invitation): boolean {
    const key = room.bare.toString();
    const at = performance.now();
    const last = this.#last.get(key);
    if (last !== undefined && at - last.at <= SAME_MS && (last.direct || !direct)) return false;
    this.#last.delete(key);
    this.#last.set(key, { at, direct });
    const [oldest] = this.#last.keys();
    if (this.#last.size > MAX_REMEMBERED && oldest !== undefined) this.#last.delete(oldest);
    return true;
  }
}
