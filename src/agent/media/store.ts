/**
 * Stores pictures in the data directory, readable by the bot only. A file is named by the hash of its content, so that each picture
 * is stored once. Over the size limit, the least recently used ones are deleted.
 */
import { createHash, randomUUID } from 'node:crypto';
import { chmod, mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isMissing } from '../conversation/disk.js';
import { StorageError } from '../file-storage.js';
import { Serial } from '../serial.js';

/** Options of a `MediaStore`. */
export interface MediaStoreOptions {
  /** The maximum total size, in bytes. Default: 512 MiB. */
  readonly maxBytes?: number;
}

const MAX_BYTES = 512 * 1024 * 1024;
const NAME = /^[0-9a-f]{64}\.[a-z0-9]{1,8}$/;

/** The pictures in a folder. */
export class MediaStore {
  readonly #directory: string;
  readonly #maxBytes: number;
  /** Sizes by file name, most recently used last. */
  readonly #sizes = new Map<string, number>();
  #total = 0;
  /** One change of the folder at a time. */
  readonly #changes = new Serial();
  #isClosed = false;

  private constructor(directory: string, maxBytes: number) {
    this.#directory = directory;
    this.#maxBytes = maxBytes;
  }

  /** Opens a folder, which is created if missing. @throws StorageError when it cannot be used */
  static async open(directory: string, { maxBytes = MAX_BYTES }: MediaStoreOptions = {}): Promise<MediaStore> {
    const store = new MediaStore(directory, maxBytes);
    try {
      await store.#scan();
    } catch (error) {
      throw new StorageError(`cannot use ${directory}; is it a folder, and can this user write there?`, {
        cause: error,
      });
    }
    return store;
  }

  /** Reads the sizes of the stored files and removes incomplete ones. */
  async #scan(): Promise<void> {
    const directory = this.#directory;
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await chmod(directory, 0o700);
    const found: { name: string; size: number; mtimeMs: number }[] = [];
    for (const name of await readdir(directory)) {
      // Left incomplete by a crash.
      if (name.endsWith('.new')) await rm(join(directory, name), { force: true });
      if (!NAME.test(name)) continue;
      const { size, mtimeMs } = await stat(join(directory, name));
      found.push({ name, size, mtimeMs });
    }
    for (const { name, size } of found.sort((one, other) => one.mtimeMs - other.mtimeMs)) this.#count(name, size);
    await this.#makeRoom();
  }

  /** Saves a picture. @returns its name in the folder @throws the error of the file system; StorageError after `close` */
  async save(data: Uint8Array, extension: string): Promise<string> {
    if (this.#isClosed) throw new StorageError(`${this.#directory} is closed, so a picture was not saved`);
    const name = `${createHash('sha256').update(data).digest('hex')}.${extension}`;
    return this.#changes.run(async () => {
      const path = join(this.#directory, name);
      if (!(await touch(path))) {
        const unfinished = join(this.#directory, `${randomUUID()}.new`);
        await writeFile(unfinished, data, { mode: 0o600 });
        await rename(unfinished, path);
      }
      this.#count(name, data.byteLength);
      await this.#makeRoom();
      return name;
    });
  }

  /** Loads a picture; `undefined` when it is not stored any more. @throws the error of the file system */
  async load(name: string): Promise<Uint8Array | undefined> {
    // The name comes from a history file and must not lead out of the folder.
    if (!NAME.test(name)) return undefined;
    try {
      return await readFile(join(this.#directory, name));
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  /** Ends the last change of the folder. Nothing is changed after it: another process may use the folder then. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#changes.settled();
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
}

/** Marks a file as used now. @returns whether it exists */
async function touch(path: string): Promise<boolean> {
  const now = new Date();
  try {
    await utimes(path, now, now);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}
