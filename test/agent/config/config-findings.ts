/** Mistakes in a configuration, and the findings that they must give: `line:column: message`, without the file's name, and
 * without those that a setting has no effect yet. */

/** An account of three lines: what a case adds begins on line 4. */
export const ACCOUNT = `[channels.xmpp.bot]
jid = "bot@example.com"
password = "hunter2"
`;

/** A provider that is right by itself, to stand after what a case is about. */
export const PROVIDER = `
[providers.ollama]
models = ["llama3.2", "qwen3"]
`;

/** What is added to the account, and all that is found then. */
export const IN_ACCOUNT: readonly (readonly [added: string, ...findings: string[]])[] = [
  ['pasword = "hunter2"', '4:1: unknown key "pasword"; did you mean "password"?'],
  ['dmPolicy = "open"', '4:1: unknown key "dmPolicy"; did you mean "dm_policy"?'],
  ['xyzzy = 1', '4:1: unknown key "xyzzy"'],
  ['__proto__ = 1', '4:1: unknown key "__proto__"'],
  ['dm_policy = "opne"', '4:13: dm_policy must be "open", "allowlist" or "disabled"; did you mean "open"?'],
  ['group_policy = 3', '4:16: group_policy must be "open", "allowlist" or "disabled"'],
  ['mention_mode = "everything"', '4:16: mention_mode must be "mention", "always" or "none"'],
  ['stream_edits = true', '4:16: stream_edits must be "off", "dm" or "always"'],
  ['enabled = "yes"', '4:11: enabled must be true or false'],
  ['nick = 7', '4:8: nick must be a string in quotes'],
  ['nick = ""', '4:8: nick must not be empty'],
  ['resource = "a\\u0000"', '4:12: resource is not a JID: the resource "a<U+0000>": U+0000 is not allowed'],
  ['rooms = "team@conference.example.com"', '4:9: rooms must be a list in square brackets'],
  [
    'rooms = ["team@conference.example.com", "team"]',
    '4:41: rooms must be a room, such as "team@conference.example.com": there is no "@"',
  ],
  [
    'rooms = [\n  "team@conference.example.com",\n  "team@conference.example.com/bot",\n]',
    '6:3: rooms must be a bare JID: leave out the "/" and what follows it',
  ],
  ['operators = ["example.com"]', '4:14: operators must be an account, such as "bot@example.com"'],
  ['operators = ["me@example.com/phone"]', '4:14: operators must be a bare JID: leave out the "/" and what follows it'],
  [
    'allowlist = ["a b@c", 3]',
    '4:14: allowlist is not a JID: the localpart "a b": U+0020 is not allowed: outside ASCII, only letters, marks and digits are',
    '4:23: allowlist must be a string in quotes',
  ],
  [
    'dm_policy = "allowlist"\nallowlist = ["example.com", "*@example.com"]',
    '5:14: warning: this matches only the server itself; put "*@" before the domain to match everyone on it',
  ],
  [
    'dm_policy = "allowlist"\nallowlist = ["me@example.com/phone"]',
    '5:14: allowlist must be a bare JID: leave out the "/" and what follows it',
  ],
  [
    'group_policy = "allowlist"\ngroup_allowlist = ["example.com"]',
    '5:20: group_allowlist must be a room, such as "team@conference.example.com": there is no "@"',
  ],
  ['text_chunk_limit = 0', '4:20: text_chunk_limit must be 1 or more'],
  ['text_chunk_limit = 1.5', '4:20: text_chunk_limit must be a whole number'],
  ['text_chunk_limit = "4000"', '4:20: text_chunk_limit must be a whole number'],
  ['limits = 3', '4:10: limits must be a table'],
  [
    '[channels.xmpp.bot.limits]\nmessages_per_minute = 0\ntokens_per_day = 0\nturns_per_minute = 0\nhistory_tokens = -1\nstale_after_minutes = 0.5',
    '5:23: messages_per_minute must be a whole number, 1 or more, or false for no limit',
    '6:18: tokens_per_day must be a whole number, 1 or more, or false for no limit',
    '7:20: turns_per_minute must be a whole number, 1 or more, or false for no limit',
    '8:18: history_tokens must be a whole number, 1 or more, or false for no limit',
    '9:23: stale_after_minutes must be a whole number, 1 or more, or false for no limit',
  ],
  [
    '[channels.xmpp.bot.limits]\nturns_per_minute = true\ntoken_per_day = 5',
    '5:20: turns_per_minute must be a whole number, 1 or more, or false for no limit',
    '6:1: unknown key "token_per_day"; did you mean "tokens_per_day"?',
  ],
  [
    'limits = { tokens_per_day = false }',
    '4:29: warning: tokens_per_day is off while anyone may talk to the bot: strangers can spend as much as they like',
  ],
  ['dm_policy = "allowlist"\noperators = ["me@example.com"]\nlimits.tokens_per_day = false'],
  [
    'dm_policy = "allowlist"\noperators = ["me@example.com"]\nlimits.tokens_per_day = false\nrooms = ["team@conference.example.com"]',
    '6:25: warning: tokens_per_day is off while anyone may talk to the bot: strangers can spend as much as they like',
  ],
  [
    'ca_file = "nowhere.pem"',
    '4:11: ca_file cannot be read: there is no such file; relative paths start in the folder of this file',
  ],
  ['ca_file = "home"', '4:11: ca_file cannot be read: it is a folder; relative paths start in the folder of this file'],
  ['ca_file = "not-a-ca.pem"', '4:11: ca_file has no certificate in PEM format (-----BEGIN CERTIFICATE-----)'],
  ['ca_file = "ca.pem"'],
  [
    'server = "xmpp.example.com:99999"',
    '4:10: server must be a host or host:port, with an IPv6 address in brackets: "xmpp.example.com:5222", "[2001:db8::1]:5222"',
  ],
  [
    'server = "::1"',
    '4:10: server must be a host or host:port, with an IPv6 address in brackets: "xmpp.example.com:5222", "[2001:db8::1]:5222"',
  ],
  [
    'server = "https://xmpp.example.com"',
    '4:10: server must be a host or host:port, with an IPv6 address in brackets: "xmpp.example.com:5222", "[2001:db8::1]:5222"',
  ],
  [
    'server = "1"',
    '4:10: server must be a host or host:port, with an IPv6 address in brackets: "xmpp.example.com:5222", "[2001:db8::1]:5222"',
  ],
  ['direct_tls = true', '4:14: direct_tls needs server; without it, DNS says which ports use direct TLS'],
  ['direct_tls = true\nserver = "xmpp.example.com"'],
  [
    'server = "xmpp.example.com"\nwebsocket = "wss://example.com/ws"',
    '4:10: warning: server has no effect while websocket is set',
  ],
  ['websocket = "ws://example.com/ws"', '4:13: websocket must be a wss:// URL (ws:// only to this machine)'],
  ['websocket = "ws://localhost:5280/ws"'],
  ['websocket = "wss://me:hunter2@example.com/ws"', '4:13: websocket must be a URL without a user name and password'],
  ['media_max_mb = 0', '4:16: media_max_mb must be 1 or more'],
  [
    'blocked_media_types = ["video/*", "video"]',
    '4:35: blocked_media_types must be a media type, such as "video/*" or "image/svg+xml"',
  ],
  [
    'media_private_hosts = ["nas.lan", "10.0.0.1", "[::1]", "nas.lan:80"]',
    '4:56: media_private_hosts must be a host name or an IP address, without a port',
  ],
  ['reactions = true'],
  [
    'tools = ["react", "rect"]',
    '4:19: tools must be "react", "send_file", "read_skill", "room_members", "room_history" or "now"; did you mean "react"?',
  ],
  ['skills = ["Explain"]', '4:11: skills must be a skill name: up to 64 lowercase letters, digits and hyphens'],
  ['model_provider = "olama"', '4:18: model_provider must be a configured provider; did you mean "ollama"?'],
  ['model_provider = "somebody"', '4:18: model_provider must be a configured provider'],
  ['model = ""', '4:9: model must not be empty'],
  ['system_prompt = "${FOO} and ${BAR}"', '4:17: system_prompt needs the environment variable FOO, which is not set'],
  [
    'system_prompt = "costs ${1}"',
    '4:17: system_prompt has a "${" that starts no variable; write ${NAME}, or $${ for a literal "${"',
  ],
  [
    'rooms = ["${ROOM}@conference.example.com", "${NO_ROOM}"]',
    '4:10: rooms needs the environment variable ROOM, which is not set',
    '4:44: rooms needs the environment variable NO_ROOM, which is not set',
  ],
  ['muc_rooms = 3', '4:13: muc_rooms must be a table'],
  [
    '[channels.xmpp.bot.muc_rooms."team"]\nenabled = false',
    '4:30: the key must be a room, such as "team@conference.example.com": there is no "@"',
  ],
  [
    '[channels.xmpp.bot.muc_rooms."team@conference.example.com/bot"]',
    '4:30: the key must be a bare JID: leave out the "/" and what follows it',
  ],
  [
    '[channels.xmpp.bot.muc_rooms."team@conference.example.com"]\nrequire_mentoin = true\nusers = ["example.com/x"]\npassword = ""\nlimits = 3',
    '5:1: unknown key "require_mentoin"; did you mean "require_mention"?',
    '6:10: users must be a bare JID: leave out the "/" and what follows it',
    '7:12: password must not be empty',
    '8:1: unknown key "limits"',
  ],
  [
    '[channels.xmpp.bot.muc_rooms."team@conference.example.com"]\nusers = ["example.com"]\ntools = []\nskills = []',
    '4:1: warning: this room is not in rooms, so the bot joins it only when an operator asks',
    '5:10: warning: this matches only the server itself; put "*@" before the domain to match everyone on it',
  ],
  [
    '[channels.xmpp.bot.muc_rooms."team@conference.example.com"]\n[channels.xmpp.bot.muc_rooms."Team@conference.example.com"]\nmodel_provider = "olama"',
    '4:1: warning: this room is not in rooms, so the bot joins it only when an operator asks',
    '5:1: warning: this room is not in rooms, so the bot joins it only when an operator asks',
    '5:30: this room is already configured in another spelling',
    '6:18: model_provider must be a configured provider; did you mean "ollama"?',
  ],
  [
    '[channels.xmpp.bot.muc_rooms."team@conference.example.com"]\nmodel_provider = "lmstudio"',
    '4:1: warning: this room is not in rooms, so the bot joins it only when an operator asks',
    '4:1: model is missing, and [providers.lmstudio] lists no models',
  ],
  [
    '[channels.xmpp.two]\njid = "BOT@example.com"\npassword = "hunter2"',
    '5:7: jid is already used by [channels.xmpp.bot]',
  ],
  ['enabled = false\nlimits.tokens_per_day = false', '1:1: warning: no account is enabled, so there is nothing to run'],
  [
    'allowlist = ["alice@example.com"]\ngroup_allowlist = ["team@conference.example.com"]',
    '4:13: warning: allowlist has no effect while dm_policy is "open"',
    '5:19: warning: group_allowlist has no effect while group_policy is "open"',
  ],
  [
    'dm_policy = "allowlist"',
    '4:13: warning: dm_policy is "allowlist", and allowlist and operators are empty: nobody gets an answer',
  ],
  ['dm_policy = "allowlist"\noperators = ["me@example.com"]'],
  [
    'group_policy = "disabled"\nrooms = ["team@conference.example.com"]',
    '5:9: warning: rooms has no effect while group_policy is "disabled"',
  ],
  [
    'group_policy = "allowlist"\ngroup_allowlist = ["*@rooms.example.com"]\nrooms = ["team@rooms.example.com", "team@conference.example.com"]',
    '6:36: warning: this room is not in group_allowlist, so the bot does not join it',
  ],
  [
    '[skills]\nsearch_paths = ["./skills"]\nauto_load = ["explain"]\nserch_paths = []',
    '6:13: warning: auto_load is used by Moltis only and has no effect here',
    '7:1: unknown key "serch_paths"; did you mean "search_paths"?',
  ],
  ['[skills]\nsearch_paths = "./skills"', '5:16: search_paths must be a list in square brackets'],
];

