/**
 * XEP-0474 SASL SCRAM Downgrade Protection, 0.5.0 (Experimental). https://xmpp.org/extensions/xep-0474.html
 *
 * What the server advertised is what reached us.
 */
import { SaslError } from '../errors.js';
import { encodeBase64 } from './base64.js';
import { hashOf, type ScramHash } from './scram-keys.js';

/**
 * The value of `h` (§ "Server Sends Downgrade Protection Hash"), in base64, for these mechanisms and channel-binding types.
 * @param types of XEP-0440; `undefined` or empty when they were not advertised
 */
export function downgradeHash(
  hash: ScramHash,
  mechanisms: readonly string[],
  types: readonly string[] | undefined,
): string {
  let advertised = joinSorted(mechanisms);
  if (types !== undefined && types.length > 0) advertised += `\x1f${joinSorted(types)}`;
  return encodeBase64(hashOf(hash, new TextEncoder().encode(advertised)));
}

/** Sorted by octets; for the ASCII of these names that is the order of strings. */
function joinSorted(names: readonly string[]): string {
  return names.toSorted().join('\x1e');
}

/** @throws SaslError when the server signed another list than the one we were shown */
export function checkDowngradeHash(
  received: string,
  hash: ScramHash,
  mechanisms: readonly string[],
  types: readonly string[] | undefined,
): void {
  if (received === downgradeHash(hash, mechanisms, types)) return;
  throw new SaslError(
    'downgrade-detected',
    'the server offered other mechanisms or channel bindings than we received (XEP-0474): someone may be intercepting the connection',
  );
}
