/**
 * XEP-0425 Moderated Message Retraction, 0.3.0 (Experimental). https://xmpp.org/extensions/xep-0425.html
 *
 * The notice of a room that a moderator retracted somebody's message, and the tombstone in its place. It counts only from the room itself
 * (§5): an occupant could forge it. The moderator's request is written here and sent by multi-user chat (`room.management.moderate`). The form of
 * before version 0.3, with XEP-0422, is read as well.
 */
import { Jid } from '../xmpp-core/jid/jid.js';
import type { Message } from '../xmpp-core/stanza/stanzas.js';
import { el, type Element } from '../xmpp-core/xml/element.js';
import { NS_RETRACTION, readOldRetraction, readTombstone, type Tombstone } from './xep-0424-message-retraction.js';
import { readOccupantId } from './xep-0421-occupant-id.js';

/** The namespace before version 0.3. */
const NS_OLD_MODERATION = 'urn:xmpp:message-moderate:0';

/** The namespace of moderation, and the feature of rooms that support it. */
export const NS_MODERATION = 'urn:xmpp:message-moderate:1';

/** Who retracted a message, and why, as far as the room says. */
export interface Moderation {
  /** The occupant JID of the moderator, or the real one. */
  readonly by: Jid | undefined;
  /** The occupant id of the moderator (XEP-0421). */
  readonly occupantId: string | undefined;
  readonly reason: string | undefined;
}

/** The retraction of a message by a moderator. */
export interface ModeratedRetraction extends Moderation {
  /** The id that the room assigned to the message. */
  readonly id: string;
}

/** Writes the payload of the IQ that asks a room to retract a message (§4). @param id the id that the room assigned to the message */
export function writeModeration(id: string, reason?: string): Element {
  return el(
    'moderate',
    NS_MODERATION,
    { id },
    el('retract', NS_RETRACTION),
    reason === undefined ? undefined : el('reason', NS_MODERATION, {}, reason),
  );
}

/** Reads the retraction in a message; `undefined` if there is none, or if the room itself did not send it to everybody. */
export function readModeratedRetraction({
  element,
  from,
  type,
}: Pick<Message, 'element' | 'from' | 'type'>): ModeratedRetraction | undefined {
  const retract = element.child('retract', NS_RETRACTION);
  const old = readOldRetraction(element);
  const id = retract?.attr('id') ?? old?.id;
  const moderation = readModeration(retract?.child('moderated', NS_MODERATION) ?? old?.moderated, retract);
  if (type !== 'groupchat' || from.resource !== '' || id === undefined || moderation === undefined) return undefined;
  return { id, ...moderation };
}

/** Reads the tombstone of a moderated message in an archive (§4.3); `undefined` for others, such as that of an author's own retraction. */
export function readModeratedTombstone(message: Element): (Tombstone & Moderation) | undefined {
  const retracted = message.child('retracted', NS_RETRACTION);
  const moderated = retracted?.child('moderated', NS_MODERATION) ?? message.child('moderated', NS_OLD_MODERATION);
  const moderation = readModeration(moderated, retracted);
  const tombstone = readTombstone(message);
  return tombstone === undefined || moderation === undefined ? undefined : { ...tombstone, ...moderation };
}

/** @param outer the element around it, where some rooms write the reason */
function readModeration(moderated: Element | undefined, outer: Element | undefined): Moderation | undefined {
  if (moderated === undefined) return undefined;
  // ejabberd 24.12 uses the other namespace.
  const reason =
    outer?.childText('reason') ?? outer?.childText('reason', NS_MODERATION) ?? moderated.childText('reason');
  return { by: Jid.fromWire(moderated.attr('by')), occupantId: readOccupantId(moderated), reason };
}
