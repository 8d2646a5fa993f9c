/** Finds the configuration file and the data folder. */
import { readFile, stat } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { parseConfig, type ParsedConfig } from './parse-config.js';
import type { Environment } from './variables.js';

/** The configuration cannot be read. The message says which file or paths, and what to do. */
export class ConfigError extends Error {
  override readonly name: string = 'ConfigError';
}

/** There is no configuration in any of the searched places. */
export class NoConfigError extends ConfigError {
  override readonly name = 'NoConfigError';
}

/** Options of `loadConfig`. */
export interface LoadOptions {
  /** The file given by `--config`; without it, the usual places are searched. */
  readonly path?: string | undefined;
  readonly env: Environment;
  /** The working directory. */
  readonly cwd: string;
  /** The user's home directory. */
  readonly home: string;
}

/** A parsed configuration and the file it comes from. */
export interface LoadedConfig extends ParsedConfig {
  /** The absolute path of the file. */
  readonly path: string;
}

const FILE_NAME = 'moltis.toml';

/**
 * Reads `path`, or the first existing file of `./moltis.toml`, `$MOLTIS_CONFIG_DIR/moltis.toml`, `~/.config/moltis/moltis.toml`.
 * @throws {ConfigError} when there is none, or it cannot be read
 */
export async function loadConfig(options: LoadOptions): Promise<LoadedConfig> {
  const paths = searchedPaths(options);
  for (const path of paths) {
    const text = await readIfExists(path);
    if (text === undefined) continue;
    const { mode } = await stat(path);
    const parsed = parseConfig(text, {
      file: shownPath(path, options.cwd),
      env: options.env,
      baseDirectory: dirname(path),
      // On Windows the mode does not show who can read a file.
      readableByOthers: process.platform !== 'win32' && (mode & 0o044) !== 0,
    });
    return { path, ...parsed };
  }
  const searched = paths.map((path) => `  ${path}`).join('\n');
  const remedy = 'Create one (the README has a minimal example), or pass another with --config FILE.';
  throw new NoConfigError(`No configuration file found. Looked for:\n${searched}\n${remedy}`);
}

/** The data folder, absolute: `--data-dir`, `$MOLTIS_DATA_DIR`, `~/.moltis`. */
export function findDataDirectory(options: {
  readonly flag?: string | undefined;
  readonly env: Environment;
  readonly home: string;
}): string {
  return resolve(options.flag ?? setting(options.env, 'MOLTIS_DATA_DIR') ?? join(options.home, '.moltis'));
}

function searchedPaths({ path, env, cwd, home }: LoadOptions): readonly string[] {
  if (path !== undefined) return [resolve(cwd, path)];
  const configured = setting(env, 'MOLTIS_CONFIG_DIR') ?? [];
  return [cwd, configured, join(home, '.config', 'moltis')]
    .flat()
    .map((directory) => resolve(cwd, directory, FILE_NAME));
}

/** An empty variable counts as unset. */
function setting(env: Environment, name: string): string | undefined {
  const value = env[name];
  return value === '' ? undefined : value;
}

async function readIfExists(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new ConfigError(
      `Cannot read the configuration ${path} (${String(code)}). Is it a file, and can this user read it?`,
      { cause: error },
    );
  }
}

/** The path for messages: relative inside the working directory, absolute otherwise. */
function shownPath(path: string, cwd: string): string {
  const short = relative(cwd, path);
  return short.startsWith('..') ? path : short;
}
