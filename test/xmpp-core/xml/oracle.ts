/** What a parser that nobody here wrote makes of a stream: saxes, held to the XML that XMPP allows. */

import { SaxesParser } from 'saxes';
import { Element, type Node } from '../../../src/xmpp-core/xml/element.js';

/** What was told before the first fault, and whether the stream came to its end without one. */
export interface Reading {
  readonly events: readonly unknown[];
  readonly accepted: boolean;
}

/** An event in a form that compares well. */
export function plain(element: Element): unknown {
  const attributes: string[][] = [];
  for (let i = 0; i < element.attributes.length; i += 3) attributes.push(element.attributes.slice(i, i + 3));
  return [element.ns, element.name, attributes, element.nodes.map((n) => (typeof n === 'string' ? n : plain(n)))];
}

interface Open {
  readonly element: Element;
  readonly nodes: Node[];
}

/** saxes goes on after a fault, so the first one is thrown, and with it all that XMPP restricts. */
class Fault extends Error {}

export function readWithSaxes(bytes: Uint8Array): Reading {
  const events: unknown[] = [];
  const open: Open[] = [];
  let closed = false;
  const parser = new SaxesParser({ xmlns: true });
  const refuse = (): never => {
    throw new Fault();
  };
  // saxes tells of the closing before it finds that the end tag was another's.
  let closing: (() => void) | undefined;
  const confirmClosing = (): void => {
    closing?.();
    closing = undefined;
  };
  parser.on('error', ({ message }) => {
    if (!message.includes('unexpected close tag')) confirmClosing();
    refuse();
  });
  const refuseRestricted = (): never => {
    confirmClosing();
    return refuse();
  };
  parser.on('comment', refuseRestricted);
  parser.on('doctype', refuseRestricted);
  parser.on('processinginstruction', refuseRestricted);
  parser.on('xmldecl', ({ encoding }) => {
    if (encoding !== undefined && encoding.toLowerCase() !== 'utf-8') refuse();
  });
  parser.on('opentag', (tag) => {
    confirmClosing();
    const attributes: string[] = [];
    for (const { name, prefix, local, uri, value } of Object.values(tag.attributes)) {
      if (prefix !== 'xmlns' && name !== 'xmlns') attributes.push(local, uri, value);
    }
    const nodes: Node[] = [];
    const element = new Element(tag.local, tag.uri, attributes, nodes);
    open.push({ element, nodes });
    if (open.length === 1) events.push(plain(element));
  });
  parser.on('closetag', () => {
    confirmClosing();
    closing = () => {
      const element = open.pop()?.element ?? refuse();
      if (open.length > 1) open.at(-1)?.nodes.push(element);
      else if (open.length === 1) events.push(plain(element));
      else closed = true;
    };
  });
  const addText = (text: string): void => {
    const nodes = open.at(-1)?.nodes ?? refuse();
    const last = nodes.at(-1);
    if (typeof last === 'string') nodes[nodes.length - 1] = last + text;
    else if (text !== '') nodes.push(text);
  };
  parser.on('text', (text) => {
    confirmClosing();
    if (open.length > 1) addText(text);
    else if (/[^ \t\r\n]/.test(text)) refuse();
  });
  parser.on('cdata', (text) => {
    confirmClosing();
    if (open.length > 1) addText(text);
    else refuse();
  });
  try {
    const { text, whole } = decode(bytes);
    parser.write(text);
    if (!whole) refuseRestricted();
    parser.close();
    confirmClosing();
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return { events, accepted: false };
  }
  return { events, accepted: closed };
}

/** The characters up to the first byte that is not UTF-8. */
function decode(bytes: Uint8Array): { text: string; whole: boolean } {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  let text = '';
  for (let i = 0; i < bytes.length; i++) {
    try {
      text += decoder.decode(bytes.subarray(i, i + 1), { stream: true });
    } catch {
      return { text, whole: false };
    }
  }
  return { text, whole: true };
}
