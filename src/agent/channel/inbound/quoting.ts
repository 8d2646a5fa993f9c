/** What somebody replies to, for a model that sees only their words. */
import type { Client } from '../../../xmpp-core/client.js';
import type { RelatedMessage, Conversation } from '../../conversation/history.js';
import { excerptOf, ownMessages } from '../places/own-messages.js';
import { stanzaKey, type IncomingMessage } from './incoming-message.js';

/** What a message answers (XEP-0461): as the bot remembers it, whatever the reply claims; `undefined` for what it does not remember. */
export function repliedTo(
  { content, place }: IncomingMessage,
  conversation: Conversation,
  client: Client,
): RelatedMessage | undefined {
  const { reply } = content;
  if (reply === undefined) return undefined;
  const own = client.get(ownMessages).find(place.to, reply.id);
  if (own !== undefined) return { text: own.excerpt };
  // In a room only the room's own id names a message (XEP-0461 §4.1): the ids that people give may be those of others' messages.
  const isIt = place.kind === 'room' ? stanzaKey(reply.id) : undefined;
  const original = conversation.find(({ key, id }) => (isIt === undefined ? id === reply.id : key === isIt));
  return original === undefined ? undefined : { speaker: original.speaker, text: excerptOf(original.text) };
}
