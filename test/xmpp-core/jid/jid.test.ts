import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import t from 'tap';
import { escapeLocalpart, EscapingError, unescapeLocalpart } from '../../../src/xmpp-core/jid/jid-escaping.js';
import { Jid, JidError } from '../../../src/xmpp-core/jid/jid.js';
import { PrecisError } from '../../../src/xmpp-core/jid/precis.js';

/** Localpart, domainpart and resource of a text. */
function parts(text: string): [string, string, string] {
  const { localpart, domainpart, resource } = Jid.parse(text);
  return [localpart, domainpart, resource];
}

/** What `Jid.parse` complains about. */
function complaint(text: string): string {
  try {
    return `none: ${Jid.parse(text).toString()}`;
  } catch (error) {
    if (error instanceof JidError) return error.message;
    throw error;
  }
}

// [RFC7622-3.4-c] [RFC7622-3.5-a]
t.test('the JIDs of RFC 7622 §3.5, Table 1, are read into their parts', async (t) => {
  const table: readonly [string, [string, string, string]][] = [
    ['juliet@example.com', ['juliet', 'example.com', '']],
    ['juliet@example.com/foo', ['juliet', 'example.com', 'foo']],
    ['juliet@example.com/foo bar', ['juliet', 'example.com', 'foo bar']],
    ['juliet@example.com/foo@bar', ['juliet', 'example.com', 'foo@bar']],
    ['foo\\20bar@example.com', ['foo\\20bar', 'example.com', '']],
    ['fussball@example.com', ['fussball', 'example.com', '']],
    ['fu\u00DFball@example.com', ['fu\u00DFball', 'example.com', '']],
    ['\u03C0@example.com', ['\u03C0', 'example.com', '']],
    ['\u03A3@example.com/foo', ['\u03C3', 'example.com', 'foo']],
    ['\u03C3@example.com/foo', ['\u03C3', 'example.com', 'foo']],
    ['\u03C2@example.com/foo', ['\u03C2', 'example.com', 'foo']],
    ['king@example.com/\u265A', ['king', 'example.com', '\u265A']],
    ['example.com', ['', 'example.com', '']],
    ['example.com/foobar', ['', 'example.com', 'foobar']],
    ['a.example.com/b@example.net', ['', 'a.example.com', 'b@example.net']],
  ];
  for (const [text, expected] of table) t.same(parts(text), expected, text);
});

// [RFC7622-3.3-b] [RFC7622-3.5-a]
t.test(
  'the texts of RFC 7622 §3.5, Table 2, are refused; the one that erratum 4560 takes out of it is not',
  async (t) => {
    for (const text of [
      '"juliet"@example.com',
      'foo bar@example.com',
      '@example.com/',
      'henry\u2163@example.com',
      '\u265A@example.com',
      'juliet@',
      '/foobar',
    ]) {
      t.throws(() => Jid.parse(text), JidError, text);
    }
    t.equal(Jid.parse('juliet@example.com/ foo').resource, ' foo');
  },
);

// [RFC7622-3.1-b,d] [RFC7622-3.3-b] [RFC7622-3.4-b,c]
t.test('an address comes apart at the first slash, and only then at the first at sign', async (t) => {
  t.same(parts('evil@x/@trusted.org'), ['evil', 'x', '@trusted.org']);
  t.equal(Jid.parse('evil@x/@trusted.org').bare.toString(), 'evil@x');
  t.same(parts('x/evil@trusted.org'), ['', 'x', 'evil@trusted.org']);
  t.same(parts('a@b/c/d'), ['a', 'b', 'c/d']);
  for (const text of ['a@b@c', 'a@@b', '', '@', '/', '@/', '@b', 'a@/r', 'b/', 'a@b/', '\u0001a@b']) {
    t.throws(() => Jid.parse(text), JidError, JSON.stringify(text));
  }
});

