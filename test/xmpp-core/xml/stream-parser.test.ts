import t from 'tap';
import { StreamError, XmppError } from '../../../src/xmpp-core/errors.js';
import { type Element, el, NS_XML } from '../../../src/xmpp-core/xml/element.js';
import type { XmlLimits } from '../../../src/xmpp-core/xml/limits.js';
import { scope, serialize } from '../../../src/xmpp-core/xml/serialize.js';
import { parseElement, StreamParser } from '../../../src/xmpp-core/xml/stream-parser.js';

const CLIENT = 'jabber:client';
const STREAMS = 'http://etherx.jabber.org/streams';
const HEADER = `<stream:stream xmlns='${CLIENT}' xmlns:stream='${STREAMS}'>`;

interface Recorded {
  readonly parser: StreamParser;
  readonly log: string[];
  readonly elements: Element[];
}

function record(limits?: Partial<XmlLimits>): Recorded {
  const log: string[] = [];
  const elements: Element[] = [];
  const parser = new StreamParser(
    {
      onOpen: (header) => log.push(`open ${serialize(header)}`),
      onElement: (element) => {
        elements.push(element);
        log.push(serialize(element, scope(CLIENT, { stream: STREAMS })));
      },
      onClose: () => log.push('close'),
    },
    limits,
  );
  return { parser, log, elements };
}

function bytes(...parts: readonly (string | readonly number[])[]): Uint8Array {
  return Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.from(part))));
}

/** The condition of the stream error that this throws, if it does. */
function thrownBy(act: () => unknown): string | undefined {
  try {
    act();
  } catch (error) {
    if (error instanceof StreamError) return error.condition;
    throw error;
  }
  return undefined;
}

/** The condition that these bytes end a stream with, whole and byte by byte; `undefined` when they are taken. */
function conditionOf(input: Uint8Array | string, limits?: Partial<XmlLimits>): string | undefined {
  const all = typeof input === 'string' ? Buffer.from(input) : input;
  const results = [all.length, 1].map((size) => {
    const { parser } = record(limits);
    return thrownBy(() => {
      for (let at = 0; at < all.length; at += size) parser.write(all.subarray(at, at + size));
    });
  });
  return results[0] === results[1] ? results[0] : `whole ${results[0]}, in bytes ${results[1]}`;
}

// [pitfall-depth-desync]
t.test('a stream comes apart into its header, its stanzas and its end', async (t) => {
  const { parser, log } = record();
  parser.write(`<?xml version='1.0' encoding='UTF-8'?>\n${HEADER.replace('>', " to='a&amp;b'>")} \n`);
  t.same(log, [`open <stream xmlns='${STREAMS}' to='a&amp;b'/>`], 'the header is told at once');
  parser.write("<message to='c'><bo");
  t.equal(log.length, 1, 'half a stanza is not told');
  parser.write('dy>h&#x1F600;é</body></message><iq/>\t<stream:error/>');
  parser.write('</stream:stream> \n');
  t.same(log.slice(1), ["<message to='c'><body>h😀é</body></message>", '<iq/>', '<stream:error/>', 'close']);
});

// [RFC6120-11.7-a]
t.test('ignores white space between stanzas', async (t) => {
  const { parser, log } = record();
  parser.write(HEADER);
  for (const space of [' ', '\n', '\t', '\r\n', ' '.repeat(5_000_000)]) parser.write(space);
  parser.write('<iq/>');
  t.same(log.slice(1), ['<iq/>']);
});

// [RFC6120-11.2-a]
t.test('namespaces are resolved, prefixed or default, for elements and attributes', async (t) => {
  const { parser, elements } = record();
  parser.write(`${HEADER}<a:m xmlns:a='urn:a' a:x='1' x='2' xml:lang='en'><b xmlns='urn:b' a:y='3'><c/></b><d/></a:m>`);
  const [m] = elements;
  t.ok(m?.is('m', 'urn:a'));
  t.same(m?.attributes, ['x', 'urn:a', '1', 'x', '', '2', 'lang', NS_XML, 'en']);
  t.equal(m?.child('b', 'urn:b')?.attr('y', 'urn:a'), '3');
  t.ok(m?.child('b', 'urn:b')?.child('c'));
  t.ok(m?.child('d', CLIENT), 'the default namespace of the stream is back after <b/>');
  parser.write("<n xmlns:a='urn:z'><a:o/></n>");
  t.ok(elements[1]?.child('o', 'urn:z'), 'a prefix may stand for another namespace in another stanza');
});

