/**
 * How fast XML is read and written here, against the peers. See README.md for what is measured and how to read it.
 *
 *   node xml.mjs [processes]
 */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chunks, HEADER, KINDS, stanzas } from './corpus.mjs';
import { parsers, serializers } from './peers.mjs';

const MEGABYTE = 1_000_000;

const measurements = { warm, write, cold, split };

const [mode = '5', ...rest] = process.argv.slice(2);
if (Object.hasOwn(measurements, mode)) console.log(JSON.stringify(await measurements[mode](...rest)));
else report(Number(mode));

/** Bytes per microsecond (MB/s) of each parser on each kind of traffic: the median of rounds in which they take turns. */
async function warm(only) {
  const runs = await prepare(parsers, (make) => make());
  const results = {};
  for (const [kind, kinds] of [['mix', KINDS], ...KINDS.map((kind) => [kind, [kind]])]) {
    if (only !== undefined && kind !== only) continue;
    const bytes = Buffer.from(HEADER + stanzas(kind === 'mix' ? 4 * MEGABYTE : MEGABYTE, kinds).join(''));
    const pieces = chunks(bytes, 16_384);
    results[kind] = takeTurns(runs, kind === 'mix' ? 21 : 9, (parse) => parse(pieces), bytes.length, true);
  }
  return results;
}

/** The same for serializers, in characters. */
async function write() {
  const mix = stanzas(2 * MEGABYTE);
  const runs = await prepare(serializers, (make) => make(mix));
  return { write: takeTurns(runs, 9, (serialize) => serialize(), mix.join('').length, false) };
}

/** Milliseconds of one parser in a new process: to load it, and for its first so many bytes. */
async function cold(name, size) {
  const pieces = chunks(Buffer.from(HEADER + stanzas(Number(size)).join('')).subarray(0, Number(size)), 1_400);
  const beforeLoading = process.cpuUsage();
  const parse = await parsers[name]();
  const load = spentSince(beforeLoading) / 1e3;
  const start = process.cpuUsage();
  parse(pieces);
  return { load, parse: spentSince(start) / 1e3 };
}

/** Nanoseconds a byte that ours takes for a text of a megabyte: in one chunk, and in chunks of 16 bytes. */
async function split() {
  const parse = await parsers.ours();
  const usual = chunks(Buffer.from(HEADER + stanzas(4 * MEGABYTE).join('')), 16_384);
  for (let round = 0; round < 5; round++) parse(usual); // so that the loops are compiled as they are in a running bot
  const bytes = Buffer.from(`${HEADER}<message><body>${'All is well. '.repeat(76_920)}</body></message>`);
  const ways = [bytes.length, 16].map((size) => [String(size), chunks(bytes, size)]);
  const speeds = takeTurns(ways, 41, (pieces) => parse(pieces), bytes.length, true);
  const [whole, pieces] = Object.values(speeds).map((speed) => 1e3 / speed);
  return { whole, pieces };
}

/** Microseconds of processor time: of all threads, so that collecting garbage and compiling count, and other programs do not. */
function spentSince(start) {
  const { user, system } = process.cpuUsage(start);
  return user + system;
}

async function prepare(makers, make) {
  const runs = [];
  for (const [name, maker] of Object.entries(makers)) runs.push([name, await make(maker)]);
  return runs;
}

function takeTurns(runs, rounds, once, size, mustAgree) {
  const times = new Map(runs.map(([name]) => [name, []]));
  const outcomes = new Set();
  for (let round = 0; round < rounds; round++) {
    for (const [name, run] of round % 2 === 0 ? runs : runs.toReversed()) {
      const start = process.cpuUsage();
      outcomes.add(once(run));
      times.get(name).push(spentSince(start));
    }
  }
  if (mustAgree && outcomes.size !== 1) throw new Error(`they disagree: ${[...outcomes].join(', ')}`);
  return Object.fromEntries([...times].map(([name, taken]) => [name, size / median(taken)]));
}

/** Prints a table: the median of the ratios of the processes, the lowest and the highest of them, and our own figure. */
function report(processes) {
  const repeat = (times, ...args) => Array.from({ length: times }, () => child(...args));
  for (const [mode, base] of [
    ['warm', '@xmpp/xml'],
    ['write', 'ltx'],
  ]) {
    const results = repeat(processes, mode);
    for (const [kind, speeds] of Object.entries(results[0])) {
      for (const name of Object.keys(speeds).filter((other) => other !== base)) {
        const ratios = results.map((result) => result[kind][name] / result[kind][base]);
        row(
          `${kind}: speed of ${name} over ${base}`,
          ratios,
          `${median(results.map((r) => r[kind][name])).toFixed(0)} MB/s`,
        );
      }
    }
  }
  reportExpat(processes);
  const splits = repeat(processes, 'split');
  const pieces = median(splits.map((result) => result.pieces));
  row(
    '1 MB of text: time of chunks of 16 bytes over one chunk',
    splits.map((r) => r.pieces / r.whole),
    `${pieces.toFixed(1)} ns/B`,
  );
  for (const size of [2_000, 20_000, 100_000, 500_000, 2_000_000]) {
    const pairs = Array.from({ length: processes * 3 }, () =>
      ['ours', '@xmpp/xml'].map((name) => child('cold', name, String(size))),
    );
    const what = `new process, ${size / 1000} KB`;
    const ms = (of) => `${median(pairs.map(([ours]) => of(ours))).toFixed(1)} ms`;
    const whole = ({ load, parse }) => load + parse;
    row(
      `${what}: time of ours over @xmpp/xml`,
      pairs.map(([one, other]) => one.parse / other.parse),
      ms((r) => r.parse),
    );
    row(
      `${what}, loading included`,
      pairs.map(([one, other]) => whole(one) / whole(other)),
      ms(whole),
    );
  }
}

function child(...args) {
  const program = fileURLToPath(import.meta.url);
  const { stdout, stderr, status } = spawnSync(process.execPath, [program, ...args], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}

function row(what, ratios, absolute) {
  const [middle, lowest, highest] = [median(ratios), Math.min(...ratios), Math.max(...ratios)].map((r) => r.toFixed(2));
  console.log(`| ${what.padEnd(58)} | ${middle} | ${lowest} to ${highest} | ${absolute.padStart(9)} |`);
}

/** Compares with libexpat on the mix, if it and a compiler are here; the two take turns. */
function reportExpat(processes) {
  const folder = mkdtempSync(join(tmpdir(), 'expat-'));
  try {
    const program = join(folder, 'expat');
    const source = fileURLToPath(new URL('expat.c', import.meta.url));
    if (spawnSync('cc', ['-O2', source, '-lexpat', '-o', program]).status !== 0) {
      console.log('libexpat: left out, for there is no C compiler or no libexpat to compile with');
      return;
    }
    const corpus = join(folder, 'corpus.xml');
    writeFileSync(corpus, HEADER + stanzas(4 * MEGABYTE).join(''));
    const speeds = Array.from({ length: processes }, () => {
      const expat = Number(spawnSync(program, [corpus, '21'], { encoding: 'utf8' }).stdout);
      return { expat, ours: child('warm', 'mix').mix.ours };
    });
    const ratios = speeds.map(({ ours, expat }) => ours / expat);
    row(
      'mix: speed of ours over libexpat without a tree',
      ratios,
      `${median(speeds.map((s) => s.expat)).toFixed(0)} MB/s`,
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1];
}
