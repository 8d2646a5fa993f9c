import { domainToASCII } from 'node:url';
import t from 'tap';
import {
  bidiClass,
  codePointName,
  joiningType,
  precisProperty,
  virama,
} from '../../../src/xmpp-core/jid/code-points.js';
import { DomainError, prepareDomain, toAsciiDomain } from '../../../src/xmpp-core/jid/domain.js';
import { opaqueString, PrecisError, usernameCaseMapped } from '../../../src/xmpp-core/jid/precis.js';
import { decodePunycode, encodePunycode } from '../../../src/xmpp-core/jid/punycode.js';
import { UNICODE_VERSION } from '../../../src/xmpp-core/jid/unicode-tables.js';

/** The text as code points, for names of tests: line separators would break the report. */
function visible(text: string): string {
  return Array.from(text, codePointName).join(' ');
}

// [RFC7622-3.3-a]
t.test('user names are prepared as RFC 8265 §3.5 shows', async (t) => {
  for (const [name, prepared = name] of [
    ['juliet@example.com'],
    ['fussball'],
    ['fu\u00DFball'],
    ['\u03C0'],
    ['\u03A3', '\u03C3'],
    ['\u03C3'],
    ['\u03C2'],
    ['Juliet', 'juliet'],
    ['\u0130', 'i\u0307'],
    ['ΟΔΥΣΣΕΥΣ', 'οδυσσευς'],
  ] as const) {
    t.equal(usernameCaseMapped(name), prepared, name);
    t.equal(usernameCaseMapped(prepared), prepared, `${prepared} stays`);
  }
  for (const name of [
    'foo bar',
    '',
    'henry\u2163',
    '\u265A',
    '\u017Fa',
    '\u212A',
    'a\u00ADb',
    'a\u200Bb',
    '\u1100\u1161',
    '\uE000',
    '\uD800',
  ]) {
    t.throws(() => usernameCaseMapped(name), PrecisError, visible(name));
  }
});

// [RFC7622-3.4-a]
t.test('opaque strings are prepared as RFC 8265 §4.3 shows', async (t) => {
  for (const [text, prepared = text] of [
    ['correct horse battery staple'],
    ['Correct Horse Battery Staple'],
    ['\u03C0\u00DF\u00E5'],
    ['Jack of \u2666s'],
    ['foo\u1680bar', 'foo bar'],
    ['  a '],
    ['\u2163'],
    ['ａ'],
    ['a\u030A', '\u00E5'],
    ['שלום 1 abc'],
  ] as const) {
    t.equal(opaqueString(text), prepared, text);
    t.equal(opaqueString(prepared), prepared, `${prepared} stays`);
  }
  for (const text of [
    '',
    'my cat is a \u0009by',
    'a\u007F',
    'a\u0085',
    '\u2028',
    'x\u200Ey',
    '\uFFFE',
    '\u{E0041}',
    '\uDC00',
  ]) {
    t.throws(() => opaqueString(text), PrecisError, visible(text));
  }
});

t.test('a complaint about a password names the profile and one code point, and nothing else of it', async (t) => {
  const error = t.throws(() => opaqueString('hunter2\u0009é'), PrecisError);
  t.match(error, { name: 'PrecisError', profile: 'OpaqueString', message: 'OpaqueString: U+0009 is not allowed' });
  t.notMatch(JSON.stringify(Object.getOwnPropertyDescriptors(error)), /hunter2\\t|hunter2\t/);
});

t.test('characters that need company are allowed in it only (RFC 5892, Appendix A)', async (t) => {
  const table: readonly [string, string, string][] = [
    ['ZERO WIDTH NON-JOINER after a virama', 'क\u094D\u200Cष', 'क\u200Cष'],
    ['ZERO WIDTH NON-JOINER between joining letters', 'نامه\u200Cای', 'ا\u200Cب'],
    ['ZERO WIDTH NON-JOINER, marks between', 'ب\u064E\u200C\u064Eب', 'ب\u064E\u200C\u064E'],
    ['ZERO WIDTH NON-JOINER at the end', 'بب', 'بب\u200C'],
    ['ZERO WIDTH JOINER after a virama', 'क\u094D\u200Dष', 'ب\u200Dب'],
    ['MIDDLE DOT', 'l\u00B7l', 'l\u00B7a'],
    ['MIDDLE DOT', 'col\u00B7lega', 'a\u00B7l'],
    ['GREEK LOWER NUMERAL SIGN', '\u0375α', 'α\u0375'],
    ['HEBREW PUNCTUATION GERESH', 'ג\u05F3', '\u05F3ג'],
    ['HEBREW PUNCTUATION GERSHAYIM', 'צה\u05F4ל', 'a\u05F4'],
    ['KATAKANA MIDDLE DOT', 'ア\u30FBイ', 'a\u30FBb'],
    ['KATAKANA MIDDLE DOT with Han', '大\u30FB', '\u30FB'],
    ['ARABIC-INDIC DIGITS', 'ب\u0661\u0662', 'ب\u0661\u06F2'],
    ['EXTENDED ARABIC-INDIC DIGITS', 'ب\u06F1\u06F2', 'ب\u06F1\u0662'],
  ];
  for (const [what, inPlace, outOfPlace] of table) {
    t.equal(usernameCaseMapped(inPlace), inPlace, `${what} in place`);
    t.throws(() => usernameCaseMapped(outOfPlace), PrecisError, `${what} out of place`);
    t.throws(() => opaqueString(outOfPlace), PrecisError, `${what} out of place in an opaque string`);
    t.throws(() => prepareDomain(outOfPlace), DomainError, `${what} out of place in a domain`);
  }
  t.throws(
    () => usernameCaseMapped('क\u094D\u200Cष\u200C'),
    /U\+200C is not allowed in this place/,
    'each is looked at',
  );
});

