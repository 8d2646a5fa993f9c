/** The same invitation often comes twice, through the room and directly; people are asked once (XEP-0249 §4). */
import type { Invitation } from './invitations.js';

const SAME_MS = 60_000;
const MAX_REMEMBERED = 100;

export class RecentInvitations {
  /** By room and inviter: when we were last invited, and whether by the inviter themselves; the oldest first. */
  readonly #last = new Map<string, { readonly at: number; readonly direct: boolean }>();

  /**
   * Whether they did not invite us to this room a moment ago: others who do cannot take the place of somebody whose word counts. One that the inviter sent is new after one that the room passed on: only then is it
   * certain who invites.
   */
  isNew({ room, by, direct }: Invitation): boolean {
    const key = `${room.bare.toString()} ${by?.bare.toString() ?? ''}`;
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
