/** Detects the type of a file by its bytes: names and declared types are only claims. */

/** A picture in a format that models support, with its size in pixels. */
export interface Picture {
  readonly type: 'image/png' | 'image/jpeg' | 'image/gif' | 'image/webp';
  readonly extension: 'png' | 'jpg' | 'gif' | 'webp';
  readonly width: number;
  readonly height: number;
}

/** The first bytes of common file types, as Latin-1 text; the first match counts. */
const MAGIC: readonly (readonly [pattern: RegExp, type: string])[] = [
  [/^\x89PNG\r\n\x1A\n/, 'image/png'],
  [/^\xFF\xD8\xFF/, 'image/jpeg'],
  [/^GIF8[79]a/, 'image/gif'],
  [/^RIFF[^]{4}WEBP/, 'image/webp'],
  [/^RIFF[^]{4}WAVE/, 'audio/wav'],
  [/^RIFF[^]{4}AVI /, 'video/x-msvideo'],
  [/^BM[^]{4}\0\0\0\0/, 'image/bmp'],
  [/^(?:II\*\0|MM\0\*)/, 'image/tiff'],
  [/^[^]{4}ftyp(?:avif|avis)/, 'image/avif'],
  [/^[^]{4}ftyp(?:heic|heix|mif1|msf1)/, 'image/heic'],
  [/^[^]{4}ftyp(?:M4A|M4B)/, 'audio/mp4'],
  [/^[^]{4}ftypqt/, 'video/quicktime'],
  [/^[^]{4}ftyp/, 'video/mp4'],
  [/^\x1A\x45\xDF\xA3/, 'video/webm'],
  [/^\0\0\x01[\xB3\xBA]/, 'video/mpeg'],
  [/^FLV\x01/, 'video/x-flv'],
  [/^OggS[^]{24}(?:[^]{1,2})?(?:\x80theora|\x01video)/, 'video/ogg'],
  [/^OggS/, 'audio/ogg'],
  [/^(?:ID3|\xFF[\xFB\xF3\xF2])/, 'audio/mpeg'],
  [/^\xFF[\xF1\xF9]/, 'audio/aac'],
  [/^fLaC/, 'audio/flac'],
  [/^%PDF-/, 'application/pdf'],
  [/^PK(?:\x03\x04|\x05\x06)/, 'application/zip'],
  [/^\x1F\x8B/, 'application/gzip'],
  [/^7z\xBC\xAF\x27\x1C/, 'application/x-7z-compressed'],
  [/^Rar!\x1A\x07/, 'application/vnd.rar'],
  [/^BZh[1-9]/, 'application/x-bzip2'],
  [/^\xFD7zXZ\0/, 'application/x-xz'],
  [/^\x7FELF/, 'application/x-executable'],
  [/^MZ[^]{2}/, 'application/vnd.microsoft.portable-executable'],
];

/** The media type by the first bytes; `undefined` when they match no known type. */
export function sniffType(data: Uint8Array): string | undefined {
  const head = Buffer.from(data.subarray(0, 64)).toString('latin1');
  return MAGIC.find(([pattern]) => pattern.test(head))?.[1];
}

/** Reads a picture's type and size; `undefined` when models do not support it, or it is broken. */
export function readPicture(data: Uint8Array): Picture | undefined {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  try {
    switch (sniffType(data)) {
      case 'image/png':
        return { type: 'image/png', extension: 'png', width: view.getUint32(16), height: view.getUint32(20) };
      case 'image/gif':
        return { type: 'image/gif', extension: 'gif', width: view.getUint16(6, true), height: view.getUint16(8, true) };
      case 'image/webp':
        return { type: 'image/webp', extension: 'webp', ...webpSize(view) };
      case 'image/jpeg':
        return { type: 'image/jpeg', extension: 'jpg', ...jpegSize(view) };
      default:
        return undefined;
    }
  } catch (error) {
    // The file ends before its size.
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** The three forms of WebP (RFC 9649 §2.5 to §2.7) store the size in different places. */
function webpSize(view: DataView): { width: number; height: number } {
  const form = String.fromCharCode(view.getUint8(12), view.getUint8(13), view.getUint8(14), view.getUint8(15));
  if (form === 'VP8X') {
    const plusOne = (at: number): number => view.getUint16(at, true) + (view.getUint8(at + 2) << 16) + 1;
    return { width: plusOne(24), height: plusOne(27) };
  }
  if (form === 'VP8L') {
    const bits = view.getUint32(21, true);
    return { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 };
  }
  return { width: view.getUint16(26, true) & 0x3fff, height: view.getUint16(28, true) & 0x3fff };
}

/** Follows the markers to the frame header (ITU-T T.81 §B.2.2). @throws RangeError when there is none */
function jpegSize(view: DataView): { width: number; height: number } {
  for (let at = 2; ;) {
    if (view.getUint8(at) !== 0xff) throw new RangeError('no marker where one must be');
    const marker = view.getUint8(at + 1);
    const isFrame = marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
    if (isFrame) return { height: view.getUint16(at + 5), width: view.getUint16(at + 7) };
    // Fill bytes may precede a marker.
    at += marker === 0xff ? 1 : 2 + view.getUint16(at + 2);
  }
}

/** Types that are never text, whatever the bytes look like. */
const NEVER_TEXT = /^(?:image\/(?!svg\+xml)|audio\/|video\/|font\/)/;

/**
 * Decodes a text file: UTF-8, or UTF-16 with a byte order mark. Other files that are declared as text are read as Windows-1252,
 * which older programs write. `undefined` when the file is not text.
 */
export function readText(data: Uint8Array, declared: string | undefined): string | undefined {
  if (NEVER_TEXT.test(declared ?? '') || sniffType(data) !== undefined) return undefined;
  const [first, second] = data;
  const utf16 =
    first === 0xff && second === 0xfe ? 'utf-16le' : first === 0xfe && second === 0xff ? 'utf-16be' : undefined;
  const text =
    decoded(data, utf16 ?? 'utf-8') ?? (declared?.startsWith('text/') ? decoded(data, 'windows-1252') : undefined);
  return text === undefined || CONTROL.test(text) ? undefined : text;
}

/** Control characters that text does not contain. Escape is allowed, because terminal colours start with it. */
const CONTROL = /[\0-\x08\x0E-\x1A\x1C-\x1F]/;

function decoded(data: Uint8Array, encoding: string): string | undefined {
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(data);
  } catch {
    return undefined;
  }
}
