/**
 * XEP-0424 Message Retraction, 0.4.2 (Proposed). https://xmpp.org/extensions/xep-0424.html
 *
 * Takes a message back, as far as others follow. Only its author may (§5): `mayRetract` is for who keeps messages. What a room's moderator
 * took back comes as XEP-0425. An archive may put a tombstone in the place of what was retracted (§4).
 */
import { definePlugin } from '../xmpp-core/plugin.js';
import type { Jid } from '../xmpp-core/jid/jid.js';
import { newId } from '../xmpp-core/stanza/ids.js';
import { writeMessage } from '../xmpp-core/stanza/stanzas.js';
import { el, type Element } from '../xmpp-core/xml/element.js';
import { authorOf, isSameAuthor, messageOf, stanzaReferenceId, type Said, type Watched } from './message-identity.js';
import { readDateTime, writeDateTime } from './xep-0082-date-time.js';
import { writeHint } from './xep-0334-message-processing-hints.js';
import { readOriginId } from './xep-0359-stable-ids.js';
import { writeFallback } from './xep-0428-fallback-indication.js';

export const NS_RETRACTION = 'urn:xmpp:message-retract:1';

const NS_MODERATION = 'urn:xmpp:message-moderate:1';
const FALLBACK = '/me retracted a previous message, but it is unsupported by your client.';

/** The id of the message that its author takes back: in a room the one that the room gave it. A moderator's act is not read here. */
export function readRetraction(message: Element): string | undefined {
  const retract = message.child('retract', NS_RETRACTION);
  return retract?.child('moderated', NS_MODERATION) === undefined ? retract?.attr('id') : undefined;
}

export function writeRetraction(id: string): Element {
  return el('retract', NS_RETRACTION, { id });
}

/** What is left in an archive of a message that was retracted. */
export interface Tombstone {
  /** The id of the message that retracted it. */
  readonly id: string | undefined;
  readonly stamp: Date | undefined;
}

export function readTombstone(message: Element): Tombstone | undefined {
  const retracted = message.child('retracted', NS_RETRACTION);
  if (retracted === undefined) return undefined;
  return { id: retracted.attr('id'), stamp: readDateTime(retracted.attr('stamp')) };
}

export function writeTombstone({ id, stamp }: Tombstone): Element {
  return el('retracted', NS_RETRACTION, { id, stamp: stamp === undefined ? undefined : writeDateTime(stamp) });
}

/** Whether `retraction` may take back `original`: it names it, and the same person wrote both (§5, §6). As in `mayCorrect`. */
export function mayRetract(original: Said, retraction: Said, watched: Watched = {}): boolean {
  const first = messageOf(original);
  const later = messageOf(retraction);
  const isRoom = first.type === 'groupchat';
  // §5.1: where a room gives no ids, the sender's own word for it serves.
  const id = stanzaReferenceId(original) ?? (isRoom ? readOriginId(first.element) : undefined);
  return (
    id !== undefined &&
    readRetraction(later.element) === id &&
    isRoom === (later.type === 'groupchat') &&
    isSameAuthor(authorOf(original), authorOf(retraction), watched)
  );
}

export const messageRetraction = definePlugin({
  name: 'message-retraction',
  xep: 424,
  features: [NS_RETRACTION],
  setup: (context) => ({
    /**
     * Takes back a message of ours, with a text for clients that do not know how.
     * @param id as `stanzaReferenceId` gives it
     * @returns the id of the retraction
     */
    retract(to: Jid | string, type: 'chat' | 'groupchat', id: string, body: string = FALLBACK): string {
      const payloads = [writeRetraction(id), writeFallback(NS_RETRACTION), writeHint('store')];
      const retractionId = newId();
      context.send(writeMessage({ to, type, id: retractionId, body, payloads }));
      return retractionId;
    },
  }),
});
