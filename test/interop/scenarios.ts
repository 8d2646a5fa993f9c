import t, { type Test } from 'tap';

import { httpUpload } from '../../src/xeps/xep-0363-http-file-upload.js';
import { textAnswer } from '../support/openai-server.js';
import type { Bot } from './bot.js';
import { breakableWay } from './breakable-way.js';
import { FAULTS, faultyHost } from './certificates.js';
import { contactsComeAndGo } from './contacts.js';
import { copies, filesComeAndGo, strangersAreLetIn, talks } from './daily-life.js';
import { directMessageIsAnswered, keepsTalking, mentionIsAnswered, until } from './questions.js';
import { invitations, roomsOfTheirOwn } from './rooms.js';
import { Server, type ServerSoftware } from './servers/server.js';
import { killed, secondStart } from './sessions.js';
import { BOT_NICK, BOT_PASSWORD, Stage } from './stage.js';

/** A server that was killed is back within seconds; the bot may have backed off for longer. */
const RETURN_TIME = 60_000;

/** What people are promised, tried with the built bot against one server software. */
export async function scenarios(software: ServerSoftware): Promise<void> {
  const server = await Server.start(software);
  t.teardown(async () => server.stop());
  await server.register('bot', BOT_PASSWORD);

  const test = async (promise: string, play: (test: Test, stage: Stage) => Promise<void>): Promise<void> => {
    await t.test(promise, async (test) => play(test, await Stage.open(test, server)));
  };

  for (const directTls of [false, true]) {
    const way = directTls ? 'direct TLS' : 'StartTLS';

    // [promise-run-stop] [promise-account-server] [promise-account-direct-tls] [promise-account-ca]
    await test(`over ${way} the bot logs in, answers a direct message, and ends with 0 when asked to`, async (t, stage) => {
      const bot = await stage.bot({ direct_tls: directTls });
      const online = await bot.expect('online');
      t.match(online['jid'], new RegExp(`^bot@${server.domain}/`), 'it says who it is');

      const human = await stage.human();
      await directMessageIsAnswered(stage, human);
      await bot.expect('turn');
      t.same(stage.model.violations, [], 'the model was asked properly');
      t.equal(await bot.stop(), 0);
    });

    for (const fault of FAULTS) {
      // [RFC6120-13.7.2-a,b,d] [RFC6120-13.7.2.1-a] [pitfall-certificate-name] [pitfall-auth-other-name]
      // [pitfall-auth-expired] [pitfall-auth-self-signed]
      await test(`over ${way} a certificate that is ${FAULT_IN_WORDS[fault]} is refused, and the bot ends with 78`, async (t, stage) => {
        const bot = await stage.bot({ jid: `bot@${faultyHost(fault)}`, direct_tls: directTls });
        await givesUp(t, bot, 'tls');
      });
    }
  }

  // [promise-account-websocket]
  await test('over a WebSocket the bot logs in, answers a direct message and in a room, and ends with 0', async (t, stage) => {
    const room = server.room('webby');
    const human = await stage.human();
    await human.join(room, 'alice');
    const bot = await stage.bot({ websocket: server.webSocket, rooms: [room] });
    await bot.expect('joined', { room });
    await directMessageIsAnswered(stage, human);
    await mentionIsAnswered(stage, human, room);
    t.equal(await bot.stop(), 0);
  });

  await test('over a WebSocket an authority that nobody named is refused, and the bot ends with 78', async (t, stage) => {
    const bot = await stage.bot({
      websocket: server.webSocket,
      ca_file: server.site.certificates.faulty['self-signed'].certificate,
    });
    await givesUp(t, bot, 'tls');
  });

  // [promise-log-give-up] [promise-log-private]
  await test('a wrong password is reported, and the bot ends with 78', async (t, stage) => {
    const bot = await stage.bot({ password: 'wrong-horse-battery-staple' });
    await givesUp(t, bot, 'auth');
    t.notMatch(bot.log, /horse-battery/, 'no password is in the log');
  });

  // [promise-answer-grows]
  await test('an answer that takes a while is shown while it grows, by corrections of one message', async (t, stage) => {
    const bot = await stage.bot();
    await bot.expect('online');
    const human = await stage.human();
    const answer = keepsTalking();
    stage.model.next(answer.script);
    await human.say(`bot@${server.domain}`, 'Tell me everything.');
    const beginning = await human.expect(
      'the beginning',
      ({ body, replaces }) => body?.startsWith('and ') === true && replaces === null,
    );
    answer.enough();
    const whole = await human.expect('the whole answer', ({ body }) => body?.endsWith('so on.') === true);
    t.equal(whole.replaces, beginning.id, 'XEP-0308 §4: a correction names the first version');
  });

  // [promise-conversation-waited]
  await test('a direct message that waited while the bot was away is answered', async (_t, stage) => {
    const human = await stage.human();
    stage.model.next(textAnswer('Here I am.'));
    await human.say(`bot@${server.domain}`, 'Are you there?');
    // The answer to a ping comes after the server has dealt with what was sent before it.
    await human.ping(server.domain);
    await stage.bot();
    await human.expect('answer to what waited', (message) => message.body === 'Here I am.');
  });

  // [promise-mention-mode] [promise-rooms-context] [promise-answer-reply] [promise-run-stop]
  await test('in a room the bot answers who mentions it, with a reply, and nobody else', async (t, stage) => {
    const room = server.room('team');
    const human = await stage.human();
    await human.join(room, 'alice');
    const bot = await stage.bot({ rooms: [room] });
    await bot.expect('joined', { room, nick: BOT_NICK });

    await human.sayInRoom(room, 'The build is green again.');
    const { question, answer } = await mentionIsAnswered(stage, human, room);
    t.equal(answer.replyTo, question, 'a reply to the stanza id that the room gave the question (XEP-0461 §3.1)');
    // What is said in one conversation is answered in order: an answer to the first line would have come by now.
    const more = human.unexpected.filter(({ from, body }) => from === answer.from && body !== null);
    t.same(more, [], 'nothing else was said');
    t.equal(stage.model.requests.length, 1, 'the model was asked once');
    t.match(JSON.stringify(stage.model.requests[0]?.body), /The build is green again/, 'and knew what was said before');
    t.same(stage.model.violations, [], 'the model was asked properly');

    await bot.stop();
    await human.expectPresence(
      'the bot leaving the room',
      ({ from, type }) => from === `${room}/${BOT_NICK}` && type === 'unavailable',
    );
  });

  // [promise-presence-identity] [promise-presence-picture] [promise-subscriptions]
  await test('another client can ping the bot, read what it is and supports, and see when it is there and its picture', async (t, stage) => {
    const bot = await stage.bot();
    const jid = String((await bot.expect('online'))['jid']);
    const human = await stage.human();
    await human.ping(jid);
    const { identities, features } = await human.info(jid);
    t.ok(identities.includes('client/bot'), 'it is a bot');
    for (const feature of ['http://jabber.org/protocol/disco#info', 'urn:xmpp:ping']) {
      t.ok(features.includes(feature), feature);
    }
    await human.presence(`bot@${server.domain}`, 'subscribe');
    await human.expectPresence('the approval', ({ type }) => type === 'subscribed');
    await human.expectPresence('the presence of the bot', ({ from, type }) => from === jid && type === 'available');
    await until(
      'a picture in the vCard',
      async () => human.pictureType(`bot@${server.domain}`),
      (type) => type === 'image/png',
    );
  });

  await test(
    'contacts see each other by consent, and a roster that did not change is not sent again',
    contactsComeAndGo,
  );

  await test('a file is uploaded to the server, and another client fetches it unchanged', async (t, stage) => {
    const client = await stage.desk(`bot@${server.domain}`, { plugins: [httpUpload] });
    const data = Buffer.from(Array.from({ length: 100_000 }, (_, index) => index % 251));
    const url = await client.get(httpUpload).upload({ name: 'größe 1.bin', type: 'application/octet-stream', data });

    const human = await stage.human();
    const fetched = await human.fetch(url);
    t.ok(fetched.data.equals(data), 'every byte is there');
  });

  // [promise-account-back] [promise-conversation-once]
  await test('a session whose connection broke is resumed: in its room still, with what was said meanwhile, answered once', async (t, stage) => {
    const room = server.room('steady');
    const human = await stage.human();
    await human.join(room, 'alice');
    const way = await breakableWay(t, server.site.ports.startTls);
    const bot = await stage.bot({ server: `127.0.0.1:${way.port}`, rooms: [room] });
    await bot.expect('joined', { room });

    stage.model.next(textAnswer('Nothing was lost.'));
    way.cut();
    await bot.expect('suspended');
    await human.say(`bot@${server.domain}`, 'Did you get this?');
    // The answer to a ping comes after the server has dealt with what was sent before it.
    await human.ping(server.domain);
    way.mend();
    await bot.expect('online', { resumed: true }, RETURN_TIME);
    await human.expect('the answer', ({ body }) => body === 'Nothing was lost.');
    await mentionIsAnswered(stage, human, room);
    t.equal(stage.model.requests.length, 2, 'each was asked once');
    t.equal(bot.log.split('"event":"joined"').length, 2, 'and the room was joined once');
    t.equal(await bot.stop(), 0);
  });

  // [promise-account-back] [promise-account-resource] [promise-conversation-waited] [promise-conversation-once] [promise-data-places]
  // [promise-log-private]
  await test(
    'at its second start the bot needs no password, takes a session up again, and answers once what waited',
    secondStart,
  );

  // [promise-conversation-crash] [promise-conversation-once]
  await test('a bot that was killed in the middle of an answer answers after its next start, once', killed);

  // [promise-rooms-invited] [promise-rooms-history]
  await test(
    'rooms that an operator invites the bot into are bookmarked, joined again after a restart, and forgotten',
    invitations,
  );

  // [promise-rooms-config] [promise-rooms-nick] [promise-room-users] [promise-denied-silence] [promise-rooms-private] [promise-answer-reactions]
  await test(
    'each room has its own password, prompt and users; where it hides who somebody is, nobody is let in by name',
    roomsOfTheirOwn,
  );

  // [promise-receipts] [promise-answer-state] [promise-conversation-reactions] [promise-conversation-correction]
  // [promise-conversation-retraction] [promise-command-status] [promise-command-buttons] [promise-command-operators]
  await test('a person’s client shows that the bot types, what it has read, and its commands as buttons', talks);

  // [promise-conversation-clients] [promise-conversation-once]
  await test(
    'what is said to the account is for the bot, and what is said to or by another client of it is not',
    copies,
  );

  // [promise-media-fetch] [promise-media-hosts] [promise-media-text] [promise-media-image] [promise-media-caption] [promise-answer-file]
  await test(
    'files that are uploaded to the server are read, and one that the model writes is sent back',
    filesComeAndGo,
  );

  // [promise-stranger] [promise-command-approve] [promise-subscriptions] [promise-subscriptions-taken-back] [promise-run-reload]
  await test(
    'rules are closed by a reload, an operator lets somebody in again, and the next reload keeps to that',
    strangersAreLetIn,
  );

  // [promise-account-back] [promise-rooms-join]
  await test('after the server was shut down, or killed, the bot comes back, rejoins its room, and answers', async (_t, stage) => {
    const room = server.room('lasting');
    const founder = await stage.human();
    await founder.join(room, 'alice');
    const bot = await stage.bot({ rooms: [room] });
    await bot.expect('online');
    await bot.expect('joined', { room });

    // ejabberd takes long to be back, for which once is enough.
    const ends = server.name === 'ejabberd' ? (['kill'] as const) : (['shutDown', 'kill'] as const);
    for (const end of ends) {
      await server[end]();
      await server.start();
      await bot.expect('online', { resumed: false }, RETURN_TIME);
      await bot.expect('joined', { room }, RETURN_TIME);
      const human = await stage.human();
      await human.join(room, `bob-${stage.model.requests.length}`);
      await directMessageIsAnswered(stage, human);
      await mentionIsAnswered(stage, human, room);
    }
  });
}

const FAULT_IN_WORDS = {
  'wrong-name': 'for another name',
  expired: 'expired',
  'self-signed': 'self-signed',
} as const;

async function givesUp(test: Test, bot: Bot, kind: 'tls' | 'auth'): Promise<void> {
  await bot.expect('error', { level: 'error', kind });
  test.equal(await bot.end(), 78, 'no other start would help');
}