t.test('names obey the Bidi Rule (RFC 5893 §2)', async (t) => {
  for (const name of ['אבג', 'אב1', 'ابج١', 'אבג\u05B0', 'א-ב', 'ދިވެހި', 'abc', 'a1', 'אב.ג']) {
    t.equal(usernameCaseMapped(name), name.normalize('NFC'), name);
  }
  for (const [condition, name] of [
    ['1, a digit first', '1א'],
    ['1, a mark first', '\u05B0א'],
    ['1, an Arabic-Indic digit first', '١ب'],
    ['2, a Latin letter within', 'אaב'],
    ['3, a hyphen last', 'אב-'],
    ['4, two kinds of digits', 'ا1\u0661'],
    ['5, a Hebrew letter within', 'aאb'],
  ] as const) {
    t.throws(() => usernameCaseMapped(name), /the Bidi Rule/, condition);
  }
  t.equal(prepareDomain('אבג.example'), 'אבג.example');
  t.equal(prepareDomain('1.example'), '1.example', 'it does not concern domains without right-to-left labels');
  t.throws(
    () => prepareDomain('אבג.1example'),
    /the Bidi Rule/,
    '6 and 1 concern every label beside a right-to-left one',
  );
  t.throws(() => prepareDomain('a\u0665.example'), /the Bidi Rule/);
});

// [RFC7622-3.2-a,b,c,d]
t.test('a domain has one spelling: lower case, U-labels, dots', async (t) => {
  for (const [written, prepared, ascii] of [
    ['EXAMPLE.com.', 'example.com', 'example.com'],
    ['localhost', 'localhost', 'localhost'],
    ['Bücher.example', 'bücher.example', 'xn--bcher-kva.example'],
    ['BU\u0308CHER。example', 'bücher.example', 'xn--bcher-kva.example'],
    ['xn--BCHER-kva.example', 'bücher.example', 'xn--bcher-kva.example'],
    ['faß.de', 'faß.de', 'xn--fa-hia.de'],
    ['ΣΊΣΥΦΟΣ.gr', 'σίσυφοσ.gr', 'xn--kxa6akbbkh.gr'],
    ['ΟΔΟΣ', 'οδοσ', 'xn--pxavbq'],
    ['例え.テスト', '例え.テスト', 'xn--r8jz45g.xn--zckzah'],
    ['דוגמה.טעסט', 'דוגמה.טעסט', 'xn--6dbbec0c.xn--deba0ad'],
    ['127.0.0.1', '127.0.0.1', '127.0.0.1'],
    ['[::FFFF:127.0.0.1]', '[::ffff:7f00:1]', '[::ffff:7f00:1]'],
    ['[0:0:0:0:0:0:0:1]', '[::1]', '[::1]'],
    [`${'a'.repeat(63)}.b`, `${'a'.repeat(63)}.b`, `${'a'.repeat(63)}.b`],
  ] as const) {
    t.equal(prepareDomain(written), prepared, written);
    t.equal(prepareDomain(prepared), prepared, `${prepared} stays`);
    t.equal(toAsciiDomain(prepared), ascii);
    t.equal(prepareDomain(ascii), prepared, `${ascii} is the same domain`);
  }
});

