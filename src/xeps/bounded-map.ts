/** Memory that others fill is bounded. */

/** Keeps a value under a bound; the one that was put in first goes. */
export function keep<Value>(map: Map<string, Value>, key: string, value: Value, bound: number): void {
  const [oldest] = map.keys();
  if (oldest !== undefined && map.size >= bound && !map.has(key)) map.delete(oldest);
  map.set(key, value);
}
