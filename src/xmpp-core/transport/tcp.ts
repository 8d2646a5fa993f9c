/** TCP with direct TLS (XEP-0368) or STARTTLS, on `node:net` and `node:tls` (RFC 6120 §3, §5; RFC 7590). */
import net from 'node:net';
import tls from 'node:tls';
import { untilAborted } from '../deadline.js';
import { WrongPortError } from '../errors.js';
import { toAsciiDomain } from '../jid/domain.js';
import { connectOptions } from './addresses.js';
import { watchCertificate } from './certificate-facts.js';
import { foreignUse } from './first-bytes.js';
import { unbracketed, type TcpTarget } from './targets.js';
import { securityOf, tlsError, tlsOptions, type ClientCertificate } from './tls.js';
import type { Security, Transport, TransportHandlers } from './transport.js';
import { closedWithoutAnswer, peerOf, unreachable } from './unreachable.js';

/** How the server's certificate is verified, and what we present. */
export interface TlsOptions {
  /** The reference identity and the SNI: the domain of the account, whatever host is connected to (RFC 6120 §13.7.2.1). */
  readonly domain: string;
  /** A PEM bundle of authorities to trust in addition to the system's. */
  readonly ca?: string | undefined;
  /** Presented to a server that requests a client certificate. */
  readonly certificate?: ClientCertificate | undefined;
  /** Called when the first bytes of the stream arrive. */
  readonly onAnswer?: (() => void) | undefined;
}

/** The most unsent bytes that we buffer for a peer that does not read. */
const MAX_UNSENT = 16 * 1024 * 1024;
/** How long a peer may keep its side open after we have ended ours. */
const LINGER_MS = 3_000;

/**
 * Connects to one target. IPv4 and IPv6 addresses of its host are tried in turn (RFC 8305, by `node:net`).
 * @throws UnreachableError when the connection fails; TlsError when TLS fails; or the signal's reason
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
    await reached(socket, target, signal);
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
  readonly #target: TcpTarget;
  #socket: net.Socket;
  #security: Security | undefined;
  #handlers: TransportHandlers | undefined;
  #error: Error | undefined;
  #hasAnswered = false;

  constructor(socket: net.Socket, target: TcpTarget, options: TlsOptions) {
    this.peer = peerOf(target);
    this.#options = options;
    this.#target = target;
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
      ...(this.#target.tls === 'direct' ? { ALPNProtocols: ['xmpp-client'] } : {}),
      checkServerIdentity: (_host, certificate) => tls.checkServerIdentity(reference, certificate),
    });
    this.#socket = socket;
    const readCertificate = watchCertificate(socket);
    try {
      await untilAborted(signal, connected(socket, 'secureConnect'));
    } catch (error) {
      socket.destroy();
      if (signal.aborted) throw error;
      throw tlsError(error, domain, this.peer, readCertificate());
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
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('error', (error) => {
      this.#error = error;
    });
    socket.on('close', () => {
      if (!this.#hasAnswered) this.#error = closedWithoutAnswer(this.#target, this.#error);
      this.#handlers?.onClose(this.#error);
    });
    // A 'data' listener makes node read at once; the stream resumes when it is ready.
    if (this.#handlers === undefined) socket.pause();
  }

  #read(chunk: Buffer): void {
    if (!this.#hasAnswered) {
      this.#hasAnswered = true;
      this.#options.onAnswer?.();
      const found = foreignUse(chunk);
      // A TLS record is no surprise before TLS, and nonsense inside it.
      if (found !== undefined && !(found === 'direct' && this.#security !== undefined)) {
        this.#socket.destroy(new WrongPortError(this.peer, { expected: this.#target.tls, found }));
        return;
      }
    }
    this.#handlers?.onData(chunk);
  }
}

/** Waits for the connection. @throws UnreachableError, or the signal's reason */
async function reached(socket: net.Socket, target: TcpTarget, signal: AbortSignal): Promise<void> {
  try {
    await untilAborted(signal, connected(socket, 'connect'));
  } catch (error) {
    throw signal.aborted ? error : unreachable(target, error);
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
    const onError = (error: Error): void => reject(error);
    const onClose = (): void => {
      removeListeners();
      reject(new Error('the connection was closed'));
    };
    socket.on(event, onReady).on('error', onError).on('close', onClose);
  });
}
