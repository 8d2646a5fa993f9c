/**
 * `npm run test:guards`: takes guards out of copies of the program, one at a time, and makes sure that the tests notice.
 *
 *   node scripts/guards.mjs                 # all
 *   node scripts/guards.mjs muc agent/      # those with one of these words in their file, in what they do or in what notices them
 *   node scripts/guards.mjs --find          # runs nothing; fails when one is not found in the source
 *
 * test/guards/*.toml lists them; the README there says how they are written.
 */
import { execFile } from 'node:child_process';
import { cpSync, existsSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';
import { parse } from 'smol-toml';
import { takeOut } from './lib/take-out.mjs';
import { filesOf, testsNaming } from './lib/tests.mjs';
import { transpile, transpileAll } from './lib/transpile.mjs';

/** How long a scenario waits for what a client without its guard never does. */
const PATIENCE_MS = '1500';
/** How long a file of tests may take, in seconds. */
const TAP_TIMEOUT = '120';
const run = promisify(execFile);

const { tests: provingTests } = testsNaming(/\[promise-([^\]]+)\]/g);
const words = process.argv.slice(2).filter((word) => word !== '--find');
const guards = filesOf('test/guards', '.toml').flatMap(readGuards).filter(isChosen);
if (guards.length === 0) throw new Error(`no guard has ${words.join(' or ')} in it`);
const lost = guards.filter(({ problem }) => problem !== undefined);
for (const { file, what, problem } of lost) process.stdout.write(`LOST     ${what}\n   ${file}: ${problem}\n`);
if (!process.argv.includes('--find')) await tryAll(guards.filter(({ problem }) => problem === undefined));
else process.stdout.write(`${guards.length - lost.length} of ${guards.length} guards are where the list says\n`);
if (lost.length > 0) process.exitCode = 1;

/** The guards of a list, each with the source of its file without it, or the problem that it cannot be taken out. */
function readGuards(list) {
  return Object.entries(parse(readFileSync(list, 'utf8'))).flatMap(([file, entries]) =>
    entries.map(({ what, stream = [], test, promise, ...piece }) => ({
      file,
      what,
      proofs: test === undefined ? [stream].flat().map((name) => ({ stream: name })) : [{ test, promise }],
      ...(missing(test, promise) ?? without(file, piece)),
    })),
  );
}

function missing(test, promise) {
  if (test !== undefined && !existsSync(test)) return { problem: `there is no ${test}` };
  if (promise !== undefined && titlesOf(test, promise).length === 0)
    return { problem: `no test in ${test} names [promise-${promise}]` };
  return undefined;
}

/** The tests in a file that prove a promise: each as its title behind those of the tests around it. */
function titlesOf(test, promise) {
  return provingTests
    .filter(({ file, names }) => file === test && names.includes(promise))
    .map(({ within, title }) => [...within, title]);
}

function without(file, piece) {
  try {
    return { rest: takeOut(readFileSync(file, 'utf8'), piece) };
  } catch (error) {
    return { problem: error.message };
  }
}

function isChosen({ file, what, proofs }) {
  const text = [file, what, ...proofs.map(nameOf)].join('\n');
  return words.length === 0 || words.some((word) => text.includes(word));
}

async function tryAll(all) {
  // A client without its guard is waited for half of the time: two copies keep a processor busy.
  const copies = Array.from({ length: 2 * availableParallelism() }, (_, index) => `.build-${process.pid}-${index}`);
  process.on('exit', () => copies.forEach((copy) => rmSync(copy, { recursive: true, force: true })));
  const [first, ...others] = copies;
  transpileAll(first);
  // What tests read from where they run.
  for (const name of ['docs', 'README.md', 'moltis.schema.json']) symlinkSync(join('..', name), join(first, name));
  for (const copy of others) cpSync(first, copy, { recursive: true, verbatimSymlinks: true });

  await requireAll(all, copies);
  const waiting = all.slice();
  let unnoticed = 0;
  await together(copies, async (copy) => {
    for (let guard = waiting.shift(); guard !== undefined; guard = waiting.shift()) {
      const problems = await problemsWithout(guard, copy);
      const verdict = problems.length === 0 ? 'noticed' : 'FAILS  ';
      process.stdout.write(`${verdict}  ${guard.what}  (${guard.proofs.map(nameOf).join(', ')})\n`);
      for (const problem of problems) process.stdout.write(`   ${problem}\n`);
      if (problems.length > 0) unnoticed += 1;
    }
  });
  process.stdout.write(`${all.length - unnoticed} of ${all.length} guards are noticed when they are gone\n`);
  if (unnoticed > 0) process.exitCode = 1;
}

