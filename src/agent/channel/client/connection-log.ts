/** Logs the connection of an account: sessions that begin and end, and errors that belong to no request. */
import type { ClientEvents } from '../../../xmpp-core/client.js';
import { errorText, type Log } from '../../log.js';
import { OncePerHour } from '../../once-per-hour.js';
import { errorKind, remedyFor } from './error-kind.js';

/** One method for each event of the client that is logged. */
export class ConnectionLog {
  readonly #account: string;
  readonly #log: Log;
  readonly #undelivered = new OncePerHour();

  /** @param account its name in the configuration */
  constructor(account: string, log: Log) {
    this.#account = account;
    this.#log = log;
  }

  online({ jid, resumed }: ClientEvents['online']): void {
    this.#log('info', 'online', { jid: jid.toString(), resumed });
  }

  suspended({ reason, retryInMs }: ClientEvents['suspended']): void {
    this.#log('info', 'suspended', { reason: reason?.message ?? null, retryInMs });
  }

  offline({ reason, willRetry, retryInMs }: ClientEvents['offline']): void {
    if (reason !== undefined) {
      const kind = errorKind(reason);
      // An error that ends the run needs a person: the message says what to do.
      if (willRetry) this.#log('warn', 'error', { kind, message: reason.message });
      else this.#log('error', 'error', { kind, message: `${reason.message}; ${remedyFor(kind, this.#account)}` });
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
