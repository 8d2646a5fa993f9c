/** A problem in a configuration file, with its position. */
export interface Finding {
  /** An error keeps the bot from starting; a warning does not. */
  readonly severity: 'error' | 'warning';
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1, in UTF-16 code units. */
  readonly column: number;
  /** What is wrong and what would be right. Never quotes a secret or a value from the environment. */
  readonly message: string;
}

/** Formats a finding as one line for people and editors: `moltis.toml:12:9: message`, with `warning: ` before a warning's message. */
export function formatFinding(finding: Finding): string {
  const prefix = finding.severity === 'warning' ? 'warning: ' : '';
  return `${finding.file}:${finding.line}:${finding.column}: ${prefix}${finding.message}`;
}
