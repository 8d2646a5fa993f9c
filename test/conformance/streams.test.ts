import t from 'tap';
import { startLibrary } from './library.js';
import { replay } from './replay.js';
import { readScenario, scenarioFiles } from './scenario.js';

t.jobs = 8;
for (const file of scenarioFiles()) {
  const scenario = readScenario(file);
  t.test(`${file}: ${scenario.title}`, async (test) => {
    await replay(scenario, startLibrary);
    test.pass('every step holds');
  });
}
