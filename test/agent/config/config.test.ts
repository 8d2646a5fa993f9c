import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { inspect } from 'node:util';
import t from 'tap';
import { roomConfig, type AccountConfig, type Config } from '../../../src/agent/config/config.js';
import { formatFinding } from '../../../src/agent/config/finding.js';
import { JidPattern } from '../../../src/agent/config/jid-pattern.js';
import { ConfigError, findDataDirectory, loadConfig } from '../../../src/agent/config/load-config.js';
import { matchesMediaType } from '../../../src/agent/config/media-type.js';
import { configJsonSchema, parseConfig } from '../../../src/agent/config/parse-config.js';
import { Secret } from '../../../src/agent/config/secret.js';
import { Jid, JidError } from '../../../src/xmpp-core/jid/jid.js';
import { ACCOUNT, IN_ACCOUNT, PROVIDER, WHOLE_FILES } from './config-findings.js';

type Environment = Readonly<Record<string, string>>;

/** Never runs out (until 2126); nobody has its key. */
const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBejCCASGgAwIBAgIUC4yjZaHDY3UYaTeelkigK+nYjo8wCgYIKoZIzj0EAwIw
EjEQMA4GA1UEAwwHVGVzdCBDQTAgFw0yNjExMjIyMDUzMjJaGA8yMTI2MTAyOTIw
NTMyMlowEjEQMA4GA1UEAwwHVGVzdCBDQTBZMBMGByqGSM49AgEGCCqGSM49AwEH
A0IABMzyoKvz53RTiFPVEVVC5C2K6e5TZYk6Y/7wjLYuL0DGMO8e4Rz4vXlqGYoQ
1n8WYaLXCcM+JedX+oEjfdXdUVGjUzBRMB0GA1UdDgQWBBRssafcrc28E5gTG8Qg
UGqDt8Cz9jAfBgNVHSMEGDAWgBRssafcrc28E5gTG8QgUGqDt8Cz9jAPBgNVHRMB
Af8EBTADAQH/MAoGCCqGSM49BAMCA0cAMEQCIFFFfqt8KDdxqVFDEu5L5/LlwDRd
R0dcx5DNh5SXRScBAiAI5+XlC1ttLdhImB+519NYgmqfCEG43R/EH4Kzh+iDJQ==
-----END CERTIFICATE-----
`;

const skill = (name: string): string => `---\nname: ${name}\ndescription: Explains things.\n---\nExplain it.\n`;
const directory = t.testdir({
  'ca.pem': CERTIFICATE,
  'not-a-ca.pem': 'hello',
  work: { 'moltis.toml': ACCOUNT + PROVIDER },
  configured: { 'moltis.toml': ACCOUNT + PROVIDER },
  home: { '.config': { moltis: { 'moltis.toml': ACCOUNT + PROVIDER } } },
  empty: {},
  skills: {
    explain: { 'SKILL.md': skill('explain') },
    'code-review': { 'SKILL.md': skill('code-review') },
    renamed: { 'SKILL.md': skill('named-otherwise') },
    headless: { 'SKILL.md': 'Explain it.' },
    garbled: { 'SKILL.md': '---\nname: garbled\ndescription: when: it fits\n---\n' },
    mute: { 'SKILL.md': '---\nname: mute\n---\n' },
    chatty: { 'SKILL.md': `---\nname: chatty\ndescription: ${'x'.repeat(1025)}\n---\n` },
    linked: { 'SKILL.md': t.fixture('symlink', '../explain/SKILL.md') },
    other: {},
  },
});

const parse = (text: string, env: Environment = {}) =>
  parseConfig(text, { file: 'moltis.toml', env, baseDirectory: directory });

/** Cannot read the configuration of a text that must be without errors. */
function configOf(text: string, env: Environment = {}): Config {
  const { config, findings } = parse(text, env);
  if (!config) throw new Error(findings.map(formatFinding).join('\n'));
  return config;
}

function firstAccount(text: string, env: Environment = {}): AccountConfig {
  const [account] = configOf(text, env).accounts;
  if (!account) throw new Error('there is no account');
  return account;
}

const check = (text: string) => parse(text).findings.map(formatFinding);
const placed = (findings: readonly string[]) => findings.map((finding) => `moltis.toml:${finding}`);

// [promise-check-position] [promise-config-literal] [pitfall-variables-of-shells] [promise-check-suggestion] [promise-check-open] [promise-config-errors] [promise-account-jid]
t.test('every mistake is reported at its line and column, with what would be right', async (t) => {
  for (const [added, ...findings] of IN_ACCOUNT) t.same(check(ACCOUNT + added + PROVIDER), placed(findings), added);
  for (const [text, ...findings] of WHOLE_FILES) t.same(check(text), placed(findings), text);
});

// [promise-skills-check]
t.test('a skill that cannot be found or read is reported at its name, with the reason', async (t) => {
  const folders = '[skills]\nsearch_paths = ["./none", "./skills"]\n';
  const checked = (skills: string, more = folders): readonly string[] =>
    check(`${ACCOUNT}skills = ${skills}${PROVIDER}${more}`);
  const wrong = (column: number, why: string): readonly string[] =>
    placed([`4:${column}: this skill cannot be used: ${why}`]);
  t.same(checked('["explain", "code-review"]'), []);
  t.same(checked('["explain"]', ''), wrong(11, 'search_paths of [skills] is empty'));
  const missing = 'search_paths of [skills] has no skill with this name';
  t.same(checked('["explain", "explian"]'), wrong(22, `${missing}; did you mean "explain"?`));
  t.same(checked('["other"]'), wrong(11, missing));
  t.same(checked('["renamed"]'), wrong(11, 'the name in SKILL.md differs from the name of its folder'));
  t.same(checked('["headless"]'), wrong(11, 'SKILL.md does not start with front matter between two "---" lines'));
  t.match(checked('["garbled"]'), [
    /^moltis.toml:4:11: this skill cannot be used: the front matter of SKILL.md is not YAML: /,
  ]);
  t.same(checked('["linked"]'), wrong(11, 'SKILL.md is a link out of its folder'));
  t.same(checked('["mute"]'), wrong(11, 'SKILL.md has no description'));
  t.same(checked('["chatty"]'), wrong(11, 'the description in SKILL.md is longer than 1024 characters'));
  const room = '[channels.xmpp.bot.muc_rooms."team@conference.example.com"]\nskills = ["none"]';
  const inRoom = `${ACCOUNT}rooms = ["team@conference.example.com"]\n${room}${PROVIDER}${folders}`;
  t.same(check(inRoom), placed([`6:11: this skill cannot be used: ${missing}`]));
});

t.test('a configuration is returned exactly when no finding is an error', async (t) => {
  const texts = [...IN_ACCOUNT.map(([added]) => ACCOUNT + added + PROVIDER), ...WHOLE_FILES.map(([text]) => text)];
  for (const text of texts) {
    const { config, findings } = parse(text);
    t.equal(
      config === undefined,
      findings.some(({ severity }) => severity === 'error'),
      text,
    );
  }
});

// [promise-check-secret]
t.test('no finding quotes a secret', async (t) => {
  const texts = [...IN_ACCOUNT.map(([added]) => ACCOUNT + added + PROVIDER), ...WHOLE_FILES.map(([text]) => text)];
  for (const text of texts) t.notMatch(check(text).join('\n'), 'hunter2', text);
  // Mistakes right beside a secret, or in what holds one.
  for (const text of [
    'password = "hunter2',
    'password = hunter2',
    'password = "hunter2\\q"',
    'password = ["hunter2"]',
    'password = "hunter2${"',
    'password = { value = "hunter2" }',
    'password = "hunter2" "hunter2"',
  ]) {
    const findings = check(`[channels.xmpp.bot]\njid = "bot@example.com"\n${text}\n${PROVIDER}`);
    t.not(findings.length, 0, text);
    t.notMatch(findings.join('\n'), 'hunter2', text);
  }
});

// [promise-check-secret]
t.test('no finding quotes a value from the environment, wherever it is used', async (t) => {
  const one = [
    'jid',
    'password',
    'resource',
    'nick',
    'server',
    'websocket',
    'ca_file',
    'dm_policy',
    'model',
    'model_provider',
    'limits',
  ];
  const many = [
    'rooms',
    'allowlist',
    'group_allowlist',
    'operators',
    'blocked_media_types',
    'media_private_hosts',
    'skills',
    'tools',
  ];
  const provider = ['api_key', 'base_url', 'fallback', 'retries', 'models'];
  for (const leak of [
    'hunter2 @ hunter2 / hunter2',
    'hunter2',
    '\u0000hunter2\u0000@hunter2',
    'https://hunter2:hunter2@hunter2/',
  ]) {
    const text = [
      '[channels.xmpp.bot]',
      ...one.map((key) => `${key} = "\${LEAK}"`),
      ...many.map((key) => `${key} = ["\${LEAK}"]`),
      '[providers.a]',
      ...provider.map((key) => `${key} = "\${LEAK}"`),
    ].join('\n');
    const findings = parse(text, { LEAK: leak }).findings.map(formatFinding).join('\n');
    t.match(findings, 'retries must be a whole number');
    t.notMatch(findings, 'hunter2', JSON.stringify(leak));
  }
  const { findings } = parse(`${ACCOUNT}model = "\${LEAK}"${PROVIDER}`, { LEAK: 'ollama/hunter2' });
  t.same(findings.map(formatFinding), placed(['4:9: warning: ollama is asked for the model without "ollama/"']));
});

t.test('a secret is only shown by reveal()', async (t) => {
  const config = configOf(
    `${ACCOUNT}model_provider = "openai"\n[providers.openai]\nmodels = ["m"]\napi_key = "hunter2"\n`,
  );
  t.notMatch(JSON.stringify(config), 'hunter2');
  t.notMatch(inspect([config, config.providers], { depth: 9, showHidden: true }), 'hunter2');
  t.equal(String(new Secret('hunter2')), '[secret]');
  t.equal(config.accounts[0]?.password.reveal(), 'hunter2');
  t.equal(config.providers.get('openai')?.apiKey?.reveal(), 'hunter2');
});

// [promise-account-jid] [promise-model-choice] [promise-model-models]
t.test('an account of three lines gets the documented defaults', async (t) => {
  const { jid, password, revision: _, ...rest } = firstAccount(ACCOUNT + PROVIDER);
  t.equal(jid.toString(), 'bot@example.com');
  t.equal(password.reveal(), 'hunter2');
  t.same(rest, {
    name: 'bot',
    enabled: true,
    resource: 'moltis',
    nick: 'moltis',
    server: undefined,
    directTls: false,
    websocket: undefined,
    ca: undefined,
    rooms: [],
    dmPolicy: 'open',
    groupPolicy: 'open',
    mentionMode: 'mention',
    allowlist: [],
    groupAllowlist: [],
    operators: [],
    textChunkLimit: 4000,
    mediaMaxMb: 20,
    blockedMediaTypes: [],
    mediaPrivateHosts: [],
    reactions: true,
    streamEdits: 'dm',
    modelProvider: 'ollama',
    model: 'llama3.2',
    systemPrompt: undefined,
    skills: [],
    tools: ['react', 'send_file', 'read_skill', 'room_members', 'room_history', 'now'],
    limits: {
      messagesPerMinute: 20,
      tokensPerDay: 200_000,
      turnsPerMinute: 30,
      botTurns: 10,
      historyTokens: 16_000,
      staleAfterMinutes: 60,
    },
    mucRooms: new Map(),
  });
});

/** The example of the documentation, with its "…" filled in. */
const EXAMPLE = `
[channels.xmpp.my-bot]                 # any number of accounts
jid = "bot@example.com"
password = "\${BOT_PASSWORD}"
resource = "moltis"
nick = "moltis"
server = "xmpp.example.com"
direct_tls = false
websocket = "wss://xmpp.example.com/ws"
ca_file = "ca.pem"
enabled = true
rooms = ["team@conference.example.com"]

