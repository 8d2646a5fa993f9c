/** Reads the content of a message: text, files, the message that it replies to, and a change of an earlier message. */
import type { Jid } from '../../../xmpp-core/jid/jid.js';
import type { Message } from '../../../xmpp-core/stanza/stanzas.js';
import type { Element } from '../../../xmpp-core/xml/element.js';
import { readCorrection } from '../../../xeps/xep-0308-message-correction.js';
import { readMentions } from '../../../xeps/xep-0372-references.js';
import { readEncryption } from '../../../xeps/xep-0380-explicit-message-encryption.js';
import { NS_RETRACTION, readRetraction } from '../../../xeps/xep-0424-message-retraction.js';
import { withoutFallback } from '../../../xeps/xep-0428-fallback-indication.js';
import { NS_REACTIONS, readReactions } from '../../../xeps/xep-0444-message-reactions.js';
import { NS_FILE_SHARING } from '../../../xeps/xep-0447-stateless-file-sharing.js';
import { NS_REPLY, readReply, type Reply } from '../../../xeps/xep-0461-message-replies.js';
import type { MediaLink } from '../../media/link.js';
import { captionOf, readLinks } from './media-links.js';

/** A change of an earlier message, or a reaction to it; `id` is the id of that message. */
export type Edit =
  | { readonly kind: 'correction'; readonly id: string }
  | { readonly kind: 'retraction'; readonly id: string }
  | { readonly kind: 'reaction'; readonly id: string; readonly emoji: readonly string[] };

/** The content of a message. */
export interface Content {
  /** The text without fallbacks (XEP-0428); empty for a message that has only files or a change. */
  readonly text: string;
  readonly links: readonly MediaLink[];
  readonly change: Edit | undefined;
  /** The message that it replies to (XEP-0461). */
  readonly reply: Reply | undefined;
  /** The JIDs that it mentions (XEP-0372). */
  readonly mentions: readonly Jid[];
  /** The name of the encryption of an encrypted message, whose text and files are left out. */
  readonly encryption: string | undefined;
}

/** Extensions that we support, so that their fallback text (XEP-0428) is dropped. */
const UNDERSTOOD = [NS_REPLY, NS_REACTIONS, NS_RETRACTION, NS_FILE_SHARING];

/** Reads the content of a message. @returns `undefined` for one without content: a chat state, a receipt, an empty body */
export function readContent(message: Message): Content | undefined {
  const { element } = message;
  const encryption = readEncryption(element);
  const links = encryption === undefined ? readLinks(element) : [];
  const change = readChange(element);
  const text = encryption === undefined ? wordsOf(message, links) : '';
  const isEmpty = text === '' && links.length === 0 && (change === undefined || change.kind === 'correction');
  if (encryption === undefined ? isEmpty : !hasSecret(message)) return undefined;
  return { text, links, change, reply: readReply(element), mentions: mentionsOf(message), encryption };
}

function readChange(element: Element): Edit | undefined {
  const retracted = readRetraction(element);
  if (retracted !== undefined) return { kind: 'retraction', id: retracted };
  const reactions = readReactions(element);
  if (reactions !== undefined) return { kind: 'reaction', id: reactions.id, emoji: [...reactions.emoji] };
  const corrected = readCorrection(element);
  return corrected === undefined ? undefined : { kind: 'correction', id: corrected };
}

/** Some clients send an empty body with machine-readable payloads, and the URL of a file as the body. Neither is text. */
function wordsOf({ element, body = '' }: Message, links: readonly MediaLink[]): string {
  const own = withoutFallback(element, body, UNDERSTOOD);
  const text = own === body ? own : own.trim();
  return text.trim() === '' || captionOf(text, links) === '' ? '' : text;
}

/** Whether an encrypted message has content. Without content it only exchanges keys. */
function hasSecret({ element, body }: Message): boolean {
  return body !== undefined || element.children().some((child) => child.child('payload') !== undefined);
}

function mentionsOf(message: Message): Jid[] {
  return readMentions(message).map(({ jid }) => jid);
}
