import t from 'tap';
import { startLibrary } from './library.js';
import { replay } from './replay.js';
import { readScenario, scenarioFiles } from './scenario.js';

/** These are said byte by byte, too: each is a write of its own. Every kind of what a server says is among them. */
const BYTE_BY_BYTE = [
  'prosody-13/online.txt',
  'prosody-13/message.txt',
  'ejabberd-24.12/online.txt',
  'ejabberd-24.12/message.txt',
];

// There are many, and they mostly wait for the other side.
t.jobs = 8;
t.setTimeout(120_000);
for (const file of scenarioFiles()) {
  const scenario = readScenario(file);
  t.test(`${file}: ${scenario.title}`, async (test) => {
    await replay(scenario, startLibrary);
    test.pass('every step holds');
  });
}
for (const file of BYTE_BY_BYTE) {
  t.test(`${file}, byte by byte`, async (test) => {
    await replay(readScenario(file), startLibrary, { byteByByte: true });
    test.pass('every step holds');
  });
}
