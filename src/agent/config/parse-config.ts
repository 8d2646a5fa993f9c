/** Parses a `moltis.toml` into a `Config` and findings. */
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
import { looksLikeVariable, substituteVariables, type Environment } from './variables.js';

/** Options of `parseConfig`. */
export interface ParseOptions {
  /** The file name for findings. */
  readonly file: string;
  /** The values of `${NAME}`. */
  readonly env: Environment;
  /** The folder for relative paths in the file. */
  readonly baseDirectory: string;
  /** Whether other users can read the file: then literal secrets in it get a warning. Default: false. */
  readonly readableByOthers?: boolean;
}

/** The result of `parseConfig`. */
export interface ParsedConfig {
  /** Absent when any finding is an error. */
  readonly config?: Config;
  /** In file order. */
  readonly findings: readonly Finding[];
}

/**
 * Parses the text of a `moltis.toml`. Only `[channels.xmpp]`, `[providers]` and `[skills]` are read; keys of Moltis itself in the last
 * two are allowed. Also reads the files of `ca_file`, and the skills. Never throws.
 */
export function parseConfig(text: string, options: ParseOptions): ParsedConfig {
  let document;
  try {
    document = TomlDocument.parse(text);
  } catch (error) {
    if (!(error instanceof TomlSyntaxError)) throw error;
    return { findings: [{ severity: 'error', file: options.file, ...error.position, message: error.message }] };
  }

  const report = new Report(options.file, document);
  warnAboutMisspeltTables(report, document.root);
  warnAboutMoltisSettings(report, document.root);
  warnAboutLiteralVariables(report, document.root);
  if (options.readableByOthers === true) warnAboutReadableSecrets(report, document.root);

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

/** A JSON Schema (draft 7) of the file, for editors. It covers keys and types of values, not every check of `parseConfig`. */
export function configJsonSchema(): Readonly<Record<string, unknown>> {
  return z.toJSONSchema(fileSchema, { io: 'input', target: 'draft-7' });
}

/** The tables that we read, with variables replaced; an absent one is empty. */
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

/** A copy with `${NAME}` replaced in every string. One that cannot be replaced is reported and left unchanged. */
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
  report.invalidate(path, `${settingName(path)} ${result.problem}`);
  return value;
}

/** Warns about unknown tables that look like a misspelling of ours, such as `[provider.x]`. */
function warnAboutMisspeltTables(report: Report, root: TomlTable): void {
  const ours = Object.keys(fileSchema.shape);
  for (const key of Object.keys(root)) {
    const near = ours.includes(key) ? undefined : nearestWord(key, ours);
    if (near !== undefined) report.warning([key], `[${key}] is ignored; did you mean [${near}]?`);
  }
}

/** Warns about settings in our tables that only Moltis reads. */
function warnAboutMoltisSettings(report: Report, root: TomlTable): void {
  for (const path of moltisSettings.flatMap((pattern) => settingsAt(root, pattern))) {
    // `enabled = true` holds here too.
    if (path.at(-1) === 'enabled' && valueAt(root, path) === true) continue;
    report.warning(path, `${settingName(path)} is used by Moltis only and has no effect here`);
  }
}

function valueAt(root: TomlTable, path: Path): unknown {
  return path.reduce<unknown>((table, key) => (isTable(table) ? table[String(key)] : undefined), root);
}

const SECRETS = ['channels.xmpp.*.password', 'channels.xmpp.*.muc_rooms.*.password', 'providers.*.api_key'];

/** Warns about secrets such as `$BOT_PASSWORD`, which are taken literally. */
function warnAboutLiteralVariables(report: Report, root: TomlTable): void {
  for (const path of SECRETS.flatMap((pattern) => settingsAt(root, pattern))) {
    const value = valueAt(root, path);
    if (typeof value !== 'string' || !looksLikeVariable(value.trim())) continue;
    report.warning(
      path,
      `${settingName(path)} is taken literally, although it looks like a variable; an environment variable is written \${NAME}`,
    );
  }
}

function warnAboutReadableSecrets(report: Report, root: TomlTable): void {
  for (const path of SECRETS.flatMap((pattern) => settingsAt(root, pattern))) {
    const value = valueAt(root, path);
    if (typeof value !== 'string' || value.includes('${')) continue;
    const remedy = 'run chmod 600 on it, or use an environment variable';
    report.warning(path, `${settingName(path)} is in a file that other users of this machine can read: ${remedy}`);
  }
}
