/**
 * The hash for tls-server-end-point (RFC 5929 §4.1): that of the certificate's signature, with MD5 and SHA-1 replaced by SHA-256.
 *
 * Node 20 does not expose a certificate's signature algorithm, so it is read from the DER:
 * `SEQUENCE { tbsCertificate, SEQUENCE { OID, … }, signature }` (RFC 5280 §4.1).
 */

const HASH_BY_OID: ReadonlyMap<string, string> = new Map([
  ['2a864886f70d010104', 'sha256'], // md5WithRSAEncryption
  ['2a864886f70d010105', 'sha256'], // sha1WithRSAEncryption
  ['2a864886f70d01010b', 'sha256'], // sha256WithRSAEncryption
  ['2a864886f70d01010c', 'sha384'], // sha384WithRSAEncryption
  ['2a864886f70d01010d', 'sha512'], // sha512WithRSAEncryption
  ['2a8648ce3d0401', 'sha256'], // ecdsa-with-SHA1
  ['2a8648ce3d040302', 'sha256'], // ecdsa-with-SHA256
  ['2a8648ce3d040303', 'sha384'], // ecdsa-with-SHA384
  ['2a8648ce3d040304', 'sha512'], // ecdsa-with-SHA512
]);

/** The name of the hash in `node:crypto`; `undefined` if the RFC defines none (Ed25519, RSA-PSS) or the DER is malformed. */
export function endPointHash(certificate: Uint8Array): string | undefined {
  const outer = contents(certificate, 0);
  if (outer === undefined) return undefined;
  const tbs = contents(certificate, outer.start);
  if (tbs === undefined) return undefined;
  const algorithm = contents(certificate, tbs.end);
  if (algorithm === undefined) return undefined;
  const oid = contents(certificate, algorithm.start);
  if (oid === undefined) return undefined;
  return HASH_BY_OID.get(Buffer.from(certificate.subarray(oid.start, oid.end)).toString('hex'));
}

/** The range of the contents of the DER value at `at`; `undefined` if it exceeds the data. */
function contents(der: Uint8Array, at: number): { start: number; end: number } | undefined {
  const first = der[at + 1];
  if (first === undefined) return undefined;
  let start = at + 2;
  let length = first;
  if (first > 0x80) {
    length = 0;
    for (let count = first & 0x7f; count > 0; count--) length = length * 256 + (der[start++] ?? 0);
  }
  return start + length <= der.length ? { start, end: start + length } : undefined;
}
