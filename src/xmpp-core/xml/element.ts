/** The one XML representation of this stack: an immutable tree with resolved namespaces. */

/** The namespace of the prefix `xml` (Namespaces in XML 1.0 §3), which needs no declaration. */
export const NS_XML = 'http://www.w3.org/XML/1998/namespace';

/** A child of an element: another element, or character data. */
export type Node = Element | string;

/**
 * An XML element with its namespace resolved.
 *
 * `attributes` is flat: name, namespace, value, name, namespace, value … The namespace of an unprefixed attribute is the
 * empty string (Namespaces in XML §6.2). Declarations (`xmlns`, `xmlns:p`) are not attributes and never appear in it.
 */
export class Element {
  /** The local name, without a prefix. */
  readonly name: string;
  /** The namespace; `''` for none. */
  readonly ns: string;
  readonly attributes: readonly string[];
  /** The children, in document order. */
  readonly nodes: readonly Node[];

  constructor(name: string, ns: string, attributes: readonly string[] = NONE, nodes: readonly Node[] = NONE) {
    this.name = name;
    this.ns = ns;
    this.attributes = attributes;
    this.nodes = nodes;
  }

  /** Whether this element has this name and namespace. */
  is(name: string, ns: string): boolean {
    return this.name === name && this.ns === ns;
  }

  /** The value of an attribute, or `undefined` if it is absent. @param ns `''` for an unprefixed one */
  attr(name: string, ns = ''): string | undefined {
    const attributes = this.attributes;
    for (let i = 0; i < attributes.length; i += 3) {
      if (attributes[i] === name && attributes[i + 1] === ns) return attributes[i + 2];
    }
    return undefined;
  }

  /** The first child element with this name. @param ns this element's own namespace by default */
  child(name: string, ns: string = this.ns): Element | undefined {
    for (const node of this.nodes) {
      if (typeof node !== 'string' && node.name === name && node.ns === ns) return node;
    }
    return undefined;
  }

  /** All child elements, or those with this name. @param ns this element's own namespace by default */
  children(name?: string, ns: string = this.ns): Element[] {
    const found: Element[] = [];
    for (const node of this.nodes) {
      if (typeof node === 'string') continue;
      if (name === undefined || (node.name === name && node.ns === ns)) found.push(node);
    }
    return found;
  }

  /** The character data directly inside this element. */
  get text(): string {
    const nodes = this.nodes;
    if (nodes.length === 1 && typeof nodes[0] === 'string') return nodes[0];
    let text = '';
    for (const node of nodes) if (typeof node === 'string') text += node;
    return text;
  }

  /** The text of a child element, or `undefined` if there is no such child. */
  childText(name: string, ns: string = this.ns): string | undefined {
    return this.child(name, ns)?.text;
  }

  /** A copy with these unprefixed attributes set, or removed where the value is `undefined`. */
  withAttributes(changes: Attributes): Element {
    const kept: string[] = [];
    for (let i = 0; i < this.attributes.length; i += 3) {
      const name = this.attributes[i] ?? '';
      const ns = this.attributes[i + 1] ?? '';
      if (ns === '' && Object.hasOwn(changes, name)) continue;
      kept.push(name, ns, this.attributes[i + 2] ?? '');
    }
    return new Element(this.name, this.ns, [...kept, ...flatten(changes)], this.nodes);
  }

  /** A copy with these nodes appended; `undefined` is left out. */
  withNodes(...nodes: readonly (Node | undefined)[]): Element {
    return new Element(this.name, this.ns, this.attributes, [
      ...this.nodes,
      ...nodes.filter((node) => node !== undefined),
    ]);
  }
}

/** Attributes by name, for `el`. `undefined` leaves one out; `xml:` is the only prefix that names may have. */
export type Attributes = Readonly<Record<string, string | number | boolean | undefined>>;

/**
 * Builds an element: `el('body', NS_CLIENT, {}, 'text')`. Children that are `undefined` or empty text are left out, so that an
 * optional payload can be written in place.
 */
export function el(
  name: string,
  ns: string,
  attributes: Attributes = {},
  ...nodes: readonly (Node | undefined)[]
): Element {
  const given = nodes.filter((node): node is Node => node !== undefined && node !== '');
  return new Element(name, ns, flatten(attributes), given.length === 0 ? NONE : given);
}

const NONE: readonly never[] = Object.freeze([]);

function flatten(attributes: Attributes): string[] {
  const flat: string[] = [];
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined) continue;
    const prefixed = key.startsWith('xml:');
    flat.push(prefixed ? key.slice('xml:'.length) : key, prefixed ? NS_XML : '', String(value));
  }
  return flat;
}
