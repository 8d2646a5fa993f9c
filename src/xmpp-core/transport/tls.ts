/** What every TLS connection of ours has in common: whom it trusts, what can be bound to it, and how its failure is told. */
import { BoundedMap } from '../bounded-map.js';
import { createHash } from 'node:crypto';
import tls from 'node:tls';
import { TlsError } from '../errors.js';
import type { ChannelBinding } from '../sasl/mechanism.js';
import { endPointHash } from './certificate.js';
import type { Security } from './transport.js';

/** Who we are, for a server that asks in the handshake: PEM. */
export interface ClientCertificate {
  readonly certificate: string;
  readonly key: string;
}

/** RFC 7590 §3.3: nothing older is spoken. */
const OLDEST = 'TLSv1.2';
/** A program has one bundle or two; whoever has more reads one anew now and then. */
const MAX_CONTEXTS = 8;
const contexts = new BoundedMap<string, tls.SecureContext>(MAX_CONTEXTS);

/**
 * The options of `node:tls` by which a certificate is judged, and by which we show our own.
 * @param ca a PEM bundle to trust beside the system's
 */
export function trust(ca: string | undefined, ours?: ClientCertificate): tls.ConnectionOptions {
  const own = ours === undefined ? {} : { cert: ours.certificate, key: ours.key };
  return {
    // Said outright, so that no environment variable can turn it off.
    rejectUnauthorized: true,
    ...(ca !== undefined && ours === undefined
      ? { secureContext: contextOf(ca) }
      : { ...own, minVersion: OLDEST, ...(ca === undefined ? {} : { ca: authorities(ca) }) }),
  };
}

/** Reading all authorities of the system takes longer than a handshake: it is done once for each bundle. */
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

/** The facts about a socket whose handshake is over. */
export function securityOf(socket: tls.TLSSocket, endsAtServer: boolean): Security {
  return { protocol: socket.getProtocol() ?? 'TLS', channelBindings: channelBindings(socket), endsAtServer };
}

/** tls-exporter (RFC 9266) and tls-server-end-point (RFC 5929 §4). tls-unique is left out: node shows no extended master secret. */
function channelBindings(socket: tls.TLSSocket): ChannelBinding[] {
  const bindings: ChannelBinding[] = [];
  if (socket.getProtocol() === 'TLSv1.3') {
    // The empty context matters: without it the value differs from what the RFC wants.
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

/** Whether it is the certificate that is to blame. */
export function isDistrust(error: unknown): boolean {
  return DISTRUST.has(codeOf(error));
}

/** An error of `node:tls` in words. It is permanent when the certificate is to blame, which no further try makes better. */
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
