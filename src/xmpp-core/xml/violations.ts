/** The stream errors that a parser raises (RFC 6120 §4.9.3). Their texts describe the fault and never quote the peer's data. */

import { StreamError } from '../errors.js';

/** A violation of XML 1.0 or of Namespaces in XML: both are `not-well-formed` (RFC 6120 §4.9.3.13, §11.3). */
export function notWellFormed(text: string): StreamError {
  return new StreamError('not-well-formed', text);
}

/** Well-formed, but a feature of XML that XMPP forbids (RFC 6120 §4.9.3.18, §11.1). */
export function restrictedXml(text: string): StreamError {
  return new StreamError('restricted-xml', text);
}

/** Well-formed, but over one of our limits (RFC 6120 §4.9.3.14). */
export function policyViolation(text: string): StreamError {
  return new StreamError('policy-violation', text);
}
