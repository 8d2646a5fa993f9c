/** Work that nobody awaits: it starts at once, its failures reach the log, and it never takes the process down. */
import { once } from 'node:events';
import t from 'tap';
import { Background } from '../../src/agent/background.js';
import { Serial } from '../../src/agent/serial.js';

t.test('logs where work failed, whether it throws or rejects', async (t) => {
  const logged: unknown[] = [];
  const background = new Background((level, event, fields) => logged.push({ level, event, ...fields }));
  background.run('a rejection', async () => {
    await Promise.resolve();
    throw new Error('it rejected');
  });
  background.run('an exception', () => {
    throw new Error('it threw');
  });
  await settled();
  t.strictSame(logged, [
    { level: 'error', event: 'error', kind: 'internal', where: 'an exception', message: 'it threw' },
    { level: 'error', event: 'error', kind: 'internal', where: 'a rejection', message: 'it rejected' },
  ]);
});

t.test('starts work at once, also after the stop, and logs no failure of work then', async (t) => {
  const logged: unknown[] = [];
  const stopping = new AbortController();
  const background = new Background((_level, _event, fields) => logged.push(fields), stopping.signal);
  let finish = (): void => undefined;
  background.run('a message', async () => {
    await new Promise<void>((resolve) => {
      finish = resolve;
    });
    throw new Error('the connection is gone');
  });
  stopping.abort();
  finish();
  let isStarted = false;
  background.run('a late message', async () => {
    isStarted = true;
    throw new Error('the connection is gone');
  });
  t.equal(isStarted, true, 'a message that the server counts as delivered is written to disk');
  await settled();
  t.strictSame(logged, []);
  background.report('the disk', new Error('it is full'));
  t.match(logged, [{ where: 'the disk', message: 'it is full' }], 'what has lost no connection is reported');
});

t.test('serial work starts when the work before it has ended, and one failure does not stop the rest', async (t) => {
  const serial = new Serial();
  const order: string[] = [];
  const gate = new EventTarget();
  const opened = once(gate, 'open');
  const first = serial.run(async () => {
    await opened;
    order.push('first');
    throw new Error('the first one failed');
  });
  const second = serial.run(async () => {
    order.push('second');
    return 2;
  });
  gate.dispatchEvent(new Event('open'));
  await t.rejects(first, { message: 'the first one failed' });
  t.equal(await second, 2);
  await serial.settled();
  t.strictSame(order, ['first', 'second']);
});

/** Resolves when all microtasks so far have run. */
function settled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
