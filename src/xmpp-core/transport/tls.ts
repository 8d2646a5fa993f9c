/** What all our TLS connections share: trusted authorities, channel bindings, and error messages. */
import { BoundedMap } from '../bounded-map.js';
import { createHash } from 'node:crypto';
import tls from 'node:tls';
import { TlsError, type CertificateFacts, type TlsProblem } from '../errors.js';
import type { ChannelBinding } from '../sasl/mechanism.js';
import { culpritIn, factsOf, type Chain } from './certificate-facts.js';
import { endPointHash } from './certificate.js';
import type { Security } from './transport.js';

/** Our certificate and key, in PEM, for a server that requests them in the handshake. */
export interface ClientCertificate {
  readonly certificate: string;
  readonly key: string;
}

/** RFC 7590 §3.3: the oldest protocol that we accept. */
const OLDEST = 'TLSv1.2';
/** A program has one or two bundles; with more, some are read again now and then. */
const MAX_CONTEXTS = 8;
const contexts = new BoundedMap<string, tls.SecureContext>(MAX_CONTEXTS);

/**
 * The options of `node:tls` that verify the peer's certificate and present ours.
 * @param ca a PEM bundle of authorities to trust in addition to the system's
 */
export function tlsOptions(ca: string | undefined, ours?: ClientCertificate): tls.ConnectionOptions {
  const own = ours === undefined ? {} : { cert: ours.certificate, key: ours.key };
  return {
    // Explicit, so that no environment variable can turn it off.
    rejectUnauthorized: true,
    ...(ca !== undefined && ours === undefined
      ? { secureContext: contextOf(ca) }
      : { ...own, minVersion: OLDEST, ...(ca === undefined ? {} : { ca: authorities(ca) }) }),
  };
}

/** Reading all authorities of the system takes longer than a handshake, so each bundle is read once. */
function contextOf(ca: string): tls.SecureContext {
  const known = contexts.get(ca);
  if (known !== undefined) return known;
  const context = tls.createSecureContext({ minVersion: OLDEST, ca: authorities(ca) });
  contexts.set(ca, context);
  return context;
}

function authorities(ca: string): string[] {
  return [...tls.rootCertificates, ca];
}

/** Describes the TLS of a socket whose handshake is complete. @param endsAtServer see `Security` */
export function securityOf(socket: tls.TLSSocket, endsAtServer: boolean): Security {
  return { protocol: socket.getProtocol() ?? 'TLS', channelBindings: channelBindings(socket), endsAtServer };
}

/** tls-exporter (RFC 9266) and tls-server-end-point (RFC 5929 §4). tls-unique is missing: node does not expose the extended master secret. */
function channelBindings(socket: tls.TLSSocket): ChannelBinding[] {
  const bindings: ChannelBinding[] = [];
  if (socket.getProtocol() === 'TLSv1.3') {
    // The RFC requires an empty context, which gives another value than no context.
    const data = socket.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0));
    bindings.push({ type: 'tls-exporter', data });
  }
  const { raw } = socket.getPeerCertificate();
  const hash = raw === undefined ? undefined : endPointHash(raw);
  if (hash !== undefined) {
    bindings.push({ type: 'tls-server-end-point', data: createHash(hash).update(raw).digest() });
  }
  return bindings;
}

/** What is wrong with a certificate, by the code of `node:tls`. */
const DISTRUST: ReadonlyMap<string, TlsProblem> = new Map<string, TlsProblem>([
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'other-name'],
  ['CERT_HAS_EXPIRED', 'expired'],
  ['CERT_NOT_YET_VALID', 'not-yet-valid'],
  ['CERT_REVOKED', 'revoked'],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'self-signed'],
  ['SELF_SIGNED_CERT_IN_CHAIN', 'unknown-authority'],
  ['UNABLE_TO_GET_ISSUER_CERT', 'unknown-authority'],
  ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'unknown-authority'],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'unknown-authority'],
]);

