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

/** What is wrong with TLS: the certificate (up to `unknown-authority`), or that there is none or its handshake failed. */
export type TlsProblem =
  | 'other-name'
  | 'expired'
  | 'not-yet-valid'
  | 'revoked'
  | 'self-signed'
  | 'unknown-authority'
  | 'not-offered'
  | 'not-tls'
  | 'closed'
  | 'refused'
  | 'handshake';

/** What a certificate says about itself. The server wrote it, and nothing has verified it. */
export interface CertificateFacts {
  /** The host names and addresses that it is for, at most eight. */
  readonly names: readonly string[];
  readonly validFrom: Date | undefined;
  readonly validUntil: Date | undefined;
  /** Who issued it, if it says so. */
  readonly issuer: string | undefined;
}

/** Trying again does not help with these: they are a matter of trust and not of the network. */
const PERMANENT_TLS_PROBLEMS: ReadonlySet<TlsProblem> = new Set<TlsProblem>([
  'other-name',
  'expired',
  'not-yet-valid',
  'revoked',
  'self-signed',
  'unknown-authority',
  'not-offered',
]);

/** TLS failed: none was offered, a certificate is not good for the domain (RFC 7590, RFC 6125), or the handshake broke. */
export class TlsError extends NegotiationError {
  override readonly name = 'TlsError';
  readonly problem: TlsProblem;
  /** The certificate that was rejected; `undefined` when the problem is another. */
  readonly certificate: CertificateFacts | undefined;

  constructor(
    message: string,
    options: Cause & { readonly problem: TlsProblem; readonly certificate?: CertificateFacts | undefined },
  ) {
    super(message, options);
    this.problem = options.problem;
    this.certificate = options.certificate;
  }

  /** Whether trying again cannot help until a person changes something. */
  get permanent(): boolean {
    return PERMANENT_TLS_PROBLEMS.has(this.problem);
  }
}

/** Why no connection came about. `closed`: the server accepted it and closed it without a byte. */
export type Unreachable = 'no-such-name' | 'dns-failed' | 'refused' | 'no-answer' | 'no-route' | 'closed' | 'other';

/** No connection to one host and port. */
export class UnreachableError extends NegotiationError {
  override readonly name = 'UnreachableError';
  readonly problem: Unreachable;
  readonly host: string;

  constructor(message: string, options: Cause & { readonly problem: Unreachable; readonly host: string }) {
    super(message, options);
    this.problem = options.problem;
    this.host = options.host;
  }
}

/** How TLS begins on a port for clients: by StartTLS, or with the first byte (direct TLS). */
export type PortTls = 'starttls' | 'direct';

/** What a port turned out to be for. */
export type PortUse = PortTls | 'http' | 'other';

const PORT_USES: Readonly<Record<PortUse, string>> = {
  starttls: 'does not begin with TLS: it is a port for StartTLS',
  direct: 'expects TLS from the first byte (direct TLS), not StartTLS',
  http: 'is a port of a web server (HTTP), not one for XMPP clients',
  other: 'does not speak XMPP',
};

/** The port is for something else than what it was taken for. */
export class WrongPortError extends NegotiationError {
  override readonly name = 'WrongPortError';
  /** For people: `xmpp.example.com:5222`. */
  readonly peer: string;
  readonly expected: PortTls;
  readonly found: PortUse;

  constructor(peer: string, options: Cause & { readonly expected: PortTls; readonly found: PortUse }) {
    super(`${peer} ${PORT_USES[options.found]}`, options);
    this.peer = peer;
    this.expected = options.expected;
    this.found = options.found;
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
