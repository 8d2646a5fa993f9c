/** The tokens used today, by payer. They survive a restart, so that crashing the bot does not reset anybody's limit. */
import { BoundedMap } from '../../../xmpp-core/bounded-map.js';
import { z } from 'zod';
import type { Storage } from '../../../xmpp-core/storage.js';
import type { Background } from '../../background.js';
import { readStoredJson } from '../../stored-json.js';

/** Parts of the token ledger. */
export interface TokenLedgerOptions {
  readonly storage: Storage;
  /** The bare JID of the account. */
  readonly account: string;
  readonly background: Background;
  /** The clock; the system's unless given. */
  readonly now?: () => Date;
}

/** What one payer has used today. */
export interface Spending {
  readonly payer: string;
  readonly tokens: number;
}

/** How long after a change the sums are written, together, in milliseconds: a crash loses no more than that. */
const WRITE_AFTER_MS = 3_000;
/** Strangers decide how many payers there are. The one whose last use is the oldest is forgotten first. */
const MAX_PAYERS = 10_000;
/** The most sums that are stored: the largest ones. */
const MAX_WRITTEN = 1_000;

const schema = z.object({ day: z.string(), tokens: z.array(z.tuple([z.string(), z.number().nonnegative()])) });

/** The sums of one account. A day begins at midnight where the bot runs. */
export class TokenLedger {
  readonly #storage: Storage;
  readonly #key: string;
  readonly #background: Background;
  readonly #now: () => Date;
  #day: string;
  #tokens = new BoundedMap<string, number>(MAX_PAYERS);
  #timer: NodeJS.Timeout | undefined;

  constructor({ storage, account, background, now = () => new Date() }: TokenLedgerOptions) {
    this.#storage = storage;
    this.#key = `tokens ${account}`;
    this.#background = background;
    this.#now = now;
    this.#day = dayOf(now());
  }

  /** Reads the stored sums, if they are of today. Rejects when the storage does. */
  async load(): Promise<void> {
    const stored = await readStoredJson(this.#storage, this.#key, schema);
    if (stored?.day === this.#today()) this.#tokens = new BoundedMap(MAX_PAYERS, stored.tokens);
  }

  /** Adds tokens to a payer's sum of today. */
  add(payer: string, tokens: number): void {
    const sum = this.of(payer) + tokens;
    this.#tokens.set(payer, sum);
    this.#timer ??= setTimeout(() => this.#background.run('token ledger', () => this.flush()), WRITE_AFTER_MS).unref();
  }

  /** The tokens that a payer has used today. */
  of(payer: string): number {
    this.#today();
    return this.#tokens.get(payer) ?? 0;
  }

  /** The sums of today, the largest first. */
  list(): readonly Spending[] {
    this.#today();
    return [...this.#tokens]
      .map(([payer, tokens]) => ({ payer, tokens }))
      .sort((one, other) => other.tokens - one.tokens);
  }

  /** Writes pending sums now. Rejects when the storage does; the next write then has them. */
  async flush(): Promise<void> {
    if (this.#timer === undefined) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const tokens = this.list()
      .slice(0, MAX_WRITTEN)
      .map((spending) => [spending.payer, spending.tokens]);
    await this.#storage.set(this.#key, JSON.stringify({ day: this.#day, tokens }));
  }

  /** Drops the sums of an earlier day. @returns today */
  #today(): string {
    const day = dayOf(this.#now());
    if (day !== this.#day) this.#tokens.clear();
    this.#day = day;
    return day;
  }
}

function dayOf(date: Date): string {
  return [date.getFullYear(), date.getMonth() + 1, date.getDate()].join('-');
}
