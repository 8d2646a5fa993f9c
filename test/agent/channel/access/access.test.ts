/** Access, limits and their log events: the built bot, over XMPP. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { Background } from '../../../../src/agent/background.js';
import { Limits } from '../../../../src/agent/channel/access/limits.js';
import { SeenMessages } from '../../../../src/agent/channel/inbound/seen.js';
import { StrangerBook } from '../../../../src/agent/channel/access/stranger-book.js';
import { TokenLedger } from '../../../../src/agent/channel/access/token-ledger.js';
import { writeCorrection } from '../../../../src/xeps/xep-0308-message-correction.js';
import { writeOriginId } from '../../../../src/xeps/xep-0359-stable-ids.js';
import { writeEncryption } from '../../../../src/xeps/xep-0380-explicit-message-encryption.js';
import { roster } from '../../../../src/xmpp-core/im/roster.js';
import { subscriptions } from '../../../../src/xmpp-core/im/subscriptions.js';
import { newId } from '../../../../src/xmpp-core/stanza/ids.js';
import { writeMessage } from '../../../../src/xmpp-core/stanza/stanzas.js';
import { memoryStorage } from '../../../../src/xmpp-core/storage.js';
import {
  askAgain,
  promptOf,
  pausedAnswer,
  PASSWORD,
  runToEnd,
  Stage,
  times,
  type Person,
  type Settings,
} from '../../../support/bot.js';
import { cutsOff, fails, hangs, textAnswer } from '../../../support/openai-server.js';

// Starting programs is slow on a busy machine.
t.setTimeout(180_000);

const WAIT = "I don't know you yet. An operator can let you in.";

/** The plugins to subscribe to presence. */
const WATCHER = [roster, subscriptions];

/** A person whose client records subscription events. */
function presences(person: Person): string[] {
  const heard: string[] = [];
  const { events } = person.client.get(subscriptions);
  events.on('approved', () => heard.push('approved'));
  events.on('denied', () => heard.push('denied'));
  return heard;
}

