/** The parser, given what the servers of all scenarios say, in pieces of every kind: what it tells never depends on how the bytes are cut. */
import { randomInt } from 'node:crypto';
import t from 'tap';
import { serialize } from '../../src/xmpp-core/xml/serialize.js';
import { StreamParser } from '../../src/xmpp-core/xml/stream-parser.js';
import { readScenario, scenarioFiles, type Scenario } from './scenario.js';
import { bytesOf, fill } from './template.js';
import { withoutLayout } from './xml-tree.js';

/** Bytes in a piece: with a first one of each length up to this, every place is one where some cutting cuts. */
const PIECE = 64;

/** One XML stream of a server: its head, and what it says then. */
interface ServerStream {
  readonly head: Uint8Array;
  readonly items: readonly Uint8Array[];
}

const streams = newStreams(scenarioFiles().map((file) => readScenario(file)));

// On a slow machine it takes longer than a file usually may.
t.setTimeout(120_000);

t.test('each thing that a server says is told the same, wherever it is cut', async (t) => {
  let cuttings = 0;
  for (const { head, items } of streams) {
    let before: Uint8Array = new Uint8Array();
    for (const item of [head, ...items]) {
      const wanted = whole([before, item]).join();
      for (const pieces of cuttingsOf(item)) {
        cuttings += 1;
        const told = whole([before, ...pieces]).join();
        if (told !== wanted) t.equal(told, wanted, `the first piece has ${pieces[0]?.length} bytes`);
      }
      before = head;
    }
  }
  t.comment(`${cuttings} cuttings in ${streams.length} streams`);
  t.pass('all of them');
});

t.test('a whole stream is told the same in one piece, byte by byte, and in pieces of chance', async (t) => {
  const seed = randomInt(2 ** 31);
  t.comment(`seed ${seed}`);
  const next = generator(seed);
  for (const { head, items } of streams) {
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

/** What it is told becomes text; the last is why a stream may not go on, where that is so. */
function parser(): { told: string[]; write: (piece: Uint8Array) => void } {
  const told: string[] = [];
  let hasFailed = false;
  const stream = new StreamParser({
    onOpen: (head) => told.push(`head ${serialize(head)}`),
    onElement: (element) => told.push(serialize(element)),
    onClose: () => told.push('end'),
  });
  const write = (piece: Uint8Array): void => {
    if (hasFailed) return;
    try {
      stream.write(piece);
    } catch (error) {
      hasFailed = true;
      told.push(String(error));
    }
  };
  return { told, write };
}

/** Pieces of the same length, behind a first one of each length: every place is cut once. */
function* cuttingsOf(bytes: Uint8Array): Generator<readonly Uint8Array[]> {
  for (let first = 1; first <= Math.min(PIECE, bytes.length); first += 1) {
    const pieces = [bytes.subarray(0, first)];
    for (let at = first; at < bytes.length; at += PIECE) pieces.push(bytes.subarray(at, at + PIECE));
    yield pieces;
  }
}

/** What servers say, each thing once: scenarios that come after the same one begin alike. */
function newStreams(scenarios: readonly Scenario[]): readonly ServerStream[] {
  const seen = new Set<string>();
  const isNew = (key: string): boolean => seen.size < seen.add(key).size;
  return scenarios
    .filter(({ settings }) => settings.way !== 'WebSocket')
    .flatMap(streamsOf)
    .map(({ head, items }) => {
      // Of the head only its namespaces matter to what follows, not which stream it is.
      const context = text(head).replace(/ id=\S+/, '');
      return { head, items: items.filter((item) => isNew(`${context} ${text(item)}`)) };
    })
    .filter(({ items }) => items.length > 0);
}

/** What the server says in a scenario, stream by stream; a placeholder says its own name. */
function streamsOf(scenario: Scenario): readonly ServerStream[] {
  const found: { head: Uint8Array; items: Uint8Array[] }[] = [];
  for (const { kind, content } of scenario.allSteps) {
    if (kind !== 'S') continue;
    const bytes = bytesOf(withoutLayout(content), (part) => fill(part, (name) => name));
    if (/^(<\?xml[^>]*>\s*)?<stream:stream/.test(text(bytes))) found.push({ head: bytes, items: [] });
    else found.at(-1)?.items.push(bytes);
  }
  return found;
}

/** Each byte as one character. */
function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}

/** Numbers of chance that a seed repeats (the minimal standard generator of Park and Miller). */
function generator(seed: number): () => number {
  let state = (seed % 2_147_483_646) + 1;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state;
  };
}
