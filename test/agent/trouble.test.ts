/** Failures of models, networks, servers and settings, and what happens to unanswered questions then. */
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { stringify } from 'smol-toml';
import t from 'tap';
import { Bot } from '../../src/agent/bot.js';
import { Account } from '../../src/agent/channel/account.js';
import { errorKind, remedyFor, type ServerSettings } from '../../src/agent/channel/client/connection-trouble.js';
import { parseConfig } from '../../src/agent/config/parse-config.js';
import { configuredModels } from '../../src/agent/model/configured-models.js';
import { displayedMarkers } from '../../src/xeps/xep-0333-displayed-markers.js';
import {
  ConnectError,
  NegotiationError,
  SaslError,
  StreamError,
  TlsError,
  UnreachableError,
  WrongPortError,
  type PortUse,
  type TlsProblem,
  type Unreachable,
} from '../../src/xmpp-core/errors.js';
import { Jid } from '../../src/xmpp-core/jid/jid.js';
import { newId } from '../../src/xmpp-core/stanza/ids.js';
import { writeMessage } from '../../src/xmpp-core/stanza/stanzas.js';
import { Inbox } from '../interop/inbox.js';
import { askAgain, promptOf, pausedAnswer, PASSWORD, Stage, times, type RunningBot } from '../support/bot.js';
import { cutsOff, fails, hangs, textAnswer, sendsPage, type Script } from '../support/openai-server.js';

// Starting programs is slow on a busy machine.
t.setTimeout(180_000);

interface LoggedEvent {
  readonly event: string;
  readonly [field: string]: unknown;
}

t.test('a model that fails', async (t) => {
  const stage = await Stage.set(t);
  const { model } = stage;
  const bot = await stage.runProcess({ rooms: [stage.room('team').toString()] }, { first_token_s: 1, idle_s: 1 });
  await bot.expect('joined');
  const key = model.apiKey;
  const cases: readonly [what: string, script: Script, sentence: RegExp][] = [
    [
      'refuses the key',
      fails(401, { message: `Incorrect API key provided: ${key}` }),
      /does not accept my credentials/,
    ],
    ['has too much to do', fails(429, { message: `slow down, ${key}` }), /too busy/],
    ['is out of order', fails(500), /unavailable/],
    ['is behind a broken proxy', sendsPage(502, 'Bad Gateway'), /unavailable/],
    ['never answers', hangs, /took too long/],
    ['breaks off', cutsOff('Once upon'), /was cut off/],
  ];
  for (const [what, script, sentence] of cases) {
    // [promise-answer-failure]
    // [promise-model-cut]
    t.test(`a model that ${what} is one short sentence to people, and a line in the log`, async (t) => {
      const person = await stage.person(what.replaceAll(' ', '-'));
      model.next(script);
      person.send('a question');
      const said = await person.receives(/\([\w-]+\)$/);
      t.match(said, { state: 'active', body: sentence });
      t.ok((said.body ?? '').length < 120, 'it is short');
      const reference = /\(([\w-]+)\)$/.exec(said.body ?? '')?.[1];
      t.match(await bot.expect('error', { reference }), { level: 'error', kind: 'model', message: /local\/mock at / });
      await askAgain(stage, person);
      t.equal(person.texts.length, 2, 'one sentence, one answer');
      const [, question, failure] = promptOf(model);
      t.same(
        [question, failure],
        [
          ['user', 'a question'],
          ['assistant', (said.body ?? '').replace(/ \([\w-]+\)$/, '')],
        ],
      );
    });
  }

  // [promise-model-cut]
  t.test('ends a partial answer visibly', async (t) => {
    const person = await stage.person('reader');
    const seen = new AbortController();
    model.next(async (exchange) => {
      while (!seen.signal.aborted) {
        exchange.text('and ');
        await delay(50);
      }
      exchange.cut();
    });
    person.send('tell me');
    const first = await person.receives(/^and /);
    seen.abort();
    t.match(await person.receives(/…$/), { replaces: first.id, state: 'active' });
    await person.receives(/was cut off/);
  });

  // [promise-answer-failure]
  t.test('sends a room at most one notice a minute', async (t) => {
    const person = await stage.person('guest');
    const team = await person.enter(stage.room('team'));
    model.next(fails(500), fails(500), textAnswer('Back.'));
    for (const count of [1, 2]) {
      await person.sendIn(team, `moltis: question ${count}`);
      await bot.expect('error', { conversation: 'moltis@localhost/team@rooms.localhost' });
    }
    await person.sendIn(team, 'moltis: are you well?');
    await person.receives('Back.');
    t.match(person.texts, [/unavailable/, 'Back.']);
  });

  // [promise-conversation-kept] [promise-data-places]
  t.test('stored files are readable by their owner only, are valid, and contain no secret', async (t) => {
    const data = await stage.data();
    t.ok(data.length > 4, 'there is something to look at');
    for (const { path, mode, text } of data) {
      t.equal(mode, text === undefined ? 0o700 : 0o600, `${path} is for its owner alone`);
      for (const secret of [key, PASSWORD]) t.notOk(text?.includes(secret), `${path} holds no secret`);
      if (!path.endsWith('.jsonl')) continue;
      for (const line of (text ?? '').trim().split('\n')) t.match(JSON.parse(line), { v: 1, kind: String });
    }
    for (const word of [key, PASSWORD, 'a question', 'Once upon']) t.notOk(bot.output.includes(word));
    t.same(bot.noise, []);
  });
});

