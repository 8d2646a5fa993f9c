/** Converts Markdown tables (GFM §4.10) to plain lines: columns are not aligned, as most clients use proportional fonts. */
import { styleSpans } from './styling-spans.js';

const HYPHENS = /^\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?$/;

/** Whether a table begins: a header row, and below it a delimiter row with as many cells. */
export function beginsTable(line: string, next: string | undefined): boolean {
  if (next === undefined || !isTableRow(line) || !next.includes('|') || !HYPHENS.test(next.trim())) return false;
  return cells(line).length === cells(next).length;
}

/** Whether a line continues a table. */
export function isTableRow(line: string): boolean {
  return line.includes('|') && line.trim() !== '|';
}

/** Converts the header row: each name is strong. The dropped delimiter row makes up for the added asterisks. */
export function styleTableHeader(line: string): string {
  return cells(line)
    .map((cell) => {
      const name = cell.trim();
      return name === '' ? cell : cell.replace(name, () => `*${styleSpans(name, { strong: '' })}*`);
    })
    .join('|')
    .trim();
}

/** Converts a row: removes its outer pipes. */
export function styleTableRow(line: string): string {
  return styleSpans(withoutBorder(line).trim());
}

/** Splits a row at its pipes; an escaped pipe is text. */
function cells(line: string): string[] {
  return withoutBorder(line).split(/(?<!\\)\|/);
}

function withoutBorder(line: string): string {
  return line
    .trim()
    .replace(/^\|/, '')
    .replace(/(?<!\\)\|$/, '');
}
