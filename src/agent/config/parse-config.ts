/** `moltis.toml` → `Config`, or what is wrong with it. */
import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import { z } from 'zod';
import { readAccounts } from './accounts.js';
import { checkShape } from './check-shape.js';
import { checkSkills } from './check-skills.js';
import type { Config } from './config.js';
import type { Finding } from './finding.js';
import { Providers } from './providers.js';
import { Report, settingName } from './report.js';
import { fileSchema, moltisSettings, skillsSchema } from './schema.js';
import { settingsAt } from './setting-path.js';
import { nearestWord } from './suggestion.js';
import { isTable, TomlDocument, TomlSyntaxError, type Path, type TomlTable } from './toml-document.js';
import { substituteVariables, type Environment } from './variables.js';

export interface ParseOptions {
  /** The file's name as findings show it. */
  readonly file: string;
  /** Where `${NAME}` is looked up. */
  readonly env: Environment;
  /** The folder in which relative paths in the file start. */
  readonly baseDirectory: string;
  /** Whether others on this machine can read the file: then a secret written out in it is worth a warning. */
  readonly readableByOthers?: boolean;
}

export interface ParsedConfig {
  /** Absent when any finding is an error. */
  readonly config?: Config;
  /** In the order of the file. */
  readonly findings: readonly Finding[];
}

/**
 * Reads the text of a `moltis.toml`. Only `[channels.xmpp]`, `[providers]` and `[skills]` are looked at, the rest is left alone; keys
 * that Moltis itself reads in the latter two are let pass. Reads the files that `ca_file` names. Throws nothing.
 */
export function parseConfig(text: string, options: ParseOptions): ParsedConfig {
  let document;
  try {
    document = TomlDocument.parse(text);
  } catch (error) {
    if (!(error instanceof TomlSyntaxError)) throw error;
    return { findings: [{ severity: 'error', file: options.file, ...error.place, message: error.message }] };
  }

  const report = new Report(options.file, document);
  warnOfMisspeltTables(report, document.root);
  warnOfMoltisSettings(report, document.root);
  if (options.readableByOthers === true) warnOfReadableSecrets(report, document.root);

  const ours = ourTables(report, document.root, options.env);
  const providers = new Providers(report, ours.providers);
  const accounts = readAccounts(report, ours.accounts, providers, options.baseDirectory);
  if (accounts.length > 0 && accounts.every(({ enabled }) => !enabled)) {
    report.warning(['channels', 'xmpp'], 'no account is enabled, so there is nothing to run');
  }
  const skills = checkShape(report, skillsSchema, ['skills'], ours.skills);
  const skillPaths = (skills?.search_paths ?? []).map((path) => resolve(options.baseDirectory, path));
  if (skills) checkSkills(report, ours.accounts, skillPaths);
  const revised = accounts.map((account) => ({
    ...account,
    revision: digest([ours.accounts[account.name], account.ca, ours.providers, ours.skills]),
  }));
  const config: Config = { accounts: revised, providers: providers.finish(), skillPaths };
  return report.hasErrors ? { findings: report.findings } : { config, findings: report.findings };
}

function digest(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('base64');
}

/** A JSON Schema (draft 7) of the file, for editors. It knows the keys and kinds of values, not all that `parseConfig` checks. */
export function configJsonSchema(): Readonly<Record<string, unknown>> {
  return z.toJSONSchema(fileSchema, { io: 'input', target: 'draft-7' });
}

/** The tables that concern us, with their variables replaced; an absent one is empty. */
function ourTables(report: Report, root: TomlTable, environment: Environment) {
  const channels = tableAt(report, root, ['channels']);
  const replaced = (path: Path, table: TomlTable) => replaceVariables(report, path, table, environment) as TomlTable;
  return {
    accounts: replaced(['channels', 'xmpp'], tableAt(report, channels, ['channels', 'xmpp'])),
    providers: replaced(['providers'], tableAt(report, root, ['providers'])),
    skills: replaced(['skills'], tableAt(report, root, ['skills'])),
  };
}

/** The table that the last key of the path names in its parent. */
function tableAt(report: Report, parent: TomlTable, path: readonly [...string[], string]): TomlTable {
  const value = parent[path[path.length - 1] ?? ''];
  if (value === undefined || isTable(value)) return value ?? {};
  report.error(path, `${settingName(path)} must be a table`);
  return {};
}

/** A copy with `${NAME}` replaced in every text; one that cannot be is reported and stays as it is. */
function replaceVariables(report: Report, path: Path, value: unknown, environment: Environment): unknown {
  if (Array.isArray(value))
    return value.map((item, index) => replaceVariables(report, [...path, index], item, environment));
  if (isTable(value)) {
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [key, replaceVariables(report, [...path, key], item, environment)]),
    );
  }
  if (typeof value !== 'string') return value;
  const result = substituteVariables(value, environment);
  if ('text' in result) {
    if (result.text !== value) report.markFromEnvironment(path);
    return result.text;
  }
  report.spoil(path, `${settingName(path)} ${result.problem}`);
  return value;
}

/** `[provider.x]` belongs to nobody and is left alone, but its author will wonder. */
function warnOfMisspeltTables(report: Report, root: TomlTable): void {
  const ours = Object.keys(fileSchema.shape);
  for (const key of Object.keys(root)) {
    const near = ours.includes(key) ? undefined : nearestWord(key, ours);
    if (near !== undefined) report.warning([key], `[${key}] is ignored; did you mean [${near}]?`);
  }
}

/** What stands in a table of ours and only Moltis reads: whoever switches a provider off there has to know that it is not off here. */
function warnOfMoltisSettings(report: Report, root: TomlTable): void {
  for (const path of moltisSettings.flatMap((pattern) => settingsAt(root, pattern))) {
    // What is there is enabled: that holds here, too.
    if (path.at(-1) === 'enabled' && valueAt(root, path) === true) continue;
    report.warning(path, `${settingName(path)} is used by Moltis only and has no effect here`);
  }
}

function valueAt(root: TomlTable, path: Path): unknown {
  return path.reduce<unknown>((table, key) => (isTable(table) ? table[String(key)] : undefined), root);
}

const SECRETS = ['channels.xmpp.*.password', 'channels.xmpp.*.muc_rooms.*.password', 'providers.*.api_key'];

function warnOfReadableSecrets(report: Report, root: TomlTable): void {
  for (const path of SECRETS.flatMap((pattern) => settingsAt(root, pattern))) {
    const value = valueAt(root, path);
    if (typeof value !== 'string' || value.includes('${')) continue;
    const remedy = 'run chmod 600 on it, or use an environment variable';
    report.warning(path, `${settingName(path)} is in a file that other users of this machine can read: ${remedy}`);
  }
}
