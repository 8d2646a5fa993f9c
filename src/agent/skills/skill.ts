/**
 * Agent Skills (agentskills.io): a folder with a `SKILL.md`, whose YAML front matter has a name and a description. The model always gets name and
 * description of each skill; it reads the rest, and other files of the folder, on demand.
 */
import { readFileSync, realpathSync, statSync } from 'node:fs';
import { open, realpath } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join, resolve, sep } from 'node:path';
import type * as Yaml from 'yaml';

/** The main file of a skill. */
export const SKILL_FILE = 'SKILL.md';

/** A skill that can be used. */
export interface Skill {
  /** The name of its folder. */
  readonly name: string;
  /** One line, at most 1024 characters. */
  readonly description: string;
  /** Absolute, without symbolic links. */
  readonly folder: string;
}

/** A skill, or a file of it, cannot be read. The message reads well alone or after "the skill NAME: ". */
export class SkillError extends Error {
  override readonly name = 'SkillError';
}

const MAX_DESCRIPTION = 1024;
/** Longer instructions do not fit a conversation. */
const MAX_FILE_BYTES = 128 * 1024;

/**
 * Reads the front matter of a skill. The first of `searchPaths` with a skill of this name is used.
 * @param name up to 64 lower-case letters, digits and hyphens
 * @throws SkillError
 */
export function loadSkill(name: string, searchPaths: readonly string[]): Skill {
  const path = searchPaths.map((one) => join(one, name)).find((one) => isFile(join(one, SKILL_FILE)));
  if (path === undefined) {
    const searched = searchPaths.length === 0 ? 'is empty' : 'has no skill with this name';
    throw new SkillError(`search_paths of [skills] ${searched}`);
  }
  const folder = realpathSync(path);
  return { name, description: describe(name, readHead(folder)), folder };
}

/** Reads a text file in a skill's folder. @throws SkillError, or the signal's reason */
export async function readSkillFile({ folder }: Skill, path: string, signal: AbortSignal): Promise<string> {
  const file = await pathIn(folder, path);
  const handle = await open(file, 'r');
  try {
    signal.throwIfAborted();
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(MAX_FILE_BYTES + 1));
    if (bytesRead > MAX_FILE_BYTES) throw new SkillError(`the file is larger than ${MAX_FILE_BYTES / 1024} KiB`);
    return textOf(buffer.subarray(0, bytesRead));
  } finally {
    await handle.close();
  }
}

function textOf(bytes: Uint8Array): string {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    if (!text.includes('\0')) return text;
  } catch {
    // Not UTF-8: thrown below.
  }
  throw new SkillError('the file is not text');
}

function readHead(folder: string): unknown {
  const file = join(folder, SKILL_FILE);
  if (!realpathSync(file).startsWith(folder + sep)) throw new SkillError(`${SKILL_FILE} is a link out of its folder`);
  if (statSync(file).size > MAX_FILE_BYTES)
    throw new SkillError(`${SKILL_FILE} is larger than ${MAX_FILE_BYTES / 1024} KiB`);
  let bytes;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    throw new SkillError(`${SKILL_FILE} cannot be read: permission denied`, { cause: error });
  }
  const head = /^---[ \t]*\r?\n([^]*?)\r?\n---[ \t]*(?:\r?\n|$)/.exec(textOf(bytes))?.[1];
  if (head === undefined)
    throw new SkillError(`${SKILL_FILE} does not start with front matter between two "---" lines`);
  // Loaded on demand: it takes as long as the rest of the configuration.
  const { parse } = createRequire(import.meta.url)('yaml') as typeof Yaml;
  try {
    // The failsafe schema has only strings, lists and maps: a name that looks like a number stays a string.
    return parse(head, { schema: 'failsafe', logLevel: 'error' }) as unknown;
  } catch (error) {
    const [reason = ''] = (error instanceof Error ? error.message : '').split('\n', 1);
    throw new SkillError(`the front matter of ${SKILL_FILE} is not YAML: ${reason}`, { cause: error });
  }
}

function describe(name: string, head: unknown): string {
  const { name: ownName, description } = Object(head) as { readonly name?: unknown; readonly description?: unknown };
  if (ownName !== name) throw new SkillError(`the name in ${SKILL_FILE} differs from the name of its folder`);
  const line = typeof description === 'string' ? description.replaceAll(/\s+/g, ' ').trim() : '';
  if (line === '') throw new SkillError(`${SKILL_FILE} has no description`);
  if (line.length > MAX_DESCRIPTION)
    throw new SkillError(`the description in ${SKILL_FILE} is longer than ${MAX_DESCRIPTION} characters`);
  return line;
}

function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    // Missing, or in a folder that we cannot read.
    return false;
  }
}

/** The path of a file in a folder, with links followed: a link can lead anywhere. @throws SkillError, the same for a missing file and one outside */
async function pathIn(folder: string, path: string): Promise<string> {
  const missing = 'the folder of the skill has no such file';
  try {
    const file = await realpath(resolve(folder, path));
    // Reading a pipe would wait for a writer.
    if (file.startsWith(folder + sep) && isFile(file)) return file;
  } catch (error) {
    throw new SkillError(missing, { cause: error });
  }
  throw new SkillError(missing);
}
