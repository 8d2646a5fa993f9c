/** Converts what `node:net` and `node:dns` report when there is no connection. */
import { UnreachableError, type Unreachable } from '../errors.js';

/** The host and port that were tried. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

const PROBLEMS: ReadonlyMap<string, Unreachable> = new Map<string, Unreachable>([
  ['ENOTFOUND', 'no-such-name'],
  ['ENODATA', 'no-such-name'],
  ['EAI_AGAIN', 'dns-failed'],
  ['EAI_FAIL', 'dns-failed'],
  ['ECONNREFUSED', 'refused'],
  ['ETIMEDOUT', 'no-answer'],
  ['EHOSTUNREACH', 'no-route'],
  ['ENETUNREACH', 'no-route'],
  ['EADDRNOTAVAIL', 'no-route'],
]);

/** For people: `xmpp.example.com:5222`, `[2001:db8::1]:5222`. */
export function peerOf({ host, port }: Endpoint): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** Whether the error means that there is no connection. */
export function isUnreachable(error: unknown): boolean {
  return PROBLEMS.has(codeOf(error));
}

/** The error for a connection that did not come about. @param error of `node:net` */
export function unreachable(endpoint: Endpoint, error: unknown): UnreachableError {
  const code = codeOf(error);
  const problem = PROBLEMS.get(code) ?? 'other';
  return new UnreachableError(textOf(problem, endpoint, error, code), { cause: error, problem, host: endpoint.host });
}

/** The error for a connection that the server accepted, and closed without sending a byte. */
export function closedWithoutAnswer(endpoint: Endpoint, cause: Error | undefined): UnreachableError {
  return new UnreachableError(`${peerOf(endpoint)} closed the connection without an answer`, {
    cause,
    problem: 'closed',
    host: endpoint.host,
  });
}

function textOf(problem: Unreachable, endpoint: Endpoint, error: unknown, code: string): string {
  const peer = peerOf(endpoint);
  switch (problem) {
    case 'no-such-name':
      return `there is no ${endpoint.host} in DNS`;
    case 'dns-failed':
      return `DNS gives no answer for ${endpoint.host} (${code})`;
    case 'refused':
      return `${peer} refused the connection (${code})`;
    case 'no-answer':
      return `${peer} does not answer (${code})`;
    case 'no-route':
      return `there is no route to ${peer} (${code})`;
    default:
      return `no connection to ${peer}: ${readable(error)}`;
  }
}

/** For several addresses `node:net` emits an AggregateError, with the code of the first one and without a message. */
function readable(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return error.errors.map(readable).join(', ');
  return error instanceof Error ? error.message : String(error);
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
