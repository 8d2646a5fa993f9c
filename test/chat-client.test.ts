/** The client that `moltis-xmpp` makes: the preset, and its short ways to send. */
import { randomBytes } from 'node:crypto';
import t, { type Test } from 'tap';
import { createClient, type ChatClient } from '../src/chat-client.js';
import { readOutOfBandData } from '../src/xeps/xep-0066-out-of-band-data.js';
import { muc, type RoomMessage } from '../src/xeps/xep-0045-muc/index.js';
import { NS_MUC_USER } from '../src/xeps/xep-0045-muc/muc-user.js';
import { softwareVersion } from '../src/xeps/xep-0092-software-version.js';
import { readSharedFiles } from '../src/xeps/xep-0447-stateless-file-sharing.js';
import { readReply } from '../src/xeps/xep-0461-message-replies.js';
import { digestBase64 } from '../src/xeps/xep-0300-cryptographic-hashes.js';
import type { ClientOptions } from '../src/xmpp-core/client.js';
import { roster } from '../src/xmpp-core/im/roster.js';
import { subscriptions } from '../src/xmpp-core/im/subscriptions.js';
import { definePlugin } from '../src/xmpp-core/plugin.js';
import { writeMessage, type Message } from '../src/xmpp-core/stanza/stanzas.js';
import { httpRequest } from '../src/xmpp-core/transport/http.js';
import { el } from '../src/xmpp-core/xml/element.js';
import { PASSWORD, PATIENCE_MS, startLoopback, type Loopback } from './support/loopback.js';

const ROOM = 'tea@rooms.localhost';

/** A chat client that is online; it is stopped with the test. */
async function enter(
  t: Test,
  { server }: Loopback,
  username: string,
  options: Partial<ClientOptions> = {},
): Promise<ChatClient> {
  const jid = server.addAccount(username, PASSWORD).toString();
  const client = createClient({ jid, password: PASSWORD, ...server.clientOptions, ...options });
  t.teardown(async () => client.stop());
  await client.start();
  return client;
}

const nextMessage = (client: ChatClient): Promise<Message> =>
  client.events.once('message', { signal: AbortSignal.timeout(PATIENCE_MS) });

const nextInRoom = (client: ChatClient, event: 'message' | 'privateMessage' = 'message'): Promise<RoomMessage> =>
  client.get(muc).events.once(event, {
    signal: AbortSignal.timeout(PATIENCE_MS),
    where: ({ own, delayed }) => !own && delayed === undefined,
  });

t.test('a message is sent in one call, to an address as text, and what was sent comes back', async (t) => {
  const loopback = await startLoopback(t);
  const [ann, bob] = await Promise.all([enter(t, loopback, 'ann'), enter(t, loopback, 'bob')]);
  const arriving = nextMessage(bob);
  const sent = ann.sendMessage({ to: 'bob@localhost', body: 'Hello!' });
  t.match(sent, { type: 'chat', body: 'Hello!', thread: undefined });
  t.equal(sent.from.toString(), ann.jid?.toString());
  t.equal(sent.to.toString(), 'bob@localhost');
  t.match(await arriving, { id: sent.id, type: 'chat', body: 'Hello!' });

  const inGerman = nextMessage(bob);
  ann.sendMessage({ to: sent.to, type: 'normal', id: 'mine', body: [{ text: 'Hallo!', language: 'de' }], thread: 't' });
  t.match(await inGerman, { id: 'mine', type: 'normal', thread: 't', body: 'Hallo!' });
});

// [XEP-0461 §3]
t.test('a reply goes to the author, names the message and keeps its thread', async (t) => {
  const loopback = await startLoopback(t);
  const [ann, bob] = await Promise.all([enter(t, loopback, 'ann'), enter(t, loopback, 'bob')]);
  const question = nextMessage(bob);
  const { id } = ann.sendMessage({ to: 'bob@localhost', body: 'Tea?', thread: 'tea' });
  const answer = nextMessage(ann);
  const replied = bob.reply(await question, 'Yes.', [el('extra', 'urn:example')]);
  const received = await answer;
  t.match(received, { id: replied.id, type: 'chat', body: 'Yes.', thread: 'tea' });
  t.equal(replied.to.toString(), ann.jid?.toString());
  t.equal(readReply(received.element)?.id, id);
  t.equal(readReply(received.element)?.to?.toString(), ann.jid?.toString());
  t.ok(received.element.child('extra', 'urn:example'));
});

// [XEP-0045 §7.4] [XEP-0045 §7.5] [XEP-0461 §4.1]
t.test('in a room, messages and replies go to the room, and private ones to the occupant alone', async (t) => {
  const loopback = await startLoopback(t);
  const [ann, bob] = await Promise.all([enter(t, loopback, 'ann'), enter(t, loopback, 'bob')]);
  await ann.get(muc).join(ROOM, { nick: 'ann' });
  await bob.get(muc).join(ROOM, { nick: 'bob' });

  const question = nextInRoom(bob);
  t.equal(ann.sendMessage({ to: ROOM, body: 'Tea?' }).type, 'groupchat');
  const asked = await question;
  const answer = nextInRoom(ann);
  t.equal(bob.reply(asked, 'Yes.').to.toString(), ROOM);
  const answered = await answer;
  t.match(answered.message, { type: 'groupchat', body: 'Yes.' });
  t.ok(asked.stanzaId);
  t.equal(readReply(answered.message.element)?.id, asked.stanzaId);
  t.equal(readReply(answered.message.element)?.to?.toString(), `${ROOM}/ann`);

  const whispered = nextInRoom(bob, 'privateMessage');
  t.equal(ann.sendMessage({ to: `${ROOM}/bob`, body: 'Psst!' }).type, 'chat', 'an occupant is no room');
  const back = nextInRoom(ann, 'privateMessage');
  const replied = bob.reply(await whispered, 'Yes?');
  t.equal(replied.to.toString(), `${ROOM}/ann`);
  t.ok(replied.element.child('x', NS_MUC_USER), 'our own server learns that it is a private one');
  t.match((await back).message, { type: 'chat', body: 'Yes?' });
});

