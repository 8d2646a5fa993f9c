/** How an element that was said is written in a scenario: as it was, in one line while it is short. */

/** The width of a page, without what marks a step. */
const WIDTH = 140;
const TAG_OR_TEXT = /<[^>"']*(?:"[^"]*"[^>"']*|'[^']*'[^>"']*)*>|[^<]+/g;

interface Piece {
  readonly open: string;
  readonly content: readonly (Piece | string)[];
  readonly close: string;
}

/**
 * Breaks a long element between the tags of its children, never beside a text.
 * @param xml one item of a stream, without line breaks for its looks
 */
export function layOut(xml: string): string {
  const pieces = xml.match(TAG_OR_TEXT) ?? [];
  // A line break in a text would be taken for one of the layout's.
  const safe = pieces.map((piece) => (piece.startsWith('<') ? piece : piece.replaceAll('\n', '&#10;')));
  return lines(read(safe), '').join('\n');
}

function lines(content: Piece['content'], indent: string): readonly string[] {
  return content.flatMap((part) => {
    const whole = flat(part);
    if (typeof part === 'string' || indent.length + whole.length <= WIDTH) return [indent + whole];
    const hasText = part.content.some((child) => typeof child === 'string');
    if (hasText || part.content.length === 0) return [indent + whole];
    return [indent + part.open, ...lines(part.content, `${indent}  `), indent + part.close];
  });
}

function flat(part: Piece | string): string {
  return typeof part === 'string' ? part : part.open + part.content.map(flat).join('') + part.close;
}

/** Sorts tags and texts into elements. What is not closed, such as the head of a stream, stays a single line. */
function read(pieces: readonly string[]): Piece['content'] {
  const levels: { open: string; content: (Piece | string)[] }[] = [{ open: '', content: [] }];
  const top = (): (Piece | string)[] => levels.at(-1)?.content ?? [];
  for (const piece of pieces) {
    if (piece.startsWith('</') && levels.length > 1) {
      const done = levels.pop();
      if (done !== undefined) top().push({ ...done, close: piece });
    } else if (/^<[^/?!]/.test(piece) && !piece.endsWith('/>')) {
      levels.push({ open: piece, content: [] });
    } else {
      const isTag = piece.startsWith('<');
      top().push(isTag ? { open: piece, content: [], close: '' } : piece);
    }
  }
  // Those that were opened and not closed again.
  for (const { open, content } of levels.splice(1)) top().push({ open, content, close: '' });
  return levels[0]?.content ?? [];
}
