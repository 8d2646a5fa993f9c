/**
 * Pictures on the disk, below the data directory and for the bot's eyes only: a file is named by its content, so that one that is sent
 * often is kept once. When they are too many, those that were not needed for the longest time go.
 */
import { createHash, randomUUID } from 'node:crypto';
import { chmod, mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isMissing } from '../conversation/disk.js';
import { StorageError } from '../file-storage.js';

export interface MediaStoreOptions {
  /** How much is kept in all, in bytes. */
  readonly maxBytes?: number;
}

const MAX_BYTES = 512 * 1024 * 1024;
const NAME = /^[0-9a-f]{64}\.[a-z0-9]{1,8}$/;

export class MediaStore {
  readonly #directory: string;
  readonly #maxBytes: number;
  /** Sizes by file name, the one that was needed last at the end. */
  readonly #sizes = new Map<string, number>();
  #total = 0;
  /** One change after another. */
  #changing: Promise<unknown> = Promise.resolve();

  private constructor(directory: string, maxBytes: number) {
    this.#directory = directory;
    this.#maxBytes = maxBytes;
  }

  /** Opens a folder, which is made when it is missing. @throws StorageError when it cannot be used */
  static async open(directory: string, { maxBytes = MAX_BYTES }: MediaStoreOptions = {}): Promise<MediaStore> {
    const store = new MediaStore(directory, maxBytes);
    try {
      await store.#look();
    } catch (error) {
      throw new StorageError(`cannot use ${directory}; is it a folder, and can this user write there?`, {
        cause: error,
      });
    }
    return store;
  }

  /** Learns what is there. */
  async #look(): Promise<void> {
    const directory = this.#directory;
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await chmod(directory, 0o700);
    const found: { name: string; size: number; mtimeMs: number }[] = [];
    for (const name of await readdir(directory)) {
      // What a crash left half-written has no name of its own yet.
      if (name.endsWith('.new')) await rm(join(directory, name), { force: true });
      if (!NAME.test(name)) continue;
      const { size, mtimeMs } = await stat(join(directory, name));
      found.push({ name, size, mtimeMs });
    }
    for (const { name, size } of found.sort((one, other) => one.mtimeMs - other.mtimeMs)) this.#count(name, size);
    await this.#makeRoom();
  }

  /** Keeps a content. @returns its name in the folder @throws what the file system says */
  keep(data: Uint8Array, extension: string): Promise<string> {
    const name = `${createHash('sha256').update(data).digest('hex')}.${extension}`;
    return this.#next(async () => {
      const path = join(this.#directory, name);
      if (!(await isTouched(path))) {
        const unfinished = join(this.#directory, `${randomUUID()}.new`);
        await writeFile(unfinished, data, { mode: 0o600 });
        await rename(unfinished, path);
      }
      this.#count(name, data.byteLength);
      await this.#makeRoom();
      return name;
    });
  }

  /** What was kept under a name; `undefined` when it is not there any more. @throws what the file system says */
  async load(name: string): Promise<Uint8Array | undefined> {
    // The name comes out of a file, and must not lead out of the folder.
    if (!NAME.test(name)) return undefined;
    try {
      return await readFile(join(this.#directory, name));
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  #count(name: string, size: number): void {
    this.#total += size - (this.#sizes.get(name) ?? 0);
    this.#sizes.delete(name);
    this.#sizes.set(name, size);
  }

  async #makeRoom(): Promise<void> {
    for (const [name, size] of this.#sizes) {
      if (this.#total <= this.#maxBytes) return;
      await rm(join(this.#directory, name), { force: true });
      this.#sizes.delete(name);
      this.#total -= size;
    }
  }

  #next<Result>(change: () => Promise<Result>): Promise<Result> {
    const done = this.#changing.then(change);
    this.#changing = done.catch(() => undefined);
    return done;
  }
}

/** Marks a file as needed now. @returns whether it is there */
async function isTouched(path: string): Promise<boolean> {
  const now = new Date();
  try {
    await utimes(path, now, now);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}
