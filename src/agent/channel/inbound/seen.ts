/** What was seen once and is in no conversation, such as dropped messages and senders who got a notice. It survives a restart. */
import { BoundedSet } from '../../../xmpp-core/bounded-map.js';
import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Storage } from '../../../xmpp-core/storage.js';
import type { Background } from '../../background.js';
import { readStoredJson } from '../../stored-json.js';

/** Anybody can add entries. The oldest are forgotten. */
const MAX_REMEMBERED = 1_000;

/** A bounded set of texts, on disk. */
export class SeenMessages {
  readonly #storage: Storage;
  readonly #key: string;
  readonly #background: Background;
  #names = new BoundedSet<string>(MAX_REMEMBERED);
  #writing: Promise<void> | undefined;

  /**
   * @param key where the set is stored: it names the account and what was seen
   */
  constructor(storage: Storage, key: string, background: Background) {
    this.#storage = storage;
    this.#key = key;
    this.#background = background;
  }

  /** Reads what was seen before the last stop. Rejects when the storage does. */
  async load(): Promise<void> {
    this.#names = new BoundedSet(MAX_REMEMBERED, await readStoredJson(this.#storage, this.#key, z.array(z.string())));
  }

  /** @param what any text, of any length */
  has(what: string): boolean {
    return this.#names.has(nameOf(what));
  }

  /** Adds a text. Does not wait for the disk, so that a flood does not pile up in memory. */
  add(what: string): void {
    this.#names.add(nameOf(what));
    this.#writing ??= this.#write();
  }

  /** Resolves when the set is on disk, or the write has failed, which is logged. */
  async written(): Promise<void> {
    await this.#writing;
  }

  /** Writes until nothing has changed during the last write. Never rejects. */
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
      this.#background.report(this.#key, error);
    } finally {
      this.#writing = undefined;
    }
  }
}

/** A hash: short, whatever senders write, and it stores nobody's address. 162 bits make collisions impractical. */
function nameOf(what: string): string {
  return createHash('sha256').update(what).digest('base64url').slice(0, 27);
}
