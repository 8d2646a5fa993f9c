/** Classifies connection errors for the log. */
import { ConnectError, SaslError, StreamError, TimeoutError, TlsError } from '../../../xmpp-core/errors.js';

/** The `kind` of an `error` in the log. */
export type ErrorKind = 'auth' | 'tls' | 'dns' | 'connect' | 'stream';

const DNS_CODES: ReadonlySet<string> = new Set(['ENOTFOUND', 'EAI_AGAIN', 'ENODATA']);

/** The kind of an error that ended a session, or kept one from beginning. */
export function errorKind(error: Error): ErrorKind {
  if (error instanceof SaslError) return 'auth';
  if (error instanceof TlsError) return 'tls';
  if (error instanceof StreamError) return 'stream';
  if (error instanceof TimeoutError) return 'connect';
  if (error instanceof ConnectError) {
    const kinds = new Set(error.attempts.map((attempt) => errorKind(attempt.error)));
    const [only] = kinds;
    return kinds.size === 1 && only !== undefined ? only : 'connect';
  }
  return 'code' in error && DNS_CODES.has(String(error.code)) ? 'dns' : 'connect';
}

/** What an operator can do about an error that ends an account's run; `account` is its name in the configuration. */
export function remedyFor(kind: ErrorKind, account: string): string {
  const table = `[channels.xmpp.${account}]`;
  if (kind === 'auth') return `correct jid and password in ${table}, and restart the bot`;
  if (kind === 'tls') {
    return `fix the certificate, or jid, server and ca_file in ${table}, and restart the bot`;
  }
  return `check jid and server in ${table}, and restart the bot`;
}
