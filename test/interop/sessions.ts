import type { Test } from 'tap';

import { textAnswer } from '../support/openai-server.js';
import { breakableWay } from './breakable-way.js';
import type { Bot } from './bot.js';
import { keepsTalking, until } from './questions.js';
import { BOT_PASSWORD, type Stage } from './stage.js';

/**
 * The first start learns that there is an archive and is given a token (XEP-0484). The second one has a password that is wrong: that it
 * comes online, and back after a broken connection, is the token's doing.
 */
export async function secondStart(t: Test, stage: Stage): Promise<void> {
  const { server, model } = stage;
  const jid = await server.register('returning', BOT_PASSWORD);
  const token = `fast-token ${jid}`;
  const human = await stage.human();

  const first = await stage.bot({ jid });
  t.equal((await first.expect('online'))['jid'], `${jid}/moltis`, 'the resource is as it is configured');
  await archiveIsRead(first, jid);
  const { mode, values } = await first.state();
  t.equal(mode, 0o600, 'nobody else can read the token');
  t.equal(await first.stop(), 0);

  model.next(textAnswer('Yes, again.'));
  await human.say(jid, 'Are you there?');
  // The answer to a ping comes after the server has dealt with what was sent before it.
  await human.ping(server.domain);
  const way = await breakableWay(t, server.site.ports.startTls);
  const second = await stage.bot({ jid, password: 'wrong-horse', server: `127.0.0.1:${way.port}` });
  const { jid: bound } = await second.expect('online', { resumed: false });
  t.match(bound, new RegExp(`^${jid}/moltis.+`), 'the server made the resource (XEP-0386)');
  await human.expect('the answer to what waited', ({ body }) => body === 'Yes, again.');

  model.next(textAnswer('Still here.'));
  way.cut();
  await second.expect('suspended');
  await human.say(jid, 'Did you get this?');
  await human.ping(server.domain);
  way.mend();
  t.equal((await second.expect('online', { resumed: true }))['jid'], bound, 'the session is the same');
  await human.expect('the answer to what came meanwhile', ({ body }) => body === 'Still here.');
  t.equal(model.requests.length, 2, 'archive, offline storage and resumption bring a question once');

  const after = (await second.state()).values[token];
  t.equal(await second.stop(), 0);
  const tokens = [values[token], after].map((kept) => /"token":"([^"]+)"/.exec(kept ?? '')?.[1]);
  for (const secret of [...tokens, BOT_PASSWORD, 'wrong-horse']) {
    t.type(secret, 'string');
    t.notOk(`${first.log}${second.log}`.includes(secret ?? ''), 'no secret is in the log');
  }
}

/**
 * The server does not learn that the bot is dead, and keeps for the session that it knows what comes meanwhile (XEP-0198 §5). Only the
 * archive has that for a new one.
 */
export async function killed(t: Test, stage: Stage): Promise<void> {
  const { server, model } = stage;
  const jid = await server.register('mortal', BOT_PASSWORD);
  const human = await stage.human();
  const first = await stage.bot({ jid });
  await first.expect('online');
  await archiveIsRead(first, jid);

  model.next(keepsTalking().script);
  await human.say(jid, 'How far is the moon?');
  await human.expect('the beginning of an answer', ({ body }) => body?.startsWith('and ') === true);
  await first.kill();
  await human.say(jid, 'And the sun?');
  // The answer to a ping comes after the server has dealt with what was sent before it.
  await human.ping(server.domain);

  model.next(textAnswer('A light-second.'), textAnswer('Eight light-minutes.'));
  const second = await stage.bot({ jid });
  await second.expect('online');
  await human.expect('what was asked and not answered', ({ body }) => body === 'A light-second.');
  await human.expect('what was asked meanwhile', ({ body }) => body === 'Eight light-minutes.');
  t.equal(model.requests.length, 3, 'and each was asked once more, or once');
  t.same(model.violations, [], 'the model was asked properly');
}

/** From now on the bot takes what it missed from the archive, and may bind as XEP-0386 has it. Nothing is said of that but in its memory. */
async function archiveIsRead(bot: Bot, jid: string): Promise<void> {
  await until(
    'that the archive was read',
    async () => bot.state().catch(() => undefined),
    (state) => state !== undefined && `archive-read ${jid}` in state.values,
  );
}
