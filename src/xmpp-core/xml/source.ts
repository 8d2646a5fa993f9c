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

/** Node has these on every Buffer; its types leave them out. `toString` comes to them by a longer way. */
interface Slices {
  latin1Slice(start: number, end: number): string;
  ucs2Slice(start: number, end: number): string;
}

export function sourceOf(chunk: Uint8Array): Source {
  const { buffer, byteOffset, byteLength } = chunk;
  const bytes = chunk instanceof Buffer ? chunk : Buffer.from(buffer, byteOffset, byteLength);
  return { bytes, view: new DataView(buffer, byteOffset, byteLength), latin1: ownLatin1(bytes, 0, byteLength) };
}

/** The range, one character a byte, as a string of its own: a slice would keep all that it was cut from in memory. */
export function ownLatin1(bytes: Buffer, start: number, end: number): string {
  return (bytes as Buffer & Slices).latin1Slice(start, end);
}

/** Room to write UTF-16 into, and to make a string of what was written. */
export class Utf16Room {
  readonly units: Uint16Array<ArrayBuffer>;
  readonly #bytes: Buffer & Slices;

  /** `length`: how many units it holds. */
  constructor(length: number) {
    this.units = new Uint16Array(length);
    this.#bytes = Buffer.from(this.units.buffer) as Buffer & Slices;
  }

  /** The first so many units, as a string. */
  text(length: number): string {
    return this.#bytes.ucs2Slice(0, length * 2);
  }
}
