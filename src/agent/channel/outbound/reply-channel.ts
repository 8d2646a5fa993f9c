/** What can be said at a place, in the terms of the agent; how XMPP says it is settled here. */
import type { Client } from '../../../xmpp-core/client.js';
import { newId } from '../../../xmpp-core/stanza/ids.js';
import { writeMessage } from '../../../xmpp-core/stanza/stanzas.js';
import type { Element } from '../../../xmpp-core/xml/element.js';
import { muc } from '../../../xeps/xep-0045-muc/index.js';
import { chatStates, writeChatState } from '../../../xeps/xep-0085-chat-states.js';
import { writeCorrection } from '../../../xeps/xep-0308-message-correction.js';
import { writeOriginId } from '../../../xeps/xep-0359-stable-ids.js';
import { messageReactions } from '../../../xeps/xep-0444-message-reactions.js';
import { safeFileName } from '../../../xeps/xep-0446-file-metadata.js';
import { writeFileMessage, type SharedFile } from '../../../xeps/xep-0447-stateless-file-sharing.js';
import { writeReply } from '../../../xeps/xep-0461-message-replies.js';
import type { OutgoingFile, SendFileResult } from '../../tools/tool.js';
import { isSameOccupant } from '../places/identities.js';
import { asMessages, mayBeSent, upload, type FileRules } from './outgoing-file.js';
import type { Place } from '../places/place.js';

/** A place to speak at. */
export interface ReplyChannel {
  /** Whether what is said now has a way to go. */
  readonly open: boolean;
  /**
   * Says something.
   * @param replaces the id of an earlier message of ours that this takes the place of
   * @param id of the message; a new one unless given
   * @returns the id of the message
   */
  say(
    text: string,
    options?: { readonly replaces?: string; readonly last?: boolean; readonly id?: string | undefined },
  ): string;
  /** Says a word of the bot's own that nobody is owed: without a way to go it stays unsaid. */
  remark(text: string): void;
  /** Tells that the bot is at work, or no longer; the latter only where the last message did not say so already. */
  state(state: 'composing' | 'active'): void;
  /** Marks the question with emoji; none takes the mark back. */
  mark(emoji: readonly string[]): void;
  /**
   * Sends a file: uploaded, with its link in a message. Where that cannot be done a text goes into messages, and of anything else, or
   * of what the settings do not let out, people are told that it cannot be sent. Without a way to go, also one that was closed while the
   * file was uploaded, nothing is said. @throws the signal's reason
   */
  sendFile(file: OutgoingFile, signal?: AbortSignal): Promise<SendFileResult>;
  /** Puts a file where people can fetch it. @returns what `share` takes; `undefined` when that cannot be done, or may not be */
  upload(file: OutgoingFile, signal?: AbortSignal): Promise<SharedFile | undefined>;
  /** Says where an uploaded file is. @param id of the message; a new one unless given */
  share(file: SharedFile, options?: { readonly last?: boolean; readonly id?: string | undefined }): void;
}

/**
 * The way to speak at a place through a client.
 * @param rules what the account says of files; without them none is sent
 */
export function replyChannelTo(client: Client, place: Place, rules?: FileRules): ReplyChannel {
  const type = place.kind === 'room' ? 'groupchat' : 'chat';
  const { to } = place;
  let replied = false;
  let composing = false;

  const isOpen = (): boolean => {
    if (client.state !== 'online') return false;
    if (place.kind === 'direct') return true;
    return client.get(muc).rooms.get(to.bare.toString())?.joined === true && isSameOccupant(client, place);
  };
  // The first message of an answer says what it answers; those that follow are seen to belong to it.
  const reply = (): Element | undefined => {
    if (place.kind !== 'room' || place.replyId === undefined || replied) return undefined;
    replied = true;
    const { replyId: id, replyTo } = place;
    return writeReply({ id, to: replyTo });
  };

  const send = (
    body: string,
    payloads: readonly (Element | undefined)[],
    { last, id = newId() }: { readonly last: boolean; readonly id?: string | undefined },
  ): string => {
    composing = !last;
    const thread = place.kind === 'direct' ? place.thread : undefined;
    const always = [writeChatState(last ? 'active' : 'composing'), writeOriginId(id)];
    client.send(writeMessage({ to, type, id, body, thread, payloads: [...payloads, ...always] }));
    return id;
  };

  const say: ReplyChannel['say'] = (text, { replaces, last = true, id } = {}) =>
    send(writable(text), [replaces === undefined ? reply() : writeCorrection(replaces)], { last, id });

  const share: ReplyChannel['share'] = (file, { last = !composing, id } = {}) => {
    // The body is the URL and nothing else: by that clients know that the file is what the message says.
    const { body, payloads } = writeFileMessage(file);
    send(body, [...payloads, reply()], { last, id });
  };

  const uploadFile: ReplyChannel['upload'] = async (file, signal) =>
    rules !== undefined && mayBeSent(file, rules) ? upload(client, file, signal) : undefined;

  return {
    get open() {
      return isOpen();
    },
    say,
    remark(text) {
      if (isOpen()) say(text);
    },
    state(state) {
      if (!isOpen() || (state === 'active' && !composing)) return;
      composing = state === 'composing';
      client.get(chatStates).send(to, type, state);
    },
    mark(emoji) {
      // XEP-0444 §4: in a room a message is named by the id that the room gave it.
      const id = place.kind === 'room' ? place.replyId : place.messageId;
      if (isOpen() && id !== undefined) client.get(messageReactions).react(to, type, id, emoji);
    },
    upload: uploadFile,
    share,
    async sendFile(file, signal) {
      const tell = (text: string): unknown => say(text, { last: !composing });
      if (!isOpen()) return 'unsent';
      const uploaded = await uploadFile(file, signal);
      // By now nothing may be wanted any more, and the nick may have passed to somebody else.
      signal?.throwIfAborted();
      if (!isOpen()) return 'unsent';
      const isAllowed = rules !== undefined && mayBeSent(file, rules);
      const messages = isAllowed && uploaded === undefined ? asMessages(file, rules.textChunkLimit) : undefined;
      if (uploaded === undefined && messages === undefined) {
        tell(`I have a file for you, "${safeFileName(file.name)}", but I cannot send it here.`);
        return 'refused';
      }
      if (file.caption !== undefined) tell(file.caption);
      if (uploaded !== undefined) share(uploaded);
      for (const message of messages ?? []) tell(message);
      return uploaded === undefined ? 'inlined' : 'uploaded';
    },
  };
}

/** All but what XML 1.0 §2.2 calls a character. */
const NOT_XML = /[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu;

/** Models write what no XML can carry: escape characters of terminals, halves of emoji. It shows that something was there. */
function writable(text: string): string {
  return text.replaceAll(NOT_XML, '\uFFFD');
}
