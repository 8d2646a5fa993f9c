import type { Test } from 'tap';

import { bookmarks } from '../../src/xeps/xep-0402-bookmarks.js';
import { Jid } from '../../src/xmpp-core/jid/jid.js';
import { pausedAnswer } from '../support/bot.js';
import { textAnswer } from '../support/openai-server.js';
import type { HumanMessage } from './human.js';
import { lastRequest, mentionIsAnswered, until } from './questions.js';
import { BOT_NICK, BOT_PASSWORD, type Stage } from './stage.js';

const SECRET = 'open sesame';
/** XEP-0045 §15.5.3; ejabberd wants to be told that a room with a password has one. */
const LOCKED = { 'muc#roomconfig_passwordprotectedroom': '1', 'muc#roomconfig_roomsecret': SECRET };

/** Into one room the bot is invited by the room, into the other, which has a password, by the operator directly. */
export async function invitations(t: Test, stage: Stage): Promise<void> {
  const { server, model } = stage;
  const jid = await server.register('guest', BOT_PASSWORD);
  const [parlour, vault, foreign] = ['parlour', 'vault', 'of-a-person'].map((name) => server.room(name)) as [
    string,
    string,
    string,
  ];
  const operator = await stage.human();
  // Where people are hidden, Prosody says that it is an occupant who invites: that is nobody's word (XEP-0045 §7.8.2).
  await operator.join(parlour, 'alice', { 'muc#roomconfig_whois': 'anyone' });
  await operator.join(vault, 'alice', LOCKED);
  const desk = (await stage.desk(jid, { presence: false, plugins: [bookmarks] })).get(bookmarks);
  await desk.set({ jid: Jid.parse(foreign), autojoin: true });
  const bookmarked = async (...rooms: readonly string[]): Promise<unknown> =>
    until(
      `bookmarks of ${rooms.join(', ')}`,
      async () => (await desk.all()).map((bookmark) => bookmark.jid.toString()).toSorted(),
      (seen) => seen.join() === rooms.toSorted().join(),
    );

  const first = await stage.bot({ jid, operators: [operator.jid] });
  await first.expect('online');
  await operator.haveInvited(jid, parlour);
  await first.expect('joined', { room: parlour });
  await operator.invite(jid, vault, SECRET);
  await first.expect('joined', { room: vault });
  await bookmarked(foreign, parlour, vault);
  t.equal(await first.stop(), 0);

  await operator.sayInRoom(parlour, 'The kettle is on.');
  await operator.sayInRoom(parlour, `${BOT_NICK}: can you hear me?`);
  const again = await stage.bot({ jid, operators: [operator.jid] });
  await again.expect('joined', { room: parlour });
  await again.expect('joined', { room: vault });
  await mentionIsAnswered(stage, operator, parlour);
  t.equal(model.requests.length, 1, 'what was said while it was away is no question');
  t.match(lastRequest(stage), /The kettle is on\./, 'but known');

  await operator.say(jid, `/leave ${vault}`);
  await operator.expect('that it left', ({ body }) => body === `I left ${vault}.`);
  await bookmarked(foreign, parlour);
  await operator.ban(parlour, jid);
  await again.expect('left', { room: parlour, why: 'banned' });
  await bookmarked(foreign);
  t.notMatch(`${first.log}${again.log}`, `"room":"${foreign}"`, 'a bookmark of a person is left alone');
  t.equal(await again.stop(), 0);
}

/** Three rooms of one account: one with a password and the bot's name taken, one that shows its people to all, and one that hides them. */
export async function roomsOfTheirOwn(t: Test, stage: Stage): Promise<void> {
  const { server, model } = stage;
  const [locked, seen, hidden] = ['locked', 'seen', 'hidden'].map((name) => server.room(name)) as [
    string,
    string,
    string,
  ];
  const [ann, bob] = await Promise.all([stage.human(), stage.human()]);
  await ann.join(locked, 'ann', LOCKED);
  await ann.join(seen, 'ann', { 'muc#roomconfig_whois': 'anyone' });
  await ann.join(hidden, 'ann', { 'muc#roomconfig_whois': 'moderators' });
  await bob.join(locked, BOT_NICK, {}, SECRET);
  await bob.join(seen, 'bob');

  const bot = await stage.bot({
    rooms: [locked, seen, hidden],
    muc_rooms: {
      [locked]: { password: SECRET, system_prompt: 'You keep the keys.' },
      [seen]: { users: [ann.jid], system_prompt: 'You keep the window.' },
      [hidden]: { users: [ann.jid], system_prompt: 'You keep the curtain.' },
    },
  });
  const nick = `${BOT_NICK}-2`;
  await bot.expect('joined', { room: locked, nick });
  await bot.expect('joined', { room: seen, nick: BOT_NICK });
  await bot.expect('joined', { room: hidden });

  const search = pausedAnswer('', 'Under the mat.');
  model.next(search.script);
  const sent = await ann.sayInRoom(locked, `${nick}: where is the key?`);
  const { stanzaIds } = await ann.expect('own message back from the room', ({ id }) => id === sent);
  const question = stanzaIds.find(({ by }) => by === locked)?.id;
  t.type(question, 'string', 'the room names its messages');
  const isMarked = (emoji: string) => (message: HumanMessage) =>
    message.reactsTo === question && message.reactions?.join() === emoji;
  await ann.expect('that it takes a while', isMarked('👀'));
  search.release();
  await ann.expect('the answer', ({ body }) => body === 'Under the mat.');
  await ann.expect('that it is done', isMarked('✅'));
  t.match(lastRequest(stage), /You keep the keys\./);

  await ann.sayInRoom(hidden, `${BOT_NICK}: it is me.`);
  await bot.expect('denied', { from: `${hidden}/ann` });
  model.next(textAnswer('Between us.'));
  await ann.say(`${hidden}/${BOT_NICK}`, 'A word?');
  await ann.expect(
    'an answer to them alone, for the bot is open in private',
    ({ type, from, body }) => type === 'chat' && from === `${hidden}/${BOT_NICK}` && body === 'Between us.',
  );
  await bob.sayInRoom(seen, `${BOT_NICK}: me too?`);
  await bot.expect('denied', { from: bob.jid });
  await mentionIsAnswered(stage, ann, seen);
  t.match(lastRequest(stage), /You keep the window\./);

  t.equal(model.requests.length, 3, 'nobody else was answered');
  t.same(model.violations, [], 'the model was asked properly');
  const signs = [...ann.unexpected, ...bob.unexpected].filter(
    ({ from, type }) => from === `${hidden}/${BOT_NICK}` && type === 'groupchat',
  );
  t.same(signs, [], 'where nobody is let in there is no sign of it');
  t.equal(await bot.stop(), 0);
}
