/**
 * `npm run test:conformance`: holds an implementation against the scenarios, and prints what holds, scenario by scenario and section by section.
 *
 *   … -- message rooms              only scenarios with one of these words in their path
 *   … -- --program './adapter'      another implementation (docs/fixtures.md)
 */
import { parseArgs } from 'node:util';
import type { StartImplementation } from './implementation.js';
import { startLibrary } from './library.js';
import { startProgram } from './program.js';
import { replay } from './replay.js';
import { readScenario, scenarioFiles, type Scenario } from './scenario.js';
import { sectionTable } from './sections.js';

/** Scenarios mostly wait for the other side. */
const AT_ONCE = 8;

interface Result {
  readonly scenario: Scenario;
  readonly error: Error | undefined;
}

const { values, positionals } = parseArgs({ options: { program: { type: 'string' } }, allowPositionals: true });
const chosen = scenarioFiles().filter(
  (file) => positionals.length === 0 || positionals.some((word) => file.includes(word)),
);
const begin = performance.now();
const results = await runAll(chosen, values.program === undefined ? startLibrary : startProgram(values.program));
const failed = results.filter(({ error }) => error !== undefined);
const seconds = ((performance.now() - begin) / 1_000).toFixed(1);
print(
  ...results.map(
    ({ scenario, error }) => `${error === undefined ? 'holds' : 'FAILS'}  ${scenario.file}  ${scenario.title}`,
  ),
  '',
  ...sectionTable(results.map(({ scenario, error }) => ({ scenario, holds: error === undefined }))),
  '',
  ...failed.map(({ scenario, error }) => `${scenario.file} fails\n${error?.message}\n`),
  `${results.length - failed.length} of ${results.length} scenarios hold, in ${seconds} s`,
);
process.exitCode = failed.length === 0 && results.length > 0 ? 0 : 1;

async function runAll(files: readonly string[], start: StartImplementation): Promise<readonly Result[]> {
  const results: Result[] = [];
  const waiting = files.map((file) => readScenario(file));
  const worker = async (): Promise<void> => {
    for (let scenario = waiting.shift(); scenario !== undefined; scenario = waiting.shift()) {
      results.push({ scenario, error: await failureOf(scenario, start) });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return results.toSorted((one, other) => (one.scenario.file < other.scenario.file ? -1 : 1));
}

async function failureOf(scenario: Scenario, start: StartImplementation): Promise<Error | undefined> {
  try {
    await replay(scenario, start);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

function print(...lines: readonly string[]): void {
  process.stdout.write(`${lines.join('\n')}\n`);
}
