/** Identifiers that nobody can guess (RFC 6120 §8.1.3): an answer forged by someone who did not see the question finds no match. */

/** A fresh identifier: 128 random bits, in the URL-safe base64 alphabet. */
export function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');
}
