/** Caches the results of PBKDF2, so that a reconnect needs none: salt and iteration count of an account rarely change (RFC 5802 §5.1). */
import { untilAborted } from '../deadline.js';
import { abortReason } from '../events.js';
import { encodeBase64 } from './base64.js';
import { saltedPassword, type ScramHash } from './scram-keys.js';

/** An account has one entry per hash; the rest is for changed salts. A server that sends new salts evicts only its own entries. */
const DEFAULT_LIMIT = 8;

/** An LRU cache of salted passwords. */
export class SaltedPasswordCache {
  /** Least recently used first. In memory only, like the password itself. */
  readonly #entries = new Map<string, Uint8Array>();
  readonly #limit: number;
  readonly #derive: typeof saltedPassword;

  /** @param derive replaces the key derivation in tests */
  constructor(limit = DEFAULT_LIMIT, derive: typeof saltedPassword = saltedPassword) {
    this.#limit = limit;
    this.#derive = derive;
  }

  /**
   * Returns the salted password, cached or derived. Rejects with the signal's reason when that aborts first; the result of the
   * thread pool is then ignored.
   */
  async get(
    hash: ScramHash,
    password: string,
    salt: Uint8Array,
    iterations: number,
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    if (signal.aborted) throw abortReason(signal);
    // Only the password can contain a space, and it comes last, so no two inputs share a key.
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
