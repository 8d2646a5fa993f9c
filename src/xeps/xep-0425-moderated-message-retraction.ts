/**
 * XEP-0425 Moderated Message Retraction, 0.3.0 (Experimental). https://xmpp.org/extensions/xep-0425.html
 *
 * What a room says when a moderator took somebody's message back, and the tombstone that is left of it. It counts only from the room itself
 * (§5): what comes under a nick is an occupant's invention. The request of the moderator is written here and sent by multi-user chat.
 */
import { Jid } from '../xmpp-core/jid/jid.js';
import type { Message } from '../xmpp-core/stanza/stanzas.js';
import { el, type Element } from '../xmpp-core/xml/element.js';
import { NS_RETRACTION, readTombstone, type Tombstone } from './xep-0424-message-retraction.js';
import { readOccupantId } from './xep-0421-occupant-id.js';

export const NS_MODERATION = 'urn:xmpp:message-moderate:1';

/** Who did it, and why, as far as the room tells. */
export interface Moderation {
  /** The moderator's address in the room, or a real one. */
  readonly by: Jid | undefined;
  readonly occupantId: string | undefined;
  readonly reason: string | undefined;
}

export interface ModeratedRetraction extends Moderation {
  /** The id that the room gave the message. */
  readonly id: string;
}

/** The payload of the IQ that asks a room to retract a message (§4). @param id the one that the room gave it */
export function writeModeration(id: string, reason?: string): Element {
  return el(
    'moderate',
    NS_MODERATION,
    { id },
    el('retract', NS_RETRACTION),
    reason === undefined ? undefined : el('reason', NS_MODERATION, {}, reason),
  );
}

/** What the room took back with this message; `undefined` for anything that the room itself did not say to all. */
export function readModeratedRetraction({
  element,
  from,
  type,
}: Pick<Message, 'element' | 'from' | 'type'>): ModeratedRetraction | undefined {
  const retract = element.child('retract', NS_RETRACTION);
  const id = retract?.attr('id');
  const moderation = retract === undefined ? undefined : readModeration(retract);
  if (type !== 'groupchat' || from.resource !== '' || id === undefined || moderation === undefined) return undefined;
  return { id, ...moderation };
}

/** The tombstone of a moderated message in an archive (§4.3); `undefined` for any other, such as that of an author's own retraction. */
export function readModeratedTombstone(message: Element): (Tombstone & Moderation) | undefined {
  const retracted = message.child('retracted', NS_RETRACTION);
  const moderation = retracted === undefined ? undefined : readModeration(retracted);
  const tombstone = readTombstone(message);
  return tombstone === undefined || moderation === undefined ? undefined : { ...tombstone, ...moderation };
}

function readModeration(retraction: Element): Moderation | undefined {
  const moderated = retraction.child('moderated', NS_MODERATION);
  if (moderated === undefined) return undefined;
  // ejabberd 24.12 puts it under the other namespace.
  const reason =
    retraction.childText('reason') ?? retraction.childText('reason', NS_MODERATION) ?? moderated.childText('reason');
  return { by: Jid.tryParse(moderated.attr('by')), occupantId: readOccupantId(moderated), reason };
}
