/** Tells the log who was turned away and why, once an hour for each. */
import type { Log } from '../log.js';
import { Hourly } from './hourly.js';

export class Denials {
  readonly #log: Log;
  readonly #hourly = new Hourly();

  constructor(log: Log) {
    this.#log = log;
  }

  /** @param from a JID, as the log is to show it */
  tell(from: string, why: string): void {
    if (this.#hourly.isDue(from)) this.#log('info', 'denied', { from, why });
  }
}