t.test('strangers', async (t) => {
  const stage = await Stage.set(t);
  const { model } = stage;
  const accounts = {
    bot: stage.account({
      dm_policy: 'allowlist',
      allowlist: ['alice@localhost', 'ann*@localhost'],
      operators: ['boss@localhost'],
    }),
    flooded: stage.account({ dm_policy: 'allowlist', operators: ['boss@localhost'] }, 'flooded'),
    alone: stage.account({ dm_policy: 'allowlist' }, 'alone'),
    off: stage.account({ dm_policy: 'disabled', operators: ['boss@localhost'] }, 'off'),
  };
  const settings = stage.settings(accounts);
  let bot = await stage.start(settings);
  for (const account of Object.keys(accounts)) await bot.expect('online', { account });
  const [boss, alice] = [await stage.person('boss'), await stage.person('alice')];

  // [promise-stranger] [promise-operators] [promise-dm-policy] [promise-allowlist]
  t.test('a stranger and the operators get one notice each; operators themselves are answered', async (t) => {
    const carol = await stage.person('carol');
    const before = model.requests.length;
    carol.send('hello');
    await carol.receives(WAIT);
    t.match(
      (await boss.receives(/carol@localhost/)).body,
      /^carol@localhost wrote.*\n\/approve carol@localhost\n\/deny carol@localhost$/,
    );
    carol.send('hello?');
    t.match(await bot.expect('denied', { from: 'carol@localhost' }), { account: 'bot', why: 'not in allowlist' });
    for (const person of [boss, alice]) await askAgain(stage, person);
    t.equal(carol.received.length, 1, 'one message, and no chat state or receipt');
    t.equal(
      times(
        boss.texts.map((text) => text.split(' ')[0] ?? ''),
        'carol@localhost',
      ),
      1,
    );
    t.equal(model.requests.length, before + 2, 'the model gets no message of a stranger');
  });

  // [promise-denied-silence] [promise-dm-policy]
  t.test('sends a stranger nothing without operators, and nothing under dm_policy disabled', async (t) => {
    const dave = await stage.person('dave');
    const [alone, off] = [stage.jid('alone'), stage.jid('off')];
    for (const to of [alone, off]) dave.send('hello', { to });
    boss.send('hello', { to: off });
    await bot.expect('denied', { account: 'alone', from: 'dave@localhost', why: 'not in allowlist' });
    await bot.expect('denied', { account: 'off', from: 'dave@localhost', why: 'dm_policy is disabled' });
    await bot.expect('denied', { account: 'off', from: 'boss@localhost', why: 'dm_policy is disabled' });
    // A server delivers in order, so what follows in another account's answer came after anything said before.
    await askAgain(stage, boss);
    t.same(dave.received, [], 'no message, no chat state, no receipt, no error');
    t.same(
      boss.received.filter(({ from }) => from.startsWith('off@')),
      [],
    );
  });

  // [promise-stranger]
  t.test('does not flood operators with made-up addresses, and ignores messages that no person sent', async (t) => {
    const to = stage.jid('flooded').withResource('moltis');
    const message = (from: string, type: string, body = 'x'): void =>
      stage.server.inject(to, `<message from="${from}" type="${type}"><body>${body}</body></message>`);
    message('component.example', 'chat');
    message('someone@example.org/x', 'headline');
    message('someone@example.org/x', 'error');
    stage.server.inject(to, `<message from="someone@example.org/x" type="chat"><body/></message>`);
    stage.server.inject(to, `<presence from="asker@example.org" type="subscribe"/>`);
    for (let count = 1; count <= 30; count++)
      message(`made-up-${count}@evil.example/x`, count % 2 === 0 ? 'chat' : 'normal');
    const last = await boss.receives(/^made-up-10@/);
    t.match(last.body, /I will not announce more for a while/);
    await bot.expect('denied', { account: 'flooded', from: 'made-up-30@evil.example' });
    await askAgain(stage, boss);
    const told = boss.received.filter(({ from }) => from.startsWith('flooded@'));
    t.same(
      told.map(({ body }) => /^\S+/.exec(body ?? '')?.[0]),
      Array.from({ length: 10 }, (_, index) => `made-up-${index + 1}@evil.example`),
    );
  });

  // [promise-command-approve] [pitfall-wire-addresses]
  t.test('a stranger whose address RFC 7622 forbids can be let in, and nobody else with them', async () => {
    const says = (from: string): void =>
      stage.server.inject(
        stage.jid().withResource('moltis'),
        `<message from="${from}/x" type="chat" id="${from}"><body>hello</body></message>`,
      );
    says('i♥xmpp@localhost');
    await boss.receives(/^i♥xmpp@localhost wrote.*\n\/approve i♥xmpp@localhost/);
    boss.send('/approve i♡xmpp@localhost');
    await boss.receives(/not a valid address/);
    boss.send('/approve i♥xmpp@localhost');
    await boss.receives('i♥xmpp@localhost is approved.');
    const before = model.requests.length;
    says('I♥XMPP@localhost');
    await bot.expect('denied', { from: 'I♥XMPP@localhost', why: 'not in allowlist' });
    says('i♥xmpp@localhost');
    await model.request(before);
    boss.send('/deny i♥xmpp@localhost');
    await boss.receives('i♥xmpp@localhost is denied.');
  });

  // [promise-command-approve] [promise-command-usage] [promise-subscriptions] [promise-limit-kept] [promise-allowlist]
  t.test('/approve lets a stranger in for good and approves their presence request; /deny revokes both', async () => {
    const fred = await stage.person('fred', WATCHER);
    const heard = presences(fred);
    fred.client.get(subscriptions).request(stage.jid());
    await bot.expect('denied', { from: 'fred@localhost' });
    fred.send('hello');
    await fred.receives(WAIT);
    boss.send('/approve fred@localhost');
    await boss.receives('fred@localhost is approved.');
    await fred.receives('An operator has let you in. Please ask me again.');
    await askAgain(stage, fred);
    t.same(heard, ['approved']);
    boss.send('/usage');
    await boss.receives(/fred@localhost.*18/);
    await bot.stop();
    bot = await stage.start(settings);
    await bot.expect('online', { account: 'bot' });
    await askAgain(stage, fred);
    boss.send('/deny fred@localhost');
    await boss.receives('fred@localhost is denied.');
    fred.send('hello again');
    await bot.expect('denied', { from: 'fred@localhost', why: 'not in allowlist' });
    await askAgain(stage, alice);
    t.same(heard, ['approved', 'denied'], 'nor do they see its presence');
    t.equal(fred.texts.length, 4, 'after that they get nothing');
    t.equal(boss.texts.filter((text) => text.startsWith('fred@localhost wrote')).length, 1);
    fred.send('/approve fred@localhost');
    await askAgain(stage, alice);
    t.equal(fred.texts.length, 4);
  });

  // [promise-stranger] [promise-limit-kept] [promise-encrypted]
  t.test('does not repeat notices after a restart', async (t) => {
    const amy = await stage.person('ann-amy');
    const sendSecret = (): void => {
      const payloads = [writeEncryption('eu.siacs.conversations.axolotl')];
      amy.client.send(writeMessage({ to: stage.jid(), type: 'chat', id: newId(), body: 'secret', payloads }));
    };
    sendSecret();
    await amy.receives(/^I cannot read messages encrypted with OMEMO/);
    await bot.stop();
    bot = await stage.start(settings);
    await bot.expect('online', { account: 'bot' });
    const carol = await stage.person('carol');
    carol.send('hello again');
    await bot.expect('denied', { from: 'carol@localhost' });
    sendSecret();
    await askAgain(stage, amy);
    t.equal(amy.texts.length, 2, 'nor is the notice about encryption repeated');
    t.same(carol.received, []);
    for (const { path, mode, text } of await stage.data())
      t.equal(mode, text === undefined ? 0o700 : 0o600, `${path} is for its owner alone`);
  });

  // [promise-subscriptions]
  t.test('approves presence requests of people who may write; leaves those of others pending', async (t) => {
    const [anna, erik] = [await stage.person('anna', WATCHER), await stage.person('erik', WATCHER)];
    const [annas, eriks] = [presences(anna), presences(erik)];
    erik.client.get(subscriptions).request(stage.jid());
    anna.client.get(subscriptions).request(stage.jid());
    await anna.client.get(subscriptions).events.once('approved', { timeoutMs: 10_000 });
    await bot.expect('denied', { from: 'erik@localhost' });
    await askAgain(stage, alice);
    t.same(annas, ['approved']);
    t.same([eriks, erik.received], [[], []], 'neither approved nor denied');
    const denied = anna.client.get(subscriptions).events.once('denied', { timeoutMs: 10_000 });
    boss.send('/deny anna@localhost');
    t.ok(await denied, 'until an operator denies them, whoever approved them');
  });
});

