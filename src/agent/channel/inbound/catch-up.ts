/**
 * What the account's archive (XEP-0313) knows and the bot does not: what was said to it while it was away, and what of an answer
 * left before the process was killed.
 */
import type { Client } from '../../../xmpp-core/client.js';
import { StanzaError } from '../../../xmpp-core/errors.js';
import type { Jid } from '../../../xmpp-core/jid/jid.js';
import type { Message } from '../../../xmpp-core/stanza/stanzas.js';
import type { Storage } from '../../../xmpp-core/storage.js';
import { Element } from '../../../xmpp-core/xml/element.js';
import { muc, type Invitation } from '../../../xeps/xep-0045-muc/index.js';
import { readMediatedInvitation } from '../../../xeps/xep-0045-muc/invitations.js';
import { writeDelay } from '../../../xeps/xep-0203-delayed-delivery.js';
import { NS_DIRECT_INVITATION, readDirectInvitation } from '../../../xeps/xep-0249-direct-invitations.js';
import { readCorrection } from '../../../xeps/xep-0308-message-correction.js';
import {
  ArchiveError,
  messageArchive,
  NS_MAM,
  type ArchivedMessage,
} from '../../../xeps/xep-0313-message-archive/index.js';
import { writeStanzaId } from '../../../xeps/xep-0359-stable-ids.js';
import type { AccountConfig } from '../../config/config.js';
import type { Place } from '../places/place.js';
import { isMessageOf } from '../outbound/reply-writer.js';
import { asSaid } from '../rooms/rooms.js';

export interface CatchUpOptions {
  readonly account: AccountConfig;
  readonly client: Client;
  readonly storage: Storage;
  readonly stopping: AbortSignal;
  /** Takes a message as if it came now, with the delay it has. */
  readonly message: (message: Message) => Promise<void>;
  /** @param at when it came */
  readonly invitation: (invitation: Invitation, at: Date) => Promise<void>;
}

const MINUTE_MS = 60_000;
/** Where nothing ever becomes stale, and nothing is known of an archive any more, it is read from a day ago. */
const LONGEST_MS = 24 * 60 * MINUTE_MS;
/** How far before an answer the question is looked for, to see whether the archive keeps this talk at all. */
const AROUND_MS = 10 * MINUTE_MS;
const MAX_LOOKED_AT = 500;
/** How much of what came in an earlier run is read again: a message may have come and not been written down when that run was killed. */
const OVERLAP_MS = MINUTE_MS;

/** Whether the account was seen to have an archive, which then tells what was missed. */
export async function hasArchive(storage: Storage, account: Jid): Promise<boolean> {
  return (await storage.get(archiveKey(account))) !== undefined;
}

export class CatchUp {
  readonly #options: CatchUpOptions;
  /** Before there was a connection. */
  readonly #begun = new Date();

  constructor(options: CatchUpOptions) {
    this.#options = options;
  }

  /**
   * Takes what came since the archive was last read, in this run of the program or an earlier one. The first time nothing is: what was
   * before the bot's time is not for it. For each session that was not resumed.
   */
  async catchUp(): Promise<void> {
    const { account, client, storage, stopping } = this.#options;
    const freshMs = Math.min(account.limits.staleAfterMinutes * MINUTE_MS, LONGEST_MS);
    const firstRead = await storage.get(archiveKey(account.jid));
    const since = firstRead === undefined ? {} : { otherwise: new Date(Date.now() - freshMs) };
    const query = { ...since, overlapMs: OVERLAP_MS, signal: stopping };
    try {
      for await (const missed of client.get(messageArchive).catchUp(query)) {
        // Read from a little before, it may have what is from before the bot's time.
        if (firstRead === undefined || !isBefore(missed, new Date(firstRead))) await this.#take(missed);
      }
      if (firstRead === undefined) await storage.set(archiveKey(account.jid), this.#begun.toISOString());
    } catch (error) {
      if (!(error instanceof StanzaError || error instanceof ArchiveError)) throw error;
      // Without an archive it is the server that keeps what comes meanwhile, and it must not be told that we read one.
      await storage.set(archiveKey(account.jid), undefined);
    }
  }

  /**
   * What of an answer of ours reached the server.
   * @param id of the answer
   * @param at when it was complete
   * @returns the texts of its messages as they were corrected last, by their ids; `undefined` when nobody can tell
   */
  async sentOf(place: Place, id: string, at: Date): Promise<ReadonlyMap<string, string> | undefined> {
    const { client, stopping } = this.#options;
    const room = place.kind === 'room' ? client.get(muc).rooms.get(place.to.bare.toString()) : undefined;
    if (place.kind === 'room' && room?.features.has(NS_MAM) !== true) return undefined;
    const where = room === undefined ? { with: place.to } : { archive: room.jid };
    const query = { ...where, start: new Date(at.getTime() - AROUND_MS), limit: MAX_LOOKED_AT, signal: stopping };
    let isKept = false;
    const sent = new Map<string, string>();
    try {
      for await (const archived of client.get(messageArchive).messages(query)) {
        isKept = true;
        const { message } = archived;
        const isOwn = room === undefined ? message.from.bare.equals(client.account) : asSaid(room, archived).own;
        const name = readCorrection(message.element) ?? message.id;
        if (isOwn && name !== undefined && isMessageOf(id, name)) sent.set(name, message.body ?? '');
      }
    } catch (error) {
      if (!(error instanceof StanzaError || error instanceof ArchiveError)) throw error;
      // What it has told so far need not be all.
      return undefined;
    }
    return isKept ? sent : undefined;
  }

  async #take({ id, message, archive, at = new Date() }: ArchivedMessage): Promise<void> {
    const { account, client, invitation } = this.#options;
    const { element, from, to, type } = message;
    if (type === 'groupchat' || from.bare.equals(account.jid)) return;
    // What was said to another client of the account is none of ours, as are copies of it.
    if (to !== undefined && !to.isBare && !to.resource.startsWith(account.resource)) return;
    const direct = element.child('x', NS_DIRECT_INVITATION);
    const invited =
      readMediatedInvitation(element) ?? (direct === undefined ? undefined : readDirectInvitation(direct, from));
    if (invited !== undefined) return invitation(invited, at);
    // What an occupant of a room said to us alone cannot be told any more from what the room says.
    if (client.get(muc).rooms.has(from.bare.toString())) return;
    const known = [writeDelay({ stamp: at, from: archive }), writeStanzaId(id, archive)];
    await this.#options.message({ ...message, element: precededBy(element, known) });
  }
}

function isBefore({ at }: ArchivedMessage, moment: Date): boolean {
  return at !== undefined && at < moment;
}

/** What the archive says goes before what others wrote into the message. */
function precededBy({ name, ns, attributes, nodes }: Element, payloads: readonly Element[]): Element {
  return new Element(name, ns, attributes, [...payloads, ...nodes]);
}

/** Where it stands when the bot began that read the account's archive first. */
function archiveKey(account: Jid): string {
  return `archive-read ${account.toString()}`;
}
