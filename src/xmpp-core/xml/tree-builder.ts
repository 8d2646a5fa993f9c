/** Makes a tree out of tags and text: resolves names, pairs end tags with start tags, keeps the limits of a tree. */

import { Element, type Node } from './element.js';
import type { XmlLimits } from './limits.js';
import { checkDefault, Namespaces } from './namespaces.js';
import { isSpelled, type NameTable, type QualifiedName } from './qualified-names.js';
import type { Source } from './source.js';
import type { TagScanner } from './tag-scanner.js';
import { notWellFormed, policyViolation } from './violations.js';

const NO_NAME: QualifiedName = {
  qualified: '',
  prefix: '',
  local: '',
  declares: undefined,
  ascii: false,
  first: 0,
  last: 0,
  declaration: undefined,
};

/** An element whose end tag is still to come. There is one such object for each level, used again and again. */
class OpenElement {
  name: QualifiedName = NO_NAME;
  ns = '';
  attributes: readonly string[] | undefined = undefined;
  /** The default namespace inside it. */
  defaultNs = '';
  /** Where its children begin in the pile of nodes. */
  firstNode = 0;
  /** How many prefixes were declared outside it. */
  declaredOutside = 0;
}

/** Stands for the innermost element where none is open. Nobody writes to it. */
const NOTHING_OPEN = new OpenElement();

/** A pile higher than this is given back when its stanza is whole, so that one large stanza does not cost memory for ever. */
const PILE_KEPT = 1_024;

export class TreeBuilder {
  /** How many elements are open. */
  depth = 0;
  readonly #open: OpenElement[] = [];
  /** The name that the next end tag must have; outside the root a name that none can have. */
  expected = NO_NAME;
  /** The innermost open element; outside the root it is one of no name. */
  #innermost = NOTHING_OPEN;
  /**
   * The children so far of all open elements, the innermost's last. A closing element takes its own off the pile in one
   * piece, which gives it an array of exactly the right size. `#height` says how far the pile goes; above it lies waste.
   */
  #pile: Node[] = [];
  #height = 0;
  readonly #names: NameTable;
  readonly #namespaces = new Namespaces();
  /** Of the tag at hand: the names of its attributes, and its attributes as `Element` has them. */
  readonly #attributeNames: QualifiedName[] = [];
  readonly #attributes: string[] = [];
  readonly #limits: XmlLimits;
  /** How many levels may be open. */
  readonly #deepest: number;

  /** `outerLevels`: levels that do not count as depth: 1 for a stream, whose root is no part of a stanza. */
  constructor(limits: XmlLimits, outerLevels: number, names: NameTable) {
    this.#limits = limits;
    this.#deepest = limits.depth + outerLevels;
    this.#names = names;
  }

