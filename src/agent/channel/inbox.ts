/**
 * What people say to the bot, and what it makes of it: nothing (denied), a command, a question for the model, or context.
 * Everything that counts is written down before anything else happens with it.
 */
import type { Client } from '../../xmpp-core/client.js';
import type { Jid } from '../../xmpp-core/jid/jid.js';
import { newId } from '../../xmpp-core/stanza/ids.js';
import type { Message } from '../../xmpp-core/stanza/stanzas.js';
import { readMucUser, type RoomMessage } from '../../xeps/xep-0045-muc/index.js';
import { readDelay } from '../../xeps/xep-0203-delayed-delivery.js';
import { readCorrection } from '../../xeps/xep-0308-message-correction.js';
import { readOriginId } from '../../xeps/xep-0359-stable-ids.js';
import { readEncryption } from '../../xeps/xep-0380-explicit-message-encryption.js';
import { readReply } from '../../xeps/xep-0461-message-replies.js';
import { parseCommand, type Parsed } from '../commands/parse.js';
import { roomConfig, type AccountConfig } from '../config/config.js';
import type { Conversation, ConversationStore, Heard } from '../conversation/history.js';
import type { Turn, TurnQueue } from '../conversation/queue.js';
import type { Log } from '../log.js';
import type { MediaFetcher } from '../media/fetcher.js';
import { directAccess, isOperator, roomAccess, roomMessageAccess } from './access.js';
import { readAddressing } from './addressing.js';
import type { CommandDesk } from './command-desk.js';
import type { Denials } from './denials.js';
import { InOrder } from './in-order.js';
import type { Excess, Limits } from './limits.js';
import { outletOf } from './outlet.js';
import { readPlace, type Place } from './place.js';
import type { Strangers } from './strangers.js';
import type { Question, Task } from './tasks.js';

export interface InboxOptions {
  readonly account: AccountConfig;
  readonly client: Client;
  readonly store: ConversationStore;
  /** Fetches the files that come with what is said. */
  readonly files: MediaFetcher;
  readonly queue: TurnQueue<Task>;
  readonly commands: CommandDesk;
  readonly limits: Limits;
  readonly denials: Denials;
  readonly strangers: Strangers;
  readonly log: Log;
}

/** Something said, in terms that do not depend on where it was said. */
interface Said {
  /** The conversation it belongs to. */
  readonly conversation: string;
  /** Whom its tokens are counted for. */
  readonly payer: string;
  /** Who said it, for the limits: a prepared JID or an occupant. */
  readonly sender: string;
  readonly isOperator: boolean;
  readonly speaker: string;
  readonly key: string;
  readonly text: string;
  readonly at: Date;
  readonly place: Place;
  /** Whether it wants an answer. */
  readonly asks: boolean;
}

const MINUTE_MS = 60_000;
/** So many senders are told why their encrypted messages are not read. */
const MAX_EXPLAINED = 10_000;
const FULL = 'I still have a lot to answer here; please ask again when I have caught up.';

export class Inbox {
  readonly #options: InboxOptions;
  readonly #arrivals = new InOrder();
  readonly #explainedEncryption = new Set<string>();

  constructor(options: InboxOptions) {
    this.#options = options;
  }