t.test('the book of strangers', async (t) => {
  const storage = memoryStorage();
  let now = Date.UTC(2026, 0, 1);
  const open = async (): Promise<StrangerBook> => {
    const book = new StrangerBook(storage, 'bot@example.com', () => now);
    await book.load();
    return book;
  };
  const HOUR = 3_600_000;

  // [promise-stranger]
  t.test('announces at most ten an hour and forty a day, and counts the others', async (t) => {
    const book = await open();
    const kinds: string[] = [];
    for (let hour = 0; hour < 24; hour++) {
      for (let count = 0; count < 12; count++) {
        const knock = await book.recordAttempt(`${hour}-${count}@evil.example`);
        kinds.push(knock.kind);
        if (hour === 1 && count === 0) t.same(knock, { kind: 'announce', unannounced: 2 });
      }
      now += HOUR;
    }
    t.equal(times(kinds, 'announce') + times(kinds, 'last'), 40);
    t.equal(times(kinds, 'last'), 4);
    now += HOUR;
    t.same(await book.recordAttempt('new@example.org'), { kind: 'announce', unannounced: 20 * 12 + 2 });
    t.ok(((await storage.get('strangers bot@example.com')) ?? '').length < 5_000);
  });

  // [promise-command-approve] [promise-limit-kept]
  t.test('keeps approvals across restarts, and announces denied strangers again after a day', async (t) => {
    const first = await open();
    t.equal(await first.approve('new@example.org'), 'waiting');
    t.equal(await first.approve('new@example.org'), 'approved');
    t.equal(await first.approve('other@example.org'), 'unknown');
    const second = await open();
    t.same([...second.approved], ['new@example.org', 'other@example.org']);
    t.same([...second.approvedAt(new Date(now))], [...second.approved]);
    t.same([...second.approvedAt(new Date(now - 1))], [], 'messages from before the approval are not answered');
    t.equal(await second.deny('new@example.org'), 'approved');
    t.same(await second.recordAttempt('new@example.org'), { kind: 'silence' });
    const third = await open();
    t.same([...third.approved], ['other@example.org']);
    now += 23 * HOUR;
    t.same(await third.recordAttempt('new@example.org'), { kind: 'silence' });
    now += HOUR;
    t.match(await third.recordAttempt('new@example.org'), { kind: 'announce' });
    t.ok(third.waiting.includes('new@example.org'));
  });

  t.test('reads approvals that were stored without a time', async (t) => {
    const older = { approved: ['old@example.com'], waiting: [['shy@example.com', 1]], denied: [], announced: [] };
    await storage.set('strangers bot@example.com', JSON.stringify(older));
    const book = await open();
    t.same([[...book.approved], book.waiting], [['old@example.com'], ['shy@example.com']]);
    t.same(
      [...book.approvedAt(new Date(1_000))],
      ['old@example.com'],
      'also for messages that they sent while the bot was offline',
    );
  });

  t.test('starts empty when the stored state is damaged', async (t) => {
    await storage.set('strangers bot@example.com', '{"approved":7');
    t.same([...(await open()).approved], []);
  });
});