// [RFC7622-3.1-c] [RFC7622-3.2-b,c,d] [RFC7622-3.3-a] [RFC7622-3.4-a] [pitfall-unprepared-jid]
t.test('however a name is written, its JID is the same', async (t) => {
  const same: readonly [string, string, string][] = [
    ['case', 'JULIET@Example.COM/Balcony', 'juliet@example.com/Balcony'],
    ['case beyond ASCII', 'ÉLODIE@ΠΑΡΆΔΕΙΓΜΑ.GR', 'élodie@παράδειγμα.gr'],
    ['width', 'ｊｕｌｉｅｔ@ｅｘａｍｐｌｅ．ｃｏｍ', 'juliet@example.com'],
    ['half-width katakana', 'ｶﾞ@example.com', 'ガ@example.com'],
    ['composition', 'e\u0301lodie@cafe\u0301.example/e\u0301', '\u00E9lodie@caf\u00E9.example/\u00E9'],
    ['spaces of a resource', 'a@b/foo\u00A0\u1680\u3000bar', 'a@b/foo   bar'],
    ['A-labels', 'a@XN--BCHER-KVA.example', 'a@bücher.example'],
    ['ideographic full stops', 'a@例え。テスト｡jp．', 'a@例え.テスト.jp'],
    ['the dot of the root', 'a@example.com./r', 'a@example.com/r'],
    ['an IPv6 address', 'a@[2001:DB8:0:0::1]', 'a@[2001:db8::1]'],
  ];
  for (const [what, written, canonical] of same) {
    t.equal(Jid.parse(written).toString(), canonical, what);
    t.ok(Jid.parse(written).equals(Jid.parse(canonical)), what);
    t.equal(Jid.parse(canonical).toString(), canonical, `${what}: the canonical text stays`);
  }
  t.notOk(Jid.parse('a@b/R').equals(Jid.parse('a@b/r')), 'a resource keeps its case');
  t.notOk(Jid.parse('a@b/ｒ').equals(Jid.parse('a@b/r')), 'and its width');
  t.notOk(Jid.parse('\u0430lice@example.com').equals(Jid.parse('alice@example.com')), 'a Cyrillic а is another letter');
});

// [RFC7622-3.3.1-a] [pitfall-unprepared-jid]
t.test('no spelling smuggles a delimiter into a localpart or a domain', async (t) => {
  for (const delimiter of '"&\'/:<>@') {
    t.throws(() => Jid.of(`a${delimiter}b`, 'example.com'), JidError, delimiter);
    const fullWidth = String.fromCharCode(delimiter.charCodeAt(0) + 0xfee0);
    t.throws(() => Jid.parse(`a${fullWidth}b@example.com`), JidError, `full-width ${delimiter}`);
    t.throws(() => Jid.parse(`a@b${fullWidth}trusted.org`), JidError, `full-width ${delimiter} in a domain`);
  }
  t.throws(() => Jid.of('a<\u0338b', 'example.com'), JidError, 'nor one that hides in a composition');
  t.throws(() => Jid.of('a=\u0338b', 'example.com'), JidError, 'nor a sign that composing makes');
  t.throws(() => Jid.of('a', 'b/c'), JidError);
  t.throws(() => Jid.of('a', 'b@c'), JidError);
});

// [RFC7622-3.1-a]
t.test('each part has at most 1023 bytes in UTF-8, counted after preparation', async (t) => {
  const labels = (length: number) => `${'a.'.repeat(511)}${'b'.repeat(length)}`;
  t.equal(Jid.of('a'.repeat(1023), 'b').localpart.length, 1023);
  t.throws(() => Jid.of('a'.repeat(1024), 'b'), JidError);
  t.equal(Jid.of('a', labels(1)).domainpart.length, 1023);
  t.throws(() => Jid.of('a', labels(2)), JidError);
  t.equal(Jid.of('a', 'b', 'c'.repeat(1023)).resource.length, 1023);
  t.throws(() => Jid.of('a', 'b', 'c'.repeat(1024)), JidError);

  t.equal(Jid.of('é'.repeat(511), 'b').localpart.length, 511);
  t.throws(() => Jid.of('é'.repeat(512), 'b'), JidError, 'bytes, not characters');
  t.equal(Jid.of('', 'b', '\u{1F600}'.repeat(255)).resource.length, 510);
  t.throws(() => Jid.of('', 'b', '\u{1F600}'.repeat(256)), JidError, 'bytes, not units');
  t.equal(
    Jid.of('ａ'.repeat(1023), 'b').localpart,
    'a'.repeat(1023),
    'three thousand bytes of full width are one thousand',
  );
  t.equal(Jid.of('e\u0301'.repeat(511), 'b').localpart.length, 511);

  const huge = 'x'.repeat(1_000_000);
  for (const text of [huge, `${huge}@b`, `a@b/${huge}`]) t.ok(complaint(text).length < 200, complaint(text));
});

