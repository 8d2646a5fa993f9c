/** Answers: chat states, reactions, splitting, limits, and the choice of the model. */
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { NS_MAM } from '../../../../src/xeps/xep-0313-message-archive/index.js';
import { el } from '../../../../src/xmpp-core/xml/element.js';
import { serialize } from '../../../../src/xmpp-core/xml/serialize.js';
import { Stage, promptOf, askAgain, pausedAnswer, type Person } from '../../../support/bot.js';
import { fails, hangs, textAnswer, startOpenAiServer } from '../../../support/openai-server.js';

// Starting programs is slow on a busy machine.
t.setTimeout(180_000);

t.test('answers', async (t) => {
  const stage = await Stage.set(t);
  const { model } = stage;
  const other = await startOpenAiServer();
  t.teardown(() => other.close());
  const accounts = {
    bot: stage.account({ reactions: false }),
    narrow: stage.account({ text_chunk_limit: 40 }, 'narrow'),
    forgetful: stage.account({ limits: { history_tokens: 60 } }, 'forgetful'),
    unlimited: stage.account(
      {
        limits: {
          messages_per_minute: false,
          tokens_per_day: false,
          turns_per_minute: false,
          history_tokens: false,
          stale_after_minutes: false,
        },
      },
      'unlimited',
    ),
    second: stage.account({ model_provider: 'other', model: 'third-model' }, 'second'),
    standing: stage.account({ model_provider: 'broken' }, 'standing'),
  };
  const settings = {
    ...stage.settings(
      Object.fromEntries(
        Object.entries(accounts).map(([name, table]) => [name, { model_provider: 'local', ...table }]),
      ),
    ),
    providers: {
      local: { base_url: model.baseUrl, api_key: model.apiKey, models: ['mock', 'mock-2'], retries: 0 },
      other: { base_url: other.baseUrl, api_key: other.apiKey, models: ['first-model'] },
      broken: { base_url: 'http://127.0.0.1:1/v1', models: ['none'], retries: 0, fallback: 'other' },
    },
  };
  const bot = await stage.start(settings);
  for (const account of Object.keys(accounts)) await bot.expect('online', { account });

  /** The chat states that somebody saw, each once in a row. */
  const states = (person: Person): readonly (string | undefined)[] =>
    person.received
      .map(({ state }) => state)
      .filter((state, index, all) => state !== undefined && state !== all[index - 1]);

  // [promise-answer-state]
  t.test('ends composing when the model fails and when it is stopped', async (t) => {
    const [ann, ben] = [await stage.person('ann'), await stage.person('ben')];
    model.next(fails(500));
    ann.send('hello');
    await ann.expect('the end', ({ state }) => state === 'active');
    t.same(states(ann), ['composing', 'active']);
    const before = model.requests.length;
    model.next(hangs);
    ben.send('hello');
    await model.request(before);
    ben.send('/stop');
    await ben.receives('Stopped.');
    // Whatever was said in between, it ends with the sign taken back.
    await askAgain(stage, ben);
    t.equal(states(ben).at(-1), 'active');
  });

  // [promise-answer-reactions]
  t.test('marks a failed turn, and marks nothing with reactions off', async (t) => {
    const [carl, dora] = [await stage.person('carl'), await stage.person('dora')];
    const [quiet, marked] = [pausedAnswer('', 'At last.'), pausedAnswer('', '')];
    const before = model.requests.length;
    model.next(quiet.script);
    carl.send('think');
    await model.request(before);
    model.next(async (exchange) => {
      await marked.script(exchange);
    });
    dora.send('think', { to: stage.jid('narrow') });
    await dora.expect('the first mark', ({ reactions }) => reactions?.[0] === '👀');
    quiet.release();
    await carl.receives('At last.');
    // An answer without a word is none.
    marked.release();
    await dora.expect('the last mark', ({ reactions }) => reactions?.[0] === '⚠️');
    t.ok(carl.received.every(({ reactions }) => reactions === undefined));
  });

  // [promise-answer-reactions]
  t.test('updates the mark after a reconnect when the turn ended offline', async (t) => {
    const olaf = await stage.person('olaf');
    for (const [answer, mark] of [
      ['At long last.', '✅'],
      ['', '⚠️'],
    ] as const) {
      const { script, release } = pausedAnswer('', answer);
      model.next(script);
      const id = olaf.send('think', { to: stage.jid('narrow') });
      const marks = async (): Promise<readonly string[] | undefined> =>
        (await olaf.expect('a mark', ({ reactedTo }) => reactedTo === id)).reactions;
      t.same(await marks(), ['👀']);
      stage.server.inject(stage.jid('narrow').withResource('moltis'), '</stream:stream>');
      await bot.expect('offline', { account: 'narrow' });
      release();
      t.same(await marks(), [mark]);
    }
  });

  // [promise-answer-chunks] [promise-answer-styling]
  t.test('splits a long answer, and turns Markdown into styling', async (t) => {
    const emma = await stage.person('emma');
    const lines = [
      '## The **plan**',
      'Look at [this](https://a.example/).',
      '',
      '- one',
      '- [x] two',
      '| a | b |',
      '|---|---|',
    ];
    const words = Array.from({ length: 30 }, (_, index) => `word${index}`).join(' ');
    model.next(textAnswer([...lines, '| 1 | 2 |', '', words, '', 'Done 👨‍👩‍👧.'].join('\n')));
    emma.send('tell me', { to: stage.jid('narrow') });
    await emma.receives(/Done 👨‍👩‍👧\.$/);
    const whole = emma.texts.join('\n');
    t.same(
      emma.texts.filter((text) => Array.from(text).length > 40),
      [],
    );
    t.match(whole, /^\*The plan\*\nLook at this <https:\/\/a\.example\/>\.\n• one\n☑ two\n/);
    t.match(whole.replaceAll(/\s+/g, ' '), words, 'and nothing is lost');
  });

  // [promise-limit-history]
  t.test('a request has at most history_tokens of history', async (t) => {
    const finn = await stage.person('finn');
    for (const [question, answer] of [
      [`The first: ${'word '.repeat(40)}`, 'One.'],
      ['the second', 'Two.'],
      ['the third', 'Three.'],
    ] as const) {
      model.next(textAnswer(answer));
      finn.send(question, { to: stage.jid('forgetful') });
      await finn.receives(answer);
    }
    const talk = JSON.stringify(promptOf(model).slice(1));
    t.notMatch(talk, 'The first');
    t.match(talk, 'the third');
  });

  // [promise-limit-off]
  t.test('a limit that is off does not apply', async (t) => {
    const gwen = await stage.person('gwen');
    const count = 32;
    for (let index = 1; index <= count; index += 1) {
      model.next(textAnswer(`Answer ${index}.`));
      gwen.send(`question ${index}`, { to: stage.jid('unlimited') });
      await gwen.receives(`Answer ${index}.`);
    }
    t.equal(gwen.texts.length, count, 'more than a minute allows by default');
    t.match(JSON.stringify(promptOf(model)), 'question 1"', 'with the whole history');
  });

  // [promise-model-choice] [promise-model-models] [promise-model-key]
  t.test(
    'model and model_provider select the model, the first one by default; each provider gets its own key',
    async (t) => {
      const hugo = await stage.person('hugo');
      other.next(textAnswer('I am the other.'));
      hugo.send('who are you?', { to: stage.jid('second') });
      await hugo.receives('I am the other.');
      t.equal(other.requests.at(-1)?.body?.model, 'third-model');
      t.equal(other.requests.at(-1)?.headers.authorization, `Bearer ${other.apiKey}`);
      await askAgain(stage, hugo);
      t.equal(model.requests.at(-1)?.body?.model, 'mock');
      t.equal(model.requests.at(-1)?.headers.authorization, `Bearer ${model.apiKey}`);
    },
  );

  // [promise-model-fallback]
  t.test('uses the first model of the fallback when a provider cannot be reached', async (t) => {
    const ines = await stage.person('ines');
    other.next(textAnswer('I stand in.'));
    ines.send('anybody?', { to: stage.jid('standing') });
    await ines.receives('I stand in.');
    t.equal(other.requests.at(-1)?.body?.model, 'first-model');
    t.match(await bot.expect('turn', { account: 'standing' }), { model: 'other/first-model' });
  });

  t.test('every request is valid for the real API', async (t) => {
    t.same([...model.violations, ...other.violations], []);
    t.equal(await bot.stop(), 0);
  });
});