/** Why a handshake failed, by a part of the code: the text of OpenSSL is for its developers. */
const HANDSHAKE_FAILURES: readonly (readonly [RegExp, string])[] = [
  [/UNSUPPORTED_PROTOCOL|PROTOCOL_VERSION/, 'the server has no TLS of version 1.2 or later'],
  [/UNRECOGNIZED_NAME/, 'the server has no certificate for this domain'],
  [/NO_APPLICATION_PROTOCOL/, 'the server does not offer XMPP on this port'],
  [/HANDSHAKE_FAILURE|NO_SHARED/, 'the server and this machine have no cipher in common'],
  [/TOO_SMALL|TOO_WEAK|INSUFFICIENT/, 'the keys of the server are too weak'],
  [/CERTIFICATE_REQUIRED/, 'the server requires a certificate from us'],
];

/** What the peer sent is no TLS at all. */
const NOT_TLS = /WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST|UNKNOWN_PROTOCOL/;

/** Whether the error means that the peer speaks TLS, and only rejects ours or has a certificate that we reject. */
export function isFromTlsPeer(error: unknown): boolean {
  const code = codeOf(error);
  return DISTRUST.has(code) || (code.startsWith('ERR_SSL_') && !NOT_TLS.test(code));
}

/** Whether the error is one of TLS, for which `tlsError` has better words. */
export function isTlsFailure(error: unknown): boolean {
  return DISTRUST.has(codeOf(error)) || codeOf(error).startsWith('ERR_SSL_');
}

/**
 * Converts an error of `node:tls`.
 * @param chain the certificate of the server, if it sent one
 */
export function tlsError(error: unknown, domain: string, peer: string, chain?: Chain): TlsError {
  const code = codeOf(error);
  const distrust = DISTRUST.get(code);
  if (distrust === undefined) return new TlsError(...handshakeFailure(error, peer));
  const culprit = chain === undefined ? undefined : culpritIn(chain, distrust, Date.now());
  const certificate = culprit === undefined ? undefined : factsOf(culprit);
  const whose = culprit === chain ? 'its certificate' : 'the certificate of its authority';
  return new TlsError(
    `no trusted TLS connection to ${peer} for ${domain}: ${whose} ${distrustText(distrust, domain, certificate)} (${code})`,
    { cause: error, problem: distrust, certificate },
  );
}

function handshakeFailure(error: unknown, peer: string): ConstructorParameters<typeof TlsError> {
  const code = codeOf(error);
  if (NOT_TLS.test(code)) return [`${peer} answers without TLS`, { cause: error, problem: 'not-tls' }];
  if (code === '' || code === 'ECONNRESET')
    return [`${peer} closed the connection during the TLS handshake`, { cause: error, problem: 'closed' }];
  const why = HANDSHAKE_FAILURES.find(([pattern]) => pattern.test(code))?.[1];
  return [
    `the TLS handshake with ${peer} failed${why === undefined ? '' : `: ${why}`} (${code})`,
    { cause: error, problem: 'handshake' },
  ];
}

/** The text after "its certificate". */
function distrustText(problem: TlsProblem, domain: string, certificate: CertificateFacts | undefined): string {
  const { names = [], validFrom, validUntil, issuer } = certificate ?? {};
  switch (problem) {
    case 'other-name':
      return `is for another name${names.length === 0 ? '' : `: ${names.join(', ')}`}, not for ${domain}`;
    case 'expired':
      return validUntil === undefined ? 'has expired' : `expired on ${dayOf(validUntil)}`;
    case 'not-yet-valid':
      return `is not valid yet${validFrom === undefined ? '' : `, but from ${dayOf(validFrom)} on`}; today is ${dayOf(new Date())} here`;
    case 'revoked':
      return 'was revoked';
    case 'self-signed':
      return 'is self-signed';
    default:
      return `is from an authority that this machine does not trust${issuer === undefined ? '' : `: ${JSON.stringify(issuer)}`}`;
  }
}

function dayOf(date: Date): string {
  return date.toISOString().slice(0, 10);
}

function codeOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code !== 'EPROTO' || !(error instanceof Error)) return code;
  // `node:tls` gives some failures of OpenSSL this code, and their own only in the text: `…:SSL routines:function:wrong version number:…`.
  const reason = /:SSL routines:[^:]{0,99}:([^:]{1,99}):/.exec(error.message)?.[1];
  return reason === undefined ? code : `ERR_SSL_${reason.toUpperCase().replaceAll(/\W/g, '_')}`;
}
