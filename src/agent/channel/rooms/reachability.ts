/** Whether a message can be sent to a place, and when. */
import type { Client } from '../../../xmpp-core/client.js';
import type { Log } from '../../log.js';
import type { Admission } from '../access/admission.js';
import type { Place } from '../places/place.js';
import type { Rooms } from './rooms.js';

/** Parts of the reachability. */
export interface ReachabilityOptions {
  readonly client: Client;
  readonly rooms: Rooms;
  readonly admission: Admission;
  readonly stopping: AbortSignal;
  readonly log: Log;
}

/** The reachability of the places of one account. */
export class Reachability {
  readonly #options: ReachabilityOptions;

  constructor(options: ReachabilityOptions) {
    this.#options = options;
  }

  /**
   * Resolves when a message can be sent to a place, or when it never will be. @throws the signal's reason
   * @param signal ends the wait; the stop of the account unless given
   */
  async opened(place: Place, signal: AbortSignal = this.#options.stopping): Promise<void> {
    const { client, rooms } = this.#options;
    for (;;) {
      if (place.kind !== 'direct' && rooms.isClosed(place.to)) return;
      if (client.state !== 'online') await client.events.once('online', { signal });
      else if (place.kind === 'direct' || rooms.isJoined(place.to)) return;
      else await rooms.decided(place.to, signal);
    }
  }

  /** Whether a place belongs to a room that the bot cannot enter any more. Then what waits for it is dropped, which is logged. */
  isClosed(place: Place): boolean {
    const { rooms, log } = this.#options;
    if (place.kind === 'direct' || !rooms.isClosed(place.to)) return false;
    const room = place.to.bare.toString();
    log('warn', 'error', {
      kind: 'room',
      room,
      message: `unfinished answers in ${room} are dropped: the room cannot be joined`,
    });
    return true;
  }

  /** Whether an answer may be sent to a place now: its room is not closed, and the occupant who asked is still there. Logs why not. */
  isDeliverable(place: Place): boolean {
    const { rooms, admission } = this.#options;
    return !this.isClosed(place) && admission.isStillThere(place, rooms);
  }
}
