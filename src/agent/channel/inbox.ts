/**
 * What people say to the bot, and what it makes of it: nothing (denied), a command, a question for the model, or context.
 * Everything that counts is written down before anything else happens with it.
 */
import type { Client } from '../../xmpp-core/client.js';
import type { Jid } from '../../xmpp-core/jid/jid.js';
import { newId } from '../../xmpp-core/stanza/ids.js';
import type { Message } from '../../xmpp-core/stanza/stanzas.js';
import { type RoomMessage } from '../../xeps/xep-0045-muc/index.js';
import { readDelay } from '../../xeps/xep-0203-delayed-delivery.js';
import { readCorrection } from '../../xeps/xep-0308-message-correction.js';
import { readOriginId } from '../../xeps/xep-0359-stable-ids.js';
import { readEncryption } from '../../xeps/xep-0380-explicit-message-encryption.js';
import { readReply } from '../../xeps/xep-0461-message-replies.js';
import { conversationCommands } from '../commands/conversation-commands.js';
import type { CommandContext } from '../commands/command.js';
import { parseCommand, type Parsed } from '../commands/parse.js';
import { CommandRegistry } from '../commands/registry.js';
import { roomConfig, type AccountConfig } from '../config/config.js';
import { RecentKeys } from '../conversation/conversation.js';
import type { Conversation, ConversationStore, Heard } from '../conversation/history.js';
import type { TurnQueue } from '../conversation/queue.js';
import type { Log } from '../log.js';
import type { Model } from '../model/model.js';
import { directAccess, isOperator, roomAccess, roomMessageAccess } from './access.js';
import { readAddressing } from './addressing.js';
import type { Denials } from './denials.js';
import type { Limits } from './limits.js';
import { outletOf } from './outlet.js';
import { readPlace, type Place } from './place.js';
import type { Question, Task } from './tasks.js';

export interface InboxOptions {
  readonly account: AccountConfig;
  readonly client: Client;
  readonly store: ConversationStore;
  readonly queue: TurnQueue<Task>;
  readonly modelOf: (provider: string, model: string) => Model;
  readonly limits: Limits;
  readonly denials: Denials;
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
/** A command that comes twice, as after a resumption, is done once. */
const MAX_COMMAND_KEYS = 1_000;
const FULL = 'I still have a lot to answer here; please ask again when I have caught up.';

export class Inbox {
  readonly #options: InboxOptions;
  readonly #commands = new CommandRegistry(conversationCommands);
  readonly #commandKeys = new RecentKeys(MAX_COMMAND_KEYS);
  readonly #explainedEncryption = new Set<string>();
  readonly #startedAt = performance.now();

  constructor(options: InboxOptions) {
    this.#options = options;
  }

