/** XMPP over WebSocket (RFC 7395), on `ws`: each message carries one element, and the URL determines whether TLS is used. */
import net from 'node:net';
import tls from 'node:tls';
import type { WebSocket } from 'ws';
import { NegotiationError, StreamError, TlsError } from '../errors.js';
import { untilAborted } from '../deadline.js';
import { connectOptions, isLoopbackAddress } from './addresses.js';
import { watchCertificate, type Chain } from './certificate-facts.js';
import { unbracketed, webSocketTarget, type WebSocketTarget } from './targets.js';
import { isTlsFailure, securityOf, tlsError, tlsOptions } from './tls.js';
import type { Security, Transport, TransportHandlers } from './transport.js';
import { isUnreachable, unreachable } from './unreachable.js';

/** Options of `connectWebSocket`. */
export interface WebSocketOptions {
  /** A PEM bundle of authorities to trust in addition to the system's. */
  readonly ca?: string | undefined;
  /** The longest message to accept, in bytes. */
  readonly maxMessageBytes: number;
}

/** The most unsent bytes that we buffer for a peer that does not read. */
const MAX_UNSENT = 16 * 1024 * 1024;
/** How long the closing handshake may take. */
const LINGER_MS = 3_000;
/** `ws:` connects to this machine only, where nobody is in between. */
const ON_THIS_MACHINE: Security = { protocol: 'loopback', channelBindings: [], endsAtServer: false };
/** RFC 6455 §7.4.1: the peer closed normally, or is going away. */
const IN_ORDER: ReadonlySet<number> = new Set([1000, 1001, 1005]);

/**
 * Connects to an XMPP WebSocket. The certificate must be for the URL's own host (RFC 7395 §5).
 * @throws UnreachableError when the connection fails; TlsError when TLS fails; NegotiationError for a URL that is not allowed or has no
 *   WebSocket; an `Error` of `ws` (not the subprotocol `xmpp`, say); or the signal's reason
 */
export async function connectWebSocket(
  target: WebSocketTarget,
  { ca, maxMessageBytes }: WebSocketOptions,
  signal: AbortSignal,
): Promise<Transport> {
  const url = new URL(webSocketTarget(target.url).url);
  const isSecure = url.protocol === 'wss:';
  const host = unbracketed(url.hostname);
  // Loaded on demand: clients that connect by TCP never need it.
  const { WebSocket } = await import('ws');
  let readCertificate = (): Chain | undefined => undefined;
  const createConnection = ((options: tls.ConnectionOptions) => {
    const carrier = tls.connect({
      ...options,
      ...tlsOptions(ca),
      path: undefined,
      servername: net.isIP(host) === 0 ? host : '',
    });
    readCertificate = watchCertificate(carrier);
    return carrier;
  }) as typeof net.createConnection;
  const socket = new WebSocket(url, 'xmpp', {
    ...connectOptions(host, isSecure ? undefined : isLoopbackAddress),
    createConnection: isSecure ? createConnection : undefined,
    maxPayload: maxMessageBytes,
    perMessageDeflate: false,
    followRedirects: false,
  });
  let security: Security | undefined = isSecure ? undefined : ON_THIS_MACHINE;
  socket.once('upgrade', ({ socket: carrier }) => {
    if (carrier instanceof tls.TLSSocket) security = securityOf(carrier, false);
  });
  try {
    await untilAborted(signal, opened(socket));
    return new WebSocketTransport(socket, url.host, security);
  } catch (error) {
    socket.terminate();
    throw signal.aborted ? error : handshakeError(error, url, readCertificate());
  }
}

/** The error that says what is wrong; `error` itself where only `ws` can tell. */
function handshakeError(error: unknown, url: URL, chain: Chain | undefined): unknown {
  if (isTlsFailure(error)) return tlsError(error, unbracketed(url.hostname), url.host, chain);
  if (isUnreachable(error)) return unreachable({ host: unbracketed(url.hostname), port: portOf(url) }, error);
  const status = /^Unexpected server response: (\d{3})$/.exec(error instanceof Error ? error.message : '')?.[1];
  if (status === undefined) return error;
  return new NegotiationError(`${url.host} has no WebSocket at ${url.pathname} (HTTP ${status})`, { cause: error });
}

function portOf({ port, protocol }: URL): number {
  return port === '' ? (protocol === 'wss:' ? 443 : 80) : Number(port);
}

class WebSocketTransport implements Transport {
  readonly peer: string;
  readonly security: Security | undefined;
  readonly #socket: WebSocket;
  #handlers: TransportHandlers | undefined;
  #error: Error | undefined;
  #isClosed = false;

  constructor(socket: WebSocket, peer: string, security: Security | undefined) {
    this.peer = peer;
    this.security = security;
    this.#socket = socket;
    socket.on('message', (data, isBinary) => this.#receive(data, isBinary));
    socket.on('error', (error) => {
      this.#error ??= error;
    });
    socket.on('close', (code) => {
      this.#isClosed = true;
      if (!IN_ORDER.has(code)) this.#error ??= new Error(`${peer} closed the WebSocket abnormally (${code})`);
      this.#handlers?.onClose(this.#error);
    });
  }

  handle(handlers: TransportHandlers): void {
    this.#handlers = handlers;
    if (this.#isClosed) handlers.onClose(this.#error);
    else this.#socket.resume();
  }

  write(text: string): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    this.#socket.send(text);
    if (this.#socket.bufferedAmount > MAX_UNSENT) this.#fail(new Error(`${this.peer} stopped reading`));
  }

  /** RFC 7395 §3.9: STARTTLS is not used inside a WebSocket. */
  startTls(): Promise<void> {
    return Promise.reject(
      new TlsError(`${this.peer}: TLS cannot start inside a WebSocket`, { problem: 'not-offered' }),
    );
  }

  end(): void {
    if (this.#isClosed) return;
    const timer = setTimeout(() => this.#socket.terminate(), LINGER_MS);
    this.#socket.once('close', () => clearTimeout(timer));
    this.#socket.close(1000);
  }

  destroy(): void {
    this.#socket.terminate();
  }

  #receive(data: WebSocket.RawData, isBinary: boolean): void {
    // By default `ws` gives one Buffer per message.
    if (!isBinary && data instanceof Buffer) this.#handlers?.onData(data);
    else this.#fail(new StreamError('unsupported-encoding', `${this.peer} sent a binary frame (RFC 7395 §3.2)`));
  }

  #fail(error: Error): void {
    this.#error ??= error;
    this.#socket.terminate();
  }
}

/**
 * Resolves when the handshake is complete, with the socket paused until the stream is ready. After a rejection the error listener
 * stays: `ws` emits an error for an aborted handshake.
 */
function opened(socket: WebSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.on('error', reject).once('open', () => {
      socket.off('error', reject).pause();
      resolve();
    });
  });
}