t.test('an error says which part is wrong and why, and quotes no more than the beginning of it', async (t) => {
  const sentences: readonly [string, string][] = [
    [
      'foo bar@example.com',
      'not a JID: the localpart "foo bar": U+0020 is not allowed: outside ASCII, only letters, marks and digits are',
    ],
    [
      '"juliet"@example.com',
      'not a JID: the localpart "<U+0022>juliet<U+0022>": U+0022 (") is not allowed (RFC 7622 §3.3.1)',
    ],
    ['@example.com', 'not a JID: the localpart: there is nothing before the "@" of "@example.com"'],
    ['example.com/', 'not a JID: the resource: there is nothing after the "/" of "example.com/"'],
    ['juliet@', 'not a JID: the domainpart: there is nothing after the "@" of "juliet@"'],
    ['', 'not a JID: the domainpart: it is empty'],
    ['a@b..c', 'not a JID: the domainpart "b..c": it has an empty label'],
    [
      'a@my_host',
      'not a JID: the domainpart "my_host": a label may contain only letters, digits and hyphens, and no hyphen at either end',
    ],
    ['a@☃.net', 'not a JID: the domainpart "☃.net": U+2603 is not allowed in a domain name (RFC 5892)'],
    ['a@b/\u0007', 'not a JID: the resource "<U+0007>": U+0007 is not allowed'],
    ['a@b/x\u202Ey\n', 'not a JID: the resource "x<U+202E>y<U+000A>": U+202E is not allowed'],
    ['a@b/\u{1F600}\u{378}', 'not a JID: the resource "\u{1F600}<U+0378>": U+0378 is not a character of Unicode 16.0'],
    [`${'é'.repeat(600)}@b`, `not a JID: the localpart "${'é'.repeat(48)}…": it is longer than 1023 bytes`],
  ];
  for (const [text, sentence] of sentences) t.equal(complaint(text), sentence);
  const error = t.throws(() => Jid.parse('a b@c'), JidError);
  t.match(error, { name: 'JidError', part: 'localpart', cause: PrecisError });
});

t.test('tryParse gives nothing for what is no JID, and for nothing', async (t) => {
  t.equal(Jid.tryParse(undefined), undefined);
  t.equal(Jid.tryParse(''), undefined);
  t.equal(Jid.tryParse('a b@c'), undefined);
  t.equal(Jid.tryParse('a@\uD800'), undefined, 'half a character is none');
  t.equal(Jid.tryParse('a@b')?.toString(), 'a@b');
});

