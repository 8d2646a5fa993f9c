/** Base64 with padding (RFC 4648 §4), read strictly: SASL data and SCRAM attributes have one spelling for each value. */

/** Writes bytes as base64. */
export function encodeBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

/** The bytes that `text` stands for, or `undefined` unless it is exactly what `encodeBase64` writes for them. */
export function decodeBase64(text: string): Uint8Array | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? new Uint8Array(bytes) : undefined;
}
