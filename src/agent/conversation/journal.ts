/**
 * The files of one conversation: a folder with `000001.jsonl`, `000002.jsonl` …, of which only the newest is written to.
 *
 * What a promise says is written has reached the disk. Whatever comes while a write is under way goes out together in the
 * next one. A new file appears under its name only when its first lines are complete, so that it never lacks what is owed.
 *
 * While something is owed in the conversation, an empty file, the mark, says so. It is there before the first line that
 * owes and goes after the last that settles, so that after a crash only the marked conversations need to be looked at.
 */
import { readdir, readFile, rename, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { makeFolder } from '../folder.js';
import { appendToFile, createFile, cutFile, HistoryError, isMissing, syncFolder } from './disk.js';

/** Where a conversation's history lies. */
export interface JournalPlace {
  readonly folder: string;
  readonly mark: string;
}

/** What is on the disk: the number and the length of the newest file (0 when there is none), and whether the mark is there. */
export interface JournalState {
  readonly file: number;
  readonly bytes: number;
  readonly marked: boolean;
}

interface Job {
  readonly file: number;
  readonly text: string;
  readonly owes: boolean;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** Appends to the newest file of a conversation. */
export class Journal {
  readonly #place: JournalPlace;
  #file: number;
  #bytes: number;
  /** How long the newest file was when it was begun. */
  #heading = 0;
  /** The newest file on the disk; it lags behind `#file` until that is written. */
  #existing: number;
  #marked: boolean;
  #jobs: Job[] = [];
  #working: Promise<void> | undefined;
  #refusal: HistoryError | undefined;

  constructor(place: JournalPlace, state: JournalState) {
    this.#place = place;
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

  /** What was added to the newest file since it was begun, in bytes. */
  get grown(): number {
    return this.#bytes - this.#heading;
  }

  /** Why nothing can be written any more: it is closed, or a write has failed and memory and disk may differ. */
  get refusal(): HistoryError | undefined {
    return this.#refusal;
  }

  /**
   * Adds lines to the newest file.
   *
   * @param owes whether something is owed in the conversation after these lines
   * @throws HistoryError when they could not be written down
   */
  append(lines: string, owes: boolean): Promise<void> {
    this.#bytes += Buffer.byteLength(lines);
    return this.#enqueue(lines, owes);
  }

  /** Begins the next file with these lines, which do not count as growth: however long they are, the file gets its share. */
  begin(lines: string, owes: boolean): Promise<void> {
    this.#file += 1;
    this.#bytes = Buffer.byteLength(lines);
    this.#heading = this.#bytes;
    return this.#enqueue(lines, owes);
  }

  /** Resolves when all that was given before has been written; rejects when it could not be. */
  async settled(): Promise<void> {
    await this.#working;
    if (this.#refusal !== undefined) throw this.#refusal;
  }

  /** Refuses what comes from now on, and waits for what is under way. */
  async close(): Promise<void> {
    this.#refusal ??= new HistoryError(`the history in ${this.#place.folder} is closed`);
    await this.#working;
  }

  #enqueue(text: string, owes: boolean): Promise<void> {
    if (this.#refusal !== undefined) return Promise.reject(this.#refusal);
    return new Promise((resolve, reject) => {
      this.#jobs.push({ file: this.#file, text, owes, resolve, reject });
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
      const what = `cannot write the history in ${this.#place.folder}; is the disk full, or was the folder removed?`;
      const broken = new HistoryError(what, { cause: error });
      this.#refusal = broken;
      for (const job of [...batch, ...this.#jobs]) job.reject(broken);
      this.#jobs = [];
    } finally {
      this.#working = undefined;
    }
  }

  /** Takes the waiting jobs for one file. */
  #nextBatch(): readonly Job[] {
    const file = this.#jobs[0]?.file;
    const end = this.#jobs.findIndex((job) => job.file !== file);
    return this.#jobs.splice(0, end === -1 ? this.#jobs.length : end);
  }

  async #write(batch: readonly Job[]): Promise<void> {
    const file = batch[0]?.file ?? this.#existing;
    const text = batch.map((job) => job.text).join('');
    if (!this.#marked && batch.some((job) => job.owes)) {
      await createFile(this.#place.mark, '');
      await syncFolder(dirname(this.#place.mark));
      this.#marked = true;
    }
    if (file === this.#existing) await appendToFile(journalFile(this.#place, file), text);
    else await this.#create(file, text);
    if (this.#marked && batch.at(-1)?.owes === false) {
      await removeMark(this.#place);
      this.#marked = false;
    }
  }

  async #create(file: number, text: string): Promise<void> {
    const { folder } = this.#place;
    const path = journalFile(this.#place, file);
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

export function journalFile(place: JournalPlace, file: number): string {
  return join(place.folder, `${String(file).padStart(6, '0')}.jsonl`);
}

/** The numbers of a conversation's files, newest first; none when there is no such conversation. */
export async function journalFiles(place: JournalPlace): Promise<number[]> {
  const names = await readdir(place.folder).catch((error: unknown) => {
    if (isMissing(error)) return [];
    throw new HistoryError(`cannot list the history in ${place.folder}`, { cause: error });
  });
  const files = names.map((name) => Number(/^(\d{6,15})\.jsonl$/.exec(name)?.[1] ?? 0)).filter((file) => file > 0);
  return files.sort((a, b) => b - a);
}

/**
 * The lines of a file, and its length in bytes.
 *
 * A last line without its line feed was being written when the process or the machine stopped, and nobody was told that
 * it is safe. With `repair` it is completed when only the line feed is missing, else cut off, in the file as well: the
 * next line must not be glued to it.
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
    if (repair) await cutFile(path, end);
    return { lines, bytes: end, torn: true };
  } catch (error) {
    throw new HistoryError(`cannot read the history in ${path}`, { cause: error });
  }
}

/** Takes the mark away. Should a crash bring it back, one conversation is looked at for nothing. */
export async function removeMark(place: JournalPlace): Promise<void> {
  await unlink(place.mark).catch((error: unknown) => {
    if (!isMissing(error)) throw error;
  });
}