dm_policy = "open"
group_policy = "open"
mention_mode = "mention"
allowlist = ["alice@example.com", "*@trusted.org"]
group_allowlist = ["team@conference.example.com"]
operators = ["me@example.com"]

text_chunk_limit = 4000
media_max_mb = 20
blocked_media_types = ["video/*"]
media_private_hosts = []
reactions = true
stream_edits = "dm"

model = "claude-sonnet-4-20250514"
model_provider = "anthropic"
system_prompt = "You are a helpful assistant."
skills = ["explain"]
tools = ["react", "send_file", "read_skill", "room_members", "room_history", "now"]

[channels.xmpp.my-bot.limits]
messages_per_minute = 20
tokens_per_day = 200000
turns_per_minute = 30
history_tokens = 16000
stale_after_minutes = 60

[channels.xmpp.my-bot.muc_rooms."team@conference.example.com"]
enabled = true
require_mention = false
system_prompt = "You are a helpful coding assistant for the dev team."
skills = ["code-review", "explain"]
users = ["alice@example.com", "bob@example.com"]
tools = ["now"]
model = "claude-opus-4-20250514"
password = "\${ROOM_PASSWORD}"

[providers.anthropic]
api_key = "\${ANTHROPIC_API_KEY}"
base_url = "https://api.anthropic.com/v1"
models = ["claude-sonnet-4-20250514"]
fallback = "ollama"
first_token_s = 60
idle_s = 30
retries = 2

