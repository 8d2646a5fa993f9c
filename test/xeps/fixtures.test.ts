import { readdirSync, readFileSync } from 'node:fs';
import t from 'tap';
import { serialize } from '../../src/xmpp-core/xml/serialize.js';
import { parseElement } from '../../src/xmpp-core/xml/stream-parser.js';

const FOLDER = new URL('../../fixtures/xeps/', import.meta.url);
const FILES = readdirSync(FOLDER).toSorted((a, b) => a.localeCompare(b));
const SOURCE = /^(Prosody 13\.0\.1|ejabberd 24\.12|slixmpp( \d[\d.]*)?)$/;
const STANZAS = new Set(['message', 'presence', 'iq']);

t.test(
  'every recording says who sent what, by a name of its own, and nothing of the machine that it was made on',
  async (t) => {
    t.ok(FILES.length > 0);
    for (const file of FILES) {
      t.match(file, /^xep-\d{4}\.xml$/);
      const text = readFileSync(new URL(file, FOLDER), 'utf8');
      const root = parseElement(text);
      t.equal(root.name, 'fixtures', file);
      t.ok(
        root.children().every(({ name, ns }) => name === 'fixture' && ns === ''),
        `${file}: fixtures only`,
      );
      const names = root.children().map((fixture) => fixture.attr('name') ?? '');
      t.ok(names.length > 0 && !names.includes(''), `${file}: each has a name`);
      t.equal(new Set(names).size, names.length, `${file}: no name is there twice`);
      for (const fixture of root.children()) {
        t.match(fixture.attr('source'), SOURCE, `${file}: ${fixture.attr('name') ?? ''}`);
        t.equal(fixture.children().length, 1, `${file}: ${fixture.attr('name') ?? ''}`);
      }
      t.notMatch(text, /\.test\b|127\.0\.0\.1|localhost|correct[ -]horse/, file);
    }
  },
);

t.test('every recorded stanza is the same after it was written and read again', async (t) => {
  for (const file of FILES) {
    for (const fixture of parseElement(readFileSync(new URL(file, FOLDER), 'utf8')).children()) {
      const name = `${file}: ${fixture.attr('name') ?? ''}`;
      for (const recorded of fixture.children()) {
        if (recorded.ns === 'jabber:client') t.ok(STANZAS.has(recorded.name), name);
        const written = serialize(recorded);
        const read = parseElement(written);
        t.strictSame(read, recorded, name);
        t.equal(serialize(read), written, name);
      }
    }
  }
});