// [pitfall-prototype-keys]
t.test('names that mean something to JavaScript are names like any other', async (t) => {
  const root = parseElement(
    "<constructor __proto__='1' constructor='2' toString='3'><__proto__/><hasOwnProperty/></constructor>",
  );
  t.equal(root.attr('__proto__'), '1');
  t.equal(root.attr('constructor'), '2');
  t.equal(root.attr('valueOf'), undefined);
  t.ok(root.child('__proto__'));
  t.equal(conditionOf(`${HEADER}<a __proto__:b='1'/>`), 'not-well-formed', 'no inherited prefix is found');
  t.equal(conditionOf(`${HEADER}<constructor:b/>`), 'not-well-formed');
});

// [pitfall-stanza-smuggling] [pitfall-output-injection]
t.test('parsing and serializing is a round trip', async (t) => {
  const nasty = `<&>'" \t\n\r ]]> é😀 \u2028\x85`;
  const tree = el(
    'a',
    'urn:a',
    { v: nasty, 'xml:lang': 'en' },
    nasty,
    el('b', 'urn:b', {}, el('c', 'urn:a'), ' '),
    'end',
  );
  const again = parseElement(serialize(tree));
  t.equal(serialize(again), serialize(tree));
  t.equal(again.attr('v'), nasty);
  t.same(again.nodes[0], nasty);
});

t.test('text is one node, whatever it is made of', async (t) => {
  t.same(parseElement('<a>x<![CDATA[<&]]>&amp;<![CDATA[]]><![CDATA[]]]]>\r\ny</a>').nodes, ['x<&&]]\ny']);
  t.same(parseElement('<a><![CDATA[]]></a>').nodes, []);
});

const inStanza = (xml: string): string => `${HEADER}<message>${xml}</message>`;

