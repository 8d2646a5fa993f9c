/** Code fences (CommonMark §4.5): the lines around a block of code. Any indentation is let pass, for models put code into lists. */

/** An open code block. */
export interface Fence {
  /** The line that opens the block, with its language. */
  readonly header: string;
  /** What stands before the fence. */
  readonly indent: string;
  /** The run of backticks or tildes. */
  readonly marker: string;
}

/** Reads the line that opens a code block. */
export function readFence(line: string): Fence | undefined {
  const header = line.trimEnd();
  const [, indent = '', marker = '', info = ''] = /^(\s*)(`{3,}|~{3,})(.*)$/.exec(header) ?? [];
  if (marker === '') return undefined;
  // After backticks, a further one makes the line a code span.
  if (marker.startsWith('`') && info.includes('`')) return undefined;
  return { header, indent, marker };
}

/** Whether the line closes the block: a run of the same character, no shorter, and nothing else. */
export function closesFence({ marker }: Fence, line: string): boolean {
  const run = line.trim();
  return run.length >= marker.length && run === marker.charAt(0).repeat(run.length);
}