t.test('a lost connection', async (t) => {
  const stage = await Stage.set(t);
  const { model, server } = stage;
  const bot = await stage.run({ rooms: [stage.room('team').toString()] });
  await bot.expect('joined');
  const alice = await stage.person('alice');

  t.test('delivers an answer that was completed offline after the reconnect, once', async (t) => {
    const { script, release } = pausedAnswer('', 'Here it is.');
    model.next(script);
    alice.send('a question');
    await model.request(model.requests.length);
    server.cutAll();
    release();
    t.match(await bot.expect('offline'), { retryInMs: Number });
    await bot.expect('online', { resumed: false });
    await alice.receives('Here it is.');
    await bot.expect('joined');
    await askAgain(stage, alice);
    t.equal(times(alice.texts, 'Here it is.'), 1);
    t.same(model.violations, []);
  });

  t.test('reports a failure of the model while offline after the reconnect', async (t) => {
    const before = model.requests.length;
    const cut = new AbortController();
    model.next(async (exchange) => {
      await once(cut.signal, 'abort');
      exchange.cut();
    });
    alice.send('a hopeless question');
    await model.request(before);
    server.cutAll();
    cut.abort();
    await bot.expect('error', { kind: 'model' });
    t.match(await alice.receives(/\([\w-]+\)$/), { body: /please try again/ });
  });

  // [promise-receipts]
  t.test('answers a question whose turn begins offline, without a mark', async (t) => {
    const before = model.requests.length;
    const cut = new AbortController();
    model.next(async (exchange) => {
      await once(cut.signal, 'abort');
      exchange.cut();
    }, textAnswer('Unmarked.'));
    alice.send('a hopeless question');
    await model.request(before);
    const markers = alice.client.get(displayedMarkers);
    const question = writeMessage({ to: stage.jid(), type: 'chat', id: newId(), body: 'a marked question' });
    alice.client.send(markers.request(question));
    alice.send('/status');
    await alice.receives(/1 waiting/);
    server.cutAll();
    await bot.expect('offline');
    cut.abort();
    await alice.receives('Unmarked.');
    t.equal(bot.logged('error').filter(({ kind }) => kind === 'internal').length, 0);
  });

  t.test('an answer for a room waits until the bot has rejoined', async (t) => {
    const bob = await stage.person('bob');
    const team = await bob.enter(stage.room('team'));
    const { script, release } = pausedAnswer('', 'To all of you.');
    const before = model.requests.length;
    model.next(script);
    await bob.sendIn(team, 'moltis: a question');
    await model.request(before);
    server.rooms.expel(stage.room('team'), 'moltis', [332]);
    await bot.expect('left', { why: 'shutdown' });
    server.cutAll();
    release();
    await bot.expect('joined');
    await bob.receives('To all of you.');
    t.equal(times(bob.texts, 'To all of you.'), 1);
  });
});

