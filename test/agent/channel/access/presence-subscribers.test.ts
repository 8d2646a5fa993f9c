/** Presence subscriptions, and their cancellation when the rules change: the built bot, over XMPP. */
import t, { type Test } from 'tap';
import type { RosterItem } from '../../../../src/xmpp-core/im/roster-item.js';
import { roster, type Roster } from '../../../../src/xmpp-core/im/roster.js';
import { subscriptions } from '../../../../src/xmpp-core/im/subscriptions.js';
import { askAgain, Stage, type Person, type Settings } from '../../../support/bot.js';
import { until } from '../../../support/loopback.js';

// Starting programs is slow on a busy machine.
t.setTimeout(180_000);

const soon = { timeoutMs: 10_000 };

/** Subscribes to the bot's presence. @returns the responses, as they arrive */
async function watches(stage: Stage, person: Person): Promise<string[]> {
  const heard: string[] = [];
  const asking = person.client.get(subscriptions);
  const { events } = asking;
  events.on('approved', () => heard.push('approved'));
  events.on('denied', () => heard.push('denied'));
  const approved = events.once('approved', soon);
  asking.request(stage.jid());
  await approved;
  return heard;
}

/** The roster of the bot's account, as another client of it sees it. */
async function rosterOf(t: Test, stage: Stage): Promise<Roster> {
  const client = stage.otherClient(t, [roster]);
  const received = client.get(roster).events.once('received', soon);
  await client.start();
  await received;
  return client.get(roster);
}

// [promise-subscriptions] [promise-subscriptions-taken-back]
t.test('cancels the subscriptions of people whom changed rules no longer admit', async (t) => {
  const stage = await Stage.set(t);
  const person = (name: string): Promise<Person> => stage.person(name, [roster, subscriptions]);
  const [anna, bert, carol] = [await person('anna'), await person('bert'), await person('carol')];
  const [fred, boss] = [await person('fred'), await person('boss')];
  const account = (more: Settings): Settings =>
    stage.settings({ bot: stage.account({ operators: ['boss@localhost', 'chief@localhost'], ...more }) });
  const bot = await stage.startProcess(account({}));
  await bot.expect('online');
  const [annas, berts, carols, bosss] = [
    await watches(stage, anna),
    await watches(stage, bert),
    await watches(stage, carol),
    await watches(stage, boss),
  ];
  const list = await rosterOf(t, stage);
  await list.set({ jid: bert.client.account, name: 'Bert' });
  const subscription = (who: Person): RosterItem['subscription'] | undefined =>
    list.get(who.client.account)?.subscription;

  const closed = { dm_policy: 'allowlist', allowlist: ['carol@localhost'] };
  await stage.write(account(closed));
  bot.signal('SIGHUP');
  await bot.expect('online');
  await until(() => annas.includes('denied') && berts.includes('denied'), 'that they are told');
  await until(() => subscription(anna) === undefined && subscription(bert) === 'none', 'that the roster follows');
  t.equal(list.get(bert.client.account)?.name, 'Bert', 'an item that a person added stays');

  // An approval by an operator survives a restart.
  boss.send('/approve fred@localhost');
  await boss.receives('fred@localhost is approved.');
  const freds = await watches(stage, fred);
  t.equal(await bot.stop(), 0);
  const next = await stage.startProcess(account(closed));
  await next.expect('online');
  for (const one of [fred, carol]) await askAgain(stage, one);
  for (const heard of [annas, berts]) t.same(heard, ['approved', 'denied'], 'each was told once');
  for (const heard of [carols, freds, bosss]) t.same(heard, ['approved']);
  t.equal(await next.stop(), 0);

  const last = await stage.startProcess(account({ dm_policy: 'disabled' }));
  await last.expect('online');
  await until(() => carols.includes('denied') && freds.includes('denied'), 'that nobody is let in');
  const chiefs = await watches(stage, await person('chief'));
  for (const heard of [bosss, chiefs]) t.same(heard, ['approved'], 'but operators see its presence');
  t.same(last.logged('error'), []);
  t.equal(await last.stop(), 0);
});
