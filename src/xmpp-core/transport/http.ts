/** A small HTTP client on `node:http` and `node:https`: `fetch` supports neither a certificate authority nor a limit on the response. */
import http from 'node:http';
import https from 'node:https';
import { XmppError } from '../errors.js';
import { withDeadline } from '../deadline.js';
import { connectOptions, isPublicAddress } from './addresses.js';
import { unbracketed } from './targets.js';
import { isTlsFailure, tlsError, tlsOptions } from './tls.js';

/** A request for `httpRequest`. */
export interface HttpRequest {
  readonly method: 'GET' | 'PUT';
  /** `https:` or `http:`; the caller decides whether `http:` is acceptable. */
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** A PEM bundle of authorities to trust in addition to the system's. */
  readonly ca?: string | undefined;
  /**
   * Which addresses may be connected to; default `any`. `public` is for URLs from strangers: it rejects this machine, its network and
   * everything else that is not public, whatever the host's name.
   */
  readonly addresses?: 'any' | 'public';
  /** Hosts that `public` allows nevertheless: names in lower case, addresses without brackets. */
  readonly privateHosts?: readonly string[];
  /**
   * How many redirects of a GET are followed, never from https to http. Default 0: a 3xx response is returned unchanged. Headers are
   * not sent to another origin.
   */
  readonly maxRedirects?: number;
  /** The largest response body, in bytes; default 1 MiB. */
  readonly maxBytes?: number;
  /** For the whole exchange, in milliseconds; default 60 seconds. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
  /** Checks a response before its body is read: throwing aborts the exchange. */
  readonly onHead?: (head: Omit<HttpResponse, 'body'>) => void;
  /** Called with the number of bytes of the body written so far. */
  readonly onProgress?: (sentBytes: number) => void;
}

/** A response, read to its end. */
export interface HttpResponse {
  /** The final URL, after redirects. */
  readonly url: string;
  readonly status: number;
  readonly headers: Readonly<http.IncomingHttpHeaders>;
  readonly body: Uint8Array;
}

/** The exchange failed before there was a complete response. */
export class HttpError extends XmppError {
  override readonly name: string = 'HttpError';
}

/** The response is larger than the request allows; the rest was not read. */
export class ResponseTooLargeError extends HttpError {
  override readonly name = 'ResponseTooLargeError';
}

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
const DEFAULT_MAX_BYTES = 1024 * 1024;
const DEFAULT_TIMEOUT_MS = 60_000;
/** A body is written in chunks of this size, to report progress and to stop on abort. */
const PIECE_BYTES = 64 * 1024;

/**
 * Sends one request and reads the response.
 * @throws HttpError, TimeoutError, or the signal's reason
 */
export async function httpRequest(request: HttpRequest): Promise<HttpResponse> {
  const url = parseUrl(request.url);
  const what = `${request.method} ${url.host}`;
  return withDeadline(what, request.timeoutMs ?? DEFAULT_TIMEOUT_MS, request.signal, async (signal) => {
    try {
      return await follow(url, request, signal);
    } catch (error) {
      if (signal.aborted || error instanceof HttpError) throw error;
      throw new HttpError(`${what}: ${reasonOf(error, url)}`, { cause: error });
    }
  });
}

/** The text of OpenSSL is for its developers. */
function reasonOf(error: unknown, { hostname, host }: URL): string {
  if (isTlsFailure(error)) return tlsError(error, unbracketed(hostname), host).message;
  return error instanceof Error ? error.message : String(error);
}

function parseUrl(text: string, base?: URL): URL {
  const url = URL.canParse(text, base?.href) ? new URL(text, base?.href) : undefined;
  if (url === undefined || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
    throw new HttpError('only http and https URLs are supported');
  }
  if (url.username !== '' || url.password !== '')
    throw new HttpError('URLs with a user name or password are not supported');
  return url;
}

