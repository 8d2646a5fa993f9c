/** The configuration as the bot uses it: checked, complete with its defaults, and readonly. `parseConfig` makes it. */
import type { Jid } from '../../xmpp-core/jid/jid.js';
import type { JidPattern } from './jid-pattern.js';
import type { Secret } from './secret.js';

/** A whole `moltis.toml`, as far as it concerns this program. */
export interface Config {
  /** All of them in the file's order, those with `enabled = false` too. At least one. */
  readonly accounts: readonly AccountConfig[];
  /** By name: every configured one, and the local ones that are named somewhere and need no table (`ollama`, `lmstudio`). */
  readonly providers: ReadonlyMap<string, ProviderConfig>;
  /** Absolute folders in which skill folders lie. */
  readonly skillPaths: readonly string[];
}

/** Who is answered: everyone, those on the list (an empty list is nobody), nobody. */
export const POLICIES = ['open', 'allowlist', 'disabled'] as const;
export type Policy = (typeof POLICIES)[number];

/** Which messages of a room are answered: those that address the bot, every one, none. */
export const MENTION_MODES = ['mention', 'always', 'none'] as const;
export type MentionMode = (typeof MENTION_MODES)[number];

/** Where an answer is shown while it grows, by corrections: nowhere, in direct messages, in rooms as well. */
export const STREAM_EDITS = ['off', 'dm', 'always'] as const;
export type StreamEdits = (typeof STREAM_EDITS)[number];

/** What a model may be given to use. The default is all of them. */
export const TOOL_NAMES = ['react', 'send_file', 'read_skill', 'room_members', 'room_history', 'now'] as const;
export type ToolName = (typeof TOOL_NAMES)[number];

/** What can be said differently for a room; here it is settled, an account's value standing in for what the room leaves out. */
interface Voice {
  /** A key of `Config.providers`. */
  readonly modelProvider: string;
  readonly model: string;
  readonly systemPrompt: string | undefined;
  /** Names of skills. */
  readonly skills: readonly string[];
  readonly tools: readonly ToolName[];
}

/** `[channels.xmpp.NAME]` */
export interface AccountConfig extends Voice {
  /** The NAME of its table. */
  readonly name: string;
  /** A digest of everything in the file that concerns the account: another one when the file was read again means that something changed. */
  readonly revision: string;
  readonly enabled: boolean;

  /** Bare, with a localpart; no other account has it. */
  readonly jid: Jid;
  readonly password: Secret;
  readonly resource: string;
  /** In rooms. The resource, unless set. */
  readonly nick: string;
  /** Where to connect instead of where DNS points. The certificate must still be for the JID's domain. */
  readonly server: ServerAddress | undefined;
  /** Only with `server`: TLS from the first byte. */
  readonly directTls: boolean;
  /** A `wss:` URL, or `ws:` to a loopback address. */
  readonly websocket: string | undefined;
  /** PEM: trusted as well as the system's, for XMPP, uploads and media. */
  readonly ca: string | undefined;

  /** Bare JIDs of the rooms to join, none twice. */
  readonly rooms: readonly Jid[];
  readonly dmPolicy: Policy;
  readonly groupPolicy: Policy;
  readonly mentionMode: MentionMode;
  readonly allowlist: readonly JidPattern[];
  readonly groupAllowlist: readonly JidPattern[];
  /** Bare. */
  readonly operators: readonly Jid[];

  /** Unicode code points a message. */
  readonly textChunkLimit: number;
  readonly mediaMaxMb: number;
  /** Lower case, `type/subtype` or `type/*`; see `matchesMediaType`. */
  readonly blockedMediaTypes: readonly string[];
  /** Lower-case host names and IP addresses (IPv6 without brackets). */
  readonly mediaPrivateHosts: readonly string[];
  readonly reactions: boolean;
  readonly streamEdits: StreamEdits;

  readonly limits: LimitsConfig;
  /** By canonical bare JID (`jid.bare.toString()`). Ask `roomConfig` instead: it knows the rooms that are not named, too. */
  readonly mucRooms: ReadonlyMap<string, RoomConfig>;
}

/** A host with an optional port; an IPv6 address stands here without its brackets. */
export interface ServerAddress {
  readonly host: string;
  readonly port: number | undefined;
}

/**
 * `[channels.xmpp.NAME.limits]`. Whole numbers from 1. One that is switched off, by writing `false`, is `Infinity` here, so that
 * `used >= limit` is right without a special case.
 */
export interface LimitsConfig {
  /** A sender. */
  readonly messagesPerMinute: number;
  /** A sender or a room. */
  readonly tokensPerDay: number;
  /** A conversation. */
  readonly turnsPerMinute: number;
  /** What a request carries of the past. */
  readonly historyTokens: number;
  /** Older questions get no answer. */
  readonly staleAfterMinutes: number;
}

/** `[channels.xmpp.NAME.muc_rooms."ROOM"]` */
export interface RoomConfig extends Voice {
  /** Bare. */
  readonly jid: Jid;
  readonly enabled: boolean;
  /** `require_mention` as a mode (true: `mention`, false: `always`), or the account's mode when it is not set. */
  readonly mentionMode: MentionMode;
  /** By real JID. `undefined`: not restricted. An empty list: nobody. */
  readonly users: readonly JidPattern[] | undefined;
  /** The room's own password. */
  readonly password: Secret | undefined;
}

/** `[providers.NAME]` */
export interface ProviderConfig {
  /** The NAME of its table, or the well-known name. */
  readonly name: string;
  /** `http:` or `https:`, without a slash at the end. */
  readonly baseUrl: string;
  readonly apiKey: Secret | undefined;
  /**
   * The first is the default. May be empty when accounts and rooms name their models, and for a `fallback` on this machine: that
   * is asked which models it has when it is needed.
   */
  readonly models: readonly string[];
  /** A key of `Config.providers`. Following fallbacks never leads in a circle. */
  readonly fallback: string | undefined;
  /** Seconds until the first content; may be a fraction. */
  readonly firstTokenSeconds: number;
  /** Seconds between two pieces of content; may be a fraction. */
  readonly idleSeconds: number;
  /** Before the first content only; 0 for none. */
  readonly retries: number;
}

/** What holds for a room of this account, named in `muc_rooms` or not. */
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
