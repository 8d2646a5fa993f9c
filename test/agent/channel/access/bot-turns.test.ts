/** Programs that talk to each other: two bots of ours, others, and a person in between. */
import t from 'tap';
import { Background } from '../../../../src/agent/background.js';
import { BotTurns } from '../../../../src/agent/channel/access/bot-turns.js';
import type { Asker } from '../../../../src/agent/channel/access/programs.js';
import { serviceDiscovery } from '../../../../src/xeps/xep-0030-service-discovery.js';
import { Jid } from '../../../../src/xmpp-core/jid/jid.js';
import { Stage } from '../../../support/bot.js';
import { textAnswer } from '../../../support/openai-server.js';

const NOTICE = /^I have answered programs 3 times in a row here/;
const unlimited = { messages_per_minute: false, turns_per_minute: false, tokens_per_day: false };

// [promise-limit-bots]
t.test('two bots of ours stop in direct messages', async (t) => {
  const stage = await Stage.set(t);
  const limits = { ...unlimited, bot_turns: 3 };
  const accounts = { one: stage.account({ limits }, 'one'), two: stage.account({ limits }, 'two') };
  const bot = await stage.start(stage.settings(accounts));
  for (const account of ['one', 'two']) await bot.expect('online', { account });
  const first = `<message from="${stage.jid('two').toString()}/moltis" type="chat" id="1"><body>Hi</body></message>`;
  stage.server.inject(stage.jid('one').withResource('moltis'), first);
  // One answers three times and sends its notice; two answers the third answer, and not the notice, which is its fourth question.
  await bot.expect('denied', { account: 'one', why: 'over limits.bot_turns' });
  await bot.expect('denied', { account: 'two', why: 'over limits.bot_turns' });
  t.equal(bot.logged('turn').length, 6);
});

// [promise-limit-bots]
t.test('two bots of ours stop in a room, and a person starts the count again', async (t) => {
  const stage = await Stage.set(t);
  const limits = { ...unlimited, bot_turns: 3 };
  const rooms = [stage.room('den').toString()];
  const alice = await stage.person('alice');
  const room = await alice.enter(stage.room('den'));
  const settings = { limits, rooms, mention_mode: 'always' };
  const accounts = {
    one: stage.account({ ...settings, nick: 'one' }, 'one'),
    two: stage.account({ ...settings, nick: 'two' }, 'two'),
  };
  const bot = await stage.start(stage.settings(accounts));
  for (const account of ['one', 'two']) await bot.expect('joined', { account });
  // The one that stops asks the other nothing more, so that may stop below its own limit.
  await alice.sendIn(room, 'the first question');
  await bot.expect('denied', { why: 'over limits.bot_turns' });
  await alice.sendIn(room, 'the second question');
  await alice.receives(/the second question/);
  await bot.expect('denied', { why: 'over limits.bot_turns' });
  // An answer that is on its way when Alice writes counts for neither question.
  t.ok(bot.logged('turn').length <= 18, 'each at most four times for each question, and one on its way');
});

// [promise-limit-bots]
t.test('another bot gets bot_turns answers, and a person all of them', async (t) => {
  const stage = await Stage.set(t);
  const bot = await stage.run({ limits: { ...unlimited, bot_turns: 3 } });
  const robot = await stage.person('robot');
  robot.client.get(serviceDiscovery).setIdentity({ category: 'client', type: 'bot' });
  const alice = await stage.person('alice');
  for (const number of [1, 2, 3]) {
    stage.model.next(textAnswer(`To the robot ${number}.`));
    robot.send(`question ${number}`);
    await robot.receives(`To the robot ${number}.`);
  }
  robot.send('question 4');
  await robot.receives(NOTICE);
  robot.send('question 5');
  for (const number of [1, 2, 3, 4, 5, 6, 7]) {
    stage.model.next(textAnswer(`To Alice ${number}.`));
    alice.send(`question ${number}`);
    await alice.receives(`To Alice ${number}.`);
  }
  await bot.stop();
  t.equal(robot.texts.filter((text) => NOTICE.test(text)).length, 1, 'one notice');
  t.equal(bot.logged('turn').length, 10);
});

/** A count of 2 for senders whose kind the test decides. */
function counted() {
  const clock = { now: 1_000_000 };
  const background = new Background(() => undefined, new AbortController().signal);
  const turns = new BotTurns({
    limit: 2,
    programs: { isProgram: async ({ author, isFast }) => author === 'program' || (author === 'unknown' && isFast) },
    background,
    now: () => clock.now,
  });
  const asker = (author: string, isFast = false): Asker => ({ jid: Jid.parse('a@example.com/b'), author, isFast });
  const begins = async (...askers: readonly (Asker | undefined)[]): Promise<string | undefined> => {
    const excess = await turns.begins('talk', askers);
    await new Promise(setImmediate);
    return excess?.why;
  };
  return { turns, asker, begins, clock };
}

const OVER = 'over limits.bot_turns';

// [promise-limit-bots]
t.test('counts turns that only programs asked for', async (t) => {
  const { turns, asker, begins } = counted();
  const [program, person] = [asker('program'), asker('person')];
  t.same([await begins(program), await begins(program), await begins(program)], [undefined, undefined, OVER]);
  t.equal(await begins(program, person), undefined, 'a person among them');
  t.same([await begins(program), await begins(program), await begins(program)], [undefined, undefined, OVER]);
  t.equal(await begins(undefined), undefined, 'a question from before a restart');
  t.same([await begins(program), await begins(program), await begins(program)], [undefined, undefined, OVER]);
  turns.received('talk', program);
  await new Promise(setImmediate);
  t.equal(await begins(program), OVER, 'what a program writes without a question changes nothing');
  turns.received('talk', person);
  await new Promise(setImmediate);
  t.equal(await begins(program), undefined);
  for (let turn = 0; turn < 5; turn += 1) t.equal(await begins(person), undefined, 'nobody counts people');
});

// [promise-limit-bots]
t.test('a client that does not say what it is counts as a program when it is faster than typing', async (t) => {
  const { turns, asker, begins, clock } = counted();
  const fast = (ms: number, text = 'ten chars.'): boolean => turns.isFast('talk', text, new Date(clock.now + ms));
  t.equal(fast(0), false, 'before the first answer');
  turns.answered('talk');
  t.same([fast(-1), fast(0), fast(499), fast(500)], [false, true, true, false]);
  t.equal(fast(0, ''), false, 'a file');
  const unknown = (isFast: boolean): Asker => asker('unknown', isFast);
  t.same([await begins(unknown(true)), await begins(unknown(true))], [undefined, undefined]);
  t.equal(await begins(unknown(true)), OVER);
  t.equal(await begins(unknown(false)), undefined);
});
