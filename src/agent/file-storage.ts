/** Small things that have to outlive the process, in one file that nobody else can read. */
import { chmod, open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import type { Storage } from '../xmpp-core/storage.js';
import { makeFolder } from './folder.js';

const schema = z.record(z.string(), z.string());

/** The file could not be read or written. */
export class StorageError extends Error {
  override readonly name = 'StorageError';
}

/**
 * Opens a file of names and values; a missing one is made at the first write (folder 0700, file 0600).
 * @throws StorageError when it is there and cannot be used
 */
export async function openFileStorage(path: string): Promise<Storage> {
  const values = new Map(Object.entries(await load(path)));
  let writing: Promise<void> = Promise.resolve();
  return {
    get: async (key) => values.get(key),
    set: (key, value) => {
      if (value === undefined) values.delete(key);
      else values.set(key, value);
      // One write after another, each with all that is known by then.
      writing = writing.catch(() => undefined).then(() => save(path, values));
      return writing;
    },
  };
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

/** Written beside and moved into place, so that a crash leaves the old file or the new one. */
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
