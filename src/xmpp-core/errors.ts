/** The error classes. Each message names what was tried, with whom, and what to do; none contains a secret or a message's text. */
import {
  defaultErrorType,
  type StanzaErrorCondition,
  type StanzaErrorType,
  type StreamErrorCondition,
} from './error-conditions.js';
import type { Element } from './xml/element.js';

interface Cause {
  readonly cause?: unknown;
}

/** What an error on the wire may carry beside its condition. */
export interface ErrorDetails {
  /** The condition of the application that reports it, in a namespace of its own (RFC 6120 §4.9.4, §8.3.4). */
  readonly application?: Element | undefined;
  /** Where to turn instead: the URI that `gone` and `redirect` may have (§8.3.3.5, §8.3.3.14). */
  readonly alternative?: string | undefined;
  /** The language of the text, its own or inherited (§8.1.5). */
  readonly language?: string | undefined;
}

/** The root: everything this stack throws on purpose. */
export class XmppError extends Error {
  override readonly name: string = 'XmppError';
}

/** There is no session, or it has ended: nothing can be sent, and no response arrives. */
export class OfflineError extends XmppError {
  override readonly name = 'OfflineError';
}

/** The stream was ended by an error of either side (RFC 6120 §4.9). */
export class StreamError extends XmppError {
  override readonly name = 'StreamError';
  readonly condition: StreamErrorCondition;
  /** Who ended the stream. */
  readonly by: 'us' | 'peer';
  /** Where the peer sends us instead: `host`, `host:port`, or the URL of a WebSocket. Only what TLS protected is kept. */
  readonly seeOther: string | undefined;
  readonly details: ErrorDetails;

  constructor(
    condition: StreamErrorCondition,
    text?: string,
    options: Cause & {
      readonly by?: 'us' | 'peer';
      readonly seeOther?: string | undefined;
      readonly details?: ErrorDetails;
    } = {},
  ) {
    super(text === undefined ? condition : `${condition}: ${text}`, options);
    this.condition = condition;
    this.by = options.by ?? 'us';
    this.seeOther = options.seeOther;
    this.details = options.details ?? {};
  }
}

/** An error about one stanza (RFC 6120 §8.3). Thrown in an IQ handler it is the reply; from `iq()` it is the peer's answer. */
export class StanzaError extends XmppError {
  override readonly name = 'StanzaError';
  readonly type: StanzaErrorType;
  readonly condition: StanzaErrorCondition;
  /** The peer's own words, if it gave some. */
  readonly text: string | undefined;
  /** The entity that says so, if it named itself. */
  readonly by: string | undefined;
  readonly details: ErrorDetails;

  constructor(
    type: StanzaErrorType,
    condition: StanzaErrorCondition,
    text?: string,
    by?: string,
    details: ErrorDetails = {},
  ) {
    super(text === undefined ? condition : `${condition}: ${text}`);
    this.type = type;
    this.condition = condition;
    this.text = text;
    this.by = by;
    this.details = details;
  }

  /** The condition and the text, without the request that `message` may name. */
  get reason(): string {
    return this.text === undefined ? this.condition : `${this.condition}: ${this.text}`;
  }

  /** The error of that condition, with the type that the RFC associates with it. */
  static of(condition: StanzaErrorCondition, text?: string): StanzaError {
    return new StanzaError(defaultErrorType(condition), condition, text);
  }
}

/** The negotiation of a stream failed. */
export class NegotiationError extends XmppError {
  override readonly name: string = 'NegotiationError';
}

/** TLS failed: none was offered, a certificate is not good for the domain (RFC 7590, RFC 6125), or the handshake broke. */
export class TlsError extends NegotiationError {
  override readonly name = 'TlsError';
  /** Whether trying again cannot help, because it is a matter of trust and not of the network. */
  readonly permanent: boolean;

  constructor(message: string, options: Cause & { readonly permanent: boolean }) {
    super(message, options);
    this.permanent = options.permanent;
  }
}

/** Authentication failed (RFC 6120 §6.5), or the server failed to prove itself. */
export class SaslError extends NegotiationError {
  override readonly name = 'SaslError';
  /** The server's condition, such as `not-authorized`, or our own word for what it did wrong. */
  readonly condition: string;

  constructor(condition: string, text?: string, options: Cause = {}) {
    super(text === undefined ? condition : `${condition}: ${text}`, options);
    this.condition = condition;
  }
}

/** One address that was tried, and why it failed. */
export interface ConnectAttempt {
  /** For people: `xmpp.example.com:5222 (StartTLS)`. */
  readonly target: string;
  readonly error: Error;
}

/** No address of the server could be reached. */
export class ConnectError extends NegotiationError {
  override readonly name = 'ConnectError';
  readonly attempts: readonly ConnectAttempt[];

  constructor(domain: string, attempts: readonly ConnectAttempt[]) {
    const tried = attempts.map(({ target, error }) => `${target}: ${error.message}`).join('; ');
    super(`cannot reach ${domain}; tried ${tried === '' ? 'nothing' : tried}`, { cause: attempts.at(-1)?.error });
    this.attempts = attempts;
  }
}

/** A deadline passed. */
export class TimeoutError extends XmppError {
  override readonly name = 'TimeoutError';

  constructor(what: string, ms: number) {
    super(`${what} took longer than ${ms} ms`);
  }
}

/** An element contains what XML cannot carry: a bug in the code that built it, never the peer's fault. */
export class XmlError extends XmppError {
  override readonly name = 'XmlError';
}
