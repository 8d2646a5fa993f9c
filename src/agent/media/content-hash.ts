/** Hashes by which it is seen whether a file is the one that its sender meant. Only such are known here as nobody can forge. */
import { createHash } from 'node:crypto';

/** A hash as people's clients tell of it. */
export interface ContentHash {
  /** Its name in the registry (IANA Hash Function Textual Names, XEP-0300 §7), such as `sha-256`. */
  readonly algorithm: string;
  /** In base64. */
  readonly value: string;
}

/** What the platform calls the functions of the registry, the best first. MD5 and SHA-1 vouch for nothing (XEP-0414 §2). */
const FUNCTIONS: ReadonlyMap<string, string> = new Map([
  ['sha3-512', 'sha3-512'],
  ['sha-512', 'sha512'],
  ['blake2b-512', 'blake2b512'],
  ['sha3-384', 'sha3-384'],
  ['sha-384', 'sha384'],
  ['sha3-256', 'sha3-256'],
  ['sha-256', 'sha256'],
]);

/** The best of some hashes, base64 by name of the function; `undefined` when we know none of them. */
export function bestHash(hashes: ReadonlyMap<string, string>): ContentHash | undefined {
  for (const algorithm of FUNCTIONS.keys()) {
    const value = hashes.get(algorithm);
    if (value !== undefined) return { algorithm, value };
  }
  return undefined;
}

/** Whether a content has a hash. What vouches for nothing, or is no hash at all, is the hash of none. */
export function matchesHash(data: Uint8Array, { algorithm, value }: ContentHash): boolean {
  const name = FUNCTIONS.get(algorithm);
  if (name === undefined) return false;
  const [given, own] = [Buffer.from(value, 'base64'), createHash(name).update(data).digest()];
  return given.equals(own);
}
