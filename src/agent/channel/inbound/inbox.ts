/**
 * What people say to the bot, and what it makes of it: nothing (denied), a command, a question for the model, context, or a change of what
 * was said before. Everything that counts is written down before anything else happens with it.
 */
import type { Client } from '../../../xmpp-core/client.js';
import type { Jid } from '../../../xmpp-core/jid/jid.js';
import type { Message } from '../../../xmpp-core/stanza/stanzas.js';
import type { Storage } from '../../../xmpp-core/storage.js';
import { muc, type RoomMessage } from '../../../xeps/xep-0045-muc/index.js';
import { deliveryReceipts } from '../../../xeps/xep-0184-message-delivery-receipts.js';
import { displayedMarkers, isMarkable } from '../../../xeps/xep-0333-displayed-markers.js';
import { parseCommand, type Parsed } from '../../commands/parse.js';
import { roomConfig, type AccountConfig } from '../../config/config.js';
import type { Conversation, ConversationStore, GivenCommand, Heard } from '../../conversation/history.js';
import type { Turn, TurnQueue } from '../../conversation/queue.js';
import { errorText, type Log } from '../../log.js';
import type { MediaFetcher } from '../../media/fetcher.js';
import { directAccess, roomAccess, roomMessageAccess } from '../access/rules.js';
import { Captions, type Piece } from './captions.js';
import { Edits } from './edits.js';
import type { CommandDesk } from '../commands/command-desk.js';
import type { Denials } from '../access/denials.js';
import { MessageReader } from './message-reader.js';
import { isSameOccupant, payerAt } from '../places/identities.js';
import { KeyedSerial } from './keyed-serial.js';
import type { Excess, Limits } from '../access/limits.js';
import { replyChannelTo } from '../outbound/reply-channel.js';
import type { Place } from '../places/place.js';
import { repliedTo } from './quoting.js';
import { linksOf, type IncomingMessage } from './incoming-message.js';
import { SeenMessages } from './seen.js';
import type { ContactRequests } from '../access/contact-requests.js';
import type { Question, Task } from '../turns/tasks.js';

export interface InboxOptions {
  readonly account: AccountConfig;
  readonly client: Client;
  readonly store: ConversationStore;
  readonly storage: Storage;
  readonly queue: TurnQueue<Task>;
  readonly commands: CommandDesk;
  readonly limits: Limits;
  readonly denials: Denials;
  readonly strangers: ContactRequests;
  /** The operator who had the bot join a room, if one did. */
  readonly vouchedBy: (room: Jid) => Jid | undefined;
  /** Fetches the files that come with what is said. */
  readonly files: Pick<MediaFetcher, 'fetch'>;
  readonly log: Log;
}

const FULL = 'I still have a lot to answer here; please ask again when I have caught up.';
const SOMEBODY_ELSE = 'the recipient is no longer there';

export class Inbox {
  readonly #options: InboxOptions;
  readonly #hearing: MessageReader;
  readonly #changes: Edits;
  readonly #captions: Captions;
  readonly #arrivals = new KeyedSerial();
  /** Messages that were dropped, or changed others: they are in no conversation, and an archive may have them again. */
  readonly #seen: SeenMessages;
  /** To whom it was explained that encrypted messages cannot be read. */
  readonly #explained: SeenMessages;

