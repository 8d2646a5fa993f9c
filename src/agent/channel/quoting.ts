/** What somebody replies to, for a model that sees only their words. */
import type { Client } from '../../xmpp-core/client.js';
import type { Conversation } from '../conversation/history.js';
import { safeName } from '../conversation/speaker.js';
import { excerptOf, ownMessages } from './own-messages.js';
import { stanzaKey, type Said } from './said.js';

/**
 * The words, after a short quotation of what they answer (XEP-0461) and who said it: as the bot remembers it, whatever the reply claims. Of
 * something that it does not remember it says nothing.
 */
export function quoting({ content, place }: Said, words: string, conversation: Conversation, client: Client): string {
  const { reply } = content;
  if (reply === undefined || words === '') return words;
  const own = client.get(ownMessages).find(place.to, reply.id);
  if (own !== undefined) return `(in reply to your “${own.excerpt}”)\n${words}`;
  // In a room only the room's own id names a message (XEP-0461 §4.1): the ids that people give may be those of others' messages.
  const isIt = place.kind === 'room' ? stanzaKey(reply.id) : undefined;
  const original = conversation.find(({ key, id }) => (isIt === undefined ? id === reply.id : key === isIt));
  if (original === undefined) return words;
  return `(in reply to ${safeName(original.speaker)}: “${excerptOf(original.text)}”)\n${words}`;
}
