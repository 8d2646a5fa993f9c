/** The conditions of stream and stanza errors, as defined in RFC 6120. */

/** The kinds of stanza error (RFC 6120 §8.3.2): what the sender may do about it. */
export type StanzaErrorType = 'auth' | 'cancel' | 'continue' | 'modify' | 'wait';

/**
 * RFC 6120 §8.3.3: each condition with the type that the RFC associates with it. Where it leaves the choice between two
 * (`policy-violation`, `unexpected-request`) it is the one that keeps a sender from trying the same again; `undefined-condition` may have any.
 */
const DEFAULT_TYPES = {
  'bad-request': 'modify',
  conflict: 'cancel',
  'feature-not-implemented': 'cancel',
  forbidden: 'auth',
  gone: 'cancel',
  'internal-server-error': 'cancel',
  'item-not-found': 'cancel',
  'jid-malformed': 'modify',
  'not-acceptable': 'modify',
  'not-allowed': 'cancel',
  'not-authorized': 'auth',
  'policy-violation': 'modify',
  'recipient-unavailable': 'wait',
  redirect: 'modify',
  'registration-required': 'auth',
  'remote-server-not-found': 'cancel',
  'remote-server-timeout': 'wait',
  'resource-constraint': 'wait',
  'service-unavailable': 'cancel',
  'subscription-required': 'auth',
  'undefined-condition': 'cancel',
  'unexpected-request': 'modify',
} as const satisfies Record<string, StanzaErrorType>;

/** A condition of RFC 6120 §8.3.3. */
export type StanzaErrorCondition = keyof typeof DEFAULT_TYPES;

/** The default type of a condition. */
export function defaultErrorType(condition: StanzaErrorCondition): StanzaErrorType {
  return DEFAULT_TYPES[condition];
}

/** The codes of errors before RFC 3920, and what became of them (XEP-0086 §3). */
const LEGACY_CODES: ReadonlyMap<string, StanzaErrorCondition> = new Map([
  ['302', 'redirect'],
  ['400', 'bad-request'],
  ['401', 'not-authorized'],
  ['403', 'forbidden'],
  ['404', 'item-not-found'],
  ['405', 'not-allowed'],
  ['406', 'not-acceptable'],
  ['407', 'registration-required'],
  ['408', 'remote-server-timeout'],
  ['409', 'conflict'],
  ['500', 'internal-server-error'],
  ['501', 'feature-not-implemented'],
  ['502', 'service-unavailable'],
  ['503', 'service-unavailable'],
  ['504', 'remote-server-timeout'],
  ['510', 'service-unavailable'],
]);

/** The condition that an old error code stands for (XEP-0086 §3). */
export function legacyCondition(code: string | undefined): StanzaErrorCondition | undefined {
  return code === undefined ? undefined : LEGACY_CODES.get(code.trim());
}

/** The condition of that name; one that is not of the RFC counts as `undefined-condition`. */
export function stanzaErrorCondition(name: string | undefined): StanzaErrorCondition {
  return name !== undefined && Object.hasOwn(DEFAULT_TYPES, name)
    ? (name as StanzaErrorCondition)
    : 'undefined-condition';
}

const STREAM_CONDITIONS = [
  'bad-format',
  'bad-namespace-prefix',
  'conflict',
  'connection-timeout',
  'host-gone',
  'host-unknown',
  'improper-addressing',
  'internal-server-error',
  'invalid-from',
  'invalid-namespace',
  'invalid-xml',
  'not-authorized',
  'not-well-formed',
  'policy-violation',
  'remote-connection-failed',
  'reset',
  'resource-constraint',
  'restricted-xml',
  'see-other-host',
  'system-shutdown',
  'undefined-condition',
  'unsupported-encoding',
  'unsupported-feature',
  'unsupported-stanza-type',
  'unsupported-version',
] as const;

/** A condition of RFC 6120 §4.9.3. */
export type StreamErrorCondition = (typeof STREAM_CONDITIONS)[number];

/** The condition of that name; one that is not of the RFC counts as `undefined-condition`. */
export function streamErrorCondition(name: string | undefined): StreamErrorCondition {
  return STREAM_CONDITIONS.find((condition) => condition === name) ?? 'undefined-condition';
}
