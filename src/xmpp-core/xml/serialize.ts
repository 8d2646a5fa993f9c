/**
 * Writes an Element as XML. This is the only way from a tree to the wire: it escapes everything and rejects what XML cannot
 * carry, so that user text never becomes markup.
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

/** A deeper tree is a bug in the code that built it; every receiver's limit is far lower. */
const MAX_DEPTH = 1_000;

const NOTHING_DECLARED: Scope = { defaultNs: '', prefixes: new Map() };

/**
 * Describes the declarations around an element, for `serialize`.
 * @param prefixes from prefix to namespace
 * @throws {XmlError} for a prefix or namespace that cannot be declared
 */
export function scope(defaultNs: string, prefixes: Readonly<Record<string, string>> = {}): Scope {
  const byNamespace = new Map<string, string>();
  for (const [prefix, ns] of Object.entries(prefixes)) {
    if (!isNcName(prefix) || /^xml/i.test(prefix)) throw new XmlError(`${JSON.stringify(prefix)} cannot be a prefix`);
    rejectReserved(ns);
    if (ns === '') throw new XmlError(`the prefix ${prefix} cannot stand for no namespace`);
    byNamespace.set(ns, prefix);
  }
  return { defaultNs, prefixes: byNamespace };
}

/**
 * Writes an element as XML, without the declarations that are already in scope.
 * @param within nothing is declared by default
 * @throws {XmlError} for a name, character or attribute that XML does not allow, and for more than 1000 levels
 */
export function serialize(element: Element, within: Scope = NOTHING_DECLARED): string {
  return write(element, within.defaultNs, within.prefixes, 0);
}

/**
 * Writes only the start tag, with the given prefixes and the default namespace declared on it: a stream header (RFC 6120 §4.7).
 * @throws {XmlError} when neither `defaultNs` nor a prefix covers the element's own namespace
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
  const all = withNewPrefixes(attributes, declared);
  return tag + declarations(all, declared) + writeAttributes(attributes, all) + '>';
}

function write(element: Element, defaultNs: string, prefixes: ReadonlyMap<string, string>, depth: number): string {
  if (depth === MAX_DEPTH) throw new XmlError(`<${element.name}/> is nested more than ${MAX_DEPTH} levels deep`);
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
    known = withNewPrefixes(attributes, prefixes);
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

/** The name to write in this scope; `undefined` when the element must declare its namespace as the default. */
function qualify(element: Element, defaultNs: string, prefixes: ReadonlyMap<string, string>): string | undefined {
  const { name, ns } = element;
  checkName(name);
  if (ns === defaultNs) return name;
  const prefix = prefixFor(ns, prefixes);
  return prefix === undefined ? undefined : `${prefix}:${name}`;
}

/** The prefix `xml` needs no declaration (Namespaces in XML 1.0 §3). */
function prefixFor(ns: string, prefixes: ReadonlyMap<string, string>): string | undefined {
  return ns === NS_XML ? 'xml' : prefixes.get(ns);
}

function writeAttributes(attributes: readonly string[], prefixes: ReadonlyMap<string, string>): string {
  let written = '';
  for (let i = 0; i < attributes.length; i += 3) {
    const name = attributes[i] ?? '';
    const ns = attributes[i + 1] ?? '';
    checkName(name);
    rejectRepeated(attributes, i);
    if (ns !== '') written += ` ${prefixFor(ns, prefixes)}:${name}='`;
    else if (name === 'xmlns') throw new XmlError('xmlns is not an attribute; pass the namespace to el() instead');
    else written += ` ${name}='`;
    written += escapeValue(attributes[i + 2] ?? '') + "'";
  }
  return written;
}

/** An element has few attributes, so comparing with those before costs less than a set. */
function rejectRepeated(attributes: readonly string[], at: number): void {
  for (let i = 0; i < at; i += 3) {
    if (attributes[i] === attributes[at] && attributes[i + 1] === attributes[at + 1]) {
      throw new XmlError(`the attribute ${attributes[at]} is given twice`);
    }
  }
}

/** The prefixes in scope, plus a new one for each namespace of these attributes that has none yet. */
function withNewPrefixes(
  attributes: readonly string[],
  prefixes: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> {
  let all = prefixes;
  for (let i = 1; i < attributes.length; i += 3) {
    const ns = attributes[i] ?? '';
    if (ns === '' || prefixFor(ns, all) !== undefined) continue;
    rejectReserved(ns);
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

/** A default declaration, cached: a session uses the same few namespaces all the time. */
function xmlns(ns: string): string {
  let written = xmlnsCache.get(ns);
  if (written === undefined) {
    rejectReserved(ns);
    written = ` xmlns='${escapeValue(ns)}'`;
    remember(xmlnsCache, ns, written);
  }
  return written;
}

/** Throws unless it is a name without a colon. Valid names are cached, which costs less than validating them again. */
function checkName(name: string): void {
  if (validNames.has(name)) return;
  if (!isNcName(name)) throw new XmlError(`${JSON.stringify(name.slice(0, 64))} is not an XML name`);
  remember(validNames, name, true);
}

/** These two cannot be bound to another prefix or be the default namespace (Namespaces in XML 1.0 §3). */
function rejectReserved(ns: string): void {
  if (ns === NS_XML || ns === NS_XMLNS) throw new XmlError(`the namespace ${ns} cannot be declared`);
}

const xmlnsCache = new Map<string, string>();
const validNames = new Map<string, true>();

/** Bounded, because a peer may have made up the name that is written back to it. */
function remember<T>(cache: Map<string, T>, key: string, value: T): void {
  if (cache.size >= 1_024) cache.clear();
  cache.set(key, value);
}
