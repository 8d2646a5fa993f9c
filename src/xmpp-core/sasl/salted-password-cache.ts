/** Remembers what PBKDF2 gave, so that a reconnect costs none: servers keep an account's salt and iteration count (RFC 5802 §5.1). */
import { untilAborted } from '../deadline.js';
import { abortReason } from '../events.js';
import { encodeBase64 } from './base64.js';
import { saltedPassword, type ScramHash } from './scram-keys.js';

/** An account has one entry a hash; the rest is room for a changed salt. A server that names new salts only pushes out its own. */
const DEFAULT_LIMIT = 8;

export class SaltedPasswordCache {
  /** Least recently used first. In memory only, as the password itself is. */
  readonly #entries = new Map<string, Uint8Array>();
  readonly #limit: number;
  readonly #derive: typeof saltedPassword;

  /** @param derive replaces the derivation, for those who count or slow it */
  constructor(limit = DEFAULT_LIMIT, derive: typeof saltedPassword = saltedPassword) {
    this.#limit = limit;
    this.#derive = derive;
  }

  /**
   * The salted password, from memory or derived. Rejected with the signal's reason when that is aborted before; what the
   * thread pool still brings then is used by nobody.
   */
  async get(
    hash: ScramHash,
    password: string,
    salt: Uint8Array,
    iterations: number,
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    if (signal.aborted) throw abortReason(signal);
    // Only the password can hold a space, and it comes last: no two inputs share a key.
    const key = `${hash} ${iterations} ${encodeBase64(salt)} ${password}`;
    const salted =
      this.#entries.get(key) ?? (await untilAborted(signal, this.#derive(hash, password, salt, iterations)));
    this.#entries.delete(key);
    this.#entries.set(key, salted);
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#limit) break;
      this.#entries.delete(oldest);
    }
    return salted;
  }
}