// [RFC6120-4.8.5-a] [RFC6120-4.9.3-1,13,18,22] [RFC6120-11.1-a,b,c,d] [RFC6120-11.3-a,b] [RFC6120-11.5-b]
// [RFC6120-11.6-b,c] [pitfall-stanza-smuggling] [pitfall-restricted-xml] [pitfall-utf8-split]
t.test('each piece of XML that XMPP does not allow has its stream error', async (t) => {
  const rows: readonly (readonly [condition: string | undefined, input: string | Uint8Array, why: string])[] = [
    // RFC 6120 §11.1
    ['restricted-xml', inStanza('<!-- x -->'), 'a comment'],
    ['restricted-xml', `<!-- x -->${HEADER}`, 'a comment before the header'],
    ['restricted-xml', `<!DOCTYPE stream>${HEADER}`, 'a document type declaration'],
    ['restricted-xml', `<!DOCTYPE s [<!ENTITY x "y">]>${HEADER}`, 'an entity declared'],
    ['restricted-xml', inStanza('<?php x?>'), 'a processing instruction'],
    ['restricted-xml', `<?xml-stylesheet href='x'?>${HEADER}`, 'a processing instruction at the start'],
    ['restricted-xml', inStanza('&nbsp;'), 'an entity'],
    ['restricted-xml', `${HEADER}<a b='&e;'/>`, 'an entity in a value'],
    // RFC 6120 §11.6
    ['unsupported-encoding', `<?xml version='1.0' encoding='ISO-8859-1'?>${HEADER}`, 'another encoding'],
    ['unsupported-encoding', `<?xml version='1.0' encoding='UTF-16'?>${HEADER}`, 'another Unicode encoding'],
    [undefined, `<?xml version="1.0" encoding="uTf-8" standalone='no' ?>${HEADER}`, 'UTF-8 in any case'],
    ['not-well-formed', bytes([0xef, 0xbb, 0xbf], HEADER), 'U+FEFF is a character, never a mark of byte order'],
    [undefined, inStanza('\uFEFF'), 'and as such may stand in text'],
    // the XML declaration
    ['not-well-formed', ` <?xml version='1.0'?>${HEADER}`, 'a declaration after white space'],
    ['not-well-formed', `<?xml version='1.0'?><?xml version='1.0'?>${HEADER}`, 'two declarations'],
    ['not-well-formed', inStanza("<?xml version='1.0'?>"), 'a declaration in a stanza'],
    ['not-well-formed', `<?xml encoding='UTF-8'?>${HEADER}`, 'a declaration without a version'],
    ['not-well-formed', `<?xml version='2.0'?>${HEADER}`, 'a version that is not of XML 1'],
    ['not-well-formed', `<?XML version='1.0'?>${HEADER}`, 'XML in capitals'],
    // text where there is none
    ['bad-format', `${HEADER}hello<iq/>`, 'text between stanzas'],
    ['bad-format', `${HEADER}<![CDATA[ ]]>`, 'CDATA between stanzas'],
    ['bad-format', `${HEADER}&#32;`, 'a reference between stanzas'],
    ['not-well-formed', `x${HEADER}`, 'text before the header'],
    ['not-well-formed', `${HEADER}</stream:stream>x`, 'text after the end'],
    ['not-well-formed', `${HEADER}</stream:stream><a/>`, 'a second root'],
    // UTF-8 (RFC 3629 §3)
    ['not-well-formed', bytes(HEADER, '<a>', [0xc0, 0xbc], '</a>'), '< in two bytes'],
    ['not-well-formed', bytes(HEADER, '<a>', [0xe0, 0x80, 0xbc], '</a>'), '< in three bytes'],
    ['not-well-formed', bytes(HEADER, '<a>', [0xe0, 0x9f, 0xbf], '</a>'), 'U+07FF in three bytes'],
    ['not-well-formed', bytes(HEADER, '<a>', [0xf0, 0x8f, 0xbf, 0xbf], '</a>'), 'U+FFFF in four bytes'],
    ['not-well-formed', bytes(HEADER, '<a>', [0xed, 0xa0, 0x80], '</a>'), 'a surrogate'],
    ['not-well-formed', bytes(HEADER, '<a>', [0xed, 0xbf, 0xbf], '</a>'), 'the last surrogate'],
    ['not-well-formed', bytes(HEADER, '<a>', [0xf4, 0x90, 0x80, 0x80], '</a>'), 'beyond U+10FFFF'],
    ['not-well-formed', bytes(HEADER, '<a>', [0xf8, 0x88, 0x80, 0x80, 0x80], '</a>'), 'five bytes'],
    ['not-well-formed', bytes(HEADER, '<a>', [0x80], '</a>'), 'a byte that only continues'],
    ['not-well-formed', bytes(HEADER, '<a>', [0xc3], '</a>'), 'a character cut off by a tag'],
    ['not-well-formed', bytes(HEADER, '<a>', [0xe2, 0x82], 'x</a>'), 'a character cut off by another'],
    ['not-well-formed', bytes(HEADER, "<a b='", [0xff], "'/>"), 'no UTF-8 in a value'],
    ['not-well-formed', bytes(HEADER, '<a', [0xc3], '/>'), 'no UTF-8 in a name'],
    [undefined, bytes(HEADER, '<a>', [0xf4, 0x8f, 0xbf, 0xbf], '</a>'), 'U+10FFFF'],
    // Char (XML 1.0 §2.2)
    ['not-well-formed', inStanza('\0'), 'U+0000'],
    ['not-well-formed', inStanza('\x1F'), 'a control character'],
    ['not-well-formed', inStanza('<![CDATA[\x0B]]>'), 'a control character in CDATA'],
    ['not-well-formed', `${HEADER}<a b='\x08'/>`, 'a control character in a value'],
    ['not-well-formed', inStanza('\uFFFE'), 'U+FFFE'],
    ['not-well-formed', inStanza('<![CDATA[\uFFFF]]>'), 'U+FFFF'],
    [undefined, inStanza('\x7F\x85\u2028'), 'characters that XML 1.0 has and XML 1.1 treats otherwise'],
    // references (XML 1.0 §4.1)
    ['not-well-formed', inStanza('&#0;'), 'a reference to U+0000'],
    ['not-well-formed', inStanza('&#x1F;'), 'a reference to a control character'],
    ['not-well-formed', inStanza('&#xD800;'), 'a reference to a surrogate'],
    ['not-well-formed', inStanza('&#xFFFE;'), 'a reference to U+FFFE'],
    ['not-well-formed', inStanza('&#x110000;'), 'a reference beyond Unicode'],
    ['not-well-formed', inStanza('&#99999999999999999999;'), 'a reference far beyond Unicode'],
    ['not-well-formed', inStanza('&#;'), 'a reference to nothing'],
    ['not-well-formed', inStanza('&#X41;'), 'a reference with a capital X'],
    ['not-well-formed', inStanza('&#4A;'), 'hexadecimal digits in a decimal reference'],
    ['not-well-formed', inStanza('a & b;'), 'a bare ampersand'],
    ['not-well-formed', inStanza('&amp'), 'a reference without its end'],
    ['not-well-formed', inStanza('&amp<b/>;'), 'a reference cut by a tag'],
    [undefined, inStanza('&#00000000000065;&#x10FFFF;'), 'many zeros'],
    // tags
    ['not-well-formed', inStanza(']]>'), ']]> in text'],
    [undefined, `${HEADER}<a b=']]>'>]]&gt;]] ></a>`, ']]> in a value and its parts in text'],
    ['not-well-formed', `${HEADER}<a b='<'/>`, '< in a value'],
    ['not-well-formed', `${HEADER}<a <b/>`, '< in a tag'],
    ['not-well-formed', `${HEADER}<a@b/>`, 'an element whose name is none'],
    ['not-well-formed', `${HEADER}<a\x7F/>`, 'a control character in a name'],
    ['not-well-formed', `${HEADER}<a b?='1'/>`, 'an attribute whose name is none'],
    ['not-well-formed', `${HEADER}<a></a[>`, 'an end tag whose name is none'],
    ['not-well-formed', `${HEADER}<a b=c/>`, 'a value without quotes'],
    ['not-well-formed', `${HEADER}<a b/>`, 'an attribute without a value'],
    ['not-well-formed', `${HEADER}<a b='1'c='2'/>`, 'attributes that are not apart'],
    ['not-well-formed', `${HEADER}<a b='1' b='2'/>`, 'an attribute twice'],
    [
      'not-well-formed',
      `${HEADER}<a xmlns:p='u' xmlns:q='u' p:b='1' q:b='2'/>`,
      'an attribute twice under two prefixes',
    ],
    [undefined, `${HEADER}<a xmlns='u' xmlns:p='u' p:b='1' b='2'/>`, 'an attribute with and without a namespace'],
    ['not-well-formed', `${HEADER}< a/>`, 'a tag that begins with a space'],
    ['not-well-formed', `${HEADER}<a/ >`, 'a space after the slash'],
    ['not-well-formed', `${HEADER}<a></ a>`, 'an end tag that begins with a space'],
    ['not-well-formed', `${HEADER}<a></a b='c'>`, 'an end tag with an attribute'],
    ['not-well-formed', `${HEADER}<a></b>`, "another's end tag"],
    ['not-well-formed', `${HEADER}<a></A>`, 'an end tag in capitals'],
    ['not-well-formed', `${HEADER}<a></ab>`, 'an end tag with a longer name'],
    ['not-well-formed', `${HEADER}<ab></a>`, 'an end tag with a shorter name'],
    ['not-well-formed', `${HEADER}<p:a xmlns:p='u' xmlns:q='u'></q:a>`, 'an end tag with another prefix'],
    ['not-well-formed', `</a>`, 'an end tag first'],
    ['not-well-formed', '</>', 'an end tag first, without a name'],
    ['not-well-formed', `${HEADER}<a></>`, 'an end tag without a name'],
    ['not-well-formed', `${HEADER}<éééé></éé>`, 'an end tag with half of the name'],
    ['not-well-formed', inStanza('<![INCLUDE[x]]>'), 'a conditional section'],
    ['not-well-formed', inStanza('<![cdata[x]]>'), 'CDATA in small letters'],
    [undefined, inStanza('<a\n\t b = "\'"\r\nc\t=\'"\' ></a \n>'), 'white space wherever it may be'],
    // names
    ['not-well-formed', `${HEADER}<1a/>`, 'a name that begins with a digit'],
    ['not-well-formed', `${HEADER}<-a/>`, 'a name that begins with a hyphen'],
    ['not-well-formed', `${HEADER}<a×/>`, 'a name with a sign that is no letter'],
    ['not-well-formed', `${HEADER}<a b$='1'/>`, 'an attribute name with a dollar'],
    [undefined, `${HEADER}<é ключ='1'><日本/></é>`, 'letters of all alphabets'],
    [undefined, `${HEADER}<\u{10000}/>`, 'letters of the fifth edition'],
    ['not-well-formed', `${HEADER}<\u{F0000}/>`, 'a character of private use in a name'],
    // Namespaces in XML; RFC 6120 §4.9.3.13 gives an undeclared prefix as its example of not-well-formed
    ['not-well-formed', `${HEADER}<message><foo:body>x</foo:body></message>`, 'a prefix that is not declared'],
    ['not-well-formed', `${HEADER}<a foo:b='1'/>`, 'a prefix of an attribute that is not declared'],
    ['not-well-formed', `${HEADER}<a><b xmlns:p='u'/><p:c/></a>`, 'a prefix that is no longer declared'],
    ['not-well-formed', `${HEADER}<a:b:c xmlns:a='u'/>`, 'two colons'],
    ['not-well-formed', `${HEADER}<:a/>`, 'a colon first'],
    ['not-well-formed', `${HEADER}<stream:/>`, 'a colon last'],
    ['not-well-formed', `${HEADER}<stream:2tream/>`, 'a local part that is no name'],
    ['not-well-formed', `${HEADER}<a xmlns:p=''/>`, 'a prefix for no namespace'],
    ['not-well-formed', `${HEADER}<a xmlns:xml='u'/>`, 'xml for another namespace'],
    ['not-well-formed', `${HEADER}<a xmlns:p='${NS_XML}'/>`, "xml's namespace for another prefix"],
    ['not-well-formed', `${HEADER}<a xmlns='${NS_XML}'/>`, "xml's namespace as default"],
    ['not-well-formed', `${HEADER}<a xmlns:xmlns='u'/>`, 'xmlns as a prefix'],
    ['not-well-formed', `${HEADER}<xmlns:a/>`, 'xmlns as the prefix of an element'],
    ['not-well-formed', `${HEADER}<a xmlns='http://www.w3.org/2000/xmlns/'/>`, 'the namespace of xmlns as default'],
    ['not-well-formed', `${HEADER}<a xmlns:p='http://www.w3.org/2000/xmlns/'/>`, 'the namespace of xmlns for a prefix'],
    ['not-well-formed', `${HEADER}<a xmlns='u' xmlns='u'/>`, 'a declaration twice'],
    [undefined, `${HEADER}<a xmlns:xml='${NS_XML}'><b xmlns=''/></a>`, 'what may be declared'],
  ];
  for (const [condition, input, why] of rows) t.equal(conditionOf(input), condition, why);
});

