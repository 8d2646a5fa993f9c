/** When to ask a model again, and after how long. */
import type { ModelError, ModelErrorKind } from './model.js';

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 8_000;
/** Somebody is waiting for an answer: a provider that wants more patience than this is not asked again. */
const LONGEST_RETRY_AFTER_MS = 30_000;

/** What may be different a moment later. */
const PASSING: ReadonlySet<ModelErrorKind> = new Set([
  'rate-limited',
  'unavailable',
  'unreachable',
  'timeout',
  'stalled',
  'truncated',
]);

/**
 * How long to wait, in milliseconds, before asking again after `error`; undefined when asking again is of no use.
 * The provider's Retry-After is kept to. Without one the wait doubles with every attempt, and half of it is chance, so that many
 * conversations that failed together do not come back together.
 * @param attempt how many attempts failed before this one
 */
export function retryDelay(error: ModelError, attempt: number, random: () => number = Math.random): number | undefined {
  if (!PASSING.has(error.kind)) return undefined;
  if (error.retryAfterMs !== undefined) {
    return error.retryAfterMs <= LONGEST_RETRY_AFTER_MS ? error.retryAfterMs : undefined;
  }
  const longest = Math.min(FIRST_WAIT_MS * 2 ** attempt, LONGEST_WAIT_MS);
  return longest * (0.5 + 0.5 * random());
}
