/** File operations of the history: flushed before the promise resolves, and readable by the owner only. */
import { constants } from 'node:fs';
import { access, open } from 'node:fs/promises';

/** A conversation's history could not be read or written. The message names the path and never contains message text. */
export class HistoryError extends Error {
  override readonly name = 'HistoryError';
}

/** Appends to an existing file. A missing one is an error: recreating it would lose its beginning. */
export async function appendToFile(path: string, text: string): Promise<void> {
  await write(path, constants.O_WRONLY | constants.O_APPEND, text);
}

/** Writes a file with mode 0600, replacing its content. */
export async function createFile(path: string, text: string): Promise<void> {
  await write(path, constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC, text);
}

/** Truncates a file to `length` bytes. */
export async function truncateFile(path: string, length: number): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.truncate(length);
    await file.datasync();
  } finally {
    await file.close();
  }
}

/** Flushes a folder's entries: flushing a file does not cover the entry that leads to it. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return; // Folders cannot be opened there.
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Whether a path exists. Errors other than ENOENT are thrown. */
export async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

/** Whether an error is ENOENT. */
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
