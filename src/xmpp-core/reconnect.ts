/** When to reconnect after a lost connection, and when not to. */
import { ConnectError, SaslError, StreamError, TlsError, WrongPortError } from './errors.js';

/** How long to wait between attempts. */
export interface ReconnectPolicy {
  /** The ceiling of the first wait, in milliseconds. A session that lasted this long resets the backoff. */
  readonly firstMs: number;
  /** The ceiling of every wait, in milliseconds. */
  readonly maxMs: number;
}

/** From one second to five minutes. */
export const DEFAULT_RECONNECT: ReconnectPolicy = { firstMs: 1_000, maxMs: 300_000 };

/** Another client took our resource: reconnecting soon would only start a fight. */
const CONFLICT_MS = 120_000;

/** SASL conditions that are temporary (RFC 6120 §6.5). */
const TEMPORARY: ReadonlySet<string> = new Set(['temporary-auth-failure', 'aborted']);

/**
 * Whether a retry cannot help until a person changes something: a password, a certificate, a setting.
 * @param hadSession whether this account was online before. Then the address is right, and a certificate or a port that turned wrong will be
 *   corrected at the server
 */
export function isPermanent(error: unknown, hadSession = false): boolean {
  if (error instanceof SaslError) return !TEMPORARY.has(error.condition);
  if (error instanceof TlsError) return error.permanent && !hadSession;
  if (error instanceof WrongPortError) return !hadSession;
  if (error instanceof ConnectError)
    return error.attempts.length > 0 && error.attempts.every((one) => isPermanent(one.error, hadSession));
  if (error instanceof StreamError) return error.by === 'peer' && error.condition === 'host-unknown';
  return false;
}

/** Whether another client took our resource. */
export function isConflict(reason: unknown): boolean {
  return reason instanceof StreamError && reason.condition === 'conflict';
}

/**
 * The wait in milliseconds after this many failures in a row (0 for the first): exponential with full jitter, so that not all clients
 * reconnect to a restarted server at once.
 * @param random a number from 0 to 1
 */
export function backoffMs(failures: number, reason: unknown, policy: ReconnectPolicy, random: number): number {
  const ceiling = Math.min(policy.maxMs, policy.firstMs * 2 ** Math.min(failures, 30));
  return Math.round(random * ceiling + (isConflict(reason) ? Math.min(CONFLICT_MS, policy.maxMs) : 0));
}
