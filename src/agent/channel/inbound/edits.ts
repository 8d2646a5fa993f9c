/**
 * Changes to earlier messages: corrections (XEP-0308), retractions (XEP-0424), reactions (XEP-0444), and retractions by a room's moderators
 * (XEP-0425). Only the author of a message can correct or retract it.
 */
import type { Client } from '../../../xmpp-core/client.js';
import type { Conversation, ReceivedMessage } from '../../conversation/history.js';
import type { TurnQueue } from '../../conversation/queue.js';
import type { Log } from '../../log.js';
import { ownMessages } from '../places/own-messages.js';
import type { Task } from '../turns/tasks.js';
import { isAdmitted, type IncomingMessage } from './incoming-message.js';
import { stanzaKey } from './message-keys.js';

/** Parts of the edits. */
export interface EditsOptions {
  readonly client: Client;
  readonly queue: TurnQueue<Task>;
  /** Whether the author may have another question answered. Sends them a notice when not. */
  readonly isWithinLimits: (message: IncomingMessage) => boolean;
  readonly log: Log;
}

/** The most reactions to one message that the model gets: clicking around must not fill the conversation. */
const MAX_REACTIONS = 20;
const MAX_EMOJI = 5;

/** The edits of one account. */
export class Edits {
  readonly #options: EditsOptions;

  constructor(options: EditsOptions) {
    this.#options = options;
  }

  /**
   * Applies a change, once: the same change again, out of order, would undo a later one.
   * @returns false for a correction of a message that never arrived: the correction then stands for it
   */
  async apply(message: IncomingMessage, conversation: Conversation): Promise<boolean> {
    const { change } = message.content;
    if (change === undefined) return true;
    if (change.kind === 'reaction') await this.#react(message, change.id, change.emoji, conversation);
    else if (change.kind === 'retraction') await this.#retract(message, change.id, conversation);
    else return this.#correct(message, change.id, conversation);
    return true;
  }

  /** Retracts a message for a room's moderators. @param id the stanza id that the room gave it */
  async moderate(conversation: Conversation, id: string): Promise<void> {
    const original = conversation.find(({ key }) => key === stanzaKey(id));
    if (original !== undefined) await this.#remove(original, conversation);
  }

  async #correct(message: IncomingMessage, id: string, conversation: Conversation): Promise<boolean> {
    const { queue } = this.#options;
    const original = conversation.find((one) => one.id === id && one.author === message.author);
    if (original === undefined) return this.#ignored(message, id, conversation);
    const { key, kind } = original;
    const words = kind === 'question' ? message.text : message.content.text;
    // The archive repeats corrections after a restart.
    if (words === original.text) return true;
    const mayAsk = conversation.isUnanswered(key) && isAdmitted(message) && this.#options.isWithinLimits(message);
    const written = conversation.correct(key, words);
    // A waiting question is asked with its newest text. A request under way still has the old one.
    if (mayAsk) queue.restart(conversation.id, (task) => task.kind === 'question' && task.key === key);
    await written;
    return true;
  }

  async #retract(message: IncomingMessage, id: string, conversation: Conversation): Promise<void> {
    const isIt = (one: ReceivedMessage): boolean => [one.id, one.originId].includes(id) || one.key === stanzaKey(id);
    const original = conversation.find((one) => one.author === message.author && isIt(one));
    if (original === undefined) this.#ignored(message, id, conversation);
    else await this.#remove(original, conversation);
  }

  async #remove({ key }: ReceivedMessage, conversation: Conversation): Promise<void> {
    const { queue } = this.#options;
    const isOwed = conversation.isUnanswered(key);
    const written = conversation.retract(key);
    if (isOwed) {
      const isIt = (task: Task): boolean => task.kind === 'question' && task.key === key;
      queue.withdraw(conversation.id, isIt, { evenAnswering: true });
    }
    await written;
  }

  async #react(
    message: IncomingMessage,
    id: string,
    emoji: readonly string[],
    conversation: Conversation,
  ): Promise<void> {
    const { key, alias, speaker, at, author, place } = message;
    const own = this.#options.client.get(ownMessages).find(place.to, id);
    if (own === undefined || !isAdmitted(message) || own.reactions >= MAX_REACTIONS) return;
    own.reactions += 1;
    const about = { text: own.excerpt, reaction: emoji.slice(0, MAX_EMOJI) };
    await conversation.addMessage({
      key,
      ...(alias === undefined ? {} : { alias }),
      speaker,
      text: '',
      at,
      author,
      about,
      kind: 'context',
      reference: place,
    });
  }

  /** Logs a change that is not applied. @returns whether its message is somebody else's */
  #ignored({ author }: IncomingMessage, id: string, conversation: Conversation): boolean {
    const isForeign = conversation.find((one) => one.id === id || one.key === stanzaKey(id)) !== undefined;
    this.#options.log('debug', 'ignored', { conversation: conversation.id, from: author, foreign: isForeign });
    return isForeign;
  }
}
