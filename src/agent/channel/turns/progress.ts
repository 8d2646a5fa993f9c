/**
 * What people see of the bot beside its words while it is at a turn: that it is composing, the mark on a question that takes long, and what the model
 * thinks of a message. A reaction replaces all that was said of the message before (XEP-0444 §3.2), so they are kept together here.
 */
import type { ReplyChannel } from '../outbound/reply-channel.js';
import { messageIdAt, type Place } from '../places/place.js';

/** Clients forget that somebody is composing after a while. */
const COMPOSING_AGAIN_MS = 20_000;
/** From then on people wonder whether their question was seen. */
const SLOW_MS = 3_000;
const SEEN = '👀';

export class ProgressIndicator {
  readonly #outlet: ReplyChannel;
  readonly #question: string | undefined;
  readonly #timers: readonly NodeJS.Timeout[];
  /** What the model thinks, by the id of the message. */
  readonly #opinions = new Map<string, ReadonlySet<string>>();
  #marked = false;

  /**
   * Begins a turn.
   * @param marks whether a question that takes long is marked
   */
  constructor(outlet: ReplyChannel, place: Place, marks: boolean) {
    this.#outlet = outlet;
    this.#question = messageIdAt(place);
    outlet.state('composing');
    const again = setInterval(() => outlet.state('composing'), COMPOSING_AGAIN_MS);
    const slow = setTimeout(() => {
      if (marks && !this.#hasOpinion) this.#mark([SEEN]);
    }, SLOW_MS);
    this.#timers = [again, slow];
  }

  /** Reacts to a message for the model. @param outlet for the place that the message names @param id of the message */
  react(outlet: ReplyChannel, id: string, emoji: string): void {
    const opinion = new Set(this.#opinions.get(id)).add(emoji);
    this.#opinions.set(id, opinion);
    outlet.mark([...opinion]);
  }

  /** Shows nothing more by itself. */
  rest(): void {
    for (const timer of this.#timers) clearTimeout(timer);
  }

  /** Shows the end of the turn; the place has to be open. @param mark in place of the one on a slow question; nothing takes that one back */
  end(mark: string | undefined): void {
    this.rest();
    // What the model thinks of the question says enough.
    if (this.#marked && !this.#hasOpinion) this.#mark(mark === undefined ? [] : [mark]);
    this.#outlet.state('active');
  }

  get #hasOpinion(): boolean {
    return this.#question !== undefined && this.#opinions.has(this.#question);
  }

  #mark(emoji: readonly string[]): void {
    this.#marked = true;
    this.#outlet.mark(emoji);
  }
}
