/** The parsers and serializers that are compared, behind one face each: `parse(chunks)` returns how many stanzas it saw. */

import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const require = createRequire(import.meta.url);
const OURS = new URL(process.env['XML_BUILD'] ?? '../dist/xmpp-core/xml/', import.meta.url);
const peer = (name) => import(pathToFileURL(require.resolve(name)).href);

export const parsers = {
  async ours() {
    const { StreamParser } = await import(new URL('stream-parser.js', OURS).href);
    return (chunks) => {
      let count = 0;
      const parser = new StreamParser({ onOpen() {}, onElement: () => count++, onClose() {} });
      for (const chunk of chunks) parser.write(chunk);
      return count;
    };
  },
  async '@xmpp/xml'() {
    const { default: Parser } = await peer('@xmpp/xml/lib/Parser.js');
    return (chunks) => {
      let count = 0;
      const parser = new Parser();
      parser.on('element', () => count++);
      for (const chunk of chunks) parser.write(chunk.toString('utf8'));
      return count;
    };
  },
  async 'saxes + tree'() {
    const { SaxesParser } = await peer('saxes');
    const { Element } = await import(new URL('element.js', OURS).href);
    return (chunks) => {
      let count = 0;
      const open = [];
      const parser = new SaxesParser({ xmlns: true });
      parser.on('opentag', (tag) => {
        const attributes = [];
        for (const name in tag.attributes) {
          const { prefix, local, uri, value } = tag.attributes[name];
          if (prefix !== 'xmlns' && name !== 'xmlns') attributes.push(local, uri, value);
        }
        open.push(new Element(tag.local, tag.uri, attributes, []));
      });
      parser.on('text', (text) => {
        if (open.length > 1) open[open.length - 1].nodes.push(text);
      });
      parser.on('closetag', () => {
        const element = open.pop();
        if (open.length > 1) open[open.length - 1].nodes.push(element);
        else count++;
      });
      for (const chunk of chunks) parser.write(chunk.toString('utf8'));
      return count;
    };
  },
};

/** Each returns a function from nothing to the length of what it wrote: all stanzas, as a client writes them. */
export const serializers = {
  async ours(stanzas) {
    const { parseElement } = await import(new URL('stream-parser.js', OURS).href);
    const { scope, serialize } = await import(new URL('serialize.js', OURS).href);
    const within = scope('jabber:client', { stream: 'http://etherx.jabber.org/streams' });
    const trees = stanzas.map((stanza) => parseElement(stanza.replace(/(?=[ >])/, " xmlns='jabber:client'")));
    return () => trees.reduce((length, tree) => length + serialize(tree, within).length, 0);
  },
  async ltx(stanzas) {
    const ltx = await peer('ltx');
    const trees = stanzas.map((stanza) => ltx.parse(stanza));
    return () => trees.reduce((length, tree) => length + tree.toString().length, 0);
  },
};
