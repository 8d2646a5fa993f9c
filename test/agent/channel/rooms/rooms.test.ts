/** The bot in rooms: the built program, over XMPP, with a scripted model. */
import t from 'tap';
import { submitForm, writeDataForm } from '../../../../src/xeps/xep-0004-data-forms.js';
import { muc } from '../../../../src/xeps/xep-0045-muc/index.js';
import { el } from '../../../../src/xmpp-core/xml/element.js';
import { promptOf, pausedAnswer, Stage } from '../../../support/bot.js';
import { textAnswer } from '../../../support/openai-server.js';

// Starting programs is slow on a busy machine.
t.setTimeout(180_000);

t.test('rooms', async (t) => {
  const stage = await Stage.set(t);
  const { model } = stage;
  const room = (name: string): string => stage.room(name).toString();
  const rooms = {
    [room('quiet')]: { require_mention: false, system_prompt: 'You are a monk.' },
    [room('secret')]: { users: ['alice@localhost'] },
    [room('special')]: { model: 'other' },
    [room('off')]: { enabled: false },
  };
  const alice = await stage.person('alice');
  const bob = await stage.person('bob');
  const moltis = await stage.person('fan');
  // Before the bot is there: a talk that it will find, and somebody with its name.
  const old = await alice.enter(stage.room('old'));
  await alice.sendIn(old, 'moltis: are you there?');
  await moltis.client.get(muc).join(stage.room('taken'), { nick: 'moltis' });
  const names = ['team', 'old', 'taken', 'quiet', 'secret', 'special'];
  const bot = await stage.run({ rooms: [...names, 'off'].map(room), muc_rooms: rooms });
  for (const name of names) {
    await bot.expect('joined', { room: room(name), nick: name === 'taken' ? 'moltis-2' : 'moltis' });
  }

  // [promise-rooms-context] [promise-mention-mode] [promise-answer-reply]
  t.test('answers a mention with a reply, with earlier messages of others as context', async (t) => {
    const [hers, his] = [await alice.enter(stage.room('team')), await bob.enter(stage.room('team'))];
    const before = model.requests.length;
    await alice.sendIn(hers, 'the code is 42, robots');
    model.next(textAnswer('It is 42.'));
    const question = await bob.sendIn(his, 'moltis: what is the code?');
    const answer = await bob.receives('It is 42.');
    t.match(answer, { type: 'groupchat', from: `${room('team')}/moltis`, replyTo: question.stanzaId, state: 'active' });
    t.type(question.stanzaId, 'string');
    t.equal(model.requests.length, before + 1, 'a message that does not address the bot is not answered');
    const said = promptOf(model).at(-1)?.[1] ?? '';
    t.match(said, /alice.*the code is 42, robots\n.*bob.*what is the code\?/);
    t.notMatch(said, 'moltis:', 'the address is taken off');
  });

  // [pitfall-muc-history]
  t.test('uses the history of a room as context and does not answer it', async (t) => {
    const before = model.requests.length;
    model.next(textAnswer('Now I am.'));
    await alice.sendIn(old, '@moltis and now?');
    await alice.receives('Now I am.');
    t.equal(model.requests.length, before + 1);
    t.match(promptOf(model).at(-1)?.[1], /alice.*moltis: are you there\?\n.*and now\?/);
  });

  // [promise-mention-taken] [pitfall-nick-conflict]
  // [promise-rooms-nick]
  t.test('takes the next nick when its own is taken, and answers to that', async (t) => {
    const taken = await bob.enter(stage.room('taken'));
    const before = model.requests.length;
    await bob.sendIn(taken, 'moltis: is this you?');
    model.next(textAnswer('It is me.'));
    await bob.sendIn(taken, 'moltis-2: or is it you?');
    t.match(await bob.receives('It is me.'), { from: `${room('taken')}/moltis-2` });
    t.equal(model.requests.length, before + 1);
  });

  // [promise-mention-mode] [promise-rooms-self] [pitfall-own-messages] [pitfall-nick-conflict]
  t.test('answers every message where no mention is required, but never its own', async (t) => {
    const quiet = await alice.enter(stage.room('quiet'));
    const before = model.requests.length;
    model.next(textAnswer('moltis: moltis, moltis!'), textAnswer('Peace.'));
    await alice.sendIn(quiet, 'ohm');
    await alice.receives('moltis: moltis, moltis!');
    await alice.sendIn(quiet, 'silence');
    await alice.receives('Peace.');
    t.equal(model.requests.length, before + 2);
    t.match(promptOf(model)[0], ['system', /^You are a monk\./], 'with the prompt of the room');
  });

  // [pitfall-nickname-as-identity] [promise-room-users]
  t.test('answers only the users of a room, by their real JID', async (t) => {
    const [hers, his] = [await alice.enter(stage.room('secret')), await bob.enter(stage.room('secret'))];
    const before = model.requests.length;
    await bob.sendIn(his, 'moltis: tell me');
    await bot.expect('denied', { from: 'bob@localhost', why: "not in the room's users list" });
    model.next(textAnswer('To you I tell.'));
    await alice.sendIn(hers, 'moltis: tell me');
    await alice.receives('To you I tell.');
    t.equal(model.requests.length, before + 1);
  });

  // [promise-model-choice]
  t.test('a room can have its own model', async (t) => {
    const special = await alice.enter(stage.room('special'));
    model.next(textAnswer('I am special.'));
    await alice.sendIn(special, 'moltis: who are you?');
    await alice.receives('I am special.');
    t.equal(model.requests.at(-1)?.body?.model, 'other');
  });

  t.test('a room that is not enabled is not joined', async (t) => {
    t.match(await bot.expect('denied', { from: room('off') }), { why: 'the room is not enabled' });
    t.same(
      bot.logged('joined').filter((event) => event['room'] === room('off')),
      [],
    );
  });

  // [promise-rooms-private]
  t.test('answers private messages of occupants in private', async (t) => {
    await alice.enter(stage.room('team')).catch(() => undefined);
    model.next(textAnswer('Just between us.'));
    alice.send('psst', { to: stage.room('team').withResource('moltis') });
    t.match(await alice.receives('Just between us.'), { type: 'chat', from: `${room('team')}/moltis` });
    t.notOk(bob.texts.includes('Just between us.'));
  });

  // [promise-rooms-private] [XEP-0421 §3.2]
  t.test('answers the creator of a room in private although the service uses two occupant ids for them', async (t) => {
    // As ejabberd 24.12 does it: one in the presence that made the room, another with their words and their next presence.
    const inject = (name: string, content: string, id: string): void =>
      stage.server.inject(
        stage.jid().withResource('moltis'),
        `<${name} from="${room('team')}/alice">${content}<occupant-id xmlns="urn:xmpp:occupant-id:0" id="${id}"/></${name}>`,
      );
    const user = `<x xmlns="http://jabber.org/protocol/muc#user"><item affiliation="none" role="participant"/></x>`;
    inject('presence', user, 'of-the-presence');
    const { script, release } = pausedAnswer('', 'Still between us.');
    const before = model.requests.length;
    model.next(script);
    inject('message', '<body>psst, again</body>', 'of-her-words');
    await model.request(before);
    inject('presence', `<show>away</show>${user}`, 'of-her-words');
    release();
    t.match(await alice.receives('Still between us.'), { type: 'chat', from: `${room('team')}/moltis` });
  });

  // [pitfall-nickname-as-identity]
  t.test('a nick that looks like a JID gives no access to that person’s private conversation', async (t) => {
    const eve = await stage.person('eve');
    await eve.client.get(muc).join(stage.room('team'), { nick: 'alice@localhost' });
    model.next(textAnswer('We have not met.'));
    // As from a room that gives no occupant ids; the forged delay hides who has the nick now.
    stage.server.inject(
      stage.jid().withResource('moltis'),
      `<message from="${room('team')}/alice@localhost" type="chat" id="forged"><body>what did I say?</body>` +
        `<delay xmlns="urn:xmpp:delay" stamp="${new Date().toISOString()}"/></message>`,
    );
    await eve.receives('We have not met.');
    t.same(
      promptOf(model).map(([role]) => role),
      ['system', 'user'],
    );
    t.equal(promptOf(model).at(-1)?.[1], 'what did I say?');
  });

  // [promise-rooms-collect]
  t.test('answers the questions that arrive during a turn together', async (t) => {
    const quiet = alice.client.get(muc).rooms.get(room('quiet'));
    if (quiet === undefined) throw new Error('not in the room');
    const { script, release } = pausedAnswer('', 'One.');
    const before = model.requests.length;
    model.next(script, textAnswer('Two and three.'));
    await alice.sendIn(quiet, 'one');
    await model.request(before);
    await alice.sendIn(quiet, 'two');
    const last = await alice.sendIn(quiet, 'three');
    // What the room has said to alice the bot has yet to hear; its word on that comes after it.
    await alice.sendIn(quiet, '/status');
    await alice.receives(/2 waiting/);
    release();
    t.match(await alice.receives('Two and three.'), { replyTo: last.stanzaId });
    t.equal(model.requests.length, before + 2);
    t.match(promptOf(model).at(-1)?.[1], /two\n.*three$/);
  });

  t.test('commands need a mention where questions do', async (t) => {
    const team = alice.client.get(muc).rooms.get(room('team'));
    if (team === undefined) throw new Error('not in the room');
    const statuses = (): number => alice.texts.filter((text) => text.startsWith('Account:')).length;
    const before = statuses();
    await alice.sendIn(team, '/status');
    await alice.sendIn(team, 'moltis: /status');
    t.match(await alice.receives(/^Account: moltis@localhost/), { replyTo: String });
    t.equal(statuses(), before + 1);
  });

  t.test('no errors were logged', async (t) => {
    t.same(model.violations, []);
    t.same(
      bot.log.filter(({ event }) => event === 'error'),
      [],
    );
  });
});

// [promise-rooms-locked]
t.test('joins a room that is being created as soon as it is open', async (t) => {
  const stage = await Stage.set(t);
  const { client } = await stage.person('alice');
  const room = stage.room('new');
  const seen = new Promise<void>((resolve) => {
    stage.server.misbehave({
      answer: (element) => {
        if (element.name === 'presence' && element.attr('to') === `${room.toString()}/moltis`) resolve();
        return undefined;
      },
    });
  });
  const entering = el('x', 'http://jabber.org/protocol/muc');
  client.send(el('presence', 'jabber:client', { to: `${room.toString()}/alice` }, entering));
  await client.iq({ type: 'get', to: room, payload: el('query', 'http://jabber.org/protocol/muc#owner') });
  const bot = await stage.run({ rooms: [room.toString()] });
  await seen;
  const configuration = submitForm('http://jabber.org/protocol/muc#roomconfig', {});
  const query = el('query', 'http://jabber.org/protocol/muc#owner', {}, writeDataForm(configuration));
  await client.iq({ type: 'set', to: room, payload: query });
  await bot.expect('joined', { room: room.toString() });
  t.same(bot.logged('error'), []);
  t.equal(await bot.stop(), 0);
});