t.test('a long text beyond ASCII is held to the same rules as a short one', async (t) => {
  const long = 'é'.repeat(1_000);
  for (const bad of ['\0', '\x1F', '\uFFFE', ']]>', '&nope;', '&']) {
    const found = conditionOf(inStanza(bad + long));
    t.not(found, undefined, JSON.stringify(bad));
    t.equal(found, conditionOf(inStanza(bad)));
  }
  for (const bad of [[0xc3], [0xed, 0xa0, 0x80], [0xc0, 0xbc], [0xf4, 0x90, 0x80, 0x80]]) {
    t.equal(conditionOf(bytes(HEADER, `<a>${long}`, bad, '</a>')), 'not-well-formed');
    t.equal(conditionOf(bytes(HEADER, `<a b='${long}`, bad, "'/>")), 'not-well-formed');
  }
  t.equal(parseElement(`<a>\uFEFF${long}\r\n\t&lt;></a>`).text, `\uFEFF${long}\n\t<>`);
  t.equal(parseElement(`<a><![CDATA[${long}\r&]]></a>`).text, `${long}\n&`);
  t.equal(parseElement(`<a v='${long}\r\n\t>'/>`).attr('v'), `${long}  >`);
});

t.test('line ends and white space in values are made even as XML says', async (t) => {
  t.equal(parseElement('<a>1\r\n2\r3\n4&#13;</a>').text, '1\n2\n3\n4\r');
  t.equal(parseElement('<a><![CDATA[1\r\n2\r]]></a>').text, '1\n2\n');
  t.equal(parseElement("<a v='1\r\n2\r3\n4\t5&#13;&#10;&#9;'/>").attr('v'), '1 2 3 4 5\r\n\t');
});

