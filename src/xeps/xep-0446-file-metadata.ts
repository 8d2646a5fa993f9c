/**
 * XEP-0446 File metadata element, 0.2.0 (Experimental). https://xmpp.org/extensions/xep-0446.html
 *
 * Metadata of a file, before it is downloaded. Only the sender vouches for it: in particular, the name must not be used as a path (§3);
 * `safeFileName` turns it into a harmless one.
 */
import { el, type Element } from '../xmpp-core/xml/element.js';
import { readDateTime, writeDateTime } from './xep-0082-date-time.js';
import { readHashes, writeHashes, type Hashes } from './xep-0300-cryptographic-hashes.js';
import { codePointLength, textIn } from './xep-0426-character-counting.js';

/** The namespace of file metadata. */
export const NS_FILE_METADATA = 'urn:xmpp:file:metadata:0';

const NS_THUMBNAILS = 'urn:xmpp:thumbs:1';

/** A thumbnail of the file (XEP-0264). */
export interface Thumbnail {
  readonly uri: string;
  readonly mediaType: string | undefined;
  /** In pixels. */
  readonly width: number | undefined;
  readonly height: number | undefined;
}

/** The metadata of a file. */
export interface FileMetadata {
  readonly name?: string;
  /** If unknown, `application/octet-stream`. */
  readonly mediaType?: string;
  /** In bytes. */
  readonly size?: number;
  /** When it was last modified. */
  readonly date?: Date;
  /** Of images and videos, in pixels. */
  readonly width?: number;
  readonly height?: number;
  /** The duration of audio and video, in milliseconds. */
  readonly length?: number;
  /** For people; the first if there are several. */
  readonly description?: string;
  readonly hashes?: Hashes;
  readonly thumbnails?: readonly Thumbnail[];
}

/** Reads the `<file/>` among an element's children; invalid numbers are left out. */
export function readFileMetadata(parent: Element): FileMetadata | undefined {
  const file = parent.child('file', NS_FILE_METADATA);
  if (file === undefined) return undefined;
  const hashes = readHashes(file);
  const thumbnails = file.children('thumbnail', NS_THUMBNAILS).flatMap(readThumbnail);
  return {
    ...present('name', file.childText('name')),
    ...present('mediaType', file.childText('media-type')),
    ...present('size', numberOf(file.childText('size'))),
    ...present('date', readDateTime(file.childText('date'))),
    ...present('width', numberOf(file.childText('width'))),
    ...present('height', numberOf(file.childText('height'))),
    ...present('length', numberOf(file.childText('length'))),
    ...present('description', file.childText('desc')),
    ...(hashes.size === 0 ? {} : { hashes }),
    ...(thumbnails.length === 0 ? {} : { thumbnails }),
  };
}

/** Writes the metadata of a file. */
export function writeFileMetadata(file: FileMetadata): Element {
  const { name, mediaType, size, date, width, height, length, description, hashes = new Map(), thumbnails = [] } = file;
  const child = (tag: string, value: string | number | undefined): Element | undefined =>
    value === undefined ? undefined : el(tag, NS_FILE_METADATA, {}, String(value));
  return el(
    'file',
    NS_FILE_METADATA,
    {},
    child('media-type', mediaType),
    child('name', name),
    child('date', date === undefined ? undefined : writeDateTime(date)),
    child('size', size),
    child('width', width),
    child('height', height),
    child('length', length),
    ...writeHashes(hashes),
    child('desc', description),
    ...thumbnails.map(writeThumbnail),
  );
}

/** Characters that are not allowed in file names on some system: separators, control characters and those with a meaning in shells. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}/\\:*?"<>|]/gu;
/** In code points of at most four bytes each: file systems allow 255 bytes. */
const MAX_NAME_LENGTH = 60;

/** A file name that is safe to use in a directory: it contains no path, is not hidden and not empty. */
export function safeFileName(name: string | undefined): string {
  const flat = (name ?? '')
    .replaceAll(UNSAFE, '_')
    .replace(/^[.\s]+/, '')
    .replace(/[.\s]+$/, '');
  if (codePointLength(flat) <= MAX_NAME_LENGTH) return flat === '' ? 'file' : flat;
  const extension = /\.\w{1,10}$/.exec(flat)?.[0] ?? '';
  return textIn(flat, { start: 0, end: MAX_NAME_LENGTH - extension.length }) + extension;
}

function readThumbnail(thumbnail: Element): Thumbnail[] {
  const uri = thumbnail.attr('uri');
  if (uri === undefined) return [];
  const width = numberOf(thumbnail.attr('width'));
  const height = numberOf(thumbnail.attr('height'));
  return [{ uri, mediaType: thumbnail.attr('media-type'), width, height }];
}

function writeThumbnail({ uri, mediaType, width, height }: Thumbnail): Element {
  return el('thumbnail', NS_THUMBNAILS, { uri, 'media-type': mediaType, width, height });
}

function numberOf(text: string | undefined): number | undefined {
  return /^\d{1,15}$/.test(text ?? '') ? Number(text) : undefined;
}

function present<Key extends string, Value>(key: Key, value: Value | undefined): { readonly [K in Key]?: Value } {
  return value === undefined ? {} : ({ [key]: value } as { readonly [K in Key]: Value });
}