[skills]
search_paths = ["./skills"]

[memory]                               # another part of a Moltis file
key = "\${NOT_OURS}"
`;
const EXAMPLE_ENVIRONMENT = { BOT_PASSWORD: 'one', ROOM_PASSWORD: 'two', ANTHROPIC_API_KEY: 'three' };

t.test('settings of a room that the bot does not join get a warning', (t) => {
  const file = (rooms: string) =>
    `${ACCOUNT}rooms = [${rooms}]\n[channels.xmpp.bot.muc_rooms."Team@conference.example.com"]\nenabled = true\n${PROVIDER}`;
  const warned = 'this room is not in rooms, so the bot joins it only when an operator asks';
  const messages = (text: string) => parse(text).findings.map(({ line, message }) => [line, message]);
  t.same(messages(file('"lab@conference.example.com"')), [[5, warned]]);
  t.same(messages(file('"team@conference.example.com"')), []);
  t.end();
});

// [promise-config-foreign]
t.test('the documented example is read completely, without an error', async (t) => {
  const config = configOf(EXAMPLE, EXAMPLE_ENVIRONMENT);
  const [account] = config.accounts;
  t.equal(account?.name, 'my-bot');
  t.equal(account?.password.reveal(), 'one');
  t.same(account?.server, { host: 'xmpp.example.com', port: undefined });
  t.equal(account?.websocket, 'wss://xmpp.example.com/ws');
  t.equal(account?.ca, CERTIFICATE);
  t.same(account?.rooms.map(String), ['team@conference.example.com']);
  t.same(account?.allowlist.map(String), ['alice@example.com', '*@trusted.org']);
  t.same(account?.operators.map(String), ['me@example.com']);
  t.same(account?.blockedMediaTypes, ['video/*']);
  t.equal(account?.systemPrompt, 'You are a helpful assistant.');

  const room = account?.mucRooms.get('team@conference.example.com');
  t.equal(room?.mentionMode, 'always');
  t.equal(room?.systemPrompt, 'You are a helpful coding assistant for the dev team.');
  t.same(room?.skills, ['code-review', 'explain']);
  t.same(room?.users?.map(String), ['alice@example.com', 'bob@example.com']);
  t.equal(room?.modelProvider, 'anthropic');
  t.equal(room?.model, 'claude-opus-4-20250514');
  t.equal(room?.password?.reveal(), 'two');

  const { apiKey, ...anthropic } = config.providers.get('anthropic') ?? {};
  t.equal(apiKey?.reveal(), 'three');
  t.same(anthropic, {
    name: 'anthropic',
    baseUrl: 'https://api.anthropic.com/v1',
    models: ['claude-sonnet-4-20250514'],
    fallback: 'ollama',
    firstTokenSeconds: 60,
    idleSeconds: 30,
    retries: 2,
  });
  t.equal(config.providers.get('ollama')?.baseUrl, 'http://127.0.0.1:11434/v1', 'a local provider needs no table');
  t.same(config.skillPaths, [join(directory, 'skills')]);
});

t.test(
  'a room takes the settings that it leaves out from its account, and so does a room without a table',
  async (t) => {
    const account = firstAccount(`${ACCOUNT}
