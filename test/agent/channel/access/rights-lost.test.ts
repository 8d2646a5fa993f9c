/** Senders who lose access between their question and its turn: the built bot, over XMPP. */
import t from 'tap';
import { askAgain, holds, Stage } from '../../../support/bot.js';
import { hangs, says } from '../../../support/openai-server.js';

// Starting programs is slow on a busy machine.
t.setTimeout(180_000);

t.test('senders without access any more', async (t) => {
  const stage = await Stage.set(t);
  const { model } = stage;
  const [alice, bob] = [await stage.person('alice'), await stage.person('bob')];

  // [promise-room-users] [promise-command-crash]
  t.test('their questions and commands in a room are dropped after a restart', async (t) => {
    const room = stage.room('team').toString();
    const settings = (...users: string[]) => ({ rooms: [room], muc_rooms: { [room]: { users } } });
    const bot = await stage.runProcess(settings('alice@localhost', 'bob@localhost'));
    await bot.expect('joined', { room });
    const [hers, his] = [await alice.enter(stage.room('team')), await bob.enter(stage.room('team'))];
    const before = model.requests.length;
    model.next(hangs);
    await alice.sayIn(hers, 'moltis: one');
    await model.request(before);
    await bob.sayIn(his, 'moltis: /new');
    await bob.sayIn(his, 'moltis: two');
    await bob.sayIn(his, 'moltis: /status');
    await bob.hears(/2 waiting/);
    t.equal(await bot.stop('SIGKILL'), 'SIGKILL');
    model.next(says('One.'));
    const next = await stage.run(settings('alice@localhost'));
    await next.expect('denied', { from: room, why: "not in the room's users list" });
    await alice.hears('One.');
    model.next(says('Three.'));
    await alice.sayIn(hers, 'moltis: three');
    await alice.hears('Three.');
    t.equal(model.requests.length, before + 3);
    t.notOk(alice.texts.some((text) => text.startsWith('New session started')));
    t.equal(await next.stop(), 0);
  });

  // [promise-denied-silence] [promise-command-approve]
  t.test('their waiting questions are dropped when an operator denies them', async (t) => {
    const bot = await stage.run({ dm_policy: 'allowlist', operators: ['alice@localhost'] });
    bob.say('let me in');
    await alice.hears(/\/approve bob@localhost/);
    alice.say('/approve bob@localhost');
    await bob.hears(/An operator has let you in/);
    const { script, letGo } = holds('', 'One.');
    const before = model.requests.length;
    model.next(script);
    bob.say('one');
    bob.say('two');
    bob.say('/status');
    await bob.hears(/1 waiting/);
    await model.request(before);
    alice.say('/deny bob@localhost');
    await alice.hears('bob@localhost is denied.');
    letGo();
    await bot.expect('denied', { from: 'bob@localhost', why: 'not in allowlist' });
    await askAgain(stage, alice);
    t.equal(model.requests.length, before + 2);
    t.equal(await bot.stop(), 0);
  });
});