// [RFC6120-4.9.3-14] [RFC6120-13.12-a] [pitfall-size-and-depth]
t.test('each limit ends the stream with policy-violation, and what just fits passes', async (t) => {
  const sized = (size: number): string => `<a>${'x'.repeat(size - '<a></a>'.length)}</a>`;
  const pairs: readonly (readonly [Partial<XmlLimits>, fits: string, over: string])[] = [
    [{ stanzaBytes: 2_000 }, sized(2_000), sized(2_001)],
    [{ stanzaBytes: 2_000 }, `<a b='${'x'.repeat(1_991)}'/>`, `<a b='${'x'.repeat(1_992)}'/>`],
    [{ stanzaBytes: 2_000 }, `<a>${'<b/>'.repeat(498)}</a> `.repeat(9), `<a>${'<b/>'.repeat(499)}</a>`],
    [{ stanzaBytes: 2_000 }, `<a>${'é'.repeat(996)}</a>`, `<a>${'é'.repeat(997)}</a>`],
    [{ depth: 3 }, '<a><b><c/></b></a>', '<a><b><c><d/></c></b></a>'],
    [{ attributes: 2 }, "<a b='1' xmlns='u'/>", "<a b='1' xmlns='u' c='2'/>"],
    [{ nameBytes: 20 }, `<${'é'.repeat(10)}/>`, `<${'é'.repeat(10)}e/>`],
    [{ nameBytes: 20 }, `<a ${'b'.repeat(20)}='1'/>`, `<a ${'b'.repeat(21)}='1'/>`],
    [{ children: 3 }, '<a>1<b/>2</a>', '<a>1<b/>2<b/></a>'],
  ];
  for (const [limits, fits, over] of pairs) {
    t.equal(conditionOf(HEADER + fits, limits), undefined, `${JSON.stringify(limits)} fits`);
    t.equal(conditionOf(HEADER + over, limits), 'policy-violation', `${JSON.stringify(limits)} over`);
  }
  t.equal(conditionOf(HEADER + sized(2_097_152)), 'policy-violation', 'two megabytes in one chunk');
  t.equal(
    conditionOf(`<stream to='${'x'.repeat(2_000)}'>`, { stanzaBytes: 1_000 }),
    'policy-violation',
    'a long header',
  );
});

