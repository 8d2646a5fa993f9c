/** Who was let in when they asked, and is not any more when their turn comes: the built bot, over XMPP. */
import t from 'tap';
import { askAgain, holds, Stage } from '../../../support/bot.js';
import { hangs, says } from '../../../support/openai-server.js';

// Programs are started here, which takes its time on a busy machine.
t.setTimeout(180_000);

t.test('those whom the rules let in no more', async (t) => {
  const stage = await Stage.set(t);
  const { model } = stage;
  const [alice, bob] = [await stage.person('alice'), await stage.person('bob')];

  // [promise-room-users] [promise-command-crash]
  t.test('what they asked in a room, and the commands they gave there, come to nothing after the start', async (t) => {
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
    await next.expect('denied', { from: room, why: "not among the room's users" });
    await alice.hears('One.');
    model.next(says('Three.'));
    await alice.sayIn(hers, 'moltis: three');
    await alice.hears('Three.');
    t.equal(model.requests.length, before + 3);
    t.notOk(alice.texts.some((text) => text.startsWith('A new session')));
    t.equal(await next.stop(), 0);
  });

  // [promise-denied-silence] [promise-command-approve]
  t.test('what waited when an operator turned them away is not put to the model', async (t) => {
    const bot = await stage.run({ dm_policy: 'allowlist', operators: ['alice@localhost'] });
    bob.say('let me in');
    await alice.hears(/\/approve bob@localhost/);
    alice.say('/approve bob@localhost');
    await bob.hears(/You have been let in/);
    const { script, letGo } = holds('', 'One.');
    const before = model.requests.length;
    model.next(script);
    bob.say('one');
    bob.say('two');
    bob.say('/status');
    await bob.hears(/1 waiting/);
    await model.request(before);
    alice.say('/deny bob@localhost');
    await alice.hears('bob@localhost is not let in.');
    letGo();
    await bot.expect('denied', { from: 'bob@localhost', why: 'not on the allowlist' });
    await askAgain(stage, alice);
    t.equal(model.requests.length, before + 2);
    t.equal(await bot.stop(), 0);
  });
});
