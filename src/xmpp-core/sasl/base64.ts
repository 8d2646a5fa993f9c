/** Base64 with padding (RFC 4648 §4), decoded strictly: SASL data and SCRAM attributes have one encoding per value. */

/** Encodes bytes as base64. */
export function encodeBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

/** Decodes base64; `undefined` unless `text` is exactly what `encodeBase64` returns for the result. */
export function decodeBase64(text: string): Uint8Array | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? new Uint8Array(bytes) : undefined;
}
