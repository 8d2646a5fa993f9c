/** The whole bot: every enabled account of a configuration, over one history. */
import { join } from 'node:path';
import { Account, type AccountOptions } from './channel/account.js';
import type { AccountConfig, Config } from './config/config.js';
import { lockDataDirectory } from './data-lock.js';
import { ConversationStore } from './conversation/history.js';
import { openFileStorage } from './file-storage.js';
import type { Log } from './log.js';
import { MediaStore } from './media/store.js';
import type { Model } from './model/model.js';

/** What the bot is run with, and what it can be told anew while it runs. */
export interface BotSettings {
  readonly config: Pick<Config, 'accounts' | 'providers' | 'skillPaths'>;
  readonly modelOf: (provider: string, model: string) => Model;
}

export interface BotOptions extends BotSettings {
  readonly dataDirectory: string;
  readonly log: Log;
  /** See `AccountOptions`. */
  readonly rejoinMs?: number;
}

/** How much of a conversation is kept at hand, in tokens; as much as any account wants to send. */
const KEEP_TOKENS = 64_000;
/** How long answers under way may take when the bot is asked to stop. */
const GRACE_MS = 10_000;

/** An account that runs, with what it was made of. */
interface Running {
  readonly revision: string;
  readonly account: Account;
}

/** What all accounts stand on, as long as the bot runs. */
type Ground = Omit<AccountOptions, 'config' | 'modelOf' | 'providers' | 'skillPaths'>;

export class Bot {
  readonly #ground: Ground;
  readonly #unlock: () => Promise<void>;
  readonly #running = new Map<string, Running>();
  #settings: BotSettings;
  /** The one change of settings at a time. Never rejects. */
  #reloading: Promise<void> = Promise.resolve();
  #isReloading = false;
  #stopping = false;
  #ended: () => void = () => undefined;

  private constructor(settings: BotSettings, ground: Ground, unlock: () => Promise<void>) {
    this.#settings = settings;
    this.#ground = ground;
    this.#unlock = unlock;
  }

  /**
   * Opens what is kept on disk; nothing is connected yet.
   * @throws DataLockError, HistoryError, StorageError
   */
  static async open({ config, modelOf, dataDirectory, log, ...rest }: BotOptions): Promise<Bot> {
    const unlock = await lockDataDirectory(dataDirectory);
    const store = await ConversationStore.open(join(dataDirectory, 'history'), {
      keepTokens: Math.max(KEEP_TOKENS, ...config.accounts.map((account) => account.limits.historyTokens)),
      report: ({ problem: what, file, line }) => log('warn', 'history', { file, line, message: what }),
    });
    const storage = await openFileStorage(join(dataDirectory, 'state.json'));
    const media = await MediaStore.open(join(dataDirectory, 'media'));
    return new Bot({ config, modelOf }, { log, store, storage, media, ...rest }, unlock);
  }

  /**
   * Answers on all accounts until `stop()`, or until none is left that can go on.
   * @returns whether it was stopped; false when every account gave up
   */
  async run(): Promise<boolean> {
    const ended = new Promise<void>((resolve) => {
      this.#ended = resolve;
    });
    for (const account of this.#enabled()) this.#begin(account);
    this.#endWhenEmpty();
    await ended;
    await this.#ground.store.close();
    await this.#unlock();
    return this.#stopping;
  }

  /**
   * Goes on with other settings. Accounts that are the same stay as they are; the others are stopped in order, and begun anew
   * where there still is such an account. One that had given up is tried again.
   */
  reload(settings: BotSettings): Promise<void> {
    const reloaded = this.#reloading.then(() => this.#reload(settings));
    // Whoever asked is told what went wrong; what comes after it is none the worse.
    this.#reloading = reloaded.catch(() => undefined);
    return reloaded;
  }

  /** Ends in order: running answers get a grace period, are then stored as owed, and everybody is told good-bye. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#reloading;
    await Promise.all([...this.#running.values()].map(({ account }) => account.stop(GRACE_MS)));
    this.#endWhenEmpty();
  }

  #enabled(): readonly AccountConfig[] {
    return this.#settings.config.accounts.filter((account) => account.enabled);
  }

  #begin(config: AccountConfig): void {
    const { modelOf, config: whole } = this.#settings;
    const { providers, skillPaths } = whole;
    const account = new Account({ config, modelOf, providers, skillPaths, ...this.#ground });
    this.#running.set(config.name, { revision: config.revision, account });
    const over = (): void => {
      if (this.#running.get(config.name)?.account === account) this.#running.delete(config.name);
      this.#endWhenEmpty();
    };
    account.run().then(over, over);
  }

  async #reload(settings: BotSettings): Promise<void> {
    if (this.#stopping) return;
    this.#isReloading = true;
    try {
      this.#settings = settings;
      const wanted = new Map(this.#enabled().map((account) => [account.name, account.revision]));
      const obsolete = [...this.#running].filter(([name, { revision }]) => wanted.get(name) !== revision);
      await Promise.all(obsolete.map(([, { account }]) => account.stop(GRACE_MS)));
      for (const [name] of obsolete) this.#running.delete(name);
      if (this.#stopping) return;
      for (const account of this.#enabled()) if (!this.#running.has(account.name)) this.#begin(account);
    } finally {
      this.#isReloading = false;
      this.#endWhenEmpty();
    }
  }

  #endWhenEmpty(): void {
    if (this.#running.size === 0 && !this.#isReloading) this.#ended();
  }
}
