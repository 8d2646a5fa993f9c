/** How much a peer can make the parser hold in memory. Beyond a limit the stream ends with `policy-violation` (RFC 6120 §4.9.3.14). */
export interface XmlLimits {
  /** Bytes of one child of the stream, from its `<` to its last `>`. */
  readonly stanzaBytes: number;
  /** Levels of elements inside one stanza, the stanza itself being level 1. */
  readonly depth: number;
  /** Attributes of one element, namespace declarations included. */
  readonly attributes: number;
  /** Bytes of one element or attribute name, its prefix included. */
  readonly nameBytes: number;
  /** Child nodes of one element. */
  readonly children: number;
}

/** What is checked while a tree is built. */
export type TreeLimits = Omit<XmlLimits, 'stanzaBytes'>;

/** Limits of a parser, of which one can change while it runs. */
export interface ParserLimits extends Partial<TreeLimits> {
  /** A function is called at the beginning of each stanza, whose limit its result then is. */
  readonly stanzaBytes?: number | (() => number);
}

/** The limits where none are given: far above what real stanzas need. */
export const DEFAULT_LIMITS: XmlLimits = Object.freeze({
  stanzaBytes: 1_048_576,
  depth: 64,
  attributes: 64,
  nameBytes: 1_024,
  children: 65_536,
});
