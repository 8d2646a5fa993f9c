/** Collects findings with their positions. */
import type { Finding } from './finding.js';
import type { Path, Position, TomlDocument } from './toml-document.js';

/** The findings in one document. */
export class Report {
  readonly #file: string;
  readonly #document: TomlDocument;
  readonly #findings: Finding[] = [];
  readonly #invalid = new Set<string>();
  readonly #fromEnvironment = new Set<string>();

  constructor(file: string, document: TomlDocument) {
    this.#file = file;
    this.#document = document;
  }

  /** The findings in file order. */
  get findings(): readonly Finding[] {
    return this.#findings.toSorted((a, b) => a.line - b.line || a.column - b.column);
  }

  get hasErrors(): boolean {
    return this.#findings.some(({ severity }) => severity === 'error');
  }

  /** Reports an error at the value, or at the table that lacks it. */
  error(path: Path, message: string): void {
    this.add('error', path, message);
  }

  /** Reports a warning at the value, or at the table that lacks it. */
  warning(path: Path, message: string): void {
    this.add('warning', path, message);
  }

  /** Like `error` or `warning`. */
  add(severity: Finding['severity'], path: Path, message: string): void {
    if (!this.#invalid.has(pathKey(path))) this.#addAt(severity, this.#document.positionOf(path), message);
  }

  /** Reports an error at the key itself: an unknown key, or an invalid room JID. */
  errorAtKey(path: Path, message: string): void {
    this.#addAt('error', this.#document.positionOfKey(path), message);
  }

  /** Marks a value that contains an environment variable: no message may quote it. */
  markFromEnvironment(path: Path): void {
    this.#fromEnvironment.add(pathKey(path));
  }

  /** Whether a value contains an environment variable. */
  isFromEnvironment(path: Path): boolean {
    return this.#fromEnvironment.has(pathKey(path));
  }

  /** Reports an error and suppresses later findings about the value. */
  invalidate(path: Path, message: string): void {
    this.error(path, message);
    this.#invalid.add(pathKey(path));
  }

  #addAt(severity: Finding['severity'], { line, column }: Position, message: string): void {
    this.#findings.push({ severity, file: this.#file, line, column, message });
  }
}

function pathKey(path: Path): string {
  return path.map(String).join('\0');
}

/** The name of a setting in messages: its key, or the array's key for an element. */
export function settingName(path: Path): string {
  return path.findLast((part) => typeof part === 'string') ?? 'the file';
}
