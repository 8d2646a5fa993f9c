import { readFileSync, readdirSync } from 'node:fs';
import t from 'tap';
import { StreamError } from '../../../src/xmpp-core/errors.js';
import { StreamParser } from '../../../src/xmpp-core/xml/stream-parser.js';
import { plain, type Reading, readWithSaxes } from './oracle.js';

/*
 * XML_MUTANTS and XML_SEED let a run go farther, or another way.
 */
const MUTANTS = Number(process.env['XML_MUTANTS'] ?? 2_000);
const SEED = Number(process.env['XML_SEED'] ?? 1);

const FIXTURES = new URL('../../../fixtures/xml/', import.meta.url);
const corpus = readdirSync(FIXTURES)
  .filter((name) => name.endsWith('.xml'))
  .map((name) => ({ name, bytes: new Uint8Array(readFileSync(new URL(name, FIXTURES))) }));

interface OwnReading extends Reading {
  readonly condition: string | undefined;
}

/** Reads the bytes in pieces; `cut` says how long the next one is. */
function read(bytes: Uint8Array, cut: (at: number) => number = () => bytes.length): OwnReading {
  const events: unknown[] = [];
  let accepted = false;
  const parser = new StreamParser({
    onOpen: (header) => events.push(plain(header)),
    onElement: (element) => events.push(plain(element)),
    onClose: () => {
      accepted = true;
    },
  });
  try {
    for (let at = 0; at < bytes.length;) {
      const next = at + cut(at);
      parser.write(bytes.subarray(at, next));
      at = next;
    }
  } catch (error) {
    if (!(error instanceof StreamError)) throw error;
    return { events, accepted: false, condition: error.condition };
  }
  return { events, accepted, condition: undefined };
}

/** Small, seeded, and good enough to choose mutations (mulberry32). */
function randomNumbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

const SNIPPETS = [
  ']]>',
  ']]',
  '<![CDATA[',
  '<!-- -->',
  '<!DOCTYPE a>',
  '<?p i?>',
  "<?xml version='1.0'?>",
  '&lt;',
  '&#0;',
  '&#x1F600;',
  '&#xD800;',
  '&#10;',
  '&nbsp;',
  '&',
  ' ',
  '\n',
  '\r\n',
  '\t',
  '\0',
  '\x7F',
  "'",
  '"',
  '=',
  '/',
  '>',
  '<',
  ':',
  '<a>',
  '</a>',
  '<b/>',
  " xmlns='urn:z'",
  " xmlns:p='urn:z'",
  " xmlns:p=''",
  " xmlns=''",
  " xmlns:xml='urn:z'",
  " xmlns:xmlns='urn:z'",
  " xmlns='http://www.w3.org/2000/xmlns/'",
  " p:id='1'",
  " id='1'",
  " xml:lang='de'",
  '</stream:stream>',
  'é',
  '😀',
  '\uFFFE',
  '\uFEFF',
  '\u0085',
  '\u2028',
].map((snippet) => new TextEncoder().encode(snippet));

function mutate(bytes: Uint8Array, random: (below: number) => number): Uint8Array {
  const at = random(bytes.length);
  const splice = (removed: number, inserted: Uint8Array): Uint8Array =>
    Uint8Array.of(...bytes.subarray(0, at), ...inserted, ...bytes.subarray(at + removed));
  switch (random(6)) {
    case 0:
      return splice(1, Uint8Array.of(random(256)));
    case 1:
      return splice(1 + random(4), new Uint8Array(0));
    case 2:
      return splice(1 + random(60), new Uint8Array(0));
    case 3: {
      const from = random(bytes.length);
      return splice(0, bytes.subarray(from, from + random(40)));
    }
    case 4:
      return splice(random(2), Uint8Array.of(32 + random(95)));
    default:
      return splice(0, SNIPPETS[random(SNIPPETS.length)] ?? new Uint8Array(0));
  }
}

