/** Tells the log who was turned away and why, once an hour for each. */
import type { Log } from '../../log.js';
import { OncePerHour } from './rate-limited-log.js';

export class Denials {
  readonly #log: Log;
  readonly #hourly = new OncePerHour();

  constructor(log: Log) {
    this.#log = log;
  }

  /** @param from a JID, as the log is to show it */
  tell(from: string, why: string): void {
    if (this.#hourly.isDue(from)) this.#log('info', 'denied', { from, why });
  }
}
