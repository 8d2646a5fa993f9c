/** `[channels.xmpp.*]`: reads the accounts and checks them against each other, their providers and the files they name. */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Jid } from '../../xmpp-core/jid/jid.js';
import { checkShape } from './check-shape.js';
import { TOOL_NAMES, type AccountConfig, type LimitsConfig, type RoomConfig } from './config.js';
import type { Providers } from './providers.js';
import type { Report } from './report.js';
import { accountSchema, type AccountShape, type RoomShape } from './schema.js';
import { isTable, type Path, type TomlTable } from './toml-document.js';
import { readRoomJid, ValueError } from './values.js';

/** An account, before its revision is computed. */
type ReadAccount = Omit<AccountConfig, 'revision'>;

const ACCOUNTS: Path = ['channels', 'xmpp'];

/**
 * Reads all accounts. Returns the valid ones; the errors of the others are in the report.
 * @param table the table `channels.xmpp`
 * @param baseDirectory the folder for a relative `ca_file`
 */
export function readAccounts(
  report: Report,
  table: TomlTable,
  providers: Providers,
  baseDirectory: string,
): readonly ReadAccount[] {
  const accounts: ReadAccount[] = [];
  const nameByJid = new Map<string, string>();
  for (const [name, value] of Object.entries(table)) {
    const path = [...ACCOUNTS, name];
    if (!isTable(value)) {
      report.errorAtKey(path, `unknown key "${name}"; an account is a table, [channels.xmpp.NAME]`);
      continue;
    }
    const rooms = readRoomNames(report, [...path, 'muc_rooms'], value['muc_rooms']);
    const shape = checkShape(report, accountSchema, path, value);
    if (!shape) continue;
    const twin = nameByJid.get(shape.jid.toString());
    if (twin !== undefined) report.error([...path, 'jid'], `jid is already used by [channels.xmpp.${twin}]`);
    else nameByJid.set(shape.jid.toString(), name);
    const account = resolveAccount(report, path, name, shape, rooms, providers, baseDirectory);
    if (account) accounts.push(account);
  }
  if (Object.keys(table).length === 0)
    report.error(ACCOUNTS, 'no account is configured; add [channels.xmpp.NAME] with jid and password');
  return accounts;
}

/** The JIDs of the rooms in `muc_rooms`, by key. */
function readRoomNames(report: Report, path: Path, table: unknown): ReadonlyMap<string, Jid> {
  const rooms = new Map<string, Jid>();
  const seen = new Set<string>();
  for (const key of isTable(table) ? Object.keys(table) : []) {
    try {
      const jid = readRoomJid(key);
      if (seen.has(jid.toString()))
        report.errorAtKey([...path, key], 'this room is already configured in another spelling');
      seen.add(jid.toString());
      rooms.set(key, jid);
    } catch (error) {
      if (!(error instanceof ValueError)) throw error;
      const detail = error.detail === undefined ? '' : `: ${error.detail}`;
      report.errorAtKey([...path, key], `the key ${error.message}${detail}`);
    }
  }
  return rooms;
}

