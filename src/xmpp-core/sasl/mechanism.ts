/**
 * The interface of a SASL mechanism and its input (RFC 4422). Bytes in, bytes out: the profile (RFC 6120 §6 or XEP-0388) adds base64
 * and XML.
 */
import type { SaltedPasswordCache } from './salted-password-cache.js';

/** The user name and password as a person typed them; the mechanisms prepare them. */
export interface Credentials {
  /** The localpart of the account's JID. */
  readonly username: string;
  readonly password: string;
}

/** Data of the TLS connection that binds an authentication to it, so that it is useless on another connection (RFC 5929, RFC 9266). */
export interface ChannelBinding {
  readonly type: 'tls-exporter' | 'tls-server-end-point';
  readonly data: Uint8Array;
}

/** What the choice of a mechanism depends on. */
export interface SaslContext {
  /** `undefined` without a password: EXTERNAL, ANONYMOUS. */
  readonly credentials: Credentials | undefined;
  /** Whether the exchange runs over TLS with a verified certificate. */
  readonly secure: boolean;
  /** The mechanisms that the server lists for the profile in use (for XEP-0388: without those of FAST). */
  readonly offered: readonly string[];
  /** The bindings that this side supports. */
  readonly channelBindings: readonly ChannelBinding[];
  /**
   * The types that the server lists (XEP-0440). `undefined`: it sent no list and may not support XEP-0440. With XEP-0388, which
   * requires XEP-0440, a missing list is passed as `[]`.
   */
  readonly serverBindingTypes: readonly string[] | undefined;
  /** Returns `length` bytes from a cryptographically secure source. */
  randomBytes(length: number): Uint8Array;
  readonly saltedPasswords: SaltedPasswordCache;
  /** Aborts the attempt; the pending promise rejects with its reason. */
  readonly signal: AbortSignal;
}

/** What later logins must respect. `never-plain`: the server accepted a proof once, so it never gets the password itself. */
export type Pin = 'never-plain';

/** One attempt to authenticate. An error ends it: every further call throws. */
export interface Mechanism {
  /** The registered name: `SCRAM-SHA-256-PLUS`. */
  readonly name: string;
  /** What to store for the account once `success` has returned, if anything. */
  readonly pin: Pin | undefined;
  /** The initial response; it may be empty. */
  initial(): Promise<Uint8Array>;
  /**
   * Answers a challenge.
   * @throws SaslError when the server breaks the mechanism's rules or does not know the password
   */
  challenge(data: Uint8Array): Promise<Uint8Array>;
  /**
   * Processes the server's success, with its additional data.
   * @throws SaslError unless the server has proved that it knows the password, if the mechanism requires that
   */
  success(data: Uint8Array | undefined): void;
}
