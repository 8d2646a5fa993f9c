/** Reads what reaches the bot, directly or in rooms, as something that somebody said: who, where, what, and under which rules. */
import type { Client } from '../../../xmpp-core/client.js';
import type { Jid } from '../../../xmpp-core/jid/jid.js';
import { newId } from '../../../xmpp-core/stanza/ids.js';
import type { Message } from '../../../xmpp-core/stanza/stanzas.js';
import { readMucUser, type RoomMessage } from '../../../xeps/xep-0045-muc/index.js';
import { readDelay } from '../../../xeps/xep-0203-delayed-delivery.js';
import { readOriginId, readStanzaId } from '../../../xeps/xep-0359-stable-ids.js';
import { roomConfig, type AccountConfig } from '../../config/config.js';
import { directAccess, isOperator, isOperatorIn, roomAccess, roomMessageAccess } from '../access/rules.js';
import { readAddressing } from './addressing.js';
import { readContent, type Content } from './content.js';
import { identities, payerAt } from '../places/identities.js';
import { ownMessages } from '../places/own-messages.js';
import type { Place } from '../places/place.js';
import { senderKey, stanzaKey, type IncomingMessage } from './incoming-message.js';

export interface MessageReaderOptions {
  readonly account: AccountConfig;
  readonly client: Client;
  /** Those whom operators had let in at that time, as canonical bare JIDs. */
  readonly approved: (at: Date) => ReadonlySet<string>;
  /** The operator who had the bot join a room, if one did. */
  readonly vouchedBy: (room: Jid) => Jid | undefined;
}

const MINUTE_MS = 60_000;

export class MessageReader {
  readonly #options: MessageReaderOptions;

  constructor(options: MessageReaderOptions) {
    this.#options = options;
  }

  /** A message that no room sent; `undefined` when it says nothing to us. */
  direct(message: Message): IncomingMessage | undefined {
    const { account, client, approved } = this.#options;
    const peer = message.from.bare;
    const content = readContent(message);
    if (
      content === undefined ||
      message.type === 'groupchat' ||
      message.type === 'headline' ||
      // What servers announce is for people.
      peer.localpart === '' ||
      // A room that invites, or tells of its configuration, asks nothing (XEP-0045 §7.8.2).
      readMucUser(message.element) !== undefined ||
      peer.equals(client.account)
    )
      return undefined;
    const sender = peer.toString();
    const at = readDelay(message.element)?.stamp ?? new Date();
    const place: Place = {
      kind: 'direct',
      to: peer,
      ...(message.id === undefined ? {} : { messageId: message.id }),
      ...(message.thread === undefined ? {} : { thread: message.thread }),
    };
    return {
      conversation: this.#id(peer),
      payer: sender,
      sender,
      from: sender,
      author: sender,
      isOperator: isOperator(account, peer),
      speaker: peer.localpart,
      key: keyOf(sender, message, readStanzaId(message.element, client.account)),
      id: message.id,
      content,
      text: content.text,
      at,
      place,
      access: directAccess(account, peer, approved(at)),
      asks: !this.isStale(at) && content.change === undefined,
      source: message,
    };
  }

