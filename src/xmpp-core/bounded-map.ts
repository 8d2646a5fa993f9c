/** Collections with a bound, for data that peers determine: the oldest entry is dropped when there are too many. */

/** A Map of at most `bound` entries. */
export class BoundedMap<Key, Value> extends Map<Key, Value> {
  readonly #bound: number;

  constructor(bound: number, entries: Iterable<readonly [Key, Value]> = []) {
    super();
    this.#bound = bound;
    for (const [key, value] of entries) this.set(key, value);
  }

  /** Sets a value and makes it the newest entry, even if the key existed. */
  override set(key: Key, value: Value): this {
    this.delete(key);
    super.set(key, value);
    dropOldest(this, this.#bound);
    return this;
  }

  /** Returns the value of a key and makes it the newest entry, so that entries in use stay. */
  use(key: Key): Value | undefined {
    const value = this.get(key);
    if (value !== undefined) this.set(key, value);
    return value;
  }
}

/** A Set of at most `bound` keys. */
export class BoundedSet<Key> extends Set<Key> {
  readonly #bound: number;

  constructor(bound: number, keys: Iterable<Key> = []) {
    super();
    this.#bound = bound;
    for (const key of keys) this.add(key);
  }

  /** Adds a key. An existing key keeps its age. */
  override add(key: Key): this {
    super.add(key);
    dropOldest(this, this.#bound);
    return this;
  }
}

function dropOldest<Key>(collection: Map<Key, unknown> | Set<Key>, bound: number): void {
  for (const oldest of collection.keys()) {
    if (collection.size <= bound) return;
    collection.delete(oldest);
  }
}
