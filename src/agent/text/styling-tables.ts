/** Tables of Markdown (GFM §4.10) as lines: no columns, for most fonts have none, but no more signs than it takes to tell the cells apart. */
import { styleSpans } from './styling-spans.js';

const HYPHENS = /^\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?$/;

/** Whether a table begins: a row of names, and under it as many rows of hyphens. */
export function beginsTable(line: string, next: string | undefined): boolean {
  if (next === undefined || !isTableRow(line) || !next.includes('|') || !HYPHENS.test(next.trim())) return false;
  return cells(line).length === cells(next).length;
}

/** Whether a table goes on with this line. */
export function isTableRow(line: string): boolean {
  return line.includes('|') && line.trim() !== '|';
}

/** The names of the columns, each strong. With the row of hyphens, which is left out, it is no longer than what it comes from. */
export function styleTableHeader(line: string): string {
  return cells(line)
    .map((cell) => {
      const name = cell.trim();
      return name === '' ? cell : cell.replace(name, () => `*${styleSpans(name, { strong: '' })}*`);
    })
    .join('|')
    .trim();
}

/** A row without the lines around it. */
export function styleTableRow(line: string): string {
  return styleSpans(withoutBorder(line).trim());
}

/** A row is what stands between its pipes; one with a backslash before it belongs to the text. */
function cells(line: string): string[] {
  return withoutBorder(line).split(/(?<!\\)\|/);
}

function withoutBorder(line: string): string {
  return line
    .trim()
    .replace(/^\|/, '')
    .replace(/(?<!\\)\|$/, '');
}
