/** Makes a tree out of tags and text: resolves names, pairs end tags with start tags, keeps the limits of a tree. */

import { decodeValue } from './character-data.js';
import { Element, type Node } from './element.js';
import type { XmlLimits } from './limits.js';
import { checkDefault, Namespaces } from './namespaces.js';
import { isSpelled, NameTable, type QualifiedName } from './qualified-names.js';
import type { Source } from './source.js';
import type { TagScanner } from './tag-scanner.js';
import { notWellFormed, policyViolation } from './violations.js';

/** An element whose end tag is still to come. The objects are used again, one for each level. */
interface OpenElement {
  name: QualifiedName;
  ns: string;
  attributes: string[] | undefined;
  nodes: Node[] | undefined;
  /** The default namespace inside it. */
  defaultNs: string;
  /** How many prefixes were declared outside it. */
  declaredOutside: number;
}

const NO_NAME: QualifiedName = { qualified: '', prefix: '', local: '', declares: undefined, ascii: true };

export class TreeBuilder {
  /** How many elements are open. */
  depth = 0;
  readonly #open: OpenElement[] = [];
  readonly #names = new NameTable();
  readonly #namespaces = new Namespaces();
  /** The names of the attributes of the tag at hand. */
  readonly #attributeNames: QualifiedName[] = [];
  readonly #limits: XmlLimits;
  /** How many levels may be open. */
  readonly #deepest: number;

  /** `outerLevels`: levels that do not count as depth: 1 for a stream, whose root is no part of a stanza. */
  constructor(limits: XmlLimits, outerLevels: number) {
    this.#limits = limits;
    this.#deepest = limits.depth + outerLevels;
  }

  /** Opens the element of that start tag. */
  open(source: Source, tag: TagScanner): void {
    if (this.depth === this.#deepest) throw policyViolation('elements nested deeper than we take');
    const element = this.#openElementAt(this.depth);
    element.name = this.#names.get(source, tag.nameStart, tag.nameEnd);
    element.nodes = undefined;
    element.attributes = undefined;
    element.declaredOutside = this.#namespaces.declared;
    element.defaultNs = this.depth === 0 ? '' : this.#openElementAt(this.depth - 1).defaultNs;
    if (tag.attributeCount > 0) this.#readAttributes(source, tag, element);
    element.ns = this.#namespaceOf(element);
    this.depth++;
  }

  /** The innermost open element as it is, without what it holds: a stream header. */
  header(): Element {
    const { name, ns, attributes } = this.#openElementAt(this.depth - 1);
    return new Element(name.local, ns, attributes);
  }

  /** Whether that range spells the name of the innermost open element. */
  closes(source: Source, start: number, end: number): boolean {
    const { name } = this.#openElementAt(this.depth - 1);
    return name.ascii
      ? isSpelled(name, source.bytes, start, end)
      : name.qualified === this.#names.get(source, start, end).qualified;
  }

  /** Ends the innermost open element and returns it. It is not put into its parent; see `add`. */
  close(): Element {
    const element = this.#openElementAt(--this.depth);
    this.#namespaces.leave(element.declaredOutside);
    const closed = new Element(element.name.local, element.ns, element.attributes, element.nodes);
    element.nodes = undefined;
    element.attributes = undefined;
    return closed;
  }

  /** Adds a child to the innermost open element. */
  add(node: Element): void {
    const parent = this.#openElementAt(this.depth - 1);
    if (parent.nodes === undefined) parent.nodes = [node];
    else this.#append(parent.nodes, node);
  }

  /** Adds text to the innermost open element; to the text before it, if that is what came last. */
  addText(text: string): void {
    if (text === '') return;
    const parent = this.#openElementAt(this.depth - 1);
    if (parent.nodes === undefined) {
      parent.nodes = [text];
      return;
    }
    const last = parent.nodes.at(-1);
    if (typeof last === 'string') parent.nodes[parent.nodes.length - 1] = last + text;
    else this.#append(parent.nodes, text);
  }

  #append(nodes: Node[], node: Node): void {
    if (nodes.length === this.#limits.children) throw policyViolation('more child nodes than we take');
    nodes.push(node);
  }

  #openElementAt(level: number): OpenElement {
    let element = this.#open[level];
    if (element === undefined) {
      element = { name: NO_NAME, ns: '', attributes: undefined, nodes: undefined, defaultNs: '', declaredOutside: 0 };
      this.#open[level] = element;
    }
    return element;
  }

  #namespaceOf(element: OpenElement): string {
    const { prefix } = element.name;
    return prefix === '' ? element.defaultNs : this.#namespaces.resolve(prefix);
  }

  /** Two rounds: declarations hold for the whole tag, wherever in it they stand. */
  #readAttributes(source: Source, tag: TagScanner, element: OpenElement): void {
    const names = this.#attributeNames;
    let declarations = 0;
    for (let i = 0; i < tag.attributeCount; i++) {
      const name = this.#names.get(source, tag.attributeNameStart(i), tag.attributeNameEnd(i));
      refuseRepeated(names, i, name);
      names[i] = name;
      if (name.declares === undefined) continue;
      this.#declare(element, name.declares, readValue(source, tag, i));
      declarations++;
    }
    if (declarations === tag.attributeCount) return;
    const attributes: string[] = [];
    for (let i = 0; i < tag.attributeCount; i++) {
      const name = names[i] as QualifiedName;
      if (name.declares !== undefined) continue;
      const ns = name.prefix === '' ? '' : this.#namespaces.resolve(name.prefix);
      if (ns !== '') refuseRepeatedMeaning(attributes, name.local, ns);
      attributes.push(name.local, ns, readValue(source, tag, i));
    }
    element.attributes = attributes;
  }

  #declare(element: OpenElement, prefix: string, ns: string): void {
    if (prefix !== '') {
      this.#namespaces.declare(prefix, ns);
      return;
    }
    checkDefault(ns);
    element.defaultNs = ns;
  }
}

/** The attributes before are few (a limit sees to that): looking back costs less than a set. */
function refuseRepeated(names: readonly QualifiedName[], count: number, name: QualifiedName): void {
  for (let i = 0; i < count; i++) {
    if (names[i]?.qualified === name.qualified) throw notWellFormed('an attribute given twice');
  }
}

/** Two prefixes may stand for one namespace (Namespaces in XML 1.0 §6.3). */
function refuseRepeatedMeaning(attributes: readonly string[], local: string, ns: string): void {
  for (let i = 0; i < attributes.length; i += 3) {
    if (attributes[i] === local && attributes[i + 1] === ns) throw notWellFormed('an attribute given twice');
  }
}

function readValue(source: Source, tag: TagScanner, index: number): string {
  const start = tag.valueStart(index);
  const end = tag.valueEnd(index);
  return tag.isPlain(index) ? source.latin1.slice(start, end) : decodeValue(source, start, end);
}
