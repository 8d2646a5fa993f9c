/**
 * Converts the Markdown of models to XEP-0393 Message Styling, 1.1.1, which is also readable in clients without styling.
 *
 * Not converted: headings underlined on the next line, emphasis across lines, reference links, footnotes, HTML, formulas.
 */
import { closesFence, type Fence, readFence } from './fence.js';
import { styleSpans } from './styling-spans.js';
import { beginsTable, isTableRow, styleTableHeader, styleTableRow } from './styling-tables.js';

/**
 * Converts Markdown to message styling, line by line, in linear time. Code blocks and spans stay untouched. The result never has more
 * code points than the text, so a text that was cut to a limit stays within it.
 */
export function toMessageStyling(markdown: string): string {
  const out: string[] = [];
  let code: { readonly fence: Fence; readonly quote: string } | undefined;
  let table: TablePart | undefined;
  const lines = markdown.split('\n');
  for (const [index, line] of lines.entries()) {
    const [quote] = code?.quote === '' ? [''] : (QUOTE.exec(line) ?? ['']);
    // XEP-0393 §5.1.2: a code block ends with the quotation around it.
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

/** The part of a table that a line is, after a line that was `before`. */
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
 * XEP-0393 §5.1.2 allows a fence only at the start of the line, only of backticks, and closed by exactly three. It ignores text after the
 * opening fence, but converse.js does not recognise such a line as a fence and styles the code. So the language is removed.
 */
function fenceLine(line: string, { marker }: Fence): string {
  const own = line.trim().replace(LANGUAGE, '$1');
  return marker === '~~~' && own.startsWith('~~~') ? own.replace(/^~+/, '```') : own;
}

const LANGUAGE = /^(`{3,}|~{3,})[ \t]*[\w.+#:/-]+$/;

/** Removes the indentation of the fence (CommonMark §4.5). */
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

/** A heading becomes a strong line; strong text in it gets no asterisks of its own. */
function styleHeading(line: string): string {
  const title = styleSpans(withoutClosingHashes(line), { strong: '' });
  return title === '' ? '' : `*${title}*`;
}

/** Removes the closing hashes of `## Title ##` (CommonMark §4.2), which count only after a space. */
function withoutClosingHashes(line: string): string {
  const title = line.trimEnd();
  let end = title.length;
  while (title[end - 1] === '#') end -= 1;
  return /^$|\s$/.test(title.slice(0, end).slice(-1)) ? title.slice(0, end).trimEnd() : title;
}
