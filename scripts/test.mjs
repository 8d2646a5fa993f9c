/**
 * `npm test`: runs the tests, which are tap programs, and prints one line a file, what fails, and a summary.
 *
 *   node scripts/test.mjs                     # all but those that need other servers
 *   node scripts/test.mjs client rooms        # only files with one of these words in their path
 *
 * Each test file is a process of its own. All that they print is kept in artifacts/tests.
 */
import { spawn } from 'node:child_process';
import { createWriteStream, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { finished } from 'node:stream/promises';
import { Parser } from 'tap-parser';
import { stringify } from 'yaml';
import { filesOf } from './lib/tests.mjs';
import { bundleAll } from './lib/transpile.mjs';

const BUILD = '.build';
const OUTPUT = 'artifacts/tests';
/** One more than there are processors: some tests wait for time to pass. */
const AT_ONCE = availableParallelism() + 1;
/** How long a file may take, in seconds. */
const FILE_SECONDS = 240;
/** How much of its output is shown of a file whose process fails. */
const OUTPUT_SHOWN = 4_000;

const words = process.argv.slice(2);
const tests = filesOf('test', '.test.ts')
  .filter((file) => !file.includes('/interop/'))
  .filter((file) => words.length === 0 || words.some((word) => file.includes(word)));
if (tests.length === 0) throw new Error(`no test file has ${words.join(' or ')} in its path`);
// First those that start bots: they take longest.
const startsBots = (file) => Number(readFileSync(file, 'utf8').includes('support/bot.js'));
tests.sort((one, other) => startsBots(other) - startsBots(one));
const waiting = bundleAll(BUILD, tests);

rmSync(OUTPUT, { recursive: true, force: true });
const results = [];
await Promise.all(Array.from({ length: AT_ONCE }, runFiles));
const passed = results.reduce((sum, one) => sum + one.passed, 0);
const failures = results.flatMap((one) => one.failures);
print('', ...failures.map(({ text }) => `${text}\n`), `${passed} passed, ${failures.length} failed`);
if (failures.length > 0) process.exitCode = 1;

async function runFiles() {
  for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
    const begin = performance.now();
    const result = await run(file);
    results.push(result);
    const seconds = ((performance.now() - begin) / 1_000).toFixed(1);
    const failed = result.failures.length;
    print(
      `${failed === 0 ? 'ok    ' : 'FAILED'} ${sourceOf(file)}: ${result.passed} passed, ${failed} failed, ${seconds} s`,
    );
  }
}

/** Runs a file. @returns how many of its assertions hold, and what does not */
async function run(file) {
  const path = join(OUTPUT, `${sourceOf(file)}.tap`);
  mkdirSync(dirname(path), { recursive: true });
  const child = spawn(process.execPath, ['--enable-source-maps', file], {
    env: { ...process.env, TAP_TIMEOUT: String(FILE_SECONDS) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  // What tap itself does not end in time.
  const timer = setTimeout(() => child.kill('SIGKILL'), (FILE_SECONDS + 10) * 1_000);
  const output = createWriteStream(path);
  for (const stream of [child.stdout, child.stderr]) stream.pipe(output, { end: false });
  const tap = readTap(child.stdout, file);
  const end = await new Promise((resolve) => child.once('close', (code, signal) => resolve(code ?? signal)));
  clearTimeout(timer);
  output.end();
  await finished(output);
  const { passed, failures } = await tap;
  // Such as a file that cannot be loaded.
  if (end !== 0 && failures.length === 0) {
    const printed = readFileSync(path, 'utf8').slice(-OUTPUT_SHOWN);
    failures.push({ text: `FAILED ${sourceOf(file)}: ended with ${end}\n${printed}` });
  }
  return { passed, failures };
}

/** Reads what a test program prints up to its end. */
async function readTap(stream, file) {
  let passed = 0;
  const failures = [];
  const fail = (what, details) =>
    failures.push({ text: `FAILED ${sourceOf(file)}: ${what}\n${stringify(details ?? {})}` });
  return new Promise((resolve) => {
    const parser = new Parser(({ ok, failures: all, bailout, plan }) => {
      for (const { tapError, ...details } of all) if (typeof tapError === 'string') fail(tapError, details);
      if (!ok && failures.length === 0) fail('incomplete', { bailout, plan });
      resolve({ passed, failures });
    });
    // Each assertion is a result, except those that sum up a test.
    parser.on('result', ({ ok, todo, skip, fullname, diag }) => {
      if (todo !== false || skip !== false) return;
      if (ok) passed += 1;
      else fail(fullname, diag);
    });
    stream.pipe(parser);
  });
}

function sourceOf(file) {
  return file.replace(`${BUILD}/`, '').replace(/\.js$/, '.ts');
}

function print(...lines) {
  process.stdout.write(`${lines.join('\n')}\n`);
}
