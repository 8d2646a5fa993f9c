/**
 * XEP-0300 Use of Cryptographic Hash Functions in XMPP, 1.0.0 (Stable). https://xmpp.org/extensions/xep-0300.html
 *
 * The codec for hashes, and their computation with SHA-1 and SHA-2.
 *
 * Left out: SHA-3 and BLAKE2b, which WebCrypto does not support; `<hash-used/>`.
 */
import { definePlugin } from '../xmpp-core/plugin.js';
import { el, type Element } from '../xmpp-core/xml/element.js';

/** The namespace of hashes. */
export const NS_HASHES = 'urn:xmpp:hashes:2';

/** The names in WebCrypto, by those of the registry (IANA Hash Function Textual Names). */
const WEB_CRYPTO_NAMES: ReadonlyMap<string, string> = new Map([
  ['sha-1', 'SHA-1'],
  ['sha-256', 'SHA-256'],
  ['sha-384', 'SHA-384'],
  ['sha-512', 'SHA-512'],
]);

/** Whether `digest` supports the function. */
export function canDigest(algorithm: string): boolean {
  return WEB_CRYPTO_NAMES.has(algorithm);
}

/** Computes a hash; `undefined` if the function is not supported. */
export async function digest(algorithm: string, data: Uint8Array<ArrayBuffer>): Promise<Uint8Array | undefined> {
  const name = WEB_CRYPTO_NAMES.get(algorithm);
  return name === undefined ? undefined : new Uint8Array(await crypto.subtle.digest(name, data));
}

/** Computes a hash as base64, the form that XEPs use; `undefined` if the function is not supported. */
export async function digestBase64(algorithm: string, data: Uint8Array<ArrayBuffer>): Promise<string | undefined> {
  const bytes = await digest(algorithm, data);
  return bytes === undefined ? undefined : Buffer.from(bytes).toString('base64');
}

/** Hashes as base64, by function. */
export type Hashes = ReadonlyMap<string, string>;

/** Reads the hashes among the children of a payload. */
export function readHashes(parent: Element): Hashes {
  return new Map(
    parent.children('hash', NS_HASHES).flatMap((hash) => {
      const algorithm = hash.attr('algo');
      return algorithm === undefined ? [] : [[algorithm, hash.text.trim()] as const];
    }),
  );
}

/** Writes hashes. */
export function writeHashes(hashes: Hashes): Element[] {
  return [...hashes].map(([algorithm, hash]) => el('hash', NS_HASHES, { algo: algorithm }, hash));
}

/** The functions that are secure enough to verify content, strongest first; SHA-1 is not (XEP-0414 §2). */
const TRUSTED = ['sha-512', 'sha-384', 'sha-256'];

/** Whether one of the hashes is secure enough to verify content. */
export function canVerify(hashes: Hashes): boolean {
  return TRUSTED.some((algorithm) => hashes.has(algorithm));
}

/** Whether the data has the strongest of the hashes; `false` if none is secure enough. */
export async function verify(hashes: Hashes, data: Uint8Array<ArrayBuffer>): Promise<boolean> {
  const algorithm = TRUSTED.find((one) => hashes.has(one));
  return algorithm !== undefined && (await digestBase64(algorithm, data)) === hashes.get(algorithm);
}

/** Announces the hash functions that we can verify (§4). */
export const cryptographicHashes = definePlugin({
  name: 'cryptographic-hashes',
  xep: 300,
  features: [NS_HASHES, ...TRUSTED.map((algorithm) => `urn:xmpp:hash-function-text-names:${algorithm}`)],
  setup: () => undefined,
});
