/** Hashes that verify that a file is the one its sender meant. Only functions without known collisions are supported. */
import { createHash } from 'node:crypto';

/** A hash as sent by a client. */
export interface ContentHash {
  /** Its name in the registry (IANA Hash Function Textual Names, XEP-0300 §7), such as `sha-256`. */
  readonly algorithm: string;
  /** In base64. */
  readonly value: string;
}

/** Node's names for the functions of the registry, best first. MD5 and SHA-1 are not secure (XEP-0414 §2). */
const FUNCTIONS: ReadonlyMap<string, string> = new Map([
  ['sha3-512', 'sha3-512'],
  ['sha-512', 'sha512'],
  ['blake2b-512', 'blake2b512'],
  ['sha3-384', 'sha3-384'],
  ['sha-384', 'sha384'],
  ['sha3-256', 'sha3-256'],
  ['sha-256', 'sha256'],
]);

/** The best of several hashes (base64 by function name); `undefined` when none is supported. */
export function bestHash(hashes: ReadonlyMap<string, string>): ContentHash | undefined {
  for (const algorithm of FUNCTIONS.keys()) {
    const value = hashes.get(algorithm);
    if (value !== undefined) return { algorithm, value };
  }
  return undefined;
}

/** Whether `data` has this hash. False for an unsupported function or an invalid value. */
export function matchesHash(data: Uint8Array, { algorithm, value }: ContentHash): boolean {
  const name = FUNCTIONS.get(algorithm);
  if (name === undefined) return false;
  return Buffer.from(value, 'base64').equals(createHash(name).update(data).digest());
}
