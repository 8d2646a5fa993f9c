/**
 * Handles each message: it is denied, a command, a question for the model, context, or a change of an earlier message. It is stored on
 * disk before anything else happens.
 */
import type { Client } from '../../../xmpp-core/client.js';
import type { Jid } from '../../../xmpp-core/jid/jid.js';
import type { Message } from '../../../xmpp-core/stanza/stanzas.js';
import type { Storage } from '../../../xmpp-core/storage.js';
import type { RoomMessage } from '../../../xeps/xep-0045-muc/index.js';
import { deliveryReceipts } from '../../../xeps/xep-0184-message-delivery-receipts.js';
import { displayedMarkers, isMarkable } from '../../../xeps/xep-0333-displayed-markers.js';
import type { Background } from '../../background.js';
import { parseCommand, type ParsedMessage } from '../../commands/parse.js';
import type { AccountConfig } from '../../config/config.js';
import type { Conversation, ConversationStore, ReceivedMessage } from '../../conversation/history.js';
import type { TurnQueue } from '../../conversation/queue.js';
import type { Log } from '../../log.js';
import type { MediaFetcher } from '../../media/fetcher.js';
import type { Admission, RoomFacts } from '../access/admission.js';
import type { BotTurns } from '../access/bot-turns.js';
import type { ContactRequests } from '../access/contact-requests.js';
import type { Denials } from '../access/denials.js';
import type { CommandDesk } from '../commands/command-desk.js';
import { replyChannelTo } from '../outbound/reply-channel.js';
import type { Asker } from '../access/programs.js';
import { payerAt } from '../places/identities.js';
import type { Place } from '../places/place.js';
import type { Question, Task } from '../turns/tasks.js';
import type { Unanswered } from '../turns/unfinished-work.js';
import { Captions, type JoinedMessage } from './captions.js';
import { Edits } from './edits.js';
import { linksOf, type IncomingMessage } from './incoming-message.js';
import { KeyedSerial } from './keyed-serial.js';
import { MessageReader } from './message-reader.js';
import { repliedTo } from './quoting.js';
import { SeenMessages } from './seen.js';

/** Parts of the inbox. */
export interface InboxOptions {
  readonly account: AccountConfig;
  readonly client: Client;
  readonly store: ConversationStore;
  readonly storage: Storage;
  readonly queue: TurnQueue<Task>;
  readonly commands: CommandDesk;
  readonly admission: Admission;
  readonly rooms: RoomFacts;
  readonly botTurns: BotTurns;
  readonly denials: Denials;
  readonly contactRequests: ContactRequests;
  /** Fetches the files that come with messages. */
  readonly files: Pick<MediaFetcher, 'fetch'>;
  readonly background: Background;
  readonly log: Log;
}

const FULL = 'I still have a lot to answer here; please ask again when I have caught up.';

/** The inbox of one account. */
export class Inbox {
  readonly #options: InboxOptions;
  readonly #reader: MessageReader;
  readonly #edits: Edits;
  readonly #captions: Captions;
  readonly #arrivals = new KeyedSerial();
  /** Messages that were dropped, or changed others: they are in no conversation, and an archive may repeat them. */
  readonly #seen: SeenMessages;
  /** Who got the notice that encrypted messages cannot be read. */
  readonly #explained: SeenMessages;

