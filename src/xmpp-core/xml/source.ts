/** A run of bytes under the parser's eyes, in the forms that it reads. */
export interface Source {
  /** The bytes, to look at: reading a typed array costs half of `charCodeAt`. Always a Buffer: one kind of array is quicker than two. */
  readonly bytes: Buffer;
  /** The same, to look at four at once. */
  readonly view: DataView;
  /**
   * The same, one character a byte, to cut from: a slice of a string costs a fifth of decoding a range of bytes. Good for
   * ASCII ranges only.
   */
  readonly latin1: string;
}

/** Node has this method on every Buffer; its types leave it out. `toString('latin1')` comes to it by a longer way. */
interface Latin1 {
  latin1Slice(start: number, end: number): string;
}

export function sourceOf(chunk: Uint8Array): Source {
  const { buffer, byteOffset, byteLength } = chunk;
  const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(buffer, byteOffset, byteLength);
  return { bytes, view: new DataView(buffer, byteOffset, byteLength), latin1: ownLatin1(bytes, 0, byteLength) };
}

/** The range, one character a byte, as a string of its own: a slice would keep all that it was cut from in memory. */
export function ownLatin1(bytes: Buffer, start: number, end: number): string {
  return (bytes as Buffer & Latin1).latin1Slice(start, end);
}