function resolveAccount(
  report: Report,
  path: Path,
  name: string,
  shape: AccountShape,
  rooms: ReadonlyMap<string, Jid>,
  providers: Providers,
  baseDirectory: string,
): ReadAccount | undefined {
  if (shape.direct_tls && !shape.server) {
    report.error([...path, 'direct_tls'], 'direct_tls needs server; without it, DNS says which ports use direct TLS');
  }
  const ca =
    shape.ca_file === undefined
      ? undefined
      : readCertificates(report, [...path, 'ca_file'], resolve(baseDirectory, shape.ca_file));
  const providerName = shape.model_provider ?? onlyProvider(report, path, providers, shape.model);
  const choice =
    providerName === undefined ? undefined : chooseModel(report, path, providers, providerName, shape.model);
  warnAboutContradictions(report, path, shape);
  if (!choice) return undefined;

  const account: ReadAccount = {
    name,
    enabled: shape.enabled,
    jid: shape.jid,
    password: shape.password,
    resource: shape.resource,
    nick: shape.nick ?? shape.resource,
    server: shape.server,
    directTls: shape.direct_tls,
    websocket: shape.websocket,
    ca,
    rooms: withoutDuplicates(shape.rooms),
    dmPolicy: shape.dm_policy,
    groupPolicy: shape.group_policy,
    mentionMode: shape.mention_mode,
    allowlist: shape.allowlist,
    groupAllowlist: shape.group_allowlist,
    operators: withoutDuplicates(shape.operators),
    textChunkLimit: shape.text_chunk_limit,
    mediaMaxMb: shape.media_max_mb,
    blockedMediaTypes: shape.blocked_media_types,
    mediaPrivateHosts: shape.media_private_hosts,
    reactions: shape.reactions,
    streamEdits: shape.stream_edits,
    modelProvider: choice.modelProvider,
    model: choice.model,
    systemPrompt: shape.system_prompt,
    skills: shape.skills ?? [],
    tools: shape.tools ?? TOOL_NAMES,
    limits: readLimits(shape.limits),
    mucRooms: new Map(),
  };
  const mucRooms = new Map<string, RoomConfig>();
  for (const [key, jid] of rooms) {
    const room = shape.muc_rooms[key];
    for (const [index, pattern] of (room?.users ?? []).entries()) {
      if (pattern.isServer) report.warning([...path, 'muc_rooms', key, 'users', index], SERVER_ONLY);
    }
    if (!account.rooms.some((joined) => joined.equals(jid))) {
      const message = 'this room is not in rooms, so the bot joins it only when an operator asks';
      report.warning([...path, 'muc_rooms', key], message);
    }
    const resolved = room && resolveRoom(report, [...path, 'muc_rooms', key], jid, room, account, providers);
    if (resolved) mucRooms.set(jid.toString(), resolved);
  }
  return { ...account, mucRooms };
}

function readLimits(shape: AccountShape['limits']): LimitsConfig {
  return {
    messagesPerMinute: shape.messages_per_minute,
    tokensPerDay: shape.tokens_per_day,
    turnsPerMinute: shape.turns_per_minute,
    botTurns: shape.bot_turns,
    historyTokens: shape.history_tokens,
    staleAfterMinutes: shape.stale_after_minutes,
  };
}

function resolveRoom(
  report: Report,
  path: Path,
  jid: Jid,
  shape: RoomShape,
  account: ReadAccount,
  providers: Providers,
): RoomConfig | undefined {
  // The account's model belongs to the account's provider.
  const otherProvider = shape.model_provider !== undefined && shape.model_provider !== account.modelProvider;
  const choice =
    shape.model === undefined && !otherProvider
      ? account
      : chooseModel(report, path, providers, shape.model_provider ?? account.modelProvider, shape.model);
  return (
    choice && {
      jid,
      enabled: shape.enabled,
      mentionMode:
        shape.require_mention === undefined ? account.mentionMode : shape.require_mention ? 'mention' : 'always',
      users: shape.users,
      password: shape.password,
      modelProvider: choice.modelProvider,
      model: choice.model,
      systemPrompt: shape.system_prompt ?? account.systemPrompt,
      skills: shape.skills ?? account.skills,
      tools: shape.tools ?? account.tools,
    }
  );
}

function onlyProvider(report: Report, path: Path, providers: Providers, model: string | undefined): string | undefined {
  const [only, ...others] = providers.configured;
  if (only !== undefined && others.length === 0) return only;
  const named = providers.configured.find((name) => model?.startsWith(`${name}/`));
  const why =
    only === undefined
      ? 'no [providers.NAME] is configured and enabled'
      : named === undefined
        ? `several providers are configured: ${[only, ...others].join(', ')}`
        : `several providers are configured; the model's name begins with one: write model_provider = "${named}"`;
  report.error(path, `model_provider is missing, and ${why}`);
  return undefined;
}

