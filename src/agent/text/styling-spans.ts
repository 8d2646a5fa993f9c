/** Converts the spans of one line, Markdown's emphasis, links and escapes, to XEP-0393 §5.2. */
import { UNSPACED, WORD } from './word-boundaries.js';

/** Markdown's delimiters, and the replacements of the opening and closing one. */
const DELIMITERS = new Map<string, readonly [opening: string, closing: string]>([
  ['**', ['*', '*']],
  ['__', ['*', '*']],
  ['*', ['_', '_']],
  ['_', ['_', '_']],
  ['***', ['*_', '_*']],
  ['___', ['*_', '_*']],
  ['~~', ['~', '~']],
]);

/** Escapes, code, bare and bracketed links, emphasis. Everything between is text. */
const TOKEN =
  /\\[*_~`#+\-.!>|]|`+|<[a-z][a-z0-9+.-]*:[^\s<>]*>|\b[a-z]{1,12}:\/\/[^\s<>()[\]*`"]*[^\s<>()[\]*`"_~.,:;!?]|!?\[|\](?:\()?|\*+|_+|~+/giu;

/** Options of `styleSpans`. */
export interface SpanOptions {
  /** The directive for strong text: `*`, or `''` where the whole line is strong already. Default: `*`. */
  readonly strong?: '*' | '';
}

/** Converts one line of Markdown, without its block prefix. The result is never longer; linear time. */
export function styleSpans(line: string, { strong = '*' }: SpanOptions = {}): string {
  /** The pieces of the result, in order; a delimiter stays unchanged until its partner is found. */
  const out: string[] = [];
  /** The last open delimiter of each kind, as an index into `out`. */
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
    // Delimiters opened in between have no partner.
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

/** Whether a delimiter can open or close emphasis, by the characters around it (CommonMark §6.2, but stricter: `2**3**4` is arithmetic). */
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

/** Whether a letter belongs to a script with spaces; in others, emphasis may start between letters. */
function isSpacedLetter(letter: string | undefined): boolean {
  return letter !== undefined && !UNSPACED_LETTER.test(letter);
}

/** Maps each run of backticks that opens a code span (CommonMark §6.1: closed by the next run of equal length) to the span's end. */
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

/** Maps each opening parenthesis to its closing one. */
function pairedParentheses(line: string): Map<number, number> {
  const pairs = new Map<number, number>();
  const open: number[] = [];
  for (const { 0: char, index } of line.matchAll(/[()]/g)) {
    const opening = char === ')' ? open.pop() : void open.push(index);
    if (opening !== undefined) pairs.set(opening, index);
  }
  return pairs;
}

/** The maximum length of a target, so that nested links stay cheap. */
const MAX_TARGET_LENGTH = 2048;
const TARGET = /^(?:<([^<>\s]+)>|([^<>\s]+))(?:\s+(?:"[^"]*"|'[^']*'|\([^()]*\)))?\s*$/;

/** Reads the content of a link's parentheses, `url "title"`. Returns the URL, and the end of the link. */
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

/** Whether the label already shows the URL. */
function isSame(label: string, url: string): boolean {
  return url === label || url === `mailto:${label}`;
}