// [pitfall-wire-addresses]
t.test('an address that our server wrote is one, even if RFC 7622 forbids it', async (t) => {
  for (const text of [
    'tea@rooms.localhost/Dana · at work',
    'tea@rooms.localhost/\u{1F469}\u200D\u{1F4BB}',
    'tea@rooms.localhost/❤️',
    'tea@rooms.localhost/\u200EDana',
    'tea@rooms.localhost/da\u00ADna',
    'i♥xmpp@localhost',
    'i♥xmpp@localhost/phone',
    'bob@under_score.example',
    'tea@rooms.localhost/١2۳',
  ]) {
    const jid = Jid.fromWire(text);
    t.equal(jid?.toString(), text, text);
    t.ok(jid?.equals(Jid.fromWire(text)), 'it equals itself');
    t.ok(Jid.fromWire(jid?.toString())?.equals(jid), 'also when it was stored');
    t.equal(Jid.fromWire(jid?.bare.toString())?.equals(jid?.bare), true);
  }
  t.equal(Jid.fromWire('BOB@Localhost/Desk')?.toString(), 'bob@localhost/Desk', 'what can be prepared is prepared');
  t.equal(Jid.fromWire('I♥XMPP@LOCALHOST/x')?.toString(), 'I♥XMPP@localhost/x', 'and the other parts still are');
  const nick = Jid.parse('tea@rooms.localhost').withWireResource('Dana · at work');
  t.ok(nick.equals(Jid.fromWire('tea@rooms.localhost/Dana · at work')));
  t.throws(() => Jid.parse('i♥xmpp@localhost'), { name: 'JidError' }, 'who types it gets an error');
});

// [pitfall-wire-addresses]
t.test('no two people become one, and what no server writes is no address', async (t) => {
  const people = ['i♥xmpp@localhost', 'I♥XMPP@localhost', 'i♡xmpp@localhost', 'ixmpp@localhost'];
  t.equal(new Set(people.map((text) => Jid.fromWire(text)?.toString())).size, people.length);
  const room = 'tea@rooms.localhost';
  t.notOk(Jid.fromWire(`${room}/da\u00ADna`)?.equals(Jid.parse(`${room}/dana`)));
  t.notOk(Jid.fromWire(`${room}/dana\u200E`)?.equals(Jid.fromWire(`${room}/dana`)));
  const part = '♥'.repeat(341);
  t.ok(Jid.fromWire(`${part}@localhost`), '1023 bytes');
  for (const text of [
    '@localhost',
    'bob@',
    'bob@localhost/',
    '',
    'bo♥b b@localhost',
    'b<♥@localhost',
    'i❤\uFE0Fxmpp@localhost',
    'x@y@z',
    'bob@local host',
    '\u200B@localhost',
    `${room}/a\u2028♥`,
    `${room}/a\u0085·`,
    `${part}x@localhost`,
    `${room}/${part}x·`,
  ])
    t.equal(Jid.fromWire(text), undefined, encodeURIComponent(text).slice(0, 40));
  t.equal(Jid.fromWire(undefined), undefined);
});

t.test('a JID gives its bare one, another resource, its text and its JSON', async (t) => {
  const jid = Jid.of('Juliet', 'Example.com', 'Balcony');
  t.equal(jid.toString(), 'juliet@example.com/Balcony');
  t.equal(JSON.stringify({ jid }), '{"jid":"juliet@example.com/Balcony"}');
  t.notOk(jid.isBare);
  t.equal(jid.bare.toString(), 'juliet@example.com');
  t.equal(jid.bare, jid.bare, 'made once');
  t.equal(jid.bare.bare, jid.bare);
  t.ok(jid.bare.isBare);
  t.equal(jid.withResource('Garden').toString(), 'juliet@example.com/Garden');
  t.equal(jid.withResource('e\u0301').resource, '\u00E9', 'prepared as well');
  t.ok(jid.withResource('').equals(jid.bare));
  t.throws(() => jid.withResource('\0'), JidError);
  t.notOk(jid.equals(jid.bare));
  t.notOk(jid.equals(undefined));
  t.ok(Jid.of('', 'b', 'r').equals(Jid.parse('b/r')));
});

t.test('a JID cannot be changed', async (t) => {
  const jid = Jid.parse('a@b/c');
  t.throws(() => Object.assign(jid, { localpart: 'admin' }), TypeError);
  t.equal(jid.localpart, 'a');
});

