/** Storage for data that outlives a session. */

/** A key-value store that outlives the process. Values are small texts; `undefined` deletes. */
export interface Storage {
  get(key: string): Promise<string | undefined>;
  set(key: string, value: string | undefined): Promise<void>;
}

/** A storage in memory, for the lifetime of the process. */
export function memoryStorage(): Storage {
  const values = new Map<string, string>();
  return {
    get: async (key) => values.get(key),
    set: async (key, value) => {
      if (value === undefined) values.delete(key);
      else values.set(key, value);
    },
  };
}
