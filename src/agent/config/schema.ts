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

const text = () => z.string(mustBe('a text in quotes')).min(1, { error: 'must not be empty' });
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
const moltisOwn = () => z.unknown().optional().describe('Read by Moltis, left alone here.');
const providerKeysOfMoltis = {
  enabled: moltisOwn(),
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
  messages_per_minute: limit().prefault(20).describe('Messages a sender may send in a minute.'),
  tokens_per_day: limit().prefault(200_000).describe('Tokens that a sender or a room may use in a day.'),
  turns_per_minute: limit().prefault(30).describe('Answers in one conversation in a minute.'),
  history_tokens: limit().prefault(16_000).describe('Tokens of the past that a request carries.'),
  stale_after_minutes: limit().prefault(60).describe('Questions older than this get no answer.'),
});

/** The settings that an account and a room share. */
const modelSettings = {
  model: text().optional().describe("The model; the provider's first, unless set."),
  model_provider: text().optional().describe('The NAME of a [providers.NAME]; the only one there is, unless set.'),
  system_prompt: text().optional().describe('What the model is told to be.'),
  skills: list(read(readSkillName)).optional().describe('Names of skills that the model may read.'),
  tools: list(choice(TOOL_NAMES)).optional().describe('Tools that the model may use; all of them, unless set.'),
};

const roomSchema = table({
  enabled: flag().prefault(true).describe('False: the bot is not in this room.'),
  require_mention: flag()
    .optional()
    .describe('Whether only messages that address the bot are answered; wins over mention_mode.'),
  users: list(read(readJidPattern)).optional().describe('Real JIDs that are answered; everyone, unless set.'),
  password: secret().optional().describe('Password of the room.'),
  ...modelSettings,
});

/** `[channels.xmpp.NAME]` */
export const accountSchema = table({
  jid: read(readAccountJid).describe('Bare JID of the bot, "bot@example.com".'),
  password: secret().describe('Its password; "${NAME}" reads it from the environment.'),
  resource: read(readResource)
    .prefault('moltis')
    .describe('The bound resource, and the nick in rooms unless nick is set.'),
  nick: read(readResource).optional().describe('The nick in rooms.'),
  server: read(readServer).optional().describe('Host or host:port to connect to, instead of where DNS points.'),
  direct_tls: flag().prefault(false).describe('With server: TLS from the first byte.'),
  websocket: read(readWebSocketUrl).optional().describe('wss:// URL to connect to instead of TCP.'),
  ca_file: text().optional().describe('PEM file of a certificate authority to trust as well.'),
  enabled: flag().prefault(true).describe('False: this account stays offline.'),
  rooms: list(read(readRoomJid)).prefault([]).describe('Rooms to join.'),
  dm_policy: choice(POLICIES).prefault('open').describe('Whose direct messages are answered.'),
  group_policy: choice(POLICIES).prefault('open').describe('In which rooms the bot answers.'),
  mention_mode: choice(MENTION_MODES).prefault('mention').describe('Which messages in rooms are answered.'),
  allowlist: list(read(readJidPattern))
    .prefault([])
    .describe('Bare JIDs for dm_policy; * in the local part or the domain.'),
  group_allowlist: list(read(readRoomPattern))
    .prefault([])
    .describe('Rooms for group_policy; * in the local part or the domain.'),
  operators: list(read(readAccountJid))
    .prefault([])
    .describe('Bare JIDs that are answered whatever the lists say, unless a policy is disabled.'),
  text_chunk_limit: count().prefault(4000).describe('Characters a message.'),
  media_max_mb: count().prefault(20).describe('Megabytes of one file that is fetched.'),
  blocked_media_types: list(read(readMediaType))
    .prefault([])
    .describe('Media types that are not fetched, such as "video/*".'),
  media_private_hosts: list(read(readHost))
    .prefault([])
    .describe('Hosts on private addresses that media may be fetched from.'),
  reactions: flag().prefault(true).describe('Whether the bot reacts to messages.'),
  stream_edits: choice(STREAM_EDITS).prefault('dm').describe('Where an answer is shown while it grows.'),
  limits: limitsSchema.prefault({}),
  muc_rooms: z
    .record(z.string(), roomSchema, mustBe('a table'))
    .prefault({})
    .describe('What is different in a room, by its JID.'),
  ...modelSettings,
});

/** `[providers.NAME]` */
export const providerSchema = table({
  api_key: secret().optional().describe('Its key; "${NAME}" reads it from the environment.'),
  base_url: read(readBaseUrl)
    .optional()
    .describe('URL of an OpenAI-compatible endpoint; built in for well-known names.'),
  models: list(text()).prefault([]).describe('Its models; the first is the default.'),
  fallback: text().optional().describe('Provider that is asked when this one fails before any text was sent.'),
  first_token_s: seconds().prefault(60).describe('Seconds until the first content.'),
  idle_s: seconds().prefault(30).describe('Seconds between two pieces of content.'),
  retries: z
    .int(mustBe('a whole number'))
    .min(0, { error: 'must be 0 or more' })
    .prefault(2)
    .describe('Attempts after the first, before the first content only.'),
  ...providerKeysOfMoltis,
});

/** The keys of `[providers]` that are not providers. */
export const providersOwnKeys = { offered: moltisOwn(), show_legacy_models: moltisOwn() };

/** `[skills]` */
export const skillsSchema = table({
  search_paths: list(text()).prefault([]).describe('Folders of skill folders, relative to this file.'),
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
