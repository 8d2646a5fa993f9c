/** Logs who was denied and why, at most once an hour for each sender. */
import type { Log } from '../../log.js';
import { OncePerHour } from '../../once-per-hour.js';

/** The `denied` events of one account. */
export class Denials {
  readonly #log: Log;
  readonly #hourly = new OncePerHour();

  constructor(log: Log) {
    this.#log = log;
  }

  /** @param from a JID, as the log shows it */
  log(from: string, why: string): void {
    if (this.#hourly.isDue(from)) this.#log('info', 'denied', { from, why });
  }
}
