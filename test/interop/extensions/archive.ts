import { randomUUID } from 'node:crypto';

import t from 'tap';

import { muc } from '../../../src/xeps/xep-0045-muc/index.js';
import { ping } from '../../../src/xeps/xep-0199-ping.js';
import { carbons, writePrivate } from '../../../src/xeps/xep-0280-message-carbons.js';
import {
  type ArchivedMessage,
  ArchiveError,
  ArchiveIdGoneError,
  messageArchive,
} from '../../../src/xeps/xep-0313-message-archive/index.js';
import { archivePreferences } from '../../../src/xeps/xep-0441-archive-preferences.js';
import { type Client, createClient } from '../../../src/xmpp-core/client.js';
import { Jid } from '../../../src/xmpp-core/jid/jid.js';
import { newId } from '../../../src/xmpp-core/stanza/ids.js';
import { writeMessage } from '../../../src/xmpp-core/stanza/stanzas.js';
import { memoryStorage } from '../../../src/xmpp-core/storage.js';
import type { Server } from '../servers/server.js';
import { enter, wayIn } from './enter.js';

const plugins = [carbons, messageArchive, archivePreferences, muc, ping];
const PATIENCE = { timeoutMs: 20_000 };
/** More than three pages of two. */
const TEXTS = ['one', 'two', 'three', 'four', 'five', 'six', 'seven'];