  /** A message that no room sent. */
  async direct(message: Message): Promise<void> {
    const { account, client } = this.#options;
    const peer = message.from.bare;
    const { body } = message;
    if (
      body === undefined ||
      message.type === 'groupchat' ||
      message.type === 'headline' ||
      peer.equals(client.account)
    )
      return;
    if (!this.#mayTalk(peer, peer.toString())) return;
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
    const { body } = message;
    const realJid = occupant?.realJid;
    const from = `${room.jid.toString()}/${nick}`;
    if (body === undefined || !this.#mayTalk(realJid, from)) return;
    const place: Place = {
      kind: 'private',
      to: message.from,
      ...(message.id === undefined ? {} : { messageId: message.id }),
    };
    if (this.#isEncrypted(message, place)) return;
    // A nick can pass to somebody else, who must not find the talk of the one before.
    const identity = realJid?.toString() ?? occupantId ?? nick;
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
    const { body } = message;
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

  /** Takes up a question that was written down before the last stop. */
  async resume(conversation: Conversation, { key, at, reference }: Heard): Promise<void> {
    const place = readPlace(reference);
    if (place === undefined || this.#isStale(at)) await conversation.fail([key]);
    else {
      const question: Question = { kind: 'question', key, place, payer: place.to.toString() };
      this.#options.queue.add(conversation.id, question, { collect: place.kind === 'room' });
    }
  }

  async #take(said: Said): Promise<void> {
    const parsed: Parsed = said.asks ? parseCommand(said.text) : { kind: 'text', text: said.text };
    const asks = said.asks && this.#isWithinLimits(said);
    // What a room says is kept for context, as all of it is; what a person sends beyond their limit is not written down.
    if (said.asks && !asks && said.place.kind !== 'room') return;
    const conversation = await this.#options.store.conversation(said.conversation);
    if (asks && parsed.kind === 'command') {
      this.#command(said, conversation, parsed.name, parsed.argument);
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
    const { limits, denials, client } = this.#options;
    const excess = limits.excess(sender, payer, conversation);
    if (excess === undefined) return true;
    denials.tell(sender, excess.why);
    if (excess.tell !== undefined) outletOf(client, place).say(excess.tell);
    return false;
  }

  /** Commands are not part of the conversation: the model does not see them. */
  #command(said: Said, conversation: Conversation, name: string, argument: string): void {
    const { queue, client, log } = this.#options;
    const { key, place } = said;
    if (this.#commandKeys.has(key)) return;
    this.#commandKeys.add(key);
    const context = this.#commandContext(said, conversation);
    const run = async (): Promise<void> => {
      const reply = await this.#commands.run(name, argument, context);
      outletOf(client, place).say(reply);
    };
    const waits = this.#commands.find(name, context)?.immediate === false;
    if (waits && queue.add(conversation.id, { kind: 'command', place, run }) !== 'full') return;
    run().catch((error: unknown) => {
      log('error', 'error', {
        kind: 'internal',
        command: name,
        message: error instanceof Error ? error.message : String(error),
      });
    });
  }

  #commandContext({ place, isOperator }: Said, conversation: Conversation): CommandContext {
    const { account, queue, modelOf } = this.#options;
    const voice = place.kind === 'room' ? roomConfig(account, place.to) : account;
    return {
      isOperator,
      startNew: () => conversation.startNew(),
      stop: () => {
        const { aborted, dropped } = queue.stop(conversation.id);
        const keys = dropped.flatMap((task) => (task.kind === 'question' ? task.key : []));
        if (keys.length > 0) this.#giveUp(conversation, keys);
        return aborted !== undefined || dropped.length > 0;
      },
      status: () => {
        const { running, waiting } = queue.status(conversation.id);
        return {
          account: account.jid.toString(),
          model: modelOf(voice.modelProvider, voice.model).name,
          conversation: place.to.toString(),
          uptimeMs: performance.now() - this.#startedAt,
          busy: running,
          queued: waiting,
        };
      },
    };
  }

  /** Questions that somebody took back are owed no answer any more. */
  #giveUp(conversation: Conversation, keys: readonly string[]): void {
    conversation.fail(keys).catch((error: unknown) => {
      const message = error instanceof Error ? error.message : String(error);
      this.#options.log('error', 'error', { kind: 'history', message });
    });
  }

  async #ask({ key, place, payer }: Said, conversation: Conversation): Promise<void> {
    const { queue, client } = this.#options;
    const question: Question = { kind: 'question', key, place, payer };
    const added = queue.add(conversation.id, question, { collect: place.kind === 'room' });
    if (added !== 'full') return;
    await conversation.fail([key], FULL);
    outletOf(client, place).say(FULL);
  }

  /** An encrypted message is explained once a sender, and never given to the model. */
  #isEncrypted(message: Message, place: Place): boolean {
    const encryption = readEncryption(message.element);
    if (encryption === undefined) return false;
    const sender = place.to.toString();
    if (!this.#explainedEncryption.has(sender) && this.#explainedEncryption.size < MAX_EXPLAINED) {
      this.#explainedEncryption.add(sender);
      outletOf(this.#options.client, place).say(
        `I cannot read ${encryption} messages. Please switch encryption off for me.`,
      );
    }
    return true;
  }

  /** Whether a direct message of theirs is let through. */
  #mayTalk(peer: Jid | undefined, from: string): boolean {
    const { account, denials } = this.#options;
    const access = directAccess(account, peer);
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

/** What tells one message from another when no room or archive does: who sent it, and the id they gave it. */
function messageKey(sender: string, { element, id }: Message): string {
  return `id ${sender} ${readOriginId(element) ?? id ?? newId()}`;
}

function replyTarget({ stanzaId, message }: RoomMessage): { replyId?: string; replyTo: Jid } {
  return { replyTo: message.from, ...(stanzaId === undefined ? {} : { replyId: stanzaId }) };
}
