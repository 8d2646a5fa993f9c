/**
 * XEP-0474 SASL SCRAM Downgrade Protection, 0.5.0 (Experimental). https://xmpp.org/extensions/xep-0474.html
 *
 * Checks that the server's advertised mechanisms reached us unchanged.
 */
import { SaslError } from '../errors.js';
import { encodeBase64 } from './base64.js';
import { hashOf, type ScramHash } from './scram-keys.js';

/**
 * The value of the attribute `h` (§ "Server Sends Downgrade Protection Hash"), in base64.
 * @param types the channel-binding types of XEP-0440; `undefined` or empty if none were advertised
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

/** Sorted by octets, which for ASCII names is the order of strings. */
function joinSorted(names: readonly string[]): string {
  return names.toSorted().join('\x1e');
}

/** Compares the server's hash with that of the lists we received. @throws SaslError `downgrade-detected` when they differ */
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
