/** Which files leave, and which of them can go as messages instead. */
import t from 'tap';
import { asMessages, mayBeSent } from '../../../../src/agent/channel/outbound/outgoing-file.js';

const file = (data: Uint8Array, mediaType = 'text/plain') => ({ name: 'notes.txt', mediaType, data });
const text = (content: string) => file(Buffer.from(content));

// [promise-tool-send-file] [promise-answer-file]
t.test('a file leaves only within the size and the types of the configuration', async (t) => {
  const rules = { mediaMaxMb: 1, blockedMediaTypes: ['image/png'], textChunkLimit: 100 };
  const png = Buffer.from('89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489', 'hex');
  t.equal(mayBeSent(text('words'), rules), true);
  t.equal(mayBeSent(text(''), rules), false, 'an empty file');
  t.equal(mayBeSent(file(new Uint8Array(1024 * 1024 + 1)), rules), false, 'a file over the limit');
  t.equal(mayBeSent(file(Buffer.from('words'), 'image/png'), rules), false, 'a blocked type');
  t.equal(mayBeSent(file(png), rules), false, 'a blocked type under another name');
});

t.test('a text goes as at most five messages', async (t) => {
  t.match(asMessages(text('line'), 100), [/^notes.txt:\n```\nline\n```$/]);
  t.ok((asMessages(text('word '.repeat(40)), 100)?.length ?? 0) > 1);
  t.equal(asMessages(text('word '.repeat(200)), 100), undefined);
});
