/**
 * What people say of what was said before: they correct it (XEP-0308), take it back (XEP-0424), or react to it (XEP-0444); and a room's
 * moderators take it back for them (XEP-0425). Only who said something can change it.
 */
import type { Client } from '../../../xmpp-core/client.js';
import type { Conversation, ReceivedMessage } from '../../conversation/history.js';
import type { TurnQueue } from '../../conversation/queue.js';
import type { Log } from '../../log.js';
import { ownMessages } from '../places/own-messages.js';
import { isAdmitted, senderKey, stanzaKey, type IncomingMessage } from './incoming-message.js';
import type { Task } from '../turns/tasks.js';

export interface EditsOptions {
  readonly client: Client;
  readonly queue: TurnQueue<Task>;
  /** Whether somebody may have another question answered; tells them when not. */
  readonly isWithinLimits: (said: IncomingMessage) => boolean;
  readonly log: Log;
}

/** Reactions to one message that are passed on; whoever clicks about on it would fill the conversation. */
const MAX_REACTIONS = 20;
const MAX_EMOJI = 5;

export class Edits {
  readonly #options: EditsOptions;

  constructor(options: EditsOptions) {
    this.#options = options;
  }

  /**
   * Takes what is said of an earlier message, for the first time: the same change again, out of its order, would undo one that came after it.
   * @returns false for a correction of something that was never heard: it is as good as the first version of it
   */
  async take(said: IncomingMessage, conversation: Conversation): Promise<boolean> {
    const { change } = said.content;
    if (change === undefined) return true;
    if (change.kind === 'reaction') await this.#react(said, change.id, change.emoji, conversation);
    else if (change.kind === 'retraction') await this.#retract(said, change.id, conversation);
    else return this.#correct(said, change.id, conversation);
    return true;
  }

  /** Takes back what a room's moderators want to be gone. @param id the one that the room gave it */
  async moderate(conversation: Conversation, id: string): Promise<void> {
    const original = conversation.find(({ key }) => key === stanzaKey(id));
    if (original !== undefined) await this.#takeBack(original, conversation);
  }

  async #correct(said: IncomingMessage, id: string, conversation: Conversation): Promise<boolean> {
    const { queue } = this.#options;
    const original = conversation.find((heard) => heard.id === id && heard.author === said.author);
    if (original === undefined) return this.#ignored(said, id, conversation);
    const { key, kind } = original;
    const words = kind === 'question' ? said.text : said.content.text;
    // As after a restart, when the archive has it again.
    if (words === original.text) return true;
    const mayAsk = conversation.isUnanswered(key) && isAdmitted(said) && this.#options.isWithinLimits(said);
    const written = conversation.correct(key, words);
    // What waits is asked as it is by then. The request that is under way still has the old words.
    if (mayAsk) queue.restart(conversation.id, (task) => task.kind === 'question' && task.key === key);
    await written;
    return true;
  }

  async #retract(said: IncomingMessage, id: string, conversation: Conversation): Promise<void> {
    const names = new Set([stanzaKey(id), senderKey(said.from, id)]);
    const original = conversation.find(
      (heard) => heard.author === said.author && (heard.id === id || names.has(heard.key)),
    );
    if (original === undefined) this.#ignored(said, id, conversation);
    else await this.#takeBack(original, conversation);
  }

  async #takeBack({ key }: ReceivedMessage, conversation: Conversation): Promise<void> {
    const { queue } = this.#options;
    const isOwed = conversation.isUnanswered(key);
    const written = conversation.retract(key);
    if (isOwed) {
      const isIt = (task: Task): boolean => task.kind === 'question' && task.key === key;
      queue.withdraw(conversation.id, isIt, { evenAnswering: true });
    }
    await written;
  }

  async #react(said: IncomingMessage, id: string, emoji: readonly string[], conversation: Conversation): Promise<void> {
    const { key, speaker, at, author, place } = said;
    const own = this.#options.client.get(ownMessages).find(place.to, id);
    if (own === undefined || !isAdmitted(said) || own.reactions >= MAX_REACTIONS) return;
    own.reactions += 1;
    const about = { text: own.excerpt, reaction: emoji.slice(0, MAX_EMOJI) };
    await conversation.addMessage({ key, speaker, text: '', at, author, about, kind: 'context', reference: place });
  }

  /** @returns whether it was something that somebody else said */
  #ignored({ author }: IncomingMessage, id: string, conversation: Conversation): boolean {
    const isForeign = conversation.find((heard) => heard.id === id || heard.key === stanzaKey(id)) !== undefined;
    this.#options.log('debug', 'ignored', { conversation: conversation.id, from: author, foreign: isForeign });
    return isForeign;
  }
}
