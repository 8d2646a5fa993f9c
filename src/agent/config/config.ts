/** The configuration as the bot uses it: validated, with defaults, and readonly. Created by `parseConfig`. */
import type { Jid } from '../../xmpp-core/jid/jid.js';
import type { JidPattern } from './jid-pattern.js';
import type { Secret } from './secret.js';

/** The part of a `moltis.toml` that this program uses. */
export interface Config {
  /** All accounts in file order, including those with `enabled = false`. At least one. */
  readonly accounts: readonly AccountConfig[];
  /** By name: every configured one, and local ones in use that need no table (`ollama`, `lmstudio`). */
  readonly providers: ReadonlyMap<string, ProviderConfig>;
  /** Absolute paths of the folders with skill folders. */
  readonly skillPaths: readonly string[];
}

/** Who is answered: everyone, the senders or rooms on the allowlist (nobody if it is empty), or nobody. */
export const POLICIES = ['open', 'allowlist', 'disabled'] as const;
/** One of `POLICIES`. */
export type Policy = (typeof POLICIES)[number];

/** Which messages in a room are answered: those that address the bot, all, or none. */
export const MENTION_MODES = ['mention', 'always', 'none'] as const;
/** One of `MENTION_MODES`. */
export type MentionMode = (typeof MENTION_MODES)[number];

/** Where a growing answer is shown, by message corrections: nowhere, in direct messages, or in rooms too. */
export const STREAM_EDITS = ['off', 'dm', 'always'] as const;
/** One of `STREAM_EDITS`. */
export type StreamEdits = (typeof STREAM_EDITS)[number];

/** The tools for models. Default: all. */
export const TOOL_NAMES = ['react', 'send_file', 'read_skill', 'room_members', 'room_history', 'now'] as const;
/** One of `TOOL_NAMES`. */
export type ToolName = (typeof TOOL_NAMES)[number];

/** Settings that a room can override. In a room's configuration, the account's values fill in what the room leaves out. */
interface ModelSettings {
  /** A key of `Config.providers`. */
  readonly modelProvider: string;
  readonly model: string;
  readonly systemPrompt: string | undefined;
  /** Names of skills. */
  readonly skills: readonly string[];
  readonly tools: readonly ToolName[];
}

/** An account: `[channels.xmpp.NAME]`. */
export interface AccountConfig extends ModelSettings {
  /** The NAME of its table. */
  readonly name: string;
  /** A digest of all settings that concern the account: it differs after a reload when one of them changed. */
  readonly revision: string;
  readonly enabled: boolean;

  /** Bare, with a localpart; unique among the accounts. */
  readonly jid: Jid;
  readonly password: Secret;
  readonly resource: string;
  /** Nickname in rooms. Default: the resource. */
  readonly nick: string;
  /** The server to connect to, instead of a DNS lookup. The certificate must still be for the JID's domain. */
  readonly server: ServerAddress | undefined;
  /** Only with `server`: direct TLS instead of StartTLS. */
  readonly directTls: boolean;
  /** A `wss:` URL, or `ws:` to a loopback address. */
  readonly websocket: string | undefined;
  /** PEM certificates, trusted in addition to the system's, for XMPP, uploads and media. */
  readonly ca: string | undefined;

  /** Bare JIDs of the rooms to join, without duplicates. */
  readonly rooms: readonly Jid[];
  readonly dmPolicy: Policy;
  readonly groupPolicy: Policy;
  readonly mentionMode: MentionMode;
  readonly allowlist: readonly JidPattern[];
  readonly groupAllowlist: readonly JidPattern[];
  /** Bare JIDs. */
  readonly operators: readonly Jid[];

  /** Maximum length of a message, in Unicode code points. */
  readonly textChunkLimit: number;
  readonly mediaMaxMb: number;
  /** Lower case, `type/subtype` or `type/*`; see `matchesMediaType`. */
  readonly blockedMediaTypes: readonly string[];
  /** Lower-case host names and IP addresses (IPv6 without brackets). */
  readonly mediaPrivateHosts: readonly string[];
  readonly reactions: boolean;
  readonly streamEdits: StreamEdits;

  readonly limits: LimitsConfig;
  /** By canonical bare JID (`jid.bare.toString()`). Use `roomConfig` instead, which also covers rooms without a table. */
  readonly mucRooms: ReadonlyMap<string, RoomConfig>;
}

/** A host with an optional port; an IPv6 address has no brackets. */
export interface ServerAddress {
  readonly host: string;
  readonly port: number | undefined;
}

/**
 * `[channels.xmpp.NAME.limits]`: whole numbers from 1. A limit that is `false` in the file is `Infinity` here, so that
 * `used >= limit` needs no special case.
 */
export interface LimitsConfig {
  /** Per sender. */
  readonly messagesPerMinute: number;
  /** Per sender or room. */
  readonly tokensPerDay: number;
  /** Per conversation. */
  readonly turnsPerMinute: number;
  /** Answers in a row, per conversation, that only programs have asked for. */
  readonly botTurns: number;
  /** History in one request to the model, in tokens. */
  readonly historyTokens: number;
  /** Older questions are not answered. */
  readonly staleAfterMinutes: number;
}

/** A room: `[channels.xmpp.NAME.muc_rooms."ROOM"]`. */
export interface RoomConfig extends ModelSettings {
  /** Bare. */
  readonly jid: Jid;
  readonly enabled: boolean;
  /** `require_mention` as a mode (true: `mention`, false: `always`), or the account's mode when it is not set. */
  readonly mentionMode: MentionMode;
  /** Who is answered, by real JID. `undefined`: everyone. An empty list: nobody. */
  readonly users: readonly JidPattern[] | undefined;
  /** The room's own password. */
  readonly password: Secret | undefined;
}

/** A provider: `[providers.NAME]`. */
export interface ProviderConfig {
  /** The NAME of its table, or the well-known name. */
  readonly name: string;
  /** `http:` or `https:`, without a slash at the end. */
  readonly baseUrl: string;
  readonly apiKey: Secret | undefined;
  /**
   * The first is the default. May be empty when accounts and rooms name their models, and for a `fallback` on this machine, which
   * is asked for its list on demand.
   */
  readonly models: readonly string[];
  /** A key of `Config.providers`. Fallbacks contain no cycle. */
  readonly fallback: string | undefined;
  /** Seconds until the first content; may be a fraction. */
  readonly firstTokenSeconds: number;
  /** Seconds between two pieces of content; may be a fraction. */
  readonly idleSeconds: number;
  /** Retries before the first content; 0 for none. */
  readonly retries: number;
}

/** The configuration of a room of this account, whether `muc_rooms` names it or not. */
export function roomConfig(account: AccountConfig, room: Jid): RoomConfig {
  const { mentionMode, modelProvider, model, systemPrompt, skills, tools } = account;
  return (
    account.mucRooms.get(room.bare.toString()) ?? {
      jid: room.bare,
      enabled: true,
      mentionMode,
      users: undefined,
      password: undefined,
      modelProvider,
      model,
      systemPrompt,
      skills,
      tools,
    }
  );
}
