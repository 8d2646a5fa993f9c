/** Something said, in terms that do not depend on where it was said. */
import type { Message } from '../../../xmpp-core/stanza/stanzas.js';
import type { RoomMessage } from '../../../xeps/xep-0045-muc/index.js';
import type { ReceivedMessage } from '../../conversation/records.js';
import type { MediaLink } from '../../media/link.js';
import type { Access } from '../access/rules.js';
import type { Content } from './content.js';
import type { Place } from '../places/place.js';

export interface IncomingMessage {
  /** The conversation it belongs to. */
  readonly conversation: string;
  /** Whom its tokens are counted for. */
  readonly payer: string;
  /** Who said it, for the limits: a prepared JID or an occupant. */
  readonly sender: string;
  /** Who said it, for the log: a JID. */
  readonly from: string;
  /** Who said it, as far as it can be proven: see `identities`. */
  readonly author: string;
  readonly isOperator: boolean;
  readonly speaker: string;
  readonly key: string;
  /** The id that its author gave it. */
  readonly id: string | undefined;
  readonly content: Content;
  /** What is meant for the bot: the words without a leading address. */
  readonly text: string;
  readonly at: Date;
  readonly place: Place;
  /** What the rules say. `mention` denies only that it is a question: who said it may ask here. */
  readonly access: Access;
  /** Whether it wants an answer. */
  readonly asks: boolean;
  readonly source: Message | RoomMessage;
}

/** Whether who said it may ask something here, though they need not have. */
export function isAdmitted({ access }: IncomingMessage): boolean {
  return access.allowed || access.rule === 'mention';
}

/** Whether it is a file, or several, without a word. */
export function isOnlyFile({ text, content }: IncomingMessage): boolean {
  return text === '' && content.links.length > 0;
}

/** The files of a message that are still to be fetched, as far as is written down. */
export function linksOf({ media = [] }: ReceivedMessage): MediaLink[] {
  return media.flatMap(({ url, ...known }) => (url === undefined ? [] : { url, ...known }));
}

/** What tells a message of a room from others. */
export function stanzaKey(id: string): string {
  return `stanza-id ${id}`;
}

/** What tells a message from others where no room does: who sent it, and the id they gave it. */
export function senderKey(sender: string, id: string): string {
  return `id ${sender} ${id}`;
}