// [RFC7622-3.2-a,b]
t.test('rejects what is not a domain', async (t) => {
  for (const [what, domain] of [
    ['nothing', ''],
    ['only the root', '.'],
    ['an empty label', 'a..b'],
    ['an empty label at the end', 'a..'],
    ['an empty label at the beginning', '.a'],
    ['a hyphen first', '-a.b'],
    ['a hyphen last', 'a-.b'],
    ['an underscore', 'a_b.c'],
    ['a space', 'a b'],
    ['a long label', `${'a'.repeat(64)}.b`],
    ['a label whose A-label is long', 'ü'.repeat(58)],
    ['an A-label of ASCII', 'xn--abc-.example'],
    ['an A-label that is none', 'xn--a.example'],
    ['an A-label with nothing in it', 'xn--.example'],
    ['an A-label spelt otherwise than the one for ü', 'xn---tda'],
    ['an A-label beyond Unicode', 'xn--99999999.example'],
    ['an A-label of É', `xn--${encodePunycode('É')}`],
    ['an A-label of what is not composed', `xn--${encodePunycode('cafe\u0301')}`],
    ['an A-label of a symbol', 'xn--n3h.net'],
    ['an A-label with a full stop in it', `xn--${encodePunycode('a\u3002b')}`],
    ['a mark first', '\u0301a.b'],
    ['a hyphen first, beyond ASCII', '-ü'],
    ['a hyphen last, beyond ASCII', 'ü-'],
    ['hyphens in third and fourth place, beyond ASCII', 'aü--b'],
    ['a symbol', '☃.net'],
    ['a compatibility form', '\u2163.net'],
    ['a musical sign', '\u{1D165}.net'],
    ['an underscore beside a letter beyond ASCII', 'ü_b'],
    ['a soft hyphen', 'trus\u00ADted.org'],
    ['half a character', '\uD800'],
    ['an address of IPv6 without an end', '[::1'],
    ['an address with a zone', '[fe80::1%eth0]'],
    ['an address with something behind it', '[::1]:5222'],
    ['an address of IPvFuture', '[v1.a]'],
    ['no address', '[abc]'],
    ['an empty one', '[]'],
    ['another part of a URL', '[::1]/x'],
  ] as const) {
    t.throws(() => prepareDomain(domain), DomainError, what);
  }
});

t.test('the samples of RFC 3492 §7.1 are written and read', async (t) => {
  for (const [label, punycode] of [
    [
      '\u0644\u064A\u0647\u0645\u0627\u0628\u062A\u0643\u0644\u0645\u0648\u0634\u0639\u0631\u0628\u064A\u061F',
      'egbpdaj6bu4bxfgehfvwxn',
    ],
    ['\u4ED6\u4EEC\u4E3A\u4EC0\u4E48\u4E0D\u8BF4\u4E2D\u6587', 'ihqwcrb4cv8a8dqg056pqjye'],
    ['\u4ED6\u5011\u7232\u4EC0\u9EBD\u4E0D\u8AAA\u4E2D\u6587', 'ihqwctvzc91f659drss3x8bo0yb'],
    ['Pro\u010Dprost\u011Bnemluv\u00ED\u010Desky', 'Proprostnemluvesky-uyb24dma41a'],
    ['3\u5E74B\u7D44\u91D1\u516B\u5148\u751F', '3B-ww4c5e180e575a65lsy2b'],
    ['-> $1.00 <-', '-> $1.00 <--'],
    ['\u{10FFFF}', 'dn32g'],
  ] as const) {
    t.equal(encodePunycode(label), punycode);
    t.equal(decodePunycode(punycode), label);
  }
  for (const wrong of ['ü', '!', 'a-!', 'zzzzzz', 'en32g', '9'.repeat(59), `${'9'.repeat(4000)}a`])
    t.equal(decodePunycode(wrong), undefined, wrong);
});

t.test('A-labels are those that the URL machinery of Node makes too', async (t) => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  t.comment(`seed ${seed}`);
  let state = seed;
  const below = (limit: number) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % limit;
  };
  const letters = Array.from('abcxyz019éüßñøłжщядאבגדابجकखगกขคあいう例試한글𐍈𠮷');
  for (let i = 0; i < 500; i++) {
    const domain = Array.from({ length: 1 + below(14) }, () => letters[below(letters.length)]).join('');
    let prepared: string;
    try {
      prepared = prepareDomain(domain);
    } catch (error) {
      // Right-to-left and left-to-right letters by chance in one label.
      t.match(error, { name: 'DomainError', message: /Bidi/ });
      continue;
    }
    if (toAsciiDomain(prepared) !== domain) t.equal(toAsciiDomain(prepared), domainToASCII(domain), domain);
    t.equal(prepareDomain(toAsciiDomain(prepared)), prepared);
  }
});

