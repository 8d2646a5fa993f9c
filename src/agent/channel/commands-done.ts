/** Which commands were carried out: one that comes again, from an archive or after a restart, is not. */
import { z } from 'zod';
import type { Storage } from '../../xmpp-core/storage.js';
import { RecentKeys } from '../conversation/conversation.js';
import { readStored } from './stored-json.js';

/** In memory, for what comes twice within a session. */
const MAX_KEYS = 1_000;
/** On the disk: an archive brings again at most what came in the moment before a crash. */
const MAX_KEPT = 100;

export class CommandsDone {
  readonly #storage: Storage;
  readonly #key: string;
  readonly #known = new RecentKeys(MAX_KEYS);
  #kept: string[] = [];
  #written: Promise<void> = Promise.resolve();

  /** @param account the bare JID of the account that they were given to */
  constructor(storage: Storage, account: string) {
    this.#storage = storage;
    this.#key = `commands ${account}`;
  }

  /** Reads what was written before the last stop. Rejects when the storage does. */
  async load(): Promise<void> {
    this.#kept = (await readStored(this.#storage, this.#key, z.array(z.string()))) ?? [];
    for (const key of this.#kept) this.#known.add(key);
  }

  /** Whether a command was carried out, or is about to be. */
  has(key: string): boolean {
    return this.#known.has(key);
  }

  /** Whether a command is new; then it counts as done. */
  add(key: string): boolean {
    if (this.#known.has(key)) return false;
    this.#known.add(key);
    this.#kept = [...this.#kept, key].slice(-MAX_KEPT);
    this.#written = this.#storage.set(this.#key, JSON.stringify(this.#kept));
    // Whoever waits for it is told.
    this.#written.catch(() => undefined);
    return true;
  }

  /** Waits until all of them are on the disk: before that, none is to be carried out. Rejects when the storage does. */
  written(): Promise<void> {
    return this.#written;
  }
}
