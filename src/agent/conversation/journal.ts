/**
 * The files of one conversation: a folder with `000001.jsonl`, `000002.jsonl` …, of which only the newest is written to.
 *
 * When a promise resolves, its lines are on disk. Lines that arrive during a write go out together in the next one. A new
 * file gets its name only when its first lines are complete, so that carried-over work is never missing.
 *
 * While the conversation has pending work, an empty marker file exists. It is created before the first line with pending
 * work and removed after the last is settled, so that after a crash only marked conversations need to be read.
 */
import { readdir, readFile, rename, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { makeFolder } from '../folder.js';
import { appendToFile, createFile, truncateFile, HistoryError, isMissing, syncFolder } from './disk.js';

/** The paths of a conversation's history. */
export interface JournalPaths {
  readonly folder: string;
  /** The file that exists while work is pending. */
  readonly marker: string;
}

/** The state on disk: number and length in bytes of the newest file (0 when there is none), and whether the marker exists. */
export interface JournalState {
  readonly file: number;
  readonly bytes: number;
  readonly marked: boolean;
}

interface Job {
  readonly file: number;
  readonly text: string;
  readonly pending: boolean;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** Appends to the newest file of a conversation. */
export class Journal {
  readonly #paths: JournalPaths;
  #file: number;
  #bytes: number;
  /** The length in bytes with which the newest file started. */
  #heading = 0;
  /** The newest file on the disk; it lags behind `#file` until that is written. */
  #existing: number;
  #marked: boolean;
  #jobs: Job[] = [];
  #working: Promise<void> | undefined;
  #refusal: HistoryError | undefined;

  constructor(paths: JournalPaths, state: JournalState) {
    this.#paths = paths;
    this.#file = state.file;
    this.#existing = state.file;
    this.#bytes = state.bytes;
    this.#marked = state.marked;
  }

  /** The number of the newest file; 0 when nothing was ever written. */
  get file(): number {
    return this.#file;
  }

  /** Whether the newest file has nothing in it. */
  get empty(): boolean {
    return this.#bytes === 0;
  }

  /** How many bytes were added to the newest file since it was started. */
  get bytesAdded(): number {
    return this.#bytes - this.#heading;
  }

  /** Why nothing more can be written: the journal is closed, or a write failed and memory and disk may differ. */
  get failure(): HistoryError | undefined {
    return this.#refusal;
  }

  /**
   * Appends lines to the newest file.
   *
   * @param pending whether the conversation has pending work after these lines
   * @throws HistoryError when they could not be written
   */
  append(lines: string, pending: boolean): Promise<void> {
    this.#bytes += Buffer.byteLength(lines);
    return this.#enqueue(lines, pending);
  }

  /** Starts the next file with these lines. They do not count as growth, or long ones would start a new file at once. */
  startFile(lines: string, pending: boolean): Promise<void> {
    this.#file += 1;
    this.#bytes = Buffer.byteLength(lines);
    this.#heading = this.#bytes;
    return this.#enqueue(lines, pending);
  }

  /** Resolves when all earlier lines are written; rejects when they could not be. */
  async settled(): Promise<void> {
    await this.#working;
    if (this.#refusal !== undefined) throw this.#refusal;
  }

  /** Rejects lines from now on, and waits for the write under way. */
  async close(): Promise<void> {
    this.#refusal ??= new HistoryError(`the history in ${this.#paths.folder} is closed`);
    await this.#working;
  }

  #enqueue(text: string, pending: boolean): Promise<void> {
    if (this.#refusal !== undefined) return Promise.reject(this.#refusal);
    return new Promise((resolve, reject) => {
      this.#jobs.push({ file: this.#file, text, pending, resolve, reject });
      this.#working ??= this.#work();
    });
  }

  async #work(): Promise<void> {
    let batch: readonly Job[] = [];
    try {
      while (this.#jobs.length > 0) {
        batch = this.#nextBatch();
        await this.#write(batch);
        for (const job of batch) job.resolve();
      }
    } catch (error) {
      const what = `cannot write the history in ${this.#paths.folder}; is the disk full, or was the folder removed?`;
      const broken = new HistoryError(what, { cause: error });
      this.#refusal = broken;
      for (const job of [...batch, ...this.#jobs]) job.reject(broken);
      this.#jobs = [];
    } finally {
      this.#working = undefined;
    }
  }

  /** Removes the waiting jobs for one file from the queue. */
  #nextBatch(): readonly Job[] {
    const file = this.#jobs[0]?.file;
    const end = this.#jobs.findIndex((job) => job.file !== file);
    return this.#jobs.splice(0, end === -1 ? this.#jobs.length : end);
  }

  async #write(batch: readonly Job[]): Promise<void> {
    const file = batch[0]?.file ?? this.#existing;
    const text = batch.map((job) => job.text).join('');
    if (!this.#marked && batch.some((job) => job.pending)) {
      await createFile(this.#paths.marker, '');
      await syncFolder(dirname(this.#paths.marker));
      this.#marked = true;
    }
    if (file === this.#existing) await appendToFile(journalFile(this.#paths, file), text);
    else await this.#create(file, text);
    if (this.#marked && batch.at(-1)?.pending === false) {
      await removeMarker(this.#paths);
      this.#marked = false;
    }
  }

  async #create(file: number, text: string): Promise<void> {
    const { folder } = this.#paths;
    const path = journalFile(this.#paths, file);
    if (this.#existing === 0) {
      await makeFolder(folder);
      await syncFolder(dirname(folder));
    }
    await createFile(`${path}.new`, text);
    await rename(`${path}.new`, path);
    await syncFolder(folder);
    this.#existing = file;
  }
}

/** The path of a conversation's file with this number. */
export function journalFile(paths: JournalPaths, file: number): string {
  return join(paths.folder, `${String(file).padStart(6, '0')}.jsonl`);
}

/**
 * The numbers of a conversation's files, newest first; empty when there is no such conversation.
 * @throws HistoryError when the folder cannot be listed
 */
export async function journalFiles(paths: JournalPaths): Promise<number[]> {
  const names = await readdir(paths.folder).catch((error: unknown) => {
    if (isMissing(error)) return [];
    throw new HistoryError(`cannot list the history in ${paths.folder}`, { cause: error });
  });
  const files = names.map((name) => Number(/^(\d{6,15})\.jsonl$/.exec(name)?.[1] ?? 0)).filter((file) => file > 0);
  return files.sort((a, b) => b - a);
}

/**
 * The lines of a file, its length in bytes, and whether a torn last line was dropped.
 *
 * A last line without its line feed was being written when the process or machine stopped; its promise never resolved.
 * With `repair`, the file gets the line feed when only that is missing, else the line is cut off, so that the next line
 * does not join it.
 *
 * @param isComplete whether a last line lacks only its line feed
 * @throws HistoryError when the file cannot be read or repaired
 */
export async function readJournalFile(
  path: string,
  { repair, isComplete }: { readonly repair: boolean; readonly isComplete: (line: string) => boolean },
): Promise<{ readonly lines: readonly string[]; readonly bytes: number; readonly torn: boolean }> {
  try {
    const data = await readFile(path);
    const end = data.lastIndexOf('\n') + 1;
    const lines = end === 0 ? [] : data.toString('utf8', 0, end - 1).split('\n');
    if (end === data.length) return { lines, bytes: end, torn: false };

    const rest = data.toString('utf8', end);
    if (isComplete(rest)) {
      if (repair) await appendToFile(path, '\n');
      return { lines: [...lines, rest], bytes: data.length + 1, torn: false };
    }
    if (repair) await truncateFile(path, end);
    return { lines, bytes: end, torn: true };
  } catch (error) {
    throw new HistoryError(`cannot read the history in ${path}`, { cause: error });
  }
}

/** Removes the marker, without a flush: if a crash brings it back, one conversation is read for nothing. */
export async function removeMarker(paths: JournalPaths): Promise<void> {
  await unlink(paths.marker).catch((error: unknown) => {
    if (!isMissing(error)) throw error;
  });
}
