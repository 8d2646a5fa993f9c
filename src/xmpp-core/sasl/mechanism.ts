/**
 * What a SASL mechanism is, and what it is given (RFC 4422). Bytes in, bytes out: the profile that carries them, RFC 6120 §6
 * or XEP-0388, adds base64 and XML around it.
 */
import type { SaltedPasswordCache } from './salted-password-cache.js';

/** Who logs in, as a person typed it; preparation is done here. */
export interface Credentials {
  /** The localpart of the account's JID. */
  readonly username: string;
  readonly password: string;
}

/** What an authentication can be tied to, so that it is worth nothing on another TLS connection (RFC 5929, RFC 9266). */
export interface ChannelBinding {
  readonly type: 'tls-exporter' | 'tls-server-end-point';
  readonly data: Uint8Array;
}

/** What is known when a mechanism is chosen. */
export interface SaslContext {
  /** `undefined` where there is no password: EXTERNAL, ANONYMOUS. */
  readonly credentials: Credentials | undefined;
  /** Whether TLS, with a certificate that was checked, carries the exchange. */
  readonly secure: boolean;
  /** The mechanisms of the profile in use, as the server listed them (for XEP-0388: without those of FAST). */
  readonly offered: readonly string[];
  /** The bindings this side can produce. */
  readonly channelBindings: readonly ChannelBinding[];
  /**
   * The types the server listed (XEP-0440). `undefined`: it sent no list and may never have heard of one.
   * With XEP-0388, which is younger than the list, a server that sent none is to be given as `[]`.
   */
  readonly serverBindingTypes: readonly string[] | undefined;
  /** That many bytes from a cryptographically secure source. */
  randomBytes(length: number): Uint8Array;
  readonly saltedPasswords: SaltedPasswordCache;
  /** Ends the attempt; the promise under way is rejected with its reason. */
  readonly signal: AbortSignal;
}

/** What a login teaches about an account, for its later logins: a server that once took a proof is never sent the password itself. */
export type Pin = 'never-plain';

/** One attempt to authenticate. After an error it is over; every further call throws. */
export interface Mechanism {
  /** As the server knows it: `SCRAM-SHA-256-PLUS`. */
  readonly name: string;
  /** What to remember of the account once `success` has returned; `undefined` if there is nothing to. */
  readonly pin: Pin | undefined;
  /** The initial response; it may be empty. */
  initial(): Promise<Uint8Array>;
  /**
   * Answers a challenge.
   * @throws SaslError when the server breaks the mechanism's rules or does not know the password
   */
  challenge(data: Uint8Array): Promise<Uint8Array>;
  /**
   * Takes the server's word that all went well, with the additional data that came along.
   * @throws SaslError unless the server has proved, where the mechanism asks for it, that it knows the password
   */
  success(data: Uint8Array | undefined): void;
}
