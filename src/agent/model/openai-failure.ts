/** What went wrong, said as a `ModelError`: from what the `openai` package, `fetch` and the parser throw. */
import type { ModelError, ModelErrorKind } from './model.js';
import { NoStreamError } from './openai-fetch.js';
import type { ErrorMaker } from './provider.js';

/**
 * The `ModelError` for whatever a request threw.
 * @param answering whether the provider had begun to answer, so that a lost connection is a truncated answer
 */
export function readFailure(error: unknown, answering: boolean, fail: ErrorMaker): ModelError {
  const { cause, error: event } = Object(error) as { readonly cause?: unknown; readonly error?: unknown };
  if (cause instanceof NoStreamError) return responseFailure(cause, fail);
  // The package throws an event that holds an `error`, with that as its own.
  if (event !== undefined) return eventFailure(event, fail);
  // The parser's own message shows a piece of the answer, which is for the chat and not for the log.
  if (error instanceof SyntaxError) return fail('malformed', 'sent an unreadable event');
  return answering
    ? fail('truncated', 'lost the connection in the middle of its answer', { said: faultOf(error) })
    : fail('unreachable', 'could not be reached', { said: faultOf(error) });
}

function responseFailure({ status, headers, body }: NoStreamError, fail: ErrorMaker): ModelError {
  const content = parse(body);
  if (status < 300) {
    const { error } = Object(content) as { readonly error?: unknown };
    if (error !== undefined) return eventFailure(error, fail);
    const type = headers.get('content-type') ?? 'nothing';
    // A page says what answered here; JSON may be the answer itself, which is for the chat and not for the log.
    const said = typeof content === 'string' ? content : '';
    return fail('malformed', `answered ${status} with ${type} instead of an event stream`, { said, status });
  }
  if (status < 400) {
    const said = headers.get('location') ?? '';
    return fail('bad-request', `answered ${status}, a redirect, which is not followed`, { said, status });
  }
  const { text, code } = wordsOf(content);
  const retryAfterMs = retryAfterOf(headers);
  return fail(kindOf(status, code, text), `answered ${status}`, { said: text, status, retryAfterMs });
}

/** An error after a status of 200. OpenRouter gives as its `code` the status that it should have had. */
function eventFailure(error: unknown, fail: ErrorMaker): ModelError {
  const { text, code } = wordsOf(error);
  const status = typeof code === 'number' && code >= 400 && code < 600 ? code : undefined;
  return fail(kindOf(status ?? 500, code, text), 'sent an error instead of an answer', { said: text, status });
}

function kindOf(status: number, code: unknown, said: string): ModelErrorKind {
  if (code === 'context_length_exceeded' || /context (?:length|window|size)|prompt is too long/i.test(said)) {
    return 'too-long';
  }
  if (status === 401 || status === 403) return 'auth';
  if (status === 402 || code === 'insufficient_quota') return 'quota';
  if (status === 429) return 'rate-limited';
  if (status >= 500 || status === 408 || status === 409 || status === 425) return 'unavailable';
  return 'bad-request';
}

/**
 * The words and the code of an error, in the shapes seen in the wild: `{error: {message, code}}` (OpenAI), the same in a list
 * (Gemini), `{error: "words"}` (Ollama), `{message}`, `{detail: "words"}` (FastAPI servers), bare words. Others are shown as they are.
 */
function wordsOf(content: unknown): { readonly text: string; readonly code?: unknown } {
  if (typeof content === 'string') return { text: content };
  if (Array.isArray(content)) return wordsOf(content[0] ?? '');
  const { error, message, detail, code } = Object(content) as Record<'error' | 'message' | 'detail' | 'code', unknown>;
  if (error !== undefined && error !== null) return wordsOf(error);
  const words = message ?? (Array.isArray(detail) ? detail.map(complaintOf).join('; ') : detail);
  return { text: typeof words === 'string' ? words : (JSON.stringify(content) ?? ''), code };
}

/** What FastAPI says of one field. Its `input` is left out: that is our own request, with what people wrote in it. */
function complaintOf(complaint: unknown): string {
  const { loc, msg } = Object(complaint) as { readonly loc?: unknown; readonly msg?: unknown };
  return `${Array.isArray(loc) ? loc.join('.') : 'request'}: ${String(msg)}`;
}

/** JSON as what it means, anything else as the text it is. */
function parse(body: string): unknown {
  try {
    return JSON.parse(body) as unknown;
  } catch {
    return body;
  }
}

/** Retry-After (RFC 9110 §10.2.3), in seconds or as a date, or the finer header that some send beside it; in milliseconds. */
function retryAfterOf(headers: Headers): number | undefined {
  const fine = Number.parseFloat(headers.get('retry-after-ms') ?? '');
  if (fine >= 0) return fine;
  const given = headers.get('retry-after') ?? '';
  const ms = /^\d+(?:\.\d+)?$/.test(given) ? Number(given) * 1000 : Date.parse(given) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}

/** The innermost cause of a failed fetch names the fault: `ECONNREFUSED`, `CERT_HAS_EXPIRED`. */
function faultOf(error: unknown): string {
  let innermost: unknown = error;
  for (let depth = 0; depth < 8; depth += 1) {
    const { cause } = Object(innermost) as { readonly cause?: unknown };
    if (!(cause instanceof Error)) break;
    innermost = cause;
  }
  const { code, message } = Object(innermost) as { readonly code?: unknown; readonly message?: unknown };
  return typeof code === 'string' ? code : String(message);
}