/** Whole files, and all that is found in them. */
export const WHOLE_FILES: readonly (readonly [text: string, ...findings: string[]])[] = [
  ['', '1:1: no account is configured; add [channels.xmpp.NAME] with jid and password'],
  ['jid = "bot@example.com', '1:7: not TOML: unfinished string'],
  ['jid = bot@example.com', '1:7: not TOML: invalid value (strings need quotes)'],
  ['a = 1\na = 2', '2:1: not TOML: trying to redefine an already defined table or value'],
  [
    'channels = 1',
    '1:12: channels must be a table',
    '1:12: no account is configured; add [channels.xmpp.NAME] with jid and password',
  ],
  [
    '[channels]\nxmpp = []',
    '2:8: xmpp must be a table',
    '2:8: no account is configured; add [channels.xmpp.NAME] with jid and password',
  ],
  ['[channels.xmpp]\njid = "bot@example.com"', '2:1: unknown key "jid"; an account is a table, [channels.xmpp.NAME]'],
  [
    '[provider.ollama]\n[channel.xmpp.bot]\n[memory]\n' + ACCOUNT + PROVIDER,
    '1:1: warning: [provider] is ignored; did you mean [providers]?',
    '2:1: warning: [channel] is ignored; did you mean [channels]?',
  ],
  ['[channels.xmpp.bot.limits]\n[channels.xmpp.bot]\njid = "bot@example.com"' + PROVIDER, '2:1: password is missing'],
  ['[channels.xmpp.bot]' + PROVIDER, '1:1: jid is missing', '1:1: password is missing'],
  ['[channels.xmpp]\nbot = { jid = "bot@example.com" }' + PROVIDER, '2:7: password is missing'],
  [
    '[channels.xmpp.bot]\njid = "bot"\npassword = 12345\n' + PROVIDER,
    '2:7: jid must be an account, such as "bot@example.com"',
    '3:12: password must be a string in quotes',
  ],
  [
    '[channels.xmpp.bot]\njid = "bot@example.com/moltis"\npassword = ""\n' + PROVIDER,
    '2:7: jid must be a bare JID: leave out the "/" and what follows it',
    '3:12: password must not be empty',
  ],
  [
    '[channels.xmpp.bot]\njid = "@example.com"\npassword = "${BOT_PASSWORD}"\n' + PROVIDER,
    '2:7: jid is not a JID: the localpart: there is nothing before the "@" of "@example.com"',
    '3:12: password needs the environment variable BOT_PASSWORD, which is not set',
  ],
  [
    '\uFEFF[channels.xmpp.bot]\r\njid = "bot@example.com"\r\npassword = "hunter2"\r\n\txyzzy = 1\r\n' + PROVIDER,
    '4:2: unknown key "xyzzy"',
  ],
  [ACCOUNT, '1:1: model_provider is missing, and no [providers.NAME] is configured and enabled'],
  [
    ACCOUNT + '[providers.a]\nbase_url = "https://a.example/v1"\n[providers.b]\nbase_url = "https://b.example/v1"',
    '1:1: model_provider is missing, and several providers are configured: a, b',
  ],
  [
    ACCOUNT +
      '[providers]\nbase_url = "https://a.example/v1"\noffered = ["a"]\n[providers.a]\nbase_url = "https://a.example/v1"\nmodels = ["m"]',
    '5:1: unknown key "base_url"; a provider is a table, [providers.NAME]',
  ],
  [
    ACCOUNT + '[providers.opnai]\nmodels = ["m"]',
    '4:1: base_url is missing: "opnai" is not a well-known provider; did you mean "openai"?',
  ],
  [ACCOUNT + '[providers.openai]\nmodels = ["m"]', '4:1: api_key is missing: openai requires one'],
  [
    ACCOUNT + '[providers.openai]\napi_key = "hunter2"',
    '1:1: model is missing, and [providers.openai] lists no models',
  ],
  [ACCOUNT + '[providers.openai]\nbase_url = "http://localhost:8000/v1"\nmodels = ["m"]'],
  [
    ACCOUNT +
      '[providers.a]\nbase_url = "ftp://a.example/v1"\nbase_ulr = 1\nmodels = ["m", ""]\nfirst_token_s = 0\nidle_s = "30"\nretries = -1\nenabled = false\nfetch_models = true',
    '5:12: base_url must be an http:// or https:// URL, such as "https://llm.example.com/v1"',
    '6:1: unknown key "base_ulr"; did you mean "base_url"?',
    '7:16: models must not be empty',
    '8:17: first_token_s must be more than 0',
    '9:10: idle_s must be a number of seconds',
    '10:11: retries must be 0 or more',
    '12:16: warning: fetch_models is used by Moltis only and has no effect here',
  ],
  [
    ACCOUNT + '[providers.a]\nbase_url = "https://me:hunter2@a.example/v1"\nmodels = ["m"]',
    '5:12: base_url must be a URL without a user name and password',
  ],
  [
    ACCOUNT + '[providers.a]\nbase_url = "http://a.example/v1"\napi_key = "hunter2"\nmodels = ["m"]',
    '5:12: warning: base_url is http://: the key and all conversations are sent unencrypted',
  ],
  [
    ACCOUNT +
      'model_provider = "a"\n[providers.a]\nbase_url = "https://a.example/v1"\nmodels = ["m"]\n[providers.openai]\nenabled = true\n[providers.github-copilot]\nenabled = true',
    '8:1: warning: api_key is missing: openai requires one (this provider is not used)',
    '10:1: warning: base_url is missing: "github-copilot" is not a well-known provider (this provider is not used)',
  ],
  [
    ACCOUNT + '[providers.a]\nbase_url = "https://a.example/v1"\nmodels = ["m"]\nfallback = "olama"',
    '7:12: fallback must be a configured provider; did you mean "ollama"?',
  ],
  [
    ACCOUNT + '[providers.a]\nbase_url = "https://a.example/v1"\nmodels = ["m"]\nfallback = "a"',
    '7:12: fallback is circular: a, a',
  ],
  [
    ACCOUNT +
      'model_provider = "a"\n[providers.a]\nbase_url = "https://a.example/v1"\nmodels = ["m"]\nfallback = "b"\n[providers.b]\nbase_url = "https://b.example/v1"\nfallback = "c"\n[providers.c]\nbase_url = "https://c.example/v1"\nmodels = ["m"]\nfallback = "b"',
    '8:12: fallback needs a provider with models; list them in [providers.b]',
    '11:12: fallback is circular: b, c, b',
    '15:12: fallback needs a provider with models; list them in [providers.b]',
  ],
  [
    ACCOUNT + '[providers.a]\nenabled = false\nfallback = "a"\n[providers.openai]\nenabled = false',
    '1:1: model_provider is missing, and no [providers.NAME] is configured and enabled',
  ],
  [
    ACCOUNT + 'model_provider = "ollama"\n[providers.ollama]\nenabled = false\nmodels = ["m"]',
    '4:18: model_provider is disabled: [providers.ollama] has enabled = false',
  ],
  [
    ACCOUNT +
      'rooms = ["a@example.com"]\nmodel_provider = "ollama"\nmodel = "m"\n[channels.xmpp.bot.muc_rooms."a@example.com"]\nmodel_provider = "lmstudio"\nmodel = "m"\n[providers.lmstudio]\nenabled = false',
    '8:18: model_provider is disabled: [providers.lmstudio] has enabled = false',
  ],
  [
    ACCOUNT + 'model_provider = "b"\n[providers.a]\nenabled = false\nbase_url = "https://a.example/v1"',
    '4:18: model_provider must be a configured provider',
  ],
  [
    ACCOUNT +
      'model_provider = "ollama"\n[providers.ollama]\nmodels = ["m"]\nfallback = "openai"\n[providers.openai]\nenabled = false\nfallback = "ollama"',
    '7:12: warning: fallback has no effect: [providers.openai] has enabled = false',
  ],
  [ACCOUNT + '[providers.ollama]\nenabled = "no"\nmodels = ["m"]', '5:11: enabled must be true or false'],
  [
    ACCOUNT + 'model = "ollama/llama3.2"' + PROVIDER,
    '4:9: warning: ollama is asked for the model without "ollama/": "llama3.2"',
  ],
  [
    ACCOUNT + '[providers.ollama]\nmodels = ["qwen3", "ollama/llama3.2", "ollama/"]',
    '5:20: warning: ollama is asked for the model without "ollama/": "llama3.2"',
  ],
  [
    ACCOUNT + 'model = "a/m"\n[providers.a]\nbase_url = "https://a.example/v1"\nmodels = ["m"]',
    '4:9: warning: a is asked for the model without "a/": "m"',
  ],
  [
    ACCOUNT + 'model = "a/m"\n[providers.a]\nbase_url = "https://a.example/v1"\nmodels = ["b/m"]',
    '4:9: warning: a is asked for the model with "a/": "a/m"; leave that out, or list the whole name in models of [providers.a]',
  ],
  [ACCOUNT + 'model = "a/m"\n[providers.a]\nbase_url = "https://a.example/v1"\nmodels = ["m", "a/m"]'],
  [
    ACCOUNT + 'model = "groq/openai/gpt-oss-20b"\n[providers.groq]\napi_key = "k"\nmodels = ["groq/compound"]',
    '4:9: warning: groq is asked for the model without "groq/": "openai/gpt-oss-20b"',
  ],
  [ACCOUNT + 'model = "openrouter/auto"\n[providers.openrouter]\napi_key = "k"'],
  [
    ACCOUNT +
      'model_provider = "ollama"\nmodel = "m"\nrooms = ["a@example.com"]\n[channels.xmpp.bot.muc_rooms."a@example.com"]\nmodel = "ollama/llama3.2"' +
      PROVIDER,
    '8:9: warning: ollama is asked for the model without "ollama/": "llama3.2"',
  ],
  [
    ACCOUNT + 'model = "lmstudio/m"\n[providers.ollama]\nmodels = ["m"]\n[providers.lmstudio]\nmodels = ["m"]',
    '1:1: model_provider is missing, and several providers are configured; the model\'s name begins with one: write model_provider = "lmstudio"',
  ],
  ...['${WORD:-hunter2}', '${WORD-hunter2}', '${WORD:=hunter2}', 'x${WORD:?hunter2}', '${WORD:+hunter2'].map(
    (word): readonly [string, string] => [
      ACCOUNT + `nick = "${word}"` + PROVIDER,
      '4:8: nick has a default for the variable WORD, which is not supported; write ${WORD} and set the variable',
    ],
  ),
  [
    ACCOUNT + 'nick = "${env:HUNTER2}"' + PROVIDER,
    '4:8: nick has a "${" that starts no variable; write ${NAME}, or $${ for a literal "${"',
  ],
  ...['$HUNTER2', '$(hunter2)', '%HUNTER2%', '{{hunter2}}', '{{ $env.HUNTER2 }}', '$env:HUNTER2', ' $HUNTER2\\n'].map(
    (word): readonly [string, string] => [
      `[channels.xmpp.bot]\njid = "bot@example.com"\npassword = "${word}"\nnick = "$HUNTER2"` + PROVIDER,
      '3:12: warning: password is taken literally, although it looks like a variable; an environment variable is written ${NAME}',
    ],
  ),
  ...['hunter2$HUNTER2', '$', '$HUNTER2!', '100%', '%%', '{hunter2}'].map((word): readonly [string] => [
    `[channels.xmpp.bot]\njid = "bot@example.com"\npassword = "${word}"` + PROVIDER,
  ]),
  [
    ACCOUNT +
      'rooms = ["a@example.com"]\n[channels.xmpp.bot.muc_rooms."a@example.com"]\npassword = "$HUNTER2"\n[providers.openai]\napi_key = "$HUNTER2"\nmodels = ["m"]',
    '6:12: warning: password is taken literally, although it looks like a variable; an environment variable is written ${NAME}',
    '8:11: warning: api_key is taken literally, although it looks like a variable; an environment variable is written ${NAME}',
  ],
  [
    ACCOUNT +
      'model_provider = "a"\n[providers.a]\nbase_url = "https://a.example/v1"\nmodels = ["m"]\nfallback = "openai"\n[providers.openai]\nmodels = ["m"]',
    '9:1: api_key is missing: openai requires one',
  ],
  [
    ACCOUNT + 'model_provider = "a"\n[providers.a]\nmodels = ["m"]\nbase_url = "${A_URL}"\napi_key = "${A_KEY}"',
    '7:12: base_url needs the environment variable A_URL, which is not set',
    '8:11: api_key needs the environment variable A_KEY, which is not set',
  ],
  [ACCOUNT + 'model_provider = "lmstudio"', '1:1: model is missing, and [providers.lmstudio] lists no models'],
  [
    ACCOUNT + '[skills]\nsearch_paths = []\n[providers]\nollama = 1',
    '1:1: model_provider is missing, and no [providers.NAME] is configured and enabled',
    '7:1: unknown key "ollama"; a provider is a table, [providers.NAME]',
  ],
];
