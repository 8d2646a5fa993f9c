/** The bot: every enabled account of a configuration, with one history. */
import { join } from 'node:path';
import { Background } from './background.js';
import { Account, type AccountOptions } from './channel/account.js';
import type { AccountConfig, Config } from './config/config.js';
import { lockDataDirectory } from './data-lock.js';
import { ConversationStore } from './conversation/history.js';
import { FileStorage } from './file-storage.js';
import type { Log } from './log.js';
import { MediaStore } from './media/store.js';
import type { Model } from './model/model.js';
import { Serial } from './serial.js';

/** The settings that `reload` can change while the bot runs. */
export interface BotSettings {
  readonly config: Pick<Config, 'accounts' | 'providers' | 'skillPaths'>;
  /** Looks up a model by the names of its provider and itself. */
  readonly modelOf: (provider: string, model: string) => Model;
}

/** Options of `Bot.open`. */
export interface BotOptions extends BotSettings {
  readonly dataDirectory: string;
  readonly log: Log;
  /** See `AccountOptions`. */
  readonly rejoinMs?: number;
}

/** How many tokens of a conversation stay in memory, at least; more when an account's `history_tokens` is larger. */
const KEEP_TOKENS = 64_000;
/** How long running turns may take when an account stops, in milliseconds. */
const GRACE_MS = 10_000;

/** How a bot ended: by `stop()`, or because no account is left that could go on, each for its configuration or not. */
export type BotOutcome = 'stopped' | 'misconfigured' | 'failed';

/** A running account and the revision of its configuration. */
interface Running {
  readonly revision: string;
  readonly account: Account;
}

/** The parts that all accounts share. */
type SharedParts = Omit<AccountOptions, 'config' | 'modelOf' | 'providers' | 'skillPaths'>;

/** Runs the accounts; `open`, `run`, and then `reload` and `stop` as needed. */
export class Bot {
  readonly #shared: SharedParts;
  readonly #close: () => Promise<void>;
  readonly #running = new Map<string, Running>();
  /** The accounts that crashed, by name. All others that ended by themselves cannot work as they are configured. */
  readonly #crashed = new Set<string>();
  #settings: BotSettings;
  readonly #background: Background;
  /** One change of settings at a time. */
  readonly #reloads = new Serial();
  #isReloading = false;
  #stopping = false;
  #ended: () => void = () => undefined;

  private constructor(settings: BotSettings, shared: SharedParts, close: () => Promise<void>) {
    this.#settings = settings;
    this.#shared = shared;
    this.#close = close;
    this.#background = new Background(shared.log);
  }

  /**
   * Locks the data directory and opens the files in it. Does not connect yet.
   * @throws DataLockError, HistoryError, StorageError
   */
  static async open({ config, modelOf, dataDirectory, log, ...rest }: BotOptions): Promise<Bot> {
    const unlock = await lockDataDirectory(dataDirectory);
    try {
      const store = await ConversationStore.open(join(dataDirectory, 'history'), {
        keepTokens: Math.max(KEEP_TOKENS, ...config.accounts.map((account) => account.limits.historyTokens)),
        report: ({ problem, file, line }) => log('warn', 'history', { file, line, message: problem }),
      });
      const storage = await FileStorage.open(join(dataDirectory, 'state.json'));
      const media = await MediaStore.open(join(dataDirectory, 'media'));
      const close = async (): Promise<void> => {
        await Promise.all([store.close(), storage.close(), media.close()]);
        // Last: from here on another process may write.
        await unlock();
      };
      return new Bot({ config, modelOf }, { log, store, storage, media, ...rest }, close);
    } catch (error) {
      await unlock();
      throw error;
    }
  }

  /**
   * Runs all accounts until `stop()`, or until every account has given up.
   * @returns why it ended; without an enabled account it is misconfigured
   */
  async run(): Promise<BotOutcome> {
    const ended = new Promise<void>((resolve) => {
      this.#ended = resolve;
    });
    for (const account of this.#enabled()) this.#start(account);
    this.#endWhenEmpty();
    await ended;
    await this.#close();
    if (this.#stopping) return 'stopped';
    return this.#crashed.size === 0 ? 'misconfigured' : 'failed';
  }

  /**
   * Applies new settings. Unchanged accounts go on; changed ones are stopped in order and started again, removed ones are stopped. An account
   * that had given up is started again.
   */
  reload(settings: BotSettings): Promise<void> {
    return this.#reloads.run(() => this.#reload(settings));
  }

  /**
   * Stops in order: running answers get a grace period, and are sent after the next start if that is too short; then all accounts log out.
   * @param graceMs ten seconds unless given
   */
  async stop({ graceMs = GRACE_MS }: { readonly graceMs?: number } = {}): Promise<void> {
    this.#stopping = true;
    await this.#reloads.settled();
    await Promise.all([...this.#running.values()].map(({ account }) => account.stop(graceMs)));
    this.#endWhenEmpty();
  }

  #enabled(): readonly AccountConfig[] {
    return this.#settings.config.accounts.filter((account) => account.enabled);
  }

  #start(config: AccountConfig): void {
    const { modelOf, config: whole } = this.#settings;
    const { providers, skillPaths } = whole;
    const account = new Account({ config, modelOf, providers, skillPaths, ...this.#shared });
    this.#running.set(config.name, { revision: config.revision, account });
    this.#crashed.delete(config.name);
    this.#background.run(`account ${config.name}`, async () => {
      try {
        await account.run();
      } catch (error) {
        this.#crashed.add(config.name);
        throw error;
      } finally {
        if (this.#running.get(config.name)?.account === account) this.#running.delete(config.name);
        this.#endWhenEmpty();
      }
    });
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
      for (const name of this.#crashed) if (!wanted.has(name)) this.#crashed.delete(name);
      if (this.#stopping) return;
      for (const account of this.#enabled()) if (!this.#running.has(account.name)) this.#start(account);
    } finally {
      this.#isReloading = false;
      this.#endWhenEmpty();
    }
  }

  #endWhenEmpty(): void {
    if (this.#running.size === 0 && !this.#isReloading) this.#ended();
  }
}