/** With all guards in place, everything that is to notice them has to hold. */
async function requireAll(all, copies) {
  const proofs = all.flatMap((guard) => guard.proofs);
  const streams = new Set(proofs.flatMap(({ stream }) => stream ?? []));
  const failing = streams.size === 0 ? [] : [await failureOf(streamsCommand(streams), copies[0], process.env)];
  const tests = [...new Map(proofs.filter(({ test }) => test).map((proof) => [nameOf(proof), proof])).values()];
  await together(copies, async (copy) => {
    for (let proof = tests.shift(); proof !== undefined; proof = tests.shift())
      failing.push(await failureOf(testCommand(proof), copy, process.env));
  });
  const told = failing.filter((failure) => failure !== undefined);
  if (told.length > 0) throw new Error(`this has to hold with all guards in place:\n${told.join('\n')}`);
}

/** Takes a guard out of a copy. @returns what does not notice, or cannot run */
async function problemsWithout({ file, rest, proofs }, copy) {
  const target = join(copy, file.replace(/\.ts$/, '.js'));
  const built = readFileSync(target);
  writeFileSync(target, transpile(rest, file));
  try {
    const problems = [];
    for (const proof of proofs) {
      const command = proof.stream === undefined ? testCommand(proof) : streamsCommand([proof.stream]);
      try {
        const failure = await failureOf(command, copy, { ...process.env, PATIENCE_MS, TAP_BAIL: '1' });
        if (failure === undefined) problems.push(`${nameOf(proof)} still holds without it`);
      } catch (error) {
        problems.push(`${nameOf(proof)} cannot run without it: ${error.message}`);
      }
    }
    return problems;
  } finally {
    writeFileSync(target, built);
  }
}

function nameOf({ stream, test, promise }) {
  return stream ?? (promise === undefined ? test : `${test}: ${promise}`);
}

/** Scenarios by their names. Only a run that came to its end tells which of them fail. */
function streamsCommand(names) {
  return { args: ['test/conformance/run.js', ...names], ended: / of \d+ scenarios hold/ };
}

/** A file of tests, or those in it that prove a promise. A test that fails was begun; a program that cannot be loaded begins none. */
function testCommand({ test, promise }) {
  const args = ['--enable-source-maps', test.replace(/\.ts$/, '.js')];
  const titles = promise === undefined ? [] : titlesOf(test, promise);
  // For each level of tests within tests, the titles of those to run.
  const levels = Math.min(...titles.map(({ length }) => length));
  const only = (titles[0] ?? []).slice(0, levels).map((_, level) => anyOf(titles.map((path) => path[level])));
  const env = { TAP_TIMEOUT, ...(only.length === 0 ? {} : { TAP_GREP: only.join('\n') }) };
  return { args, ended: /^ +not ok /m, env };
}

/** A pattern for these titles; what is put into one when it runs may be anything. */
function anyOf(titles) {
  const patterns = titles.map((title) =>
    title
      .split(/\$\{[^}]*\}/)
      .map((part) => part.replaceAll(/[^\w ]/gu, '\\$&'))
      .join('.*'),
  );
  return `^(?:${patterns.join('|')})$`;
}

/** Runs in a process of its own, since modules are loaded once. @returns what was printed, when something does not hold */
async function failureOf({ args, ended, env: more }, copy, env) {
  try {
    await run(process.execPath, args, { cwd: copy, env: { ...env, ...more }, maxBuffer: 2 ** 26 });
    return undefined;
  } catch (error) {
    if (!ended.test(error.stdout ?? '')) throw error;
    return error.stdout;
  }
}

async function together(copies, work) {
  await Promise.all(copies.map(work));
}