mention_mode = "always"
model = "qwen3"
model_provider = "ollama"
system_prompt = "Be kind."
tools = ["now"]
[channels.xmpp.bot.muc_rooms."Team@conference.example.com"]
enabled = false
[channels.xmpp.bot.muc_rooms."lab@conference.example.com"]
require_mention = true
model_provider = "lab"
users = []
system_prompt = "Be exact."
tools = []
[providers.lab]
base_url = "https://lab.example/v1/"
models = ["exact-1"]
${PROVIDER}`);
    const settings = (room: string) => {
      const { jid, ...rest } = roomConfig(account, Jid.parse(room));
      return { ...rest, jid: jid.toString() };
    };
    const asAccount = {
      mentionMode: 'always',
      modelProvider: 'ollama',
      model: 'qwen3',
      systemPrompt: 'Be kind.',
      skills: [],
      tools: ['now'],
      users: undefined,
      password: undefined,
    };
    t.same(settings('team@conference.example.com/bot'), {
      ...asAccount,
      jid: 'team@conference.example.com',
      enabled: false,
    });
    t.same(settings('new@conference.example.com'), { ...asAccount, jid: 'new@conference.example.com', enabled: true });
    t.same(settings('lab@conference.example.com'), {
      ...asAccount,
      jid: 'lab@conference.example.com',
      enabled: true,
      mentionMode: 'mention',
      modelProvider: 'lab',
      model: 'exact-1',
      systemPrompt: 'Be exact.',
      tools: [],
      users: [],
    });
  },
);

// [promise-limit-off]
t.test('a limit that is switched off is infinite', async (t) => {
  const { limits } = firstAccount(
    `${ACCOUNT}limits = { tokens_per_day = false, messages_per_minute = false, turns_per_minute = false, bot_turns = false, history_tokens = false, stale_after_minutes = false }${PROVIDER}`,
  );
  t.same(limits, {
    messagesPerMinute: Infinity,
    tokensPerDay: Infinity,
    turnsPerMinute: Infinity,
    botTurns: Infinity,
    historyTokens: Infinity,
    staleAfterMinutes: Infinity,
  });
});

t.test('server is a host, a host and port, or an IPv6 address in brackets', async (t) => {
  const serverOf = (server: string) => firstAccount(`${ACCOUNT}server = "${server}"${PROVIDER}`).server;
  t.same(serverOf('XMPP.example.com'), { host: 'xmpp.example.com', port: undefined });
  t.same(serverOf('xmpp.example.com:5223'), { host: 'xmpp.example.com', port: 5223 });
  t.same(serverOf('192.0.2.1:5222'), { host: '192.0.2.1', port: 5222 });
  t.same(serverOf('[2001:DB8::1]:5222'), { host: '2001:db8::1', port: 5222 });
  t.same(serverOf('[2001:db8::1]'), { host: '2001:db8::1', port: undefined });
  t.same(serverOf('bücher.example'), { host: 'xn--bcher-kva.example', port: undefined });
  for (const wrong of ['', ':5222', 'a:0', 'a:65536', 'a:', '[::1', '[1.2.3.4]', 'a b', 'a/b', 'a@b', '256.1.1.1']) {
    t.match(check(`${ACCOUNT}server = "${wrong}"${PROVIDER}`), [/^moltis\.toml:4:10: server must /], wrong);
  }
});

// [promise-model-known]
t.test('well-known providers need no URL, and one that Moltis writes without its path gets the path', async (t) => {
  const baseUrlOf = (name: string, url = '') =>
    configOf(
      `${ACCOUNT}[providers.${name}]\napi_key = "k"\nmodels = ["m"]\n${url && `base_url = "${url}"`}`,
    ).providers.get(name)?.baseUrl;
  t.equal(baseUrlOf('openai'), 'https://api.openai.com/v1');
  t.equal(baseUrlOf('gemini'), 'https://generativelanguage.googleapis.com/v1beta/openai');
  t.equal(baseUrlOf('ollama', 'http://localhost:11434'), 'http://localhost:11434/v1');
  t.equal(baseUrlOf('anthropic', 'https://api.anthropic.com/'), 'https://api.anthropic.com/v1');
  t.equal(baseUrlOf('openai', 'https://proxy.example/openai/'), 'https://proxy.example/openai');
  t.equal(baseUrlOf('mine', 'https://llm.example/'), 'https://llm.example');
});

// [promise-model-enabled] [pitfall-disabled-provider]
t.test(
  'a provider with enabled = false is never asked: it is neither the only provider, nor a fallback, nor a choice',
  async (t) => {
    const { accounts, providers } = configOf(
      `${ACCOUNT}[providers.openai]\nenabled = false\napi_key = "k"\nmodels = ["m"]\n[providers.ollama]\nmodels = ["llama3.2"]\nfallback = "openai"\n`,
    );
    t.match(accounts, [{ modelProvider: 'ollama', model: 'llama3.2' }]);
    t.same([...providers.keys()], ['ollama']);
    t.equal(providers.get('ollama')?.fallback, undefined);
  },
);

// [promise-model-prefix] [pitfall-model-with-provider]
t.test('a model that is written as provider/model is asked for by its own name', async (t) => {
  const asked = (model: string, provider: string): string =>
    firstAccount(`${ACCOUNT}model = "${model}"\n[providers.${provider}`).model;
  t.equal(asked('anthropic/claude', 'anthropic]\napi_key = "k"'), 'claude');
  t.equal(asked('local/m', 'local]\nbase_url = "https://a.example/v1"\nmodels = ["m"]'), 'm');
  t.equal(asked('local/m', 'local]\nbase_url = "https://a.example/v1"\nmodels = ["m", "local/m"]'), 'local/m');
  t.equal(
    asked('openai/gpt-oss-20b', 'openai]\nbase_url = "https://router.example/v1"\napi_key = "k"'),
    'openai/gpt-oss-20b',
  );
  t.equal(asked('openrouter/auto', 'openrouter]\napi_key = "k"'), 'openrouter/auto');
  t.equal(asked('openrouter/meta/llama', 'openrouter]\napi_key = "k"'), 'meta/llama');
  t.equal(asked('meta/openrouter/llama', 'openrouter]\napi_key = "k"'), 'meta/openrouter/llama');
  t.equal(asked('ollama/ollama/llama', 'ollama]'), 'ollama/llama', 'once');
  const room = '[channels.xmpp.bot.muc_rooms."a@example.com"]';
  const { mucRooms } = firstAccount(
    `${ACCOUNT}model = "ollama/ollama/llama"\n${room}\nenabled = true\n[providers.ollama]\nmodels = ["ollama/qwen3"]`,
  );
  t.equal(mucRooms.get('a@example.com')?.model, 'ollama/llama', 'a room inherits it as it is');
  t.equal(firstAccount(`${ACCOUNT}[providers.ollama]\nmodels = ["ollama/qwen3"]`).model, 'qwen3');
});

// [promise-config-variables]
t.test('variables are replaced in every string of our tables, and a doubled dollar escapes', async (t) => {
  const { systemPrompt, rooms } = firstAccount(
    `${ACCOUNT}system_prompt = "\${WHO} costs $5, $\${WHO} not: \${EMPTY}."\nrooms = ["\${ROOM}@conference.example.com"]${PROVIDER}`,
    { WHO: '${ROOM}', ROOM: 'team', EMPTY: '' },
  );
  t.equal(systemPrompt, '${ROOM} costs $5, ${WHO} not: .', 'what a variable holds is not looked into again');
  t.same(rooms.map(String), ['team@conference.example.com']);
  t.match(check(`${ACCOUNT}nick = "\${constructor}"${PROVIDER}`), [/variable constructor, which is not set/]);
});

t.test('a duplicate room in the list is joined once', async (t) => {
  const { rooms } = firstAccount(
    `${ACCOUNT}rooms = ["team@conference.example.com", "Team@Conference.example.com"]${PROVIDER}`,
  );
  t.same(rooms.map(String), ['team@conference.example.com']);
});

// [pitfall-wildcard-full-jid]
t.test('a pattern matches bare JIDs, each star within its part', async (t) => {
  const matches = (pattern: string, jid: string) => JidPattern.parse(pattern).matches(Jid.parse(jid));
  for (const [pattern, jid] of [
    ['alice@example.com', 'alice@example.com'],
    ['Alice@EXAMPLE.com', 'alice@example.com/phone'],
    ['*@trusted.org', 'anyone@trusted.org'],
    ['*@*', 'anyone@anywhere.example'],
    ['bot-*@*.example.com', 'bot-1@a.b.example.com'],
    ['a*c*e@example.com', 'abcde@example.com'],
    ['a*a@example.com', 'aa@example.com'],
    ['*@bücher.*', 'leser@bücher.example'],
    ['example.com', 'example.com'],
  ] as const) {
    t.ok(matches(pattern, jid), `${pattern} matches ${jid}`);
  }
  for (const [pattern, jid] of [
    ['alice@example.com', 'alice2@example.com'],
    ['*@trusted.org', 'anyone@untrusted.org'],
    ['*@trusted.org', 'anyone@trusted.org.evil.example'],
    ['*@trusted.org', 'trusted.org'],
    ['*@*.example.com', 'anyone@example.com'],
    ['a*a@example.com', 'a@example.com'],
    ['a*b*a@example.com', 'aba-no@example.com'],
    ['*', 'anyone@example.com'],
    ['example.com', 'anyone@example.com'],
    ['star@example.*', 'star@example'],
  ] as const) {
    t.notOk(matches(pattern, jid), `${pattern} does not match ${jid}`);
  }
  t.throws(() => JidPattern.parse('me@example.com/phone'), JidError);
  t.throws(() => JidPattern.parse('me@exa mple.*'), JidError);
  t.equal(String(JidPattern.parse('*@Star.*.example')), '*@star.*.example');
});

t.test('a media type pattern matches a type, its family or everything, whatever the parameters', async (t) => {
  t.ok(matchesMediaType('video/*', 'Video/MP4; codecs="avc1"'));
  t.ok(matchesMediaType('image/svg+xml', 'image/svg+xml'));
  t.ok(matchesMediaType('*/*', 'text/plain'));
  t.notOk(matchesMediaType('video/*', 'videos/mp4'));
  t.notOk(matchesMediaType('image/svg+xml', 'image/svg'));
});

// [promise-config-schema]
t.test('editors get a schema of the file that knows every key', async (t) => {
  const schema = JSON.parse(JSON.stringify(configJsonSchema()));
  const account = schema.properties.channels.properties.xmpp.additionalProperties;
  t.same(account.required, ['jid', 'password']);
  t.equal(account.additionalProperties, false);
  t.same(account.properties.dm_policy.enum, ['open', 'allowlist', 'disabled']);
  t.same(account.properties.limits.properties.tokens_per_day.default, 200_000);
  t.ok(account.properties.muc_rooms.additionalProperties.properties.require_mention);
  t.ok(schema.properties.providers.additionalProperties.properties.base_url);
});

// [promise-config-places]
t.test('the file is searched in the documented places, in order', async (t) => {
  const cwd = join(directory, 'work');
  const home = join(directory, 'home');
  const empty = join(directory, 'empty');
  const env = { MOLTIS_CONFIG_DIR: join(directory, 'configured') };
  const pathOf = async (options: Parameters<typeof loadConfig>[0]) => (await loadConfig(options)).path;
  t.equal(
    await pathOf({ path: '../configured/moltis.toml', env, cwd, home }),
    join(directory, 'configured', 'moltis.toml'),
  );
  t.equal(await pathOf({ env, cwd, home }), join(cwd, 'moltis.toml'));
  t.equal(await pathOf({ env, cwd: empty, home }), join(directory, 'configured', 'moltis.toml'));
  t.equal(
    await pathOf({ env: { MOLTIS_CONFIG_DIR: '' }, cwd: empty, home }),
    join(home, '.config', 'moltis', 'moltis.toml'),
  );

  const error: unknown = await loadConfig({ env, cwd: empty, home: empty, path: 'mine.toml' }).catch((e: unknown) => e);
  t.type(error, ConfigError);
  t.match(error, { message: new RegExp(`Looked for:\n  ${join(empty, 'mine.toml')}\nCreate one `) });
  await t.rejects(loadConfig({ env: {}, cwd: empty, home: empty }), {
    message: `No configuration file found. Looked for:
  ${join(empty, 'moltis.toml')}
  ${join(empty, '.config', 'moltis', 'moltis.toml')}
Create one (the README has a minimal example), or pass another with --config FILE.`,
  });
  await t.rejects(loadConfig({ env: {}, cwd, home, path: '.' }), {
    name: 'ConfigError',
    message: /Cannot read the configuration .* \(EISDIR\)/,
  });
});

t.test('a password in a file that others can read gets a warning, one in the environment does not', async (t) => {
  const cwd = t.testdir({
    'moltis.toml': ACCOUNT + PROVIDER,
    'variable.toml': ACCOUNT.replace('hunter2', '${P}') + PROVIDER,
  });
  const findingsOf = async (path: string, mode: number) => {
    await chmod(join(cwd, path), mode);
    return (await loadConfig({ path, env: { P: 'hunter2' }, cwd, home: cwd })).findings.map(formatFinding);
  };
  t.same(await findingsOf('moltis.toml', 0o644), [
    'moltis.toml:3:12: warning: password is in a file that other users of this machine can read: run chmod 600 on it, or use an environment variable',
  ]);
  t.same(await findingsOf('moltis.toml', 0o600), []);
  t.same(await findingsOf('variable.toml', 0o644), []);
});

// [promise-data-places]
t.test('the data folder is the flag, the variable, or a folder in the home directory', async (t) => {
  const env = { MOLTIS_DATA_DIR: '/data' };
  t.equal(findDataDirectory({ flag: '/flag', env, home: '/home/me' }), '/flag');
  t.equal(findDataDirectory({ env, home: '/home/me' }), '/data');
  t.equal(findDataDirectory({ env: { MOLTIS_DATA_DIR: '' }, home: '/home/me' }), join('/home/me', '.moltis'));
  t.equal(findDataDirectory({ env: {}, home: '/home/me' }), join('/home/me', '.moltis'));
});
