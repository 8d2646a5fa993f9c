import t from 'tap';
import { XmlError } from '../../../src/xmpp-core/errors.js';
import { Element, el, NS_XML } from '../../../src/xmpp-core/xml/element.js';
import { scope, serialize, serializeOpenTag } from '../../../src/xmpp-core/xml/serialize.js';

const CLIENT = 'jabber:client';
const STREAMS = 'http://etherx.jabber.org/streams';

// [RFC6120-4.8.2-b] [RFC6120-4.8.4-a]
t.test('only the declarations that are needed are written', async (t) => {
  const message = el(
    'message',
    CLIENT,
    { to: 'a@b' },
    el('body', CLIENT, {}, 'hi'),
    el('x', 'urn:x', {}, el('y', 'urn:x')),
  );
  t.equal(
    serialize(message),
    "<message xmlns='jabber:client' to='a@b'><body>hi</body><x xmlns='urn:x'><y/></x></message>",
  );
  t.equal(serialize(message, scope(CLIENT)), "<message to='a@b'><body>hi</body><x xmlns='urn:x'><y/></x></message>");
  t.equal(serialize(el('a', 'urn:a', {}, el('b', ''))), "<a xmlns='urn:a'><b xmlns=''/></a>");
});

// [RFC6120-4.8.1-b]
t.test(
  'an element in a namespace that has a prefix is written with it, and its children find their own namespace',
  async (t) => {
    const error = el(
      'error',
      STREAMS,
      {},
      el('conflict', 'urn:ietf:params:xml:ns:xmpp-streams'),
      el('message', CLIENT),
    );
    t.equal(
      serialize(error, scope(CLIENT, { stream: STREAMS })),
      "<stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/><message/></stream:error>",
    );
  },
);

t.test('an attribute in a namespace gets a declared prefix, and xml needs none', async (t) => {
  const element = new Element(
    'a',
    CLIENT,
    ['lang', NS_XML, 'en', 'p', 'urn:p', '1', 'q', 'urn:q', '2'],
    [el('b', 'urn:p')],
  );
  t.equal(
    serialize(element, scope(CLIENT, { ns0: 'urn:taken' })),
    "<a xmlns:ns1='urn:p' xmlns:ns2='urn:q' xml:lang='en' ns1:p='1' ns2:q='2'><ns1:b/></a>",
  );
  t.equal(
    serialize(el('a', CLIENT, { 'xml:lang': 'en' }), { defaultNs: CLIENT, prefixes: new Map() }),
    "<a xml:lang='en'/>",
  );
});

// [RFC6120-4.8.1-b] [RFC6120-4.8.2-a]
t.test('a stream header declares the default namespace and every prefix it is given', async (t) => {
  const header = el('stream', STREAMS, { to: 'example.com', version: '1.0', 'xml:lang': 'en' });
  t.equal(
    serializeOpenTag(header, { stream: STREAMS }, CLIENT),
    "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='example.com' version='1.0' xml:lang='en'>",
  );
  t.equal(serializeOpenTag(el('open', 'urn:o', { a: 1 })), "<open xmlns='urn:o' a='1'>");
  t.throws(() => serializeOpenTag(header, {}, CLIENT), XmlError);
});

// [RFC6120-11.3-a] [pitfall-output-injection]
t.test('markup characters are escaped everywhere, white space where a reader would change it', async (t) => {
  const nasty = `<&>'"\t\n\r]]>`;
  t.equal(
    serialize(el('a', '', { v: nasty }, nasty)),
    "<a v='&lt;&amp;&gt;&apos;&quot;&#x9;&#xA;&#xD;]]&gt;'>&lt;&amp;&gt;'\"\t\n&#xD;]]&gt;</a>",
  );
  t.equal(serialize(el('a', "urn:'x'")), "<a xmlns='urn:&apos;x&apos;'/>");
});

// [RFC6120-11.3-a] [pitfall-stanza-smuggling] [pitfall-output-injection]
t.test('what XML 1.0 cannot carry is refused with a typed error that does not repeat the text', async (t) => {
  for (const bad of ['\0', '\x08', '\x0B', '\x1F', '\uD800', '\uDC00x', 'x\uD83D', '\uFFFE', '\uFFFF']) {
    t.throws(() => serialize(el('a', '', {}, `secret${bad}`)), XmlError, JSON.stringify(bad));
    t.throws(() => serialize(el('a', '', { v: bad })), XmlError);
    t.throws(() => serialize(el('a', bad)), XmlError);
  }
  t.throws(() => serialize(el('a', '', {}, 'secret\0')), { message: /^(?!.*secret).*U\+0000/ });
  for (const fine of ['\t\n', '\x7F\x80\x9F', '\uD7FF\uE000\uFFFD', '😀\u{10FFFF}']) {
    t.equal(serialize(el('a', '', {}, fine)), `<a>${fine}</a>`);
  }
});

// [RFC6120-11.3-a] [pitfall-output-injection]
t.test('names that are not XML names are refused', async (t) => {
  for (const bad of ['', '1a', '-a', 'a b', 'a:b', 'a>', 'a\n', 'é×', '\u{F0000}', '\uD800']) {
    t.throws(() => serialize(el(bad, 'urn:a')), XmlError, JSON.stringify(bad));
    t.throws(() => serialize(el('a', '', { [bad]: 1 })), XmlError);
    t.throws(() => scope('', { [bad]: 'urn:a' }), XmlError);
  }
  for (const fine of ['a', '_', 'a-1.b·', 'é', '日本', '\u{10000}', '__proto__', 'constructor']) {
    t.equal(serialize(el(fine, '', { [fine + '_']: 1 })), `<${fine} ${fine}_='1'/>`);
  }
});

// [RFC6120-11.3-b]
t.test('declarations cannot be passed off as attributes, nor reserved namespaces be declared', async (t) => {
  t.throws(() => serialize(el('a', '', { xmlns: 'urn:x' })), XmlError);
  t.throws(() => serialize(new Element('a', '', ['x', 'http://www.w3.org/2000/xmlns/', 'urn:x'])), XmlError);
  t.throws(() => serialize(el('a', 'http://www.w3.org/2000/xmlns/')), XmlError);
  t.equal(serialize(el('a', NS_XML)), '<xml:a/>');
  for (const prefix of ['xml', 'xmlns', 'XmL']) t.throws(() => scope('', { [prefix]: 'urn:x' }), XmlError);
  t.throws(() => scope('', { p: NS_XML }), XmlError);
  t.throws(() => scope('', { p: '' }), XmlError);
});

// [RFC6120-11.3-a,b]
t.test('an attribute given twice is refused', async (t) => {
  t.throws(() => serialize(new Element('a', '', ['x', '', '1', 'x', '', '2'])), XmlError);
  t.throws(() => serialize(new Element('a', '', ['x', 'urn:x', '1', 'x', 'urn:x', '2'])), XmlError);
  t.equal(serialize(new Element('a', '', ['x', '', '1', 'x', NS_XML, '2'])), "<a x='1' xml:x='2'/>");
});

t.test('a tree of absurd depth is refused and does not exhaust the stack', async (t) => {
  let deep = el('a', '');
  for (let i = 0; i < 100_000; i++) deep = el('a', '', {}, deep);
  t.throws(() => serialize(deep), XmlError);
});
