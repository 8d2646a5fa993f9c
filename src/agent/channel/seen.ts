/** What is told to everybody once, and not again after a restart. */
import { z } from 'zod';
import type { Storage } from '../../xmpp-core/storage.js';
import { readStored } from './stored-json.js';

/** Strangers decide how many there are; who was told so long ago is told again. */
const MAX_REMEMBERED = 1_000;

export class OnceEach {
  readonly #storage: Storage;
  readonly #key: string;
  #told = new Set<string>();

  /** @param key where it is kept, which names the account and what it is that is told */
  constructor(storage: Storage, key: string) {
    this.#storage = storage;
    this.#key = key;
  }

  /** Reads who was told before the last stop. Rejects when the storage does. */
  async load(): Promise<void> {
    this.#told = new Set(await readStored(this.#storage, this.#key, z.array(z.string())));
  }

  /** Whether somebody is to be told, which then counts as done. Rejects when that could not be written down. */
  async isDue(who: string): Promise<boolean> {
    if (this.#told.has(who)) return false;
    this.#told.add(who);
    const [oldest] = this.#told;
    if (this.#told.size > MAX_REMEMBERED && oldest !== undefined) this.#told.delete(oldest);
    await this.#storage.set(this.#key, JSON.stringify([...this.#told]));
    return true;
  }
}
