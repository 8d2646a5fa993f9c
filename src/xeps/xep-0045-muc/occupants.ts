/** Who is in a room, as far as we keep count. */
import type { Jid } from '../../xmpp-core/jid/jid.js';
import type { Show } from '../../xmpp-core/stanza/stanzas.js';
import type { Affiliation, Role } from './muc-user.js';

/** Somebody in a room. */
export interface Occupant {
  readonly nick: string;
  readonly affiliation: Affiliation;
  readonly role: Role;
  /** The real JID, bare, in rooms that show it to us. It is the room's word, from the presence that it stamped. */
  readonly realJid: Jid | undefined;
  /** In rooms that announce that they give them (XEP-0421 §4). */
  readonly occupantId: string | undefined;
  /** Available without more when it is absent. */
  readonly show: Show | undefined;
}

/** So many occupants of one room are kept; it is the room that says how many there are. */
export const MAX_OCCUPANTS = 5_000;

/** The occupants of one stay by nick, at most `MAX_OCCUPANTS` and always ourselves. */
export class Occupants {
  readonly #byNick = new Map<string, Occupant>();
  #isCut = false;

  get byNick(): ReadonlyMap<string, Occupant> {
    return this.#byNick;
  }

  /** Whether some were left out. */
  get isCut(): boolean {
    return this.#isCut;
  }

  /** @returns whether the occupant is on the list now */
  put(occupant: Occupant, isSelf: boolean): boolean {
    const hasPlace = isSelf || this.#byNick.has(occupant.nick) || this.#byNick.size < MAX_OCCUPANTS;
    if (hasPlace) this.#byNick.set(occupant.nick, occupant);
    else this.#isCut = true;
    return hasPlace;
  }

  /** @returns who it was, if they were on the list */
  take(nick: string): Occupant | undefined {
    const occupant = this.#byNick.get(nick);
    this.#byNick.delete(nick);
    return occupant;
  }

  clear(): void {
    this.#byNick.clear();
    this.#isCut = false;
  }
}
