/** Makes a tree out of tags and text: resolves names, pairs end tags with start tags, keeps the limits of a tree. */

import { decodeValue } from './character-data.js';
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
  /** The innermost of them; outside the root it is one of no name. */
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
    if (this.depth === this.#deepest) throw policyViolation('elements nested deeper than we take');
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
    this.depth++;
  }

  /** The innermost open element as it is, without what it holds: a stream header. */
  header(): Element {
    const { name, ns, attributes } = this.#innermost;
    return new Element(name.local, ns, attributes);
  }

  /** The name that the next end tag must have. */
  get innermost(): QualifiedName {
    return this.#innermost.name;
  }

  /** Whether that range spells the name of the innermost open element. */
  closes(source: Source, start: number, end: number): boolean {
    const { name } = this.#innermost;
    return name.ascii
      ? isSpelled(name, source, start, end)
      : name.qualified === this.#names.get(source, start, end).qualified;
  }

  /** Ends the innermost open element and returns it. It is not put into its parent; see `add`. */
  close(): Element {
    const { name, ns, attributes, firstNode, declaredOutside } = this.#innermost;
    this.#namespaces.leave(declaredOutside);
    const nodes = firstNode === this.#height ? undefined : cut(this.#pile, firstNode, this.#height);
    this.#height = firstNode;
    this.depth--;
    this.#innermost = this.#open[this.depth - 1] ?? NOTHING_OPEN;
    return new Element(name.local, ns, attributes, nodes);
  }

  /** Adds a child to the innermost open element. */
  add(node: Node): void {
    if (this.#height - this.#innermost.firstNode === this.#limits.children) {
      throw policyViolation('more child nodes than we take');
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

  /** To be called when a stanza is whole and nothing of it is on the pile. */
  clean(): void {
    if (this.#pile.length > PILE_KEPT) this.#pile = [];
  }

  /** Two rounds: declarations hold for the whole tag, wherever in it they stand. */
  #readAttributes(source: Source, tag: TagScanner, element: OpenElement): void {
    const names = this.#attributeNames;
    let simple = 0;
    let declarations = 0;
    for (let i = 0; i < tag.attributeCount; i++) {
      const name = this.#names.get(source, tag.attributeNameStart(i), tag.attributeNameEnd(i));
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
      attributes[length + 2] = readValue(source, tag, i);
      length += 3;
    }
    return attributes.slice(0, length);
  }

  #declare(source: Source, tag: TagScanner, index: number, prefix: string, element: OpenElement): void {
    const ns = readValue(source, tag, index);
    if (prefix !== '') {
      this.#namespaces.declare(prefix, ns);
      return;
    }
    if (tag.declaration !== undefined) throw notWellFormed('an attribute given twice');
    checkDefault(ns);
    element.defaultNs = ns;
    if (index > 0 || !tag.isPlain(0)) return;
    const declaration = this.#names.declarations.get(source, tag.nameEnd, tag.valueStart(0), tag.valueEnd(0) + 1);
    element.name.declaration = declaration;
    element.defaultNs = declaration.ns;
  }
}

/** The attributes before are few (a limit sees to that): looking back costs less than a set. */
function refuseRepeated(names: readonly QualifiedName[], count: number, name: QualifiedName): void {
  for (let i = 0; i < count; i++) {
    if (isSame(names[i] as QualifiedName, name)) throw notWellFormed('an attribute given twice');
  }
}

/** Nearly all names that differ do so in these. The whole of them settles it, for a name may have been forgotten and learned anew. */
function isSame(one: QualifiedName, other: QualifiedName): boolean {
  return one.last === other.last && one.first === other.first && one.qualified === other.qualified;
}

/**
 * One to four attributes without prefixes, as nearly all tags have them. Written down as a literal, an array is made at once, of
 * its size, and filled without telling the garbage collector of each string that an old object has come to hold.
 */
function fewAttributes(source: Source, tag: TagScanner, names: readonly QualifiedName[]): string[] {
  switch (tag.attributeCount) {
    case 1:
      return [localName(names, 0), '', readValue(source, tag, 0)];
    case 2:
      return [localName(names, 0), '', readValue(source, tag, 0), localName(names, 1), '', readValue(source, tag, 1)];
    case 3:
      return [
        localName(names, 0),
        '',
        readValue(source, tag, 0),
        localName(names, 1),
        '',
        readValue(source, tag, 1),
        localName(names, 2),
        '',
        readValue(source, tag, 2),
      ];
    default:
      return [
        localName(names, 0),
        '',
        readValue(source, tag, 0),
        localName(names, 1),
        '',
        readValue(source, tag, 1),
        localName(names, 2),
        '',
        readValue(source, tag, 2),
        localName(names, 3),
        '',
        readValue(source, tag, 3),
      ];
  }
}

function localName(names: readonly QualifiedName[], index: number): string {
  return (names[index] as QualifiedName).local;
}

/** Two prefixes may stand for one namespace (Namespaces in XML 1.0 §6.3). */
function refuseRepeatedMeaning(attributes: readonly string[], length: number, local: string, ns: string): void {
  for (let i = 0; i < length; i += 3) {
    if (attributes[i] === local && attributes[i + 1] === ns) throw notWellFormed('an attribute given twice');
  }
}

/** A part of the pile. Most elements have one child, and then an array is written down quicker than cut out. */
function cut(pile: readonly Node[], start: number, end: number): Node[] {
  return end - start === 1 ? [pile[start] as Node] : pile.slice(start, end);
}

function readValue(source: Source, tag: TagScanner, index: number): string {
  const start = tag.valueStart(index);
  const end = tag.valueEnd(index);
  return tag.isPlain(index) ? source.latin1.slice(start, end) : decodeValue(source, start, end);
}
