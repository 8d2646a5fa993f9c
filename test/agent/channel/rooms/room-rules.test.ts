/** Rooms as they are in the world: they hide who is there, want a password, belong to another server, have two bots. The built bot, over XMPP. */
import t from 'tap';
import type { FormValues } from '../../../../src/xeps/xep-0004-data-forms.js';
import { muc, type Room } from '../../../../src/xeps/xep-0045-muc/index.js';
import type { Jid } from '../../../../src/xmpp-core/jid/jid.js';
import { askAgain, promptOf, pausedAnswer, Stage, times, type Person } from '../../../support/bot.js';
import { hangs, textAnswer } from '../../../support/openai-server.js';

// Starting programs is slow on a busy machine.
t.setTimeout(180_000);

const HIDING = { 'muc#roomconfig_whois': 'moderators' };

/** Makes a room that is as this person wants it, who owns it then. */
async function found(owner: Person, room: Jid, configuration: FormValues): Promise<Room> {
  return owner.client.get(muc).join(room, { nick: owner.client.account.localpart, configuration });
}

t.test('a room that hides real JIDs', async (t) => {
  const stage = await Stage.set(t);
  const { model } = stage;
  const [closed, open] = [stage.room('closed'), stage.room('open')];
  const [owner, alice, bob] = [await stage.person('owner'), await stage.person('alice'), await stage.person('bob')];
  for (const room of [closed, open]) await found(owner, room, HIDING);
  const bot = await stage.run({
    rooms: [closed.toString(), open.toString()],
    operators: ['alice@localhost'],
    muc_rooms: { [closed.toString()]: { users: ['alice@localhost', 'bob@localhost'] } },
    limits: { messages_per_minute: 2, tokens_per_day: 10 },
  });
  for (const room of [closed, open]) await bot.expect('joined', { room: room.toString() });

  // [promise-room-users]
  t.test('admits neither its users nor operators, whatever nick they take', async (t) => {
    const hers = await alice.client.get(muc).join(closed, { nick: 'alice@localhost' });
    const shown = [...hers.occupants.values()].filter(({ realJid }) => realJid !== undefined);
    t.same(
      shown.map(({ nick }) => nick),
      ['alice@localhost'],
    );
    await alice.sendIn(hers, 'moltis: it is me');
    await bot.expect('denied', {
      from: `${closed.toString()}/alice@localhost`,
      why: 'the room has a users list and hides the real JID',
    });
    await alice.sendIn(hers, 'moltis: /rooms');
    await askAgain(stage, bob);
    t.equal(model.requests.length, 1);
    t.same(
      alice.received.filter(({ body }) => body !== undefined),
      [],
      'no word and no list of rooms',
    );
  });

  // [promise-limit-messages] [promise-room-users]
  t.test('counts the messages of each occupant, under any nick', async (t) => {
    const [hers, his] = [await alice.enter(open), await bob.enter(open)];
    for (const text of ['one', 'two']) await alice.sendIn(hers, text);
    await alice.sendIn(hers, 'moltis: /status');
    await alice.receives(/^Account:/);
    await alice.sendIn(hers, 'moltis: /status');
    await hers.changeNick('somebody');
    await alice.sendIn(hers, 'moltis: /context');
    await alice.receives('Too many messages at once; please wait a minute.');
    await bot.expect('denied', { why: 'over limits.messages_per_minute' });
    await bob.sendIn(his, 'moltis: /help');
    await bob.receives(/^\/help/m);
    t.equal(times(alice.texts, 'Too many messages at once; please wait a minute.'), 1);
  });

  // [promise-limit-tokens] [promise-rooms-private]
  t.test('has a token budget for the private messages of each occupant, under any nick', async () => {
    const [carol, dora] = [await stage.person('carol'), await stage.person('dora')];
    const [hers] = [await carol.enter(open), await dora.enter(open)];
    const to = open.withResource('moltis');
    model.next(textAnswer('The first word is free.'), textAnswer('For you, too.'));
    carol.send('a question', { to });
    await carol.receives('The first word is free.');
    await hers.changeNick('someone-new');
    carol.send('a question of someone new', { to });
    await carol.receives(/^Today's limit here is used up/);
    dora.send('a question of mine', { to });
    await dora.receives('For you, too.');
  });

  t.same(model.violations, []);
});

t.test("a room on another server than the bot's", async (t) => {
  const stage = await Stage.set(t);
  const { model } = stage;
  const home = stage.room('home');
  const away = stage.foreignRoom('away');
  const boss = await stage.person('boss');
  const alice = await stage.person('alice');
  for (const room of [home, away]) await alice.enter(room);
  const bot = await stage.run({
    dm_policy: 'allowlist',
    operators: ['boss@localhost'],
    rooms: [home.toString(), away.toString()],
    muc_rooms: { [away.toString()]: { users: ['alice@localhost'] }, [home.toString()]: { users: ['alice@localhost'] } },
  });
  for (const room of [home, away]) await bot.expect('joined', { room: room.toString() });

  // [promise-operators] [promise-command-operators]
  t.test('makes nobody an operator, in the room or in private; a room on the bot’s server does', async (t) => {
    const [there, here] = [await boss.enter(away), await boss.enter(home)];
    await boss.sendIn(there, 'moltis: /rooms');
    await bot.expect('denied', { from: 'boss@localhost', why: "not in the room's users list" });
    boss.send('/rooms', { to: away.withResource('moltis') });
    await boss.sendIn(here, 'moltis: /rooms');
    t.match(await boss.receives(/^home@/), { from: `${home.toString()}/moltis` });
    boss.send('/rooms', { to: home.withResource('moltis') });
    t.match(await boss.receives(/^home@/), { from: `${home.toString()}/moltis`, type: 'chat' });
    await askAgain(stage, boss);
    t.notOk(boss.received.some(({ from, body }) => from.startsWith(away.toString()) && body !== undefined));
  });

  // [promise-operators]
  t.test('is trusted about real JIDs for its own users list', async () => {
    const hers = alice.client.get(muc).rooms.get(away.toString());
    if (hers === undefined) throw new Error('not in the room');
    model.next(textAnswer('You are on the list.'));
    await alice.sendIn(hers, 'moltis: am I?');
    await alice.receives('You are on the list.');
    // On the list, and no operator.
    await alice.sendIn(hers, 'moltis: /rooms');
    await alice.receives(/^I don.t know \/rooms/);
  });
});

t.test('a room with a password', async (t) => {
  const stage = await Stage.set(t);
  const { model } = stage;
  const [vault, cellar] = [stage.room('vault'), stage.room('cellar')];
  const alice = await stage.person('alice');
  const secret = 'open-sesame-42';
  const locked = { 'muc#roomconfig_passwordprotectedroom': true, 'muc#roomconfig_roomsecret': secret };
  const hers = await found(alice, vault, locked);
  await found(alice, cellar, locked);
  const bot = await stage.runProcess({
    rooms: [vault.toString(), cellar.toString()],
    muc_rooms: { [vault.toString()]: { password: secret }, [cellar.toString()]: { password: 'guessed-wrong-7' } },
  });

  // [promise-rooms-config] [promise-log-private]
  t.test('is joined with the configured password; a wrong one is logged once, without the password', async (t) => {
    await bot.expect('joined', { room: vault.toString() });
    const refusal = await bot.expect('error', { kind: 'room', room: cellar.toString() });
    t.match(refusal, { retryInMs: null, message: /cannot join / });
    model.next(textAnswer('I am in the vault.'));
    await alice.sendIn(hers, 'moltis: where are you?');
    await alice.receives('I am in the vault.');
    t.equal(bot.logged('error').length, 1);
    for (const password of [secret, 'guessed-wrong-7']) t.notMatch(bot.output, password);
  });
});

// [promise-rooms-trouble]
t.test('a room that cannot be joined is logged with the cause and with what to do', async (t) => {
  const stage = await Stage.set(t);
  const alice = await stage.person('alice');
  const [club, vault, safe, den] = ['club', 'vault', 'safe', 'den'].map((name) => stage.room(name)) as [
    Jid,
    Jid,
    Jid,
    Jid,
  ];
  const locked = { 'muc#roomconfig_passwordprotectedroom': true, 'muc#roomconfig_roomsecret': 'open-sesame-42' };
  await found(alice, club, { 'muc#roomconfig_membersonly': true });
  await found(alice, vault, locked);
  await found(alice, safe, locked);
  await (await found(alice, den, {})).management.ban(stage.jid());
  const [person, upload] = ['alice@localhost', 'tea@upload.localhost'];
  const bot = await stage.run({
    rooms: [...[club, vault, safe, den].map(String), person, upload],
    muc_rooms: { [safe.toString()]: { password: 'guessed-wrong-7' } },
    operators: [person],
  });
  const expected: readonly (readonly [room: string, message: string])[] = [
    [club.toString(), 'only members may enter; ask an owner of the room to add moltis@localhost as a member'],
    [
      vault.toString(),
      `the room requires a password; set password in [channels.xmpp.bot.muc_rooms."${vault.toString()}"]`,
    ],
    [
      safe.toString(),
      `the room does not accept the password; correct password in [channels.xmpp.bot.muc_rooms."${safe.toString()}"]`,
    ],
    [den.toString(), 'moltis@localhost is banned from the room; ask an owner or admin of the room to lift the ban'],
    [
      person,
      'this is the address of an account, and not of a room; correct "alice@localhost" in rooms of [channels.xmpp.bot]: rooms are at a chat service, such as conference.localhost',
    ],
    [
      upload,
      'upload.localhost is no chat-room service; correct "tea@upload.localhost" in rooms of [channels.xmpp.bot]',
    ],
  ];
  for (const [room, message] of expected) {
    const logged = await bot.expect('error', { kind: 'room', room }, 5_000);
    t.match(logged, { level: 'error', message: `cannot join ${room}: ${message}`, retryInMs: null });
  }
  t.notMatch(bot.output, /open-sesame-42|guessed-wrong-7/);
  alice.send('/join tea@upload.localhost');
  await alice.receives(`I cannot join tea@upload.localhost: ${expected.at(-1)?.[1] ?? ''}`);
  alice.send('/join coffee@upload.localhost');
  await alice.receives(
    'I cannot join coffee@upload.localhost: upload.localhost is no chat-room service; check the address',
  );
});

// [promise-rooms-voice]
t.test('a moderated room where the bot has no voice is a warning at the join, and costs no answers', async (t) => {
  const stage = await Stage.set(t);
  const { model } = stage;
  const [alice, room] = [await stage.person('alice'), stage.room('stage')];
  const hers = await found(alice, room, { 'muc#roomconfig_moderatedroom': true });
  const bot = await stage.run({ rooms: [room.toString()] });
  const warning = {
    level: 'warn',
    message: `${room.toString()} is moderated, and moltis@localhost has no voice there, so it answers nobody in it; ask a moderator of the room to give it voice`,
  };
  t.match(await bot.expect('error', { kind: 'room', room: room.toString() }), warning);
  await alice.sendIn(hers, 'moltis: hello');
  await bot.expect('denied', { from: 'alice@localhost', why: 'the bot has no voice in the room' });
  t.equal(model.requests.length, 0);

  const seen = (role: string): Promise<unknown> =>
    hers.events.once('occupantChanged', { where: ({ occupant }) => occupant.role === role, timeoutMs: 10_000 });
  const given = seen('participant');
  await hers.management.setAffiliation(stage.jid(), 'member');
  await given;
  model.next(textAnswer('Here I am.'));
  await alice.sendIn(hers, 'moltis: and now?');
  await alice.receives('Here I am.');
  t.equal(bot.logged('error').length, 1);

  await hers.management.setAffiliation(stage.jid(), 'none');
  t.match(await bot.expect('error', { kind: 'room', room: room.toString() }), warning);
});

// [promise-rooms-join] [promise-account-back] [promise-rooms-history]
t.test('rejoins rooms when a session cannot be resumed, and loses nothing', async (t) => {
  // The server keeps no session for longer than a moment.
  const stage = await Stage.set(t, { resumableSeconds: 0 });
  const { model, server } = stage;
  const alice = await stage.person('alice');
  const room = stage.room('team');
  const hers = await alice.enter(room);
  const bot = await stage.run({ rooms: [room.toString()] });
  await bot.expect('joined');
  const rejoined = alice.client.get(muc).events.once('joined', { timeoutMs: 10_000 });
  server.cutAll();
  await bot.expect('suspended');
  t.match(await bot.expect('online'), { resumed: false });
  await bot.expect('joined', { room: room.toString() });
  await rejoined;
  model.next(textAnswer('I never left.'));
  await alice.sendIn(hers, 'moltis: are you back?');
  await alice.receives('I never left.');
  t.same(
    bot.logged('error').filter(({ level }) => level === 'error'),
    [],
  );
});

t.test('two accounts of one bot in one room', async (t) => {
  const stage = await Stage.set(t);
  const { model } = stage;
  const [team, echo] = [stage.room('team'), stage.room('echo')];
  const alice = await stage.person('alice');
  const [hers, there] = [await alice.enter(team), await alice.enter(echo)];
  const rooms = [team.toString(), echo.toString()];
  const settings = {
    rooms,
    muc_rooms: { [echo.toString()]: { require_mention: false } },
    limits: { turns_per_minute: 2 },
  };
  const bot = await stage.start(
    stage.settings({
      first: stage.account(settings),
      second: stage.account({ ...settings, nick: 'robo' }, 'robo'),
    }),
  );
  for (const room of rooms) {
    await bot.expect('joined', { account: 'first', room, nick: 'moltis' });
    await bot.expect('joined', { account: 'second', room, nick: 'robo' });
  }

  // [promise-run-accounts] [promise-rooms-context] [promise-mention-taken]
  t.test('each answers to its own name, with the other’s messages as context', async (t) => {
    const before = model.requests.length;
    model.next(textAnswer('The second speaks.'), textAnswer('The first has heard it.'));
    await alice.sendIn(hers, 'robo: say something');
    t.match(await alice.receives('The second speaks.'), { from: `${team.toString()}/robo` });
    await alice.sendIn(hers, 'moltis: what was said before?');
    t.match(await alice.receives('The first has heard it.'), { from: `${team.toString()}/moltis` });
    t.equal(model.requests.length, before + 2);
    t.match(promptOf(model).at(-1)?.[1], /robo.*The second speaks\./);
  });

  // [promise-limit-turns]
  t.test('that answer every message do not talk with each other for ever', async (t) => {
    const before = model.requests.length;
    model.next(...['One.', 'Two.', 'Three.', 'Four.'].map((text) => textAnswer(text)));
    await alice.sendIn(there, 'hello');
    for (const account of ['first', 'second'])
      await bot.expect('denied', { account, why: 'over limits.turns_per_minute' });
    await askAgain(stage, alice);
    t.ok(model.requests.length - before <= 5, 'two turns of each, and the answer to alice alone');
  });
});

// [promise-rooms-refused] [promise-rooms-kicked]
t.test('drops unfinished answers in a room that no longer admits the bot, without waiting for them', async (t) => {
  const stage = await Stage.set(t);
  const { model } = stage;
  const [club, den] = [stage.room('club'), stage.room('den')];
  const alice = await stage.person('alice');
  const [hers, there] = [await found(alice, club, {}), await found(alice, den, {})];
  const rooms = [club.toString(), den.toString()];
  const bot = await stage.runProcess({ rooms });
  for (const room of rooms) await bot.expect('joined', { room });

  // Banned while an answer is being written, and another question waits.
  const { script, release } = pausedAnswer('', 'Nobody will hear this.');
  model.next(script);
  await alice.sendIn(hers, 'moltis: one');
  await model.request(0);
  await alice.sendIn(hers, 'moltis: two');
  await alice.sendIn(hers, 'moltis: /status');
  await alice.receives(/1 waiting/);
  await hers.management.ban(stage.jid());
  await bot.expect('left', { room: club.toString(), why: 'banned' });
  release();
  await bot.expect('error', { kind: 'room', room: club.toString(), level: 'warn' });
  await askAgain(stage, alice);
  t.equal(model.requests.length, 2, 'the question that waited is not asked of the model');

  // Banned while the bot is away.
  model.next(hangs);
  await alice.sendIn(there, 'moltis: three');
  await model.request(2);
  t.equal(await bot.stop('SIGKILL'), 'SIGKILL');
  await there.management.ban(stage.jid());
  const next = await stage.run({ rooms });
  for (const room of rooms) await next.expect('error', { kind: 'room', room, level: 'error' });
  await next.expect('error', { kind: 'room', room: den.toString(), level: 'warn' });
  await askAgain(stage, alice);
  t.equal(next.logged('error').length, 3, 'the other room has no unfinished work');
  t.equal(await next.stop(), 0);

  for (const { management } of [hers, there]) await management.setAffiliation(stage.jid(), 'none');
  const last = await stage.run({ rooms });
  for (const room of rooms) await last.expect('joined', { room });
  await askAgain(stage, alice);
  t.equal(model.requests.length, 5, 'nor when it is let in again');
  t.same(last.logged('error'), []);
  t.equal(await last.stop(), 0);
});

// [promise-rooms-private] [promise-conversation-once]
t.test(
  'does not read private messages of occupants from the archive, which does not identify the sender',
  async (t) => {
    const stage = await Stage.set(t);
    const { model } = stage;
    const room = stage.room('team');
    const [alice, eve] = [await stage.person('alice'), await stage.person('eve')];
    const hers = await alice.enter(room);
    const bot = await stage.runProcess({ rooms: [room.toString()] });
    await bot.expect('joined');
    // Only who has an archive already reads it.
    await askAgain(stage, alice);
    model.next(textAnswer('Between us.'));
    alice.send('a secret', { to: room.withResource('moltis') });
    await alice.receives('Between us.');
    t.equal(await bot.stop('SIGKILL'), 'SIGKILL');
    // Meanwhile somebody else takes the nick.
    await hers.changeNick('alice-2');
    await eve.client.get(muc).join(room, { nick: 'alice' });
    const next = await stage.run({ rooms: [room.toString()] });
    await next.expect('joined');
    await askAgain(stage, alice);
    await askAgain(stage, eve);
    t.equal(model.requests.filter(({ body }) => JSON.stringify(body).includes('a secret')).length, 1);
    t.same(
      eve.received.filter(({ from, body }) => from.startsWith(room.toString()) && body !== undefined),
      [],
    );
    t.same(next.logged('error'), []);
    t.equal(await next.stop(), 0);
  },
);
