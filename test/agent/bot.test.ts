/** The bot in direct messages: the built program, over XMPP, with a scripted model. */
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { PASSWORD, Stage, promptOf, pausedAnswer } from '../support/bot.js';
import { hangs, textAnswer, type Script } from '../support/openai-server.js';

// Starting programs is slow on a busy machine.
t.setTimeout(180_000);

t.test('direct messages', async (t) => {
  const stage = await Stage.set(t);
  const { model } = stage;
  const accounts = {
    bot: stage.account({ system_prompt: 'You are a parrot.' }),
    whole: stage.account({ stream_edits: 'off' }, 'whole'),
    short: stage.account({ text_chunk_limit: 120 }, 'short'),
    closed: stage.account({ dm_policy: 'allowlist', allowlist: ['alice@localhost'] }, 'closed'),
    silent: stage.account({ dm_policy: 'disabled', operators: ['alice@localhost'] }, 'silent'),
    limited: stage.account({ limits: { messages_per_minute: 2 } }, 'limited'),
    poor: stage.account({ limits: { tokens_per_day: 10 } }, 'poor'),
    terse: stage.account({ limits: { turns_per_minute: 1 } }, 'terse'),
  };
  const bot = await stage.startProcess(stage.settings(accounts));
  for (const account of Object.keys(accounts)) await bot.expect('online', { account });
  const alice = await stage.person('alice');

  // [RFC6121-5.2.2-b] [RFC6121-5.2.5-c] [promise-answer-state]
  // [promise-account-jid]
  t.test('answers a direct message in its thread: composing at once, then the answer with active', async (t) => {
    const ann = await stage.person('ann');
    const { script, release } = pausedAnswer('Good ', '**morning**.');
    model.next(script);
    ann.send('hello', { thread: 'thread-1' });
    await ann.expect('composing', ({ state, body }) => state === 'composing' && body === undefined);
    release();
    t.match(await ann.receives('Good *morning*.'), {
      from: 'moltis@localhost/moltis',
      type: 'chat',
      state: 'active',
      thread: 'thread-1',
      replaces: undefined,
      replyTo: undefined,
    });
    t.equal(ann.received.length, 2, 'nothing more was said');
    t.match(await bot.expect('turn', { conversation: 'moltis@localhost/ann@localhost' }), {
      account: 'bot',
      model: 'local/mock',
      promptTokens: 11,
      completionTokens: 7,
    });
  });

  // [promise-model-prompt]
  t.test('the request to the model has the system prompt, the history and the question', async (t) => {
    const bob = await stage.person('bob');
    model.next(textAnswer('One.'), textAnswer('Two.'));
    bob.send('first');
    await bob.receives('One.');
    bob.send('second');
    await bob.receives('Two.');
    const [system, ...talk] = promptOf(model);
    t.match(system, ['system', /^You are a parrot\..*moltis/s]);
    t.same(talk, [
      ['user', 'first'],
      ['assistant', 'One.'],
      ['user', 'second'],
    ]);
  });

  // [promise-answer-grows] [promise-answer-reactions]
  t.test('a slow answer grows by corrections of one message, or is sent once where edits are off', async (t) => {
    const [carl, dora] = [await stage.person('carl'), await stage.person('dora')];
    const enough = new AbortController();
    let said = '';
    const drips: Script = async (exchange) => {
      for (let count = 1; !enough.signal.aborted; count++) {
        said = `${said}word${count} `;
        exchange.text(`word${count} `);
        await delay(50);
      }
      exchange.text('end.');
      exchange.finish();
    };
    const follows: Script = async (exchange) => {
      while (!enough.signal.aborted) {
        exchange.text('and ');
        await delay(50);
      }
      exchange.text('at once.');
      exchange.finish();
    };
    model.next(drips, follows);
    carl.send('tell me');
    await carl.expect('composing', ({ state }) => state === 'composing');
    dora.send('tell me', { to: stage.jid('whole') });
    const first = await carl.expect('the first of it', ({ body }) => body !== undefined);
    t.match(first, { state: 'composing', replaces: undefined, body: /^word1 / });
    const second = await carl.expect('a correction', ({ replaces }) => replaces !== undefined);
    t.match(second, { state: 'composing', replaces: first.id });
    enough.abort();
    const last = await carl.expect('the end', ({ state, body }) => state === 'active' && body !== undefined);
    t.match(last, { replaces: first.id, body: `${said}end.` });
    const marks = carl.received.flatMap(({ reactions }) => (reactions === undefined ? [] : [reactions]));
    t.same(marks[0], ['👀'], 'the question was marked as seen');
    await carl.expect('the mark of being done', ({ reactions }) => reactions?.[0] === '✅');
    await dora.receives(/^(and )+at once\.$/);
    t.equal(dora.texts.length, 1, 'without edits the answer came in one message');
  });

  // [promise-answer-freeze]
  t.test('an answer over the limit continues in a new message, and full messages are never corrected', async (t) => {
    const emil = await stage.person('emil');
    const words = Array.from({ length: 70 }, (_, index) => `word-${index + 1}`);
    const drips: Script = async (exchange) => {
      for (const word of words) {
        exchange.text(`${word} `);
        await delay(60);
      }
      exchange.finish();
    };
    model.next(drips);
    emil.send('tell me much', { to: stage.jid('short') });
    await emil.receives(/word-70$/);
    const texts = new Map<string, string>();
    let newest: string | undefined;
    for (const { id = '', replaces, body } of emil.received.filter((message) => message.body !== undefined)) {
      if (replaces !== undefined) t.equal(replaces, newest, 'only the newest message is corrected');
      newest = replaces ?? id;
      texts.set(newest, body ?? '');
    }
    t.ok(texts.size > 4, `it came in several messages: ${texts.size}`);
    t.ok(
      [...texts.values()].every((text) => text.length <= 120),
      'none is longer than the limit',
    );
    t.equal([...texts.values()].join(' '), words.join(' '), 'nothing is lost, nothing comes twice');
    t.ok(
      emil.received.some(({ replaces }) => replaces !== undefined),
      'it was shown while it grew',
    );
  });

  // [promise-answer-clean]
  t.test('removes control characters, and replaces half characters', async (t) => {
    const paul = await stage.person('paul');
    model.next(textAnswer('\u001b[1mbold\u001b[0m \ud83d', '\ude00 and half of it: \ud83d.'));
    paul.send('hello');
    t.equal((await paul.receives(/half/)).body, '[1mbold[0m 😀 and half of it: \ufffd.');
  });

  // [promise-conversation-order]
  t.test('answers questions that arrive during a turn one by one, in order', async (t) => {
    const finn = await stage.person('finn');
    const { script, release } = pausedAnswer('', 'A.');
    model.next(script, textAnswer('B.'), textAnswer('C.'));
    const before = model.requests.length;
    finn.send('a');
    finn.send('b');
    finn.send('c');
    await model.request(before);
    release();
    await finn.receives('C.');
    t.same(finn.texts, ['A.', 'B.', 'C.']);
    t.same(promptOf(model, before + 1).at(-1), ['user', 'b']);
  });

  // [promise-conversation-once]
  t.test('answers a repeated message once', async (t) => {
    const gwen = await stage.person('gwen');
    model.next(textAnswer('Once.'), textAnswer('And this.'));
    gwen.send('hello', { id: 'same' });
    gwen.send('hello', { id: 'same' });
    gwen.send('other');
    await gwen.receives('And this.');
    t.same(gwen.texts, ['Once.', 'And this.']);
  });

  // [promise-denied-silence] [promise-dm-policy] [promise-allowlist] [promise-operators]
  t.test('sends denied senders nothing, and logs the denial once', async (t) => {
    const hugo = await stage.person('hugo');
    const [closed, silent] = [stage.jid('closed'), stage.jid('silent')];
    const before = model.requests.length;
    for (const to of [closed, closed, silent]) hugo.send('let me in', { to });
    alice.send('let me in', { to: silent });
    await bot.expect('denied', { account: 'closed', from: 'hugo@localhost', why: 'not in allowlist' });
    await bot.expect('denied', { account: 'silent', from: 'hugo@localhost', why: 'dm_policy is disabled' });
    await bot.expect('denied', { account: 'silent', from: 'alice@localhost' });
    // What comes after it has been answered: so nothing is still on its way.
    model.next(textAnswer('Welcome.'));
    alice.send('hello', { to: closed });
    await alice.receives('Welcome.');
    t.same(hugo.received, [], 'no message, no chat state, no error');
    t.equal(model.requests.length, before + 1, 'the model was not asked');
    t.equal(bot.logged('denied').filter(({ account }) => account === 'closed').length, 1, 'it is logged once');
  });

  // [promise-limit-messages]
  t.test('sends one notice to a sender over the limit, then nothing', async (t) => {
    const ines = await stage.person('ines');
    model.next(textAnswer('First.'), textAnswer('Second.'));
    for (const text of ['1', '2', '3', '4', '5']) ines.send(text, { to: stage.jid('limited') });
    await ines.receives('Second.');
    await ines.receives(/Too many messages at once/);
    // The same queue of the same server brings this one after all that came before.
    model.next(textAnswer('Still here.'));
    ines.send('hello');
    await ines.receives('Still here.');
    t.equal(ines.texts.length, 4, 'two answers, one sentence, and the one of the other account');
    await bot.expect('denied', { account: 'limited', why: 'over limits.messages_per_minute' });
  });

  // [pitfall-own-messages] [promise-limit-tokens] [promise-limit-turns]
  t.test('sends a notice when the tokens of the day are used up, and stops an endless conversation', async (t) => {
    const rita = await stage.person('rita');
    const before = model.requests.length;
    for (const name of ['poor', 'terse']) {
      model.next(textAnswer(`The ${name} one.`));
      rita.send('1', { to: stage.jid(name) });
      await rita.receives(`The ${name} one.`);
      rita.send('2', { to: stage.jid(name) });
    }
    await rita.receives(/come back tomorrow/);
    await bot.expect('denied', { account: 'poor', from: 'rita@localhost', why: 'over limits.tokens_per_day' });
    await bot.expect('denied', { account: 'terse', from: 'rita@localhost', why: 'over limits.turns_per_minute' });
    t.equal(rita.texts.length, 3);
    t.equal(model.requests.length, before + 2);
  });

  // [promise-limit-tokens]
  t.test('counts the tokens of a stopped answer', async (t) => {
    const tess = await stage.person('tess');
    const before = model.requests.length;
    model.next(hangs);
    tess.send('begin', { to: stage.jid('poor') });
    await model.request(before);
    tess.send('/stop', { to: stage.jid('poor') });
    await tess.receives('Stopped.');
    tess.send('again', { to: stage.jid('poor') });
    await tess.receives(/come back tomorrow/);
    t.equal(model.requests.length, before + 1);
  });

  // [promise-command-help] [promise-command-status] [promise-command-unknown]
  t.test('commands are answered by the bot itself', async (t) => {
    const jane = await stage.person('jane');
    const before = model.requests.length;
    jane.send('/help');
    t.match((await jane.receives(/\/help/)).body, /^\/help: .*^\/new: .*^\/status: .*^\/stop: /ms);
    jane.send('/stat');
    await jane.receives(/^I don't know \/stat\. Did you mean \/status\?/);
    jane.send('/status');
    await jane.receives(/Model: local\/mock\nConversation: jane@localhost\nNow: idle, 0 waiting/);
    jane.send('/stop');
    await jane.receives('There is nothing to stop.');
    t.equal(model.requests.length, before, 'the model saw nothing of it');
    model.next(textAnswer('Text it is.'));
    jane.send('//help me');
    await jane.receives('Text it is.');
    t.same(promptOf(model).at(-1), ['user', '/help me'], 'two slashes send one');
  });

  // [promise-command-new]
  t.test('/new starts without the history, which stays on disk', async (t) => {
    const karl = await stage.person('karl');
    model.next(textAnswer('Noted.'), textAnswer('What secret?'));
    karl.send('the secret is 42');
    await karl.receives('Noted.');
    karl.send('/new');
    await karl.receives(/New session/);
    karl.send('what was the secret?');
    await karl.receives('What secret?');
    t.same(promptOf(model).slice(1), [['user', 'what was the secret?']]);
    const files = (await stage.data()).filter(({ path, text }) => path.includes('karl') && text !== undefined);
    const [old, recent] = files
      .filter(({ path }) => path.endsWith('.jsonl'))
      .sort((a, b) => (a.path < b.path ? -1 : 1));
    t.match(old?.text, 'the secret is 42');
    t.match(recent?.text, 'what was the secret?');
    t.notMatch(recent?.text, 'the secret is 42');
  });

  t.test('commands keep their order among questions', async (t) => {
    const lena = await stage.person('lena');
    model.next(textAnswer('Before.'), textAnswer('After.'));
    lena.send('before');
    lena.send('/new');
    lena.send('after');
    await lena.receives('After.');
    t.match(lena.texts, ['Before.', /New session/, 'After.']);
    t.same(promptOf(model).slice(1), [['user', 'after']]);
  });

  // [promise-command-stop]
  t.test('/stop ends the running answer and drops waiting questions', async (t) => {
    const mona = await stage.person('mona');
    const { script } = pausedAnswer('Once upon', 'never said');
    const before = model.requests.length;
    model.next(script);
    mona.send('a long story');
    mona.send('and another');
    await model.request(before);
    mona.send('/stop');
    await mona.receives('Stopped.');
    model.next(textAnswer('Here.'));
    mona.send('still there?');
    await mona.receives('Here.');
    t.same(mona.texts, ['Stopped.', 'Here.']);
    t.equal(model.requests.length, before + 2, 'what waited was not asked');
  });

  // [promise-rooms-self] [pitfall-error-loop]
  t.test('does not answer errors, headlines and messages without text', async (t) => {
    const nina = await stage.person('nina');
    const before = model.requests.length;
    const to = stage.jid().withResource('moltis');
    for (const attributes of [`type="error"`, `type="headline"`, `type="error"`]) {
      stage.server.inject(to, `<message from="nina@localhost/x" ${attributes}><body>hello</body></message>`);
    }
    stage.server.inject(to, `<message from="nina@localhost/x" type="chat"><body/></message>`);
    model.next(textAnswer('You.'));
    nina.send('who?');
    await nina.receives('You.');
    t.equal(model.requests.length, before + 1);
    const errors = bot.logged('error').filter(({ to: who }) => who === 'nina@localhost/x');
    t.equal(errors.length, 1, 'whoever sends errors cannot fill the log with them');
  });

  // [promise-encrypted]
  t.test('sends one notice about encrypted messages and never gives them to the model', async (t) => {
    const olga = await stage.person('olga');
    const before = model.requests.length;
    const encryption = `<encryption xmlns="urn:xmpp:eme:0" namespace="eu.siacs.conversations.axolotl" name="OMEMO"/>`;
    for (const id of ['1', '2']) {
      stage.server.inject(
        stage.jid().withResource('moltis'),
        `<message from="olga@localhost/phone" type="chat" id="${id}"><body>This is encrypted.</body>${encryption}</message>`,
      );
    }
    await olga.receives(/^I cannot read messages encrypted with OMEMO/);
    model.next(textAnswer('Clear.'));
    olga.send('in the clear');
    await olga.receives('Clear.');
    t.equal(olga.texts.length, 2);
    t.equal(model.requests.length, before + 1);
  });

  // [promise-log-private] [promise-log-events]
  t.test('every line of the log is an event, without a secret or the text of a message', async (t) => {
    t.same(model.violations, []);
    t.same(bot.noise, []);
    for (const event of bot.log) t.match(event, { time: /^\d{4}-.*Z$/, level: String, event: String });
    t.same(
      bot.log.filter(({ event, account }) => account === undefined && event !== 'stopping'),
      [],
      'every event names its account',
    );
    t.same(
      bot.log.filter(({ event, kind }) => event === 'error' && kind !== 'undelivered'),
      [],
    );
    for (const word of ['parrot', 'secret is 42', 'tell me', 'at once.', 'OMEMO', PASSWORD, model.apiKey]) {
      t.notMatch(bot.output, word, 'no text of a message and no secret is logged');
    }
  });
});
