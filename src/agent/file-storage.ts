/** A `Storage` in one file, readable by its owner only. */
import { chmod, open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import type { Storage } from '../xmpp-core/storage.js';
import { makeFolder } from './folder.js';
import { Serial } from './serial.js';

const schema = z.record(z.string(), z.string());

/** A storage file or folder could not be read or written. */
export class StorageError extends Error {
  override readonly name = 'StorageError';
}

/** A `Storage` that can be closed. */
export class FileStorage implements Storage {
  readonly #path: string;
  readonly #values: Map<string, string>;
  readonly #writes = new Serial();
  /** A write that has not begun: it will have all values that are set until then. */
  #nextWrite: Promise<void> | undefined;
  #isClosed = false;

  private constructor(path: string, values: Map<string, string>) {
    this.#path = path;
    this.#values = values;
  }

  /**
   * Opens a file of keys and values; a missing one is created at the first write (folder 0700, file 0600).
   * @throws StorageError when it exists and cannot be read
   */
  static async open(path: string): Promise<FileStorage> {
    return new FileStorage(path, new Map(Object.entries(await load(path))));
  }

  async get(key: string): Promise<string | undefined> {
    return this.#values.get(key);
  }

  /** @returns when the value is on the disk @throws StorageError when it cannot be written, or after `close` */
  async set(key: string, value: string | undefined): Promise<void> {
    if (this.#isClosed) throw new StorageError(`${this.#path} is closed, so '${key}' was not saved`);
    if (value === undefined) this.#values.delete(key);
    else this.#values.set(key, value);
    this.#nextWrite ??= this.#writes.run(() => {
      this.#nextWrite = undefined;
      return save(this.#path, this.#values);
    });
    await this.#nextWrite;
  }

  /** Ends the last write. Nothing is written after it: another process may use the file then. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#writes.settled();
  }
}

async function load(path: string): Promise<Record<string, string>> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return {};
    throw new StorageError(`cannot read ${path}; is it a file, and can this user read it?`, { cause: error });
  }
  try {
    return schema.parse(JSON.parse(text));
  } catch (error) {
    throw new StorageError(`${path} is damaged; restore it from a backup, or delete it to start with an empty one`, {
      cause: error,
    });
  }
}

/** Writes a new file and renames it, so that a crash leaves either the old file or the new one. */
async function save(path: string, values: ReadonlyMap<string, string>): Promise<void> {
  try {
    await makeFolder(dirname(path));
    await chmod(dirname(path), 0o700);
    const file = await open(`${path}.new`, 'w', 0o600);
    try {
      await file.writeFile(`${JSON.stringify(Object.fromEntries(values), null, 2)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(`${path}.new`, path);
  } catch (error) {
    throw new StorageError(`cannot write ${path}; check its permissions`, { cause: error });
  }
}
