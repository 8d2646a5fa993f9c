/**
 * Agent Skills (agentskills.io): a folder with a `SKILL.md`, whose front matter says in YAML what the skill is called and what it is for. The model
 * is told the name and the description of each; the rest, and other files of the folder, it reads when it needs them.
 */
import { readFileSync, realpathSync, statSync } from 'node:fs';
import { open, realpath } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join, resolve, sep } from 'node:path';
import type * as Yaml from 'yaml';

export const SKILL_FILE = 'SKILL.md';

/** A skill that can be used. */
export interface Skill {
  /** As its folder is called. */
  readonly name: string;
  /** What it is for: one line, at most 1024 characters. */
  readonly description: string;
  /** Absolute, without symbolic links. */
  readonly folder: string;
}

/** A skill, or a file of it, cannot be read; the message says why, in words that go after "the skill NAME: " or stand alone. */
export class SkillError extends Error {
  override readonly name = 'SkillError';
}

const MAX_DESCRIPTION = 1024;
/** Instructions that are longer than this do not fit a conversation. */
const MAX_FILE_BYTES = 128 * 1024;

/**
 * Reads what a skill says of itself. The first folder among `searchPaths` that has a skill of this name is taken.
 * @param name up to 64 small letters, digits and hyphens
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

/** Reads a file of a skill: text, and in its folder. @throws SkillError; the signal's reason */
export async function readSkillFile({ folder }: Skill, path: string, signal: AbortSignal): Promise<string> {
  const file = await realpath(resolve(folder, path)).catch(() => undefined);
  // With links followed, by which a path can lead anywhere. What lies outside is not even told to exist; a pipe would be waited for.
  if (file === undefined || !file.startsWith(folder + sep) || !isFile(file))
    throw new SkillError('the folder of the skill has no such file');
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
    // Not UTF-8: said below.
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
  // Loaded when there is a skill to read: it takes as long as the rest of the configuration.
  const { parse } = createRequire(import.meta.url)('yaml') as typeof Yaml;
  try {
    // "Failsafe" knows texts, lists and maps: a name that looks like a number stays a name.
    return parse(head, { schema: 'failsafe', logLevel: 'error' }) as unknown;
  } catch (error) {
    const [reason = ''] = (error instanceof Error ? error.message : '').split('\n', 1);
    throw new SkillError(`the front matter of ${SKILL_FILE} is not YAML: ${reason}`, { cause: error });
  }
}

function describe(name: string, head: unknown): string {
  const { name: called, description } = Object(head) as { readonly name?: unknown; readonly description?: unknown };
  if (called !== name) throw new SkillError(`the name in ${SKILL_FILE} differs from the name of its folder`);
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
    // It is not there, or behind a folder that is closed to us.
    return false;
  }
}
