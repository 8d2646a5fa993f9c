/** What a stream stands on: something that carries text to a server and bytes back. */
import type { ChannelBinding } from '../sasl/mechanism.js';

/** Facts about the TLS that protects a connection. */
export interface Security {
  /** As `node:tls` names it, such as `TLSv1.3`. */
  readonly protocol: string;
  /** What can be bound to, strongest first. */
  readonly channelBindings: readonly ChannelBinding[];
  /** Whether TLS is known to end at the XMPP server. That of a WebSocket often ends at a web server in front of it. */
  readonly endsAtServer: boolean;
}

/** What the stream wants to hear from its transport. */
export interface TransportHandlers {
  onData(chunk: Uint8Array): void;
  /** Called once; `error` is there unless the peer ended the connection in order. */
  onClose(error: Error | undefined): void;
}

/** A connection to a server. */
export interface Transport {
  /** For people: the address, `127.0.0.1:5222`. */
  readonly peer: string;
  /** What protects it, or `undefined` while nothing does. */
  readonly security: Security | undefined;
  /** Names who is told of data and of the end. Nothing is read before. */
  handle(handlers: TransportHandlers): void;
  /** Sends text. After the end it is dropped: `onClose` has told. */
  write(text: string): void;
  /**
   * Puts TLS under the connection (RFC 6120 §5.4.3.3) and checks the certificate for the domain.
   * @throws TlsError
   */
  startTls(signal: AbortSignal): Promise<void>;
  /** Says that nothing more will be written; `onClose` follows when the peer does the same, or after a few seconds. */
  end(): void;
  /** Ends at once. */
  destroy(): void;
}
