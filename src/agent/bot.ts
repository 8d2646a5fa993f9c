/** The whole bot: every enabled account of a configuration, over one history. */
import { join } from 'node:path';
import { Account } from './channel/account.js';
import type { AccountConfig } from './config/config.js';
import { lockDataDirectory } from './data-lock.js';
import { ConversationStore } from './conversation/history.js';
import { openFileStorage } from './file-storage.js';
import type { Log } from './log.js';
import type { Model } from './model/model.js';

export interface BotOptions {
  readonly accounts: readonly AccountConfig[];
  readonly modelOf: (provider: string, model: string) => Model;
  readonly dataDirectory: string;
  readonly log: Log;
  /** See `AccountOptions`. */
  readonly rejoinMs?: number;
}

/** How much of a conversation is kept at hand, in tokens; as much as any account wants to send. */
const KEEP_TOKENS = 64_000;
/** How long answers under way may take when the bot is asked to stop. */
const GRACE_MS = 10_000;

export class Bot {
  readonly #accounts: readonly Account[];
  readonly #store: ConversationStore;
  readonly #unlock: () => Promise<void>;

  private constructor(accounts: readonly Account[], store: ConversationStore, unlock: () => Promise<void>) {
    this.#accounts = accounts;
    this.#store = store;
    this.#unlock = unlock;
  }

  /**
   * Opens what is kept on disk; nothing is connected yet.
   * @throws DataLockError, HistoryError, StorageError
   */
  static async open({ accounts, dataDirectory, log, ...rest }: BotOptions): Promise<Bot> {
    const unlock = await lockDataDirectory(dataDirectory);
    const store = await ConversationStore.open(join(dataDirectory, 'history'), {
      keepTokens: Math.max(KEEP_TOKENS, ...accounts.map((account) => account.limits.historyTokens)),
      report: ({ what, file, line }) => log('warn', 'history', { file, line, message: what }),
    });
    const storage = await openFileStorage(join(dataDirectory, 'state.json'));
    const enabled = accounts.filter((account) => account.enabled);
    return new Bot(
      enabled.map((config) => new Account({ config, store, storage, log, ...rest })),
      store,
      unlock,
    );
  }

  /**
   * Answers on all accounts until `stop()`, or until none is left that can go on.
   * @returns whether it was stopped; false when every account gave up
   */
  async run(): Promise<boolean> {
    const outcomes = await Promise.all(this.#accounts.map((account) => account.run()));
    await this.#store.close();
    await this.#unlock();
    return outcomes.includes('stopped');
  }

  /** Ends in order: running answers get a grace period, are then stored as owed, and everybody is told good-bye. */
  async stop(): Promise<void> {
    await Promise.all(this.#accounts.map((account) => account.stop(GRACE_MS)));
  }
}
