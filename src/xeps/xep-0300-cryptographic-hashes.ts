/**
 * XEP-0300 Use of Cryptographic Hash Functions in XMPP, 1.0.0 (Stable). https://xmpp.org/extensions/xep-0300.html
 *
 * Hashes as others write them, and those that we can compute: of the SHA-1 and SHA-2 families.
 *
 * Left out: SHA-3 and BLAKE2b, which WebCrypto does not support; `<hash-used/>`.
 */
import { definePlugin } from '../xmpp-core/plugin.js';
import { el, type Element } from '../xmpp-core/xml/element.js';

export const NS_HASHES = 'urn:xmpp:hashes:2';

/** What WebCrypto calls the functions of the registry (IANA Hash Function Textual Names). */
const COMPUTABLE: ReadonlyMap<string, string> = new Map([
  ['sha-1', 'SHA-1'],
  ['sha-256', 'SHA-256'],
  ['sha-384', 'SHA-384'],
  ['sha-512', 'SHA-512'],
]);

/** Whether `digest` knows the function. */
export function canDigest(algorithm: string): boolean {
  return COMPUTABLE.has(algorithm);
}

/** The hash of some bytes; `undefined` when we cannot compute that function. */
export async function digest(algorithm: string, data: Uint8Array<ArrayBuffer>): Promise<Uint8Array | undefined> {
  const name = COMPUTABLE.get(algorithm);
  return name === undefined ? undefined : new Uint8Array(await crypto.subtle.digest(name, data));
}

/** The same as base64 text, which is how XEPs carry it. */
export async function digestBase64(algorithm: string, data: Uint8Array<ArrayBuffer>): Promise<string | undefined> {
  const bytes = await digest(algorithm, data);
  return bytes === undefined ? undefined : Buffer.from(bytes).toString('base64');
}

/** Base64 texts by the names of the functions that gave them. */
export type Hashes = ReadonlyMap<string, string>;

/** The hashes among the children of a payload. */
export function readHashes(parent: Element): Hashes {
  return new Map(
    parent.children('hash', NS_HASHES).flatMap((hash) => {
      const algorithm = hash.attr('algo');
      return algorithm === undefined ? [] : [[algorithm, hash.text.trim()] as const];
    }),
  );
}

export function writeHashes(hashes: Hashes): Element[] {
  return [...hashes].map(([algorithm, hash]) => el('hash', NS_HASHES, { algo: algorithm }, hash));
}

/** The functions that vouch for a content, the best first; SHA-1 does not (XEP-0414 §2). */
const TRUSTED = ['sha-512', 'sha-384', 'sha-256'];

/** Whether one of the hashes tells the content from any other. */
export function canVerify(hashes: Hashes): boolean {
  return TRUSTED.some((algorithm) => hashes.has(algorithm));
}

/** Whether the best hash of some bytes is the one they have; false when none vouches for anything. */
export async function verify(hashes: Hashes, data: Uint8Array<ArrayBuffer>): Promise<boolean> {
  const algorithm = TRUSTED.find((one) => hashes.has(one));
  return algorithm !== undefined && (await digestBase64(algorithm, data)) === hashes.get(algorithm);
}

/** Announces which hashes we can check (§4). */
export const cryptographicHashes = definePlugin({
  name: 'cryptographic-hashes',
  xep: 300,
  features: [NS_HASHES, ...TRUSTED.map((algorithm) => `urn:xmpp:hash-function-text-names:${algorithm}`)],
  setup: () => undefined,
});
