/** What was seen once and stands in no conversation: who was told something, what was dropped. It is known again after a restart. */
import { BoundedSet } from '../../../xmpp-core/bounded-map.js';
import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Storage } from '../../../xmpp-core/storage.js';
import { readStored } from '../../stored-json.js';

/** Strangers decide how much there is; what was seen so long ago is new again. */
const MAX_REMEMBERED = 1_000;

export class SeenMessages {
  readonly #storage: Storage;
  readonly #key: string;
  readonly #failed: (error: unknown) => void;
  #names = new BoundedSet<string>(MAX_REMEMBERED);
  #writing: Promise<void> | undefined;

  /**
   * @param key where it is kept, which names the account and what it is that was seen
   * @param failed told when it could not be written down
   */
  constructor(storage: Storage, key: string, failed: (error: unknown) => void) {
    this.#storage = storage;
    this.#key = key;
    this.#failed = failed;
  }

  /** Reads what was seen before the last stop. Rejects when the storage does. */
  async load(): Promise<void> {
    this.#names = new BoundedSet(MAX_REMEMBERED, await readStored(this.#storage, this.#key, z.array(z.string())));
  }

  /** @param what any text, as long as strangers like */
  has(what: string): boolean {
    return this.#names.has(nameOf(what));
  }

  /** From now on it was seen. Nobody waits for the disk here: a flood must not pile up before it. */
  add(what: string): void {
    this.#names.add(nameOf(what));
    this.#writing ??= this.#write();
  }

  /** Resolves when all that was seen stands on the disk, or cannot. */
  async written(): Promise<void> {
    await this.#writing;
  }

  /** What changes while a write is under way goes into the next. Never rejects. */
  async #write(): Promise<void> {
    let written: string | undefined;
    try {
      for (;;) {
        await Promise.resolve();
        const text = JSON.stringify([...this.#names]);
        if (text === written) return;
        await this.#storage.set(this.#key, text);
        written = text;
      }
    } catch (error) {
      this.#failed(error);
    } finally {
      this.#writing = undefined;
    }
  }
}

/** Short, whatever strangers write, and nobody's address: enough of a hash to tell a thousand things apart from all that anybody can make up. */
function nameOf(what: string): string {
  return createHash('sha256').update(what).digest('base64url').slice(0, 27);
}
