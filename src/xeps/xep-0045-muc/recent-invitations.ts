/** The same invitation often comes twice, through the room and directly; people are asked once (XEP-0249 §4). */
import { BoundedMap } from '../../xmpp-core/bounded-map.js';
import type { Invitation } from './invitations.js';

const SAME_MS = 60_000;
const MAX_REMEMBERED = 100;

export class RecentInvitations {
  /** By room and inviter: when we were last invited, and whether by the inviter themselves; the oldest first. */
  readonly #last = new BoundedMap<string, { readonly at: number; readonly direct: boolean }>(MAX_REMEMBERED);

  /**
   * Whether they did not invite us to this room a moment ago: others who do cannot take the place of somebody whose word counts. One that the inviter sent is new after one that the room passed on: only then is it
   * certain who invites.
   */
  isNew({ room, by, direct }: Invitation): boolean {
    const key = `${room.bare.toString()} ${by?.bare.toString() ?? ''}`;
    const at = performance.now();
    const last = this.#last.get(key);
    if (last !== undefined && at - last.at <= SAME_MS && (last.direct || !direct)) return false;
    this.#last.set(key, { at, direct });
    return true;
  }
}