  constructor(options: InboxOptions) {
    const { account, client, storage, queue, log, files, admission, rooms, background } = options;
    this.#options = options;
    this.#seen = new SeenMessages(storage, `seen ${account.jid.toString()}`, background);
    this.#explained = new SeenMessages(storage, `encryption explained ${account.jid.toString()}`, background);
    this.#reader = new MessageReader({ account, client, admission, rooms });
    this.#edits = new Edits({
      client,
      queue,
      log,
      isWithinLimits: (message) => message.place.kind !== 'room' || this.#isWithinLimits(message),
    });
    this.#captions = new Captions(queue, (links, fetching) => files.fetch(links, fetching));
    // XEP-0184 §8: a receipt would show that the bot is online. Displayed markers do as well.
    client.get(deliveryReceipts).allow((sender) => admission.mayLearnOfUs(sender, rooms));
    client.get(displayedMarkers).allow((reader) => admission.mayLearnOfUs(reader, rooms));
  }

  /** Reads what was kept at the last stop. Rejects when the storage does. */
  async load(): Promise<void> {
    await Promise.all([this.#seen.load(), this.#explained.load()]);
  }

  /** Resolves when every message so far has been handled and is on disk. */
  async settled(): Promise<void> {
    await this.#arrivals.settled();
    await Promise.all([this.#seen.written(), this.#explained.written()]);
  }

  /** A message from outside of rooms. */
  direct(message: Message): Promise<void> {
    return this.#receive(this.#reader.direct(message));
  }

  /** A private message of an occupant of a room. */
  private(message: RoomMessage): Promise<void> {
    return this.#receive(this.#reader.private(message));
  }

  /** A message of a room. */
  room(message: RoomMessage): Promise<void> {
    return this.#receive(this.#reader.room(message));
  }

  /** The moderators of a room retracted a message. @param id the stanza id that the room gave it */
  async moderated(room: Jid, id: string): Promise<void> {
    const conversation = `${this.#options.account.jid.toString()}/${room.toString()}`;
    await this.#arrivals.run(conversation, async () =>
      this.#edits.moderate(await this.#options.store.conversation(conversation), id),
    );
  }

  /** Handles a question or command that was recorded before the last stop. */
  async resume({ conversation, message, place }: Unanswered): Promise<void> {
    const { key, at } = message;
    if (this.#reader.isStale(at)) return conversation.fail([key]);
    if (message.kind === 'command') return this.#options.commands.resume(message, place, conversation);
    const links = linksOf(message);
    const prepare = (signal: AbortSignal): Promise<void> => this.#captions.fetch(key, links, conversation, signal);
    await this.#queue({ kind: 'question', key, place, payer: payerAt(place), prepare }, conversation);
  }

  /** Drops a message of someone who is denied. Others are handled in the order they arrived, so that a command keeps its place. */
  async #receive(message: IncomingMessage | undefined): Promise<void> {
    if (message === undefined) return;
    const { access, content, place } = message;
    if (!access.allowed && access.rule !== 'mention') {
      this.#options.denials.log(message.from, access.why);
      if (place.kind === 'direct') await this.#options.contactRequests.request(place.to);
      // All occupants of a room see its messages, so they may be context.
      if (place.kind !== 'room') return;
    }
    if (content.encryption !== undefined) await this.#explainEncryption(content.encryption, place);
    else await this.#arrivals.run(message.conversation, () => this.#handle(message));
  }

  async #handle(message: IncomingMessage): Promise<void> {
    const { store, commands, admission } = this.#options;
    const { key, place, content, isOperator, author, from, payer, sender, at } = message;
    if (isKnown(message, (name) => this.#seen.has(name))) return this.#drop(message);
    if (content.change !== undefined) {
      // Every change costs a write, so it counts for the limits. In a room every message is stored anyway.
      const isDropped = place.kind !== 'room' && admission.isFlood(sender, at);
      if (!isDropped) await this.#change(message, await store.conversation(message.conversation));
      this.#remember(message);
      return;
    }
    const parsed: ParsedMessage = message.asks ? parseCommand(message.text) : { kind: 'text', text: content.text };
    const conversation = await store.conversation(message.conversation);
    if (isKnown(message, (name) => conversation.hasSeen(name))) return this.#drop(message);
    const mayAsk = !message.asks || this.#isWithinLimits(message, parsed);
    // Messages of a room are always kept, as context. What a person sends over the limit is not written to disk.
    if (!mayAsk && place.kind !== 'room') return this.#remember(message);
    if (parsed.kind === 'command' && mayAsk) {
      const { name, argument } = parsed;
      const { alias } = message;
      await commands.take({ name, argument, key, alias, place, at, isOperator, from, author, payer }, conversation);
      return;
    }
    const joined = mayAsk ? this.#captions.join(message) : undefined;
    const asks = mayAsk && (message.asks || joined?.asked === true);
    const text = parsed.kind === 'text' ? parsed.text : message.text;
    await this.#record(message, text, conversation, asks ? 'question' : 'context');
    // Only now: after a crash in between, one of the two is still answered.
    if (joined?.asked === true) await conversation.fail([joined.key]);
    const piece = this.#captions.note(message, joined, asks);
    if (asks) await this.#ask(message, piece, conversation);
    else this.#options.botTurns.received(conversation.id, this.#askerOf(message));
  }

  async #change(message: IncomingMessage, conversation: Conversation): Promise<void> {
    const isDone = await this.#edits.apply(message, conversation);
    if (!isDone && message.text !== '') await this.#record(message, message.text, conversation, 'context');
  }

  /** A copy of a message that was handled. */
  #drop({ conversation, from }: IncomingMessage): void {
    this.#options.log('debug', 'duplicate', { conversation, from });
  }

  /** For what is in no conversation. */
  #remember({ key, alias }: IncomingMessage): void {
    this.#seen.add(key);
    if (alias !== undefined) this.#seen.add(alias);
  }

  /** Writes a message to disk. */
  async #record(
    message: IncomingMessage,
    text: string,
    conversation: Conversation,
    kind: ReceivedMessage['kind'],
  ): Promise<void> {
    const { key, alias, originId, speaker, at, author, content, place } = message;
    const { links: media } = content;
    const id = content.change?.id ?? message.id;
    const about = repliedTo(message, conversation, this.#options.client);
    await conversation.addMessage({
      key,
      ...(alias === undefined ? {} : { alias }),
      speaker,
      text,
      at,
      kind,
      author,
      ...(id === undefined ? {} : { id }),
      ...(originId === undefined ? {} : { originId }),
      ...(about === undefined ? {} : { about }),
      ...(media.length === 0 ? {} : { media }),
      reference: place,
    });
    this.#options.log('debug', 'heard', { conversation: message.conversation, kind });
  }

  /** Counts a question or command. Sends its author the notice, if there is one. */
  #isWithinLimits({ conversation, sender, payer, place, at }: IncomingMessage, parsed?: ParsedMessage): boolean {
    const { admission, queue, client } = this.#options;
    const refusal =
      parsed?.kind === 'command'
        ? admission.command(parsed.name, queue.isBusy(conversation), sender, at)
        : admission.question(sender, payer, at);
    if (refusal?.notice !== undefined) replyChannelTo(client, place).notify(refusal.notice);
    return refusal === undefined;
  }

  async #ask(message: IncomingMessage, piece: JoinedMessage, conversation: Conversation): Promise<void> {
    const { key, place, payer, source } = message;
    const prepare = this.#captions.preparation(piece, conversation);
    const wantsMarker = isMarkable('message' in source ? source.message.element : source.element);
    const question: Question = {
      kind: 'question',
      key,
      place,
      payer,
      asker: this.#askerOf(message),
      ...(prepare === undefined ? {} : { prepare }),
      ...(wantsMarker ? { begins: () => this.#markDisplayed(source) } : {}),
    };
    await this.#queue(question, conversation);
  }

  #askerOf({ source, author, conversation, text, at }: IncomingMessage): Asker {
    const { from } = 'message' in source ? source.message : source;
    return { jid: from, author, isFast: this.#options.botTurns.isFast(conversation, text, at) };
  }

  async #queue(question: Question, conversation: Conversation): Promise<void> {
    const { queue, client } = this.#options;
    const { key, place } = question;
    const added = queue.add(conversation.id, question, { collect: place.kind === 'room' });
    if (added !== 'full') return;
    await conversation.fail([key], FULL);
    replyChannelTo(client, place).notify(FULL);
  }

  /** Without a session the marker is dropped: the answer follows anyway. */
  #markDisplayed(source: IncomingMessage['source']): void {
    const { client } = this.#options;
    if (client.state === 'online' || client.state === 'suspended') client.get(displayedMarkers).mark(source);
  }

  /** An encrypted message never reaches the model. Each sender gets one notice. */
  async #explainEncryption(encryption: string, place: Place): Promise<void> {
    const who = place.to.toString();
    if (this.#explained.has(who)) return;
    this.#explained.add(who);
    await this.#explained.written();
    replyChannelTo(this.#options.client, place).notify(
      `I cannot read messages encrypted with ${encryption}. Please turn encryption off for our chat.`,
    );
  }
}

/** Whether a message, or a copy of it, is known under one of its names. */
function isKnown({ key, copies }: IncomingMessage, isName: (name: string) => boolean): boolean {
  return isName(key) || copies.some(isName);
}
