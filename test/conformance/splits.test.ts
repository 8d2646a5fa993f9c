/** The parser, given what the servers of all scenarios say, in pieces of every kind: what it tells never depends on how the bytes are cut. */
import { randomInt } from 'node:crypto';
import t from 'tap';
import { StreamParser, serialize } from '../../src/index.js';
import { readScenario, scenarioFiles, type Scenario } from './scenario.js';
import { fill } from './template.js';
import { withoutLayout } from './xml-tree.js';

/** Longer things are cut at as many places as this, spread over them. */
const EVERY_OFFSET_UP_TO = 20_000;
const SAMPLES = 500;

/** One XML stream of a server: its head, and what it says then. */
interface ServerStream {
  readonly head: Uint8Array;
  readonly items: readonly Uint8Array[];
}

const streams = new Map<string, ServerStream>();
for (const file of scenarioFiles()) {
  const scenario = readScenario(file);
  if (scenario.settings.way !== 'WebSocket')
    for (const stream of streamsOf(scenario)) streams.set(keyOf(stream), stream);
}

t.test('each thing that a server says is told the same, wherever it is cut in two', async (t) => {
  let cuts = 0;
  for (const stream of streams.values()) {
    const head = whole([stream.head]).join();
    for (const pieces of cutsOf(stream.head)) {
      cuts += 1;
      if (whole(pieces).join() !== head) t.equal(whole(pieces).join(), head);
    }
    const { told, write } = parser();
    write(stream.head);
    for (const item of stream.items) {
      // After each thing the parser stands where it stood before it, so that the same can come again, cut elsewhere.
      told.length = 0;
      write(item);
      const wanted = told.join();
      for (const [first, second] of cutsOf(item)) {
        told.length = 0;
        write(first);
        write(second);
        cuts += 1;
        if (told.join() !== wanted) t.equal(told.join(), wanted, `cut after ${first.length} bytes`);
      }
    }
  }
  t.comment(`${cuts} cuts in ${streams.size} streams`);
  t.pass('all of them');
});

t.test('a whole stream is told the same in one piece, byte by byte, and in pieces of chance', async (t) => {
  const seed = randomInt(2 ** 31);
  t.comment(`seed ${seed}`);
  const next = generator(seed);
  for (const { head, items } of streams.values()) {
    const bytes = Buffer.concat([head, ...items]);
    const wanted = whole([bytes]).join();
    t.equal(whole([...bytes].map((byte) => Uint8Array.of(byte))).join(), wanted);
    const pieces: Uint8Array[] = [];
    for (let at = 0; at < bytes.length;) {
      const length = 1 + (next() % 300);
      pieces.push(bytes.subarray(at, at + length));
      at += length;
    }
    t.equal(whole(pieces).join(), wanted);
  }
});

function whole(pieces: readonly Uint8Array[]): readonly string[] {
  const { told, write } = parser();
  for (const piece of pieces) write(piece);
  return told;
}

/** What it is told becomes text. What may not be in a stream is told as its condition. */
function parser(): { told: string[]; write: (piece: Uint8Array) => void } {
  const told: string[] = [];
  const stream = new StreamParser({
    onOpen: (head) => told.push(`head ${serialize(head)}`),
    onElement: (element) => told.push(serialize(element)),
    onClose: () => told.push('end'),
  });
  return {
    told,
    write: (piece) => {
      try {
        stream.write(piece);
      } catch (error) {
        told.push(String(error));
      }
    },
  };
}

function* cutsOf(bytes: Uint8Array): Generator<readonly [Uint8Array, Uint8Array]> {
  const step = bytes.length <= EVERY_OFFSET_UP_TO ? 1 : Math.ceil(bytes.length / SAMPLES);
  for (let at = 1; at < bytes.length; at += step) yield [bytes.subarray(0, at), bytes.subarray(at)];
}

/** What the server says in a scenario, stream by stream; a placeholder says its own name. */
function streamsOf(scenario: Scenario): readonly ServerStream[] {
  const found: { head: Uint8Array; items: Uint8Array[] }[] = [];
  for (const { kind, content } of scenario.allSteps) {
    if (kind !== 'S') continue;
    const text = fill(withoutLayout(content), (name) => name);
    const bytes = Buffer.from(text);
    if (/^(<\?xml[^>]*>\s*)?<stream:stream/.test(text)) found.push({ head: bytes, items: [] });
    // The end of a stream can be said only once; the whole stream is tried with it.
    else if (text !== '</stream:stream>') found.at(-1)?.items.push(bytes);
  }
  return found;
}

function keyOf({ head, items }: ServerStream): string {
  return Buffer.concat([head, ...items]).toString('latin1');
}

/** Numbers of chance that a seed repeats (the minimal standard generator of Park and Miller). */
function generator(seed: number): () => number {
  let state = (seed % 2_147_483_646) + 1;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state;
  };
}
