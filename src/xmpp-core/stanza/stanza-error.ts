/** Stanza errors on the wire (RFC 6120 §8.3). */
import { defaultErrorType, legacyCondition, stanzaErrorCondition, type StanzaErrorType } from '../error-conditions.js';
import { StanzaError, type ErrorDetails } from '../errors.js';
import { el, type Element } from '../xml/element.js';
import { languageOf, readText } from './language.js';
import { NS_CLIENT, NS_STANZAS } from './namespaces.js';

const TYPES: ReadonlySet<string> = new Set<StanzaErrorType>(['auth', 'cancel', 'continue', 'modify', 'wait']);

/** How much of a peer's text is kept, in characters: it ends up in logs. */
const MAX_TEXT_LENGTH = 500;

/**
 * Reads the error of a stanza of type `error`. Without a condition of RFC 6120, the old code counts (XEP-0086), and without that it is
 * `undefined-condition`. An unknown type counts as the default type of the condition.
 * @param language the language of the stream, which texts inherit
 */
export function readStanzaError(stanza: Element, language?: string): StanzaError {
  const error = stanza.child('error');
  if (error === undefined) return StanzaError.of('undefined-condition');
  const { defined, text, details } = readErrorParts(error, NS_STANZAS, languageOf(stanza, language));
  const named = stanzaErrorCondition(defined);
  const legacy = named === 'undefined-condition' ? legacyCondition(error.attr('code')) : undefined;
  const condition = legacy ?? named;
  const type = error.attr('type') ?? '';
  // Old errors have their text directly inside.
  const oldText = legacy === undefined ? '' : error.text.trim().slice(0, MAX_TEXT_LENGTH);
  return new StanzaError(
    isType(type) ? type : defaultErrorType(condition),
    condition,
    text ?? (oldText === '' ? undefined : oldText),
    error.attr('by'),
    details,
  );
}

/** Writes the `<error/>` child of a stanza. @param ns the namespace of the stanza */
export function writeStanzaError(error: StanzaError, ns: string = NS_CLIENT): Element {
  const { application, alternative, language } = error.details;
  return el(
    'error',
    ns,
    { type: error.type, by: error.by },
    el(error.condition, NS_STANZAS, {}, alternative),
    error.text === undefined ? undefined : el('text', NS_STANZAS, { 'xml:lang': language }, error.text),
    application,
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

/** The parts that stanza errors and stream errors have in common. */
export interface ErrorParts {
  /** The name of the defined condition, not validated. */
  readonly defined: string | undefined;
  readonly text: string | undefined;
  readonly details: ErrorDetails;
}

/**
 * Reads the children that stream errors (RFC 6120 §4.9.2) and stanza errors (§8.3.2) have in common.
 * @param ns the namespace of the defined conditions
 * @param inherited the language that the error inherits
 */
export function readErrorParts(error: Element, ns: string, inherited: string | undefined): ErrorParts {
  const children = error.children();
  const defined = children.find((child) => child.ns === ns && child.name !== 'text');
  const text = readText(error, 'text', languageOf(error, inherited), ns);
  const alternative = defined?.text.trim().slice(0, MAX_TEXT_LENGTH);
  return {
    defined: defined?.name,
    text: text?.text.slice(0, MAX_TEXT_LENGTH),
    details: {
      application: children.find((child) => child.ns !== ns),
      alternative: alternative === '' ? undefined : alternative,
      language: text?.language,
    },
  };
}

function isType(type: string): type is StanzaErrorType {
  return TYPES.has(type);
}
