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

/**
 * Opens a file of keys and values; a missing one is created at the first write (folder 0700, file 0600).
 * @throws StorageError when it exists and cannot be read
 */
export async function openFileStorage(path: string): Promise<Storage> {
  const values = new Map(Object.entries(await load(path)));
  const writes = new Serial();
  return {
    get: async (key) => values.get(key),
    set: (key, value) => {
      if (value === undefined) values.delete(key);
      else values.set(key, value);
      // Each write has all values that are set by then.
      return writes.run(() => save(path, values));
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
