/** One XMPP account of the bot: how its parts run and stop. */
import { accountParts, type AccountOptions } from './account-parts.js';

export type { AccountOptions } from './account-parts.js';

/** An account of the bot. A changed configuration makes a new one: see `Bot.reload`. */
export class Account {
  readonly #stopping = new AbortController();
  readonly #parts: ReturnType<typeof accountParts>;
  #stopped: Promise<void> | undefined;

  constructor(options: AccountOptions) {
    this.#parts = accountParts(options, this.#stopping.signal);
  }

  /**
   * Connects and answers until `stop()`, or until an error makes going on pointless, which is logged.
   * @returns why it ended
   */
  async run(): Promise<'stopped' | 'gave up'> {
    const { client, sources } = this.#parts;
    sources.listen();
    const over = client.events.once('offline', { where: ({ willRetry }) => !willRetry });
    await this.#load();
    // A start that fails is an `offline` event as well, which is logged.
    await Promise.allSettled([client.start(), over]);
    const outcome = this.#stopped === undefined ? 'gave up' : 'stopped';
    await this.stop(0);
    return outcome;
  }

  /** Lets running turns end within `graceMs` milliseconds, logs out, and disconnects. */
  stop(graceMs: number): Promise<void> {
    this.#stopped ??= this.#stop(graceMs);
    return this.#stopped;
  }

  /** Reads what the last run kept. The account runs without what cannot be read. */
  async #load(): Promise<void> {
    const { background, book, ledger, rooms, inbox, profile, presenceSubscribers, unfinishedWork } = this.#parts;
    try {
      await Promise.all([...[book, ledger, rooms, inbox].map((part) => part.load()), profile.prepare()]);
      presenceSubscribers.enforceRules();
    } catch (error) {
      background.report('load', error);
    }
    try {
      await unfinishedWork.load();
    } catch (error) {
      background.report('unfinished work', error);
    }
  }

  async #stop(graceMs: number): Promise<void> {
    const { client, background, ledger, rooms, queue, inbox } = this.#parts;
    await queue.close({ graceMs });
    for (const part of [ledger, rooms]) {
      try {
        await part.flush();
      } catch (error) {
        // A failing disk must not keep the account from logging out.
        background.report('stop', error);
      }
    }
    this.#stopping.abort();
    await client.stop();
    // The next owner of these conversations must find every message on disk.
    await inbox.settled();
  }
}
