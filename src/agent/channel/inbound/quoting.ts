/** The message that a reply quotes, for the model. */
import type { Client } from '../../../xmpp-core/client.js';
import type { RelatedMessage, Conversation } from '../../conversation/history.js';
import { excerptOf, ownMessages } from '../places/own-messages.js';
import type { IncomingMessage } from './incoming-message.js';
import { stanzaKey } from './message-keys.js';

/** The message that a reply refers to (XEP-0461), from the bot's own records, not from the quote; `undefined` when it has no record. */
export function repliedTo(
  { content, place }: IncomingMessage,
  conversation: Conversation,
  client: Client,
): RelatedMessage | undefined {
  const { reply } = content;
  if (reply === undefined) return undefined;
  const own = client.get(ownMessages).find(place.to, reply.id);
  if (own !== undefined) return { text: own.excerpt };
  // In a room only the room's id identifies a message (XEP-0461 §4.1): occupants can reuse the ids of other messages.
  const isIt = place.kind === 'room' ? stanzaKey(reply.id) : undefined;
  const original = conversation.find(({ key, id, originId }) =>
    isIt === undefined ? [id, originId].includes(reply.id) : key === isIt,
  );
  return original === undefined ? undefined : { speaker: original.speaker, text: excerptOf(original.text) };
}
