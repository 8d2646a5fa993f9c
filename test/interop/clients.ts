import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { randomUUID } from 'node:crypto';

import t, { type Test } from 'tap';

import { calls, hangs, says, type Script } from '../support/openai-server.js';
import type { Client, Login, Shown } from './client.js';
import { Converse, ConverseSite } from './converse.js';
import { Profanity } from './profanity.js';
import { lastRequest, until } from './questions.js';
import { Server, type ServerSoftware } from './servers/server.js';
import { BOT_NICK, BOT_PASSWORD, Stage } from './stage.js';

/** Where pictures of what people saw are kept after a run. */
const PICTURES = join(process.cwd(), 'artifacts/interop');

/** Markdown of every kind that models write. */
const MARKDOWN = [
  'good question.',
  '',
  '## Greetings',
  '',
  'There are **two ways**, in *this* order:',
  '',
  '1. `hello()`',
  '2. a [link](https://example.org/greetings)',
  '   - which has a ~~wrong~~ point',
  '',
  '```python',
  'def hello(name):',
  '    return f"Hello, **{name}**"',
  '```',
  '',
  '> Be kind.',
  '',
  '| word | warmth |',
  '| --- | --- |',
  '| hi | 2 |',
  '| dear | 5 |',
  '',
  'That is all.',
].join('\n');

/** What people see in clients that others wrote, when they talk to the built bot over one server software. */
export async function clients(software: ServerSoftware): Promise<void> {
  const server = await Server.start(software);
  t.teardown(async () => server.stop());
  await server.register('bot', BOT_PASSWORD);
  const site = await ConverseSite.start(server.webSocket);
  t.teardown(async () => site.stop());

  const ways: Readonly<Record<string, (login: Login) => Promise<Client>>> = {
    profanity: async (login) => Profanity.logIn(login, server.site.ports.startTls, server.authority),
    'converse.js': async (login) => site.enter(login),
  };
  for (const [name, enter] of Object.entries(ways)) {
    const test = async (promise: string, play: (test: Test, stage: Stage, client: Client) => Promise<void>) =>
      t.test(`in ${name} ${promise}`, async (t) => {
        const stage = await Stage.open(t, server);
        const client = await enter(await somebody(server));
        t.teardown(async () => {
          if (!t.passing()) t.comment(`what ${name} showed:\n${await client.screen()}`);
          await keep(client, `${server.name}-${name}-${t.name.includes('room') ? 'room' : 'direct'}`);
          await client.leave();
        });
        await play(t, stage, client);
      });

    await test(
      'a person sees the bot type, its answer grow as one message, and a file of it; what they correct is what is asked',
      talk,
    );
    await test('a mention in a room is answered, and nothing else', roomTalk);
  }
}

async function talk(t: Test, stage: Stage, client: Client): Promise<void> {
  const { model, server } = stage;
  const bot = await stage.bot();
  await bot.expect('online');
  await client.chat(`bot@${server.domain}`);

  const typing = signal();
  const begun = signal();
  model.next(grows(typing.given, begun.given, MARKDOWN));
  await client.say('How do I greet?');
  await until('that the bot types', async () => client.isTyping(), Boolean);
  typing.give();
  await until(
    'the beginning',
    async () => client.conversation(),
    (shown) => shown.at(-1)?.text.startsWith('A very ') === true,
  );
  begun.give();
  const [question, answer, ...more] = await until(
    'the whole answer',
    async () => client.conversation(),
    (shown) => shown.at(-1)?.text.endsWith('That is all.') === true,
  );
  t.match(question, { mine: true, text: 'How do I greet?', edited: false });
  t.match(answer, { mine: false, edited: true }, 'it is one message that was edited');
  t.same(more, [], 'and nothing else');

  model.next(hangs, says('Paris.'));
  await client.say('The capital of Frnace?');
  await model.request(1);
  await client.correct('The capital of France?');
  const corrected = await sees(client, 'Paris.');
  t.match(corrected.at(-2), { mine: true, text: 'The capital of France?', edited: true });
  t.match(lastRequest(stage), /capital of France/);
  t.notMatch(lastRequest(stage), /Frnace/, 'the correction takes the place of what was said');

  if (client instanceof Converse) {
    await client.react('👍');
    await until(
      'the reaction',
      async () => client.reactions(),
      (reactions) => reactions.includes('👍'),
    );
  }

  model.next(calls(['send_file', { name: 'greetings.md', content: '# Greetings\n' }]), says('There it is.'));
  await client.say('As a file, please.');
  const files = await sees(client, 'There it is.');
  t.match(files.at(-2), { mine: false, text: /greetings\.md/ }, 'the file is there');
  if (client instanceof Converse) t.match(lastRequest(stage), /👍/, 'the reaction is a note');
  t.same(model.violations, [], 'the model was asked properly');
  t.equal(await bot.stop(), 0);
}

async function roomTalk(t: Test, stage: Stage, client: Client): Promise<void> {
  const { model, server } = stage;
  const room = server.room(`clients-${randomUUID()}`);
  const bot = await stage.bot({ rooms: [room] });
  await bot.expect('joined', { room });
  await client.join(room, 'alice');

  await client.say('The build is green again.');
  model.next(says('It is ', '**forty-two**.'));
  await client.say(`${BOT_NICK}: what is six times seven?`);
  const shown = await sees(client, 'It is *forty-two*.');
  t.equal(shown.length, 3, 'nothing else was answered');
  if (client instanceof Converse) t.match(shown.at(-1)?.answers, /six times seven/, 'it is shown as a reply');
  t.match(lastRequest(stage), /The build is green again/);
  t.equal(await bot.stop(), 0);
}

/** Waits until the last message is one of the bot’s with this text. @returns all that is shown then */
async function sees(client: Client, text: string): Promise<readonly Shown[]> {
  return until(
    text,
    async () => client.conversation(),
    (shown) => shown.at(-1)?.mine === false && shown.at(-1)?.text === text,
  );
}

/** Waits before the first word, then goes on and on until some of it was seen: the test, not a clock, decides how long it takes. */
function grows(wait: Promise<void>, seen: Promise<void>, rest: string): Script {
  return async (exchange) => {
    await wait;
    exchange.text('A very ');
    const words = setInterval(() => exchange.text('very '), 150);
    await seen;
    clearInterval(words);
    exchange.text(rest);
    exchange.finish();
  };
}

function signal(): { readonly given: Promise<void>; give(): void } {
  let give = (): void => undefined;
  const given = new Promise<void>((resolve) => {
    give = resolve;
  });
  return { given, give: () => give() };
}

async function somebody(server: Server): Promise<Login> {
  const password = 'a person has a password too';
  return { jid: await server.register(`alice-${randomUUID().slice(0, 8)}`, password), password };
}

/** Keeps what is on the screen, for people to look at. */
async function keep(client: Client, name: string): Promise<void> {
  await mkdir(PICTURES, { recursive: true });
  if (client instanceof Converse) await client.picture(join(PICTURES, `${name}.png`));
  else await writeFile(join(PICTURES, `${name}.txt`), await client.screen());
}
