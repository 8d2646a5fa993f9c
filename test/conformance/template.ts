/** Placeholders: what a script leaves open, and how what came is held against it (docs/fixtures.md). */
import type { XmlTree } from './xml-tree.js';

/** What the placeholders of a scenario stand for, so far. */
export type Bindings = ReadonlyMap<string, string>;

/** What came is what was meant, and these stand for something now; or what is different, and where. */
export type Outcome = { readonly bindings: Bindings } | { readonly difference: string };

/** The client's message in a SASL exchange: different each time. */
export const SASL = 'sasl';

/** An attribute with this value, or an element with this text, may be missing. */
const OPTIONAL = '{?}';

/** What language a client writes is its own affair, where a script does not say (RFC 6120 §8.1.5). */
const LANGUAGE = 'xml:lang';

/** A name between braces; or two braces, which are one. */
const PLACEHOLDER = /\{\{|\{([?*]|[a-z][a-z0-9-]*(?::[a-z0-9-]+)?)\}/g;
const TIME = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)`;

/** Holds an element against the one of a script. Child elements may come in any order. */
export function matchTree(wanted: XmlTree, came: XmlTree, bindings: Bindings): Outcome {
  const path = wanted.name;
  if (wanted.name !== came.name || wanted.ns !== came.ns) {
    return { difference: `<${came.name} xmlns='${came.ns}'> is not <${wanted.name} xmlns='${wanted.ns}'>` };
  }
  let known = bindings;
  for (const [name, value] of wanted.attributes) {
    const actual = came.attributes.get(name);
    if (value === OPTIONAL) continue;
    if (actual === undefined) return { difference: `${path}: the attribute ${name}='${value}' is missing` };
    const outcome = matchText(value, actual, known);
    if ('difference' in outcome) return { difference: `${path}, attribute ${name}: ${outcome.difference}` };
    known = outcome.bindings;
  }
  for (const [name, value] of came.attributes) {
    if (!wanted.attributes.has(name) && name !== LANGUAGE)
      return { difference: `${path}: there is an attribute ${name}='${value}' too many` };
  }
  const text = matchText(wanted.text, came.text, known);
  if ('difference' in text) return { difference: `${path}, text: ${text.difference}` };
  const children = matchElements(wanted.elements, came.elements, text.bindings);
  return 'difference' in children ? { difference: `${path}/${children.difference}` } : children;
}

/** Holds a text against one with placeholders. */
export function matchText(wanted: string, came: string, bindings: Bindings): Outcome {
  const names: string[] = [];
  let pattern = '';
  let end = 0;
  for (const { 0: whole, 1: name, index } of wanted.matchAll(PLACEHOLDER)) {
    pattern += literal(wanted.slice(end, index)) + patternOf(name, bindings, names);
    end = index + whole.length;
  }
  pattern += literal(wanted.slice(end));
  const match = new RegExp(`^${pattern}$`, 'su').exec(came);
  if (match === null) return { difference: `'${came}' is not '${filledIn(wanted, bindings)}'` };
  const found = names.map((name, index) => [name, match[index + 1] ?? ''] as const);
  if (found.length === 0) return { bindings };
  const twice = found.find(([name, value]) => isId(name) && isTaken(value, bindings));
  if (twice !== undefined) return { difference: `'${twice[1]}' is the id of something else` };
  return { bindings: new Map([...bindings, ...found]) };
}

/** Ids with different names are different. */
function isTaken(id: string, bindings: Bindings): boolean {
  return [...bindings].some(([name, value]) => isId(name) && value === id);
}

function isId(name: string): boolean {
  return name.startsWith('id:');
}

/**
 * What a text of the server's side says.
 * @param value what a placeholder stands for; throws when it stands for nothing yet
 */
export function fill(text: string, value: (name: string) => string): string {
  return text.replaceAll(PLACEHOLDER, (_, name?: string) => (name === undefined ? '{' : escape(value(name))));
}

/**
 * The bytes of what the server says, where `{bytes:c0af}` stands for some that may be no text.
 * @param filled the texts between them
 */
export function bytesOf(content: string, filled: (text: string) => string): Buffer {
  const parts = content.split(/\{bytes:([0-9a-f]+)\}/);
  return Buffer.concat(
    parts.map((part, index) => Buffer.from(index % 2 === 1 ? Buffer.from(part, 'hex') : filled(part))),
  );
}

function patternOf(name: string | undefined, bindings: Bindings, names: string[]): string {
  if (name === undefined) return literal('{');
  if (name === '*' || name === '?') return '.*';
  if (name === 'time') return TIME;
  const known = bindings.get(name);
  if (known !== undefined) return literal(known);
  if (names.includes(name)) return `(?:\\${names.indexOf(name) + 1})`;
  names.push(name);
  return name === SASL ? '(.*)' : '(.+)';
}

/** Finds, for each wanted element, one of those that came. */
function matchElements(wanted: readonly XmlTree[], came: readonly XmlTree[], bindings: Bindings): Outcome {
  const [first, ...others] = wanted;
  if (first === undefined) {
    const [surplus] = came;
    return surplus === undefined ? { bindings } : { difference: `<${surplus.name} xmlns='${surplus.ns}'> is too many` };
  }
  let difference = `<${first.name} xmlns='${first.ns}'> is missing`;
  for (const [index, candidate] of came.entries()) {
    const one = matchTree(first, candidate, bindings);
    if ('difference' in one) {
      if (candidate.name === first.name && candidate.ns === first.ns) difference = one.difference;
      continue;
    }
    const rest = matchElements(others, came.toSpliced(index, 1), one.bindings);
    if ('bindings' in rest) return rest;
    ({ difference } = rest);
  }
  return first.text === OPTIONAL ? matchElements(others, came, bindings) : { difference };
}

function filledIn(text: string, bindings: Bindings): string {
  return text.replaceAll(PLACEHOLDER, (whole, name?: string) => bindings.get(name ?? '') ?? whole);
}

function literal(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\/]/g, String.raw`\$&`);
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll("'", '&apos;').replaceAll('"', '&quot;');
}
