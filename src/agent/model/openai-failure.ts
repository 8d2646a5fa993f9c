/** Maps the errors of the `openai` package, `fetch` and the parser to `ModelError`s. */
import type { ModelError, ModelErrorKind } from './model.js';
import { NoStreamError } from './openai-fetch.js';
import type { ErrorFactory } from './provider.js';

/**
 * The `ModelError` for an error of a request.
 * @param answering whether the answer had started, so that a lost connection means a truncated answer
 */
export function toModelError(error: unknown, answering: boolean, fail: ErrorFactory): ModelError {
  const { cause, error: event } = Object(error) as { readonly cause?: unknown; readonly error?: unknown };
  if (cause instanceof NoStreamError) return responseFailure(cause, fail);
  // For an event with an `error`, the package throws an error with that value as its `error`.
  if (event !== undefined) return eventFailure(event, fail);
  // The parser's message quotes the answer, which must not be logged.
  if (error instanceof SyntaxError) return fail('malformed', 'sent an unreadable event');
  return answering
    ? fail('truncated', 'lost the connection in the middle of its answer', { said: faultOf(error) })
    : fail('unreachable', 'could not be reached', { said: faultOf(error) });
}

function responseFailure({ status, headers, body }: NoStreamError, fail: ErrorFactory): ModelError {
  const content = parse(body);
  if (status < 300) {
    const { error } = Object(content) as { readonly error?: unknown };
    if (error !== undefined) return eventFailure(error, fail);
    const type = headers.get('content-type') ?? 'nothing';
    // A page shows which server answered; JSON may be the answer itself, which must not be logged.
    const said = typeof content === 'string' ? content : '';
    return fail('malformed', `answered ${status} with ${type} instead of an event stream`, { said, status });
  }
  if (status < 400) {
    const said = headers.get('location') ?? '';
    return fail('bad-request', `answered ${status}, a redirect, which is not followed`, { said, status });
  }
  const { text, code } = textAndCode(content);
  const retryAfterMs = retryAfterOf(headers);
  return fail(kindOf(status, code, text), `answered ${status}`, { said: text, status, retryAfterMs });
}

/** An error after a status of 200. OpenRouter puts the intended status in `code`. */
function eventFailure(error: unknown, fail: ErrorFactory): ModelError {
  const { text, code } = textAndCode(error);
  const status = typeof code === 'number' && code >= 400 && code < 600 ? code : undefined;
  return fail(kindOf(status ?? 500, code, text), 'sent an error instead of an answer', { said: text, status });
}

function kindOf(status: number, code: unknown, text: string): ModelErrorKind {
  if (code === 'context_length_exceeded' || /context (?:length|window|size)|prompt is too long/i.test(text)) {
    return 'too-long';
  }
  if (status === 401 || status === 403) return 'auth';
  if (status === 402 || code === 'insufficient_quota') return 'quota';
  if (status === 429) return 'rate-limited';
  if (status >= 500 || status === 408 || status === 409 || status === 425) return 'unavailable';
  return 'bad-request';
}

/**
 * The text and code of an error, in the shapes found in practice: `{error: {message, code}}` (OpenAI), the same in a list
 * (Gemini), `{error: "text"}` (Ollama), `{message}`, `{detail: "text"}` (FastAPI servers), plain text. Others are shown as JSON.
 */
function textAndCode(content: unknown): { readonly text: string; readonly code?: unknown } {
  if (typeof content === 'string') return { text: content };
  if (Array.isArray(content)) return textAndCode(content[0] ?? '');
  const { error, message, detail, code } = Object(content) as Record<'error' | 'message' | 'detail' | 'code', unknown>;
  if (error !== undefined && error !== null) return textAndCode(error);
  const words = message ?? (Array.isArray(detail) ? detail.map(fieldError).join('; ') : detail);
  return { text: typeof words === 'string' ? words : (JSON.stringify(content) ?? ''), code };
}

/** FastAPI's error about one field. Its `input` is left out: that is our request, with people's messages. */
function fieldError(value: unknown): string {
  const { loc, msg } = Object(value) as { readonly loc?: unknown; readonly msg?: unknown };
  return `${Array.isArray(loc) ? loc.join('.') : 'request'}: ${String(msg)}`;
}

/** Parses JSON; returns anything else as text. */
function parse(body: string): unknown {
  try {
    return JSON.parse(body) as unknown;
  } catch {
    return body;
  }
}

/** Retry-After (RFC 9110 §10.2.3) in seconds or as a date, or the more precise `retry-after-ms`; returns milliseconds. */
function retryAfterOf(headers: Headers): number | undefined {
  const precise = Number.parseFloat(headers.get('retry-after-ms') ?? '');
  if (precise >= 0) return precise;
  const given = headers.get('retry-after') ?? '';
  const ms = /^\d+(?:\.\d+)?$/.test(given) ? Number(given) * 1000 : Date.parse(given) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}

/** The code or message of the innermost cause of a failed fetch: `ECONNREFUSED`, `CERT_HAS_EXPIRED`. */
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
