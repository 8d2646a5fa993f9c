/** TCP with direct TLS (XEP-0368) or STARTTLS, on `node:net` and `node:tls` (RFC 6120 §3, §5; RFC 7590). */
import net from 'node:net';
import tls from 'node:tls';
import { untilAborted } from '../deadline.js';
import { toAsciiDomain } from '../jid/domain.js';
import { connectOptions } from './addresses.js';
import { unbracketed, type TcpTarget } from './targets.js';
import { securityOf, tlsError, tlsOptions, type ClientCertificate } from './tls.js';
import type { Security, Transport, TransportHandlers } from './transport.js';

/** How the server's certificate is verified, and what we present. */
export interface TlsOptions {
  /** The reference identity and the SNI: the domain of the account, whatever host is connected to (RFC 6120 §13.7.2.1). */
  readonly domain: string;
  /** A PEM bundle of authorities to trust in addition to the system's. */
  readonly ca?: string | undefined;
  /** Presented to a server that requests a client certificate. */
  readonly certificate?: ClientCertificate | undefined;
}

/** The most unsent bytes that we buffer for a peer that does not read. */
const MAX_UNSENT = 16 * 1024 * 1024;
/** How long a peer may keep its side open after we have ended ours. */
const LINGER_MS = 3_000;

/**
 * Connects to one target. IPv4 and IPv6 addresses of its host are tried in turn (RFC 8305, by `node:net`).
 * @throws TlsError when TLS fails; an `Error` of `node:net` when the connection fails; or the signal's reason
 */
export async function connectTcp(target: TcpTarget, options: TlsOptions, signal: AbortSignal): Promise<Transport> {
  const socket = net.connect({
    ...connectOptions(target.host),
    host: target.host,
    port: target.port,
    noDelay: true,
    keepAlive: true,
  });
  try {
    await untilAborted(signal, connected(socket, 'connect'));
    const transport = new TcpTransport(socket, target, options);
    if (target.tls === 'direct') await transport.startTls(signal);
    return transport;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

class TcpTransport implements Transport {
  readonly peer: string;
  readonly #options: TlsOptions;
  readonly #direct: boolean;
  #socket: net.Socket;
  #security: Security | undefined;
  #handlers: TransportHandlers | undefined;
  #error: Error | undefined;

  constructor(socket: net.Socket, target: TcpTarget, options: TlsOptions) {
    this.peer = `${target.host}:${target.port}`;
    this.#options = options;
    this.#direct = target.tls === 'direct';
    this.#socket = socket;
    this.#listen(socket);
  }

  get security(): Security | undefined {
    return this.#security;
  }

  handle(handlers: TransportHandlers): void {
    this.#handlers = handlers;
    if (this.#socket.destroyed) handlers.onClose(this.#error);
    else this.#socket.resume();
  }

  write(text: string): void {
    if (this.#socket.destroyed || this.#socket.writableEnded) return;
    this.#socket.write(text);
    if (this.#socket.writableLength > MAX_UNSENT) {
      this.#socket.destroy(new Error(`${this.peer} stopped reading`));
    }
  }

  async startTls(signal: AbortSignal): Promise<void> {
    const plain = this.#socket;
    // Without listeners, no plaintext data can reach the stream any more (RFC 6120 §5.4.3.3).
    plain.removeAllListeners('data').removeAllListeners('close').removeAllListeners('error');
    const { domain, ca, certificate } = this.#options;
    // Certificates and SNI carry A-labels (RFC 6125 §6.4.2); an IP address is not a server name (RFC 6066 §3).
    const reference = unbracketed(toAsciiDomain(domain));
    const socket = tls.connect({
      socket: plain,
      ...(net.isIP(reference) === 0 ? { servername: reference } : {}),
      ...tlsOptions(ca, certificate),
      // XEP-0368 §3: direct TLS names its application; StartTLS does not.
      ...(this.#direct ? { ALPNProtocols: ['xmpp-client'] } : {}),
      checkServerIdentity: (_host, certificate) => tls.checkServerIdentity(reference, certificate),
    });
    this.#socket = socket;
    try {
      await untilAborted(signal, connected(socket, 'secureConnect'));
    } catch (error) {
      socket.destroy();
      if (signal.aborted) throw error;
      throw tlsError(error, domain, this.peer);
    }
    this.#security = securityOf(socket, true);
    this.#listen(socket);
    if (this.#handlers !== undefined) socket.resume();
  }

  end(): void {
    const socket = this.#socket;
    if (socket.destroyed) return;
    // A dead peer never closes its side: without the timer its socket would stay open for ever.
    const timer = setTimeout(() => socket.destroy(), LINGER_MS);
    socket.once('close', () => clearTimeout(timer)).end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #listen(socket: net.Socket): void {
    socket.pause();
    socket.on('data', (chunk) => this.#handlers?.onData(chunk));
    socket.on('error', (error) => {
      this.#error = error;
    });
    socket.on('close', () => this.#handlers?.onClose(this.#error));
    // A 'data' listener makes node read at once; the stream resumes when it is ready.
    if (this.#handlers === undefined) socket.pause();
  }
}

/** Resolves at `event`; rejects at 'error' or when the socket closes before. */
function connected(socket: net.Socket, event: 'connect' | 'secureConnect'): Promise<void> {
  return new Promise((resolve, reject) => {
    const removeListeners = (): void => {
      socket.off(event, onReady).off('error', onError).off('close', onClose);
    };
    const onReady = (): void => {
      removeListeners();
      resolve();
    };
    // It stays: a destroyed socket may emit another error, which is harmless.
    const onError = (error: Error): void => reject(readable(error));
    const onClose = (): void => {
      removeListeners();
      reject(new Error('the connection was closed'));
    };
    socket.on(event, onReady).on('error', onError).on('close', onClose);
  });
}

/** For several addresses `node:net` emits an AggregateError without a message. */
function readable(error: Error): Error {
  if (!(error instanceof AggregateError) || error.errors.length === 0) return error;
  const messages = error.errors.map((one: unknown) => (one instanceof Error ? one.message : String(one)));
  return new Error(messages.join(', '), { cause: error });
}
