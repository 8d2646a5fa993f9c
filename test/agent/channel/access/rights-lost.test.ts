/** Senders who lose access between their question and its turn: the built bot, over XMPP. */
import t from 'tap';
import { askAgain, pausedAnswer, Stage } from '../../../support/bot.js';
import { hangs, textAnswer } from '../../../support/openai-server.js';

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
    await alice.sendIn(hers, 'moltis: one');
    await model.request(before);
    await bob.sendIn(his, 'moltis: /new');
    await bob.sendIn(his, 'moltis: two');
    await bob.sendIn(his, 'moltis: /status');
    await bob.receives(/2 waiting/);
    t.equal(await bot.stop('SIGKILL'), 'SIGKILL');
    model.next(textAnswer('One.'));
    const next = await stage.run(settings('alice@localhost'));
    await next.expect('denied', { from: room, why: "not in the room's users list" });
    await alice.receives('One.');
    model.next(textAnswer('Three.'));
    await alice.sendIn(hers, 'moltis: three');
    await alice.receives('Three.');
    t.equal(model.requests.length, before + 3);
    t.notOk(alice.texts.some((text) => text.startsWith('New session started')));
    t.equal(await next.stop(), 0);
  });

  // [promise-denied-silence] [promise-command-approve]
  t.test('their waiting questions are dropped when an operator denies them', async (t) => {
    const bot = await stage.run({ dm_policy: 'allowlist', operators: ['alice@localhost'] });
    bob.send('let me in');
    await alice.receives(/\/approve bob@localhost/);
    alice.send('/approve bob@localhost');
    await bob.receives(/An operator has let you in/);
    const { script, release } = pausedAnswer('', 'One.');
    const before = model.requests.length;
    model.next(script);
    bob.send('one');
    bob.send('two');
    bob.send('/status');
    await bob.receives(/1 waiting/);
    await model.request(before);
    alice.send('/deny bob@localhost');
    await alice.receives('bob@localhost is denied.');
    release();
    await bot.expect('denied', { from: 'bob@localhost', why: 'not in allowlist' });
    await askAgain(stage, alice);
    t.equal(model.requests.length, before + 2);
    t.equal(await bot.stop(), 0);
  });
});
