/**
 * Says what keeps an account from its server: the cause and the place, which the error carries, and what to change in the configuration, which
 * the protocol's code does not know.
 */
import {
  ConnectError,
  NegotiationError,
  SaslError,
  StreamError,
  TlsError,
  UnreachableError,
  WrongPortError,
} from '../../../xmpp-core/errors.js';
import type { AccountConfig } from '../../config/config.js';

/** The `kind` of an `error` in the log. */
export type ErrorKind = 'auth' | 'tls' | 'dns' | 'connect' | 'stream';

/** The settings that say where the server is. */
export type ServerSettings = Pick<AccountConfig, 'name' | 'jid' | 'server' | 'directTls' | 'websocket' | 'ca'>;

/** The kind of an error that ended a session, or kept one from beginning. */
export function errorKind(error: Error): ErrorKind {
  if (error instanceof SaslError) return 'auth';
  if (error instanceof TlsError) return 'tls';
  if (error instanceof StreamError) return 'stream';
  if (error instanceof WrongPortError)
    return error.found === 'starttls' || error.found === 'direct' ? 'tls' : 'connect';
  if (error instanceof UnreachableError)
    return error.problem === 'no-such-name' || error.problem === 'dns-failed' ? 'dns' : 'connect';
  if (error instanceof ConnectError) {
    const kinds = new Set(error.attempts.map((attempt) => errorKind(attempt.error)));
    const [only] = kinds;
    return kinds.size === 1 && only !== undefined ? only : 'connect';
  }
  return 'connect';
}

/** What an operator can do about an error that keeps an account from coming online; `undefined` where only time helps. */
export function remedyFor(error: Error, account: ServerSettings): string | undefined {
  const table = `[channels.xmpp.${account.name}]`;
  if (error instanceof SaslError) return loginRemedy(error, table);
  if (error instanceof TlsError) return tlsRemedy(error, account, table);
  if (error instanceof WrongPortError) return portRemedy(error, account, table);
  if (error instanceof UnreachableError) return addressRemedy(error, account, table);
  if (error instanceof StreamError) {
    return error.by === 'peer' && error.condition === 'host-unknown'
      ? `the server does not serve ${account.jid.domainpart}: correct jid = "${account.jid.toString()}" in ${table}`
      : undefined;
  }
  if (error instanceof ConnectError) {
    const remedies = error.attempts.map((attempt) => remedyFor(attempt.error, account));
    return remedies.find((remedy) => remedy !== undefined) ?? correctAddress(account, table);
  }
  return error instanceof NegotiationError && account.websocket !== undefined
    ? correctAddress(account, table)
    : undefined;
}

function loginRemedy({ condition }: SaslError, table: string): string | undefined {
  if (condition === 'temporary-auth-failure' || condition === 'aborted') return undefined;
  return condition === 'not-authorized' || condition === 'malformed-credentials' || condition === 'credentials-expired'
    ? `correct jid and password in ${table}`
    : 'ask the operator of the server';
}

function tlsRemedy({ problem }: TlsError, account: ServerSettings, table: string): string | undefined {
  switch (problem) {
    case 'other-name':
      return account.websocket === undefined
        ? `correct jid = "${account.jid.toString()}" in ${table}, or have ${account.jid.domainpart} added to the certificate`
        : correctAddress(account, table);
    case 'expired':
    case 'revoked':
      return 'have it renewed on the server';
    case 'not-yet-valid':
      return 'correct the clock of this machine';
    case 'self-signed':
      return `if it is yours, set ca_file in ${table} to this certificate`;
    case 'unknown-authority':
      return `if you trust it, set ca_file in ${table} to the certificate of this authority`;
    case 'not-offered':
      return 'have TLS switched on at the server';
    case 'not-tls':
    case 'closed':
      return correctAddress(account, table);
    default:
      return 'ask the operator of the server';
  }
}

function portRemedy({ found, peer }: WrongPortError, account: ServerSettings, table: string): string {
  const server = account.server === undefined ? `server = "${peer}" and ` : '';
  if (found === 'direct') return `set ${server}direct_tls = true in ${table}`;
  if (found === 'starttls')
    return account.server === undefined ? `set server = "${peer}" in ${table}` : `remove direct_tls in ${table}`;
  return `${correctAddress(account, table)} (clients usually connect to port 5222)`;
}

function addressRemedy({ problem, host }: UnreachableError, account: ServerSettings, table: string): string {
  if (problem === 'dns-failed' || problem === 'no-route') return 'check the network of this machine';
  const isOfDomain = account.server === undefined && account.websocket === undefined;
  if (problem === 'no-such-name' && isOfDomain && host !== account.jid.domainpart)
    return `have the SRV record of ${account.jid.domainpart} corrected, or set server = "host:port" in ${table}`;
  const correct = correctAddress(account, table);
  return problem === 'no-such-name' ? correct : `start the server there, or ${correct}`;
}

/** Names the setting that says where the server is. */
function correctAddress({ server, websocket, jid }: ServerSettings, table: string): string {
  if (websocket !== undefined) return `correct websocket in ${table}`;
  if (server === undefined) return `correct jid = "${jid.toString()}" or set server = "host:port" in ${table}`;
  const { host, port } = server;
  return `correct server = "${port === undefined ? host : `${host.includes(':') ? `[${host}]` : host}:${port}`}" in ${table}`;
}