t.test('a peer cannot make the memory of parsed JIDs grow: what is used stays in it, the rest goes', async (t) => {
  const used = Jid.parse('used@example.com');
  const once = Jid.parse('once@example.com');
  t.equal(Jid.parse('used@example.com'), used, 'remembered');
  for (let i = 0; i < 20_000; i++) {
    Jid.parse(`peer${i}@example.com`);
    if (i % 100 === 0) Jid.parse('used@example.com');
  }
  t.equal(Jid.parse('used@example.com'), used, 'still remembered');
  t.not(Jid.parse('once@example.com'), once, 'forgotten');
  const long = `a@b/${'c'.repeat(1000)}`;
  t.not(Jid.parse(long), Jid.parse(long), 'a long one is not remembered at all');
});

t.test('a JID that is kept does not keep the text it was cut from', async (t) => {
  setFlagsFromString('--expose_gc');
  const collectGarbage: () => void = runInNewContext('gc');
  const kept: unknown[] = [];
  collectGarbage();
  const before = process.memoryUsage().heapUsed;
  for (let i = 0; i < 64; i++) {
    const chunk =
      `${String(i).padStart(20, 'x')}@example.com/resource-of-some-length${'.'.repeat(1_000_000)}`.toUpperCase();
    const address = chunk.slice(0, 55);
    kept.push(Jid.parse(address), Jid.of('a', 'b', chunk.slice(20, 60)), Jid.parse(address.toLowerCase()).bare);
  }
  collectGarbage();
  const megabytes = (process.memoryUsage().heapUsed - before) / 1_000_000;
  t.ok(
    megabytes < 16,
    `64 chunks of a megabyte were read, ${megabytes.toFixed(1)} MB are held for ${kept.length} JIDs`,
  );
});

// [XEP-0106 §5]
t.test('the examples of XEP-0106 §5.1 are escaped and shown again', async (t) => {
  const table: readonly [string, string][] = [
    ['space cadet', 'space\\20cadet'],
    ['call me "ishmael"', 'call\\20me\\20\\22ishmael\\22'],
    ['at&t guy', 'at\\26t\\20guy'],
    ["d'artagnan", 'd\\27artagnan'],
    ['/.fanboy', '\\2f.fanboy'],
    ['::foo::', '\\3a\\3afoo\\3a\\3a'],
    ['<foo>', '\\3cfoo\\3e'],
    ['user@host', 'user\\40host'],
    ['c:\\net', 'c\\3a\\net'],
    ['c:\\\\net', 'c\\3a\\\\net'],
    ['c:\\cool stuff', 'c\\3a\\cool\\20stuff'],
    ['c:\\5commas', 'c\\3a\\5c5commas'],
    // §5.2 to §5.5 and §5.7: mail, IMPS and IRC addresses.
    ["here's_a_wild_&_/cr%zy/_address", 'here\\27s_a_wild_\\26_\\2fcr%zy\\2f_address'],
    ['here_for:<wv>("IMPS")', 'here_for\\3a\\3cwv\\3e(\\22IMPS\\22)'],
    ['\\3and\\2is\\5cool', '\\5c3and\\2is\\5c5cool'],
    ['somenick!user"&\'/:<>\\3address', 'somenick!user\\22\\26\\27\\2f\\3a\\3c\\3e\\5c3address'],
  ];
  for (const [shown, escaped] of table) {
    t.equal(escapeLocalpart(shown), escaped, shown);
    t.equal(unescapeLocalpart(escaped), shown, escaped);
    t.equal(Jid.of(escaped.toLowerCase(), 'example.com').localpart, escaped.toLowerCase(), 'and can be a localpart');
  }
});

// [XEP-0106 §4.3]
t.test('what is no escape stays as it is (XEP-0106 §4.3), and so does a space at either end', async (t) => {
  for (const text of ['\\2plus\\2is\\4', 'foo\\bar', 'foob\\41r', '\\2F', '\\']) {
    t.equal(escapeLocalpart(text), text);
    t.equal(unescapeLocalpart(text), text);
  }
  t.equal(unescapeLocalpart('\\20a\\20b\\20'), '\\20a b\\20');
  for (const text of [' a', 'a ', ' ']) t.throws(() => escapeLocalpart(text), EscapingError);
});
