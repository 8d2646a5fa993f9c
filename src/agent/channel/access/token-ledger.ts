/** What answers have cost today, by who pays for them. It outlives a restart: otherwise whoever makes the bot fall talks for nothing. */
import { BoundedMap } from '../../../xmpp-core/bounded-map.js';
import { z } from 'zod';
import type { Storage } from '../../../xmpp-core/storage.js';
import { readStored } from '../../stored-json.js';

export interface TokenLedgerOptions {
  readonly storage: Storage;
  /** The bare JID of the account whose ledger it is. */
  readonly account: string;
  /** Told when the sums could not be written; the next write brings them. */
  readonly failed: (error: unknown) => void;
  readonly now?: () => Date;
}

/** What one payer has used today. */
export interface Spending {
  readonly payer: string;
  readonly tokens: number;
}

/** Sums are written so long after they changed, together: a crash loses no more than that. */
const WRITE_AFTER_MS = 3_000;
/** Strangers decide how many payers there are. Who has not paid for longest is forgotten first. */
const MAX_PAYERS = 10_000;
/** So many, the largest, outlive a restart. */
const MAX_WRITTEN = 1_000;

const schema = z.object({ day: z.string(), tokens: z.array(z.tuple([z.string(), z.number().nonnegative()])) });

/** The sums of one account. A day begins at midnight where the bot runs. */
export class TokenLedger {
  readonly #storage: Storage;
  readonly #key: string;
  readonly #failed: (error: unknown) => void;
  readonly #now: () => Date;
  #day: string;
  #tokens = new BoundedMap<string, number>(MAX_PAYERS);
  #timer: NodeJS.Timeout | undefined;

  constructor({ storage, account, failed, now = () => new Date() }: TokenLedgerOptions) {
    this.#storage = storage;
    this.#key = `tokens ${account}`;
    this.#failed = failed;
    this.#now = now;
    this.#day = dayOf(now());
  }

  /** Reads what was used before the last stop, if that was today. Rejects when the storage does. */
  async load(): Promise<void> {
    const stored = await readStored(this.#storage, this.#key, schema);
    if (stored?.day === this.#today()) this.#tokens = new BoundedMap(MAX_PAYERS, stored.tokens);
  }

  add(payer: string, tokens: number): void {
    const sum = this.of(payer) + tokens;
    this.#tokens.set(payer, sum);
    this.#timer ??= setTimeout(() => void this.flush(), WRITE_AFTER_MS).unref();
  }

  of(payer: string): number {
    this.#today();
    return this.#tokens.get(payer) ?? 0;
  }

  /** Everybody who paid today, the largest sum first. */
  list(): readonly Spending[] {
    this.#today();
    return [...this.#tokens]
      .map(([payer, tokens]) => ({ payer, tokens }))
      .sort((one, other) => other.tokens - one.tokens);
  }

  /** Writes what is not written yet, without waiting any longer. */
  async flush(): Promise<void> {
    if (this.#timer === undefined) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const tokens = this.list()
      .slice(0, MAX_WRITTEN)
      .map((spending) => [spending.payer, spending.tokens]);
    try {
      await this.#storage.set(this.#key, JSON.stringify({ day: this.#day, tokens }));
    } catch (error) {
      this.#failed(error);
    }
  }

  /** With a new day all begin anew. */
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