/** Follows redirects (RFC 9110 §15.4); each hop passes the same checks as the first. */
async function follow(start: URL, request: HttpRequest, signal: AbortSignal): Promise<HttpResponse> {
  const { method, maxRedirects = 0 } = request;
  let url = start;
  let { headers } = request;
  for (let hops = 0; ; hops++) {
    const response = await exchange(url, { ...request, headers: headers ?? {} }, signal);
    const { location } = response.headers;
    if (maxRedirects === 0 || method !== 'GET' || !REDIRECTS.has(response.status) || location === undefined) {
      return response;
    }
    if (hops === maxRedirects) throw new HttpError(`${start.host} redirects more than ${maxRedirects} times`);
    const next = parseUrl(location, url);
    if (url.protocol === 'https:' && next.protocol !== 'https:') {
      throw new HttpError(`${url.host} redirects from https to http`);
    }
    // Headers may hold credentials for the first origin.
    if (next.origin !== url.origin) headers = undefined;
    url = next;
  }
}

async function exchange(url: URL, request: HttpRequest, signal: AbortSignal): Promise<HttpResponse> {
  const { method, headers = {}, body, ca, addresses = 'any', privateHosts = [] } = request;
  const length = body === undefined ? {} : { 'Content-Length': String(body.byteLength) };
  const host = unbracketed(url.hostname);
  const isGuarded = addresses === 'public' && !privateHosts.includes(host);
  const options = {
    ...connectOptions(host, isGuarded ? isPublicAddress : undefined),
    method,
    headers: { ...headers, ...length },
    signal,
    // A pooled connection from a request with another rule would bypass this one.
    agent: false,
  } as const;
  const outgoing =
    url.protocol === 'https:' ? https.request(url, { ...options, ...tlsOptions(ca) }) : http.request(url, options);
  const answer = new Promise<http.IncomingMessage>((resolve, reject) => {
    outgoing.on('response', resolve).on('error', reject);
  });
  const sent = sendBody(outgoing, body ?? new Uint8Array(), request.onProgress);
  const incoming = await answer;
  const head = { url: url.href, status: incoming.statusCode ?? 0, headers: incoming.headers };
  try {
    request.onHead?.(head);
    const answered = await readBody(incoming, request.maxBytes ?? DEFAULT_MAX_BYTES, url.host);
    // A server that reports success has read everything, but the callback of the last write may run after the response.
    if (head.status >= 200 && head.status < 300) await sent;
    return { ...head, body: answered };
  } finally {
    outgoing.destroy();
    await sent;
  }
}

/**
 * Never rejects: a server may respond (with 413, say) and close before it has read everything, and its response counts. Without a
 * response the request emits the error as well.
 */
async function sendBody(
  outgoing: http.ClientRequest,
  body: Uint8Array,
  onProgress: HttpRequest['onProgress'],
): Promise<void> {
  for (let at = 0; at < body.byteLength; at += PIECE_BYTES) {
    const piece = body.subarray(at, at + PIECE_BYTES);
    const isSent = await new Promise<boolean>((resolve) => {
      const onClose = (): void => resolve(false);
      outgoing.once('close', onClose);
      outgoing.write(piece, (error) => {
        outgoing.off('close', onClose);
        resolve(error === null || error === undefined);
      });
    });
    if (!isSent || outgoing.destroyed) return;
    try {
      onProgress?.(at + piece.byteLength);
    } catch (error) {
      // Without the rest of the body, no response would ever arrive.
      outgoing.destroy(error instanceof Error ? error : new Error(String(error)));
      return;
    }
  }
  outgoing.end();
}

async function readBody(incoming: http.IncomingMessage, maxBytes: number, host: string): Promise<Uint8Array> {
  const pieces: Buffer[] = [];
  let total = 0;
  for await (const piece of incoming as AsyncIterable<Buffer>) {
    total += piece.byteLength;
    if (total > maxBytes) {
      incoming.destroy();
      throw new ResponseTooLargeError(`${host} sent more than ${maxBytes} bytes`);
    }
    pieces.push(piece);
  }
  return Buffer.concat(pieces, total);
}
