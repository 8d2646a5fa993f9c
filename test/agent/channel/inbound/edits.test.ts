/** Only the author of a message changes it. Without a connection. */
import { once } from 'node:events';
import t from 'tap';
import type { Edit } from '../../../../src/agent/channel/inbound/content.js';
import { Edits } from '../../../../src/agent/channel/inbound/edits.js';
import type { IncomingMessage } from '../../../../src/agent/channel/inbound/incoming-message.js';
import type { Task } from '../../../../src/agent/channel/turns/tasks.js';
import { ConversationStore } from '../../../../src/agent/conversation/history.js';
import { TurnQueue } from '../../../../src/agent/conversation/queue.js';
import { createClient } from '../../../../src/xmpp-core/client.js';
import { Jid } from '../../../../src/xmpp-core/jid/jid.js';
import { readMessage, writeMessage } from '../../../../src/xmpp-core/stanza/stanzas.js';

const ROOM = Jid.parse('team@rooms.example.org');
const AT = new Date(2026, 0, 1);

/** A change of the message with the id `m1`. */
function changeBy(author: string, kind: 'correction' | 'retraction', text = ''): IncomingMessage {
  const change: Edit = { kind, id: 'm1' };
  const from = `${ROOM.toString()}/${author}`;
  const element = writeMessage({ to: 'bot@example.com', type: 'groupchat', body: text });
  return {
    conversation: 'room',
    payer: ROOM.toString(),
    sender: from,
    from,
    author,
    isOperator: false,
    speaker: author,
    key: `${author} ${kind} ${text}`,
    copies: [],
    id: 'm2',
    content: { text, links: [], change, reply: undefined, mentions: [], encryption: undefined },
    text,
    at: AT,
    place: { kind: 'room', to: ROOM },
    access: { allowed: true },
    asks: false,
    source: readMessage({ element, from: Jid.parse(from), to: undefined, id: 'm2', language: undefined }),
  };
}

// [promise-conversation-own-words] [promise-conversation-correction] [promise-conversation-retraction]
t.test('only the author of a message can correct or retract it', async (t) => {
  const store = await ConversationStore.open(t.testdir());
  const conversation = await store.conversation('room');
  const turns: string[] = [];
  const queue = new TurnQueue<Task>({
    run: async ({ items, signal }) => {
      turns.push(items.map(({ key }) => key).join());
      await once(signal, 'abort');
    },
    onError: () => undefined,
  });
  const client = createClient({ jid: 'bot@example.com', password: 'secret' });
  let isWithin = true;
  const edits = new Edits({ client, queue, isWithinLimits: () => isWithin, log: () => undefined });
  const original = { key: 'k1', id: 'm1', speaker: 'alice', author: 'alice', text: 'one', at: AT };
  await conversation.addMessage({ ...original, kind: 'question' });
  queue.add('room', { kind: 'question', key: 'k1', place: { kind: 'room', to: ROOM }, payer: 'room' });
  const settled = () => new Promise((resolve) => setImmediate(resolve));
  const text = () => conversation.find(({ key }) => key === 'k1')?.text;

  t.equal(await edits.apply(changeBy('mallory', 'correction', 'two'), conversation), true, 'it is dropped');
  await edits.apply(changeBy('mallory', 'retraction'), conversation);
  await settled();
  t.same([text(), turns], ['one', ['k1']]);

  await edits.apply(changeBy('alice', 'correction', 'three'), conversation);
  await settled();
  t.same([text(), turns], ['three', ['k1', 'k1']], 'the turn starts again');
  await edits.apply(changeBy('alice', 'correction', 'three'), conversation);
  await settled();
  t.same(turns, ['k1', 'k1'], 'a correction that changes nothing does not restart it');
  isWithin = false;
  await edits.apply(changeBy('alice', 'correction', 'four'), conversation);
  await settled();
  t.same([text(), turns], ['four', ['k1', 'k1']], 'nor does one over the limit');

  await edits.apply(changeBy('alice', 'retraction'), conversation);
  await settled();
  t.same([text(), queue.isBusy('room')], [undefined, false], 'the turn is withdrawn');
  await store.close();
});