t.test('the tables say what RFC 8264 §8 makes of the Unicode data of this Node', async (t) => {
  // A newer Unicode gives characters to code points that had none; what the others are, it keeps.
  const newer = Number(process.versions['unicode']) > Number(UNICODE_VERSION);
  t.comment(`the tables are of Unicode ${UNICODE_VERSION}, this Node has ${process.versions['unicode']}`);
  const wrong: string[] = [];
  for (let codePoint = 0; codePoint <= 0x10ffff; codePoint++) {
    const actual = precisProperty(codePoint);
    if (actual === 'U' && newer) continue;
    const expected = derivedProperty(codePoint);
    if (actual !== expected) wrong.push(`U+${codePoint.toString(16)} is ${actual}, should be ${expected}`);
  }
  t.same(wrong.slice(0, 10), []);
});

t.test('the tables agree with Node about directions, joining and viramas, as far as Node knows', async (t) => {
  const wrong: string[] = [];
  for (let codePoint = 0; codePoint <= 0x1ffff; codePoint++) {
    const character = String.fromCodePoint(codePoint);
    const expect = (what: string, right: boolean) => {
      if (!right) wrong.push(`U+${codePoint.toString(16)} ${what}`);
    };
    if (precisProperty(codePoint) === 'U') continue;
    if (
      /^[\p{Script=Latin}\p{Script=Greek}\p{Script=Han}]$/u.test(character) &&
      /\p{L}/u.test(character) &&
      !/\p{Lm}/u.test(character)
    ) {
      expect('is left to right', bidiClass(codePoint) === 'L');
    }
    if (/^[\p{Script=Hebrew}]$/u.test(character) && /\p{L}/u.test(character))
      expect('is R', bidiClass(codePoint) === 'R');
    if (/^[\p{Script=Arabic}\p{Script=Syriac}]$/u.test(character) && /\p{Lo}/u.test(character))
      expect('is AL', bidiClass(codePoint) === 'A');
    if (/^[\p{Mn}\p{Me}]$/u.test(character)) {
      expect('is NSM', ['M', 'L'].includes(bidiClass(codePoint)));
      expect('is transparent', joiningType(codePoint) === 'T');
    }
    if (/^[\p{Script=Latin}\p{Script=Hebrew}]$/u.test(character) && /\p{L}/u.test(character))
      expect('does not join', joiningType(codePoint) === 'U');
    if (virama(codePoint) === 'V') expect('is a mark', /^\p{M}$/u.test(character));
  }
  t.same(wrong.slice(0, 10), []);
  t.same(
    ['ا', 'ب', '\uA872'].map((letter) => joiningType(letter.codePointAt(0) ?? 0)),
    ['R', 'D', 'L'],
  );
  t.same(
    ['क', '\u094D', '\u0BCD', '\u17D2'].map((letter) => virama(letter.codePointAt(0) ?? 0)),
    ['N', 'V', 'V', 'V'],
  );
});

/** The derived property again, this time from property escapes: RFC 8264 §8 and, between P and I, RFC 5892 §3. */
function derivedProperty(codePoint: number): string {
  const character = String.fromCodePoint(codePoint);
  const is = (pattern: RegExp) => pattern.test(character);
  if (is(/[\u00DF\u03C2\u06FD\u06FE\u0F0B\u3007]/)) return 'P';
  if (is(/[\u00B7\u0375\u05F3\u05F4\u30FB\u0660-\u0669\u06F0-\u06F9]/)) return 'O';
  if (is(/\u0640|\u07FA|\u302E|\u302F|[\u3031-\u3035]|\u303B/)) return 'D';
  if (is(/\p{Cn}/u) && !is(/\p{Noncharacter_Code_Point}/u)) return 'U';
  if (is(/[!-~]/)) return is(/[a-z0-9-]/) ? 'P' : 'I';
  if (is(/\p{Join_Control}/u)) return 'J';
  if (is(/[\u1100-\u11FF\uA960-\uA97C\uD7B0-\uD7C6\uD7CB-\uD7FB]/)) return 'D';
  if (is(/[\p{Default_Ignorable_Code_Point}\p{Noncharacter_Code_Point}\p{Cc}]/u)) return 'D';
  if (character.normalize('NFKC') !== character) return 'F';
  if (is(/[\p{Ll}\p{Lu}\p{Lo}\p{Nd}\p{Lm}\p{Mn}\p{Mc}]/u)) {
    const notInDomains =
      is(/\p{Changes_When_NFKC_Casefolded}/u) || is(/[\u20D0-\u20FF\u{1D100}-\u{1D1FF}\u{1D200}-\u{1D24F}]/u);
    return notInDomains ? 'I' : 'P';
  }
  return is(/[\p{Lt}\p{Nl}\p{No}\p{Me}\p{Zs}\p{S}\p{P}]/u) ? 'F' : 'D';
}