// [promise-conversation-crash]
t.test('sends an answer again, with a note, when the bot was killed while sending it', async (t) => {
  const stage = await Stage.set(t);
  const { model, server } = stage;
  const pia = await stage.person('pia');
  const bot = await stage.runProcess({ stream_edits: 'always' });
  const { script, release } = pausedAnswer('', ' a time.');
  model.next(async (exchange) => {
    exchange.text('Once');
    // It is shown when it has grown for a while.
    await delay(2_600);
    exchange.text(' upon');
    await script(exchange);
  });
  pia.send('a story');
  await pia.receives('Once upon');
  server.inject(stage.jid().withResource('moltis'), '</stream:stream>');
  await bot.expect('offline');
  release();
  await bot.expect('turn');
  t.equal(await bot.stop('SIGKILL'), 'SIGKILL');
  // No archive can tell what people have of it.
  server.misbehave({
    answer: (element) => {
      if (element.child('query', NS_MAM) === undefined) return undefined;
      const condition = el('service-unavailable', 'urn:ietf:params:xml:ns:xmpp-stanzas');
      const reply = { type: 'error', id: element.attr('id') };
      return serialize(el('iq', 'jabber:client', reply, el('error', 'jabber:client', { type: 'cancel' }, condition)));
    },
  });
  const next = await stage.run();
  await pia.receives(/^\(I was interrupted while sending this\. You may have it already\.\)\n\nOnce upon a time\.$/);
  t.equal(await next.stop(), 0);
});
