/** Extracts code blocks that are too long for a message from a growing Markdown text; all other text passes through. */
import { closesFence, type Fence, readFence } from './fence.js';

/** A block of code that is longer than a message. */
export interface LongCode {
  /** The block as in the text, with its fences. */
  readonly block: string;
  /** The code without fences and the fence's indentation. */
  readonly code: string;
  /** The language in the fence, lower case, such as `python`; `''` without one. */
  readonly language: string;
}

/** A piece of the text, or a long code block. */
export type Piece = string | LongCode;

/** Splits a text that arrives in pieces. */
export class CodeSplitter {
  readonly #limit: number;
  /** The start of a line that may open a block or, in a block, the incomplete last line. */
  #line = '';
  #atLineStart = true;
  /** The open block with its complete lines; the first is the fence. */
  #block: { readonly fence: Fence; readonly lines: string[]; points: number } | undefined;

  /** @param limit the length of a message in Unicode code points; longer blocks are extracted */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The text that is held back until the length of its block is known. */
  get pending(): string {
    return [...(this.#block?.lines ?? []), this.#line].join('');
  }

  /** Adds the next piece of the text. @returns the pieces that are now decided, in order */
  push(text: string): readonly Piece[] {
    const pieces: Piece[] = [];
    for (const part of text.split(/(?<=\n)/)) pieces.push(...this.#add(part));
    return pieces;
  }

  /** Ends the text. @returns what was held back */
  end(): readonly Piece[] {
    const line = this.#line;
    this.#line = '';
    const block = this.#block;
    if (block === undefined) return line === '' ? [] : [line];
    const closes = closesFence(block.fence, line);
    block.lines.push(line);
    block.points += pointsIn(line);
    return [this.#close(closes)];
  }

  /** Adds a line, or a part of one. */
  #add(part: string): readonly Piece[] {
    const isComplete = part.endsWith('\n');
    if (this.#block === undefined && !this.#atLineStart) {
      this.#atLineStart = isComplete;
      return [part];
    }
    this.#line += part;
    if (!isComplete) {
      if (this.#block !== undefined || MAY_OPEN.test(this.#line)) return [];
      this.#atLineStart = false;
      return [this.#takeLine()];
    }
    const line = this.#takeLine();
    const block = this.#block;
    if (block !== undefined) {
      block.lines.push(line);
      block.points += pointsIn(line);
      return closesFence(block.fence, line) ? [this.#close(true)] : [];
    }
    const fence = readFence(line);
    if (fence === undefined) return [line];
    this.#block = { fence, lines: [line], points: pointsIn(line) };
    return [];
  }

  #takeLine(): string {
    const line = this.#line;
    this.#line = '';
    return line;
  }

  /** Ends the open block. @param isClosed whether its last line is the closing fence */
  #close(isClosed: boolean): Piece {
    const { fence, lines, points } = this.#block ?? { fence: undefined, lines: [], points: 0 };
    this.#block = undefined;
    this.#atLineStart = true;
    const block = lines.join('');
    if (fence === undefined || points <= this.#limit) return block;
    const { indent, marker, header } = fence;
    const inner = lines.slice(1, isClosed ? -1 : lines.length);
    const code = inner.map((line) => (line.startsWith(indent) ? line.slice(indent.length) : line)).join('');
    const info = header.slice(indent.length + marker.length).trim();
    return { block, code, language: info.split(/[\s{,:]/, 1)[0]?.toLowerCase() ?? '' };
  }
}

/** The start of a line that can still become a fence. */
const MAY_OPEN = /^\s*(?:`{0,2}|~{0,2}|`{3,}[^`\n]*|~{3,}[^\n]*)$/;

function pointsIn(text: string): number {
  return Array.from(text).length;
}

/** File extensions by language names in fences, where the two differ. */
const EXTENSIONS: ReadonlyMap<string, string> = new Map([
  ['bash', 'sh'],
  ['c#', 'cs'],
  ['c++', 'cpp'],
  ['clojure', 'clj'],
  ['csharp', 'cs'],
  ['cxx', 'cpp'],
  ['elixir', 'ex'],
  ['erlang', 'erl'],
  ['f#', 'fs'],
  ['fsharp', 'fs'],
  ['golang', 'go'],
  ['haskell', 'hs'],
  ['javascript', 'js'],
  ['julia', 'jl'],
  ['kotlin', 'kt'],
  ['latex', 'tex'],
  ['markdown', 'md'],
  ['node', 'js'],
  ['objective-c', 'm'],
  ['ocaml', 'ml'],
  ['perl', 'pl'],
  ['plaintext', 'txt'],
  ['powershell', 'ps1'],
  ['python', 'py'],
  ['python3', 'py'],
  ['ruby', 'rb'],
  ['rust', 'rs'],
  ['shell', 'sh'],
  ['text', 'txt'],
  ['typescript', 'ts'],
  ['yml', 'yaml'],
  ['zsh', 'sh'],
]);

/** The file name for extracted code. @param count the number of earlier code files in the same answer */
export function codeFileName(language: string, count: number): string {
  const extension = EXTENSIONS.get(language) ?? (/^[a-z0-9]{1,8}$/.test(language) ? language : 'txt');
  return count === 0 ? `code.${extension}` : `code-${count + 1}.${extension}`;
}