// [XEP-0363 §4] [XEP-0066 §3] [XEP-0447 §3.1]
t.test('a file is uploaded and shared in one message, for clients old and new', async (t) => {
  const loopback = await startLoopback(t);
  const [ann, bob] = await Promise.all([enter(t, loopback, 'ann'), enter(t, loopback, 'bob')]);
  const data = Uint8Array.from(randomBytes(200_000));
  const arriving = nextMessage(bob);
  const progress: number[] = [];
  const sent = await ann.sendFile(
    'bob@localhost',
    { name: 'Tea time.JPG', data },
    { onProgress: (bytes) => progress.push(bytes) },
  );
  const { body, id, element } = await arriving;
  t.equal(id, sent.id);
  t.equal(body, sent.body);
  t.strictSame(readOutOfBandData(element), [{ url: body }]);
  const sha256 = await digestBase64('sha-256', data);
  t.strictSame(readSharedFiles(element), [
    {
      disposition: 'inline',
      file: {
        name: 'Tea time.JPG',
        mediaType: 'image/jpeg',
        size: data.byteLength,
        hashes: new Map([['sha-256', sha256]]),
      },
      urls: [body],
    },
  ]);
  t.ok(progress.length > 1, 'progress is reported along the way');
  t.equal(progress.at(-1), data.byteLength);
  const { ca } = loopback.server.clientOptions;
  const got = await httpRequest({ method: 'GET', url: body ?? '', ca });
  t.equal(Buffer.compare(got.body, data), 0);
  t.equal(got.headers['content-type'], 'image/jpeg');

  const other = nextMessage(bob);
  await ann.sendFile('bob@localhost', { name: 'notes', data: Buffer.from('x'), type: 'text/x-notes' });
  const [file] = readSharedFiles((await other).element);
  t.match(file, { disposition: 'attachment', file: { mediaType: 'text/x-notes' } });
});

t.test('an upload that is aborted, even at its very end, sends no message', async (t) => {
  const loopback = await startLoopback(t);
  const [ann, bob] = await Promise.all([enter(t, loopback, 'ann'), enter(t, loopback, 'bob')]);
  const file = { name: 'a.txt', data: Buffer.alloc(200_000, 'a') };
  const early = AbortSignal.abort(new Error('enough'));
  await t.rejects(ann.sendFile('bob@localhost', file, { signal: early }), { message: 'enough' });
  const late = new AbortController();
  const onProgress = (bytes: number): void => {
    if (bytes === file.data.byteLength) late.abort(new Error('too late'));
  };
  await t.rejects(ann.sendFile('bob@localhost', file, { signal: late.signal, onProgress }), { message: 'too late' });
  const only = nextMessage(bob);
  ann.sendMessage({ to: 'bob@localhost', body: 'the first' });
  t.equal((await only).body, 'the first');
});

t.test('plugins are added to the preset, and one with the same name takes the place of its own', async (t) => {
  const loopback = await startLoopback(t);
  const mine = definePlugin({ name: softwareVersion.name, setup: () => 'mine' });
  const added = definePlugin({ name: 'added', setup: () => 'added' });
  const ann = await enter(t, loopback, 'ann', { plugins: [added, mine] });
  t.equal(ann.get(added), 'added');
  t.equal(ann.get(mine), 'mine');
  t.ok(ann.get(muc));
  t.throws(() => ann.get(subscriptions), /no plugin 'subscriptions'/);
});

t.test('a text that is no address is refused where it is given, by an error that quotes it', async (t) => {
  const loopback = await startLoopback(t);
  const error = { name: 'JidError', message: /"@localhost"/ };
  t.throws(() => createClient({ jid: '@localhost' }), error);
  const ann = await enter(t, loopback, 'ann', { plugins: [roster, subscriptions] });
  t.throws(() => ann.sendMessage({ to: '@localhost', body: 'Hello!' }), error);
  t.throws(() => writeMessage({ to: '@localhost', type: 'chat' }), error);
  t.throws(() => ann.get(subscriptions).request('@localhost'), error);
  await t.rejects(ann.sendFile('@localhost', { name: 'a', data: Buffer.from('a') }), error);
  await t.rejects(ann.iq({ to: '@localhost', type: 'get', payload: el('ping', 'urn:xmpp:ping') }), error);
  await t.rejects(ann.get(muc).join('@localhost', { nick: 'ann' }), error);
  await t.rejects(ann.get(roster).set({ jid: '@localhost' }), error);
  t.equal(ann.state, 'online');
});
