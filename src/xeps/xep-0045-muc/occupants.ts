/** The occupants of a room. */
import type { Jid } from '../../xmpp-core/jid/jid.js';
import type { Show } from '../../xmpp-core/stanza/stanzas.js';
import type { Affiliation, Role } from './muc-user.js';

/** An occupant of a room. */
export interface Occupant {
  readonly nick: string;
  readonly affiliation: Affiliation;
  readonly role: Role;
  /** The real JID, bare, if the room shows it to us. It is from the presence of the room, which no occupant can forge. */
  readonly realJid: Jid | undefined;
  /** The occupant id, in rooms that announce such ids (XEP-0421 §4). */
  readonly occupantId: string | undefined;
  /** How available they are; `undefined` if they are just available. */
  readonly show: Show | undefined;
}

/** At most so many occupants of one room are kept: a hostile room may invent any number. */
export const MAX_OCCUPANTS = 5_000;

/** The occupants of one stay, at most `MAX_OCCUPANTS`, and always ourselves. */
export class Occupants {
  readonly #byNick = new Map<string, Occupant>();
  #isCut = false;

  /** The occupants by nick. */
  get byNick(): ReadonlyMap<string, Occupant> {
    return this.#byNick;
  }

  /** Whether some occupants were left out. */
  get isCut(): boolean {
    return this.#isCut;
  }

  /** Adds or replaces an occupant. @returns whether they are in the list now */
  put(occupant: Occupant, isSelf: boolean): boolean {
    const fits = isSelf || this.#byNick.has(occupant.nick) || this.#byNick.size < MAX_OCCUPANTS;
    if (fits) this.#byNick.set(occupant.nick, occupant);
    else this.#isCut = true;
    return fits;
  }

  /** Removes an occupant. @returns the occupant, if they were in the list */
  take(nick: string): Occupant | undefined {
    const occupant = this.#byNick.get(nick);
    this.#byNick.delete(nick);
    return occupant;
  }

  /** Removes all, at the end of a stay. */
  clear(): void {
    this.#byNick.clear();
    this.#isCut = false;
  }
}