/** @returns the provider and model for this table; `undefined` after an error about it, reported here or elsewhere */
function chooseModel(
  report: Report,
  path: Path,
  providers: Providers,
  modelProvider: string,
  named: string | undefined,
): { readonly modelProvider: string; readonly model: string } | undefined {
  if (!providers.has(modelProvider)) {
    report.error([...path, 'model_provider'], `model_provider ${providers.describeNames(modelProvider)}`);
    return undefined;
  }
  if (providers.isDisabled(modelProvider)) {
    report.error(
      [...path, 'model_provider'],
      `model_provider is disabled: [providers.${modelProvider}] has enabled = false`,
    );
    return undefined;
  }
  providers.markUsed(modelProvider);
  const model =
    named === undefined
      ? providers.firstModel(modelProvider)
      : providers.modelAskedFor([...path, 'model'], modelProvider, named);
  if (model === undefined) {
    if (!providers.isBroken(modelProvider))
      report.error(path, `model is missing, and [providers.${modelProvider}] lists no models`);
    return undefined;
  }
  return { modelProvider, model };
}

/** Warns of settings that are valid alone but have no effect, or an unexpected one, together. */
function warnAboutContradictions(report: Report, path: Path, shape: AccountShape): void {
  const { allowlist, group_allowlist: groupAllowlist, rooms } = shape;
  if (shape.server !== undefined && shape.websocket !== undefined) {
    report.warning([...path, 'server'], 'server has no effect while websocket is set');
  }
  if (allowlist.length > 0 && shape.dm_policy !== 'allowlist') {
    report.warning([...path, 'allowlist'], `allowlist has no effect while dm_policy is "${shape.dm_policy}"`);
  }
  if (groupAllowlist.length > 0 && shape.group_policy !== 'allowlist') {
    report.warning(
      [...path, 'group_allowlist'],
      `group_allowlist has no effect while group_policy is "${shape.group_policy}"`,
    );
  }
  for (const [index, pattern] of allowlist.entries()) {
    if (pattern.isServer) report.warning([...path, 'allowlist', index], SERVER_ONLY);
  }
  if (allowlist.length === 0 && shape.dm_policy === 'allowlist' && shape.operators.length === 0) {
    report.warning(
      [...path, 'dm_policy'],
      'dm_policy is "allowlist", and allowlist and operators are empty: nobody gets an answer',
    );
  }
  if (rooms.length > 0 && shape.group_policy === 'disabled') {
    report.warning([...path, 'rooms'], 'rooms has no effect while group_policy is "disabled"');
  }
  for (const [index, room] of rooms.entries()) {
    if (shape.group_policy === 'allowlist' && !groupAllowlist.some((pattern) => pattern.matches(room))) {
      report.warning([...path, 'rooms', index], 'this room is not in group_allowlist, so the bot does not join it');
    }
  }
  const open = shape.dm_policy === 'open' || (shape.group_policy === 'open' && rooms.length > 0);
  if (shape.enabled && open && shape.limits.tokens_per_day === Infinity) {
    const message = 'tokens_per_day is off while anyone may talk to the bot: strangers can spend as much as they like';
    report.warning([...path, 'limits', 'tokens_per_day'], message);
  }
}

const SERVER_ONLY = 'this matches only the server itself; put "*@" before the domain to match everyone on it';

/** Descriptions of file system errors, by code. */
const FILE_PROBLEMS: ReadonlyMap<string, string> = new Map([
  ['ENOENT', 'there is no such file'],
  ['EACCES', 'permission denied'],
  ['EISDIR', 'it is a folder'],
]);

function readCertificates(report: Report, path: Path, file: string): string | undefined {
  let pem;
  try {
    pem = readFileSync(file, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    report.error(
      path,
      `ca_file cannot be read: ${FILE_PROBLEMS.get(code) ?? code}; relative paths start in the folder of this file`,
    );
    return undefined;
  }
  try {
    // Throws when the first certificate in the file is invalid.
    void new X509Certificate(pem).subject;
    return pem;
  } catch {
    report.error(path, 'ca_file has no certificate in PEM format (-----BEGIN CERTIFICATE-----)');
    return undefined;
  }
}

function withoutDuplicates(jids: readonly Jid[]): readonly Jid[] {
  return [...new Map(jids.map((jid) => [jid.toString(), jid])).values()];
}
