/** Code fences (CommonMark §4.5). Any indentation is allowed, because models put code into lists. */

/** An open code block. */
export interface Fence {
  /** The line that opens the block, with its language. */
  readonly header: string;
  /** The white space before the fence. */
  readonly indent: string;
  /** The run of backticks or tildes. */
  readonly marker: string;
}

/** Reads the line that opens a code block; `undefined` for any other line. */
export function readFence(line: string): Fence | undefined {
  const header = line.trimEnd();
  const [, indent = '', marker = '', info = ''] = /^(\s*)(`{3,}|~{3,})(.*)$/.exec(header) ?? [];
  if (marker === '') return undefined;
  // A further backtick makes the line a code span.
  if (marker.startsWith('`') && info.includes('`')) return undefined;
  return { header, indent, marker };
}

/** Whether the line closes the block: only a run of the same character, at least as long. */
export function closesFence({ marker }: Fence, line: string): boolean {
  const run = line.trim();
  return run.length >= marker.length && run === marker.charAt(0).repeat(run.length);
}
