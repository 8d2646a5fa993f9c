/** Logs the connection of an account: sessions that begin and end, and errors that belong to no request. */
import type { ClientEvents } from '../../../xmpp-core/client.js';
import { errorText, type Log } from '../../log.js';
import { OncePerHour } from '../../once-per-hour.js';
import { errorKind, remedyFor, type ServerSettings } from './connection-trouble.js';

/** One method for each event of the client that is logged. */
export class ConnectionLog {
  readonly #account: ServerSettings;
  readonly #log: Log;
  readonly #undelivered = new OncePerHour();
  #wasOnline = false;

  constructor(account: ServerSettings, log: Log) {
    this.#account = account;
    this.#log = log;
  }

  online({ jid, resumed }: ClientEvents['online']): void {
    this.#wasOnline = true;
    this.#log('info', 'online', { jid: jid.toString(), resumed });
  }

  suspended({ reason, retryInMs }: ClientEvents['suspended']): void {
    this.#log('info', 'suspended', { reason: reason?.message ?? null, retryInMs });
  }

  offline({ reason, willRetry, retryInMs }: ClientEvents['offline']): void {
    if (reason !== undefined) {
      // Settings that have worked are right, unless the error ends the run.
      const remedy = willRetry && this.#wasOnline ? undefined : remedyFor(reason, this.#account);
      const restart = willRetry ? '' : ', and restart the bot';
      const message = remedy === undefined ? reason.message : `${reason.message}; ${remedy}${restart}`;
      this.#log(willRetry ? 'warn' : 'error', 'error', { kind: errorKind(reason), message });
    }
    this.#log('info', 'offline', { reason: reason?.message ?? 'stopped', retryInMs: retryInMs ?? null });
  }

  undelivered({ from, error }: ClientEvents['undelivered']): void {
    // Anybody can send errors, also for messages that the bot never sent.
    if (!this.#undelivered.isDue(from.bare.toString())) return;
    this.#log('warn', 'error', { kind: 'undelivered', to: from.toString(), message: error.message });
  }

  error({ error, where }: ClientEvents['error']): void {
    this.#log('error', 'error', { kind: 'internal', where, message: errorText(error) });
  }
}
