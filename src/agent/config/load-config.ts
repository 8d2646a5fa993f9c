/** Finds the configuration file and the data folder. */
import { readFile, stat } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { parseConfig, type ParsedConfig } from './parse-config.js';
import type { Environment } from './variables.js';

/** There is no configuration, or it cannot be read. The message lists the places looked at, and what to do. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

export interface LoadOptions {
  /** `--config`: this file and no other. */
  readonly path?: string | undefined;
  readonly env: Environment;
  /** The working directory. */
  readonly cwd: string;
  /** The user's home directory. */
  readonly home: string;
}

export interface LoadedConfig extends ParsedConfig {
  /** Absolute. */
  readonly path: string;
}

const FILE_NAME = 'moltis.toml';

/**
 * Reads `path`, or else the first that exists of `./moltis.toml`, `$MOLTIS_CONFIG_DIR/moltis.toml`, `~/.config/moltis/moltis.toml`.
 * @throws {ConfigError} when there is none, or the system does not let us read it
 */
export async function loadConfig(options: LoadOptions): Promise<LoadedConfig> {
  const places = placesOf(options);
  for (const path of places) {
    const text = await readIfThere(path);
    if (text === undefined) continue;
    const { mode } = await stat(path);
    const parsed = parseConfig(text, {
      file: shownPath(path, options.cwd),
      env: options.env,
      baseDirectory: dirname(path),
      // Windows keeps these rights elsewhere; there the mode means nothing.
      readableByOthers: process.platform !== 'win32' && (mode & 0o044) !== 0,
    });
    return { path, ...parsed };
  }
  const looked = places.map((path) => `  ${path}`).join('\n');
  const remedy = 'Create one (the README has a minimal example), or pass another with --config FILE.';
  throw new ConfigError(`No configuration file found. Looked for:\n${looked}\n${remedy}`);
}

/** The data folder, absolute: `--data-dir`, `$MOLTIS_DATA_DIR`, `~/.moltis`. */
export function findDataDirectory(options: {
  readonly flag?: string | undefined;
  readonly env: Environment;
  readonly home: string;
}): string {
  return resolve(options.flag ?? setting(options.env, 'MOLTIS_DATA_DIR') ?? join(options.home, '.moltis'));
}

function placesOf({ path, env, cwd, home }: LoadOptions): readonly string[] {
  if (path !== undefined) return [resolve(cwd, path)];
  const configured = setting(env, 'MOLTIS_CONFIG_DIR') ?? [];
  return [cwd, configured, join(home, '.config', 'moltis')]
    .flat()
    .map((directory) => resolve(cwd, directory, FILE_NAME));
}

/** An empty variable is as good as none. */
function setting(env: Environment, name: string): string | undefined {
  const value = env[name];
  return value === '' ? undefined : value;
}

async function readIfThere(path: string): Promise<string | undefined> {
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

/** As a person would call it from where they are: relative inside the working directory, else in full. */
function shownPath(path: string, cwd: string): string {
  const short = relative(cwd, path);
  return short.startsWith('..') ? path : short;
}
