/** The schema of the file: its keys, their values and defaults. */
import { z } from 'zod';
import { MENTION_MODES, POLICIES, STREAM_EDITS, TOOL_NAMES } from './config.js';
import { Secret } from './secret.js';
import { didYouMean } from './suggestion.js';
import {
  readAccountJid,
  readBaseUrl,
  readHost,
  readJidPattern,
  readMediaType,
  readResource,
  readRoomJid,
  readRoomPattern,
  readServer,
  readSkillName,
  readWebSocketUrl,
  ValueError,
} from './values.js';

// Messages follow the setting's name and never quote a value. Defaults use `prefault`, which takes the value as in the file; `default`
// takes the transformed value, which a JSON Schema cannot show.

/** The message for a value of the wrong type, or a missing one. */
function mustBe(what: string): { readonly error: (issue: { readonly input?: unknown }) => string } {
  return { error: ({ input }) => (input === undefined ? 'is missing' : `must be ${what}`) };
}

const text = () => z.string(mustBe('a string in quotes')).min(1, { error: 'must not be empty' });
const flag = () => z.boolean(mustBe('true or false'));
const list = <T extends z.ZodType>(item: T) => z.array(item, mustBe('a list in square brackets'));
const table = <T extends z.ZodRawShape>(shape: T) => z.strictObject(shape, mustBe('a table'));
const count = () => z.int(mustBe('a whole number')).min(1, { error: 'must be 1 or more' });
const seconds = () => z.number(mustBe('a number of seconds')).positive({ error: 'must be more than 0' });
const secret = () => text().transform((value) => new Secret(value));

/** A limit that `false` switches off; a number such as 0 or -1 could be a mistake. */
const limit = () => {
  const error = 'must be a whole number, 1 or more, or false for no limit';
  return z
    .union([z.int().min(1, { error }), z.literal(false)], { error })
    .transform((value) => (value === false ? Infinity : value));
};

function choice<const T extends readonly [string, ...string[]]>(options: T) {
  const all = options.map((option) => `"${option}"`);
  const words = `${all.slice(0, -1).join(', ')} or ${all.at(-1) ?? ''}`;
  return z.enum(options, {
    error: ({ input }) => `must be ${words}${typeof input === 'string' ? didYouMean(input, options) : ''}`,
  });
}

/** A string that `reader` parses. */
function read<T>(reader: (text: string) => T) {
  return text().transform((value, context) => {
    try {
      return reader(value);
    } catch (error) {
      if (!(error instanceof ValueError)) throw error;
      context.addIssue({ code: 'custom', message: error.message, params: { detail: error.detail } });
      return z.NEVER;
    }
  });
}

/** A key that only Moltis itself reads. */
const moltisOwn = () => z.unknown().optional().describe('Used by Moltis, ignored here.');
const providerKeysOfMoltis = {
  alias: moltisOwn(),
  fetch_models: moltisOwn(),
  stream_transport: moltisOwn(),
  wire_api: moltisOwn(),
  tool_mode: moltisOwn(),
  cache_retention: moltisOwn(),
  policy: moltisOwn(),
  model_overrides: moltisOwn(),
  idle_timeout_secs: moltisOwn(),
};
const skillsKeysOfMoltis = { enabled: moltisOwn(), auto_load: moltisOwn() };

/** The settings in our tables that only Moltis reads, as patterns of `settingsAt`. */
export const moltisSettings: readonly string[] = [
  ...Object.keys(providerKeysOfMoltis).map((key) => `providers.*.${key}`),
  ...Object.keys(skillsKeysOfMoltis).map((key) => `skills.${key}`),
];

const limitsSchema = table({
  messages_per_minute: limit().prefault(20).describe('Messages per minute from one sender.'),
  tokens_per_day: limit().prefault(200_000).describe('Tokens per day for one sender or room.'),
  turns_per_minute: limit().prefault(30).describe('Answers per minute in one conversation.'),
  bot_turns: limit().prefault(10).describe('Answers in a row that only programs have asked for.'),
  history_tokens: limit().prefault(16_000).describe('Tokens of history sent with each request.'),
  stale_after_minutes: limit()
    .prefault(60)
    .describe('After an absence, questions older than this become context and get no answer.'),
});

/** The settings that an account and a room share. */
const modelSettings = {
  model: text().optional().describe("Model to use. Default: the provider's first model."),
  model_provider: text().optional().describe('NAME of a [providers.NAME]. Required when there are several.'),
  system_prompt: text().optional().describe('Instructions for the model.'),
  skills: list(read(readSkillName)).optional().describe('Names of the skills that the model can use.'),
  tools: list(choice(TOOL_NAMES)).optional().describe('Tools that the model can use. Default: all.'),
};

