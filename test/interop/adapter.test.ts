import { fileURLToPath } from 'node:url';
import t from 'tap';
import { startProgram } from '../conformance/program.js';
import { replay } from '../conformance/replay.js';
import { readScenario } from '../conformance/scenario.js';

const ADAPTER = fileURLToPath(new URL('../conformance/slixmpp-adapter.py', import.meta.url));

/** What slixmpp does as these scenarios want it. Most others it fails, by reasons of its own. */
const HELD = ['online', 'features-when-online', 'iq-answer-unasked', 'starttls-old-version'];

t.test('the recorded streams are for any client: slixmpp is held against them through its adapter', async (t) => {
  for (const name of HELD) {
    await replay(readScenario(`hostile/${name}.txt`), startProgram(ADAPTER));
    t.pass(name);
  }
});
