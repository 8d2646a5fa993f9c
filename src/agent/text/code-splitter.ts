/** Takes the blocks of code out of a growing Markdown text that are too long for a message; all else goes through as it comes. */
import { closesFence, type Fence, readFence } from './fence.js';

/** A block of code that is longer than a message. */
export interface LongCode {
  /** As it stands in the text, fences included. */
  readonly block: string;
  readonly code: string;
  /** What the fence says of it, such as `python`; `''` when it says nothing. */
  readonly language: string;
}

/** A stretch of the text, in order. */
export type Piece = string | LongCode;

export class CodeSplitter {
  readonly #limit: number;
  /** The beginning of a line that may open a block, or, in a block, the line that is not complete. */
  #line = '';
  #atLineStart = true;
  /** The block under way, with its complete lines; the fence's own is the first. */
  #block: { readonly fence: Fence; readonly lines: string[]; points: number } | undefined;

  /** @param limit Unicode code points a message */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** What is held back until it is known how long its block is. */
  get pending(): string {
    return [...(this.#block?.lines ?? []), this.#line].join('');
  }

  /** Takes the next piece of the text. @returns what is settled by it */
  push(text: string): readonly Piece[] {
    const pieces: Piece[] = [];
    for (const part of text.split(/(?<=\n)/)) pieces.push(...this.#take(part));
    return pieces;
  }

  /** Nothing more comes. @returns what was held back */
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

  /** Takes a line, or a part of one that ends before its line does. */
  #take(part: string): readonly Piece[] {
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

  /** @param isClosed whether the last line is the fence that closes it */
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

/** The beginning of a line that can still become a fence. */
const MAY_OPEN = /^\s*(?:`{0,2}|~{0,2}|`{3,}[^`\n]*|~{3,}[^\n]*)$/;

function pointsIn(text: string): number {
  return Array.from(text).length;
}

/** The ends of file names by the names that fences have for languages; most are the language's own. */
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

/** The name of a file of code. @param count how many there were before it in the same answer */
export function codeFileName(language: string, count: number): string {
  const extension = EXTENSIONS.get(language) ?? (/^[a-z0-9]{1,8}$/.test(language) ? language : 'txt');
  return count === 0 ? `code.${extension}` : `code-${count + 1}.${extension}`;
}
