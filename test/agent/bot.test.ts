/** What people see of the bot in conversations: the built program, over XMPP, with a model that says what the test wants. */
import t from 'tap';
import { Stage, asked } from '../support/bot.js';
import { says } from '../support/openai-server.js';

t.test('direct messages', async (t) => {
  const stage = await Stage.set(t);
  const { model } = stage;
  const bot = await stage.run({ system_prompt: 'You are a parrot.' });

  t.test('a direct message gets composing at once, then the answer with active, in its thread', async (t) => {
    const alice = await stage.person('alice');
    model.next(says('Good ', '**morning**.'));
    alice.say('hello', { thread: 'thread-1' });
    await alice.hears('Good *morning*.');
    const [composing, answer, ...more] = alice.heard;
    t.match(composing, { state: 'composing', body: undefined, type: 'chat' });
    t.match(answer, { state: 'active', thread: 'thread-1', type: 'chat', replaces: undefined });
    t.same(more, []);
    await bot.expect('turn', { conversation: 'moltis@localhost/alice@localhost' });
  });

  t.test('the request to the model holds the system prompt, what was said before, and the question', async (t) => {
    const bob = await stage.person('bob');
    model.next(says('One.'), says('Two.'));
    bob.say('first');
    await bob.hears('One.');
    bob.say('second');
    await bob.hears('Two.');
    const [system, ...talk] = asked(model);
    t.match(system, ['system', /^You are a parrot\./]);
    t.same(talk, [
      ['user', 'first'],
      ['assistant', 'One.'],
      ['user', 'second'],
    ]);
  });
});
