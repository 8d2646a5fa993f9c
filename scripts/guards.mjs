/**
 * `npm run test:guards`: takes guards out of a temporary copy of the program, one at a time, and makes sure that the recorded streams notice.
 *
 * test/conformance/guards.toml lists them. A guard whose text is no longer there exactly once is a failure, too: the list has to follow the code.
 */
import { execFile } from 'node:child_process';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';
import { parse } from 'smol-toml';
import { transpile, transpileTests } from './lib/transpile.mjs';

const COPY = `.build-${process.pid}`;
const run = promisify(execFile);

process.on('exit', () => rmSync(COPY, { recursive: true, force: true }));
const { guard: guards } = parse(readFileSync('test/conformance/guards.toml', 'utf8'));
transpileTests(COPY);
rmSync(join(COPY, 'src'));
cpSync('dist', join(COPY, 'src'), { recursive: true });

const whole = await failuresOf(guards.map(({ scenario }) => scenario));
if (whole !== undefined) throw new Error(`with all guards in place, these scenarios have to hold:\n${whole}`);

let failures = 0;
for (const guard of guards) {
  const problem = await problemOf(guard);
  process.stdout.write(`${problem === undefined ? 'noticed' : 'FAILS  '}  ${guard.what}  (${guard.scenario})\n`);
  if (problem !== undefined) process.stdout.write(`   ${problem}\n`);
  failures += problem === undefined ? 0 : 1;
}
process.stdout.write(`${guards.length - failures} of ${guards.length} guards are noticed when they are gone\n`);
process.exitCode = failures === 0 ? 0 : 1;

/** Takes one guard out. @returns what is wrong, if nobody notices or it is not there */
async function problemOf({ file, find, replace, scenario }) {
  const source = readFileSync(file, 'utf8');
  const places = source.split(find).length - 1;
  if (places !== 1) return `${file} has ${places} times what the list says is to be taken out: ${find}`;
  const target = join(COPY, file.replace(/\.ts$/, '.js'));
  writeFileSync(
    target,
    transpile(
      source.replace(find, () => replace),
      file,
    ),
  );
  try {
    return (await failuresOf([scenario])) === undefined ? `${scenario} still holds without it` : undefined;
  } finally {
    writeFileSync(target, transpile(source, file));
  }
}

/** Runs scenarios in a process of their own, since modules are loaded once. @returns what does not hold */
async function failuresOf(scenarios) {
  try {
    await run(process.execPath, [join(COPY, 'test/conformance/run.js'), ...new Set(scenarios)]);
    return undefined;
  } catch (error) {
    // Only a run that came to its end tells which scenario fails.
    if (!/ of \d+ scenarios hold/.test(error.stdout ?? '')) throw error;
    return error.stdout;
  }
}
