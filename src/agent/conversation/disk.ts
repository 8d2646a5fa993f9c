/** Files as the history needs them: on the disk before the promise resolves, and for their owner's eyes only. */
import { constants } from 'node:fs';
import { access, open } from 'node:fs/promises';

/** A conversation's history could not be read or written. Says where; never holds the words of a message. */
export class HistoryError extends Error {
  override readonly name = 'HistoryError';
}

/** Appends to a file that must be there: one that has vanished is not begun again in its middle. */
export async function appendToFile(path: string, text: string): Promise<void> {
  await write(path, constants.O_WRONLY | constants.O_APPEND, text);
}

/** Creates a file with mode 0600, or empties the one that is there. */
export async function createFile(path: string, text: string): Promise<void> {
  await write(path, constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC, text);
}

/** Cuts a file's end off. */
export async function truncateFile(path: string, length: number): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.truncate(length);
    await file.datasync();
  } finally {
    await file.close();
  }
}

/** Makes the names in a folder durable: a file's own flush does not cover the entry that leads to it. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return; // Folders cannot be opened there.
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

export async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

async function write(path: string, flags: number, text: string): Promise<void> {
  const file = await open(path, flags, 0o600);
  try {
    await file.writeFile(text);
    await file.datasync();
  } finally {
    await file.close();
  }
}
