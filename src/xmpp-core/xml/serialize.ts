/**
 * Writes an Element as XML. This is the only way from a tree to the wire: it escapes everything and refuses what XML cannot
 * carry, so that no text of a user can become markup.
 */

import { XmlError } from '../errors.js';
import { type Element, NS_XML } from './element.js';
import { escapeText, escapeValue } from './escape.js';
import { isNcName } from './names.js';

const NS_XMLNS = 'http://www.w3.org/2000/xmlns/';

/** What is already declared where an element will be written. */
export interface Scope {
  readonly defaultNs: string;
  /** From namespace to prefix. */
  readonly prefixes: ReadonlyMap<string, string>;
}

/** Deeper trees are a mistake of the code that built them; every receiver's limit lies far below. */
const DEPTH = 1_000;

const NOTHING_DECLARED: Scope = { defaultNs: '', prefixes: new Map() };

/**
 * Describes a place in a stream, for `serialize`: its default namespace, and the prefixes (to namespaces) declared there.
 * Throws an `XmlError` for a prefix that cannot be declared.
 */
export function scope(defaultNs: string, prefixes: Readonly<Record<string, string>> = {}): Scope {
  const byNamespace = new Map<string, string>();
  for (const [prefix, ns] of Object.entries(prefixes)) {
    if (!isNcName(prefix) || /^xml/i.test(prefix)) throw new XmlError(`${JSON.stringify(prefix)} cannot be a prefix`);
    refuseReserved(ns);
    if (ns === '') throw new XmlError(`the prefix ${prefix} needs a namespace`);
    byNamespace.set(ns, prefix);
  }
  return { defaultNs, prefixes: byNamespace };
}

/**
 * The element as XML, with no declaration that `within` makes needless (by default nothing is declared).
 * Throws an `XmlError` for a name, a character or a depth that XML (or a sane receiver) does not take.
 */
export function serialize(element: Element, within: Scope = NOTHING_DECLARED): string {
  return write(element, within.defaultNs, within.prefixes, 0);
}

/**
 * Only the opening tag, with every given prefix and the default namespace declared on it: a stream header (RFC 6120 §4.7).
 * Throws an `XmlError` when neither `defaultNs` nor a prefix names the element's own namespace.
 */
export function serializeOpenTag(
  element: Element,
  prefixes: Readonly<Record<string, string>> = {},
  defaultNs: string = element.ns,
): string {
  const declared = scope(defaultNs, prefixes).prefixes;
  const name = qualify(element, defaultNs, declared);
  if (name === undefined) throw new XmlError(`the namespace of <${element.name}/> has no prefix`);
  let tag = `<${name}`;
  if (defaultNs !== '') tag += xmlns(defaultNs);
  for (const [prefix, ns] of Object.entries(prefixes)) tag += ` xmlns:${prefix}='${escapeValue(ns)}'`;
  const { attributes } = element;
  const all = withForeignPrefixes(attributes, declared);
  return tag + declarations(all, declared) + writeAttributes(attributes, all) + '>';
}

function write(element: Element, defaultNs: string, prefixes: ReadonlyMap<string, string>, depth: number): string {
  if (depth === DEPTH) throw new XmlError(`<${element.name}/> is nested more than ${DEPTH} levels deep`);
  const { ns, attributes, nodes } = element;
  let name = qualify(element, defaultNs, prefixes);
  let inside = defaultNs;
  let tag: string;
  if (name === undefined) {
    name = element.name;
    inside = ns;
    tag = `<${name}${xmlns(ns)}`;
  } else {
    tag = `<${name}`;
  }
  let known = prefixes;
  if (attributes.length > 0) {
    known = withForeignPrefixes(attributes, prefixes);
    if (known !== prefixes) tag += declarations(known, prefixes);
    tag += writeAttributes(attributes, known);
  }
  if (nodes.length === 0) return `${tag}/>`;
  tag += '>';
  for (const node of nodes) {
    tag += typeof node === 'string' ? escapeText(node) : write(node, inside, known, depth + 1);
  }
  return `${tag}</${name}>`;
}

