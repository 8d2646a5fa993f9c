import { join } from 'node:path';
import t from 'tap';
import { ConversationStore, type Heard } from '../../src/agent/conversation/history.js';

const ALICE = 'bot@example.com/alice@example.com';

function question(key: string, text = `question ${key}`, more: Partial<Heard> = {}): Heard {
  return { key, speaker: 'Alice', text, at: new Date('2026-01-02T03:04:05.000Z'), kind: 'question', ...more };
}

t.test('a question that was heard is still owed an answer after a restart, and an answered one is not', async (t) => {
  const directory = join(t.testdir(), 'history');
  const first = await ConversationStore.open(directory);
  const before = await first.conversation(ALICE);
  t.equal(await before.hear(question('1', 'one', { reference: { id: 'stanza-1' } })), 'new');
  t.equal(await before.hear(question('2', 'two')), 'new');
  await before.answer(['1'], { id: 'a1', text: 'Answer one.' });
  await first.close();

  const second = await ConversationStore.open(directory);
  t.same(await second.unfinished(), [ALICE]);
  const after = await second.conversation(ALICE);
  t.match(after.pending(), {
    questions: [{ key: '2', text: 'two', at: new Date('2026-01-02T03:04:05.000Z') }],
    undelivered: [{ id: 'a1', text: 'Answer one.', keys: ['1'], reference: { id: 'stanza-1' } }],
  });
  await after.delivered('a1');
  await after.answer(['2'], { id: 'a2', text: 'Answer two.' });
  await after.delivered('a2');
  await second.close();

  const third = await ConversationStore.open(directory);
  t.same(await third.unfinished(), []);
  t.same((await third.conversation(ALICE)).pending(), { questions: [], undelivered: [] });
  t.same(await third.list(), [ALICE]);
});
