/** The spans within one line: Markdown's emphasis, links and escapes as those of XEP-0393 §5.2. */
import { UNSPACED, WORD } from './word-boundaries.js';

/** Markdown's delimiters and what becomes of the opening and of the closing one. */
const DELIMITERS = new Map<string, readonly [opening: string, closing: string]>([
  ['**', ['*', '*']],
  ['__', ['*', '*']],
  ['*', ['_', '_']],
  ['_', ['_', '_']],
  ['***', ['*_', '_*']],
  ['___', ['*_', '_*']],
  ['~~', ['~', '~']],
]);

/** What has a meaning of its own: escapes, code, links bare and in brackets, emphasis. Everything between is text. */
const TOKEN =
  /\\[*_~`#+\-.!>|]|`+|<[a-z][a-z0-9+.-]*:[^\s<>]*>|\b[a-z]{1,12}:\/\/[^\s<>()[\]*`"]*[^\s<>()[\]*`"_~.,:;!?]|!?\[|\](?:\()?|\*+|_+|~+/giu;

export interface SpanOptions {
  /** The styling directive for strong text: `*`, or `''` where all is strong already. */
  readonly strong?: '*' | '';
}

/** Rewrites one line of Markdown, without its block prefix. Never longer than the line; linear in it. */
export function styleSpans(line: string, { strong = '*' }: SpanOptions = {}): string {
  /** The pieces of the result, in order; a delimiter stays as it is until its partner is found. */
  const out: string[] = [];
  /** The last open delimiter of each kind, by its place in `out`. */
  const open = new Map<string, number>();
  const brackets: { readonly piece: number; readonly after: number }[] = [];
  const codeEnds = pairedRuns(line);
  const parentheses = pairedParentheses(line);
  let at = 0;

  const close = (kind: string, styles: readonly [string, string]): void => {
    const opening = open.get(kind) ?? 0;
    const [before, after] = styles.map((style) => (strong === '' ? style.replace('*', '') : style));
    out[opening] = before ?? '';
    out.push(after ?? '');
    // What was opened in between and is still open has no partner.
    for (const [other, piece] of open) if (piece >= opening) open.delete(other);
  };

  TOKEN.lastIndex = 0;
  for (let match = TOKEN.exec(line); match !== null; match = TOKEN.exec(line)) {
    const token = match[0];
    let end = match.index + token.length;
    out.push(line.slice(at, match.index));
    const styles = DELIMITERS.get(token);
    if (styles !== undefined) {
      const { opens, closes } = flanking(line, match.index, end);
      if (closes && open.has(token)) {
        close(token, styles);
      } else {
        if (opens) open.set(token, out.length);
        out.push(token);
      }
    } else if (token.startsWith('\\')) {
      out.push(token.slice(1));
    } else if (token.startsWith('`')) {
      end = codeEnds.get(match.index) ?? end;
      out.push(line.slice(match.index, end));
    } else if (token.endsWith('[')) {
      brackets.push({ piece: out.length, after: end });
      out.push(token);
    } else if (token.startsWith(']')) {
      const bracket = brackets.pop();
      const target = bracket && token === '](' ? readTarget(line, end, parentheses.get(end - 1)) : undefined;
      if (bracket !== undefined && target !== undefined) {
        const label = line.slice(bracket.after, match.index);
        out[bracket.piece] = '';
        out.push(label === '' ? target.url : isSame(label, target.url) ? '' : ` <${target.url}>`);
        end = target.end;
      } else {
        out.push(token);
      }
    } else {
      out.push(token);
    }
    at = end;
    TOKEN.lastIndex = end;
  }
  return out.join('') + line.slice(at);
}

/** Which spaces and letters stand around a delimiter decides what it can do (CommonMark §6.2, made stricter: `2**3**4` is a sum). */
function flanking(line: string, start: number, end: number): { readonly opens: boolean; readonly closes: boolean } {
  const before = line.slice(Math.max(0, start - 2), start);
  const after = line.slice(end, end + 2);
  const opens = /^\S/.test(after) && !isSpacedLetter(ENDS_IN_WORD.exec(before)?.[0]);
  const closes = /\S$/.test(before) && !(line[start] === '_' && STARTS_WORD.test(after));
  return { opens, closes };
}

const ENDS_IN_WORD = new RegExp(`[${WORD}]$`, 'u');
const STARTS_WORD = new RegExp(`^[${WORD}]`, 'u');
const UNSPACED_LETTER = new RegExp(`^[${UNSPACED}]$`, 'u');

/** In scripts without spaces emphasis begins within what looks like a word. */
function isSpacedLetter(letter: string | undefined): boolean {
  return letter !== undefined && !UNSPACED_LETTER.test(letter);
}

/** For each run of backticks that opens a code span (CommonMark §6.1: closed by the next run as long): where the span ends. */
function pairedRuns(line: string): Map<number, number> {
  const ends = new Map<number, number>();
  const nextEnd = new Map<number, number>();
  for (const run of [...line.matchAll(/`+/g)].toReversed()) {
    const length = run[0].length;
    const end = nextEnd.get(length);
    if (end !== undefined) ends.set(run.index, end);
    nextEnd.set(length, run.index + length);
  }
  return ends;
}

/** For each opening parenthesis that is closed: where. */
function pairedParentheses(line: string): Map<number, number> {
  const pairs = new Map<number, number>();
  const open: number[] = [];
  for (const { 0: char, index } of line.matchAll(/[()]/g)) {
    const opening = char === ')' ? open.pop() : void open.push(index);
    if (opening !== undefined) pairs.set(opening, index);
  }
  return pairs;
}

/** No target is longer: links nested in each other stay cheap. */
const MAX_TARGET_LENGTH = 2048;
const TARGET = /^(?:<([^<>\s]+)>|([^<>\s]+))(?:\s+(?:"[^"]*"|'[^']*'|\([^()]*\)))?\s*$/;

/** Reads what stands in a link's parentheses, `url "title"`: the URL, and where the link ends. */
function readTarget(
  line: string,
  start: number,
  close: number | undefined,
): { readonly url: string; readonly end: number } | undefined {
  if (close === undefined || close - start > MAX_TARGET_LENGTH) return undefined;
  const [, bracketed, bare] = TARGET.exec(line.slice(start, close)) ?? [];
  const url = bracketed ?? bare;
  return url === undefined ? undefined : { url, end: close + 1 };
}

/** Whether the label already says where the link leads. */
function isSame(label: string, url: string): boolean {
  return url === label || url === `mailto:${label}`;
}