// [promise-trouble-address] [promise-trouble-certificate] [promise-trouble-port]
t.test('each cause of a failed connection has its remedy, with the setting and the place', (t) => {
  const table = '[channels.xmpp.bot]';
  const plain = {
    name: 'bot',
    jid: Jid.parse('bot@example.com'),
    server: undefined,
    directTls: false,
    websocket: undefined,
    ca: undefined,
  };
  const named = { ...plain, server: { host: 'xmpp.exmaple.com', port: 5222 } };
  const short = { ...plain, server: { host: '2001:db8::1', port: undefined } };
  const socket = { ...plain, websocket: 'wss://example.com/ws?key=secret' };
  const tls = (problem: TlsProblem): TlsError => new TlsError('tls', { problem });
  const port = (found: PortUse): WrongPortError => new WrongPortError('a:1', { expected: 'starttls', found });
  const host = (problem: Unreachable, name = 'example.com'): UnreachableError =>
    new UnreachableError('unreachable', { problem, host: name });
  const cases: readonly (readonly [Error, ServerSettings, string, string | undefined])[] = [
    [new SaslError('not-authorized'), plain, 'auth', `correct jid and password in ${table}`],
    [new SaslError('account-disabled'), plain, 'auth', 'ask the operator of the server'],
    [new SaslError('temporary-auth-failure'), plain, 'auth', undefined],
    [
      tls('other-name'),
      named,
      'tls',
      `correct jid = "bot@example.com" in ${table}, or have example.com added to the certificate`,
    ],
    [tls('other-name'), socket, 'tls', `correct websocket in ${table}`],
    [tls('expired'), plain, 'tls', 'have it renewed on the server'],
    [tls('not-yet-valid'), plain, 'tls', 'correct the clock of this machine'],
    [tls('self-signed'), plain, 'tls', `if it is yours, set ca_file in ${table} to this certificate`],
    [
      tls('unknown-authority'),
      plain,
      'tls',
      `if you trust it, set ca_file in ${table} to the certificate of this authority`,
    ],
    [tls('not-offered'), plain, 'tls', 'have TLS switched on at the server'],
    [tls('not-tls'), socket, 'tls', `correct websocket in ${table}`],
    [tls('handshake'), plain, 'tls', 'ask the operator of the server'],
    [port('direct'), named, 'tls', `set direct_tls = true in ${table}`],
    [port('direct'), plain, 'tls', `set server = "a:1" and direct_tls = true in ${table}`],
    [port('starttls'), named, 'tls', `remove direct_tls in ${table}`],
    [port('starttls'), plain, 'tls', `set server = "a:1" in ${table}`],
    [
      port('http'),
      named,
      'connect',
      `correct server = "xmpp.exmaple.com:5222" in ${table} (clients usually connect to port 5222)`,
    ],
    [host('no-such-name', 'xmpp.exmaple.com'), named, 'dns', `correct server = "xmpp.exmaple.com:5222" in ${table}`],
    [host('no-such-name'), plain, 'dns', `correct jid = "bot@example.com" or set server = "host:port" in ${table}`],
    [
      host('no-such-name', 'old.example.com'),
      plain,
      'dns',
      `have the SRV record of example.com corrected, or set server = "host:port" in ${table}`,
    ],
    [host('no-such-name'), socket, 'dns', `correct websocket in ${table}`],
    [host('dns-failed'), plain, 'dns', 'check the network of this machine'],
    [host('refused'), short, 'connect', `start the server there, or correct server = "2001:db8::1" in ${table}`],
    [
      new StreamError('host-unknown', undefined, { by: 'peer' }),
      named,
      'stream',
      `the server does not serve example.com: correct jid = "bot@example.com" in ${table}`,
    ],
    [new StreamError('system-shutdown', undefined, { by: 'peer' }), named, 'stream', undefined],
    [
      new ConnectError('example.com', [
        { target: 'a', error: new Error('odd') },
        { target: 'b', error: tls('expired') },
      ]),
      plain,
      'connect',
      'have it renewed on the server',
    ],
    [new NegotiationError('no WebSocket (HTTP 404)'), socket, 'connect', `correct websocket in ${table}`],
  ];
  for (const [error, account, kind, remedy] of cases) {
    t.equal(errorKind(error), kind, error.message);
    t.equal(remedyFor(error, account), remedy, `${error.message} ${remedy ?? ''}`);
  }
  t.end();
});

t.test('a bot that is removed from a room', async (t) => {
  const stage = await Stage.set(t);
  const { model, server } = stage;
  const [team, club] = [stage.room('team'), stage.room('club')];
  const alice = await stage.person('alice');
  const hers = await alice.enter(team);
  await alice.enter(club);
  // In this process, where the minute that it stays away can be a moment.
  const events = new Inbox<LoggedEvent>('the log');
  const text = stringify(stage.settings({ bot: stage.account({ rooms: [team.toString(), club.toString()] }) }));
  const { config } = parseConfig(text, { file: 'moltis.toml', env: {}, baseDirectory: stage.directory });
  if (config === undefined) throw new Error('the configuration is wrong');
  const bot = await Bot.open({
    config,
    modelOf: configuredModels(config),
    dataDirectory: stage.dataDirectory,
    log: (_level, event, fields) => events.put({ event, ...fields }),
    rejoinMs: 10,
  });
  const expect = (event: string, room: string): Promise<LoggedEvent> =>
    events.expect(`${event} ${room}`, (one) => one.event === event && one['room'] === room);
  const running = bot.run();
  t.teardown(async () => {
    await bot.stop();
    await running;
  });
  await Promise.all([expect('joined', team.toString()), expect('joined', club.toString())]);

  // [pitfall-muc-lost]
  // [promise-rooms-kicked]
  t.test('logs a kick, rejoins, and answers again', async (t) => {
    server.rooms.expel(team, 'moltis', [307]);
    t.match(await expect('left', team.toString()), { why: 'kicked' });
    await expect('joined', team.toString());
    model.next(textAnswer('I am back.'));
    await alice.sendIn(hers, 'moltis: are you back?');
    await alice.receives('I am back.');
  });

  // [promise-rooms-kicked]
  t.test('does not rejoin after a ban', async (t) => {
    server.rooms.expel(club, 'moltis', [301]);
    t.match(await expect('left', club.toString()), { why: 'banned' });
    // Had it wanted to, it would have been back before it was in the other room again.
    server.rooms.expel(team, 'moltis', [307]);
    await expect('joined', team.toString());
    t.same(
      events.untaken.filter(({ event, room }) => event === 'joined' && room === club.toString()),
      [],
    );
  });
});

