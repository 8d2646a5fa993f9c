/**
 * Takes out of a model's text what is no part of the answer, while it streams: thoughts between tags, the channels of the Harmony format, end marks of
 * chat templates, the mark of a message that the model repeats, and control characters. Tags and marks in the middle of an answer stay, since it
 * may be about them.
 */

/** What a piece of text adds. */
export interface AnswerPiece {
  /** Text to show. */
  readonly text: string;
  /** Text that was hidden: thoughts. */
  readonly hidden: string;
  /** Everything shown so far was a thought, too: only its end was marked. The answer begins with `text`. */
  readonly restarts: boolean;
}

/** The tags around thoughts: DeepSeek and Qwen; others; Mistral; Kimi. */
const THOUGHT_TAGS: ReadonlyMap<string, string> = new Map([
  ['<think>', '</think>'],
  ['<thinking>', '</thinking>'],
  ['<thought>', '</thought>'],
  ['[THINK]', '[/THINK]'],
  ['◁think▷', '◁/think▷'],
]);
/** What can stand at the very beginning and is not shown. */
const OPENINGS: readonly string[] = [...THOUGHT_TAGS.keys(), '<|channel|>', '<|start|>assistant<|channel|>'];
/** The mark in front of a message in the prompt, as in `[#k3fz]`. */
const MARK = /^\[#\w{4}\]\s*/;
const MARK_BEGUN = /^\[(?:#\w{0,4})?$/;
/** A template can open the thoughts in the prompt, so that only their end is in the answer, on a line of its own. */
const ONLY_CLOSED = /(?:^|\n)[ \t]*<\/think(?:ing)?>[ \t]*(?:\n|$)/;
const CLOSINGS: readonly string[] = ['</think>\n', '</thinking>\n'];
/** End marks of chat templates: ChatML, Llama, Gemma, Harmony, DeepSeek, Mistral. */
const END_MARKS: readonly string[] = [
  '<|im_end|>',
  '<|endoftext|>',
  '<|end_of_text|>',
  '<|eot_id|>',
  '<|eom_id|>',
  '<|end|>',
  '<|return|>',
  '<end_of_turn>',
  '<｜end▁of▁sentence｜>',
  '</s>',
  '<eos>',
];
const LONGEST_MARK = Math.max(...END_MARKS.map(({ length }) => length));
/** Harmony: what ends the text of a channel. */
const CHANNEL_END = /<\|(?:end|return|call|start|channel)\|>/;
const CHANNEL_HEADER = /^(?:<\|start\|>\w*)?<\|channel\|>\s*(\w*)[^<]*(?:<\|constrain\|>\w*)?<\|message\|>/;
const LONGEST_HEADER = 200;
/** Everything that XML cannot carry or a terminal would obey. Line ends and tabs stay. */
const CONTROL = /[\u0000-\u0008\u000B\u000C\u000E-\u001F\u007F-\u009F\uFFFE\uFFFF]/g;
/** The end of thoughts is looked for in this much shown text; longer thoughts are no mistake of a template. */
const MAX_RESTART = 50_000;

const NOTHING: AnswerPiece = { text: '', hidden: '', restarts: false };

/** Filters one answer. */
export class AnswerText {
  /** `start`: nothing was shown yet. `thought`: up to `#closing`. `channels`: Harmony. `answer`: the rest is shown. */
  #state: 'start' | 'thought' | 'channels' | 'answer' = 'start';
  #closing = '';
  #isFinalChannel = false;
  /** Text that may be the beginning of something else. */
  #held = '';
  /** What was shown since the start, while its thoughts may still end. */
  #shown: string | undefined = '';

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
      const state = this.#state;
      const before = this.#held.length;
      all = added(all, this.#step(isEnd));
      if (this.#state === state && (this.#held.length === before || this.#held === '')) return all;
    }
  }

  #step(isEnd: boolean): AnswerPiece {
    switch (this.#state) {
      case 'start':
        return this.#begin(isEnd);
      case 'thought':
        return this.#think(isEnd);
      case 'channels':
        return this.#readChannel(isEnd);
      default:
        return this.#show(isEnd);
    }
  }

  #begin(isEnd: boolean): AnswerPiece {
    const text = this.#held.trimStart();
    const opening = OPENINGS.find((one) => text.startsWith(one));
    if (opening !== undefined) {
      const closing = THOUGHT_TAGS.get(opening);
      this.#state = closing === undefined ? 'channels' : 'thought';
      this.#closing = closing ?? '';
      this.#held = closing === undefined ? text : text.slice(opening.length);
      return NOTHING;
    }
    if (MARK.test(text)) {
      this.#held = text.replace(MARK, '');
      return NOTHING;
    }
    const isUndecided = text === '' || MARK_BEGUN.test(text) || OPENINGS.some((one) => one.startsWith(text));
    if (isUndecided && !isEnd) return NOTHING;
    this.#held = text;
    this.#state = 'answer';
    return NOTHING;
  }

  #think(isEnd: boolean): AnswerPiece {
    const at = this.#held.indexOf(this.#closing);
    if (at >= 0) {
      const hidden = this.#held.slice(0, at);
      this.#held = this.#held.slice(at + this.#closing.length);
      // Another block may follow.
      this.#state = 'start';
      return { ...NOTHING, hidden };
    }
    const kept = isEnd ? 0 : beginningAtEnd(this.#held, [this.#closing]);
    const hidden = this.#held.slice(0, this.#held.length - kept);
    this.#held = this.#held.slice(this.#held.length - kept);
    return { ...NOTHING, hidden };
  }

  /** Harmony: only the channel `final` is for people. */
  #readChannel(isEnd: boolean): AnswerPiece {
    const header = CHANNEL_HEADER.exec(this.#held.slice(0, LONGEST_HEADER));
    if (header !== null) {
      this.#isFinalChannel = header[1] === 'final';
      this.#held = this.#held.slice(header[0].length);
      return NOTHING;
    }
    // A header is coming.
    if (!isEnd && /^<\|(?:start|channel)/.test(this.#held) && this.#held.length < LONGEST_HEADER) return NOTHING;
    const end = CHANNEL_END.exec(this.#held);
    const kept =
      end === null && !isEnd ? beginningAtEnd(this.#held, END_MARKS.concat('<|start|>', '<|channel|>', '<|call|>')) : 0;
    const length = end?.index ?? this.#held.length - kept;
    const text = this.#held.slice(0, length);
    const mark = end === null || /<\|(?:start|channel)\|>/.test(end[0]) ? '' : end[0];
    this.#held = this.#held.slice(length + mark.length);
    return this.#isFinalChannel ? { ...NOTHING, text } : { ...NOTHING, hidden: text };
  }

  #show(isEnd: boolean): AnswerPiece {
    const thoughts = this.#endOfThoughts();
    if (thoughts !== undefined) return thoughts;
    const kept = isEnd ? 0 : this.#undecided();
    let text = this.#held.slice(0, this.#held.length - kept);
    this.#held = this.#held.slice(this.#held.length - kept);
    if (isEnd) text = withoutEndMarks(text);
    if (this.#shown !== undefined) this.#shown = this.#shown.length > MAX_RESTART ? undefined : this.#shown + text;
    return { ...NOTHING, text };
  }

  /** Finds the end of thoughts that were shown, since nothing marked their beginning. In a block of code it is a part of the code. */
  #endOfThoughts(): AnswerPiece | undefined {
    if (this.#shown === undefined || !this.#held.includes('</think')) return undefined;
    const all = this.#shown + this.#held;
    const end = ONLY_CLOSED.exec(all);
    if (end === null || isInCode(all.slice(0, end.index))) return undefined;
    const hidden = all.slice(0, end.index);
    const restarts = this.#shown !== '';
    this.#held = all.slice(end.index + end[0].length);
    this.#shown = undefined;
    this.#state = 'start';
    return { text: '', hidden, restarts };
  }

  /** How much of the held text may become an end mark, or the end of thoughts. */
  #undecided(): number {
    const begun = beginningAtEnd(this.#held, END_MARKS);
    const before = withoutEndMarks(this.#held.slice(0, this.#held.length - begun));
    return Math.max(this.#held.length - before.length, this.#closingAtEnd());
  }

  #closingAtEnd(): number {
    if (this.#shown === undefined) return 0;
    const isLineBegun = this.#shown === '' || this.#shown.endsWith('\n');
    return beginningAtEnd(
      this.#held,
      isLineBegun ? [...CLOSINGS, ...CLOSINGS.map((one) => `\n${one}`)] : CLOSINGS.map((one) => `\n${one}`),
    );
  }
}

/** The length of the longest beginning of one of these that a text ends with. */
function beginningAtEnd(text: string, wholes: readonly string[]): number {
  const most = Math.min(text.length, Math.max(LONGEST_MARK, ...wholes.map(({ length }) => length)) - 1);
  for (let length = most; length > 0; length -= 1) {
    const end = text.slice(-length);
    if (wholes.some((whole) => whole.startsWith(end) && whole.length > length)) return length;
  }
  return 0;
}

function withoutEndMarks(text: string): string {
  let rest = text.trimEnd();
  let mark = END_MARKS.find((one) => rest.endsWith(one));
  if (mark === undefined) return text;
  while (mark !== undefined) {
    rest = rest.slice(0, -mark.length).trimEnd();
    mark = END_MARKS.find((one) => rest.endsWith(one));
  }
  return rest;
}

/** Whether a fence is open at the end of a text. */
function isInCode(text: string): boolean {
  return (text.match(/^[ \t]{0,3}```/gm) ?? []).length % 2 === 1;
}

function added(one: AnswerPiece, other: AnswerPiece): AnswerPiece {
  if (other.restarts) return { text: other.text, hidden: one.hidden + one.text + other.hidden, restarts: true };
  return { text: one.text + other.text, hidden: one.hidden + other.hidden, restarts: one.restarts };
}
