import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';

import t from 'tap';

import { chatPlugins } from '../../../src/xeps/chat-plugins.js';
import { referenceId } from '../../../src/xeps/message-identity.js';
import { muc, type RoomMessage } from '../../../src/xeps/xep-0045-muc/index.js';
import { deliveryReceipts } from '../../../src/xeps/xep-0184-message-delivery-receipts.js';
import { canVerify, digestBase64, verify } from '../../../src/xeps/xep-0300-cryptographic-hashes.js';
import { correctMessage, mayCorrect } from '../../../src/xeps/xep-0308-message-correction.js';
import { displayedMarkers } from '../../../src/xeps/xep-0333-displayed-markers.js';
import { httpUpload } from '../../../src/xeps/xep-0363-http-file-upload.js';
import { mayRetract, messageRetraction, readRetraction } from '../../../src/xeps/xep-0424-message-retraction.js';
import { messageReactions, ReactionTally, readReactions } from '../../../src/xeps/xep-0444-message-reactions.js';
import { readSharedFiles, usableUrls, writeFileMessage } from '../../../src/xeps/xep-0447-stateless-file-sharing.js';
import { readReply, readReplyBody, writeQuotedReply } from '../../../src/xeps/xep-0461-message-replies.js';
import type { Client } from '../../../src/xmpp-core/client.js';
import { Jid } from '../../../src/xmpp-core/jid/jid.js';
import { newId } from '../../../src/xmpp-core/stanza/ids.js';
import { type Message, writeMessage } from '../../../src/xmpp-core/stanza/stanzas.js';
import { httpRequest } from '../../../src/xmpp-core/transport/http.js';
import { Human } from '../human.js';
import type { Server } from '../servers/server.js';
import { enter } from './enter.js';

const plugins = chatPlugins;
const PATIENCE = { timeoutMs: 20_000 };

