/** A message to the bot, in terms that do not depend on whether it came directly, from a room, or privately from an occupant. */
import type { Message } from '../../../xmpp-core/stanza/stanzas.js';
import type { RoomMessage } from '../../../xeps/xep-0045-muc/index.js';
import type { ReceivedMessage } from '../../conversation/records.js';
import type { MediaLink } from '../../media/link.js';
import type { Access } from '../access/rules.js';
import type { Content } from './content.js';
import type { MessageKeys } from './message-keys.js';
import type { Place } from '../places/place.js';

/** A message as the inbox handles it. */
export interface IncomingMessage extends MessageKeys {
  /** The id of its conversation. */
  readonly conversation: string;
  /** The key that its tokens count for: see `payerAt`. */
  readonly payer: string;
  /** Who sent it, for the limits: a prepared JID or an occupant. */
  readonly sender: string;
  /** Who sent it, for the log: a JID. */
  readonly from: string;
  /** Who sent it, as far as that can be proven: see `identities`. */
  readonly author: string;
  readonly isOperator: boolean;
  /** The name that the model sees: a nick or a localpart. */
  readonly speaker: string;
  /** The id that its author gave it. */
  readonly id: string | undefined;
  readonly content: Content;
  /** Its text without a leading address (`bot: do it` → `do it`). */
  readonly text: string;
  /** When it was sent; now unless it is delayed. */
  readonly at: Date;
  readonly place: Place;
  /** What the rules decide. `mention` denies only that it is a question: its author may ask here. */
  readonly access: Access;
  /** Whether it wants an answer. */
  readonly asks: boolean;
  /** What arrived. */
  readonly source: Message | RoomMessage;
}

/** Whether its author may ask questions here, even if this message is not one. */
export function isAdmitted({ access }: IncomingMessage): boolean {
  return access.allowed || access.rule === 'mention';
}

/** Whether it has files and no text. */
export function isOnlyFile({ text, content }: IncomingMessage): boolean {
  return text === '' && content.links.length > 0;
}

/** The files of a recorded message that are still to be fetched. */
export function linksOf({ media = [] }: ReceivedMessage): MediaLink[] {
  return media.flatMap(({ url, ...known }) => (url === undefined ? [] : { url, ...known }));
}