/** Where saxes and we are known to differ, and why we are content. The place must be in a mutant that is judged otherwise. */
const KNOWN_DIFFERENCES: readonly { readonly why: string; readonly place: RegExp }[] = [
  {
    why: 'saxes takes a local part that begins like no name (Namespaces in XML 1.0 §4)',
    place: /[</\s][^\s<>='"/:]+:[-.\d]/,
  },
  {
    why: 'saxes trims namespace names, which are to be taken to the letter (Namespaces in XML 1.0 §2.3)',
    place: /xmlns[^=<>]*=\s*(?:'(?:\s|&#)|"(?:\s|&#)|'[^'<]*[\s;]'|"[^"<]*[\s;]")/,
  },
  {
    why: 'a reference between stanzas is text, whatever character it is to (RFC 6120 §11.7 allows white space only)',
    place: /[>\s]&#/,
  },
];

// [RFC6120-11.2-a]
t.test('every fixture is read as saxes reads it', async (t) => {
  for (const { name, bytes } of corpus) {
    const { condition, ...own } = read(bytes);
    t.equal(condition, undefined, name);
    t.same(own, readWithSaxes(bytes), name);
    t.ok(own.accepted, name);
  }
});

// [pitfall-chunk-dependence] [pitfall-utf8-split]
t.test('a fixture cut in two anywhere, or byte by byte, gives the same events', async (t) => {
  for (const { name, bytes } of corpus) {
    const whole = JSON.stringify(read(bytes));
    const different: number[] = [];
    for (let size = 1; size < 20; size++) if (JSON.stringify(read(bytes, () => size)) !== whole) different.push(-size);
    for (let offset = 1; offset < bytes.length; offset++) {
      const inTwo = read(bytes, (at) => (at === 0 ? offset : bytes.length));
      if (JSON.stringify(inTwo) !== whole) different.push(offset);
    }
    t.same(different, [], name);
  }
});

// [RFC6120-11.3-a,b] [pitfall-stanza-smuggling] [pitfall-chunk-dependence]
t.test(
  'mutants of the fixtures are judged as saxes judges them, and the same for every cutting',
  { timeout: 600_000 },
  async (t) => {
    t.comment(`seed ${SEED}, ${MUTANTS} mutants`);
    const random = randomNumbers(SEED);
    const tally = new Map<string, number>();
    for (let i = 0; i < MUTANTS; i++) {
      const { name, bytes } = corpus[random(corpus.length)] ?? { name: 'nothing', bytes: new Uint8Array(0) };
      let mutant = mutate(bytes, random);
      while (random(3) === 0) mutant = mutate(mutant, random);
      const own = read(mutant);
      const verdict = own.accepted ? 'accepted' : (own.condition ?? 'unfinished');
      tally.set(verdict, (tally.get(verdict) ?? 0) + 1);
      const found = JSON.stringify(own);
      const fail = (how: string): void => {
        t.fail(
          `${name}, mutant ${i}, ${verdict}, but ${how}: ${JSON.stringify(Buffer.from(mutant).toString('latin1'))}`,
        );
      };
      const size = 1 + random(50);
      if (JSON.stringify(read(mutant, () => size)) !== found) fail(`not in pieces of ${size}`);
      if (JSON.stringify(read(mutant, () => 1 + random(200))) !== found) fail('not in random pieces');
      const theirs = readWithSaxes(mutant);
      const asSaxes = own.accepted === theirs.accepted && JSON.stringify(own.events) === JSON.stringify(theirs.events);
      if (asSaxes) continue;
      const decoded = Buffer.from(mutant).toString('utf8');
      const known = KNOWN_DIFFERENCES.find(({ place }) => place.test(decoded));
      if (known === undefined) fail('not by saxes, or not with the same events');
      else t.comment(`mutant ${i}: ${known.why}`);
    }
    t.comment(Object.fromEntries(tally));
    for (const verdict of ['accepted', 'not-well-formed', 'restricted-xml', 'bad-format']) {
      t.ok(tally.has(verdict), `the mutants reach ${verdict}`);
    }
  },
);