/** What people say, and what they say of it later. */
export async function messageExtensions(server: Server): Promise<void> {
  // [XEP-0184] [XEP-0333] [XEP-0308] [XEP-0424] [XEP-0444] [XEP-0461]
  await t.test('one client follows what another says of a message: from its receipt to its retraction', async (t) => {
    const [ann, bob] = await Promise.all([enter(t, server, { plugins }), enter(t, server, { plugins })]);
    bob.get(deliveryReceipts).allow((sender) => sender.bare.equals(ann.account));
    bob.get(displayedMarkers).allow(() => true);
    const to = fullJid(bob);
    const receipt = ann.get(deliveryReceipts).events.once('received', PATIENCE);
    const marker = ann.get(displayedMarkers).events.once('displayed', PATIENCE);
    const original = writeMessage({ to, type: 'chat', body: 'airlock', id: newId() });
    const first = await hear(bob, () =>
      ann.send(ann.get(displayedMarkers).request(ann.get(deliveryReceipts).request(original))),
    );
    t.equal((await receipt).id, first.id);
    t.ok(bob.get(displayedMarkers).mark(first));
    t.equal((await marker).id, first.id);

    const second = await hear(bob, () => ann.send(correctMessage(original, 'window')));
    t.equal(second.body, 'window');
    t.ok(mayCorrect(first, second));

    const id = referenceId(first) ?? '';
    const tally = new ReactionTally(bob.account);
    const seen = await hear(bob, () => ann.get(messageReactions).react(to, 'chat', id, ['👍', '🐢']));
    t.ok(tally.add(seen));
    t.strictSame(
      tally.of(ann.account, id).map(({ emoji }) => [...emoji]),
      [['👍', '🐢']],
    );

    const quoted = writeQuotedReply({ id, to: fullJid(ann) }, { author: 'Ann', text: 'window 🪟' }, 'ah!');
    const reply = await hear(ann, () => bob.send(writeMessage({ to: fullJid(ann), type: 'chat', ...quoted })));
    t.equal(readReply(reply.element)?.id, id);
    t.equal(readReplyBody(reply), 'ah!');

    const retraction = await hear(bob, () => ann.get(messageRetraction).retract(to, 'chat', id));
    t.ok(mayRetract(first, retraction));
  });

  // [XEP-0424] [XEP-0444] [XEP-0359]
  await t.test('in a room, what is said of a message counts by the ids that the room gives', async (t) => {
    const [ann, bob] = await Promise.all([enter(t, server, { plugins }), enter(t, server, { plugins })]);
    const jid = Jid.parse(server.room(`messages-${randomUUID()}`));
    const room = await ann.get(muc).join(jid, { nick: 'ann' });
    await bob.get(muc).join(jid, { nick: 'bob', history: { maxStanzas: 0 } });
    const first = await hearInRoom(bob, 'ann', () => room.sendMessage('DM me for free magic potions!'));
    t.type(first.stanzaId, 'string', 'the room names its messages');
    const id = referenceId(first) ?? '';
    const tally = new ReactionTally(bob.account);
    tally.add(await hearInRoom(bob, 'ann', () => ann.get(messageReactions).react(jid, 'groupchat', id, ['🧪'])));
    t.strictSame(
      tally.of(jid, id).map(({ emoji }) => [...emoji]),
      [['🧪']],
    );
    t.ok(
      mayRetract(first, await hearInRoom(bob, 'ann', () => ann.get(messageRetraction).retract(jid, 'groupchat', id))),
    );
    const forged = await hearInRoom(ann, 'bob', () => bob.get(messageRetraction).retract(jid, 'groupchat', id));
    t.equal(readRetraction(forged.message.element), id);
    t.notOk(mayRetract(first, forged), 'another occupant cannot take it back');
  });

  // [XEP-0184] [XEP-0333] [XEP-0308] [XEP-0424] [XEP-0444] [XEP-0461]
  await t.test('a client that somebody else wrote is understood, and understands', async (t) => {
    const ann = await enter(t, server, { plugins });
    const human = await person(server);
    t.teardown(async () => human.leave());
    ann.get(deliveryReceipts).allow(() => true);
    ann.get(displayedMarkers).allow(() => true);
    const me = fullJid(ann).toString();
    const from = Jid.parse(human.jid);

    const question = ann.events.once('message', PATIENCE);
    const asked = await human.ask(me, 'do you hear me?');
    const heard = await question;
    await human.expect('the receipt', ({ receiptFor }) => receiptFor === asked);
    t.ok(ann.get(displayedMarkers).mark(heard));
    await human.expect('the marker', ({ displayed }) => displayed === asked);
    const corrected = await hearFrom(ann, human.correct(me, asked, 'do you read me?'));
    t.ok(mayCorrect(heard, corrected));
    const retracted = await hearFrom(ann, human.retract(me, asked));
    t.ok(mayRetract(heard, retracted));

    const id = newId();
    const received = ann.get(deliveryReceipts).events.once('received', PATIENCE);
    const displayed = ann.get(displayedMarkers).events.once('displayed', PATIENCE);
    const said = writeMessage({ to: heard.from, type: 'chat', id, body: 'I do 🐢' });
    ann.send(ann.get(displayedMarkers).request(ann.get(deliveryReceipts).request(said)));
    t.equal((await received).id, id);
    await human.expect('what was said', (message) => message.id === id);
    const marked = human.mark(me, id);
    t.equal((await displayed).id, id);
    await marked;
    const reaction = await hearFrom(ann, human.react(me, id, ['🎉']));
    t.strictSame(readReactions(reaction.element), { id, emoji: new Set(['🎉']) });
    const reply = await hearFrom(ann, human.reply(me, { author: me, id, quoted: 'I do 🐢' }, 'good'));
    t.equal(readReplyBody(reply), 'good');
    t.equal(readReply(reply.element)?.id, id);
    ann.get(messageReactions).react(from, 'chat', asked, ['👋']);
    await human.expect('the reaction', ({ reactsTo, reactions }) => reactsTo === asked && reactions?.[0] === '👋');
  });

  // [XEP-0363] [XEP-0447] [XEP-0066]
  await t.test('a file goes up, is shared, and is fetched and checked by who is told of it', async (t) => {
    const [ann, bob] = await Promise.all([enter(t, server, { plugins }), enter(t, server, { plugins })]);
    const data = new Uint8Array(150_000).map((_, i) => i % 251);
    const progress: number[] = [];
    const file = { name: 'a file.bin', type: 'application/octet-stream', data };
    const url = await ann.get(httpUpload).upload({ ...file, onProgress: (sent) => progress.push(sent) });
    t.strictSame(progress, [65_536, 131_072, 150_000]);
    const hashes = new Map([['sha-256', (await digestBase64('sha-256', data)) ?? '']]);
    const shared = { file: { name: file.name, size: data.byteLength, hashes }, urls: [url] };
    const message = await hear(bob, () =>
      ann.send(writeMessage({ to: fullJid(bob), type: 'chat', ...writeFileMessage(shared) })),
    );
    const [found] = readSharedFiles(message.element);
    t.ok(found?.file.hashes !== undefined && canVerify(found.file.hashes));
    const [source = ''] = found === undefined ? [] : usableUrls(found);
    const ca = await readFile(server.authority, 'utf8');
    const { body } = await httpRequest({ method: 'GET', url: source, ca });
    t.ok(await verify(hashes, new Uint8Array(body)));

    const controller = new AbortController();
    const enough = new Error('enough');
    const givenUp = ann
      .get(httpUpload)
      .upload({ ...file, signal: controller.signal, onProgress: () => controller.abort(enough) });
    await t.rejects(givenUp, /enough/);

    const most = (await ann.get(httpUpload).service())?.maxFileSize ?? 0;
    t.ok(most > 0, 'it says how large a file may be');
    await t.rejects(ann.get(httpUpload).upload({ ...file, data: new Uint8Array(most + 1) }), {
      name: 'UploadError',
      maxFileSize: most,
    });
  });
}

async function person(server: Server): Promise<Human> {
  const password = 'a person has a password too';
  const jid = await server.register(`human-${randomUUID()}`, password);
  const human = new Human(server.authority);
  await human.connect({ jid, password, host: '127.0.0.1', port: server.site.ports.startTls, directTls: false });
  return human;
}

/** The next message that a client gets, which `say` causes. */
async function hear(client: Client, say: () => unknown): Promise<Message> {
  const heard = client.events.once('message', PATIENCE);
  say();
  return heard;
}

/** The same, of what a person does. */
async function hearFrom(client: Client, done: Promise<void>): Promise<Message> {
  const heard = client.events.once('message', PATIENCE);
  await done;
  return heard;
}

/** The next message of somebody that a client hears in a room. */
async function hearInRoom(client: Client, from: string, say: () => unknown): Promise<RoomMessage> {
  const heard = client.get(muc).events.once('message', { ...PATIENCE, where: ({ nick }) => nick === from });
  say();
  return heard;
}

function fullJid(client: Client): Jid {
  if (client.jid === undefined) throw new Error('the client is not online');
  return client.jid;
}
