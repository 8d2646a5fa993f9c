/** What all our TLS connections share: trusted authorities, channel bindings, and error messages. */
import { BoundedMap } from '../bounded-map.js';
import { createHash } from 'node:crypto';
import tls from 'node:tls';
import { TlsError } from '../errors.js';
import type { ChannelBinding } from '../sasl/mechanism.js';
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

const UNKNOWN_AUTHORITY = 'its certificate is from an authority this machine does not trust; set ca_file to trust it';

/** What is wrong with a certificate, by the code of `node:tls`. */
const DISTRUST: ReadonlyMap<string, string> = new Map([
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'its certificate is for another name'],
  ['CERT_HAS_EXPIRED', 'its certificate has expired'],
  ['CERT_NOT_YET_VALID', 'its certificate is not valid yet; check the clock of this machine'],
  ['CERT_REVOKED', 'its certificate was revoked'],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'its certificate is self-signed; if it is yours, set ca_file to it'],
  ['SELF_SIGNED_CERT_IN_CHAIN', UNKNOWN_AUTHORITY],
  ['UNABLE_TO_GET_ISSUER_CERT', UNKNOWN_AUTHORITY],
  ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', UNKNOWN_AUTHORITY],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', UNKNOWN_AUTHORITY],
]);

/** Whether the error means that the certificate is not trusted. */
export function isCertificateError(error: unknown): boolean {
  return DISTRUST.has(codeOf(error));
}

/** Converts an error of `node:tls`. It is permanent if the certificate is not trusted, since a retry cannot help. */
export function tlsError(error: unknown, domain: string, peer: string): TlsError {
  const code = codeOf(error);
  const distrust = DISTRUST.get(code);
  const detail = distrust ?? (error instanceof Error ? error.message : String(error));
  return new TlsError(
    `no trusted TLS connection to ${peer} for ${domain}: ${detail}${code === '' ? '' : ` (${code})`}`,
    {
      cause: error,
      permanent: distrust !== undefined,
    },
  );
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
