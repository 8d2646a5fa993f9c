/** What one sender, one conversation and one day may cost. Strangers cost money, and two bots could talk for ever. */
import type { LimitsConfig } from '../config/config.js';

/** Why a question is not taken. `tell` is for the sender, once; `why` is for the log. */
export interface Excess {
  readonly why: string;
  readonly tell: string | undefined;
}

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
/** Strangers decide how many counters there are. */
const MAX_COUNTERS = 10_000;

export class Limits {
  readonly #limits: LimitsConfig;
  readonly #messages: SlidingWindow;
  readonly #turns: SlidingWindow;
  readonly #tokens: SlidingWindow;
  /** Who was told, and which limit; so that an answer to a flood is not a flood itself. */
  readonly #told = new Map<string, number>();
  readonly #now: () => number;

  constructor(limits: LimitsConfig, now: () => number = Date.now) {
    this.#limits = limits;
    this.#now = now;
    this.#messages = new SlidingWindow(MINUTE_MS, now);
    this.#turns = new SlidingWindow(MINUTE_MS, now);
    this.#tokens = new SlidingWindow(DAY_MS, now);
  }

  /**
   * Counts a question.
   * @param sender who asks: a prepared bare JID, or what stands for it in a room
   * @param payer whom tokens are counted for: the sender of a direct message, or the room
   * @returns why it is not to be answered, or `undefined` when all is well
   */
  excess(sender: string, payer: string, conversation: string): Excess | undefined {
    const { messagesPerMinute, turnsPerMinute, tokensPerDay } = this.#limits;
    this.#messages.add(sender, 1);
    if (this.#messages.sum(sender) > messagesPerMinute) {
      return this.#exceeded(sender, 'messages_per_minute', 'That was too much at once; please wait a minute.');
    }
    if (this.#tokens.sum(payer) >= tokensPerDay) {
      return this.#exceeded(
        payer,
        'tokens_per_day',
        'That is all I may answer here for today; please come back tomorrow.',
      );
    }
    if (this.#turns.sum(conversation) >= turnsPerMinute)
      return this.#exceeded(conversation, 'turns_per_minute', undefined);
    this.#turns.add(conversation, 1);
    return undefined;
  }

  /** Counts what an answer cost. */
  spent(payer: string, tokens: number): void {
    this.#tokens.add(payer, tokens);
  }

  #exceeded(who: string, limit: string, sentence: string | undefined): Excess {
    const key = `${limit} ${who}`;
    const toldAt = this.#told.get(key) ?? -Infinity;
    const isNew = this.#now() - toldAt >= MINUTE_MS;
    if (isNew) remember(this.#told, key, this.#now());
    return { why: `over limits.${limit}`, tell: isNew ? sentence : undefined };
  }
}

/** Sums of what happened lately, by key, in a bounded number of buckets a key. */
class SlidingWindow {
  readonly #ms: number;
  readonly #now: () => number;
  readonly #buckets = new Map<string, { at: number; amount: number }[]>();

  constructor(ms: number, now: () => number) {
    this.#ms = ms;
    this.#now = now;
  }

  add(key: string, amount: number): void {
    const recent = this.#recent(key);
    const width = this.#ms / BUCKETS;
    const last = recent.at(-1);
    if (last !== undefined && this.#now() - last.at < width) last.amount += amount;
    else recent.push({ at: this.#now(), amount });
    remember(this.#buckets, key, recent);
  }

  sum(key: string): number {
    return this.#recent(key).reduce((sum, { amount }) => sum + amount, 0);
  }

  #recent(key: string): { at: number; amount: number }[] {
    const since = this.#now() - this.#ms;
    return (this.#buckets.get(key) ?? []).filter(({ at }) => at > since);
  }
}

/** A window is remembered in so many parts. */
const BUCKETS = 60;

/** Sets a value and moves it to the end; the oldest goes when there are too many. */
function remember<Value>(map: Map<string, Value>, key: string, value: Value): void {
  map.delete(key);
  map.set(key, value);
  if (map.size <= MAX_COUNTERS) return;
  const [oldest] = map.keys();
  if (oldest !== undefined) map.delete(oldest);
}
