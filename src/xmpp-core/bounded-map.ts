/** Memory that others fill is bounded: the oldest entry goes when there are too many. */

export class BoundedMap<Key, Value> extends Map<Key, Value> {
  readonly #bound: number;

  constructor(bound: number, entries: Iterable<readonly [Key, Value]> = []) {
    super();
    this.#bound = bound;
    for (const [key, value] of entries) this.set(key, value);
  }

  /** Sets a value, which is the newest by this, also where the key was there before. */
  override set(key: Key, value: Value): this {
    this.delete(key);
    super.set(key, value);
    dropOldest(this, this.#bound);
    return this;
  }

  /** The value of a key, which is the newest by this: what is in use stays. */
  use(key: Key): Value | undefined {
    const value = this.get(key);
    if (value !== undefined) this.set(key, value);
    return value;
  }
}

export class BoundedSet<Key> extends Set<Key> {
  readonly #bound: number;

  constructor(bound: number, keys: Iterable<Key> = []) {
    super();
    this.#bound = bound;
    for (const key of keys) this.add(key);
  }

  /** Adds a key, unless it is there; then it stays as old as it is. */
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
