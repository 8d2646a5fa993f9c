/** What the last run of the bot left undone: answers that were not sent, and questions and commands without an answer. */
import type { Client } from '../../../xmpp-core/client.js';
import type { Background } from '../../background.js';
import type { AccountConfig } from '../../config/config.js';
import type {
  Conversation,
  ConversationStore,
  ReceivedCommand,
  ReceivedMessage,
  PendingWork,
  UndeliveredAnswer,
} from '../../conversation/history.js';
import type { Admission } from '../access/admission.js';
import { readPlace, type Place } from '../places/place.js';
import type { Reachability } from '../rooms/reachability.js';
import type { Rooms } from '../rooms/rooms.js';
import type { Answering } from './answering.js';
import { sentMessages } from './sent-messages.js';

/** Parts of the unfinished work. */
export interface UnfinishedWorkOptions {
  readonly account: AccountConfig;
  readonly client: Client;
  readonly store: ConversationStore;
  readonly rooms: Rooms;
  readonly admission: Admission;
  readonly reachability: Reachability;
  readonly answering: Answering;
  readonly background: Background;
  readonly stopping: AbortSignal;
}

/** What one conversation was left with. */
export interface UnfinishedConversation extends PendingWork {
  readonly conversation: Conversation;
}

/** A question or command that still needs an answer. */
export interface Unanswered {
  readonly conversation: Conversation;
  readonly message: ReceivedMessage | ReceivedCommand;
  readonly place: Place;
}

/** The unfinished work of one account. */
export class UnfinishedWork {
  readonly #options: UnfinishedWorkOptions;
  #conversations: readonly UnfinishedConversation[] = [];

  constructor(options: UnfinishedWorkOptions) {
    this.#options = options;
  }

  /** Reads the work from disk. To be called before the client is started: what arrives later is handled when it arrives, and not twice. */
  async load(): Promise<void> {
    const { account, store } = this.#options;
    const prefix = `${account.jid.toString()}/`;
    const own = (await store.unfinished()).filter((id) => id.startsWith(prefix));
    const conversations = await Promise.all(own.map((id) => store.conversation(id)));
    this.#conversations = conversations.map((conversation) => ({ conversation, ...conversation.pending() }));
  }

  /** Hands out the conversations with unfinished work, once. */
  take(): readonly UnfinishedConversation[] {
    const conversations = this.#conversations;
    this.#conversations = [];
    return conversations;
  }

  /**
   * Sends the answers of a conversation that were not sent, in the background, and yields what still needs an answer, when its place is reachable.
   * What may no longer be answered is settled without one.
   */
  async *resume({ conversation, waiting, undelivered }: UnfinishedConversation): AsyncGenerator<Unanswered> {
    const { reachability, answering, background } = this.#options;
    for (const answer of undelivered) {
      const place = this.#placeOf(answer);
      if (place === undefined) await conversation.markDelivered(answer.id);
      else background.run('unsent answer', () => this.#deliver(conversation, answer, place));
    }
    for (const message of waiting) {
      const place = this.#placeOf(message);
      // A question from a room that the bot cannot enter never reaches the model.
      if (place !== undefined) await reachability.opened(place);
      if (place === undefined || reachability.isClosed(place)) {
        await conversation.fail([message.key]);
        continue;
      }
      if (message.kind === 'question') background.run('unmark', () => answering.unmark(place));
      yield { conversation, message, place };
    }
  }

  /** Where an answer goes; `undefined` when it may not go there any more. */
  #placeOf({ reference }: { readonly reference?: unknown }): Place | undefined {
    const { rooms, admission } = this.#options;
    const place = readPlace(reference);
    if (place === undefined || (place.kind !== 'direct' && !rooms.wants(place.to))) return undefined;
    return admission.admits(place, rooms) ? place : undefined;
  }

  /** Sends an answer. If it may have been sent in part, the archive is asked what is missing. */
  async #deliver(conversation: Conversation, answer: UndeliveredAnswer, place: Place): Promise<void> {
    const { client, reachability, answering, stopping } = this.#options;
    if (answer.begun) await reachability.opened(place);
    const sent = answer.begun ? await sentMessages(client, place, answer, stopping) : new Map<string, string>();
    await answering.deliver(conversation, answer, place, sent);
  }
}
