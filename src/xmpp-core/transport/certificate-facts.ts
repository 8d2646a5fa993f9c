/** Reads what a rejected certificate says about itself, for error messages. */
import type { PeerCertificate, TLSSocket } from 'node:tls';
import type { CertificateFacts, TlsProblem } from '../errors.js';

/** The server writes all of this, so each part has a limit. */
const MAX_NAMES = 8;
const MAX_TEXT_LENGTH = 100;
const MAX_CHAIN = 8;

/** A certificate with the one of its issuer, as `getPeerCertificate(true)` returns it. */
export type Chain = PeerCertificate & { readonly issuerCertificate?: Chain };

/**
 * Keeps the certificate of a handshake that may fail.
 * @returns reads the certificate; `undefined` if the handshake did not get that far
 */
export function watchCertificate(socket: TLSSocket): () => Chain | undefined {
  let chain: Chain | undefined;
  // When `node:tls` rejects a certificate, it destroys the socket, and the certificate is gone with it.
  socket.prependOnceListener('secure', () => {
    chain = socket.getPeerCertificate(true) as Chain | undefined;
  });
  return () => chain;
}

/** The certificate in the chain that has the problem: where something has expired, that may be the one of an authority. */
export function culpritIn(leaf: Chain, problem: TlsProblem, now: number): Chain {
  if (problem !== 'expired') return leaf;
  let current: Chain | undefined = leaf;
  for (let depth = 0; current !== undefined && depth < MAX_CHAIN; depth++) {
    if (Date.parse(current.valid_to) < now) return current;
    current = current.issuerCertificate;
  }
  return leaf;
}

/** The facts of a certificate. */
export function factsOf({ subject, subjectaltname, valid_from, valid_to, issuer }: Chain): CertificateFacts {
  return {
    names: namesIn(subjectaltname) ?? [subject?.CN].flatMap(oneText),
    validFrom: dateOf(valid_from),
    validUntil: dateOf(valid_to),
    issuer: [issuer?.CN, issuer?.O].flatMap(oneText)[0],
  };
}

/** The DNS names and addresses in `DNS:example.com, IP Address:192.0.2.1`; `undefined` if the extension is missing (RFC 6125 §6.4.4). */
function namesIn(alternatives: string | undefined): readonly string[] | undefined {
  if (alternatives === undefined) return undefined;
  const found = alternatives.slice(0, MAX_NAMES * 300).matchAll(/(?:^|, )(?:DNS|IP Address):([\w.*:-]{1,253})(?=,|$)/g);
  return [...found].slice(0, MAX_NAMES).flatMap(([, name]) => name ?? []);
}

/** A field that occurs several times is a list. */
function oneText(value: string | readonly string[] | undefined): readonly string[] {
  const text = typeof value === 'string' ? value : value?.[0];
  return text === undefined ? [] : [text.slice(0, MAX_TEXT_LENGTH)];
}

function dateOf(text: string): Date | undefined {
  const date = new Date(text);
  return Number.isNaN(date.getTime()) ? undefined : date;
}
