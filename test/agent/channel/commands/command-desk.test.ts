/** The commands as people give them: to the built bot, in direct messages, in rooms and with the buttons of a client. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { LOOPBACK_CERTIFICATE } from '../../../../src/loopback/certificate.js';
import {
  adHocCommands,
  answerForm,
  chatPlugins,
  createClient,
  fieldOf,
  fieldValues,
  type Jid,
  serviceDiscovery,
  StanzaError,
  type AdHocCommands,
  type Client,
  type RunningCommand,
} from '../../../../src/index.js';
import { asked, holds, Stage } from '../../../support/bot.js';
import { fails, hangs, says } from '../../../support/openai-server.js';

// Programs are started here, which takes its time on a busy machine.
t.setTimeout(180_000);

const LONG = 'This is a long answer with many words in it, which a summary says in fewer. '.repeat(20);

t.test('commands in a chat', async (t) => {
  const stage = await Stage.set(t);
  const { model } = stage;
  const [team, attic] = [stage.room('team'), stage.room('attic')];
  const skill = join(stage.directory, 'skills', 'explain');
  await mkdir(skill, { recursive: true });
  await writeFile(join(skill, 'SKILL.md'), '---\nname: explain\ndescription: How to explain things.\n---\nSlowly.\n');
  const account = {
    rooms: [team.toString()],
    dm_policy: 'allowlist',
    allowlist: ['alice@localhost', 'bob@localhost'],
    operators: ['olga@localhost'],
    skills: ['explain'],
    limits: { history_tokens: 2_000, messages_per_minute: false, turns_per_minute: false },
  };
  const settings = {
    ...stage.settings({ bot: stage.account(account) }, { models: ['mock', 'mock-large'] }),
    skills: { search_paths: [join(stage.directory, 'skills')] },
  };
  const run = async (): Promise<Awaited<ReturnType<Stage['startProcess']>>> => {
    const started = await stage.startProcess(settings);
    await started.expect('joined');
    return started;
  };
  let bot = await run();
  const [alice, olga] = [await stage.person('alice'), await stage.person('olga')];

  // [promise-command-help] [promise-command-operators] [promise-command-unknown]
  t.test('/help lists what who asks may use; operators have more, which nobody else has', async (t) => {
    alice.say('/help');
    const help = (await alice.hears(/^\/compact: /)).body ?? '';
    for (const name of ['compact', 'context', 'help', 'model [NAME]', 'new', 'retry', 'skills', 'status', 'stop']) {
      t.match(help, `/${name}: `);
    }
    t.notMatch(help, /approve|deny|rooms|join|leave|usage/);
    for (const name of ['approve', 'deny', 'rooms', 'join', 'leave', 'usage']) {
      alice.say(`/${name} eve@localhost`);
      const { body } = await alice.hears(new RegExp(`^I don't know /${name}\\.`));
      t.notMatch(body, new RegExp(`mean /${name}`));
    }
    olga.say('/help');
    const all = (await olga.hears(/^\/approve JID: /)).body ?? '';
    for (const name of ['approve JID', 'deny JID', 'join ROOM', 'leave [ROOM]', 'rooms', 'usage', 'new']) {
      t.match(all, `/${name}: `);
    }
    t.equal(model.requests.length, 0);
  });

  // [promise-command-skills]
  t.test('/skills lists the skills that the model knows of here', async () => {
    alice.say('/skills');
    await alice.hears('explain: How to explain things.');
  });

  // [promise-command-model] [promise-command-status]
  t.test('/model chooses another model for this conversation, over a restart, until /new', async (t) => {
    alice.say('/model');
    await alice.hears(
      /^I use local\/mock\. There is:\n- local\/mock \(now\) \(the default here\)\n- local\/mock-large\n/,
    );
    alice.say('/model mock-lrge');
    await alice.hears('I have no model “mock-lrge”. Did you mean local/mock-large?');
    alice.say('/model mock-large');
    await alice.hears(/^From the next answer on I use local\/mock-large/);
    const asks = async (question: string): Promise<string | undefined> => {
      model.next(says(`To ${question}.`));
      alice.say(question);
      await alice.hears(`To ${question}.`);
      return model.requests.at(-1)?.body?.model;
    };
    t.equal(await asks('one'), 'mock-large');
    model.next(says('To Olga.'));
    olga.say('hello');
    await olga.hears('To Olga.');
    t.equal(model.requests.at(-1)?.body?.model, 'mock', 'others have theirs');
    await bot.stop();
    bot = await run();
    t.equal(await asks('two'), 'mock-large');
    alice.say('/status');
    await alice.hears(/^Model: local\/mock-large \(chosen with \/model\)\n(.*\n)*Session: 2 turns in mind/m);
    alice.say('/new');
    await alice.hears(/^A new session/);
    t.equal(await asks('three'), 'mock');
    alice.say('/status');
    await alice.hears(/^Model: local\/mock\n(.*\n)*Session: 1 turn in mind/m);
  });

  // [promise-command-context] [promise-command-compact]
  t.test('/context shows what the next request carries, and /compact puts a summary in its place', async (t) => {
    alice.say('/new');
    await alice.hears(/^A new session/);
    alice.say('/compact');
    await alice.hears('There is nothing to summarise yet.');
    model.next(says(LONG), says(LONG));
    for (const question of ['the code word is swordfish', 'go on']) {
      alice.say(question);
      await alice.hears(LONG.trim());
    }
    alice.say('/context');
    await alice.hears(/about (7|8)\d\d tokens of the past, (3|4)\d % of the 2000 .*\n.*all 2 turns/);
    const before = model.requests.length;
    model.next(says('Alice says that the code word is swordfish.'));
    alice.say('/compact');
    await alice.hears(
      /^Summarised: the next request carries about (2|3|4)\d tokens of the past instead of (7|8)\d\d\.$/,
    );
    const [system, record, ...rest] = asked(model);
    t.match(system?.[1], /Write the summary/);
    t.match(record, ['user', /^\{"role":"user","content":"the code word is swordfish"\}\n\{"role":"assistant",/]);
    t.equal(rest.length, 0);
    t.equal(model.requests.length, before + 1);
    alice.say('/context');
    await alice.hears(/all 0 turns .*\n.*summary of about 1\d tokens stands for what came before/);
    model.next(says('Swordfish.'));
    alice.say('what was the code word?');
    await alice.hears('Swordfish.');
    t.same(asked(model).slice(1), [
      ['user', 'Summarize our conversation so far.'],
      ['assistant', 'Alice says that the code word is swordfish.'],
      ['user', 'what was the code word?'],
    ]);
    await bot.expect('turn', { promptTokens: 11 });
  });

  // [promise-command-compact] [promise-command-stop]
  t.test('/compact changes nothing when the model fails, says no less, or is stopped', async (t) => {
    alice.say('/new');
    await alice.hears(/^A new session/);
    model.next(says(LONG));
    alice.say('tell me');
    await alice.hears(LONG.trim());
    model.next(fails(500));
    alice.say('/compact');
    await alice.hears(/^I could not summarise, and nothing was changed\. The model is out of order/);
    model.next(says(LONG.repeat(2)));
    alice.say('/compact');
    await alice.hears(/^A summary would be no shorter/);
    model.next((exchange) => {
      exchange.text('Half of');
      exchange.finish('length');
    });
    alice.say('/compact');
    await alice.hears(/^I could not summarise.*broke off/);
    const before = model.requests.length;
    model.next(hangs);
    alice.say('/compact');
    await model.request(before);
    alice.say('/stop');
    await alice.hears('Stopped.');
    model.next(says('I remember.'));
    alice.say('and now?');
    await alice.hears('I remember.');
    t.same(
      asked(model)
        .slice(1)
        .map(([, text]) => text.trim()),
      ['tell me', LONG.trim(), 'and now?'],
    );
  });

  // [promise-command-retry]
  t.test('/retry has the last question answered again, after an answer, a failure or a stop', async (t) => {
    alice.say('/new');
    await alice.hears(/^A new session/);
    alice.say('/retry');
    await alice.hears('There is nothing to answer again.');
    model.next(says('First.'));
    alice.say('a riddle');
    await alice.hears('First.');
    const before = model.requests.length;
    model.next(says('Second.'), fails(500), says('Third.'), hangs);
    alice.say('/retry');
    await alice.hears('Second.');
    t.same(asked(model).slice(1), [['user', 'a riddle']], 'the answer before does not count');
    alice.say('another riddle');
    await alice.hears(/^The model is out of order/);
    alice.say('/retry');
    await alice.hears('Third.');
    t.same(asked(model).slice(1), [
      ['user', 'a riddle'],
      ['assistant', 'Second.'],
      ['user', 'another riddle'],
    ]);
    alice.say('the last riddle');
    await model.request(before + 3);
    alice.say('/stop');
    await alice.hears('Stopped.');
    model.next(says('Fourth.'));
    alice.say('/retry');
    await alice.hears('Fourth.');
    t.same(asked(model).at(-1), ['user', 'the last riddle']);
  });

  // [promise-command-retry] [promise-command-stop]
  t.test(
    'in a room a command needs the mention, and only who asked, or an operator, has it answered again',
    async (t) => {
      const bob = await stage.person('bob');
      const [hers, his, boss] = [await alice.enter(team), await bob.enter(team), await olga.enter(team)];
      model.next(says('To all.'));
      await alice.sayIn(hers, 'moltis: tell us');
      await bob.hears('To all.');
      await alice.sayIn(hers, '/retry');
      await bob.sayIn(his, 'moltis: /retry');
      await bob.hears('Only who asked, or an operator, can have it answered again.');
      model.next(says('To all again.'), says('And again.'));
      await alice.sayIn(hers, 'moltis: /retry');
      const again = await bob.hears('To all again.');
      t.match(again, { type: 'groupchat', replyTo: /./ });
      await olga.sayIn(boss, 'moltis, /retry');
      await bob.hears('And again.');
      const before = model.requests.length;
      model.next(holds('Once upon', 'never said').script);
      await alice.sayIn(hers, 'moltis: a long story');
      await model.request(before);
      await bob.sayIn(his, 'moltis: /stop');
      await bob.hears('Stopped.');
    },
  );

  // [promise-command-rooms] [promise-command-join]
  t.test('operators have the bot join and leave rooms, and see where it is', async () => {
    olga.say('/rooms');
    await olga.hears(/^team@\S+: as moltis, \d there$/);
    olga.say('/join attic');
    await olga.hears(/^Which room\? .*An address has an @ in it\.$/);
    olga.say(`/join ${attic.toString()}`);
    await olga.hears(`I am in ${attic.toString()}.`);
    olga.say('/rooms');
    await olga.hears(new RegExp(`^team@.*\n${attic.toString()}: as moltis`));
    const upstairs = await olga.enter(attic);
    await olga.sayIn(upstairs, 'moltis: /leave');
    await bot.expect('left', { room: attic.toString() });
    olga.say(`/leave ${attic.toString()}`);
    await olga.hears(`I am not in ${attic.toString()}.`);
  });

  // [promise-command-approve]
  t.test('/approve lets a stranger in and /deny takes that back', async (t) => {
    const eve = await stage.person('eve');
    const before = model.requests.length;
    eve.say('let me in');
    await eve.hears(/An operator can let you in/);
    await olga.hears(/\/approve eve@localhost/);
    olga.say('/approve');
    await olga.hears('Whom? /approve alice@example.com. Waiting: eve@localhost.');
    olga.say('/approve eve@localhost');
    await olga.hears('eve@localhost is let in.');
    olga.say('/approve eve@localhost');
    await olga.hears('eve@localhost was let in already.');
    model.next(says('Welcome.'));
    eve.say('hello');
    await eve.hears('Welcome.');
    olga.say('/deny eve@localhost');
    await olga.hears('eve@localhost is not let in.');
    eve.say('hello?');
    await bot.expect('denied', { from: 'eve@localhost' });
    olga.say('/deny alice@localhost');
    await olga.hears('alice@localhost is still let in: the configuration says so.');
    t.equal(model.requests.length, before + 1);
  });

  // [promise-command-usage]
  t.test('/usage shows what the day has cost so far, by sender and room', async (t) => {
    olga.say('/usage');
    const { body = '' } = await olga.hears(/^\d+ tokens today \(each may use 200000\):/);
    const lines = body.split('\n').slice(1);
    for (const payer of [/^alice@localhost: \d+$/, /^eve@localhost: 18$/, /^team@\S+: \d+$/]) {
      t.ok(
        lines.some((line) => payer.test(line)),
        String(payer),
      );
    }
    const sum = lines.reduce((total, line) => total + Number(line.split(': ')[1]), 0);
    t.match(body, new RegExp(`^${sum} tokens`));
  });

  // [promise-command-buttons] [promise-command-operators] [promise-denied-silence]
  t.test('clients with buttons are offered the same commands, to the same people', async (t) => {
    const at = stage.jid().withResource('moltis');
    const buttonsOf = async (name: string): Promise<AdHocCommands & { readonly client: Client }> => {
      const client = createClient({
        jid: stage.jid(name),
        password: `the password of ${name}`,
        ca: LOOPBACK_CERTIFICATE,
        server: { host: '127.0.0.1', port: stage.server.ports.startTls, directTls: false },
        plugins: [...chatPlugins, adHocCommands],
      });
      t.teardown(() => client.stop());
      await client.start();
      return { ...client.get(adHocCommands), client };
    };
    const own = ['compact', 'context', 'help', 'model', 'new', 'retry', 'skills', 'status', 'stop'];
    const forOperators = ['approve', 'deny', 'join', 'leave', 'rooms', 'usage'];
    const [hers, boss, stranger] = [await buttonsOf('alice'), await buttonsOf('olga'), await buttonsOf('eve')];
    const names = async (buttons: AdHocCommands): Promise<readonly string[]> =>
      (await buttons.list(at)).flatMap(({ node }) => node ?? []).sort();
    t.same(await names(hers), own);
    t.same(await names(boss), [...own, ...forOperators].sort());
    t.same(await names(stranger).catch(() => []), []);
    t.same((await boss.list(at)).find(({ node }) => node === 'new')?.name, 'Starts a new session; the old one is kept');
    // What somebody may not run is as if it were not there.
    const refusal = async (buttons: AdHocCommands, node: string): Promise<string> =>
      buttons.execute(at, node).then(
        () => 'none',
        (error: unknown) => (error instanceof StanzaError ? error.condition : String(error)),
      );
    t.equal(await refusal(hers, 'usage'), await refusal(hers, 'no-such-command'));
    // Who is not let in learns no more than of a client that is not there.
    const nobody = at.bare.withResource('nobody');
    for (const ask of [
      (jid: Jid) => stranger.list(jid),
      (jid: Jid) => stranger.execute(jid, 'help'),
      (jid: Jid) => stranger.client.get(serviceDiscovery).info(jid),
    ]) {
      const [told, untold] = await Promise.allSettled([ask(at), ask(nobody)]);
      t.match(told, { status: 'rejected', reason: { condition: 'service-unavailable', type: 'cancel' } });
      t.match(untold, { status: 'rejected', reason: { condition: 'service-unavailable', type: 'cancel' } });
    }
    await t.rejects(hers.client.get(serviceDiscovery).info(at, { node: 'usage' }));

    const textOf = ({ status, notes, form }: RunningCommand): string => {
      t.equal(status, 'completed');
      return [...notes.map(({ text }) => text), ...fieldValues(form, 'answer')].join('\n');
    };
    t.match(
      textOf(await hers.execute(at, 'status')),
      /^Account: moltis@localhost\nModel: local\/mock\nConversation: alice/,
    );
    t.match(textOf(await hers.execute(at, 'stop')), 'There is nothing to stop.');

    const choice = await hers.execute(at, 'model');
    t.match(choice, { status: 'executing', defaultAction: 'complete' });
    const field = fieldOf(choice.form, 'argument');
    t.match(field, { type: 'list-single', required: true, values: ['local/mock'] });
    t.same(
      field?.options?.map(({ value }) => value),
      ['local/mock', 'local/mock-large'],
    );
    if (choice.form === undefined) throw new Error('there is no form');
    const chosen = await choice.act('execute', answerForm(choice.form, { argument: 'local/mock-large' }));
    t.match(textOf(chosen), /^From the next answer on I use local\/mock-large/);
    model.next(says('Large.'));
    alice.say('which one are you?');
    await alice.hears('Large.');
    t.equal(model.requests.at(-1)?.body?.model, 'mock-large');
    t.match(textOf(await hers.execute(at, 'new')), /^A new session/);
    alice.say('/model');
    await alice.hears(/^I use local\/mock\./);

    const approval = await boss.execute(at, 'approve');
    t.match(fieldOf(approval.form, 'argument'), { type: 'jid-single', label: 'Who' });
    if (approval.form === undefined) throw new Error('there is no form');
    const empty = await approval.act('complete', answerForm(approval.form, {}));
    t.match(empty, { status: 'executing', notes: [{ type: 'error', text: 'Who is missing.' }] });
    const approved = await empty.act('complete', answerForm(approval.form, { argument: 'eve@localhost' }));
    t.equal(textOf(approved), 'eve@localhost is let in.');
    t.same(await names(stranger), own, 'who is let in has them from now on');
    // Clients give a request up after a while.
    const { script, letGo } = holds('', 'Alice asked who answers.');
    model.next(says(LONG), script);
    alice.say('at length, please');
    await alice.hears(LONG.trim());
    t.match(textOf(await hers.execute(at, 'compact')), /^It is under way/);
    letGo();
    await alice.hears(/^Summarised: /);
    const canceled = await (await hers.execute(at, 'model')).act('cancel');
    t.equal(canceled.status, 'canceled');
  });

  t.test('nothing was asked that the real API refuses', async (t) => {
    t.same(model.violations, []);
    t.same(bot.noise, []);
    t.equal(await bot.stop(), 0);
  });
});
