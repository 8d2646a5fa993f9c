/** Maps the errors of the `openai` package, `fetch` and the parser to `ModelError`s. */
import type { ModelError, ModelErrorKind } from './model.js';
import { EventParser, EventTooLong } from './event-stream.js';
import { errorIn } from './openai-chunk.js';
import { NoAnswerError } from './openai-fetch.js';
import type { ErrorFactory } from './provider.js';
import { isPage } from './provider-text.js';

/**
 * The `ModelError` for an error of a request.
 * @param answering whether the answer had started, so that a lost connection means a truncated answer
 */
export function toModelError(error: unknown, answering: boolean, fail: ErrorFactory): ModelError {
  const { cause } = Object(error) as { readonly cause?: unknown };
  if (cause instanceof NoAnswerError) return responseFailure(cause, fail);
  if (error instanceof EventTooLong) return fail('malformed', 'sent an unreadable event');
  return answering
    ? fail('truncated', 'lost the connection in the middle of its answer', { said: faultOf(error) })
    : fail('unreachable', 'could not be reached', { said: faultOf(error) });
}

function responseFailure({ status, headers, body }: NoAnswerError, fail: ErrorFactory): ModelError {
  if (status < 300) {
    const type = headers.get('content-type') ?? 'nothing';
    // A page shows which server answered. Other text may be an answer.
    const said = isPage(body) ? body : '';
    return fail('malformed', `answered ${status} with ${type} instead of an answer`, { said, status });
  }
  if (status < 400) {
    const said = headers.get('location') ?? '';
    return fail('bad-request', `answered ${status}, a redirect, which is not followed`, { said, status });
  }
  const failure = readFailure(contentOf(body));
  const retryAfterMs = retryAfterOf(headers) ?? failure.retryAfterMs;
  return fail(kindOf(status, failure), `answered ${status}`, { said: failure.text, status, retryAfterMs });
}

/** An error in a response with status 200. OpenRouter puts the intended status in `code`, others in `status_code`. */
export function eventFailure(error: unknown, fail: ErrorFactory): ModelError {
  const failure = readFailure(error);
  const { status, retryAfterMs } = failure;
  return fail(kindOf(status ?? 500, failure), 'sent an error instead of an answer', {
    said: failure.text,
    status,
    retryAfterMs,
  });
}

/** What a provider says of a failure. */
interface Failure {
  readonly text: string;
  /** Its own code or type, in small letters. */
  readonly code: string;
  /** The HTTP status that it names in the body. */
  readonly status: number | undefined;
  readonly retryAfterMs: number | undefined;
}

/** The wordings of providers, since many use one status for everything: Anthropic, Gemini, Moonshot, Zhipu, xAI, MiniMax, Groq and the local servers. */
const WORDINGS: readonly (readonly [ModelErrorKind, RegExp])[] = [
  ['bad-call', /tool_use_failed|failed to call a function|tool call validation failed/],
  [
    'too-long',
    /context_length_exceeded|context (?:length|window|size|limit)|model token limit|(?:prompt|input) (?:length|is too long|token count)|prompt (?:too long|exceeds)|too many (?:input )?tokens|input tokens? .{0,40}exceed|max_prompt_tokens|max_new_tokens|(?:reduce|shorten) (?:your|the) (?:length|message|prompt|input)/,
  ],
  [
    'quota',
    /insufficient[_ ](?:quota|balance|funds|credits?)|exceeded_current_quota|credit balance|(?:out of|all available|any|no) credits|credit limit|spending limit|payment required|recharge|billing_(?:error|not_active)|billing hard limit|account is not active|arrearage|overdue|余额不足|欠费/,
  ],
  [
    'auth',
    /api[_ ]key[_ ](?:not valid|invalid|is invalid|expired|not found)|(?:invalid|incorrect|wrong|missing)[_ ](?:api[_ ]?key|authentication|credentials)|authentication[_ ]error|unauthorized|permission[_ ]denied/,
  ],
  ['rate-limited', /rate[_ ]limit|too many requests|resource_exhausted|quota exceeded|exceeded .{0,20}quota/],
  ['unavailable', /overloaded/],
];

/** Providers of which a number says it: MiniMax (1008: balance, 1004 and 2049: key, 1002: rate, 1039: length), Zhipu (1113: balance, 1261: length). */
const NUMBERS: ReadonlyMap<string, ModelErrorKind> = new Map([
  ['1008', 'quota'],
  ['1113', 'quota'],
  ['1004', 'auth'],
  ['2049', 'auth'],
  ['1002', 'rate-limited'],
  ['1039', 'too-long'],
  ['1261', 'too-long'],
]);

