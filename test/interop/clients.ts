import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { randomUUID } from 'node:crypto';

import t, { type Test } from 'tap';

import { calls, hangs, textAnswer, type Script } from '../support/openai-server.js';
import type { Client, Login, Shown } from './client.js';
import { Converse, ConverseSite } from './converse.js';
import { Profanity } from './profanity.js';
import { lastRequest, until } from './questions.js';
import { Server, type ServerSoftware } from './servers/server.js';
import { BOT_NICK, BOT_PASSWORD, Stage } from './stage.js';

/** Where pictures of what people saw are kept after a run. */
const PICTURES = join(process.cwd(), 'artifacts/interop');

const CODE = 'def hello(name):\n    return f"Hello, **{name}**"';

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
  CODE,
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

  const entrances: readonly [string, (login: Login) => Promise<Client>][] = [
    ['profanity', async (login) => Profanity.logIn(login, server.site.ports.startTls, server.authority)],
    ['converse.js', async (login) => site.enter(login)],
  ];
  for (const [name, enter] of entrances) {
    await t.test(`somebody at ${name} talks to the bot`, async (t) => {
      const client = await enter(await somebody(server));
      t.teardown(async () => client.leave());

      const test = async (
        where: 'alone' | 'room',
        promise: string,
        play: (test: Test, stage: Stage, client: Client) => Promise<void>,
      ) =>
        t.test(promise, async (t) => {
          const stage = await Stage.open(t, server);
          t.teardown(async () => {
            if (!t.passing()) t.comment(`what ${name} showed:\n${await client.screen()}`);
          });
          try {
            await play(t, stage, client);
          } finally {
            await keep(client, `${server.name}-${name}-${where}`);
          }
        });

      // [promise-answer-state] [promise-answer-grows] [promise-answer-styling] [promise-answer-file] [promise-conversation-correction]
      // [promise-conversation-reactions]
      await test(
        'alone',
        'alone they see it type, its answer grow as one message, and a file; what they correct is what is asked',
        talk,
      );

      // [promise-rooms-context] [promise-answer-reply]
      await test('room', 'in a room it answers who mentions it, and nobody else', roomTalk);
    });
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
  await types(client, true);
  typing.give();
  await shows(client, ({ mine, text }) => !mine && text.startsWith('A very '));
  begun.give();
  const [question, answer, ...more] = await shows(client, ({ text }) => text.endsWith('That is all.'));
  t.match(question, { mine: true, text: 'How do I greet?', edited: false }, 'the question stands as it was asked');
  t.match(answer, { mine: false, edited: true }, 'the answer is one message, which was edited');
  t.same(more, [], 'and there is nothing else');
  t.match(answer?.text, /\*Greetings\*[^]*\*two ways\*[^]*<https:\/\/example.org\/greetings>/, 'it reads well');
  if (client instanceof Converse) t.same(await client.codeBlocks(), [CODE], 'code is set apart, as it is');
  await types(client, false);

  model.next(hangs, textAnswer('Paris.'));
  await client.say('The capital of Frnace?');
  await model.request(1);
  await client.correct('The capital of France?');
  const corrected = await shows(client, ({ text }) => text === 'Paris.');
  t.match(corrected.at(-2), { mine: true, text: 'The capital of France?', edited: true }, 'the correction is shown');
  t.match(lastRequest(stage), /capital of France/);
  t.notMatch(lastRequest(stage), /Frnace/, 'the correction takes the place of what was said');

  if (client instanceof Converse) await client.react('👍');
  model.next(calls(['send_file', { name: 'greetings.md', content: '# Greetings\n' }]), textAnswer('There it is.'));
  await client.say('As a file, please.');
  const files = await shows(client, ({ text }) => text === 'There it is.');
  t.match(files.at(-2), { mine: false, text: /^https:.*greetings\.md$/ }, 'the link to the file is there');
  if (client instanceof Converse) t.match(lastRequest(stage), /👍/, 'the reaction is a note');
  t.same(model.violations, [], 'the model was asked properly');
}

async function roomTalk(t: Test, stage: Stage, client: Client): Promise<void> {
  const { model, server } = stage;
  const room = server.room(`clients-${randomUUID()}`);
  const bot = await stage.bot({ rooms: [room] });
  await bot.expect('joined', { room });
  await client.join(room, 'alice');

  await client.say('The build is green again.');
  model.next(textAnswer('It is ', '**forty-two**.'));
  await client.say(`${BOT_NICK}: what is six times seven?`);
  const shown = await shows(client, ({ text }) => text === 'It is *forty-two*.');
  t.same(
    shown.map(({ mine }) => mine),
    [true, true, false],
    'nothing else was answered',
  );
  if (client instanceof Converse) t.match(shown.at(-1)?.answers, /six times seven/, 'it is shown as a reply');
  t.match(lastRequest(stage), /The build is green again/, 'it knows what was said before');
  t.same(model.violations, [], 'the model was asked properly');
}

/** Waits until the last message on the screen is as it should be. @returns all that is shown then */
async function shows(client: Client, isRight: (last: Shown) => boolean): Promise<readonly Shown[]> {
  return until(
    'what was awaited on the screen',
    async () => client.conversation(),
    (shown) => shown.slice(-1).some(isRight),
  );
}

/** Waits until the bot is shown as typing, or no longer. */
async function types(client: Client, expected: boolean): Promise<void> {
  await until(
    expected ? 'that the bot types' : 'that the bot types no more',
    async () => client.isTyping(),
    (isTyping) => isTyping === expected,
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