// [promise-encrypted]
t.test('remembers what was seen, up to a bound, and starts empty when the stored state is damaged', async (t) => {
  const storage = memoryStorage();
  const open = async (): Promise<SeenMessages> => {
    const seen = new SeenMessages(storage, 'seen', new Background((...event) => t.fail(JSON.stringify(event))));
    await seen.load();
    return seen;
  };
  const seen = await open();
  for (const one of ['a', 'b']) seen.add(one);
  t.same(
    ['a', 'b', 'c'].map((one) => seen.has(one)),
    [true, true, false],
  );
  await seen.written();
  t.equal((await open()).has('b'), true);
  for (let count = 1; count < 1_000; count++) seen.add(`stranger ${count} ${'x'.repeat(3_000)}`);
  await seen.written();
  const kept = (await storage.get('seen')) ?? '';
  t.equal(JSON.parse(kept).length, 1_000);
  t.ok(kept.length < 40_000, 'however long the texts of strangers are');
  const next = await open();
  t.same([next.has('a'), next.has('b')], [false, true], 'the oldest go first');
  await storage.set('seen', '{');
  t.equal((await open()).has('b'), false);
  const logged: unknown[] = [];
  const broken = { ...storage, set: () => Promise.reject(new Error('the disk is full')) };
  const unwritten = new SeenMessages(broken, 'seen', new Background((_level, _event, fields) => logged.push(fields)));
  unwritten.add('a');
  await unwritten.written();
  t.match(logged, [{ where: 'seen', message: 'the disk is full' }]);
  t.equal(unwritten.has('a'), true);
});