const roomSchema = table({
  enabled: flag().prefault(true).describe('false: the bot does not join this room.'),
  require_mention: flag().optional().describe('Answer only messages that address the bot. Overrides mention_mode.'),
  users: list(read(readJidPattern)).optional().describe('Real JIDs that get answers. Default: everyone.'),
  password: secret().optional().describe('Password of the room; "${NAME}" reads it from the environment.'),
  ...modelSettings,
});

/** `[channels.xmpp.NAME]` */
export const accountSchema = table({
  jid: read(readAccountJid).describe('Bare JID of the bot, such as "bot@example.com".'),
  password: secret().describe('Password of the account; "${NAME}" reads it from the environment.'),
  resource: read(readResource)
    .prefault('moltis')
    .describe('Resource to bind. Also the nickname in rooms, unless nick is set.'),
  nick: read(readResource).optional().describe('Nickname in rooms. Default: the resource.'),
  server: read(readServer).optional().describe('Host or host:port to connect to, instead of a DNS lookup.'),
  direct_tls: flag().prefault(false).describe('With server: connect with direct TLS instead of StartTLS.'),
  websocket: read(readWebSocketUrl).optional().describe('wss:// URL to connect to instead of TCP.'),
  ca_file: text().optional().describe('PEM file with an additional certificate authority to trust.'),
  enabled: flag().prefault(true).describe('false: this account stays offline.'),
  rooms: list(read(readRoomJid)).prefault([]).describe('Rooms to join.'),
  dm_policy: choice(POLICIES).prefault('open').describe('Who gets answers to direct messages.'),
  group_policy: choice(POLICIES).prefault('open').describe('Which rooms the bot may join.'),
  mention_mode: choice(MENTION_MODES).prefault('mention').describe('Which messages in rooms get an answer.'),
  allowlist: list(read(readJidPattern))
    .prefault([])
    .describe('Bare JIDs that dm_policy = "allowlist" lets in; * works in the local part and the domain.'),
  group_allowlist: list(read(readRoomPattern))
    .prefault([])
    .describe('Rooms that group_policy = "allowlist" lets the bot join; * works in the local part and the domain.'),
  operators: list(read(readAccountJid))
    .prefault([])
    .describe('Bare JIDs that may use operator commands. They need no entry in the lists.'),
  text_chunk_limit: count().prefault(4000).describe('Maximum number of characters per message.'),
  media_max_mb: count().prefault(20).describe('Maximum size of a file, in megabytes.'),
  blocked_media_types: list(read(readMediaType))
    .prefault([])
    .describe('Media types that are neither fetched nor sent, such as "video/*".'),
  media_private_hosts: list(read(readHost))
    .prefault([])
    .describe('Hosts on private addresses from which files may be fetched.'),
  reactions: flag().prefault(true).describe('Mark slow questions with an emoji, and let the model react to messages.'),
  stream_edits: choice(STREAM_EDITS).prefault('dm').describe('Where an answer is shown while it is being written.'),
  limits: limitsSchema.prefault({}),
  muc_rooms: z
    .record(z.string(), roomSchema, mustBe('a table'))
    .prefault({})
    .describe('Settings for single rooms, by JID.'),
  ...modelSettings,
});

/** `[providers.NAME]` */
export const providerSchema = table({
  enabled: flag().prefault(true).describe('false: this provider is never asked.'),
  api_key: secret().optional().describe('API key; "${NAME}" reads it from the environment.'),
  base_url: read(readBaseUrl)
    .optional()
    .describe('URL of an OpenAI-compatible endpoint. Built in for well-known providers.'),
  models: list(text()).prefault([]).describe('Available models. The first is the default.'),
  fallback: text().optional().describe('Provider to use when this one fails before any text was sent.'),
  first_token_s: seconds().prefault(60).describe('Maximum seconds until the first content.'),
  idle_s: seconds().prefault(30).describe('Maximum seconds between two pieces of content.'),
  retries: z
    .int(mustBe('a whole number'))
    .min(0, { error: 'must be 0 or more' })
    .prefault(2)
    .describe('Retries, only before the first content.'),
  ...providerKeysOfMoltis,
});

/** The keys of `[providers]` that are not providers. */
export const providersOwnKeys = { offered: moltisOwn(), show_legacy_models: moltisOwn() };

/** `[skills]` */
export const skillsSchema = table({
  search_paths: list(text()).prefault([]).describe('Folders that contain skill folders, relative to this file.'),
  ...skillsKeysOfMoltis,
});

/** The whole file, for editors. `parseConfig` validates section by section, to report as many errors as possible at once. */
export const fileSchema = z.looseObject({
  channels: z.looseObject({ xmpp: z.record(z.string(), accountSchema).optional() }).optional(),
  providers: z.object(providersOwnKeys).catchall(providerSchema).optional(),
  skills: skillsSchema.optional(),
});

/** A validated account table. */
export type AccountShape = z.output<typeof accountSchema>;
/** A validated room table. */
export type RoomShape = z.output<typeof roomSchema>;
/** A validated provider table. */
export type ProviderShape = z.output<typeof providerSchema>;