/** What an account receives and sends, kept for its other clients and for later. */
export async function archiveExtensions(server: Server): Promise<void> {
  // [XEP-0280]
  await t.test('the clients of one account see what the others receive and send, unless it is private', async (t) => {
    const [desk, bob] = await Promise.all([enter(t, server, { plugins }), enter(t, server)]);
    const phone = await enter(t, server, { plugins, jid: desk.account });
    await phone.get(carbons).enable();
    t.ok(phone.get(carbons).enabled);
    const directly: string[] = [];
    phone.events.on('message', ({ body }) => directly.push(body ?? ''));

    const received = phone.get(carbons).events.once('received', PATIENCE);
    const asked = desk.events.once('message', PATIENCE);
    bob.send(writeMessage({ to: fullJid(desk), type: 'chat', body: 'a question to the desk' }));
    t.match(await received, { body: 'a question to the desk', from: fullJid(bob), to: fullJid(desk) });
    t.equal((await asked).body, 'a question to the desk');

    const sent = phone.get(carbons).events.once('sent', PATIENCE);
    desk.send(writeMessage({ to: fullJid(bob), type: 'chat', body: 'for us two', payloads: writePrivate() }));
    desk.send(writeMessage({ to: fullJid(bob), type: 'chat', body: 'an answer from the desk' }));
    t.match(await sent, { body: 'an answer from the desk', from: fullJid(desk), to: fullJid(bob) });
    t.strictSame(directly, [], 'a copy is no message to us');

    await phone.get(carbons).disable();
    t.notOk(phone.get(carbons).enabled);
  });

  // [XEP-0313 §4.1] [XEP-0313 §4.3]
  await t.test('an archive is read page by page in both directions, and from wherever one is', async (t) => {
    const [ann, bob] = await Promise.all([enter(t, server, { plugins }), enter(t, server)]);
    await say(bob, ann, TEXTS);
    const archive = ann.get(messageArchive);
    const paged = { with: bob.account, pageSize: 2 };

    const all = await collected(archive.messages(paged));
    t.strictSame(bodies(all), TEXTS);
    t.strictSame(bodies(await collected(archive.messages({ ...paged, order: 'newest-first' }))), TEXTS.toReversed());
    t.strictSame(bodies(await collected(archive.messages({ ...paged, order: 'newest-first', limit: 3 }))), [
      'seven',
      'six',
      'five',
    ]);
    t.equal(new Set(all.map(({ id }) => id)).size, TEXTS.length);
    t.ok(all.every(({ at, stable }) => at !== undefined && stable));

    const third = all[2];
    if (third === undefined) throw new Error('there were seven');
    t.strictSame(bodies(await collected(archive.messages({ ...paged, afterId: third.id }))), TEXTS.slice(3));
    t.strictSame(
      bodies(await collected(archive.messages({ ...paged, start: third.at ?? new Date() }))).at(-1),
      'seven',
    );
    t.strictSame(bodies(await collected(archive.messages({ ...paged, beforeId: third.id, order: 'newest-first' }))), [
      'two',
      'one',
    ]);
    t.strictSame(bodies(await collected(archive.messages({ with: Jid.parse('nobody@nowhere.test') }))), []);
  });

  // [XEP-0313 §4.1.3] [XEP-0313 §5]
  await t.test('an archive is asked for single messages, and for what it holds, if it can tell', async (t) => {
    const [ann, bob] = await Promise.all([enter(t, server, { plugins }), enter(t, server)]);
    await say(bob, ann, TEXTS);
    const archive = ann.get(messageArchive);
    const all = await collected(archive.messages());
    const [third, fifth] = [all[2], all[4]];
    if (third === undefined || fifth === undefined) throw new Error('there were seven');
    const bounded = { afterId: third.id, beforeId: fifth.id };
    if (server.name === 'ejabberd') {
      // Version 24.12 does not announce `urn:xmpp:mam:2#extended`.
      await t.rejects(collected(archive.messages(bounded)), ArchiveError);
      await t.rejects(archive.metadata(), ArchiveError);
      return;
    }
    t.strictSame(bodies(await collected(archive.messages(bounded))), ['four']);
    t.strictSame(bodies(await collected(archive.messages({ ids: [third.id] }))), ['three']);
    const { start, end } = await archive.metadata();
    t.strictSame([start?.id, end?.id], [all[0]?.id, all.at(-1)?.id]);
  });

  // [XEP-0313 §4.3.2]
  await t.test('an id that the archive does not have is told as such', async (t) => {
    const [ann, bob] = await Promise.all([enter(t, server, { plugins }), enter(t, server)]);
    await say(bob, ann, ['here I am']);
    const archive = ann.get(messageArchive);
    await t.rejects(collected(archive.since(randomUUID())), ArchiveIdGoneError);
    t.strictSame(bodies(await collected(archive.since(new Date(Date.now() - 60_000)))), []);
  });

  // [XEP-0313 §3.3.1] [XEP-0359]
  await t.test(
    'what was said while we were offline comes once, live or by catching up, and nothing else',
    async (t) => {
      const storage = memoryStorage();
      const bob = await enter(t, server, { plugins: [ping] });
      const before = await enter(t, server, { plugins, storage });
      await say(bob, before, ['long ago']);
      t.strictSame(bodies(await collected(before.get(messageArchive).catchUp())), [], 'what was before is not missed');
      await say(bob, before, ['lately']);
      await before.stop();
      for (const body of TEXTS) bob.send(writeMessage({ to: before.account, type: 'chat', body }));
      // An answer to this says that all of them were dealt with.
      await bob.get(ping).ping(Jid.parse(server.domain));

      const after = createClient({ ...(await wayIn(server, before.account)), plugins, storage });
      t.teardown(async () => after.stop());
      const came: (string | undefined)[] = [];
      after.events.on('message', ({ body }) => came.push(body));
      await after.start();
      for await (const { message } of after.get(messageArchive).catchUp({ pageSize: 2 })) came.push(message.body);
      await after.get(ping).ping(Jid.parse(server.domain));
      t.strictSame(new Set(came), new Set(TEXTS));
      t.equal(came.length, TEXTS.length);
      t.strictSame(bodies(await collected(after.get(messageArchive).catchUp())), []);
    },
  );

  // [XEP-0313 §3.3.2]
  await t.test('a room has an archive of its own, in which everything was said in that room', async (t) => {
    const ann = await enter(t, server, { plugins });
    const bob = await enter(t, server, { plugins });
    const jid = Jid.parse(server.room(`archive-${randomUUID()}`));
    const room = await ann.get(muc).join(jid, { nick: 'ann' });
    const heard = TEXTS.map((text) =>
      ann.get(muc).events.once('message', { ...PATIENCE, where: ({ message }) => message.body === text }),
    );
    for (const text of TEXTS) room.sendMessage(text);
    const said = await Promise.all(heard);
    const query = { archive: jid, pageSize: 2 };
    const all = (await collected(ann.get(messageArchive).messages(query))).filter(({ message }) => message.body);
    t.strictSame(bodies(all), TEXTS);
    t.ok(all.every(({ message }) => message.from.equals(jid.withResource('ann'))));
    t.strictSame(
      all.map(({ id }) => id),
      said.map(({ stanzaId }) => stanzaId),
    );
    await bob.get(muc).join(jid, { nick: 'bob', history: { maxStanzas: 0 } });
    const backward = bob.get(messageArchive).messages({ ...query, order: 'newest-first', limit: TEXTS.length });
    t.strictSame(bodies(await collected(backward)), TEXTS.toReversed());
  });

  // [XEP-0441 §2.1]
  await t.test('an account can say what is to be kept, where the server lets it', async (t) => {
    const [ann, bob] = await Promise.all([enter(t, server, { plugins }), enter(t, server)]);
    const preferences = ann.get(archivePreferences);
    t.equal((await preferences.get()).default, 'always');
    const wish = { default: 'always', always: [], never: [bob.account] } as const;
    t.match(await preferences.set(wish), { never: [bob.account] });
    await say(bob, ann, ['off the record']);
    t.strictSame(bodies(await collected(ann.get(messageArchive).messages())), []);
  });
}

function fullJid(client: Client): Jid {
  if (client.jid === undefined) throw new Error(`${client.account.toString()} is offline`);
  return client.jid;
}

/** One after the other, each once the one before has come: so that there is an order. */
async function say(from: Client, to: Client, texts: readonly string[]): Promise<void> {
  for (const body of texts) {
    const id = newId();
    const heard = to.events.once('message', { ...PATIENCE, where: (message) => message.id === id });
    from.send(writeMessage({ to: to.account, type: 'chat', body, id }));
    await heard;
  }
}

async function collected(messages: AsyncIterable<ArchivedMessage>): Promise<ArchivedMessage[]> {
  const all: ArchivedMessage[] = [];
  for await (const message of messages) all.push(message);
  return all;
}

function bodies(messages: readonly ArchivedMessage[]): (string | undefined)[] {
  return messages.map(({ message }) => message.body);
}
