/**
 * `npm run test:conformance`: holds an implementation against the scenarios, and prints what holds, scenario by scenario and section by section.
 *
 *   … -- message rooms              only scenarios with one of these words in their path
 *   … -- --program './adapter'      another implementation (docs/fixtures.md)
 *   … -- --can roster,XEP-0184      only scenarios that switch on nothing but these
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
  readonly file: string;
  /** None when the file cannot be read. */
  readonly scenario: Scenario | undefined;
  readonly error: Error | undefined;
}

const { values, positionals } = parseArgs({
  options: { program: { type: 'string' }, can: { type: 'string' } },
  allowPositionals: true,
});
const chosen = scenarioFiles().filter(
  (file) => positionals.length === 0 || positionals.some((word) => file.includes(word)),
);
const abilities = values.can?.split(',').map((one) => one.trim());
const begin = performance.now();
const results = await runAll(
  chosen.filter((file) => abilities === undefined || isWithin(file, abilities)),
  values.program === undefined ? startLibrary : startProgram(values.program),
);
const failed = results.filter(({ error }) => error !== undefined);
const seconds = ((performance.now() - begin) / 1_000).toFixed(1);
print(
  ...results.map(({ file, scenario, error }) =>
    [error === undefined ? 'holds' : 'FAILS', file, scenario?.title ?? 'cannot be read'].join('  '),
  ),
  '',
  ...sectionTable(
    results.flatMap(({ scenario, error }) =>
      scenario === undefined ? [] : [{ scenario, holds: error === undefined }],
    ),
  ),
  '',
  ...failed.map(({ file, error }) => `${file} fails\n${error?.message}\n`),
  `${results.length - failed.length} of ${results.length} scenarios hold, in ${seconds} s`,
);
process.exitCode = failed.length === 0 && results.length > 0 ? 0 : 1;

async function runAll(files: readonly string[], start: StartImplementation): Promise<readonly Result[]> {
  const waiting = [...files];
  const done: Result[] = [];
  const worker = async (): Promise<void> => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) done.push(await resultOf(file, start));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return done.toSorted((one, other) => (one.file < other.file ? -1 : 1));
}

/** Whether an implementation with these abilities can be held against a scenario. */
function isWithin(file: string, having: readonly string[]): boolean {
  return readScenario(file).settings.client.every((one) => having.includes(one));
}

async function resultOf(file: string, start: StartImplementation): Promise<Result> {
  let scenario: Scenario | undefined;
  try {
    scenario = readScenario(file);
    await replay(scenario, start);
    return { file, scenario, error: undefined };
  } catch (error) {
    return { file, scenario, error: error instanceof Error ? error : new Error(String(error)) };
  }
}

function print(...lines: readonly string[]): void {
  process.stdout.write(`${lines.join('\n')}\n`);
}