  /** A message that no room sent. */
  async direct(message: Message): Promise<void> {
    const { account, client } = this.#options;
    const peer = message.from.bare;
    const body = textOf(message);
    if (
      body === undefined ||
      message.type === 'groupchat' ||
      message.type === 'headline' ||
      // A room that invites, or tells of its configuration, asks nothing (XEP-0045 §7.8.2).
      readMucUser(message.element) !== undefined ||
      peer.equals(client.account)
    )
      return;
    if (!this.#mayTalk(peer, peer.toString())) {
      await this.#options.strangers.wrote(peer);
      return;
    }
    const place: Place = {
      kind: 'direct',
      to: peer,
      ...(message.id === undefined ? {} : { messageId: message.id }),
      ...(message.thread === undefined ? {} : { thread: message.thread }),
    };
    if (this.#isEncrypted(message, place)) return;
    const at = readDelay(message.element)?.stamp ?? new Date();
    await this.#take({
      conversation: this.#id(peer),
      payer: peer.toString(),
      sender: peer.toString(),
      isOperator: isOperator(account, peer),
      speaker: peer.localpart === '' ? peer.domainpart : peer.localpart,
      key: messageKey(peer.toString(), message),
      text: body,
      at,
      place,
      asks: !this.#isStale(at) && readCorrection(message.element) === undefined,
    });
  }

  /** What an occupant of a room says to the bot alone (XEP-0045 §7.5). It is answered there, under the rules for direct messages. */
  async aside({ room, nick, message, occupant, occupantId, delayed }: RoomMessage): Promise<void> {
    const { account } = this.#options;
    const body = textOf(message);
    const realJid = occupant?.realJid;
    const from = `${room.jid.toString()}/${nick}`;
    if (body === undefined || !this.#mayTalk(realJid, from)) return;
    const place: Place = {
      kind: 'private',
      to: message.from,
      ...(message.id === undefined ? {} : { messageId: message.id }),
    };
    if (this.#isEncrypted(message, place)) return;
    // A nick can pass to somebody else, who must not find the talk of the one before; and it can be spelt like anybody's JID, which
    // has no space in it.
    const identity = realJid?.toString() ?? (occupantId === undefined ? `nick ${nick}` : `occupant ${occupantId}`);
    const at = delayed ?? new Date();
    await this.#take({
      conversation: `${this.#id(room.jid)}/${identity}`,
      payer: realJid?.toString() ?? from,
      sender: realJid?.toString() ?? from,
      isOperator: isOperator(account, realJid),
      speaker: nick,
      key: messageKey(from, message),
      text: body,
      at,
      place,
      asks: !this.#isStale(at) && readCorrection(message.element) === undefined,
    });
  }

  /** What is said in a room: a question when the rules say so, else something to know. */
  async room(said: RoomMessage): Promise<void> {
    const { account, denials } = this.#options;
    const { room, nick, message, occupant, occupantId, stanzaId, delayed, own } = said;
    const body = textOf(message);
    if (own || body === undefined || readEncryption(message.element) !== undefined) return;
    const config = roomConfig(account, room.jid);
    if (!roomAccess(account, config).allowed) return;
    const { addressed, text } = readAddressing(body, {
      names: [room.nick, account.resource, account.jid.localpart, account.jid.toString()],
      otherNicks: [...room.occupants.keys()].filter((other) => other !== room.nick),
      pointedAt: readReply(message.element)?.to?.equals(room.jid.withResource(room.nick)) ?? false,
    });
    const sender = occupant?.realJid;
    const access = roomMessageAccess(account, config, { sender, addressed });
    const from = `${room.jid.toString()}/${nick}`;
    // That nobody spoke to the bot is no denial, and nothing for the log.
    if (!access.allowed && access.rule !== 'mention') denials.tell(sender?.toString() ?? from, access.why);
    const asks = access.allowed && delayed === undefined && readCorrection(message.element) === undefined;
    await this.#take({
      conversation: this.#id(room.jid),
      payer: room.jid.toString(),
      sender: sender?.toString() ?? `${room.jid.toString()}/${occupantId ?? nick}`,
      isOperator: isOperator(account, sender),
      speaker: nick,
      key: stanzaId === undefined ? messageKey(from, message) : `stanza-id ${stanzaId}`,
      text: asks ? text : body,
      at: delayed ?? new Date(),
      place: { kind: 'room', to: room.jid, ...replyTarget(said) },
      asks,
    });
  }

  /** Whether what is owed at a place may still be said there: since it was written down, the rules may have changed. */
  admits(place: Place): boolean {
    const { account, denials, strangers } = this.#options;
    const access =
      place.kind === 'room'
        ? roomAccess(account, roomConfig(account, place.to))
        : // Who was behind an occupant's nick is not known any more.
          directAccess(account, place.kind === 'direct' ? place.to : undefined, strangers.approved());
    if (!access.allowed) denials.tell(place.to.toString(), access.why);
    return access.allowed;
  }

  /** Takes up a question that was written down before the last stop. */
  async resume(conversation: Conversation, { key, at, reference }: Heard): Promise<void> {
    const place = readPlace(reference);
    if (place === undefined || this.#isStale(at) || !this.admits(place)) await conversation.fail([key]);
    else {
      const question: Question = { kind: 'question', key, place, payer: place.to.toString() };
      const added = this.#options.queue.add(conversation.id, question, { collect: place.kind === 'room' });
      if (added === 'full') await conversation.fail([key]);
    }
  }

  /** What is said in a conversation is taken up in the order it came, so that a command keeps its place among the questions. */
  #take(said: Said): Promise<void> {
    return this.#arrivals.run(said.conversation, () => this.#takeUp(said));
  }

  async #takeUp(said: Said): Promise<void> {
    const parsed: Parsed = said.asks ? parseCommand(said.text) : { kind: 'text', text: said.text };
    const asks = said.asks && this.#isWithinLimits(said);
    // What a room says is kept for context, as all of it is; what a person sends beyond their limit is not written down.
    if (said.asks && !asks && said.place.kind !== 'room') return;
    const conversation = await this.#options.store.conversation(said.conversation);
    if (asks && parsed.kind === 'command') {
      const { key, place, isOperator } = said;
      this.#options.commands.take(
        { name: parsed.name, argument: parsed.argument, key, place, isOperator },
        conversation,
      );
      return;
    }
    const { key, speaker, at, place } = said;
    const text = parsed.kind === 'text' ? parsed.text : said.text;
    const kind = asks ? 'question' : 'context';
    if ((await conversation.hear({ key, speaker, text, at, kind, reference: place })) === 'duplicate') return;
    this.#options.log('debug', 'heard', { conversation: said.conversation, kind });
    if (asks) await this.#ask(said, conversation);
  }

  #isWithinLimits({ sender, payer, conversation, place }: Said): boolean {
    const excess = this.#options.limits.excess(sender, payer, conversation);
    if (excess !== undefined) this.#tellExcess(excess, sender, place);
    return excess === undefined;
  }

  /** Whether the day's tokens were used up while these questions waited for their turn; then they are settled without an answer. */
  async refuses({ conversation: id, items }: Turn<Question>): Promise<boolean> {
    const { limits, store } = this.#options;
    const last = items.at(-1);
    const excess = last === undefined ? undefined : limits.overspent(last.payer);
    if (last === undefined || excess === undefined) return false;
    const conversation = await store.conversation(id);
    const keys = items.map(({ key }) => key);
    await conversation.fail(keys);
    this.#tellExcess(excess, last.payer, last.place);
    return true;
  }

  #tellExcess({ why, tell }: Excess, from: string, place: Place): void {
    const { denials, client } = this.#options;
    denials.tell(from, why);
    if (tell !== undefined) outletOf(client, place).remark(tell);
  }

  async #ask({ key, place, payer }: Said, conversation: Conversation): Promise<void> {
    const { queue, client } = this.#options;
    const question: Question = { kind: 'question', key, place, payer };
    const added = queue.add(conversation.id, question, { collect: place.kind === 'room' });
    if (added !== 'full') return;
    await conversation.fail([key], FULL);
    outletOf(client, place).remark(FULL);
  }

  /** An encrypted message is explained once a sender, and never given to the model. */
  #isEncrypted(message: Message, place: Place): boolean {
    const encryption = readEncryption(message.element);
    if (encryption === undefined) return false;
    const sender = place.to.toString();
    if (!this.#explainedEncryption.has(sender) && this.#explainedEncryption.size < MAX_EXPLAINED) {
      this.#explainedEncryption.add(sender);
      outletOf(this.#options.client, place).remark(
        `I cannot read ${encryption} messages. Please switch encryption off for me.`,
      );
    }
    return true;
  }

  /** Whether a direct message of theirs is let through. */
  #mayTalk(peer: Jid | undefined, from: string): boolean {
    const { account, denials, strangers } = this.#options;
    const access = directAccess(account, peer, strangers.approved());
    if (!access.allowed) denials.tell(from, access.why);
    return access.allowed;
  }

  #id(peer: Jid): string {
    return `${this.#options.account.jid.toString()}/${peer.toString()}`;
  }

  #isStale(at: Date): boolean {
    return Date.now() - at.getTime() > this.#options.account.limits.staleAfterMinutes * MINUTE_MS;
  }
}

/** What is said; some clients send an empty body with what is meant for programs. */
function textOf({ body }: Message): string | undefined {
  return body?.trim() === '' ? undefined : body;
}

/** What tells one message from another when no room or archive does: who sent it, and the id they gave it. */
function messageKey(sender: string, { element, id }: Message): string {
  return `id ${sender} ${readOriginId(element) ?? id ?? newId()}`;
}

function replyTarget({ stanzaId, message }: RoomMessage): { replyId?: string; replyTo: Jid } {
  return { replyTo: message.from, ...(stanzaId === undefined ? {} : { replyId: stanzaId }) };
}
