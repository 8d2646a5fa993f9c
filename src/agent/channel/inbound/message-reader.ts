/** Turns stanzas and room messages into an `IncomingMessage`: who sent what from where, and whether it may be answered. */
import type { Client } from '../../../xmpp-core/client.js';
import { Jid } from '../../../xmpp-core/jid/jid.js';
import { newId } from '../../../xmpp-core/stanza/ids.js';
import type { Message } from '../../../xmpp-core/stanza/stanzas.js';
import { readMucUser, type RoomMessage } from '../../../xeps/xep-0045-muc/index.js';
import { readDelay, readDelayBy } from '../../../xeps/xep-0203-delayed-delivery.js';
import { readStanzaId } from '../../../xeps/xep-0359-stable-ids.js';
import type { AccountConfig } from '../../config/config.js';
import type { Admission, RoomFacts } from '../access/admission.js';
import { isOperator, isOperatorIn } from '../access/rules.js';
import { identities, payerAt } from '../places/identities.js';
import { ownMessages } from '../places/own-messages.js';
import type { Place } from '../places/place.js';
import { readAddressing } from './addressing.js';
import { readContent, type Content } from './content.js';
import type { IncomingMessage } from './incoming-message.js';
import { keysOf } from './message-keys.js';

/** Parts of the reader. */
export interface MessageReaderOptions {
  readonly account: AccountConfig;
  readonly client: Client;
  readonly admission: Admission;
  readonly rooms: RoomFacts;
}

const MINUTE_MS = 60_000;

/** The reader of one account. It changes nothing and sends nothing. */
export class MessageReader {
  readonly #options: MessageReaderOptions;

  constructor(options: MessageReaderOptions) {
    this.#options = options;
  }

  /** A message from outside of rooms; `undefined` when it has nothing for the bot. */
  direct(message: Message): IncomingMessage | undefined {
    const { account, client, admission } = this.#options;
    const peer = message.from.bare;
    const content = readContent(message);
    if (
      content === undefined ||
      message.type === 'groupchat' ||
      message.type === 'headline' ||
      // Servers send announcements to people.
      peer.localpart === '' ||
      // An invitation, or a notice about a room, is not a question (XEP-0045 §7.8.2).
      readMucUser(message.element) !== undefined ||
      peer.equals(client.account)
    )
      return undefined;
    const sender = peer.toString();
    const delay = readDelay(message.element);
    const at = delay?.stamp ?? new Date();
    // One that is delayed by an unknown time may be of last year.
    const isStale = this.isStale(at) || (delay !== undefined && delay.stamp === undefined);
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
      ...keysOf({ message, content, at, stanzaId: readStanzaId(message.element, client.account) }),
      id: message.id,
      content,
      text: content.text,
      at,
      place,
      access: admission.direct(peer, { at }),
      asks: !isStale && content.change === undefined,
      source: message,
    };
  }

  /** A private message of an occupant (XEP-0045 §7.5). It is answered in private, under the rules for direct messages. */
  private(source: RoomMessage): IncomingMessage | undefined {
    const { account, client, admission } = this.#options;
    const { room, nick, message, delayed } = source;
    const content = readContent(message);
    if (content === undefined) return undefined;
    // Rooms replay no private messages: the occupant who has the nick now has sent it, whatever delay it carries.
    const realJid = room.occupants.get(nick)?.realJid;
    // An occupant who is gone has no lasting identity.
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
      // Not by the nick: its next holder must not find this conversation, and a nick can look like anybody's JID.
      conversation: `${this.#id(room.jid)}/${realJid?.toString() ?? author.slice(room.jid.toString().length + 1)}`,
      payer: payerAt(place),
      sender: payerAt(place),
      from: realJid?.toString() ?? from,
      author,
      isOperator: isOperatorIn(account, room.jid, realJid),
      speaker: nick,
      ...keysOf({ message, content, at, stanzaId: undefined }),
      id: message.id,
      content,
      text: content.text,
      at,
      place,
      access: admission.direct(realJid, { at, room: room.jid }),
      asks: !this.isStale(at) && content.change === undefined,
      source,
    };
  }

  /** A message of a room: a question when the rules say so, otherwise context. */
  room(source: RoomMessage): IncomingMessage | undefined {
    const { account, client, admission, rooms } = this.#options;
    const { room, nick, message, occupant, occupantId, stanzaId, delayed, own } = source;
    const content = readContent(message);
    if (
      own ||
      content === undefined ||
      content.encryption !== undefined ||
      !admission.room(room.jid, rooms.vouchedBy(room.jid)).allowed
    )
      return undefined;
    const { addressed, text } = readAddressing(content.text, {
      names: [room.nick, account.resource, account.jid.localpart, account.jid.toString()],
      otherNicks: [...room.occupants.keys()].filter((other) => other !== room.nick),
      pointedAt: this.#pointsAtUs(content, room.jid, room.nick),
    });
    const realJid = occupant?.realJid;
    const from = `${room.jid.toString()}/${nick}`;
    // Our own server stamps what it kept for a session that was resumed.
    const kept = readDelayBy(message.element, Jid.of('', client.account.domainpart))?.stamp;
    const at = delayed ?? kept ?? new Date();
    const access = admission.roomMessage(room.jid, realJid, addressed, rooms);
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
      ...keysOf({ message, content, at, stanzaId }),
      id: message.id,
      content,
      text,
      at,
      place,
      access,
      asks: access.allowed && delayed === undefined && !this.isStale(at) && content.change === undefined,
      source,
    };
  }

  /** Whether a message is too old to be answered. */
  isStale(at: Date): boolean {
    return Date.now() - at.getTime() > this.#options.account.limits.staleAfterMinutes * MINUTE_MS;
  }

  /** Whether a message addresses the bot without its name: by a reply to one of its messages, or a reference to its JID here or in the room. */
  #pointsAtUs({ reply, mentions }: Content, room: Jid, nick: string): boolean {
    const { client, account } = this.#options;
    const self = room.withWireResource(nick);
    if (mentions.some((jid) => jid.equals(self) || jid.bare.equals(account.jid))) return true;
    if (reply === undefined) return false;
    return reply.to?.equals(self) === true || client.get(ownMessages).find(room, reply.id) !== undefined;
  }

  #id(peer: Jid): string {
    return `${this.#options.account.jid.toString()}/${peer.toString()}`;
  }
}