// [RFC6120-13.12-a] [pitfall-size-and-depth]
t.test('rejects an endless stanza at the limit, before it is complete', async (t) => {
  const endless = ['<a>x', "<a b='", '<a', '</a', '<![CDATA[', '<?', '<a>&'];
  for (const beginning of endless) {
    const { parser } = record({ stanzaBytes: 10_000 });
    parser.write(HEADER + beginning);
    let written = 0;
    const condition = thrownBy(() => {
      for (; written < 1_000_000; written += 100) parser.write('x'.repeat(100));
    });
    t.equal(condition, 'policy-violation', beginning);
    t.ok(written <= 10_000, `${written} bytes of ${beginning}`);
  }
});

t.test('a token in very many pieces costs no more than its length', async (t) => {
  const { parser, elements } = record();
  parser.write(`${HEADER}<a b='`);
  for (let i = 0; i < 400_000; i++) parser.write(Uint8Array.of(0x78));
  parser.write("'>");
  for (let i = 0; i < 400_000; i++) parser.write(Uint8Array.of(0x79));
  parser.write('</a>');
  t.equal(elements[0]?.attr('b')?.length, 400_000);
  t.equal(elements[0]?.text.length, 400_000);
});

t.test('after a violation every write throws the same, and no handler is called', async (t) => {
  const { parser, log } = record();
  t.throws(() => parser.write(`${HEADER}<iq/><a></b><iq/>`), StreamError);
  t.equal(
    thrownBy(() => parser.write('<iq/>')),
    'not-well-formed',
  );
  t.equal(log.length, 2);
});

