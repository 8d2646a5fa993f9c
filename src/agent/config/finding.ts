/** What is wrong with a configuration file, and where. */
export interface Finding {
  /** An error keeps the bot from starting; a warning does not. */
  readonly severity: 'error' | 'warning';
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1, in UTF-16 code units. */
  readonly column: number;
  /** Says what is wrong and what would be right. Never quotes a secret, nor anything that came from the environment. */
  readonly message: string;
}

/** One line for people and editors: `moltis.toml:12:9: message`; a warning's message begins with `warning: `. */
export function formatFinding(finding: Finding): string {
  const prefix = finding.severity === 'warning' ? 'warning: ' : '';
  return `${finding.file}:${finding.line}:${finding.column}: ${prefix}${finding.message}`;
}