t.test('accounts that cannot go on', async (t) => {
  const stage = await Stage.set(t);
  const { model, server } = stage;

  const outcome = async (account: Record<string, unknown>): Promise<RunningBot> => {
    const { ca_file, ...rest } = stage.account(account);
    const bot = await stage.start(stage.settings({ bot: ca_file === 'none' ? rest : { ca_file, ...rest } }));
    t.equal(await bot.end(), 78);
    t.equal(bot.logged('error').length, 1, 'it is said once');
    t.match(bot.logged('offline'), [{ retryInMs: null }]);
    return bot;
  };

  // [pitfall-error-permanence]
  // [promise-log-give-up]
  t.test('logs one message for a wrong password, with the remedy', async (t) => {
    const bot = await outcome({ password: 'not-the-password' });
    t.match(bot.logged('error')[0], {
      level: 'error',
      account: 'bot',
      kind: 'auth',
      message: /moltis@localhost.*password is wrong.*correct jid and password in \[channels\.xmpp\.bot\]/,
    });
    t.notMatch(bot.output, 'not-the-password');
  });

  // [pitfall-certificate-name] [pitfall-auth-other-name] [pitfall-auth-self-signed]
  t.test('rejects a certificate for another name or of an unknown authority', async (t) => {
    const other = await outcome({ jid: 'moltis@example.test' });
    t.match(other.logged('error')[0], {
      kind: 'tls',
      message:
        /for example\.test: its certificate is for another name: localhost, .*; correct jid = "moltis@example\.test" in \[channels\.xmpp\.bot\], or have example\.test added to the certificate, and restart the bot$/,
    });
    const unknown = await outcome({ ca_file: 'none' });
    t.match(unknown.logged('error')[0], {
      kind: 'tls',
      message: /its certificate is self-signed.*; if it is yours, set ca_file in/,
    });
  });

  // [promise-trouble-port]
  t.test('names the setting to change when the port is for something else', async (t) => {
    const { startTls, directTls } = server.ports;
    const direct = await outcome({ direct_tls: true });
    t.match(direct.logged('error')[0], {
      kind: 'tls',
      message: `127.0.0.1:${startTls} does not begin with TLS: it is a port for StartTLS; remove direct_tls in [channels.xmpp.bot], and restart the bot`,
    });
    const late = await outcome({ server: `127.0.0.1:${directTls}` });
    t.match(late.logged('error')[0], {
      kind: 'tls',
      message: `127.0.0.1:${directTls} expects TLS from the first byte (direct TLS), not StartTLS; set direct_tls = true in [channels.xmpp.bot], and restart the bot`,
    });
  });

  // [promise-exit-codes] [promise-log-give-up]
  t.test('ends with 78 when every account failed for its own setting, and with 1 when one crashed', async (t) => {
    const password = stage.account({ password: 'not-the-password' });
    const certificate = stage.account({ jid: 'moltis@example.test' });
    const all = await stage.start(stage.settings({ password, certificate }));
    t.equal(await all.end(), 78);
    t.same(new Set(all.logged('error').map(({ kind }) => kind)), new Set(['auth', 'tls']));

    const first = t.capture(Account.prototype, 'run', () => {
      first.restore();
      return Promise.reject(new Error('a mistake'));
    });
    const some = await stage.start(stage.settings({ password, certificate }));
    t.equal(await some.end(), 1);
    t.match(
      some.logged('error').find(({ kind }) => kind === 'internal'),
      { message: 'a mistake' },
    );
  });

  // [promise-run-accounts]
  // [promise-log-give-up] [promise-run-accounts]
  t.test('an account that cannot log in does not affect the others', async (t) => {
    server.addAccount('locked', 'something else');
    const accounts = {
      locked: stage.account({ jid: 'locked@localhost' }),
      bot: stage.account(),
    };
    const bot = await stage.start(stage.settings(accounts));
    await bot.expect('error', { account: 'locked', kind: 'auth' });
    await bot.expect('online', { account: 'bot' });
    const alice = await stage.person('alice');
    model.next(textAnswer('I am here.'));
    alice.send('hello');
    await alice.receives('I am here.');
    t.equal(await bot.stop(), 0);
    t.equal(bot.logged('error').length, 1);
  });
});