  constructor(options: InboxOptions) {
    const { account, client, storage, queue, log, files, strangers, vouchedBy } = options;
    this.#options = options;
    const failed = (error: unknown): void => log('error', 'error', { kind: 'internal', message: errorText(error) });
    this.#seen = new SeenMessages(storage, `seen ${account.jid.toString()}`, failed);
    this.#explained = new SeenMessages(storage, `encryption explained ${account.jid.toString()}`, failed);
    this.#hearing = new MessageReader({ account, client, approved: (at) => strangers.approved(at), vouchedBy });
    this.#changes = new Edits({
      client,
      queue,
      log,
      isWithinLimits: (said) => said.place.kind !== 'room' || this.#isWithinLimits(said),
    });
    this.#captions = new Captions(queue, (links, options) => files.fetch(links, options));
    // XEP-0184 §8: who is not let in does not learn that we are there, from those who answer by themselves neither.
    client.get(deliveryReceipts).allow((sender) => this.#mayKnow(sender));
    client.get(displayedMarkers).allow((reader) => this.#mayKnow(reader));
  }

  /** Reads what was kept at the last stop. Rejects when it cannot be read. */
  async load(): Promise<void> {
    await Promise.all([this.#seen.load(), this.#explained.load()]);
  }

  /** Resolves when all that came has been taken up, and is written down. */
  async settled(): Promise<void> {
    await this.#arrivals.settled();
    await Promise.all([this.#seen.written(), this.#explained.written()]);
  }

  /** A message that no room sent. */
  direct(message: Message): Promise<void> {
    return this.#receive(this.#hearing.direct(message));
  }

  /** What an occupant of a room says to the bot alone. */
  aside(message: RoomMessage): Promise<void> {
    return this.#receive(this.#hearing.aside(message));
  }

  /** What is said in a room. */
  room(message: RoomMessage): Promise<void> {
    return this.#receive(this.#hearing.room(message));
  }

  /** A room's moderators took back what somebody said there. @param id the one that the room gave it */
  async moderated(room: Jid, id: string): Promise<void> {
    const conversation = `${this.#options.account.jid.toString()}/${room.toString()}`;
    await this.#arrivals.run(conversation, async () =>
      this.#changes.moderate(await this.#options.store.conversation(conversation), id),
    );
  }

  /** Whether who is owed something at a place may still have it: since it was written down, the rules may have changed. */
  admits(place: Place): boolean {
    const { account, denials, strangers, vouchedBy } = this.#options;
    const access =
      place.kind === 'room'
        ? roomMessageAccess(account, roomConfig(account, place.to), {
            sender: place.realJid,
            addressed: true,
            vouchedBy: vouchedBy(place.to),
          })
        : place.kind === 'private'
          ? directAccess(account, place.realJid, strangers.approved(), place.to)
          : directAccess(account, place.to, strangers.approved());
    if (!access.allowed) denials.tell(place.to.toString(), access.why);
    return access.allowed;
  }

  /** Whether who is there now is the one that something is owed to. A nick can pass to somebody else, who must not get it. */
  isStillThere(place: Place): boolean {
    const { client, denials } = this.#options;
    if (isSameOccupant(client, place)) return true;
    denials.tell(place.to.toString(), SOMEBODY_ELSE);
    return false;
  }

  /** Takes up a question or a command that was written down before the last stop. */
  async resume(conversation: Conversation, waiting: Heard | GivenCommand, place: Place): Promise<void> {
    const { key, at } = waiting;
    if (this.#hearing.isStale(at)) return conversation.fail([key]);
    if (waiting.kind === 'command') return this.#options.commands.resume(waiting, place, conversation);
    const links = linksOf(waiting);
    const prepare = (signal: AbortSignal): Promise<void> => this.#captions.fetch(key, links, conversation, signal);
    await this.#queue({ kind: 'question', key, place, payer: payerAt(place), prepare }, conversation);
  }

  /** Lets it through or not. What is said in a conversation is then taken up in the order it came, so that a command keeps its place. */
  async #receive(said: IncomingMessage | undefined): Promise<void> {
    if (said === undefined) return;
    const { access, content, place } = said;
    if (!access.allowed && access.rule !== 'mention') {
      this.#options.denials.tell(said.from, access.why);
      if (place.kind === 'direct') await this.#options.strangers.wrote(place.to);
      // What is said in a room is known to all who are there.
      if (place.kind !== 'room') return;
    }
    if (content.encryption !== undefined) await this.#explainEncryption(content.encryption, place);
    else await this.#arrivals.run(said.conversation, () => this.#takeUp(said));
  }

  async #takeUp(said: IncomingMessage): Promise<void> {
    const { store, commands, limits } = this.#options;
    const { key, place, content, isOperator, author, from, payer, sender, at } = said;
    if (this.#seen.has(key)) return;
    if (content.change !== undefined) {
      // Each is written down, wanted or not. In a room all that is said is.
      const isDropped = place.kind !== 'room' && limits.isFlood(sender, at);
      if (!isDropped) await this.#change(said, await store.conversation(said.conversation));
      this.#seen.add(key);
      return;
    }
    const parsed: Parsed = said.asks ? parseCommand(said.text) : { kind: 'text', text: content.text };
    const conversation = await store.conversation(said.conversation);
    const isNew = !conversation.knows(key);
    const mayAsk = !said.asks || !isNew || this.#isWithinLimits(said, parsed);
    // What a room says is kept for context, as all of it is; what a person sends beyond their limit is not written down.
    if (!mayAsk && place.kind !== 'room') return this.#seen.add(key);
    if (parsed.kind === 'command' && mayAsk) {
      const { name, argument } = parsed;
      await commands.take({ name, argument, key, place, at, isOperator, from, author, payer }, conversation);
      return;
    }
    const joined = mayAsk && isNew ? this.#captions.join(said) : undefined;
    const asks = mayAsk && (said.asks || joined?.asked === true);
    const text = parsed.kind === 'text' ? parsed.text : said.text;
    if (!(await this.#hear(said, text, conversation, asks ? 'question' : 'context'))) return;
    // Only now, so that a crash in between leaves one of the two to be answered.
    if (joined?.asked === true) await conversation.fail([joined.key]);
    const piece = this.#captions.note(said, joined, asks);
    if (asks) await this.#ask(said, piece, conversation);
  }

  async #change(said: IncomingMessage, conversation: Conversation): Promise<void> {
    const isDone = await this.#changes.take(said, conversation);
    if (!isDone && said.text !== '') await this.#hear(said, said.text, conversation, 'context');
  }

  /** Writes it down. @returns whether it is new */
  async #hear(said: IncomingMessage, text: string, conversation: Conversation, kind: Heard['kind']): Promise<boolean> {
    const { key, speaker, at, author, content, place } = said;
    const { links: media } = content;
    const id = content.change?.id ?? said.id;
    const about = repliedTo(said, conversation, this.#options.client);
    const heard = await conversation.hear({
      key,
      speaker,
      text,
      at,
      kind,
      author,
      ...(id === undefined ? {} : { id }),
      ...(about === undefined ? {} : { about }),
      ...(media.length === 0 ? {} : { media }),
      reference: place,
    });
    if (heard === 'new') this.#options.log('debug', 'heard', { conversation: said.conversation, kind });
    return heard === 'new';
  }

  #isWithinLimits({ conversation, sender, payer, place, at }: IncomingMessage, parsed?: Parsed): boolean {
    const { limits, queue } = this.#options;
    const excess =
      parsed?.kind === 'command'
        ? limits.excessOfCommand(parsed.name, queue.isBusy(conversation), sender, at)
        : limits.excess(sender, payer, at);
    if (excess !== undefined) this.#tellExcess(excess, sender, place);
    return excess === undefined;
  }

  /**
   * Whether, while these questions waited for their turn, who asks was turned away, the day's tokens were used up, or the conversation has had too
   * many turns; then they are settled without an answer.
   */
  async refuses({ conversation: id, items }: Turn<Question>): Promise<boolean> {
    const { limits, store } = this.#options;
    const last = items.at(-1);
    if (last === undefined) return false;
    const isAdmitted = this.admits(last.place);
    const excess = isAdmitted ? (limits.overspent(last.payer) ?? limits.excessOfTurns(id)) : undefined;
    if (isAdmitted && excess === undefined) return false;
    const conversation = await store.conversation(id);
    await conversation.fail(items.map(({ key }) => key));
    if (excess !== undefined) this.#tellExcess(excess, last.payer, last.place);
    return true;
  }

  #tellExcess({ why, tell }: Excess, from: string, place: Place): void {
    const { denials, client } = this.#options;
    denials.tell(from, why);
    if (tell !== undefined) replyChannelTo(client, place).remark(tell);
  }

  async #ask(said: IncomingMessage, piece: Piece, conversation: Conversation): Promise<void> {
    const { key, place, payer, source } = said;
    const prepare = this.#captions.preparation(piece, conversation);
    const wantsMarker = isMarkable('message' in source ? source.message.element : source.element);
    const question: Question = {
      kind: 'question',
      key,
      place,
      payer,
      ...(prepare === undefined ? {} : { prepare }),
      ...(wantsMarker ? { begins: () => this.#markDisplayed(source) } : {}),
    };
    await this.#queue(question, conversation);
  }

  async #queue(question: Question, conversation: Conversation): Promise<void> {
    const { queue, client } = this.#options;
    const { key, place } = question;
    const added = queue.add(conversation.id, question, { collect: place.kind === 'room' });
    if (added !== 'full') return;
    await conversation.fail([key], FULL);
    replyChannelTo(client, place).remark(FULL);
  }

  /** A sign that is lost when it cannot be given now: the answer comes all the same. */
  #markDisplayed(source: IncomingMessage['source']): void {
    const { client } = this.#options;
    if (client.state === 'online' || client.state === 'suspended') client.get(displayedMarkers).mark(source);
  }

  /** An encrypted message is explained once a sender, and never given to the model. */
  async #explainEncryption(encryption: string, place: Place): Promise<void> {
    const who = place.to.toString();
    if (this.#explained.has(who)) return;
    this.#explained.add(who);
    await this.#explained.written();
    replyChannelTo(this.#options.client, place).remark(
      `I cannot read messages encrypted with ${encryption}. Please turn encryption off for our chat.`,
    );
  }

  /** Whether somebody may learn that the bot is there. @param who as their messages come: a full JID, or a room's bare one */
  #mayKnow(who: Jid): boolean {
    const { account, client, strangers, vouchedBy } = this.#options;
    const isRoom = client.get(muc).rooms.has(who.bare.toString());
    if (isRoom && who.resource === '') return roomAccess(account, roomConfig(account, who), vouchedBy(who)).allowed;
    if (who.localpart === '') return false;
    return isRoom
      ? directAccess(account, this.#realJid(who), strangers.approved(), who).allowed
      : directAccess(account, who.bare, strangers.approved()).allowed;
  }

  /** Who is behind a nick now, where the room shows it. */
  #realJid(occupant: Jid): Jid | undefined {
    return this.#options.client.get(muc).rooms.get(occupant.bare.toString())?.occupants.get(occupant.resource)?.realJid;
  }
}
