/** The chat on a terminal: answers grow above the input line, which keeps what is being typed. */
import type { Interface } from 'node:readline';
import { clearScreenDown, cursorTo, moveCursor } from 'node:readline';

/** What the screen needs of a terminal. */
export interface TerminalOutput extends NodeJS.WritableStream {
  /** The width in characters. */
  readonly columns?: number;
}

const DEFAULT_COLUMNS = 80;
/** A text with these could move the cursor or change the terminal's settings. */
const CONTROL = /(?!\n)[\p{Cc}\u2028\u2029]/gu;
/** Characters that fill two columns on most terminals. */
const WIDE =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\u3000-\u303F\uFF00-\uFF60\p{Emoji_Presentation}]/u;
const ZERO_WIDTH = /\p{M}|\u200B|\u200C|\u200D|\uFE0F/u;

/** The screen; the input line belongs to `node:readline`. */
export class TerminalScreen {
  readonly #output: TerminalOutput;
  readonly #lines: Pick<Interface, 'getCursorPos' | 'prompt'>;
  /** The last row of the answer: the next text continues it. */
  #row = '';

  constructor(output: TerminalOutput, lines: Pick<Interface, 'getCursorPos' | 'prompt'>) {
    this.#output = output;
    this.#lines = lines;
  }

  /** Adds a text to the answer, and shows the input line below it again. */
  append(text: string): void {
    const columns = this.#output.columns ?? DEFAULT_COLUMNS;
    // A terminal that became narrower shows the row in several.
    const up = this.#row === '' ? 0 : Math.max(1, Math.ceil(width(this.#row) / columns));
    moveCursor(this.#output, 0, -(this.#lines.getCursorPos().rows + up));
    cursorTo(this.#output, 0);
    clearScreenDown(this.#output);
    // The last column stays free: terminals differ in what they do after it.
    const rows = wrapped(this.#row + text.replaceAll(CONTROL, ' '), columns - 1);
    this.#row = rows.at(-1) ?? '';
    this.#output.write(rows.map((row, index) => (row === '' && index === rows.length - 1 ? '' : `${row}\n`)).join(''));
    this.#lines.prompt(true);
  }

  /** Ends the answer: the next text begins in a new row. */
  end(): void {
    this.#row = '';
  }
}

/** Cuts a text into rows between words; a word that is longer than a row is cut. */
export function wrapped(text: string, columns: number): string[] {
  return text.split('\n').flatMap((line) => wrappedLine(line, Math.max(columns, 2)));
}

function wrappedLine(line: string, columns: number): string[] {
  const rows: string[] = [];
  let row = '';
  let used = 0;
  const next = (): void => {
    rows.push(row.trimEnd());
    row = '';
    used = 0;
  };
  for (const word of line.match(/\s+|\S+/gu) ?? []) {
    const isSpace = word.trim() === '';
    const needed = width(word);
    if (!isSpace && used > 0 && used + needed > columns) next();
    // A row does not begin with the space that ended the one before.
    if (isSpace && used === 0 && rows.length > 0) continue;
    for (const character of word) {
      const more = width(character);
      if (used + more > columns) {
        if (isSpace) break;
        next();
      }
      row += character;
      used += more;
    }
  }
  rows.push(row);
  return rows;
}

function width(text: string): number {
  let columns = 0;
  for (const character of text) columns += ZERO_WIDTH.test(character) ? 0 : WIDE.test(character) ? 2 : 1;
  return columns;
}
