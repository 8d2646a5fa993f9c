/** What the bot owes when it is killed at the worst moment: what came was not written down yet, what waits is no question, what was sent is half of it. */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { writeMessage } from '../../src/index.js';
import { askAgain, Stage, times } from '../support/bot.js';
import { says } from '../support/openai-server.js';

// Programs are started here, which takes its time on a busy machine.
t.setTimeout(180_000);

t.test('a message and the line that it becomes', async (t) => {
  const stage = await Stage.set(t);
  const { model } = stage;
  const alice = await stage.person('alice');

  // [promise-conversation-crash] [promise-conversation-once]
  t.test('what came and was not written down when the bot was killed is read from the archive, once', async (t) => {
    const bot = await stage.run();
    model.next(says('First.'), says('Second.'));
    alice.say('did you write that down?');
    await alice.hears('First.');
    alice.client.send(writeMessage({ to: stage.jid(), type: 'chat', body: 'without an id' }));
    await alice.hears('Second.');
    t.equal(await bot.stop('SIGKILL'), 'SIGKILL');
    // The way of a message to the disk takes a moment, in which a process can be killed: nothing of it is there then.
    const history = join(stage.dataDirectory, 'history', 'conversations');
    for (const folder of await readdir(history)) await rm(join(history, folder), { recursive: true });
    model.next(says('Third.'), says('Fourth.'));
    const next = await stage.run();
    await alice.hears('Third.');
    await alice.hears('Fourth.');
    t.equal(await next.stop('SIGKILL'), 'SIGKILL');
    const before = model.requests.length;
    const last = await stage.run();
    await askAgain(stage, alice);
    t.equal(model.requests.length, before + 1, 'what stands there is known again, with or without an id');
    t.equal(times(alice.texts, 'Third.'), 1);
    t.equal(await last.stop(), 0);
  });
});
