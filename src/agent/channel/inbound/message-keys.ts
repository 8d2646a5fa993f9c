/**
 * Which messages are the same one. A message can arrive twice: live and from an archive, as a carbon copy, after a resumed session. Its identity is
 * the stanza id that our own server or the room gave it (XEP-0359). A copy can come without that id, and some servers give none: then messages are
 * the same that have the same sender, id and content, at about the same time. The id alone is not enough, since it needs to be unique in a stream
 * only (RFC 6120 §8.1.3): clients use ids again, with other words.
 */
import { createHash } from 'node:crypto';
import { newId } from '../../../xmpp-core/stanza/ids.js';
import type { Message } from '../../../xmpp-core/stanza/stanzas.js';
import { readOriginId } from '../../../xeps/xep-0359-stable-ids.js';
import type { Content } from './content.js';

/** The names of a message. */
export interface MessageKeys {
  /** Identifies it. */
  readonly key: string;
  /** By this a copy without a stanza id recognizes it. Only with a stanza id. */
  readonly alias?: string;
  /** The keys and aliases that a copy of it may have been recorded under, beside `key`. */
  readonly copies: readonly string[];
  /** The origin id (XEP-0359) that its author gave it, if that is not its `id`: retractions before XEP-0424 0.4 and replies refer to it. */
  readonly originId?: string;
}

/** What the keys are made of. */
export interface Identified {
  readonly message: Message;
  readonly content: Content;
  /** When it was sent. */
  readonly at: Date;
  /** The id from our own server or the room; only those can be trusted. */
  readonly stanzaId: string | undefined;
}

/** Copies without stanza id are recognized for five minutes at least, and for ten at most. */
const PERIOD_MS = 5 * 60_000;

/** The keys of a message. */
export function keysOf({ message, content, at, stanzaId }: Identified): MessageKeys {
  const originId = readOriginId(message.element);
  const id = originId ?? message.id;
  // Without any id, each is a message of its own.
  const name = id === undefined ? newId() : contentName(message, id, content);
  const period = Math.floor(at.getTime() / PERIOD_MS);
  const [now, ...around] = [period, period - 1, period + 1];
  const unstamped = [now, ...around].map((one) => `message ${name} ${one}`);
  const stamped = [now, ...around].map((one) => `stamped ${name} ${one}`);
  const extra = originId === undefined || originId === message.id ? {} : { originId };
  if (stanzaId === undefined) return { ...extra, key: `message ${name} ${now}`, copies: [...unstamped, ...stamped] };
  // With another stanza id it is another message, even if all else is equal; unless its sender, who gave it an origin id, sent it again.
  const copies = originId === undefined ? unstamped : [...unstamped, ...stamped];
  return { ...extra, key: stanzaKey(stanzaId), alias: `stamped ${name} ${now}`, copies };
}

/** The key of a message with this stanza id. */
export function stanzaKey(id: string): string {
  return `stanza-id ${id}`;
}

/** A hash: short, whatever senders write. */
function contentName({ from }: Message, id: string, { text, links, change }: Content): string {
  const parts = [from.toString(), id, text, links.map(({ url }) => url), change];
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url').slice(0, 27);
}
