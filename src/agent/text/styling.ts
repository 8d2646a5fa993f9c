/**
 * XEP-0393 Message Styling, 1.1.1, from the Markdown that models write: what a styling client shows well and a plain one leaves readable.
 *
 * Left out, that is, left as it stands: headings underlined on the next line, emphasis across lines, reference links, footnotes, HTML,
 * formulas.
 */
import { closesFence, type Fence, readFence } from './fence.js';
import { styleSpans } from './styling-spans.js';
import { beginsTable, isTableRow, styleTableHeader, styleTableRow } from './styling-tables.js';

/**
 * Rewrites Markdown as message styling. Code, in blocks and in lines, stays untouched. The result is never longer than the text, in code
 * points, so a text that was cut to a limit stays within it. Line by line, in linear time.
 */
export function toMessageStyling(markdown: string): string {
  const out: string[] = [];
  let code: { readonly fence: Fence; readonly quote: string } | undefined;
  let table: TablePart | undefined;
  const lines = markdown.split('\n');
  for (const [index, line] of lines.entries()) {
    const [quote] = code?.quote === '' ? [''] : (QUOTE.exec(line) ?? ['']);
    // XEP-0393 §5.1.2: a block of code ends with the quotation around it.
    if (code !== undefined && code.quote !== '' && quote === '') code = undefined;
    const content = line.slice(quote.length);
    const opening = code === undefined ? readFence(content) : undefined;
    table =
      code === undefined && opening === undefined ? tablePart(table, content, lines[index + 1], quote) : undefined;
    if (code !== undefined) {
      const closes = closesFence(code.fence, content);
      out.push(quote + (closes ? fenceLine(content, code.fence) : outdented(content, code.fence)));
      if (closes) code = undefined;
    } else if (opening !== undefined) {
      code = { fence: opening, quote };
      out.push(quote + fenceLine(content, opening));
    } else if (table === 'header') {
      out.push(quote + styleTableHeader(content));
    } else if (table === 'rows') {
      out.push(quote + styleTableRow(content));
    } else if (table === undefined) {
      out.push(quote + styleLine(content));
    }
  }
  return out.join('\n');
}

type TablePart = 'header' | 'hyphens' | 'rows';

/** Which part of a table a line is, after one that was `before`. */
function tablePart(
  before: TablePart | undefined,
  line: string,
  next: string | undefined,
  quote: string,
): TablePart | undefined {
  if (before === 'header') return 'hyphens';
  if (before !== undefined && isTableRow(line)) return 'rows';
  const inQuote = next?.startsWith(quote) === true ? next.slice(quote.length) : undefined;
  return beginsTable(line, inQuote) ? 'header' : undefined;
}

const QUOTE = /^(?: {0,3}>)+ ?/;

/**
 * XEP-0393 §5.1.2 knows a fence only at the start of the line, only of backticks, and closed by three of them alone. It lets words follow
 * the first, to be ignored; but converse.js takes such a line for no fence, and styles what is in the code. So a language goes.
 */
function fenceLine(line: string, { marker }: Fence): string {
  const own = line.trim().replace(LANGUAGE, '$1');
  return marker === '~~~' && own.startsWith('~~~') ? own.replace(/^~+/, '```') : own;
}

const LANGUAGE = /^(`{3,}|~{3,})[ \t]*[\w.+#:/-]+$/;

/** Without the indentation that the fence had (CommonMark §4.5). */
function outdented(line: string, { indent }: Fence): string {
  return line.startsWith(indent) ? line.slice(indent.length) : line;
}

const HEADING = /^ {0,3}#{1,6}[ \t]+/;
const RULE = /^ {0,3}(?:(?:\*[ \t]*){3,}|(?:_[ \t]*){3,}|(?:-[ \t]*){3,})$/;
const ITEM = /^([ \t]*)[-*+][ \t]+(?:\[([ xX])\][ \t]+)?/;

function styleLine(line: string): string {
  if (RULE.test(line)) return '---';
  const heading = HEADING.exec(line)?.[0];
  if (heading !== undefined) return styleHeading(line.slice(heading.length));
  const [prefix = '', indent = '', box] = ITEM.exec(line) ?? [];
  const bullet = prefix === '' ? '' : `${indent}${box === undefined ? '•' : box === ' ' ? '☐' : '☑'} `;
  return bullet + styleSpans(line.slice(prefix.length));
}

/** A heading is a strong line; what is strong in it needs no asterisks of its own. */
function styleHeading(line: string): string {
  const title = styleSpans(withoutClosingHashes(line), { strong: '' });
  return title === '' ? '' : `*${title}*`;
}

/** `## Title ##` (CommonMark §4.2): the hashes at the end count only after a space. */
function withoutClosingHashes(line: string): string {
  const title = line.trimEnd();
  let end = title.length;
  while (title[end - 1] === '#') end -= 1;
  return /^$|\s$/.test(title.slice(0, end).slice(-1)) ? title.slice(0, end).trimEnd() : title;
}
