/** The client of a chat program or a bot: the core's client, with the usual extensions and short ways for what everybody does. */
import { XmppClient, type Client, type ClientOptions } from './xmpp-core/client.js';
import { Jid } from './xmpp-core/jid/jid.js';
import { newId } from './xmpp-core/stanza/ids.js';
import {
  readMessage,
  writeMessage,
  type Message,
  type MessageType,
  type OutgoingMessage,
  type OutgoingText,
} from './xmpp-core/stanza/stanzas.js';
import { el, type Element } from './xmpp-core/xml/element.js';
import { chatPlugins } from './xeps/chat-plugins.js';
import { mediaTypeOf } from './xeps/media-types.js';
import { messageOf, referenceId, type AnyMessage } from './xeps/message-identity.js';
import { muc } from './xeps/xep-0045-muc/index.js';
import { NS_MUC_USER } from './xeps/xep-0045-muc/muc-user.js';
import { digestBase64 } from './xeps/xep-0300-cryptographic-hashes.js';
import { httpUpload } from './xeps/xep-0363-http-file-upload.js';
import { writeFileMessage } from './xeps/xep-0447-stateless-file-sharing.js';
import { writeReply } from './xeps/xep-0461-message-replies.js';

/** A message to send. */
export interface MessageToSend extends Omit<OutgoingMessage, 'type'> {
  /** `groupchat` to a room that we joined, `chat` to anybody else, unless given. */
  readonly type?: MessageType | undefined;
}

/** A message that was sent. Its `id` names it in a later correction, retraction or receipt. */
export interface SentMessage extends Message {
  readonly id: string;
  readonly to: Jid;
}

/** A file to send. */
export interface FileToSend {
  /** With its ending, such as `photo.jpg`. */
  readonly name: string;
  readonly data: Uint8Array;
  /** A media type, such as `image/jpeg`; the ending of the name decides unless it is given. */
  readonly type?: string | undefined;
}

/** How to send a file. */
export interface SendFileOptions {
  /** Ends the upload; nothing is sent then. */
  readonly signal?: AbortSignal | undefined;
  /** Called with the number of bytes uploaded so far. */
  readonly onProgress?: ((sentBytes: number) => void) | undefined;
}

/** A client with the plugins of `chatPlugins`. `moltis-xmpp/core` has one without. */
export interface ChatClient extends Client {
  /**
   * Sends a message: `client.sendMessage({ to: 'you@example.org', body: 'Hello!' })`.
   * @throws {JidError} when `to` is no address; {XmppError} when there is no session
   */
  sendMessage(message: MessageToSend): SentMessage;
  /**
   * Answers a message where it was sent: to its author, or to the room. The answer names the message (XEP-0461) and keeps its thread.
   * @param message as the client's `message` event brings it, or as one of `muc` does
   * @throws {XmppError} when there is no session
   */
  reply(message: AnyMessage, body: OutgoingText, payloads?: readonly (Element | undefined)[]): SentMessage;
  /**
   * Uploads a file (XEP-0363) and sends one message with its link, in the ways of new clients (XEP-0447) and old ones (XEP-0066).
   * @returns the message, whose `body` is the link
   * @throws {UploadError} when the server does not take the file; {HttpError}, {TimeoutError}, {JidError}, {XmppError} or the signal's reason
   */
  sendFile(to: Jid | string, file: FileToSend, options?: SendFileOptions): Promise<SentMessage>;
}

/**
 * Makes a client with the plugins of `chatPlugins`; nothing happens before `start()`.
 * @param options `plugins` are added to those of the preset, or take the place of those with the same name
 * @throws {JidError} when `jid` is no address
 */
export function createClient(options: ClientOptions): ChatClient {
  return new XmppChatClient(options);
}

class XmppChatClient extends XmppClient implements ChatClient {
  constructor(options: ClientOptions) {
    // Of two plugins with the same name the first is set up.
    super({ ...options, plugins: [...(options.plugins ?? []), ...chatPlugins] });
  }

  sendMessage(message: MessageToSend): SentMessage {
    const to = Jid.from(message.to);
    const { type = this.#typeFor(to), id = newId() } = message;
    const element = writeMessage({ ...message, to, type, id });
    this.send(element);
    const sent = readMessage({ element, from: this.jid ?? this.account, to, id, language: undefined });
    return { ...sent, to, id };
  }

  reply(message: AnyMessage, body: OutgoingText, payloads: readonly (Element | undefined)[] = []): SentMessage {
    const { from, type, thread, parentThread } = messageOf(message);
    const id = referenceId(message);
    // XEP-0045 §7.5: what one occupant says to another alone is marked as such.
    const isPrivate = 'message' in message && type !== 'groupchat';
    return this.sendMessage({
      to: type === 'groupchat' ? from.bare : from,
      type,
      body,
      thread,
      parentThread,
      payloads: [
        ...payloads,
        id === undefined ? undefined : writeReply({ id, to: from }),
        isPrivate ? el('x', NS_MUC_USER) : undefined,
      ],
    });
  }

  async sendFile(address: Jid | string, file: FileToSend, options: SendFileOptions = {}): Promise<SentMessage> {
    const to = Jid.from(address);
    const { name, data, type = mediaTypeOf(name) } = file;
    const sha256 = await digestBase64('sha-256', Uint8Array.from(data));
    const url = await this.get(httpUpload).upload({ ...options, name, data, type });
    const shared = {
      disposition: /^(?:image|audio|video)\//.test(type) ? 'inline' : 'attachment',
      file: {
        name,
        mediaType: type,
        size: data.byteLength,
        ...(sha256 === undefined ? {} : { hashes: new Map([['sha-256', sha256]]) }),
      },
      urls: [url],
    } as const;
    return this.sendMessage({ to, ...writeFileMessage(shared) });
  }

  #typeFor(to: Jid): MessageType {
    return to.isBare && this.get(muc).rooms.has(to.toString()) ? 'groupchat' : 'chat';
  }
}