t.test('limits', async (t) => {
  const stage = await Stage.set(t);
  const { model } = stage;
  const accounts = {
    bot: stage.account({ limits: { tokens_per_day: 10 } }),
    free: stage.account(
      { limits: { messages_per_minute: false, tokens_per_day: false, stale_after_minutes: false } },
      'free',
    ),
    short: stage.account({ limits: { history_tokens: 100 } }, 'short'),
    one: stage.account({ limits: { messages_per_minute: false, turns_per_minute: 5 } }, 'one'),
    two: stage.account({ limits: { messages_per_minute: false, turns_per_minute: 5 } }, 'two'),
    strict: stage.account({ limits: { messages_per_minute: 2 } }, 'strict'),
    four: stage.account({ limits: { messages_per_minute: 4, turns_per_minute: 1 } }, 'four'),
  };
  const settings = stage.settings(accounts);
  const bot = await stage.startProcess(settings);
  for (const account of Object.keys(accounts)) await bot.expect('online', { account });
  const alice = await stage.person('alice');

  // [promise-limit-tokens] [promise-answer-state]
  t.test('checks the tokens of the day again when a turn begins, and sends one notice', async (t) => {
    const { script, release } = pausedAnswer('', 'Dear.');
    const before = model.requests.length;
    model.next(script);
    alice.send('one');
    await model.request(before);
    for (const text of ['two', 'three', '/status']) alice.send(text);
    await alice.receives(/2 waiting/);
    release();
    await alice.receives('Dear.');
    await alice.receives(/come back tomorrow/);
    alice.send('four');
    await bot.expect('denied', { from: 'alice@localhost', why: 'over limits.tokens_per_day' });
    alice.send('/help');
    await alice.receives(/^\/compact/);
    alice.send('/compact');
    await alice.receives(/come back tomorrow/);
    alice.send('/retry');
    await alice.receives(/come back tomorrow/);
    alice.send('/status');
    await alice.receives(/0 waiting/);
    t.match(alice.texts.slice(0, 3), [/2 waiting/, 'Dear.', /come back tomorrow/]);
    t.equal(alice.texts.length, 7, 'one notice, and commands, which cost no tokens, still work');
    t.equal(model.requests.length, before + 1);
    t.equal(
      alice.received.filter(({ state, from }) => state !== undefined && from.startsWith('moltis@')).at(-1)?.state,
      'active',
    );
  });

  // [promise-limit-off]
  t.test('sends no notice where a limit is off', async () => {
    const freda = await stage.person('freda');
    for (let count = 1; count <= 25; count++) {
      freda.send(`${count}`, { to: stage.jid('free') });
      await freda.receives(`You said: ${count}`);
    }
  });

  // [promise-limit-messages]
  t.test('sends one notice to a sender over the limit, and answers them in their other conversations', async (t) => {
    const greg = await stage.person('greg');
    const before = model.requests.length;
    const to = stage.jid('strict');
    for (const text of ['1', '2']) greg.send(text, { to });
    await greg.receives('You said: 2');
    for (const text of ['3', '4', '5']) greg.send(text, { to });
    await greg.receives(/Too many messages at once/);
    await bot.expect('denied', { account: 'strict', from: 'greg@localhost', why: 'over limits.messages_per_minute' });
    greg.send('hello', { to: stage.jid('free') });
    await greg.receives('You said: hello');
    t.equal(greg.texts.length, 4);
    t.equal(model.requests.length, before + 3);
  });

  // [promise-limit-messages] [promise-conversation-correction]
  t.test('counts corrections as messages, and drops those over the limit silently', async (t) => {
    const [cora, dora] = [await stage.person('cora'), await stage.person('dora')];
    const to = stage.jid('strict');
    const before = model.requests.length;
    const { script, release } = pausedAnswer('', 'First.');
    model.next(script);
    cora.send('one', { to });
    await model.request(before);
    const id = cora.send('tow', { to });
    const payloads = [writeCorrection(id)];
    cora.client.send(writeMessage({ to, type: 'chat', id: newId(), body: 'two', payloads }));
    // Another's question to the same account comes after it.
    dora.send('three', { to });
    await dora.receives('You said: three');
    release();
    await cora.receives('You said: tow');
    t.same(cora.texts, ['First.', 'You said: tow']);
    cora.send('four', { to });
    await cora.receives(/Too many messages at once/);
  });

  // [promise-limit-messages]
  t.test('a sender over the limit can stop a running turn; without one, /stop counts as a message', async (t) => {
    const [ivy, jim] = [await stage.person('ivy'), await stage.person('jim')];
    const to = stage.jid('strict');
    const before = model.requests.length;
    model.next(hangs);
    for (const text of ['one', 'two']) ivy.send(text, { to });
    await model.request(before);
    ivy.send('three', { to });
    await ivy.receives(/Too many messages at once/);
    ivy.send('/stop', { to });
    await ivy.receives('Stopped.');
    for (let count = 0; count < 10; count++) ivy.send('/stop', { to });
    // Another's question to the same account comes after it.
    jim.send('four', { to });
    await jim.receives('You said: four');
    t.equal(ivy.texts.length, 2);
    const lines = (await stage.data()).flatMap(({ path, text = '' }) => (path.includes('ivy') ? text.split('\n') : []));
    t.equal(lines.filter((line) => line.includes('"name":"stop"')).length, 1, 'and it is not stored again');
  });

  // [promise-limit-history]
  t.test('a request has at most history_tokens of history', async (t) => {
    const hana = await stage.person('hana');
    const to = stage.jid('short');
    for (const text of ['the first word', `the second word ${'and more '.repeat(60)}`, 'the third word']) {
      model.next(textAnswer('Yes.'));
      hana.send(text, { to });
      await hana.receives('Yes.');
    }
    const said = JSON.stringify(promptOf(model));
    t.match(said, 'the third word');
    t.notMatch(said, 'the first word');
  });

  // [promise-limit-turns]
  t.test('a conversation between two bots ends', async (t) => {
    const before = model.requests.length;
    const [one, two] = [stage.jid('one').toString(), stage.jid('two').toString()];
    // The first message.
    stage.server.inject(
      stage.jid('one').withResource('moltis'),
      `<message from="${two}/moltis" type="chat" id="1"><body>Hi</body></message>`,
    );
    await bot.expect('denied', { why: 'over limits.turns_per_minute' });
    model.next(textAnswer('Free.'));
    alice.send('and now?', { to: stage.jid('free') });
    await alice.receives('Free.');
    const count = model.requests.length - before - 1;
    t.ok(count >= 9 && count <= 10, `${one} and ${two} had ${count} turns`);
  });

  // [promise-limit-messages] [promise-limit-turns] [promise-conversation-once]
  t.test('counts a repeated message once, and commands not as turns', async (t) => {
    const jane = await stage.person('jane');
    const to = stage.jid('four');
    const [command, question] = [jane.send('/new', { to }), jane.send('hm', { to })];
    await jane.receives(/^New session/);
    await jane.receives('You said: hm');
    jane.send('/new', { to, id: command });
    jane.send('hm', { to, id: question });
    const id = newId();
    const payloads = [writeOriginId(id), writeCorrection(question)];
    const correction = { to, type: 'chat' as const, id, body: 'ham', payloads };
    for (let count = 1; count <= 2; count++) jane.client.send(writeMessage(correction));
    jane.send('/new', { to });
    await jane.receives(/^New session/);
    jane.send('the fifth', { to });
    await jane.receives(/Too many messages at once/);
    t.equal(jane.texts.length, 4);
  });

  // [promise-limit-kept] [promise-limit-messages]
  t.test(
    'keeps the tokens of the day when the process is killed, and does not count messages of the archive again',
    async () => {
      const [ida, kim] = [await stage.person('ida'), await stage.person('kim')];
      const to = stage.jid('four');
      kim.send('/status', { to });
      await kim.receives(/^Account:/);
      model.next(textAnswer('Dear.'));
      ida.send('hello');
      await ida.receives('Dear.');
      // The sums are written within seconds.
      const state = join(stage.dataDirectory, 'state.json');
      while (!(await readFile(state, 'utf8').catch(() => '')).includes('ida@localhost')) await delay(50);
      await bot.stop('SIGKILL');
      const again = await stage.start(settings);
      await again.expect('online', { account: 'bot' });
      ida.send('hello again');
      await ida.receives(/come back tomorrow/);
      await again.expect('online', { account: 'four' });
      for (let count = 1; count <= 3; count++) {
        kim.send('/status', { to });
        await kim.receives(/^Account:/);
      }
      await again.stop();
    },
  );
});

