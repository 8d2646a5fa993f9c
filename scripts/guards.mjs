/**
 * `npm run test:guards`: takes guards out of temporary copies of the program, one at a time, and makes sure that the recorded streams notice.
 *
 * test/conformance/guards.toml lists them. A guard whose text is no longer there exactly once is a failure, too: the list has to follow the code.
 */
import { execFile } from 'node:child_process';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';
import { parse } from 'smol-toml';
import { transpile, transpileTests } from './lib/transpile.mjs';

/** What a client without a guard never does is waited for in vain. */
const PATIENCE_MS = '1500';
const run = promisify(execFile);

const { guard: guards } = parse(readFileSync('test/conformance/guards.toml', 'utf8'));
// A client without its guard is waited for half of the time: two copies keep a processor busy.
const copies = Array.from({ length: 2 * availableParallelism() }, (_, index) => `.build-${process.pid}-${index}`);
process.on('exit', () => copies.forEach((copy) => rmSync(copy, { recursive: true, force: true })));
const [first, ...others] = copies;
transpileTests(first);
rmSync(join(first, 'src'));
cpSync('dist', join(first, 'src'), { recursive: true });
for (const copy of others) cpSync(first, copy, { recursive: true, verbatimSymlinks: true });

const whole = await failuresOf(
  guards.map(({ scenario }) => scenario),
  first,
  process.env,
);
if (whole !== undefined) throw new Error(`with all guards in place, these scenarios have to hold:\n${whole}`);

const waiting = guards.slice();
let failures = 0;
await Promise.all(copies.map(work));
process.stdout.write(`${guards.length - failures} of ${guards.length} guards are noticed when they are gone\n`);
process.exitCode = failures === 0 ? 0 : 1;

/** Takes out one guard after the other, in a copy of its own. */
async function work(copy) {
  for (let guard = waiting.shift(); guard !== undefined; guard = waiting.shift()) {
    const problem = await problemOf(guard, copy);
    process.stdout.write(`${problem === undefined ? 'noticed' : 'FAILS  '}  ${guard.what}  (${guard.scenario})\n`);
    if (problem !== undefined) process.stdout.write(`   ${problem}\n`);
    failures += problem === undefined ? 0 : 1;
  }
}

/** Takes one guard out. @returns what is wrong, if nobody notices or it is not there */
async function problemOf({ file, find, replace, scenario }, copy) {
  const source = readFileSync(file, 'utf8');
  const places = source.split(find).length - 1;
  if (places !== 1) return `${file} has ${places} times what the list says is to be taken out: ${find}`;
  const target = join(copy, file.replace(/\.ts$/, '.js'));
  const built = readFileSync(target);
  writeFileSync(
    target,
    transpile(
      source.replace(find, () => replace),
      file,
    ),
  );
  try {
    const failing = await failuresOf([scenario], copy, { ...process.env, PATIENCE_MS });
    return failing === undefined ? `${scenario} still holds without it` : undefined;
  } finally {
    writeFileSync(target, built);
  }
}

/** Runs scenarios in a process of their own, since modules are loaded once. @returns what does not hold */
async function failuresOf(scenarios, copy, env) {
  try {
    await run(process.execPath, [join(copy, 'test/conformance/run.js'), ...new Set(scenarios)], { env });
    return undefined;
  } catch (error) {
    // Only a run that came to its end tells which scenario fails.
    if (!/ of \d+ scenarios hold/.test(error.stdout ?? '')) throw error;
    return error.stdout;
  }
}
