/** Stanza errors on the wire (RFC 6120 §8.3). */
import { StanzaError, type StanzaErrorType } from '../errors.js';
import { el, type Element } from '../xml/element.js';
import { NS_CLIENT, NS_STANZAS } from './namespaces.js';

const TYPES: ReadonlySet<string> = new Set<StanzaErrorType>(['auth', 'cancel', 'continue', 'modify', 'wait']);

/** How much of a peer's own words is kept, in characters: they end up in logs. */
const MAX_WORDS = 500;

/** What a stanza of type `error` says. One without a readable `<error/>` counts as `undefined-condition`. */
export function readStanzaError(stanza: Element): StanzaError {
  const error = stanza.child('error');
  const type = error?.attr('type') ?? '';
  const defined = error?.children().find(({ ns, name }) => ns === NS_STANZAS && name !== 'text');
  return new StanzaError(
    isType(type) ? type : 'cancel',
    defined?.name ?? 'undefined-condition',
    error?.childText('text', NS_STANZAS)?.slice(0, MAX_WORDS),
    error?.attr('by'),
  );
}

/** The `<error/>` child that says it. */
export function writeStanzaError(error: StanzaError, ns: string = NS_CLIENT): Element {
  return el(
    'error',
    ns,
    { type: error.type, by: error.by },
    el(error.condition, NS_STANZAS),
    error.text === undefined ? undefined : el('text', NS_STANZAS, {}, error.text),
  );
}

/** The stanza of type `error` that answers `stanza` (RFC 6120 §8.3.1). */
export function errorReply(stanza: Element, error: StanzaError): Element {
  const addresses = { to: stanza.attr('from'), from: stanza.attr('to') };
  return el(
    stanza.name,
    stanza.ns,
    { ...addresses, id: stanza.attr('id'), type: 'error' },
    writeStanzaError(error, stanza.ns),
  );
}

function isType(type: string): type is StanzaErrorType {
  return TYPES.has(type);
}
