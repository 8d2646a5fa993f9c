import type { Test } from 'tap';

import { Jid } from '../../src/xmpp-core/jid/jid.js';
import { writeMessage } from '../../src/xmpp-core/stanza/stanzas.js';
import { calls, hangs, textAnswer } from '../support/openai-server.js';
import { directMessageIsAnswered, lastRequest, mentionIsAnswered } from './questions.js';
import { BOT_PASSWORD, type Stage } from './stage.js';

/** One red pixel. */
const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC',
  'base64',
);

/** What a person sees of a direct conversation beside the words, and what they say of words that were said. */
export async function talks(t: Test, stage: Stage): Promise<void> {
  const { server, model } = stage;
  const jid = `bot@${server.domain}`;
  const human = await stage.human();
  const bot = await stage.bot({ stream_edits: 'off' });
  const { jid: full } = await bot.expect('online');

  model.next(textAnswer('My pleasure.'));
  const question = await human.ask(jid, 'My PIN is 1234. Keep it.');
  await human.expect('the receipt', ({ receiptFor }) => receiptFor === question);
  await human.expect('that it is read', ({ displayed }) => displayed === question);
  await human.expect('that it types', ({ body, chatState }) => body === null && chatState === 'composing');
  const answer = await human.expect('the answer', ({ body }) => body === 'My pleasure.');
  t.equal(answer.chatState, 'active', 'the answer ends the typing');

  await human.react(jid, answer.id ?? '', ['👍']);
  model.next(hangs, textAnswer('Paris.'));
  const misspelt = await human.say(jid, 'The capital of Frnace?');
  await model.request(1);
  t.match(lastRequest(stage), /1234.*👍.*Frnace/, 'the reaction is a note');
  await human.correct(jid, misspelt, 'The capital of France?');
  await human.expect('one answer to both', ({ body }) => body === 'Paris.');
  t.match(lastRequest(stage), /capital of France/);
  t.notMatch(lastRequest(stage), /Frnace/, 'the correction takes the place of what was said');

  await human.retract(jid, question);
  await directMessageIsAnswered(stage, human);
  t.notMatch(lastRequest(stage), /1234/, 'what was taken back is gone');

  await human.say(jid, '/status');
  await human.expect('the status', ({ body }) => body?.includes('Model: local/mock') === true);
  const buttons = await human.commands(String(full));
  t.ok(buttons.includes('status') && buttons.includes('help'), 'the commands are offered');
  t.notOk(buttons.includes('approve'), 'those of operators are not');
  t.match(await human.carryOut(String(full), 'status'), { status: 'completed', text: /Model: local\/mock/ });
  t.equal(model.requests.length, 4);
  t.same(model.violations, [], 'the model was asked properly');
}

/** Servers send the bot copies of what the account's other clients say and hear (XEP-0280), and keep them in its archive. */
export async function copies(t: Test, stage: Stage): Promise<void> {
  const { server, model } = stage;
  const jid = await server.register('shared', BOT_PASSWORD);
  const human = await stage.human();
  const first = await stage.bot({ jid });
  await first.expect('online');
  // What is said to the account goes to the client of the higher priority, and others get a copy of it (RFC 6121 §8.5.2.1.1).
  const desk = await stage.desk(jid, { presence: { priority: 5 } });
  desk.send(writeMessage({ to: Jid.parse(human.jid), type: 'chat', body: 'The landlord speaks.' }));
  const { from } = await human.expect('a word of the landlord', ({ body }) => body === 'The landlord speaks.');
  await human.say(from, 'Hello, landlord.');
  await directMessageIsAnswered(stage, human, jid);
  t.equal(await first.stop(), 0);

  await human.say(from, 'Still there, landlord?');
  await human.ping(server.domain);
  const second = await stage.bot({ jid });
  await second.expect('online');
  await directMessageIsAnswered(stage, human, jid);
  t.equal(model.requests.length, 2);
  t.notMatch(JSON.stringify(model.requests), /landlord/, 'the model learns nothing of it');
}

export async function filesComeAndGo(t: Test, stage: Stage): Promise<void> {
  const { server, model } = stage;
  const jid = `bot@${server.domain}`;
  const human = await stage.human();
  const bot = await stage.bot();
  await bot.expect('online');
  const notes = await human.upload('notes.txt', Buffer.from('The blue door is locked.'), 'text/plain');
  const pixel = await human.upload('pixel.png', PNG, 'image/png');

  const table = 'door,colour\n1,blå\n';
  model.next(
    calls(['send_file', { name: 'doors.csv', content: table, caption: 'All doors.' }]),
    textAnswer('There it is.'),
  );
  await human.share(jid, notes);
  await human.share(jid, pixel);
  await human.say(jid, 'Make a table of that.');
  await human.expect('what the model says', ({ body }) => body === 'There it is.');
  const asked = JSON.stringify(model.requests[0]?.body?.messages);
  t.match(asked, /The blue door is locked\./, 'the text is read');
  t.ok(asked.includes(PNG.toString('base64')), 'the picture is seen');
  t.match(asked, /Make a table of that/, 'with the words that followed');

  const { oobUrl } = await human.expect('the file', (message) => message.oobUrl !== null);
  const fetched = await human.fetch(oobUrl ?? '');
  t.equal(fetched.data.toString('utf8'), table, 'every byte is there');
  t.same(model.violations, [], 'the model was asked properly');
}

/** The rules are closed while the bot runs; somebody whom they shut out is let in by an operator, for good. */
export async function strangersAreLetIn(t: Test, stage: Stage): Promise<void> {
  const { server } = stage;
  const jid = await server.register('porter', BOT_PASSWORD);
  const [operator, stranger] = await Promise.all([stage.human(), stage.human()]);
  const bot = await stage.bot({ jid, operators: [operator.jid] });
  const asksToSee = async (): Promise<string> => {
    const full = String((await bot.expect('online'))['jid']);
    await stranger.presence(jid, 'subscribe');
    return full;
  };
  const isSeen = async (full: string): Promise<void> => {
    await stranger.expectPresence('that they may see the bot', ({ type }) => type === 'subscribed');
    await stranger.expectPresence('the bot', ({ from, type }) => from === full && type === 'available');
  };
  await isSeen(await asksToSee());

  const closed = stage.account({ jid, operators: [operator.jid], dm_policy: 'allowlist' });
  await bot.reload(closed, stage.model);
  await stranger.expectPresence('that they may not any more', ({ type }) => type === 'unsubscribed');
  const full = await asksToSee();
  await stranger.say(jid, 'Hello?');
  await stranger.expect('one sentence', ({ body }) => body?.includes('An operator can let you in') === true);
  const words = `/approve ${stranger.jid}`;
  await operator.expect('who it is', ({ body }) => body?.includes(words) === true);
  await operator.say(jid, words);
  await operator.expect('that it is done', ({ body }) => body === `${stranger.jid} is approved.`);
  await stranger.expect('that they are let in', ({ body }) => body?.includes('An operator has let you in') === true);
  await isSeen(full);
  await directMessageIsAnswered(stage, stranger, jid);

  const room = server.room('lobby');
  await stranger.join(room, 'bob');
  await bot.reload({ ...closed, rooms: [room] }, stage.model);
  await bot.expect('joined', { room });
  await mentionIsAnswered(stage, stranger, room);
  await directMessageIsAnswered(stage, stranger, jid);
  const buttons = await operator.commands(String((await bot.expect('online'))['jid']));
  t.ok(buttons.includes('approve'), 'operators have commands of their own');
}