function kindOf(status: number, { text, code, retryAfterMs }: Failure): ModelErrorKind {
  // Who says when to come back expects us.
  if (status === 429 && retryAfterMs !== undefined && !code.includes('insufficient_quota')) return 'rate-limited';
  const words = `${code} ${text.slice(0, MAX_WORDS).toLowerCase()}`;
  const numbered = code.split(' ').find((one) => NUMBERS.has(one)) ?? '';
  const known = NUMBERS.get(numbered) ?? WORDINGS.find(([, wording]) => wording.test(words))?.[0];
  if (status === 413) return 'too-long';
  if (known !== undefined) return known;
  if (status === 401 || status === 403) return 'auth';
  if (status === 402) return 'quota';
  if (status === 429) return 'rate-limited';
  if (status >= 500 || status === 408 || status === 409 || status === 425) return 'unavailable';
  return 'bad-request';
}

/** How much of a text is searched for a wording. */
const MAX_WORDS = 2_000;
/** How deep an error is looked for inside others. */
const MAX_DEPTH = 4;

/** Where the words of an error stand. An answer has other fields: `content`, `text`, `response`. */
const WORDS = ['message', 'msg', 'detail', 'status_msg', 'error_msg', 'error_message', 'error_description', 'title'];

/**
 * Reads an error in the shapes found in practice: `{error: {message, code}}` (OpenAI), the same in a list (Gemini), `{error: "text"}` (Ollama),
 * `{message}`, `{message: {detail: […]}}` (Mistral), `{detail: "text"}` (FastAPI servers), `{status_msg, status_code}` (MiniMax), plain text.
 * Of others only the names of their fields are shown: their values may be words of an answer.
 */
function readFailure(content: unknown, depth = 0): Failure {
  if (typeof content === 'string') return { text: content, code: '', status: undefined, retryAfterMs: undefined };
  if (Array.isArray(content)) return readFailure((content as unknown[])[0] ?? '', depth);
  const fields = Object(content) as Readonly<Record<string, unknown>>;
  const { error, errors, message, detail } = fields;
  const inner = [error, errors, message, Array.isArray(detail) ? undefined : detail].find(isObject);
  const nested = inner === undefined || depth >= MAX_DEPTH ? undefined : readFailure(inner, depth + 1);
  return {
    text: nested?.text ?? wordsOf(fields),
    code: `${nested?.code ?? ''} ${codeOf(fields)}`.trim(),
    status: nested?.status ?? statusOf(fields),
    retryAfterMs: nested?.retryAfterMs ?? retryDelayOf(fields['details']),
  };
}

function wordsOf(fields: Readonly<Record<string, unknown>>): string {
  const { error, detail } = fields;
  if (Array.isArray(detail)) return detail.map(fieldError).join('; ');
  const words = [error, WORDS.map((name) => fields[name]).find(isText)].filter(isText);
  if (words.length > 0) return words.join(': ');
  const names = Object.keys(fields);
  return names.length === 0 ? '' : `JSON with ${names.join(', ')}`;
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function codeOf({ code, type, status, status_code: statusCode }: Readonly<Record<string, unknown>>): string {
  const given = [code, statusCode, status, type].filter((one) => typeof one === 'string' || typeof one === 'number');
  // The types are less exact than the codes, and the wordings look at all of them.
  return given
    .map((one) => String(one).toLowerCase().slice(0, 60))
    .join(' ')
    .trim();
}

function statusOf({
  code,
  status,
  status_code: statusCode,
  http_code: httpCode,
}: Readonly<Record<string, unknown>>): number | undefined {
  return [code, status, statusCode, httpCode].map(Number).find((one) => one >= 400 && one < 600);
}

/** Gemini's `google.rpc.RetryInfo`: `"37s"`. */
function retryDelayOf(details: unknown): number | undefined {
  if (!Array.isArray(details)) return undefined;
  for (const detail of details.slice(0, 10)) {
    const { retryDelay } = Object(detail) as { readonly retryDelay?: unknown };
    const seconds = /^(\d{1,6}(?:\.\d{1,9})?)s$/.exec(String(retryDelay))?.[1];
    if (seconds !== undefined) return Number(seconds) * 1_000;
  }
  return undefined;
}

/** FastAPI's error about one field. Its `input` is left out: that is our request, with people's messages. */
function fieldError(value: unknown): string {
  const { loc, msg } = Object(value) as { readonly loc?: unknown; readonly msg?: unknown };
  return `${Array.isArray(loc) ? loc.join('.') : 'request'}: ${String(msg)}`;
}

/** Text that is neither a page nor a plain sentence: lines of an event stream, or of JSON. */
const IS_DATA = /^\uFEFF?[ \t]*(?:(?:data|event|id|retry|error)?:|[[{])/m;

/** The error in a body. A stream, or JSON that was cut, may hold the model's words, which must not be logged: only its errors count. */
function contentOf(body: string): unknown {
  try {
    return JSON.parse(body) as unknown;
  } catch {
    if (isPage(body) || !IS_DATA.test(body)) return body;
  }
  const parser = new EventParser();
  for (const { name, data } of [...parser.push(`${body}\n`), ...parser.end()]) {
    const error = errorIn(parsed(data), name);
    if (error !== undefined) return error;
  }
  return '';
}

function parsed(data: string): unknown {
  try {
    return JSON.parse(data) as unknown;
  } catch {
    return data;
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