  /** What an occupant of a room says to the bot alone (XEP-0045 §7.5). It is answered there, under the rules for direct messages. */
  aside(source: RoomMessage): IncomingMessage | undefined {
    const { account, client, approved } = this.#options;
    const { room, nick, message, delayed } = source;
    const content = readContent(message);
    if (content === undefined) return undefined;
    // Nobody is told what was said alone in the past, so that whoever has the nick now has said it, whatever delay is written into it.
    const realJid = room.occupants.get(nick)?.realJid;
    // Of somebody who is gone nothing is known that lasts.
    const author = client.get(identities).at(message.from) ?? `${room.jid.toString()} stay ${newId()}`;
    const from = `${room.jid.toString()}/${nick}`;
    const at = delayed ?? new Date();
    const place: Place = {
      kind: 'private',
      to: message.from,
      occupant: author,
      ...(realJid === undefined ? {} : { realJid }),
      ...(message.id === undefined ? {} : { messageId: message.id }),
    };
    return {
      // A nick can pass to somebody else, who must not find the talk of the one before; and it can be spelt like anybody's JID.
      conversation: `${this.#id(room.jid)}/${realJid?.toString() ?? author.slice(room.jid.toString().length + 1)}`,
      payer: payerAt(place),
      sender: payerAt(place),
      from: realJid?.toString() ?? from,
      author,
      isOperator: isOperatorIn(account, room.jid, realJid),
      speaker: nick,
      key: keyOf(from, message),
      id: message.id,
      content,
      text: content.text,
      at,
      place,
      access: directAccess(account, realJid, approved(at), room.jid),
      asks: !this.isStale(at) && content.change === undefined,
      source,
    };
  }

  /** What is said in a room: a question when the rules say so, else something to know. */
  room(source: RoomMessage): IncomingMessage | undefined {
    const { account, client } = this.#options;
    const { room, nick, message, occupant, occupantId, stanzaId, delayed, own } = source;
    const content = readContent(message);
    const config = roomConfig(account, room.jid);
    const vouchedBy = this.#options.vouchedBy(room.jid);
    if (
      own ||
      content === undefined ||
      content.encryption !== undefined ||
      !roomAccess(account, config, vouchedBy).allowed
    )
      return undefined;
    const { addressed, text } = readAddressing(content.text, {
      names: [room.nick, account.resource, account.jid.localpart, account.jid.toString()],
      otherNicks: [...room.occupants.keys()].filter((other) => other !== room.nick),
      pointedAt: this.#pointsAtUs(content, room.jid, room.nick),
    });
    const realJid = occupant?.realJid;
    const from = `${room.jid.toString()}/${nick}`;
    const access = roomMessageAccess(account, config, { sender: realJid, addressed, vouchedBy });
    const place: Place = {
      kind: 'room',
      to: room.jid,
      replyTo: message.from,
      ...(stanzaId === undefined ? {} : { replyId: stanzaId }),
      ...(realJid === undefined ? {} : { realJid }),
    };
    return {
      conversation: this.#id(room.jid),
      payer: room.jid.toString(),
      sender: realJid?.toString() ?? `${room.jid.toString()}/${occupantId ?? nick}`,
      from: realJid?.toString() ?? from,
      author: client.get(identities).author(source),
      isOperator: isOperatorIn(account, room.jid, realJid),
      speaker: nick,
      key: stanzaId === undefined ? keyOf(from, message) : stanzaKey(stanzaId),
      id: message.id,
      content,
      text,
      at: delayed ?? new Date(),
      place,
      access,
      asks: access.allowed && delayed === undefined && content.change === undefined,
      source,
    };
  }

  /** Whether something is too old to be answered. */
  isStale(at: Date): boolean {
    return Date.now() - at.getTime() > this.#options.account.limits.staleAfterMinutes * MINUTE_MS;
  }

  /** A reply to what we said, and a reference to us, by our address or by that in the room, are as good as our name. */
  #pointsAtUs({ reply, mentions }: Content, room: Jid, nick: string): boolean {
    const { client, account } = this.#options;
    const self = room.withResource(nick);
    if (mentions.some((jid) => jid.equals(self) || jid.bare.equals(account.jid))) return true;
    if (reply === undefined) return false;
    return reply.to?.equals(self) === true || client.get(ownMessages).find(room, reply.id) !== undefined;
  }

  #id(peer: Jid): string {
    return `${this.#options.account.jid.toString()}/${peer.toString()}`;
  }
}

/** What tells one message from another when no room does. @param archiveId of a direct message: some senders give theirs no id */
function keyOf(sender: string, { element, id }: Message, archiveId?: string): string {
  return senderKey(sender, readOriginId(element) ?? id ?? archiveId ?? newId());
}
