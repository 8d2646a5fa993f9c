/** Builds a tree from tags and text: resolves names, matches end tags with start tags, enforces the limits of a tree. */

import { Element, type Node } from './element.js';
import type { TreeLimits } from './limits.js';
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

/** An element whose end tag has not arrived yet. There is one such object per level, which is reused. */
class OpenElement {
  name: QualifiedName = NO_NAME;
  ns = '';
  attributes: readonly string[] | undefined = undefined;
  /** The default namespace inside it. */
  defaultNs = '';
  /** The index of its first child on the stack of nodes. */
  firstNode = 0;
  /** How many prefixes were declared outside it. */
  declaredOutside = 0;
}

/** The innermost element when none is open. It is never written to. */
const NOTHING_OPEN = new OpenElement();

/** A larger stack is released when its stanza is complete, so that one large stanza does not cost memory for ever. */
const MAX_KEPT_STACK = 1_024;

/** Builds the elements of one stream or document. */
export class TreeBuilder {
  /** How many elements are open. */
  depth = 0;
  readonly #open: OpenElement[] = [];
  /** The name that the next end tag must have; outside the root `NO_NAME`, which no tag has. */
  expected = NO_NAME;
  /** The innermost open element; outside the root `NOTHING_OPEN`. */
  #innermost = NOTHING_OPEN;
  /**
   * A stack of the children so far of all open elements, the innermost's on top. A closing element takes its children off in one
   * slice, which gives it an array of exactly the right size. The stack ends at `#height`; entries above it are stale.
   */
  #stack: Node[] = [];
  #height = 0;
  readonly #names: NameTable;
  readonly #namespaces = new Namespaces();
  /** Of the current tag: the names of its attributes, and its attributes in the form of `Element.attributes`. */
  readonly #attributeNames: QualifiedName[] = [];
  readonly #attributes: string[] = [];
  readonly #limits: TreeLimits;
  /** How many levels may be open. */
  readonly #maxDepth: number;

  /** @param outerLevels levels that do not count as depth: 1 for a stream, whose root is not part of a stanza */
  constructor(limits: TreeLimits, outerLevels: number, names: NameTable) {
    this.#limits = limits;
    this.#maxDepth = limits.depth + outerLevels;
    this.#names = names;
  }

  /** Opens the element of a start tag. @throws StreamError for invalid names or values, and beyond the limits */
  open(source: Source, tag: TagScanner): void {
    if (this.depth === this.#maxDepth) throw policyViolation('elements nested deeper than allowed');
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

  /** The innermost open element without its children: a stream header. */
  header(): Element {
    const { name, ns, attributes } = this.#innermost;
    return new Element(name.local, ns, attributes);
  }

  /** Whether the range spells the expected name. */
  closes(source: Source, start: number, end: number): boolean {
    const name = this.expected;
    return name.ascii
      ? isSpelled(name, source, start, end)
      : name.qualified === this.#names.get(source, start, end).qualified;
  }

  /** Closes the innermost open element and returns it. It is not added to its parent; see `add`. */
  close(): Element {
    const { name, ns, attributes, firstNode, declaredOutside } = this.#innermost;
    if (this.#namespaces.declared > declaredOutside) this.#namespaces.leave(declaredOutside);
    const nodes = this.#takeNodes(firstNode);
    this.depth--;
    this.#innermost = this.#open[this.depth - 1] ?? NOTHING_OPEN;
    this.expected = this.#innermost.name;
    return new Element(name.local, ns, attributes, nodes);
  }

  /** Adds a child to the innermost open element. @throws StreamError `policy-violation` beyond the limit */
  add(node: Node): void {
    if (this.#height - this.#innermost.firstNode === this.#limits.children) {
      throw policyViolation('more child nodes than allowed');
    }
    this.#stack[this.#height++] = node;
  }

  /** Adds text to the innermost open element, merging it with text directly before. */
  addText(text: string): void {
    if (text === '') return;
    const last = this.#height === this.#innermost.firstNode ? undefined : this.#stack[this.#height - 1];
    if (typeof last === 'string') this.#stack[this.#height - 1] = last + text;
    else this.add(text);
  }

  /** Pops the nodes from `start` on. Most elements have one child; an array literal is then faster than a slice. */
  #takeNodes(start: number): Node[] | undefined {
    const count = this.#height - start;
    if (count === 0) return undefined;
    const stack = this.#stack;
    const nodes = count === 1 ? [stack[start] as Node] : stack.slice(start, this.#height);
    this.#height = start;
    if (start === 0 && stack.length > MAX_KEPT_STACK) this.#stack = [];
    return nodes;
  }

  /** Two passes: a declaration applies to the whole tag, wherever in it it is. */
  #readAttributes(source: Source, tag: TagScanner, element: OpenElement): void {
    const names = this.#attributeNames;
    let simple = 0;
    let declarations = 0;
    for (let i = 0; i < tag.attributeCount; i++) {
      const name = tag.attributeName(source, i);
      rejectRepeated(names, i, name);
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

  /** The attributes of the tag without declarations, in an array of exactly the right size. */
  #collect(source: Source, tag: TagScanner): readonly string[] {
    const names = this.#attributeNames;
    const attributes = this.#attributes;
    let length = 0;
    for (let i = 0; i < tag.attributeCount; i++) {
      const { declares, prefix, local } = names[i] as QualifiedName;
      if (declares !== undefined) continue;
      const ns = prefix === '' ? '' : this.#namespaces.resolve(prefix);
      if (ns !== '') rejectRepeatedExpanded(attributes, length, local, ns);
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

/** A limit keeps attributes few, so comparing with those before costs less than a set. */
function rejectRepeated(names: readonly QualifiedName[], count: number, name: QualifiedName): void {
  for (let i = 0; i < count; i++) {
    const other = names[i] as QualifiedName;
    // Different names nearly always differ in these bytes. The full text decides: a name may have left the cache and come back.
    if (other.last === name.last && other.first === name.first && other.qualified === name.qualified) {
      throw notWellFormed('an attribute given twice');
    }
  }
}

/**
 * One to four attributes without prefixes, as nearly all tags have. An array literal is allocated once, at its final size, and
 * filled without a write barrier for each string.
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

/** Two prefixes may be bound to the same namespace (Namespaces in XML 1.0 §6.3). */
function rejectRepeatedExpanded(attributes: readonly string[], length: number, local: string, ns: string): void {
  for (let i = 0; i < length; i += 3) {
    if (attributes[i] === local && attributes[i + 1] === ns) throw notWellFormed('an attribute given twice');
  }
}
