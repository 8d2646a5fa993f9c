/** Recognizes by the first bytes that a port sends that it is no port for XMPP, so that nobody has to understand an error of the XML parser. */
import type { PortUse } from '../errors.js';

const HTTP = 'HTTP/';
/** The types of a TLS record that a server can begin with (RFC 8446 §5.1): an alert, or a handshake. */
const TLS_RECORDS: ReadonlySet<number> = new Set([0x15, 0x16]);
const LESS_THAN = 0x3c;

/**
 * What a port is for that sends this first.
 * @param bytes the first chunk, however short
 * @returns `undefined` for all that may be XML: a tag, white space, or another encoding than UTF-8, which the parser rejects
 */
export function foreignUse(bytes: Uint8Array): Exclude<PortUse, 'starttls'> | undefined {
  const [first] = bytes;
  if (first === undefined) return undefined;
  // No XML begins with these letters, so one of them is enough when the first chunk is that short.
  const text = String.fromCharCode(...bytes.subarray(0, HTTP.length));
  if (HTTP.startsWith(text)) return 'http';
  if (TLS_RECORDS.has(first)) return 'direct';
  return first > 0x20 && first < 0x7f && first !== LESS_THAN ? 'other' : undefined;
}
