/** An answer while it grows: what people see first, and what becomes of thoughts that were taken for an answer. */
import t from 'tap';
import { Background } from '../../../../src/agent/background.js';
import type { ReplyChannel } from '../../../../src/agent/channel/outbound/reply-channel.js';
import { ReplyWriter } from '../../../../src/agent/channel/outbound/reply-writer.js';

/** A channel that keeps what people see: texts by the id of their message. */
function shownBy(): { readonly channel: ReplyChannel; readonly shown: Map<string, string> } {
  const shown = new Map<string, string>();
  const channel: ReplyChannel = {
    open: true,
    sendText(text, { replaces, id = 'new' } = {}) {
      if (replaces !== undefined && !shown.has(replaces)) throw new Error(`${replaces} was never sent`);
      if (replaces === undefined && shown.has(id)) throw new Error(`${id} is sent twice`);
      shown.set(replaces ?? id, text);
      return replaces ?? id;
    },
    notify: () => undefined,
    sendChatState: () => undefined,
    setReactions: () => undefined,
    sendFile: () => Promise.reject(new Error('no file is sent here')),
    upload: async () => undefined,
    shareFile: () => undefined,
  };
  return { channel, shown };
}

function writing(chunkLimit = 100): {
  readonly shown: Map<string, string>;
  readonly writer: ReplyWriter;
  /** Adds a text at this time, in milliseconds since the answer was asked for. @returns the messages that people see */
  readonly at: (ms: number, text: string) => readonly string[];
} {
  const { channel, shown } = shownBy();
  let now = 0;
  const background = new Background(() => undefined);
  const writer = new ReplyWriter(channel, { id: 'a', chunkLimit, live: true, background, now: () => now });
  const at = (ms: number, text: string): readonly string[] => {
    now = ms;
    writer.push(text);
    return [...shown.values()];
  };
  return { shown, writer, at };
}

// [promise-answer-first-piece]
t.test('the first piece of a growing answer is a sentence, or what has come after a second and a half', (t) => {
  const slow = writing();
  t.same(slow.at(4_000, 'Well'), [], 'one word is no notification');
  t.same(slow.at(4_100, '. It'), [], 'nor is a sentence of one word');
  t.same(slow.at(4_200, ' depends.'), [], 'it may be an abbreviation');
  t.same(slow.at(4_300, ' On'), ['Well. It depends. On']);

  const wordy = writing();
  t.same(wordy.at(4_000, 'On'), []);
  t.same(wordy.at(5_499, ' the'), []);
  t.same(wordy.at(5_500, ' weather'), ['On the weather']);

  const quick = writing();
  t.same(quick.at(100, 'All is well. And'), [], 'a quick answer is sent as a whole');
  t.same(quick.at(2_499, ' so on.'), []);
  t.same(quick.at(2_500, ' '), ['All is well. And so on.']);

  const list = writing();
  t.same(list.at(4_000, 'Two things\n'), []);
  t.same(list.at(4_100, '- one'), ['Two things\n• one'], 'a line is a sentence, too');
  t.end();
});

// [promise-answer-clean]
t.test('thoughts that were shown give their messages to the answer', (t) => {
  const { writer, shown, at } = writing();
  at(4_000, 'They want');
  t.same(at(5_500, ' a greeting.'), ['They want a greeting.']);
  writer.restart();
  at(4_100, 'Hello!');
  writer.finish();
  t.same([...shown], [['a', 'Hello!']]);

  const long = writing();
  long.at(4_000, 'I am ');
  long.at(6_000, 'thinking '.repeat(30));
  t.equal(long.shown.size, 3);
  long.writer.restart();
  long.at(4_100, 'Hello!');
  long.writer.finish();
  t.same([...long.shown.values()], ['Hello!', '…', '…'], 'those that are too many say nothing');
  t.end();
});
