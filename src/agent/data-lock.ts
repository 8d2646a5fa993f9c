/** Locks the data folder: two processes would answer everything twice and corrupt each other's files. */
import { open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolder } from './folder.js';

/** Another process uses the folder, or it cannot be used. */
export class DataLockError extends Error {
  override readonly name = 'DataLockError';
}

const FILE_NAME = 'lock';

/**
 * Locks the folder for this process. The lock of a process that has ended is replaced.
 * @returns a function that releases the lock
 * @throws DataLockError
 */
export async function lockDataDirectory(directory: string): Promise<() => Promise<void>> {
  const path = join(directory, FILE_NAME);
  try {
    await makeFolder(directory);
  } catch (error) {
    throw new DataLockError(
      `cannot use ${directory} as the data folder: ${reasonOf(error)}; choose another with --data-dir`,
      {
        cause: error,
      },
    );
  }
  if (!(await create(path))) {
    const pid = await ownerOf(path);
    if (isRunning(pid)) {
      throw new DataLockError(
        `process ${pid} already uses ${directory}; stop it, or start this one with another --data-dir`,
      );
    }
    await rm(path, { force: true }).catch((error: unknown) => {
      throw new DataLockError(`cannot remove ${path}; delete it by hand`, { cause: error });
    });
    if (!(await create(path))) throw new DataLockError(`another process has just taken ${directory}`);
  }
  return () => rm(path, { force: true });
}

function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
  return REASONS.get(code) ?? code;
}

/** Why a folder cannot be created, by error code. */
const REASONS: ReadonlyMap<string, string> = new Map([
  ['EEXIST', 'it is a file'],
  ['ENOTDIR', 'a part of its path is a file'],
  ['EACCES', 'permission denied'],
  ['EROFS', 'the file system is read-only'],
  ['ENOENT', 'no folder can be created there'],
]);

async function create(path: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx', 0o600);
    await file.writeFile(`${process.pid}\n`);
    await file.close();
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw new DataLockError(`cannot write ${path}; check its permissions`, { cause: error });
  }
}

/** The process that a lock file names; 0 if its process has just removed it. */
async function ownerOf(path: string): Promise<number> {
  try {
    return Number(await readFile(path, 'utf8'));
  } catch (error) {
    // Its process has just removed it, or it is no file at all: removing it says so.
    if (error instanceof Error && 'code' in error && ['ENOENT', 'EISDIR'].includes(String(error.code))) return 0;
    throw new DataLockError(`cannot read ${path}; may this user read there?`, { cause: error });
  }
}

function isRunning(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0 || pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: the process exists, but belongs to another user.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