// [promise-check-open]
t.test('check warns of a bot that answers everybody and has no limit of tokens', async (t) => {
  const stage = await Stage.set(t);
  const check = async (account: Settings): Promise<string> => {
    const configuration = await stage.write(stage.settings({ bot: stage.account(account) }));
    const { end, output } = await runToEnd(['check', '--config', configuration]);
    t.equal(end, 0, 'a warning is no error');
    return output;
  };
  const limits = { tokens_per_day: false };
  const warning = /warning: tokens_per_day is off while anyone may talk to the bot/;
  t.match(await check({ limits }), warning);
  t.match(await check({ limits, dm_policy: 'disabled', rooms: [stage.room('team').toString()] }), warning);
  for (const account of [{}, { limits, dm_policy: 'allowlist' }]) t.notMatch(await check(account), warning);
});

t.test('sums and windows', async (t) => {
  const config = {
    messagesPerMinute: 2,
    tokensPerDay: 100,
    turnsPerMinute: 3,
    botTurns: 10,
    historyTokens: 1,
    staleAfterMinutes: 1,
  };
  const storage = memoryStorage();
  let now = new Date(2026, 2, 1, 12, 0).getTime();
  const open = async (): Promise<{ limits: Limits; ledger: TokenLedger }> => {
    const ledger = new TokenLedger({
      storage,
      account: 'bot@example.com',
      background: new Background((...event) => t.fail(JSON.stringify(event))),
      now: () => new Date(now),
    });
    await ledger.load();
    return { ledger, limits: new Limits(config, ledger, () => now) };
  };

  // [promise-limit-messages]
  t.test('sends one notice over a limit, until the sender was within it again', async (t) => {
    const { limits } = await open();
    const ask = (): boolean | undefined => {
      const excess = limits.excess('a', 'a');
      return excess && excess.notice !== undefined;
    };
    t.same([ask(), ask(), ask(), ask()], [undefined, undefined, true, false]);
    for (let second = 0; second < 300; second += 10) {
      now += 10_000;
      t.equal(ask(), false, 'no second notice while they keep sending');
    }
    now += 61_000;
    t.same([ask(), ask(), ask()], [undefined, undefined, true]);
  });

  // [promise-limit-messages] [promise-limit-turns]
  t.test('counts delayed messages by their own time, and commands and turns separately', async (t) => {
    const { limits } = await open();
    const ago = (minutes: number): Date => new Date(now - minutes * 60_000);
    const isTooMuch = (minutes: number): boolean => limits.excess('b', 'b', ago(minutes)) !== undefined;
    t.same([50, 50, 40, 40, 30, 30, 0, 0].map(isTooMuch), Array(8).fill(false), 'two in each minute');
    t.same([50, 40, 0].map(isTooMuch), [true, true, true], 'whatever time they carry');
    t.same([-5, -90].map(isTooMuch), [true, true], 'a time in the future counts as now');
    t.equal(limits.excessOfCommand('stop', true, 'b'), undefined, 'a running turn can always be stopped');
    t.match(limits.excessOfCommand('stop', false, 'b'), { why: 'over limits.messages_per_minute' });
    t.match(limits.excessOfCommand('status', true, 'b'), { why: 'over limits.messages_per_minute' });
    const turn = (): string | undefined => limits.excessOfTurns('talk')?.why;
    const over = 'over limits.turns_per_minute';
    t.same([turn(), turn(), turn(), turn()], [undefined, undefined, undefined, over]);
    now += 61_000;
    t.equal(turn(), undefined);
  });

  // [promise-limit-tokens] [promise-limit-kept] [promise-command-usage]
  t.test(
    'counts the tokens of the day by payer, resets them at midnight, and keeps them across restarts',
    async (t) => {
      const { limits, ledger } = await open();
      limits.addUsage('small@example.org', 10);
      limits.addUsage('large@example.org', 60);
      limits.addUsage('large@example.org', 60);
      const usage = [
        { payer: 'large@example.org', tokens: 120 },
        { payer: 'small@example.org', tokens: 10 },
      ];
      t.same(limits.usage(), usage);
      t.match(limits.overspent('large@example.org'), { why: 'over limits.tokens_per_day', notice: /tomorrow/ });
      t.match(limits.overspent('large@example.org'), { notice: undefined });
      t.equal(limits.overspent('small@example.org'), undefined);
      await ledger.flush();
      const after = await open();
      t.same(after.limits.usage(), usage);
      now = new Date(2026, 2, 2, 0, 0, 1).getTime();
      t.equal(after.limits.overspent('large@example.org'), undefined);
      t.same(after.limits.usage(), []);
      t.same((await open()).limits.usage(), [], 'stored sums of another day do not count');
    },
  );
});

