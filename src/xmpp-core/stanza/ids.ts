/** Unguessable identifiers (RFC 6120 §8.1.3): a response forged by someone who did not see the request matches nothing. */

/** Returns a new identifier: 128 random bits, in the URL-safe base64 alphabet. */
export function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');
}
