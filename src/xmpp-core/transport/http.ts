/** One small HTTP client on `node:http` and `node:https`: `fetch` takes neither a certificate authority nor a bound on what is read. */
import http from 'node:http';
import https from 'node:https';
import { XmppError } from '../errors.js';
import { withDeadline } from '../deadline.js';
import { connectingTo, isPublicAddress } from './addresses.js';
import { unbracketed } from './targets.js';
import { trust } from './tls.js';

/** A request of `PluginContext.http`. */
export interface HttpRequest {
  readonly method: 'GET' | 'PUT';
  /** `https:` or `http:`; who may not ask the latter sees to it. */
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** A PEM bundle to trust beside the system's. */
  readonly ca?: string | undefined;
  /**
   * Which addresses may be connected to; `any` unless told. `public` is for URLs that a stranger wrote: it refuses this machine, its
   * network, and whatever else is not public, whatever name leads there.
   */
  readonly addresses?: 'any' | 'public';
  /** Hosts that `public` lets through all the same: names in lower case, addresses without brackets. */
  readonly privateHosts?: readonly string[];
  /**
   * How many redirects of a GET are followed; none unless told: an answer of 3xx is then returned as it is. Never from https to http.
   * To another origin none of the headers go along.
   */
  readonly maxRedirects?: number;
  /** What the answer may be at most, in bytes; 1 MiB unless told. */
  readonly maxBytes?: number;
  /** For the whole exchange, in milliseconds; 60 seconds unless told. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
  /** Judges an answer before its body is read: what it throws ends the exchange. */
  readonly onHead?: (head: Omit<HttpResponse, 'body'>) => void;
  /** Called with the bytes of the body that were handed to the network so far. */
  readonly onProgress?: (sentBytes: number) => void;
}

/** The answer to an `HttpRequest`, read to its end. */
export interface HttpResponse {
  /** What answered, after redirects. */
  readonly url: string;
  readonly status: number;
  readonly headers: Readonly<http.IncomingHttpHeaders>;
  readonly body: Uint8Array;
}

/** An exchange that failed before there was an answer, or whose answer was too large. */
export class HttpError extends XmppError {
  override readonly name: string = 'HttpError';
}

/** An answer that is larger than the request allowed; it was not read to its end. */
export class ResponseTooLargeError extends HttpError {
  override readonly name = 'ResponseTooLargeError';
}

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
const DEFAULT_MAX_BYTES = 1024 * 1024;
const DEFAULT_TIMEOUT_MS = 60_000;
/** A body is written in pieces of this size, so that progress can be told and an abort heeded. */
const PIECE_BYTES = 64 * 1024;

/**
 * Makes one request.
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
      throw new HttpError(`${what}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    }
  });
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

/** The exchange, and those that its answers lead to (RFC 9110 §15.4), each of them judged like the first. */
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
    // They may be credentials, and were meant for the origin that was asked.
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
    ...connectingTo(host, isGuarded ? isPublicAddress : undefined),
    method,
    headers: { ...headers, ...length },
    signal,
    // A connection kept from a request with another rule would get around this one's.
    agent: false,
  } as const;
  const outgoing =
    url.protocol === 'https:' ? https.request(url, { ...options, ...trust(ca) }) : http.request(url, options);
  const answer = new Promise<http.IncomingMessage>((resolve, reject) => {
    outgoing.on('response', resolve).on('error', reject);
  });
  const sent = sendBody(outgoing, body ?? new Uint8Array(), request.onProgress);
  const incoming = await answer;
  const head = { url: url.href, status: incoming.statusCode ?? 0, headers: incoming.headers };
  try {
    request.onHead?.(head);
    const answered = await readBody(incoming, request.maxBytes ?? DEFAULT_MAX_BYTES, url.host);
    // Who has succeeded has read everything; that the last piece is sent may become known here only after the answer.
    if (head.status >= 200 && head.status < 300) await sent;
    return { ...head, body: answered };
  } finally {
    outgoing.destroy();
    await sent;
  }
}

/**
 * Never rejects: a server may answer (with 413, say) and close before it has read everything, and its answer is what counts. Where there is
 * none, the request reports the error as well.
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
      // Without the rest of the body no answer would ever come.
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
