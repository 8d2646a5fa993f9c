/**
 * Takes out of a model's text what is no part of the answer, while it streams: thoughts, the marks of chat templates, the mark of a message that the
 * model repeats, and control characters. Tags and marks in the middle of a line, and in blocks of code, stay: the answer may be about them.
 */
import {
  ANSWER_STARTS,
  BROKEN_HEADER,
  CHANNEL_END,
  CHANNEL_HEADER,
  CLOSING_LINE,
  LONGEST_CLOSING,
  LONGEST_HEADER,
  LONGEST_MARKS,
  MARK_AT_START,
  marksAtEnd,
  mayStartWithMark,
  NEXT_TURN,
  OPENING_LINE,
  TAG_LINE_BEGUN,
  THOUGHTS,
} from './template-marks.js';

/** What a piece of text adds. */
export interface AnswerPiece {
  /** Text to show. */
  readonly text: string;
  /** Text that is not shown. */
  readonly hidden: string;
  /** Everything shown so far was a thought, too: only its end was marked. The answer begins with `text`. */
  readonly restarts: boolean;
}

/** Everything that XML cannot carry or a terminal would obey. Line ends and tabs stay. */
const CONTROL = /[\u0000-\u0008\u000B\u000C\u000E-\u001F\u007F-\u009F\uFFFE\uFFFF]/g;
/** Thoughts without an opening tag are at most this long, in characters: an answer that is read for longer is none. */
const MAX_RESTART = 50_000;
/** How many blocks of thoughts may follow the beginning of an answer. Further tags are text. */
const MAX_BLOCKS = 20;
/** A model that repeats marks for this long, in characters, is at its end. */
const MAX_MARKS = 1_000;
const FENCE = /^[ \t]{0,3}(?:```|~~~)/;

const NOTHING: AnswerPiece = { text: '', hidden: '', restarts: false };

/** A step of the filter. `waits`: more text is needed. */
interface Step extends AnswerPiece {
  readonly waits: boolean;
}
const GOES_ON: Step = { ...NOTHING, waits: false };
const WAITS: Step = { ...NOTHING, waits: true };

/** Filters one answer. */
export class AnswerText {
  /** `start`: nothing was shown yet. `thought`: hidden up to `#closing`. `over`: the answer has ended, and all that follows is hidden. */
  #state: 'start' | 'thought' | 'answer' | 'over' = 'start';
  #closing = CHANNEL_END;
  /** Text that may be the beginning of something else. */
  #held = '';
  /** The beginning of the line that is being shown; empty at the start of a line. */
  #line = '';
  #isInCode = false;
  #shownLength = 0;
  #blocks = 0;
  /** Whether the beginning of the answer was marked, so that what is shown are no thoughts. */
  #isMarked = false;

  /** Whether there is text that was not given out yet. */
  get isHolding(): boolean {
    return this.#held !== '';
  }

  /** Takes the next text. */
  push(text: string): AnswerPiece {
    this.#held += text.replaceAll(CONTROL, '');
    return this.#advance(false);
  }

  /** The answer is complete. */
  end(): AnswerPiece {
    return this.#advance(true);
  }

  #advance(isEnd: boolean): AnswerPiece {
    let all = NOTHING;
    for (;;) {
      const step = this.#step(isEnd);
      all = added(all, step);
      if (step.waits) return all;
    }
  }

  #step(isEnd: boolean): Step {
    switch (this.#state) {
      case 'start':
        return this.#begin(isEnd);
      case 'thought':
        return this.#think(isEnd);
      case 'answer':
        return this.#show(isEnd);
      default:
        return this.#drop(isEnd);
    }
  }

  /** Takes everything away that stands in front of the answer. */
  #begin(isEnd: boolean): Step {
    const text = this.#held.trimStart();
    const space = this.#take(this.#held.length - text.length);
    if (space !== '') return { ...GOES_ON, hidden: space };
    const thought = THOUGHTS.find(({ opening }) => opening.test(text));
    if (thought !== undefined) return this.#startThought(thought.opening, thought.closing);
    if (text.startsWith('<|channel|>')) return this.#readHeader(isEnd);
    if (!isEnd && mayStartWithMark(text)) return WAITS;
    const mark = MARK_AT_START.exec(text)?.[0];
    if (mark !== undefined) return { ...GOES_ON, hidden: this.#take(mark.length) };
    this.#state = 'answer';
    return GOES_ON;
  }

  /** Harmony: only the channel `final` is for people. */
  #readHeader(isEnd: boolean): Step {
    const header = CHANNEL_HEADER.exec(this.#held.slice(0, LONGEST_HEADER));
    if (header === null && !isEnd && this.#held.length < LONGEST_HEADER) return WAITS;
    const [all = '', channel = ''] = header ?? BROKEN_HEADER.exec(this.#held) ?? [];
    if (channel !== 'final') return this.#startThought(all, CHANNEL_END);
    this.#isMarked = true;
    return { ...GOES_ON, hidden: this.#take(all.length) };
  }

  #startThought(opening: RegExp | string, closing: RegExp): Step {
    this.#state = 'thought';
    this.#closing = closing;
    const length = typeof opening === 'string' ? opening.length : (opening.exec(this.#held)?.[0].length ?? 0);
    return { ...GOES_ON, hidden: this.#take(length) };
  }

  #think(isEnd: boolean): Step {
    const end = this.#closing.exec(this.#held);
    if (end === null) return { ...WAITS, hidden: this.#take(isEnd ? Infinity : this.#held.length - LONGEST_CLOSING) };
    this.#state = this.#shownLength === 0 ? 'start' : 'answer';
    return { ...GOES_ON, hidden: this.#take(end.index + end[0].length) };
  }

  #drop(isEnd: boolean): Step {
    const start = this.#isMarked ? null : ANSWER_STARTS.exec(this.#held);
    if (start !== null) return this.#restart(start.index + start[0].length);
    return { ...WAITS, hidden: this.#take(isEnd ? Infinity : this.#held.length - LONGEST_HEADER) };
  }

  /** Shows the text, line by line. */
  #show(isEnd: boolean): Step {
    const shown = marksAtEnd(this.#held, isEnd);
    let at = 0;
    while (at < shown) {
      const end = this.#held.indexOf('\n', at) + 1;
      const isWhole = end > 0 && end <= shown;
      const line = this.#held.slice(at, isWhole ? end : shown);
      const step = this.#isInCode ? undefined : this.#readLine(line, at, isWhole || isEnd);
      if (step !== undefined) return step;
      this.#line = (this.#line + line).slice(0, LONGEST_MARKS);
      at += line.length;
      if (!isWhole) break;
      if (FENCE.test(this.#line)) this.#isInCode = !this.#isInCode;
      this.#line = '';
    }
    const text = this.#give(at);
    if (isEnd) return { ...WAITS, text, hidden: this.#take(Infinity) };
    if (this.#held.length > MAX_MARKS) this.#state = 'over';
    return { ...WAITS, text };
  }

  /**
   * Looks for what is no part of the answer in a line outside of code.
   * @param at where it stands in the text that is held
   * @param isWhole whether nothing can be added to it
   * @returns what to do instead of showing it
   */
  #readLine(line: string, at: number, isWhole: boolean): Step | undefined {
    const mayRestart = !this.#isMarked && this.#shownLength + at <= MAX_RESTART;
    if (this.#line === '') {
      if (!isWhole && TAG_LINE_BEGUN.test(line)) return { ...WAITS, text: this.#give(at) };
      if (mayRestart && CLOSING_LINE.test(line)) return this.#restart(at + line.length);
      if (this.#blocks < MAX_BLOCKS && OPENING_LINE.test(line)) {
        this.#blocks += 1;
        const text = this.#give(at);
        const tag = this.#held.trimStart();
        const thought = THOUGHTS.find(({ opening }) => opening.test(tag));
        return { ...this.#startThought(line, thought?.closing ?? CHANNEL_END), text };
      }
    }
    if (!/[<◁]/.test(line)) return undefined;
    const start = mayRestart ? ANSWER_STARTS.exec(line) : null;
    if (start !== null) return this.#restart(at + start.index + start[0].length);
    const next = NEXT_TURN.exec(this.#held.slice(at, at + line.length + LONGEST_MARKS));
    if (next === null || next.index >= line.length) return undefined;
    this.#state = 'over';
    return { ...GOES_ON, text: this.#give(at + next.index) };
  }

  /** What was shown, and the text up to `end`, were thoughts. */
  #restart(end: number): Step {
    const restarts = this.#shownLength > 0;
    this.#state = 'start';
    this.#isMarked = true;
    this.#isInCode = false;
    this.#line = '';
    this.#shownLength = 0;
    return { ...GOES_ON, hidden: this.#take(end), restarts };
  }

  /** Gives out text to show. */
  #give(length: number): string {
    this.#shownLength += length;
    return this.#take(length);
  }

  /** Takes the first characters from the text that is held. */
  #take(length: number): string {
    const taken = this.#held.slice(0, Math.max(0, length));
    this.#held = this.#held.slice(taken.length);
    return taken;
  }
}

function added(one: AnswerPiece, { text, hidden, restarts }: AnswerPiece): AnswerPiece {
  if (restarts) return { text, hidden: one.hidden + one.text + hidden, restarts };
  return { text: one.text + text, hidden: one.hidden + hidden, restarts: one.restarts };
}
