/** The key derivations of SCRAM (RFC 5802 §3), for both sides: pure functions. */
import { pbkdf2, timingSafeEqual } from 'node:crypto';
import { hmac } from '@noble/hashes/hmac.js';
import { sha1 } from '@noble/hashes/legacy.js';
import { sha256, sha512 } from '@noble/hashes/sha2.js';

/** The hashes that SCRAM uses in XMPP, strongest first. */
export const SCRAM_HASHES = ['SHA-512', 'SHA-256', 'SHA-1'] as const;
/** One of `SCRAM_HASHES`. */
export type ScramHash = (typeof SCRAM_HASHES)[number];

/** A mechanism's name: `SCRAM-SHA-256`, `SCRAM-SHA-256-PLUS`. */
export function scramName(hash: ScramHash, plus: boolean): string {
  return `SCRAM-${hash}${plus ? '-PLUS' : ''}`;
}

const HASHES = {
  'SHA-1': { digest: sha1, nodeName: 'sha1' },
  'SHA-256': { digest: sha256, nodeName: 'sha256' },
  'SHA-512': { digest: sha512, nodeName: 'sha512' },
} as const;

/** `H(data)` of RFC 5802 §2.2. */
export function hashOf(hash: ScramHash, data: Uint8Array): Uint8Array {
  return HASHES[hash].digest(data);
}

function hmacOf(hash: ScramHash, key: Uint8Array, text: string): Uint8Array {
  return hmac(HASHES[hash].digest, key, new TextEncoder().encode(text));
}

/**
 * `Hi(password, salt, iterations)`: PBKDF2 on the thread pool, since a million iterations take about a second.
 * @param password prepared with OpaqueString
 */
export async function saltedPassword(
  hash: ScramHash,
  password: string,
  salt: Uint8Array,
  iterations: number,
): Promise<Uint8Array> {
  const { digest, nodeName } = HASHES[hash];
  return new Promise((resolve, reject) => {
    pbkdf2(password, salt, iterations, digest.outputLen, nodeName, (error, key) => {
      if (error) reject(error);
      else resolve(new Uint8Array(key));
    });
  });
}

/** `ClientKey`, which the client proves to know. */
export function clientKey(hash: ScramHash, saltedPassword: Uint8Array): Uint8Array {
  return hmacOf(hash, saltedPassword, 'Client Key');
}

/** `StoredKey`, which a server stores to check the client's proof. */
export function storedKey(hash: ScramHash, clientKey: Uint8Array): Uint8Array {
  return hashOf(hash, clientKey);
}

/** `ServerKey`, which a server stores to prove itself. */
export function serverKey(hash: ScramHash, saltedPassword: Uint8Array): Uint8Array {
  return hmacOf(hash, saltedPassword, 'Server Key');
}

/** `ClientSignature` for the stored key, `ServerSignature` for the server key. */
export function signature(hash: ScramHash, key: Uint8Array, authMessage: string): Uint8Array {
  return hmacOf(hash, key, authMessage);
}

/** Combines `ClientKey` and `ClientSignature` into the proof, and proof and signature back into the key. Both have the same length. */
export function xor(a: Uint8Array, b: Uint8Array): Uint8Array {
  return a.map((byte, index) => byte ^ (b[index] ?? 0));
}

/** Compares two values in constant time, so that the timing does not reveal where they differ. */
export function equalInConstantTime(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
