/**
 * What people see of a turn besides the answer: that the bot is composing, the mark on a question that takes long, and the model's reactions.
 * A reaction replaces all earlier reactions to its message (XEP-0444 §3.2), so they are kept together here.
 */
import type { ReplyChannel } from '../outbound/reply-channel.js';
import { messageIdAt, type Place } from '../places/place.js';

/** Clients stop showing a `composing` state after a while, so it is repeated. */
const COMPOSING_AGAIN_MS = 20_000;
/** After this time people wonder whether their question was seen. */
const SLOW_MS = 3_000;
const SEEN = '👀';

/** The visible progress of one turn. */
export class ProgressIndicator {
  readonly #channel: ReplyChannel;
  readonly #question: string | undefined;
  readonly #timers: readonly NodeJS.Timeout[];
  /** The model's reactions, by the id of the message. */
  readonly #reactions = new Map<string, ReadonlySet<string>>();
  #marked = false;

  /**
   * Begins a turn: shows that the bot is composing.
   * @param marks whether a question that takes long is marked
   */
  constructor(channel: ReplyChannel, place: Place, marks: boolean) {
    this.#channel = channel;
    this.#question = messageIdAt(place);
    channel.sendChatState('composing');
    const again = setInterval(() => channel.sendChatState('composing'), COMPOSING_AGAIN_MS);
    const slow = setTimeout(() => {
      if (marks && !this.#hasReaction) this.#mark([SEEN]);
    }, SLOW_MS);
    this.#timers = [again, slow];
  }

  /** Adds a reaction of the model. @param channel to the place of the message @param id of the message */
  react(channel: ReplyChannel, id: string, emoji: string): void {
    const reactions = new Set(this.#reactions.get(id)).add(emoji);
    this.#reactions.set(id, reactions);
    channel.setReactions([...reactions]);
  }

  /** Stops the timers: nothing changes any more until `end`. */
  rest(): void {
    for (const timer of this.#timers) clearTimeout(timer);
  }

  /** Shows the end of the turn; the place has to be open. @param mark replaces the one on a slow question; `undefined` removes it */
  end(mark: string | undefined): void {
    this.rest();
    // The model's own reaction to the question is enough.
    if (this.#marked && !this.#hasReaction) this.#mark(mark === undefined ? [] : [mark]);
    this.#channel.sendChatState('active');
  }

  get #hasReaction(): boolean {
    return this.#question !== undefined && this.#reactions.has(this.#question);
  }

  #mark(emoji: readonly string[]): void {
    this.#marked = true;
    this.#channel.setReactions(emoji);
  }
}
