/** Commands in direct messages, in rooms and as ad-hoc commands: the built bot, over XMPP. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { LOOPBACK_CERTIFICATE } from '../../../../src/loopback/certificate.js';
import { chatPlugins } from '../../../../src/xeps/chat-plugins.js';
import { answerForm, fieldOf, fieldValues } from '../../../../src/xeps/xep-0004-data-forms.js';
import { serviceDiscovery } from '../../../../src/xeps/xep-0030-service-discovery.js';
import {
  adHocCommands,
  type AdHocCommands,
  type RunningCommand,
} from '../../../../src/xeps/xep-0050-ad-hoc-commands.js';
import { type Client, createClient } from '../../../../src/xmpp-core/client.js';
import { StanzaError } from '../../../../src/xmpp-core/errors.js';
import type { Jid } from '../../../../src/xmpp-core/jid/jid.js';
import { promptOf, pausedAnswer, Stage } from '../../../support/bot.js';
import { fails, hangs, textAnswer } from '../../../support/openai-server.js';

// Starting programs is slow on a busy machine.
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
  t.test('/help lists the commands that the sender may use; only operators get theirs', async (t) => {
    alice.send('/help');
    const help = (await alice.receives(/^\/compact: /)).body ?? '';
    for (const name of ['compact', 'context', 'help', 'model [NAME]', 'new', 'retry', 'skills', 'status', 'stop']) {
      t.match(help, `/${name}: `);
    }
    t.notMatch(help, /approve|deny|rooms|join|leave|usage/);
    for (const name of ['approve', 'deny', 'rooms', 'join', 'leave', 'usage']) {
      alice.send(`/${name} eve@localhost`);
      const { body } = await alice.receives(new RegExp(`^I don't know /${name}\\.`));
      t.notMatch(body, new RegExp(`mean /${name}`));
    }
    olga.send('/help');
    const all = (await olga.receives(/^\/approve JID: /)).body ?? '';
    for (const name of ['approve JID', 'deny JID', 'join ROOM', 'leave [ROOM]', 'rooms', 'usage', 'new']) {
      t.match(all, `/${name}: `);
    }
    t.equal(model.requests.length, 0);
  });

  // [promise-command-skills]
  t.test('/skills lists the skills that the model can use here', async () => {
    alice.send('/skills');
    await alice.receives('explain: How to explain things.');
  });

  // [promise-command-model] [promise-command-status]
  t.test('/model selects a model for this conversation, across restarts, until /new', async (t) => {
    alice.send('/model');
    await alice.receives(
      /^Current model: local\/mock\. Available:\n- local\/mock \(current\) \(default here\)\n- local\/mock-large\n/,
    );
    alice.send('/model mock-lrge');
    await alice.receives('I have no model “mock-lrge”. Did you mean local/mock-large?');
    alice.send('/model mock-large');
    await alice.receives(/^I will use local\/mock-large from the next answer on/);
    const asks = async (question: string): Promise<string | undefined> => {
      model.next(textAnswer(`To ${question}.`));
      alice.send(question);
      await alice.receives(`To ${question}.`);
      return model.requests.at(-1)?.body?.model;
    };
    t.equal(await asks('one'), 'mock-large');
    model.next(textAnswer('To Olga.'));
    olga.send('hello');
    await olga.receives('To Olga.');
    t.equal(model.requests.at(-1)?.body?.model, 'mock', 'others have theirs');
    await bot.stop();
    bot = await run();
    t.equal(await asks('two'), 'mock-large');
    alice.send('/status');
    await alice.receives(/^Model: local\/mock-large \(chosen with \/model\)\n(.*\n)*Session: 2 turns in context/m);
    alice.send('/new');
    await alice.receives(/^New session/);
    t.equal(await asks('three'), 'mock');
    alice.send('/status');
    await alice.receives(/^Model: local\/mock\n(.*\n)*Session: 1 turn in context/m);
  });

  // [promise-command-context] [promise-command-compact]
  t.test('/context shows the size of the next request, and /compact replaces the history with a summary', async (t) => {
    alice.send('/new');
    await alice.receives(/^New session/);
    alice.send('/compact');
    await alice.receives('There is nothing to summarise yet.');
    model.next(textAnswer(LONG), textAnswer(LONG));
    for (const question of ['the code word is swordfish', 'go on']) {
      alice.send(question);
      await alice.receives(LONG.trim());
    }
    alice.send('/context');
    await alice.receives(/about (7|8)\d\d tokens of history, (3|4)\d % of the limit of 2000 .*\n.*all 2 turns/);
    const before = model.requests.length;
    model.next(textAnswer('Alice says that the code word is swordfish.'));
    alice.send('/compact');
    await alice.receives(
      /^Summarised: the next request includes about (2|3|4)\d tokens of history instead of (7|8)\d\d\.$/,
    );
    const [system, record, ...rest] = promptOf(model);
    t.match(system?.[1], /Write the summary/);
    t.match(record, ['user', /^\{"role":"user","content":"the code word is swordfish"\}\n\{"role":"assistant",/]);
    t.equal(rest.length, 0);
    t.equal(model.requests.length, before + 1);
    alice.send('/context');
    await alice.receives(/all 0 turns .*\n.*summary of about 1\d tokens replaces what came before/);
    model.next(textAnswer('Swordfish.'));
    alice.send('what was the code word?');
    await alice.receives('Swordfish.');
    t.same(promptOf(model).slice(1), [
      ['user', 'Summarize our conversation so far.'],
      ['assistant', 'Alice says that the code word is swordfish.'],
      ['user', 'what was the code word?'],
    ]);
    await bot.expect('turn', { promptTokens: 11 });
  });

  // [promise-command-compact] [promise-command-stop]
  t.test('/compact changes nothing when the model fails, the summary is not shorter, or it is stopped', async (t) => {
    alice.send('/new');
    await alice.receives(/^New session/);
    model.next(textAnswer(LONG));
    alice.send('tell me');
    await alice.receives(LONG.trim());
    model.next(fails(500));
    alice.send('/compact');
    await alice.receives(/^The summary failed, and nothing was changed\. The model is unavailable/);
    model.next(textAnswer(LONG.repeat(2)));
    alice.send('/compact');
    await alice.receives(/^A summary would not be shorter/);
    model.next((exchange) => {
      exchange.text('Half of');
      exchange.finish('length');
    });
    alice.send('/compact');
    await alice.receives(/^The summary failed.*cut off/);
    const before = model.requests.length;
    model.next(hangs);
    alice.send('/compact');
    await model.request(before);
    alice.send('/stop');
    await alice.receives('Stopped.');
    model.next(textAnswer('I remember.'));
    alice.send('and now?');
    await alice.receives('I remember.');
    t.same(
      promptOf(model)
        .slice(1)
        .map(([, text]) => text.trim()),
      ['tell me', LONG.trim(), 'and now?'],
    );
  });

  // [promise-command-retry]
  t.test('/retry answers the last question again, after an answer, a failure or a stop', async (t) => {
    alice.send('/new');
    await alice.receives(/^New session/);
    alice.send('/retry');
    await alice.receives('There is no question to answer again.');
    model.next(textAnswer('First.'));
    alice.send('a riddle');
    await alice.receives('First.');
    const before = model.requests.length;
    model.next(textAnswer('Second.'), fails(500), textAnswer('Third.'), hangs);
    alice.send('/retry');
    await alice.receives('Second.');
    t.same(promptOf(model).slice(1), [['user', 'a riddle']], 'the answer before does not count');
    alice.send('another riddle');
    await alice.receives(/^The model is unavailable/);
    alice.send('/retry');
    await alice.receives('Third.');
    t.same(promptOf(model).slice(1), [
      ['user', 'a riddle'],
      ['assistant', 'Second.'],
      ['user', 'another riddle'],
    ]);
    alice.send('the last riddle');
    await model.request(before + 3);
    alice.send('/stop');
    await alice.receives('Stopped.');
    model.next(textAnswer('Fourth.'));
    alice.send('/retry');
    await alice.receives('Fourth.');
    t.same(promptOf(model).at(-1), ['user', 'the last riddle']);
  });

  // [promise-command-retry] [promise-command-stop]
  t.test(
    'in a room a command needs a mention, and only the author of a question or an operator can retry it',
    async (t) => {
      const bob = await stage.person('bob');
      const [hers, his, boss] = [await alice.enter(team), await bob.enter(team), await olga.enter(team)];
      model.next(textAnswer('To all.'));
      await alice.sendIn(hers, 'moltis: tell us');
      await bob.receives('To all.');
      await alice.sendIn(hers, '/retry');
      await bob.sendIn(his, 'moltis: /retry');
      await bob.receives('Only the person who asked, or an operator, can retry this question.');
      model.next(textAnswer('To all again.'), textAnswer('And again.'));
      await alice.sendIn(hers, 'moltis: /retry');
      const again = await bob.receives('To all again.');
      t.match(again, { type: 'groupchat', replyTo: /./ });
      await olga.sendIn(boss, 'moltis, /retry');
      await bob.receives('And again.');
      const before = model.requests.length;
      model.next(pausedAnswer('Once upon', 'never said').script);
      await alice.sendIn(hers, 'moltis: a long story');
      await model.request(before);
      await bob.sendIn(his, 'moltis: /stop');
      await bob.receives('Stopped.');
    },
  );

  // [promise-command-rooms] [promise-command-join]
  t.test('operators can make the bot join and leave rooms, and list them', async () => {
    olga.send('/rooms');
    await olga.receives(/^team@\S+: as moltis, \d present$/);
    olga.send('/join attic');
    await olga.receives(/^Which room\? .*An address needs an @\.$/);
    olga.send(`/join ${attic.toString()}`);
    await olga.receives(`I am in ${attic.toString()}.`);
    olga.send('/rooms');
    await olga.receives(new RegExp(`^team@.*\n${attic.toString()}: as moltis`));
    const upstairs = await olga.enter(attic);
    await olga.sendIn(upstairs, 'moltis: /leave');
    await bot.expect('left', { room: attic.toString() });
    olga.send(`/leave ${attic.toString()}`);
    await olga.receives(`I am not in ${attic.toString()}.`);
  });

  // [promise-command-approve]
  t.test('/approve lets a stranger in and /deny revokes it', async (t) => {
    const eve = await stage.person('eve');
    const before = model.requests.length;
    eve.send('let me in');
    await eve.receives(/An operator can let you in/);
    await olga.receives(/\/approve eve@localhost/);
    olga.send('/approve');
    await olga.receives('Who? Example: /approve alice@example.com. Waiting: eve@localhost.');
    olga.send('/approve eve@localhost');
    await olga.receives('eve@localhost is approved.');
    olga.send('/approve eve@localhost');
    await olga.receives('eve@localhost was already approved.');
    model.next(textAnswer('Welcome.'));
    eve.send('hello');
    await eve.receives('Welcome.');
    olga.send('/deny eve@localhost');
    await olga.receives('eve@localhost is denied.');
    eve.send('hello?');
    await bot.expect('denied', { from: 'eve@localhost' });
    olga.send('/deny alice@localhost');
    await olga.receives('alice@localhost is still allowed by the configuration.');
    t.equal(model.requests.length, before + 1);
  });

  // [promise-command-usage]
  t.test('/usage shows the tokens of today by sender and room', async (t) => {
    olga.send('/usage');
    const { body = '' } = await olga.receives(/^\d+ tokens today \(limit: 200000 each\):/);
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
  t.test('offers the same commands to the same people as ad-hoc commands', async (t) => {
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
    t.match(textOf(chosen), /^I will use local\/mock-large from the next answer on/);
    model.next(textAnswer('Large.'));
    alice.send('which one are you?');
    await alice.receives('Large.');
    t.equal(model.requests.at(-1)?.body?.model, 'mock-large');
    t.match(textOf(await hers.execute(at, 'new')), /^New session/);
    alice.send('/model');
    await alice.receives(/^Current model: local\/mock\./);

    const approval = await boss.execute(at, 'approve');
    t.match(fieldOf(approval.form, 'argument'), { type: 'jid-single', label: 'Who' });
    if (approval.form === undefined) throw new Error('there is no form');
    const empty = await approval.act('complete', answerForm(approval.form, {}));
    t.match(empty, { status: 'executing', notes: [{ type: 'error', text: 'Who is missing.' }] });
    const approved = await empty.act('complete', answerForm(approval.form, { argument: 'eve@localhost' }));
    t.equal(textOf(approved), 'eve@localhost is approved.');
    t.same(await names(stranger), own, 'who is let in has them from now on');
    // Clients give a request up after a while.
    const { script, release } = pausedAnswer('', 'Alice asked who answers.');
    model.next(textAnswer(LONG), script);
    alice.send('at length, please');
    await alice.receives(LONG.trim());
    t.match(textOf(await hers.execute(at, 'compact')), /^Still running/);
    release();
    await alice.receives(/^Summarised: /);
    const canceled = await (await hers.execute(at, 'model')).act('cancel');
    t.equal(canceled.status, 'canceled');
  });

  t.test('every request is valid for the real API', async (t) => {
    t.same(model.violations, []);
    t.same(bot.noise, []);
    t.equal(await bot.stop(), 0);
  });
});
