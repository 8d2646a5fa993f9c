/** The bytes being parsed, in the three forms that the parser reads. */
export interface Source {
  /** For single bytes: reading a typed array costs half of `charCodeAt`. Always a Buffer: V8 optimises for one kind of array. */
  readonly bytes: Buffer;
  /** The same bytes, to read four at once. */
  readonly view: DataView;
  /**
   * The same bytes, one character each, to cut strings from: a slice costs a fifth of decoding a range of bytes. For ASCII ranges only.
   */
  readonly latin1: string;
}

/** Methods that every Buffer has but Node's types leave out. `toString` calls them after checks that cost time. */
interface Slices {
  latin1Slice(start: number, end: number): string;
  ucs2Slice(start: number, end: number): string;
}

/** Wraps a chunk, without copying its bytes. */
export function sourceOf(chunk: Uint8Array): Source {
  const { buffer, byteOffset, byteLength } = chunk;
  const bytes = chunk instanceof Buffer ? chunk : Buffer.from(buffer, byteOffset, byteLength);
  return { bytes, view: new DataView(buffer, byteOffset, byteLength), latin1: ownLatin1(bytes, 0, byteLength) };
}

/** The range as a string of its own, one character per byte: a slice would keep the whole string that it was cut from in memory. */
export function ownLatin1(bytes: Buffer, start: number, end: number): string {
  return (bytes as Buffer & Slices).latin1Slice(start, end);
}

/** A buffer of UTF-16 units that is turned into a string at once. */
export class Utf16Buffer {
  readonly units: Uint16Array<ArrayBuffer>;
  readonly #bytes: Buffer & Slices;

  /** @param length in units */
  constructor(length: number) {
    this.units = new Uint16Array(length);
    this.#bytes = Buffer.from(this.units.buffer) as Buffer & Slices;
  }

  /** The first `length` units as a string. */
  text(length: number): string {
    return this.#bytes.ucs2Slice(0, length * 2);
  }
}