  /** Opens the element of that start tag. */
  open(source: Source, tag: TagScanner): void {
    if (this.depth === this.#deepest) throw policyViolation('elements nested deeper than allowed');
    const element = (this.#open[this.depth] ??= new OpenElement());
    element.name = tag.name ?? this.#names.get(source, tag.nameStart, tag.nameEnd);
    element.attributes = undefined;
    element.firstNode = this.#height;
    element.declaredOutside = this.#namespaces.declared;
    element.defaultNs = tag.declaration === undefined ? this.#innermost.defaultNs : tag.declaration.ns;
    if (tag.attributeCount > 0) this.#readAttributes(source, tag, element);
    const { prefix } = element.name;
    element.ns = prefix === '' ? element.defaultNs : this.#namespaces.resolve(prefix);
    this.#innermost = element;
    this.expected = element.name;
    this.depth++;
  }

  /** The innermost open element as it is, without what it holds: a stream header. */
  header(): Element {
    const { name, ns, attributes } = this.#innermost;
    return new Element(name.local, ns, attributes);
  }

  /** Whether that range spells the name that is expected. */
  closes(source: Source, start: number, end: number): boolean {
    const name = this.expected;
    return name.ascii
      ? isSpelled(name, source, start, end)
      : name.qualified === this.#names.get(source, start, end).qualified;
  }

  /** Ends the innermost open element and returns it. It is not put into its parent; see `add`. */
  close(): Element {
    const { name, ns, attributes, firstNode, declaredOutside } = this.#innermost;
    if (this.#namespaces.declared > declaredOutside) this.#namespaces.leave(declaredOutside);
    const nodes = this.#takeNodes(firstNode);
    this.depth--;
    this.#innermost = this.#open[this.depth - 1] ?? NOTHING_OPEN;
    this.expected = this.#innermost.name;
    return new Element(name.local, ns, attributes, nodes);
  }

  /** Adds a child to the innermost open element. */
  add(node: Node): void {
    if (this.#height - this.#innermost.firstNode === this.#limits.children) {
      throw policyViolation('more child nodes than allowed');
    }
    this.#pile[this.#height++] = node;
  }

  /** Adds text to the innermost open element; to the text before it, if that is what came last. */
  addText(text: string): void {
    if (text === '') return;
    const last = this.#height === this.#innermost.firstNode ? undefined : this.#pile[this.#height - 1];
    if (typeof last === 'string') this.#pile[this.#height - 1] = last + text;
    else this.add(text);
  }

  /** Takes the pile's nodes from there on. Most elements have one child, and then an array is written down quicker than cut out. */
  #takeNodes(start: number): Node[] | undefined {
    const count = this.#height - start;
    if (count === 0) return undefined;
    const pile = this.#pile;
    const nodes = count === 1 ? [pile[start] as Node] : pile.slice(start, this.#height);
    this.#height = start;
    if (start === 0 && pile.length > PILE_KEPT) this.#pile = [];
    return nodes;
  }

  /** Two rounds: declarations hold for the whole tag, wherever in it they stand. */
  #readAttributes(source: Source, tag: TagScanner, element: OpenElement): void {
    const names = this.#attributeNames;
    let simple = 0;
    let declarations = 0;
    for (let i = 0; i < tag.attributeCount; i++) {
      const name = tag.attributeName(source, i);
      refuseRepeated(names, i, name);
      names[i] = name;
      if (name.declares === undefined) {
        if (name.prefix === '') simple++;
        continue;
      }
      this.#declare(source, tag, i, name.declares, element);
      declarations++;
    }
    if (simple === tag.attributeCount && simple <= 4) element.attributes = fewAttributes(source, tag, names);
    else if (declarations < tag.attributeCount) element.attributes = this.#collect(source, tag);
  }

  /** The attributes of the tag, declarations left out, in an array of exactly the right size. */
  #collect(source: Source, tag: TagScanner): readonly string[] {
    const names = this.#attributeNames;
    const attributes = this.#attributes;
    let length = 0;
    for (let i = 0; i < tag.attributeCount; i++) {
      const { declares, prefix, local } = names[i] as QualifiedName;
      if (declares !== undefined) continue;
      const ns = prefix === '' ? '' : this.#namespaces.resolve(prefix);
      if (ns !== '') refuseRepeatedMeaning(attributes, length, local, ns);
      attributes[length] = local;
      attributes[length + 1] = ns;
      attributes[length + 2] = tag.value(source, i);
      length += 3;
    }
    return attributes.slice(0, length);
  }

  #declare(source: Source, tag: TagScanner, index: number, prefix: string, element: OpenElement): void {
    const ns = tag.value(source, index);
    if (prefix !== '') {
      this.#namespaces.declare(prefix, ns);
      return;
    }
    if (tag.declaration !== undefined) throw notWellFormed('an attribute given twice');
    checkDefault(ns);
    element.defaultNs = ns;
    const usual = index === 0 ? tag.firstAsDeclaration(source) : undefined;
    if (usual === undefined) return;
    element.name.declaration = usual;
    element.defaultNs = usual.ns;
  }
}

/** The attributes before are few (a limit sees to that): looking back costs less than a set. */
function refuseRepeated(names: readonly QualifiedName[], count: number, name: QualifiedName): void {
  for (let i = 0; i < count; i++) {
    const other = names[i] as QualifiedName;
    // Nearly all names that differ do so in these. The whole of them settles it, for a name may have been forgotten and learned anew.
    if (other.last === name.last && other.first === name.first && other.qualified === name.qualified) {
      throw notWellFormed('an attribute given twice');
    }
  }
}

/**
 * One to four attributes without prefixes, as nearly all tags have them. Written down as a literal, an array is made at once, of
 * its size, and filled without telling the garbage collector of each string that an old object has come to hold.
 */
function fewAttributes(source: Source, tag: TagScanner, names: readonly QualifiedName[]): string[] {
  const name = (names[0] as QualifiedName).local;
  const value = tag.value(source, 0);
  if (tag.attributeCount === 1) return [name, '', value];
  const name2 = (names[1] as QualifiedName).local;
  const value2 = tag.value(source, 1);
  if (tag.attributeCount === 2) return [name, '', value, name2, '', value2];
  const name3 = (names[2] as QualifiedName).local;
  const value3 = tag.value(source, 2);
  if (tag.attributeCount === 3) return [name, '', value, name2, '', value2, name3, '', value3];
  const name4 = (names[3] as QualifiedName).local;
  const value4 = tag.value(source, 3);
  return [name, '', value, name2, '', value2, name3, '', value3, name4, '', value4];
}

/** Two prefixes may stand for one namespace (Namespaces in XML 1.0 §6.3). */
function refuseRepeatedMeaning(attributes: readonly string[], length: number, local: string, ns: string): void {
  for (let i = 0; i < length; i += 3) {
    if (attributes[i] === local && attributes[i + 1] === ns) throw notWellFormed('an attribute given twice');
  }
}
