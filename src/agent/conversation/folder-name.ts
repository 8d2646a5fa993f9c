/** Maps a conversation's id to a folder name: safe on every file system, readable, and unique. */
import { createHash } from 'node:crypto';

/** File systems allow 255 bytes; the rest leaves room for suffixes. */
const MAX_LENGTH = 200;
const HASHED = '~';

/**
 * The folder name for a conversation's id.
 *
 * Lower-case letters, digits, `@`, `_`, `-` and inner dots are kept; every other UTF-8 byte becomes `%` and two lower-case
 * hexadecimal digits. So there is no path separator, no `..`, no two names that differ only in case, and the id can be
 * decoded. An id that would be too long, or is not well-formed Unicode, is cut and followed by `~` and its SHA-256.
 *
 * @throws RangeError for an empty id
 */
export function folderName(id: string): string {
  if (id === '') throw new RangeError('a conversation needs an id');
  const bytes = Buffer.from(id, 'utf8');
  const name = bytes.toString('latin1').replace(/[^a-z0-9@_.-]|^\.|\.$/g, percent);
  if (name.length <= MAX_LENGTH && bytes.toString('utf8') === id) return name;
  const hash = createHash('sha256').update(id, 'utf16le').digest('hex');
  return `${name.slice(0, MAX_LENGTH - HASHED.length - hash.length)}${HASHED}${hash}`;
}

/** The id that a folder name encodes; `undefined` when it contains only a hash, or is not one of ours. */
export function folderId(name: string): string | undefined {
  if (!/^(?:[a-z0-9@_.-]|%[0-9a-f]{2})+$/.test(name)) return undefined;
  const bytes = name.replace(/%(..)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  const id = Buffer.from(bytes, 'latin1').toString('utf8');
  return folderName(id) === name ? id : undefined;
}

function percent(byte: string): string {
  return `%${byte.charCodeAt(0).toString(16).padStart(2, '0')}`;
}
