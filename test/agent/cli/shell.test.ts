/** The bot from its operator's view: start, reload, log and settings. */
import { mkdir, readFile, writeFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'smol-toml';
import t, { type Test } from 'tap';
import { parseConfig } from '../../../src/agent/config/parse-config.js';
import { LOOPBACK_CERTIFICATE } from '../../../src/loopback/certificate.js';
import {
  PASSWORD,
  Stage,
  promptOf,
  askAgain,
  runToEnd,
  startProgram,
  type BotProcess,
  type Settings,
} from '../../support/bot.js';
import { fails, textAnswer, startOpenAiServer } from '../../support/openai-server.js';
import { faultsOf } from '../../support/json-schema.js';

// Starting programs is slow on a busy machine.
t.setTimeout(180_000);

t.test('a running bot that reloads its configuration', async (t) => {
  const stage = await Stage.set(t);
  const { model, server } = stage;
  const alice = await stage.person('alice');
  const accounts = {
    bot: stage.account(),
    other: stage.account({ system_prompt: 'You are a cat.' }, 'other'),
    wrong: stage.account({ password: 'not-the-password' }, 'wrong'),
  };
  const bot = await stage.startProcess(stage.settings(accounts));
  await bot.expect('online', { account: 'bot' });
  await bot.expect('online', { account: 'other' });
  await bot.expect('error', { account: 'wrong', kind: 'auth' });
  const onlineEvents = (account: string): number =>
    bot.logged('online').filter((event) => event.account === account).length;
  const reload = async (settings: Settings | string): Promise<void> => {
    await stage.write(settings);
    bot.signal('SIGHUP');
  };
  const ask = async (name: string, answer: string): Promise<void> => {
    model.next(textAnswer(answer));
    alice.send('hello', { to: stage.jid(name) });
    await alice.receives(answer);
  };

  // [promise-run-reload]
  t.test('restarts changed accounts, keeps the others running, and retries accounts that gave up', async (t) => {
    const changed = { ...accounts, other: { ...accounts.other, system_prompt: 'You are a dog.' } };
    await reload(stage.settings({ ...changed, wrong: stage.account({}, 'wrong') }));
    await bot.expect('offline', { account: 'other' });
    await bot.expect('online', { account: 'other' });
    await bot.expect('online', { account: 'wrong' });
    t.match(await bot.expect('reloaded'), { level: 'info', accounts: 3 });
    await ask('other', 'Woof.');
    t.match(promptOf(model)[0], ['system', /^You are a dog\./]);
    await ask('wrong', 'Right.');
    await ask('moltis', 'Still here.');
    t.equal(onlineEvents('bot'), 1, 'what is the same was not disturbed');
  });

  // [promise-run-reload]
  t.test('stops removed accounts and starts new ones', async (t) => {
    const { bot: same, other } = accounts;
    await reload(stage.settings({ bot: same, other: { ...other, enabled: false }, new: stage.account({}, 'new') }));
    await bot.expect('online', { account: 'new' });
    await bot.expect('reloaded');
    t.same(server.sessions.map((jid) => jid.replace(/@.*/, '')).toSorted(), ['alice', 'moltis', 'new']);
    await ask('new', 'I am new.');
    t.equal(onlineEvents('bot'), 1);
  });

  // [promise-run-reload]
  t.test('reports every finding of an invalid file and keeps the last valid configuration', async (t) => {
    const [first, second] = ['pasword = "secret-word"', 'dm_policy = "opne"'];
    await reload(`[channels.xmpp.bot]\njid = "moltis@localhost"\n${first}\n${second}\n`);
    t.match(await bot.expect('error', { kind: 'config' }), { level: 'error', message: /the previous one stays/ });
    t.match(bot.output, /moltis\.toml:3:1: .*did you mean "password"/);
    t.match(bot.output, /moltis\.toml:4:13: .*did you mean "open"/);
    t.notMatch(bot.output, 'secret-word');
    await ask('new', 'All is as it was.');
    await ask('moltis', 'Here too.');
    t.equal(onlineEvents('bot'), 1);
  });

  t.test('still shuts down cleanly', async (t) => {
    t.equal(await bot.stop(), 0);
    t.same(bot.noise, []);
    t.same(model.violations, []);
  });
});

t.test('a bot that cannot write any more logs it, and still shuts down cleanly', async (t) => {
  const stage = await Stage.set(t);
  const room = stage.room('team');
  const bot = await stage.runProcess({ rooms: [room.toString()] });
  await bot.expect('joined');
  const alice = await stage.person('alice');
  await askAgain(stage, alice);
  // Where the next state would be written, a folder is in the way.
  await mkdir(join(stage.dataDirectory, 'state.json.new'));
  stage.model.next(textAnswer('I heard that.'));
  await alice.sendIn(await alice.enter(room), 'moltis: hello');
  await alice.receives('I heard that.');
  t.equal(await bot.stop(), 0);
  t.match(bot.logged('error').at(-1), { kind: 'internal', message: /cannot write .*state\.json/ });
  t.match(bot.log.at(-1), { event: 'offline', reason: 'stopped' });
});

// [promise-run-one]
t.test(
  'a second process on the same data directory reports that it is in use and exits; the first one goes on',
  async (t) => {
    const stage = await Stage.set(t);
    const bot = await stage.runProcess();
    const second = await stage.startProcess(stage.settings({ bot: stage.account() }));
    t.equal(await second.end(), 1);
    t.match(second.output, /process \d+ already uses \S+data; stop it, or start this one with another --data-dir/);
    t.same(second.log, []);
    await askAgain(stage, await stage.person('alice'));
    t.equal(bot.logged('online').length, 1);
    // What a process that was killed left behind does not count.
    await bot.stop('SIGKILL');
    const third = await stage.runProcess();
    t.equal(await third.stop(), 0);
    const fourth = await stage.runProcess();
    t.equal(await fourth.stop(), 0);
  },
);

// [promise-flags] [promise-exit-codes]
t.test('rejects a flag that the command does not accept, with exit code 2', async (t) => {
  const cases: readonly (readonly [args: string[], said: RegExp])[] = [
    [['run', '--json'], /'run' does not accept --json; its flags are --config, --data-dir, --log-format, --log-level/],
    [['--json'], /'run' does not accept --json/],
    [['check', '--data-dir', 'x'], /'check' does not accept --data-dir; its flags are --config, --json/],
    [['demo', '--log-format', 'json'], /'demo' does not accept --log-format/],
  ];
  for (const [args, said] of cases) {
    const { end, output } = await runToEnd(args);
    t.equal(end, 2, args.join(' '));
    t.match(output, said);
  }
});

t.test('the log', async (t) => {
  const stage = await Stage.set(t, { resumableSeconds: 60 });
  const { model, server } = stage;
  const alice = await stage.person('alice');
  const room = stage.room('team').toString();
  const settings = stage.settings({
    bot: stage.account({ rooms: [room], dm_policy: 'allowlist', allowlist: ['alice@*'] }),
  });

  /** A bot that is stopped before the next one needs the data directory. */
  const started = async (t: Test, ...args: Parameters<Stage['startProcess']>): Promise<BotProcess> => {
    const bot = await stage.startProcess(...args);
    t.teardown(() => bot.stop('SIGKILL'));
    return bot;
  };

  // [promise-log-events] [promise-log-screen]
  t.test('is one JSON object per line without a terminal, and each event has its fields', async (t) => {
    const bot = await started(t, settings);
    const mallory = await stage.person('mallory');
    t.match(await bot.expect('online'), {
      level: 'info',
      account: 'bot',
      jid: 'moltis@localhost/moltis',
      resumed: false,
    });
    t.match(await bot.expect('joined'), { account: 'bot', room, nick: 'moltis' });
    await askAgain(stage, alice);
    t.match(await bot.expect('turn'), {
      conversation: 'moltis@localhost/alice@localhost',
      ms: Number,
      promptTokens: 11,
      completionTokens: 7,
      model: 'local/mock',
    });
    mallory.send('let me in');
    t.match(await bot.expect('denied'), { from: 'mallory@localhost', why: String });
    model.next(fails(500));
    alice.send('what is wrong?');
    t.match(await bot.expect('error'), { level: 'error', kind: 'model', message: /local\/mock at / });
    server.rooms.expel(stage.room('team'), 'moltis', [307]);
    t.match(await bot.expect('left'), { room, why: 'kicked' });
    t.equal(await bot.stop(), 0);
    t.match(await bot.expect('offline'), { reason: 'stopped', retryInMs: null });
    for (const event of bot.log) t.match(event, { time: /^\d{4}-\d\d-\d\dT.*Z$/, level: String, event: String });
    t.same(bot.noise, []);
  });

  // [promise-log-events]
  t.test('logs a lost connection and its resumption', async (t) => {
    const bot = await started(t, settings);
    await bot.expect('joined');
    server.cutAll();
    await bot.expect('suspended');
    t.match(await bot.expect('online', { resumed: true }), { jid: 'moltis@localhost/moltis' });
    t.equal(await bot.stop(), 0);
  });

  // [promise-log-screen]
  t.test('is readable text on a terminal, with colours unless NO_COLOR is set', async (t) => {
    const file = await stage.write(settings);
    const onTerminal = async (
      env: Readonly<Record<string, string>>,
      flags: readonly string[] = [],
    ): Promise<string> => {
      // There is no terminal in a test: the program is told that its output is one.
      const terminal = '--import=data:text/javascript,process.stdout.isTTY=true';
      const program = startProgram(['run', '--config', file, '--data-dir', stage.dataDirectory, ...flags], {
        env: { NODE_OPTIONS: terminal, ...env },
      });
      t.teardown(() => program.stop('SIGKILL'));
      const joined = new Promise<void>((resolve) => {
        program.onLine((line) => (line.includes('joined') ? resolve() : undefined));
      });
      await Promise.race([joined, program.ended]);
      t.equal(await program.stop(), 0);
      return program.output;
    };
    const coloured = await onTerminal({});
    t.match(coloured, /^\d\d:\d\d:\d\d {2}\u001b\[36monline {3}\u001b\[0m {2}bot {2}\(jid moltis@localhost\/moltis/m);
    const plain = await onTerminal({ NO_COLOR: '1' });
    t.match(plain, /^\d\d:\d\d:\d\d {2}online {5}bot {2}\(jid moltis@localhost\/moltis/m);
    t.notMatch(plain, '\u001b');
    t.match(await onTerminal({}, ['--log-format', 'json']), /^\{"time":.*"event":"joined"/m, 'unless told otherwise');
  });

  // [promise-flags]
  t.test('shows the events of --log-level and above', async (t) => {
    const bot = await started(t, settings, ['--log-level', 'error', '--log-format', 'json']);
    model.next(fails(401));
    alice.send('hello');
    await alice.receives(/credentials/);
    t.equal(await bot.stop(), 0);
    t.same([...new Set(bot.log.map(({ level }) => level))], ['error']);
  });
});

// [promise-data-places] [promise-config-places]
t.test('stores data where the flag, the variable or the home directory says, readable by its owner only', async (t) => {
  const stage = await Stage.set(t);
  await stage.write(stage.settings({ bot: stage.account({ password: 'not-the-password' }) }));
  const { directory } = stage;
  const places: readonly (readonly [flags: string[], env: Record<string, string>, folder: string])[] = [
    [['--data-dir', join(directory, 'one')], { MOLTIS_DATA_DIR: join(directory, 'no') }, 'one'],
    [[], { MOLTIS_DATA_DIR: join(directory, 'deep', 'two') }, 'deep/two'],
    [[], {}, '.moltis'],
  ];
  for (const [flags, env, folder] of places) {
    // The configuration is found in the working folder.
    const { end, output } = await runToEnd(['run', ...flags], { cwd: directory, env: { HOME: directory, ...env } });
    t.equal(end, 78);
    t.match(output, /password is wrong/);
    const kept = join(directory, folder);
    t.equal((await stat(kept)).mode & 0o777, 0o700, folder);
    for (const name of await readdir(kept, { recursive: true })) {
      const about = await stat(join(kept, name));
      t.equal(about.mode & 0o777, about.isDirectory() ? 0o700 : 0o600, join(folder, name));
    }
  }
  t.notOk((await readdir(directory)).includes('no'));
});

// [promise-demo]
t.test('demo uses the configured model', async (t) => {
  const model = await startOpenAiServer();
  t.teardown(() => model.close());
  const directory = t.testdir({});
  const file = join(directory, 'moltis.toml');
  const account = '[channels.xmpp.bot]\njid = "bot@example.com"\npassword = "${NOBODY_NEEDS_IT}"\n';
  await writeFile(
    file,
    `${account}[providers.local]\nbase_url = "${model.baseUrl}"\nmodels = ["mock"]\napi_key = "${model.apiKey}"\n`,
  );
  model.next(textAnswer('I am configured.'));
  const { end, lines } = await runToEnd(['demo', '--config', file], {
    input: 'hello\n',
    env: { NOBODY_NEEDS_IT: 'word' },
  });
  t.equal(end, 0);
  t.same(lines, ['I am configured.']);
});

t.test('where and how an account connects', async (t) => {
  const stage = await Stage.set(t);
  const { server } = stage;
  const { server: _, ...plain } = stage.account();
  const ways: Readonly<Record<string, Settings>> = {
    // Nothing but these says where localhost is: it has no records in the DNS.
    starttls: { ...plain, server: `127.0.0.1:${server.ports.startTls}`, resource: 'starttls' },
    direct: { ...plain, server: `127.0.0.1:${server.ports.directTls}`, direct_tls: true, resource: 'direct' },
    websocket: { ...plain, websocket: `wss://localhost:${server.ports.webSocket}/`, resource: 'websocket' },
  };

  for (const [way, account] of Object.entries(ways)) {
    // [promise-account-server] [promise-account-direct-tls] [promise-account-websocket] [promise-account-jid]
    t.test(`by ${way} the bot logs in where it is told to`, async (t) => {
      const bot = await stage.startProcess(stage.settings({ bot: account }));
      t.match(await bot.expect('online'), { jid: `moltis@localhost/${way}` });
      t.same(server.sessions, [`moltis@localhost/${way}`]);
      t.equal(await bot.stop(), 0);
    });
  }

  // [promise-account-enabled] [promise-run] [promise-run-accounts]
  t.test(
    'connects every enabled account and no other; a lost connection of one does not affect the others',
    async (t) => {
      const accounts = {
        bot: stage.account(),
        second: stage.account({}, 'second'),
        off: stage.account({ enabled: false }, 'off'),
        lost: stage.account({ server: '127.0.0.1:1' }, 'lost'),
      };
      const bot = await stage.startProcess(stage.settings(accounts));
      await bot.expect('online', { account: 'bot' });
      await bot.expect('online', { account: 'second' });
      await bot.expect('offline', { account: 'lost' });
      const alice = await stage.person('alice');
      for (const name of ['moltis', 'second']) {
        stage.model.next(textAnswer(`${name} is here.`));
        alice.send('hello', { to: stage.jid(name) });
        t.match(await alice.receives(`${name} is here.`), { from: `${name}@localhost/moltis` });
      }
      t.same(server.sessions.filter((jid) => jid.endsWith('/moltis')).toSorted(), [
        'moltis@localhost/moltis',
        'second@localhost/moltis',
      ]);
      t.same(
        bot.log.filter(({ account }) => account === 'off'),
        [],
      );
      t.equal(await bot.stop(), 0);
    },
  );

  // [promise-account-secure]
  t.test('never sends the password without TLS, and logs why it gives up', async (t) => {
    const seen: string[] = [];
    server.misbehave({
      features: (stage) =>
        stage === 'plain'
          ? `<stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism><mechanism>SCRAM-SHA-256</mechanism></mechanisms></stream:features>`
          : undefined,
      answer: (element) => {
        seen.push(element.name);
        return undefined;
      },
    });
    const bot = await stage.startProcess(stage.settings({ bot: stage.account() }));
    t.match(await bot.expect('error'), { kind: 'tls', message: /StartTLS/i });
    await bot.stop();
    t.notOk(seen.includes('auth') || seen.includes('authenticate'), `it sent ${seen.join(', ')}`);
    t.notMatch(bot.output, PASSWORD);
    server.misbehave();
  });
});

t.test('names and places in rooms', async (t) => {
  const stage = await Stage.set(t);
  const [team, club] = [stage.room('team'), stage.room('club')];
  // Who comes first makes the room, and nobody else is let in while that goes on.
  const alice = await stage.person('alice');
  const hers = await alice.enter(team);
  const bot = await stage.startProcess(
    stage.settings({
      named: stage.account({
        nick: 'Robbie',
        rooms: [team.toString()],
        muc_rooms: { [club.toString()]: { require_mention: false } },
      }),
      unnamed: stage.account({ resource: 'hal', rooms: [team.toString()] }, 'unnamed'),
    }),
  );
  // [promise-account-nick]
  t.test('the bot uses its configured nick, else its resource', async (t) => {
    t.match(await bot.expect('joined', { account: 'named' }), { nick: 'Robbie' });
    t.match(await bot.expect('joined', { account: 'unnamed' }), { nick: 'hal' });
    stage.model.next(textAnswer('Yes?'));
    await alice.sendIn(hers, 'Robbie, are you there?');
    t.match(await alice.receives('Yes?'), { from: `${team.toString()}/Robbie` });
  });

  // [promise-rooms-only-named]
  t.test('it does not join a room that only has settings', async (t) => {
    const bob = await stage.person('bob');
    const his = await bob.enter(club);
    t.same([...his.occupants.keys()], ['bob']);
    t.same(
      bot.logged('joined').map(({ room }) => room),
      [team.toString(), team.toString()],
    );
    t.equal(await bot.stop(), 0);
  });
});

t.test('the settings', async (t) => {
  const schema: unknown = JSON.parse(await readFile('moltis.schema.json', 'utf8'));
  const readme = await readFile('README.md', 'utf8');
  const manual = await readFile('docs/manual.md', 'utf8');
  const examples = [...readme.matchAll(/```toml\n(.*?)```/gs)].map(([, text = '']) => text);

  // [promise-config-schema]
  t.test('are described by a schema that accepts the documented examples and rejects errors', async (t) => {
    t.match(schema, { $schema: 'http://json-schema.org/draft-07/schema#' });
    t.ok(examples.length > 0);
    for (const example of examples) t.same(faultsOf(schema, parse(example)), [], example);
    const account = '[channels.xmpp.bot]\njid = "bot@example.com"\n';
    const wrong: readonly (readonly [text: string, at: string])[] = [
      [account, 'channels.xmpp.bot: password is missing'],
      [`${account}password = 5`, 'channels.xmpp.bot.password: is no string'],
      [`${account}password = "p"\npasword = "p"`, 'channels.xmpp.bot: pasword is unknown'],
      [
        `${account}password = "p"\ndm_policy = "opne"`,
        'channels.xmpp.bot.dm_policy: is none of open, allowlist, disabled',
      ],
      [
        `${account}password = "p"\nlimits.tokens_per_day = 0`,
        'channels.xmpp.bot.limits.tokens_per_day: is none of what it may be',
      ],
      [`${account}password = "p"\nlimits.tokens_per_day = false`, ''],
      [`[providers.local]\nmodels = "one"`, 'providers.local.models: is no array'],
      ['[memory]\nstyle = "any"', ''],
    ];
    for (const [text, fault] of wrong) t.same(faultsOf(schema, parse(text)), fault === '' ? [] : [fault], text);
  });

  t.test('in the README are valid, and the manual describes every setting', async (t) => {
    const directory = t.testdir({
      skills: {
        'code-review': { 'SKILL.md': '---\nname: code-review\ndescription: Reviews code.\n---\nRead it twice.\n' },
      },
      'ca.pem': LOOPBACK_CERTIFICATE,
    });
    const env = { BOT_PASSWORD: 'one', ROOM_PASSWORD: 'two', ANTHROPIC_API_KEY: 'three' };
    for (const example of examples) {
      const { findings } = parseConfig(example, { file: 'README.md', env, baseDirectory: directory });
      t.same(
        findings.filter(({ severity }) => severity === 'error'),
        [],
        example,
      );
    }
    const named = (key: string): boolean => new RegExp(`[\`[.]${key}\\b|${key}\``).test(manual);
    t.same(
      keysOf(schema).filter((key) => !named(key)),
      [],
    );
  });
});

/** Every setting's name in a schema, without those that only Moltis reads. */
function keysOf(schema: unknown): readonly string[] {
  if (typeof schema !== 'object' || schema === null) return [];
  const found = new Set<string>();
  for (const [name, value] of Object.entries(schema)) {
    if (name === 'properties' && typeof value === 'object' && value !== null)
      for (const [key, inner] of Object.entries(value as Record<string, { description?: string }>))
        if (inner.description !== 'Used by Moltis, ignored here.') found.add(key);
    for (const key of keysOf(value)) found.add(key);
  }
  return [...found];
}
