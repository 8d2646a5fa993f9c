/** Bounds for data that peers can add to. */

/** Sets a value; if the map is full, drops the entry that was added first. */
export function setBounded<Value>(map: Map<string, Value>, key: string, value: Value, bound: number): void {
  const [oldest] = map.keys();
  if (oldest !== undefined && map.size >= bound && !map.has(key)) map.delete(oldest);
  map.set(key, value);
}
