/** When to retry a request, and after what delay. */
import type { ModelError, ModelErrorKind } from './model.js';

const FIRST_DELAY_MS = 500;
const MAX_DELAY_MS = 8_000;
/** Somebody is waiting for an answer: a longer Retry-After means no retry. */
const MAX_RETRY_AFTER_MS = 30_000;

/** Kinds of failure that may pass. */
const TRANSIENT: ReadonlySet<ModelErrorKind> = new Set([
  'rate-limited',
  'unavailable',
  'unreachable',
  'timeout',
  'stalled',
  'truncated',
  'bad-call',
]);

/**
 * The delay before a retry after `error`, in milliseconds; `undefined` when a retry is of no use.
 * Honours Retry-After. Without it the delay doubles with every attempt, and half of it is random, so that conversations that
 * failed together do not retry together.
 * @param attempt how many attempts failed before this one
 */
export function retryDelay(error: ModelError, attempt: number, random: () => number = Math.random): number | undefined {
  if (!TRANSIENT.has(error.kind)) return undefined;
  if (error.retryAfterMs !== undefined) {
    return error.retryAfterMs <= MAX_RETRY_AFTER_MS ? error.retryAfterMs : undefined;
  }
  const longest = Math.min(FIRST_DELAY_MS * 2 ** attempt, MAX_DELAY_MS);
  return longest * (0.5 + 0.5 * random());
}
