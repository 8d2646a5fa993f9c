/** Collects findings, each with its position. */
import type { Finding } from './finding.js';
import type { Path, Position, TomlDocument } from './toml-document.js';

/** What was found in one document so far. */
export class Report {
  readonly #file: string;
  readonly #document: TomlDocument;
  readonly #findings: Finding[] = [];
  readonly #spoilt = new Set<string>();
  readonly #fromEnvironment = new Set<string>();

  constructor(file: string, document: TomlDocument) {
    this.#file = file;
    this.#document = document;
  }

  /** In the order of the file. */
  get findings(): readonly Finding[] {
    return this.#findings.toSorted((a, b) => a.line - b.line || a.column - b.column);
  }

  get hasErrors(): boolean {
    return this.#findings.some(({ severity }) => severity === 'error');
  }

  /** At the value, or at the table that lacks it. */
  error(path: Path, message: string): void {
    this.add('error', path, message);
  }

  /** At the value, or at the table that lacks it. */
  warning(path: Path, message: string): void {
    this.add('warning', path, message);
  }

  /** As `error` or `warning`, by what is found out. */
  add(severity: Finding['severity'], path: Path, message: string): void {
    if (!this.#spoilt.has(pathKey(path))) this.#put(severity, this.#document.positionOf(path), message);
  }

  /** At the key itself: an unknown one, or one that is no room. */
  errorAtKey(path: Path, message: string): void {
    this.#put('error', this.#document.positionOfKey(path), message);
  }

  /** Notes that the value holds what came from the environment: no message may quote it. */
  markFromEnvironment(path: Path): void {
    this.#fromEnvironment.add(pathKey(path));
  }

  isFromEnvironment(path: Path): boolean {
    return this.#fromEnvironment.has(pathKey(path));
  }

  /** An error after which nothing more can be said about the value. */
  invalidate(path: Path, message: string): void {
    this.error(path, message);
    this.#spoilt.add(pathKey(path));
  }

  #put(severity: Finding['severity'], { line, column }: Position, message: string): void {
    this.#findings.push({ severity, file: this.#file, line, column, message });
  }
}

function pathKey(path: Path): string {
  return path.map(String).join('\0');
}

/** What a message calls the value: its key, or of an array's element the array's key. */
export function settingName(path: Path): string {
  return path.findLast((part) => typeof part === 'string') ?? 'the file';
}
