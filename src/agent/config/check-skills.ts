/** Checks that the skills named in the file can be used. */
import { readdirSync } from 'node:fs';
import { loadSkill, SkillError } from '../skills/skill.js';
import type { Report } from './report.js';
import { settingsAt } from './setting-path.js';
import { didYouMean } from './suggestion.js';
import { isTable, type Path, type TomlTable } from './toml-document.js';

const SETTINGS = ['channels.xmpp.*.skills', 'channels.xmpp.*.muc_rooms.*.skills'];

/**
 * Reports each skill that cannot be loaded, at the position of its name.
 * @param accounts the table `channels.xmpp`
 * @param searchPaths absolute paths of the folders with skill folders
 */
export function checkSkills(report: Report, accounts: TomlTable, searchPaths: readonly string[]): void {
  const root = { channels: { xmpp: accounts } };
  for (const path of SETTINGS.flatMap((pattern) => settingsAt(root, pattern))) {
    const names = valueAt(root, path);
    for (const [index, name] of Array.isArray(names) ? names.entries() : []) {
      // The schema reports invalid names.
      if (typeof name === 'string' && /^[a-z0-9-]{1,64}$/.test(name))
        checkSkill(report, [...path, index], name, searchPaths);
    }
  }
}

function checkSkill(report: Report, path: Path, name: string, searchPaths: readonly string[]): void {
  try {
    loadSkill(name, searchPaths);
  } catch (error) {
    if (!(error instanceof SkillError)) throw error;
    const folders = report.isFromEnvironment(path) ? [] : searchPaths.flatMap(foldersIn);
    report.error(
      path,
      `this skill cannot be used: ${error.message}${didYouMean(
        name,
        folders.filter((other) => other !== name),
      )}`,
    );
  }
}

function foldersIn(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch {
    // A missing folder has no skills; `loadSkill` reports that.
    return [];
  }
}

function valueAt(root: TomlTable, path: Path): unknown {
  return path.reduce<unknown>((table, key) => (isTable(table) ? table[String(key)] : undefined), root);
}
