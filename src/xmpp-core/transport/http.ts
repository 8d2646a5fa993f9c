/** One small HTTP client on `node:http` and `node:https`: `fetch` takes neither a certificate authority nor a bound on what is read. */
import http from 'node:http';
import https from 'node:https';
import tls from 'node:tls';
import { XmppError } from '../errors.js';
import { withDeadline } from '../deadline.js';

export interface HttpRequest {
  readonly method: 'GET' | 'PUT';
  /** `https:` or `http:`; who may not ask the latter sees to it. */
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** A PEM bundle to trust beside the system's. */
  readonly ca?: string | undefined;
  /** What the answer may be at most, in bytes; 1 MiB unless told. */
  readonly maxBytes?: number;
  /** For the whole exchange, in milliseconds; 60 seconds unless told. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
  /** Called with the bytes of the body that were handed to the network so far. */
  readonly onProgress?: (sentBytes: number) => void;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers: Readonly<http.IncomingHttpHeaders>;
  readonly body: Uint8Array;
}

/** An exchange that failed before there was an answer, or whose answer was too large. */
export class HttpError extends XmppError {
  override readonly name = 'HttpError';
}

const DEFAULT_MAX_BYTES = 1024 * 1024;
const DEFAULT_TIMEOUT_MS = 60_000;
/** A body is written in pieces of this size, so that progress can be told and an abort heeded. */
const PIECE_BYTES = 64 * 1024;

/**
 * Makes one request. Redirects are not followed: an answer of 3xx is returned as it is.
 * @throws HttpError, TimeoutError, or the signal's reason
 */
export async function httpRequest(request: HttpRequest): Promise<HttpResponse> {
  const url = parseUrl(request.url);
  const what = `${request.method} ${url.host}`;
  return withDeadline(what, request.timeoutMs ?? DEFAULT_TIMEOUT_MS, request.signal, async (signal) => {
    try {
      return await exchange(url, request, signal);
    } catch (error) {
      if (signal.aborted || error instanceof HttpError) throw error;
      throw new HttpError(`${what}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    }
  });
}

function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
    throw new HttpError('only http and https URLs can be asked');
  }
  return url;
}

async function exchange(url: URL, request: HttpRequest, signal: AbortSignal): Promise<HttpResponse> {
  const { method, headers = {}, body, ca } = request;
  const length = body === undefined ? {} : { 'Content-Length': String(body.byteLength) };
  const options = { method, headers: { ...headers, ...length }, signal };
  const outgoing =
    url.protocol === 'https:'
      ? https.request(url, { ...options, ...(ca === undefined ? {} : { ca: [...tls.rootCertificates, ca] }) })
      : http.request(url, options);
  const answer = new Promise<http.IncomingMessage>((resolve, reject) => {
    outgoing.on('response', resolve).on('error', reject);
  });
  // A server may answer (with 413, say) and close before it has read everything: its answer is what counts.
  const sent = sendBody(outgoing, body ?? new Uint8Array(), request.onProgress).catch(() => undefined);
  const incoming = await answer;
  const received = await readBody(incoming, request.maxBytes ?? DEFAULT_MAX_BYTES, url.host);
  outgoing.destroy();
  await sent;
  return { status: incoming.statusCode ?? 0, headers: incoming.headers, body: received };
}

async function sendBody(
  outgoing: http.ClientRequest,
  body: Uint8Array,
  onProgress: HttpRequest['onProgress'],
): Promise<void> {
  for (let at = 0; at < body.byteLength; at += PIECE_BYTES) {
    const piece = body.subarray(at, at + PIECE_BYTES);
    await new Promise<void>((resolve, reject) => {
      outgoing.once('close', resolve);
      outgoing.write(piece, (error) => {
        outgoing.off('close', resolve);
        if (error === null || error === undefined) resolve();
        else reject(error);
      });
    });
    if (outgoing.destroyed) return;
    onProgress?.(at + piece.byteLength);
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
      throw new HttpError(`${host} sent more than ${maxBytes} bytes`);
    }
    pieces.push(piece);
  }
  return Buffer.concat(pieces, total);
}