/** The name to write where these namespaces are declared; `undefined` when the element must declare its own as default. */
function qualify(element: Element, defaultNs: string, prefixes: ReadonlyMap<string, string>): string | undefined {
  const { name, ns } = element;
  checkName(name);
  if (ns === defaultNs) return name;
  const prefix = prefixFor(ns, prefixes);
  return prefix === undefined ? undefined : `${prefix}:${name}`;
}

/** `xml` needs no declaration anywhere (Namespaces in XML 1.0 §3). */
function prefixFor(ns: string, prefixes: ReadonlyMap<string, string>): string | undefined {
  return ns === NS_XML ? 'xml' : prefixes.get(ns);
}

function writeAttributes(attributes: readonly string[], prefixes: ReadonlyMap<string, string>): string {
  let written = '';
  for (let i = 0; i < attributes.length; i += 3) {
    const name = attributes[i] ?? '';
    const ns = attributes[i + 1] ?? '';
    checkName(name);
    refuseRepeated(attributes, i);
    if (ns !== '') written += ` ${prefixFor(ns, prefixes)}:${name}='`;
    else if (name === 'xmlns') throw new XmlError('xmlns is not an attribute; pass the namespace to el() instead');
    else written += ` ${name}='`;
    written += escapeValue(attributes[i + 2] ?? '') + "'";
  }
  return written;
}

/** The attributes before this one are few; a set would cost more than this look back. */
function refuseRepeated(attributes: readonly string[], at: number): void {
  for (let i = 0; i < at; i += 3) {
    if (attributes[i] === attributes[at] && attributes[i + 1] === attributes[at + 1]) {
      throw new XmlError(`the attribute ${attributes[at]} is given twice`);
    }
  }
}

/** The prefixes in scope and, for each namespace of these attributes that has none yet, a new one. */
function withForeignPrefixes(
  attributes: readonly string[],
  prefixes: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> {
  let all = prefixes;
  for (let i = 1; i < attributes.length; i += 3) {
    const ns = attributes[i] ?? '';
    if (ns === '' || prefixFor(ns, all) !== undefined) continue;
    refuseReserved(ns);
    all = new Map(all).set(ns, unusedPrefix(all));
  }
  return all;
}

function unusedPrefix(prefixes: ReadonlyMap<string, string>): string {
  const used = new Set(prefixes.values());
  let number = 0;
  while (used.has(`ns${number}`)) number++;
  return `ns${number}`;
}

function declarations(all: ReadonlyMap<string, string>, declared: ReadonlyMap<string, string>): string {
  let written = '';
  for (const [ns, prefix] of all) if (!declared.has(ns)) written += ` xmlns:${prefix}='${escapeValue(ns)}'`;
  return written;
}

/** A default declaration. The few namespaces of a session come again and again, so what was written is remembered. */
function xmlns(ns: string): string {
  let written = rememberedXmlns.get(ns);
  if (written === undefined) {
    refuseReserved(ns);
    written = ` xmlns='${escapeValue(ns)}'`;
    remember(rememberedXmlns, ns, written);
  }
  return written;
}

/** Throws unless it is a name without a colon. Names that passed are remembered, which costs less than looking again. */
function checkName(name: string): void {
  if (goodNames.has(name)) return;
  if (!isNcName(name)) throw new XmlError(`${JSON.stringify(name.slice(0, 64))} is not an XML name`);
  remember(goodNames, name, true);
}

/** Both can be bound to nothing else, nor be a default namespace (Namespaces in XML 1.0 §3). */
function refuseReserved(ns: string): void {
  if (ns === NS_XML || ns === NS_XMLNS) throw new XmlError(`the namespace ${ns} cannot be declared`);
}

const rememberedXmlns = new Map<string, string>();
const goodNames = new Map<string, true>();

/** Bounded, because a name may be one that a peer made up and that is written back to it. */
function remember<T>(known: Map<string, T>, key: string, value: T): void {
  if (known.size >= 1_024) known.clear();
  known.set(key, value);
}
