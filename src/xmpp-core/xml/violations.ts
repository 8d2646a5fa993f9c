/** The stream errors a parser can raise (RFC 6120 §4.9.3). Their texts describe the fault and never quote what was sent. */

import { StreamError } from '../errors.js';

/** Against the rules of XML 1.0 or of Namespaces in XML: both are `not-well-formed` (RFC 6120 §4.9.3.13, §11.3). */
export function notWellFormed(text: string): StreamError {
  return new StreamError('not-well-formed', text);
}

/** Well-formed, but among the features that XMPP leaves out (RFC 6120 §4.9.3.18, §11.1). */
export function restrictedXml(text: string): StreamError {
  return new StreamError('restricted-xml', text);
}

/** Well-formed, but more of it than we are ready to hold (RFC 6120 §4.9.3.14). */
export function policyViolation(text: string): StreamError {
  return new StreamError('policy-violation', text);
}
