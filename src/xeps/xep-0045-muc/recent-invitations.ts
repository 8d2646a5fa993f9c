/** The same invitation often comes twice, through the room and directly. It is reported once (XEP-0249 §4). */
import { BoundedMap } from '../../xmpp-core/bounded-map.js';
import type { Invitation } from './invitations.js';

const SAME_MS = 60_000;
const MAX_REMEMBERED = 100;

/** The invitations of the last minute, at most a hundred. */
export class RecentInvitations {
  /** By room and inviter, the oldest first. */
  readonly #last = new BoundedMap<string, { readonly at: number; readonly direct: boolean }>(MAX_REMEMBERED);

  /**
   * Notes an invitation. The inviter counts, so that somebody else's invitation does not hide that of a trusted person. A direct invitation is
   * new after a mediated one, because only a direct one proves who invites.
   * @returns whether the same person did not invite us to the same room in the last minute
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
