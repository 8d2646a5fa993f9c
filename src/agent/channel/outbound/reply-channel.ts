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

/** Sends to one place. */
export interface ReplyChannel {
  /** Whether a message can be sent there now. */
  readonly open: boolean;
  /**
   * Sends a text.
   * @param replaces the id of an earlier message of ours that this one corrects (XEP-0308)
   * @param last whether it ends the answer; otherwise clients keep showing that the bot is composing
   * @param id of the message; a new one unless given
   * @returns the id of the message
   */
  sendText(
    text: string,
    options?: { readonly replaces?: string; readonly last?: boolean; readonly id?: string | undefined },
  ): string;
  /** Sends a notice of the bot itself; drops it when the place cannot be reached now. */
  notify(text: string): void;
  /** Sends a chat state (XEP-0085); `active` only if the last message or state was `composing`. */
  sendChatState(state: 'composing' | 'active'): void;
  /** Sets the bot's reactions to the question (XEP-0444); an empty list removes them. */
  setReactions(emoji: readonly string[]): void;
  /**
   * Uploads a file and sends its link. Where uploads do not work, a text is sent as messages; for other files, and for those that the settings
   * do not allow, people get a notice. Sends nothing when the place cannot be reached, before or after the upload.
   * @throws the signal's reason
   */
  sendFile(file: OutgoingFile, signal?: AbortSignal): Promise<SendFileResult>;
  /** Uploads a file. @returns the argument of `shareFile`; `undefined` when it cannot be uploaded, or the settings do not allow it */
  upload(file: OutgoingFile, signal?: AbortSignal): Promise<SharedFile | undefined>;
  /** Sends the link of an uploaded file. @param last as for `sendText` @param id of the message; a new one unless given */
  shareFile(file: SharedFile, options?: { readonly last?: boolean; readonly id?: string | undefined }): void;
}

/**
 * Makes a channel to a place.
 * @param rules the account's settings for files; without them no file is sent
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
  // Only the first message of an answer is a reply: the others follow it.
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

  const sendText: ReplyChannel['sendText'] = (text, { replaces, last = true, id } = {}) =>
    send(writable(text), [replaces === undefined ? reply() : writeCorrection(replaces)], { last, id });

  const shareFile: ReplyChannel['shareFile'] = (file, { last = !composing, id } = {}) => {
    // The body is only the URL: by that clients recognise that the file is the message.
    const { body, payloads } = writeFileMessage(file);
    send(body, [...payloads, reply()], { last, id });
  };

  const uploadFile: ReplyChannel['upload'] = async (file, signal) =>
    rules !== undefined && mayBeSent(file, rules) ? upload(client, file, signal) : undefined;

  return {
    get open() {
      return isOpen();
    },
    sendText,
    notify(text) {
      if (isOpen()) sendText(text);
    },
    sendChatState(state) {
      if (!isOpen() || (state === 'active' && !composing)) return;
      composing = state === 'composing';
      client.get(chatStates).send(to, type, state);
    },
    setReactions(emoji) {
      // XEP-0444 §4: in a room a message is named by the id that the room gave it.
      const id = place.kind === 'room' ? place.replyId : place.messageId;
      if (isOpen() && id !== undefined) client.get(messageReactions).react(to, type, id, emoji);
    },
    upload: uploadFile,
    shareFile,
    async sendFile(file, signal) {
      const sendPart = (text: string): unknown => sendText(text, { last: !composing });
      if (!isOpen()) return 'unsent';
      const uploaded = await uploadFile(file, signal);
      // During the upload the turn may have been aborted, or the nick passed to somebody else.
      signal?.throwIfAborted();
      if (!isOpen()) return 'unsent';
      const isAllowed = rules !== undefined && mayBeSent(file, rules);
      const messages = isAllowed && uploaded === undefined ? asMessages(file, rules.textChunkLimit) : undefined;
      if (uploaded === undefined && messages === undefined) {
        sendPart(`I have a file for you, "${safeFileName(file.name)}", but I cannot send it here.`);
        return 'refused';
      }
      if (file.caption !== undefined) sendPart(file.caption);
      if (uploaded !== undefined) shareFile(uploaded);
      for (const message of messages ?? []) sendPart(message);
      return uploaded === undefined ? 'inlined' : 'uploaded';
    },
  };
}

/** Everything that is not a character by XML 1.0 §2.2. */
const NOT_XML = /[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu;

/** Models write characters that XML does not allow: terminal escapes, lone surrogates. Each becomes U+FFFD. */
function writable(text: string): string {
  return text.replaceAll(NOT_XML, '\uFFFD');
}
