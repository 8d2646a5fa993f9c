/** What arrived while the bot was away, from the account's archive (XEP-0313). */
import type { Client } from '../../../xmpp-core/client.js';
import { StanzaError } from '../../../xmpp-core/errors.js';
import type { Message } from '../../../xmpp-core/stanza/stanzas.js';
import type { Storage } from '../../../xmpp-core/storage.js';
import { Element } from '../../../xmpp-core/xml/element.js';
import type { Invitation } from '../../../xeps/xep-0045-muc/index.js';
import { readMediatedInvitation } from '../../../xeps/xep-0045-muc/invitations.js';
import { writeDelay } from '../../../xeps/xep-0203-delayed-delivery.js';
import { NS_DIRECT_INVITATION, readDirectInvitation } from '../../../xeps/xep-0249-direct-invitations.js';
import { ArchiveError, messageArchive, type ArchivedMessage } from '../../../xeps/xep-0313-message-archive/index.js';
import { writeStanzaId } from '../../../xeps/xep-0359-stable-ids.js';
import type { AccountConfig } from '../../config/config.js';
import type { RoomFacts } from '../access/admission.js';
import { archiveReadSince, setArchiveReadSince } from '../client/archive-state.js';

/** Parts of the catch-up. */
export interface CatchUpOptions {
  readonly account: AccountConfig;
  readonly client: Client;
  readonly storage: Storage;
  readonly rooms: Pick<RoomFacts, 'has'>;
  readonly stopping: AbortSignal;
}

/** Something that the bot missed. */
export type Missed =
  /** With the delay (XEP-0203) and stanza id that the archive has for it. */
  | { readonly kind: 'message'; readonly message: Message }
  | { readonly kind: 'invitation'; readonly invitation: Invitation; readonly at: Date };

const MINUTE_MS = 60_000;
/** How far back the archive is read when nothing becomes stale and the last position in the archive is lost: a day. */
const LONGEST_MS = 24 * 60 * MINUTE_MS;
/** How much of an earlier run is read again: when that run was killed, a message may have arrived and not been written to disk. */
const OVERLAP_MS = MINUTE_MS;

/** The catch-up of one account. */
export class CatchUp {
  readonly #options: CatchUpOptions;
  /** Before there was a connection. */
  readonly #begun = new Date();

  constructor(options: CatchUpOptions) {
    this.#options = options;
  }

  /**
   * Yields what arrived since the archive was last read, in this run of the program or an earlier one, in order. The first run yields nothing:
   * messages from before the bot's time are not for it. For each session that was not resumed.
   * @throws the signal's reason; XmppError when the connection is lost
   */
  async *missed(): AsyncGenerator<Missed> {
    const { account, client, storage, stopping } = this.#options;
    const freshMs = Math.min(account.limits.staleAfterMinutes * MINUTE_MS, LONGEST_MS);
    const readSince = await archiveReadSince(storage, account.jid);
    const otherwise = readSince === undefined ? {} : { otherwise: new Date(Date.now() - freshMs) };
    const query = { ...otherwise, overlapMs: OVERLAP_MS, signal: stopping };
    try {
      for await (const one of client.get(messageArchive).catchUp(query)) {
        // The overlap can reach back to before the bot's time.
        const missed = readSince !== undefined && isBefore(one, readSince) ? undefined : this.#read(one);
        if (missed !== undefined) yield missed;
      }
      if (readSince === undefined) await setArchiveReadSince(storage, account.jid, this.#begun);
    } catch (error) {
      if (!(error instanceof StanzaError || error instanceof ArchiveError)) throw error;
      // Without an archive the server keeps messages for an offline client, and must not think that the bot reads an archive.
      await setArchiveReadSince(storage, account.jid, undefined);
    }
  }

  #read({ id, message, archive, at }: ArchivedMessage): Missed | undefined {
    const { account, rooms } = this.#options;
    const { element, from, to, type } = message;
    if (type === 'groupchat' || from.bare.equals(account.jid)) return undefined;
    // Messages to another client of the account, and copies of them, are not for the bot.
    if (to !== undefined && !to.isBare && !to.resource.startsWith(account.resource)) return undefined;
    const direct = element.child('x', NS_DIRECT_INVITATION);
    const invitation =
      readMediatedInvitation(element) ?? (direct === undefined ? undefined : readDirectInvitation(direct, from));
    if (invitation !== undefined) return { kind: 'invitation', invitation, at: at ?? new Date() };
    // An archived private message of an occupant looks like any other message from the room's JID.
    if (rooms.has(from)) return undefined;
    const known = [writeDelay({ stamp: at, from: archive }), writeStanzaId(id, archive)];
    return { kind: 'message', message: { ...message, element: precededBy(element, known) } };
  }
}

function isBefore({ at }: ArchivedMessage, moment: Date): boolean {
  return at !== undefined && at < moment;
}

/** The archive's own payloads go before those that others wrote into the message. */
function precededBy({ name, ns, attributes, nodes }: Element, payloads: readonly Element[]): Element {
  return new Element(name, ns, attributes, [...payloads, ...nodes]);
}
