/** A summary replaces the past only when it is complete and shorter. Without a connection. */
import t from 'tap';
import { compact } from '../../../../src/agent/channel/commands/compaction.js';
import { ConversationStore } from '../../../../src/agent/conversation/history.js';
import type { FinishReason, Model } from '../../../../src/agent/model/model.js';

const AT = new Date(2026, 0, 1);

function modelThat(summary: string, finishReason: FinishReason, onAnswer = (): void => undefined): Model {
  return {
    name: 'm',
    async *answer() {
      yield { type: 'text', text: summary };
      onAnswer();
      yield {
        type: 'done',
        model: 'm',
        finishReason,
        usage: { promptTokens: 7, completionTokens: 3, estimated: false },
      };
    },
  };
}

// [promise-command-compact]
t.test('a summary is recorded only when it is complete, shorter than the past, and not cancelled', async (t) => {
  const store = await ConversationStore.open(t.testdir());
  const conversation = await store.conversation('alice');
  const tokens: number[] = [];
  const run = (model: Model, signal = new AbortController().signal) =>
    compact(conversation, {
      model,
      budgetTokens: 10_000,
      room: false,
      onUsage: ({ promptTokens, completionTokens }) => tokens.push(promptTokens + completionTokens),
      signal,
      by: 'key',
      log: () => undefined,
    });
  t.same(await run(modelThat('Short.', 'stop')), { outcome: 'nothing there' });
  const question = 'A long question with a great many words in it. '.repeat(20);
  await conversation.addMessage({ key: 'q', speaker: 'alice', text: question, at: AT, kind: 'question' });
  await conversation.addAnswer(['q'], { id: 'a', text: 'A long answer.' });
  await conversation.markDelivered('a');

  t.match(await run(modelThat('Half of', 'length')), { outcome: 'failed' }, 'half a summary');
  t.same(await run(modelThat(question.repeat(2), 'stop')), { outcome: 'no shorter' });
  const stop = new AbortController();
  await t.rejects(
    run(
      modelThat('Short.', 'stop', () => stop.abort()),
      stop.signal,
    ),
  );
  t.equal(conversation.past.summary, undefined);
  t.same(tokens, [10, 10, 10], 'each attempt is paid for');
  t.match(await run(modelThat('Short.', 'stop')), { outcome: 'done' });
  t.same(conversation.past, { turns: 0, summary: 'Short.' });
  await store.close();
});
