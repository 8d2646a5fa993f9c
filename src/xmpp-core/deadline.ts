/** Deadlines: nothing here waits for a peer without one. */
import { TimeoutError } from './errors.js';
import { abortReason } from './events.js';

/**
 * Runs `work` with a signal that is aborted after `ms` milliseconds or when `outer` is.
 *
 * The returned promise settles at the abort even if `work` ignores its signal, with a `TimeoutError` that names
 * `what`, or with the reason of `outer`.
 */
export async function withDeadline<T>(
  what: string,
  ms: number,
  outer: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(new TimeoutError(what, ms)), ms);
  const onOuter = (): void => controller.abort(abortReason(outer));
  if (outer?.aborted === true) onOuter();
  else outer?.addEventListener('abort', onOuter);
  try {
    return await untilAborted(controller.signal, work(controller.signal));
  } finally {
    clearTimeout(timer);
    outer?.removeEventListener('abort', onOuter);
  }
}

/** Settles like `promise`, or rejects with the signal's reason, whichever comes first. */
export async function untilAborted<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  let onAbort: (() => void) | undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    onAbort = (): void => reject(abortReason(signal));
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort);
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    if (onAbort !== undefined) signal.removeEventListener('abort', onAbort);
  }
}

/** Resolves after `ms` milliseconds; rejects with the signal's reason when it is aborted before. */
export async function delay(ms: number, signal: AbortSignal): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  try {
    await untilAborted(
      signal,
      new Promise<void>((resolve) => {
        timer = setTimeout(resolve, ms);
      }),
    );
  } finally {
    clearTimeout(timer);
  }
}