t.test('the log', async (t) => {
  const stage = await Stage.set(t);
  const { model } = stage;
  const room = stage.room('team').toString();
  const provider = { api_key: model.apiKey };
  const account = stage.account({
    rooms: [room],
    operators: ['boss@localhost'],
    system_prompt: 'canary of the prompt',
    muc_rooms: { [room]: { password: 'canary of the room' } },
  });
  const bot = await stage.startProcess(stage.settings({ bot: account }, provider), ['--log-level', 'info']);
  await bot.expect('online');
  await bot.expect('joined', { room, nick: 'moltis' });

  // [promise-log-private] [promise-log-events] [promise-log-screen]
  t.test('contains no text of messages and no secret, whatever fails', async (t) => {
    const alice = await stage.person('alice');
    const team = await alice.enter(stage.room('team'));
    model.next(textAnswer('canary of the answer'));
    alice.send('canary of the question');
    await alice.receives('canary of the answer');
    await alice.sendIn(team, 'canary of the room’s talk');
    model.next(textAnswer('canary of the room’s answer'));
    await alice.sendIn(team, 'moltis: canary of the mention');
    await alice.receives('canary of the room’s answer');
    const echoing = `canary of the question is not allowed, key ${model.apiKey}`;
    for (const script of [
      fails(400, { message: echoing }),
      fails(401, { message: echoing }),
      fails(500, { message: echoing }),
      cutsOff('canary cut'),
    ]) {
      model.next(script);
      alice.send('canary of another question');
      await bot.expect('error', { kind: 'model' });
    }
    alice.send('/canary of a command');
    await alice.receives(/^I don't know/);
    model.next(hangs);
    const before = model.requests.length;
    alice.send('canary of what is stopped');
    await model.request(before);
    alice.send('/stop');
    await alice.receives('Stopped.');
    const to = stage.jid().withResource('moltis');
    stage.server.inject(
      to,
      `<message from="x@localhost/y" type="error" id="1"><body>canary back</body><error type="cancel"><gone xmlns="urn:ietf:params:xml:ns:xmpp-stanzas"/></error></message>`,
    );
    stage.server.inject(
      to,
      `<message from="x@localhost/y" type="chat" id="2"><body>canary of OMEMO</body><encryption xmlns="urn:xmpp:eme:0" namespace="eu.siacs.conversations.axolotl"/></message>`,
    );
    await bot.expect('error', { kind: 'undelivered' });
    await askAgain(stage, alice);
    await bot.stop();
    const state = (await stage.data()).find(({ path }) => path.endsWith('state.json'));
    const secrets = [PASSWORD, model.apiKey, ...(state?.text?.match(/"token\\?":\\?"[^"\\]+/g) ?? [])];
    for (const word of ['canary', ...secrets])
      t.same(
        bot.log.filter((event) => JSON.stringify(event).includes(word)),
        [],
        'neither texts nor secrets',
      );
    t.same(bot.noise, [], 'every line is one event');
    for (const event of bot.log)
      t.match(event, { time: /^\d{4}-\d\d-\d\dT.*Z$/, level: /^(info|warn|error)$/, event: String });
    t.match(bot.logged('online')[0], { account: 'bot', jid: 'moltis@localhost/moltis', resumed: false });
    t.match(bot.logged('turn')[0], {
      account: 'bot',
      conversation: 'moltis@localhost/alice@localhost',
      ms: Number,
      promptTokens: 11,
      completionTokens: 7,
      model: 'local/mock',
    });
    t.match(bot.logged('offline').at(-1), { reason: 'stopped', retryInMs: null });
    for (const error of bot.logged('error')) t.match(error, { kind: String, message: String });
  });
});
