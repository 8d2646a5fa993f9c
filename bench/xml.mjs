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
async function warm() {
  const runs = await prepare(parsers, (make) => make());
  const results = {};
  for (const [kind, kinds] of [['mix', KINDS], ...KINDS.map((kind) => [kind, [kind]])]) {
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

/** Milliseconds of one parser, loaded but never run, for the first so many bytes. */
async function cold(name, size) {
  const parse = await parsers[name]();
  const pieces = chunks(Buffer.from(HEADER + stanzas(Number(size)).join('')).subarray(0, Number(size)), 1_400);
  const start = process.cpuUsage();
  parse(pieces);
  return spentSince(start) / 1e3;
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

function report(processes) {
  const child = (...args) => {
    const { stdout, stderr, status } = spawnSync(process.execPath, [fileURLToPath(import.meta.url), ...args], {
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(stderr);
    return JSON.parse(stdout);
  };
  for (const [mode, base] of [
    ['warm', '@xmpp/xml'],
    ['write', 'ltx'],
  ]) {
    const results = Array.from({ length: processes }, () => child(mode));
    for (const kind of Object.keys(results[0])) {
      const speed = (name) => median(results.map((result) => result[kind][name]));
      const ratio = (name) => median(results.map((result) => result[kind][name] / result[kind][base]));
      const line = Object.keys(results[0][kind]).map(
        (n) => `${n} ${ratio(n).toFixed(2)}x (${speed(n).toFixed(0)} MB/s)`,
      );
      console.log(`${kind.padEnd(9)} ${line.join('   ')}`);
    }
  }
  const splits = Array.from({ length: processes }, () => child('split'));
  const [whole, pieces] = ['whole', 'pieces'].map((way) => median(splits.map((result) => result[way])));
  console.log(
    `text of 1 MB, ns a byte   in one chunk ${whole.toFixed(2)}   in chunks of 16 bytes ${pieces.toFixed(2)}`,
  );
  reportExpat(processes, () => child('warm').mix.ours);
  for (const size of [2_000, 20_000, 100_000, 500_000, 2_000_000]) {
    const times = new Map(Object.keys(parsers).map((name) => [name, []]));
    for (let i = 0; i < processes * 3; i++)
      for (const [name, taken] of times) taken.push(child('cold', name, String(size)));
    const base = median(times.get('@xmpp/xml'));
    const line = [...times].map(
      ([name, taken]) => `${name} ${median(taken).toFixed(1)} ms (${(median(taken) / base).toFixed(2)})`,
    );
    console.log(`cold, ${String(size / 1000).padStart(4)} KB   ${line.join('   ')}`);
  }
}

/** Compares with libexpat on the mix, if it and a compiler are here; the two take turns. */
function reportExpat(processes, ours) {
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
    const ratios = Array.from({ length: processes }, () => {
      const speed = Number(spawnSync(program, [corpus, '21'], { encoding: 'utf8' }).stdout);
      return ours() / speed;
    });
    console.log(`mix       ours ${median(ratios).toFixed(2)}x libexpat without a tree`);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1];
}
