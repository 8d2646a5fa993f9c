/**
 * XEP-0424 Message Retraction, 0.4.2 (Proposed). https://xmpp.org/extensions/xep-0424.html
 *
 * Retracts a message, which other clients may honour. Only its author may retract it (§5): applications that store messages check
 * `mayRetract`. Retractions by moderators of a room are XEP-0425. An archive may replace retracted messages by tombstones (§4). The form of before
 * version 0.4, with XEP-0422, is read as well.
 */
import { definePlugin } from '../xmpp-core/plugin.js';
import type { Jid } from '../xmpp-core/jid/jid.js';
import { newId } from '../xmpp-core/stanza/ids.js';
import { writeMessage } from '../xmpp-core/stanza/stanzas.js';
import { el, type Element } from '../xmpp-core/xml/element.js';
import {
  authorOf,
  isSameAuthor,
  messageOf,
  stanzaReferenceId,
  type AnyMessage,
  type SameAuthorOptions,
} from './message-identity.js';
import { readDateTime, writeDateTime } from './xep-0082-date-time.js';
import { writeHint } from './xep-0334-message-processing-hints.js';
import { readOriginId } from './xep-0359-stable-ids.js';
import { writeFallback } from './xep-0428-fallback-indication.js';

/** The namespace of retractions. */
export const NS_RETRACTION = 'urn:xmpp:message-retract:1';

/** Retractions before version 0.4 were fastened to their message (XEP-0422). */
const NS_FASTENING = 'urn:xmpp:fasten:0';
const NS_OLD_RETRACTION = 'urn:xmpp:message-retract:0';
const NS_MODERATION = 'urn:xmpp:message-moderate:1';
const NS_OLD_MODERATION = 'urn:xmpp:message-moderate:0';
const FALLBACK = '/me retracted a previous message, but it is unsupported by your client.';

/**
 * Reads the id of the message that its author retracts: in a room its stanza-id. The older form of version 0.3 is read as well. Retractions by
 * moderators are not read here.
 */
export function readRetraction(message: Element): string | undefined {
  const retract = message.child('retract', NS_RETRACTION);
  if (retract !== undefined)
    return retract.child('moderated', NS_MODERATION) === undefined ? retract.attr('id') : undefined;
  const fastened = readOldRetraction(message);
  return fastened?.moderated === undefined ? fastened?.id : undefined;
}

/** A retraction as it was before version 0.4. */
export interface OldRetraction {
  readonly id: string | undefined;
  /** The `<moderated/>` of XEP-0425 before version 0.3, if a moderator retracted the message. */
  readonly moderated: Element | undefined;
}

/** Reads the older form; `undefined` if there is none. Its fallback names no extension: the whole body is one. */
export function readOldRetraction(message: Element): OldRetraction | undefined {
  const fastening = message.child('apply-to', NS_FASTENING);
  const moderated = fastening?.child('moderated', NS_OLD_MODERATION);
  const retract = (moderated ?? fastening)?.child('retract', NS_OLD_RETRACTION);
  return retract === undefined ? undefined : { id: fastening?.attr('id'), moderated };
}

/** Writes a retraction. */
export function writeRetraction(id: string): Element {
  return el('retract', NS_RETRACTION, { id });
}

/** The remainder of a retracted message in an archive. */
export interface Tombstone {
  /** The id of the message that retracted it. */
  readonly id: string | undefined;
  readonly stamp: Date | undefined;
}

/** Reads a tombstone; `undefined` if there is none. */
export function readTombstone(message: Element): Tombstone | undefined {
  const retracted =
    message.child('retracted', NS_RETRACTION) ??
    (message.child('moderated', NS_OLD_MODERATION) ?? message).child('retracted', NS_OLD_RETRACTION);
  if (retracted === undefined) return undefined;
  return { id: retracted.attr('id'), stamp: readDateTime(retracted.attr('stamp')) };
}

/** Writes a tombstone. */
export function writeTombstone({ id, stamp }: Tombstone): Element {
  return el('retracted', NS_RETRACTION, { id, stamp: stamp === undefined ? undefined : writeDateTime(stamp) });
}

/** Whether `retraction` may retract `original`: it refers to it, and both have the same author (§5, §6). See `mayCorrect`. */
export function mayRetract(original: AnyMessage, retraction: AnyMessage, options: SameAuthorOptions = {}): boolean {
  const originalMessage = messageOf(original);
  const retractionMessage = messageOf(retraction);
  const isRoom = originalMessage.type === 'groupchat';
  const id = readRetraction(retractionMessage.element);
  const originId = readOriginId(originalMessage.element);
  // §5.1: in rooms that assign no ids, the sender's id is used. Before version 0.4 it was used everywhere.
  const names = [stanzaReferenceId(original) ?? (isRoom ? originId : undefined)];
  if (readOldRetraction(retractionMessage.element) !== undefined) names.push(originId);
  return (
    id !== undefined &&
    names.includes(id) &&
    isRoom === (retractionMessage.type === 'groupchat') &&
    isSameAuthor(authorOf(original), authorOf(retraction), options)
  );
}

/** Retractions: `client.get(messageRetraction).retract(…)` sends one. */
export const messageRetraction = definePlugin({
  name: 'message-retraction',
  xep: 424,
  features: [NS_RETRACTION],
  setup: (context) => ({
    /**
     * Retracts a message of ours.
     * @param id the result of `stanzaReferenceId`
     * @param body a text for clients that do not support retractions
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
