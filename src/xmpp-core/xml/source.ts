/** A run of bytes under the parser's eyes, in the two forms that it reads. */
export interface Source {
  /** The bytes, to look at: reading a typed array costs half of `charCodeAt`. */
  readonly bytes: Uint8Array;
  /**
   * The same, one character a byte, to cut from: a slice of a string costs a fifth of decoding a range of bytes. Good for
   * ASCII ranges only.
   */
  readonly latin1: string;
}

export function sourceOf(bytes: Uint8Array): Source {
  const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { bytes, latin1: buffer.toString('latin1') };
}
