/** Keeps two processes from using one data folder: they would answer everything twice, and tear each other's files. */
import { open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolder } from './folder.js';

/** Another process uses the folder, or it cannot be used at all. */
export class DataLockError extends Error {
  override readonly name = 'DataLockError';
}

const FILE_NAME = 'lock';

/**
 * Takes the folder for this process. What a process that is gone left behind does not count.
 * @returns gives the folder back
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
    const pid = Number(await readFile(path, 'utf8').catch(() => ''));
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

/** Why a folder cannot be made, by the system's code for it. */
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

function isRunning(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0 || pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Somebody else's process is one, too.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
