/** The interface between a stream and its connection: text goes to the server, bytes come back. */
import type { ChannelBinding } from '../sasl/mechanism.js';

/** Facts about the TLS that protects a connection. */
export interface Security {
  /** As `node:tls` names it, such as `TLSv1.3`. */
  readonly protocol: string;
  /** The available channel bindings, strongest first. */
  readonly channelBindings: readonly ChannelBinding[];
  /** Whether TLS is known to end at the XMPP server. That of a WebSocket often ends at a web server in front of it. */
  readonly endsAtServer: boolean;
}

/** The events of a transport, for its stream. */
export interface TransportHandlers {
  onData(chunk: Uint8Array): void;
  /** Called once; without an `error` if the peer closed the connection cleanly. */
  onClose(error: Error | undefined): void;
}

/** A connection to a server. */
export interface Transport {
  /** For people: the address, `127.0.0.1:5222`. */
  readonly peer: string;
  /** The protection of the connection; `undefined` while there is none. */
  readonly security: Security | undefined;
  /** Sets the handlers and starts reading. */
  handle(handlers: TransportHandlers): void;
  /** Sends text. After the end of the connection it is dropped: `onClose` has reported that. */
  write(text: string): void;
  /**
   * Starts TLS on the connection (RFC 6120 §5.4.3.3) and verifies the certificate for the domain.
   * @throws TlsError
   */
  startTls(signal: AbortSignal): Promise<void>;
  /** Closes our side; `onClose` follows when the peer closes too, or after a few seconds. */
  end(): void;
  /** Closes at once. */
  destroy(): void;
}
