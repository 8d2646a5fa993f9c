/**
 * Brings an answer to a place while it is being made: cut into messages, and, where that is wanted, shown as it grows by
 * correcting the last message. Every correction carries the whole text, so they come seldom, and the seldomer the longer it is.
 */
import { Chunker } from './chunk.js';
import type { Outlet } from './outlet.js';
import { toMessageStyling } from './styling.js';

export interface ReplyWriterOptions {
  /** Unicode code points a message. */
  readonly chunkLimit: number;
  /** Whether the answer is shown while it grows. */
  readonly live: boolean;
  readonly now?: () => number;
}

/** Between two corrections at the least, in milliseconds; a longer text waits longer, as servers count its bytes. */
const EDIT_INTERVAL_MS = 2_500;
const EDIT_MS_PER_CHARACTER = 2;
/** How often one message is corrected while it grows; its last correction does not count. */
const MAX_EDITS = 12;

export class ReplyWriter {
  readonly #outlet: Outlet;
  readonly #live: boolean;
  readonly #now: () => number;
  readonly #chunker: Chunker;
  /** Full messages that could not be sent yet, in order. */
  readonly #full: string[] = [];
  /** The message that still grows, as it was last sent. */
  #growing: { readonly id: string; text: string; edits: number } | undefined;
  #nextEditAt: number;

  constructor(outlet: Outlet, { chunkLimit, live, now = () => performance.now() }: ReplyWriterOptions) {
    this.#outlet = outlet;
    this.#live = live;
    this.#now = now;
    this.#chunker = new Chunker(chunkLimit);
    this.#nextEditAt = now() + EDIT_INTERVAL_MS;
  }

  /** Takes a piece of the answer; shows it when it is time to. */
  push(text: string): void {
    this.#full.push(...this.#chunker.push(text));
    if (!this.#live || !this.#outlet.open) return;
    this.#sendFull(false);
    const rest = this.#chunker.rest();
    if (rest.trim() !== '' && this.#now() >= this.#nextEditAt) this.#show(rest);
  }

  /** Sends all that is not sent. The outlet has to be open. */
  finish(): void {
    const rest = this.#chunker.rest();
    if (rest.trim() !== '') this.#full.push(rest);
    this.#sendFull(true);
  }

  /** Brings what was already shown to an end: the answer will not be finished. Without anything shown it says nothing. */
  breakOff(): void {
    if (this.#growing === undefined) return;
    const id = this.#growing.id;
    const text = this.#chunker.rest();
    this.#outlet.say(`${toMessageStyling(text)} …`, { replaces: id });
    this.#growing = undefined;
  }

  /** A full message freezes what was growing, with its final text, and is never touched again. */
  #sendFull(isEnd: boolean): void {
    for (let text = this.#full[0]; text !== undefined; text = this.#full[0]) {
      this.#settle(toMessageStyling(text), isEnd && this.#full.length === 1);
      this.#full.shift();
    }
  }

  #settle(text: string, last: boolean): void {
    const growing = this.#growing;
    if (growing === undefined) this.#outlet.say(text, { last });
    else if (growing.text !== text) this.#outlet.say(text, { replaces: growing.id, last });
    this.#growing = undefined;
  }

  #show(rest: string): void {
    const text = toMessageStyling(rest);
    const growing = this.#growing;
    if (growing === undefined) {
      this.#growing = { id: this.#outlet.say(text, { last: false }), text, edits: 0 };
    } else if (growing.text !== text && growing.edits < MAX_EDITS) {
      this.#outlet.say(text, { replaces: growing.id, last: false });
      growing.text = text;
      growing.edits += 1;
    }
    this.#nextEditAt = this.#now() + EDIT_INTERVAL_MS + text.length * EDIT_MS_PER_CHARACTER;
  }
}
