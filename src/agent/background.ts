/** Work that nobody awaits. Its failures go to the log. */
import { inBackground } from '../xmpp-core/background.js';
import { OfflineError } from '../xmpp-core/errors.js';
import { errorText, type Log } from './log.js';

/** The one door of the agent for work that goes on while its caller continues. */
export class Background {
  readonly #log: Log;
  readonly #stopping: AbortSignal | undefined;

  /** @param stopping aborted when the owner of the work stops. What fails afterwards has lost its connection, and is not reported */
  constructor(log: Log, stopping?: AbortSignal) {
    this.#log = log;
    this.#stopping = stopping;
  }

  /**
   * Starts `work` at once. A failure is logged, except after the stop. Work that arrives after the stop still runs: a message that the server
   * counts as delivered has to be written to disk.
   * @param where names the work in the log
   */
  run(where: string, work: () => Promise<unknown>): void {
    inBackground(work, (error) => {
      // Work that the end of a session cuts short goes on in the next one, or is found by the catch-up.
      if (this.#stopping?.aborted === true || error instanceof OfflineError) return;
      this.report(where, error);
    });
  }

  /** Logs a failure that has no caller to go to. @param where names the work in the log */
  report(where: string, error: unknown): void {
    this.#log('error', 'error', { kind: 'internal', where, message: errorText(error) });
  }
}