// [pitfall-starttls-buffering]
t.test('a stopped parser forgets what is left of the chunk and ignores what comes', async (t) => {
  for (const at of ['onOpen', 'onElement', 'onClose'] as const) {
    const seen: string[] = [];
    const handler = (event: string) => (): void => {
      seen.push(event);
      if (event === at) parser.stop();
    };
    const parser = new StreamParser({
      onOpen: handler('onOpen'),
      onElement: handler('onElement'),
      onClose: handler('onClose'),
    });
    parser.write(`<s><proceed/></s>`);
    parser.write('<evil/>& not even XML');
    t.equal(seen.at(-1), at);
    t.equal(seen.length, ['onOpen', 'onElement', 'onClose'].indexOf(at) + 1);
  }
  const { parser, log } = record();
  parser.write(`${HEADER}<iq`);
  parser.stop();
  parser.write('/>');
  t.equal(log.length, 1);
  const empty = new StreamParser({
    onOpen: () => empty.stop(),
    onElement() {},
    onClose: () => t.fail('closed after stop'),
  });
  empty.write('<s/>');
});

// [pitfall-depth-desync]
t.test('a handler that throws ends the parser, and one that writes into it is told so', async (t) => {
  const broken = new StreamParser({
    onOpen() {},
    onElement() {
      throw new Error('mine');
    },
    onClose() {},
  });
  t.throws(() => broken.write(`${HEADER}<iq/><iq/>`), { message: 'mine' });
  t.throws(() => broken.write('<iq/>'), { message: 'mine' });
  const again: StreamParser = new StreamParser({ onOpen: () => again.write('<iq/>'), onElement() {}, onClose() {} });
  t.throws(() => again.write(HEADER), XmppError);
});

t.test('one parser does not disturb another that its handler feeds', async (t) => {
  const inner = record();
  const outer = new StreamParser({
    onOpen: () => inner.parser.write(HEADER),
    onElement: (element) => inner.parser.write(serialize(element)),
    onClose() {},
  });
  outer.write(`${HEADER}<a b='1' c='2'><d/></a><e/>`);
  t.same(inner.log.slice(1), ["<a b='1' c='2'><d/></a>", '<e/>']);
});

t.test('a document of one element is that element, and nothing else passes for one', async (t) => {
  const open = parseElement("<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='example.com' version='1.0'/>");
  t.ok(open.is('open', 'urn:ietf:params:xml:ns:xmpp-framing'));
  t.equal(parseElement(Buffer.from("<?xml version='1.0'?> <a>é<b/></a> ")).children().length, 1);
  for (const bad of ['', ' ', '<a>', '<a/><b/>', '<a/>x', 'x<a/>', '<a', '<a></b>', '<a>\uD800</a>', '</a><a/>']) {
    t.equal(
      thrownBy(() => parseElement(bad)),
      'not-well-formed',
      JSON.stringify(bad),
    );
  }
  t.equal(
    thrownBy(() => parseElement('<!-- --><a/>')),
    'restricted-xml',
  );
  t.equal(
    thrownBy(() => parseElement('<a><b/></a>', { depth: 1 })),
    'policy-violation',
  );
  t.equal(
    thrownBy(() => parseElement(`<a>${'x'.repeat(2_000_000)}</a>`)),
    'policy-violation',
  );
});

t.test('a string chunk holds whole characters', async (t) => {
  t.equal(
    thrownBy(() => record().parser.write(`${HEADER}<a>\uD83D`)),
    'not-well-formed',
  );
});
