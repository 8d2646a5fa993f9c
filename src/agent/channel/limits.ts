/** What one sender, one conversation and one day may cost. Strangers cost money, and two bots could talk for ever. */
import type { LimitsConfig } from '../config/config.js';
import type { Spending, TokenLedger } from './token-ledger.js';

/**
 * Why a question is not taken. `why` is for the log. `tell` is for the sender: there the first time only, until they are within the limit
 * again, so that the answer to a flood is no flood itself.
 */
export interface Excess {
  readonly why: string;
  readonly tell: string | undefined;
}

/** What people read when the day's tokens are used up. */
export const OVERSPENT = 'That is all I may answer here for today; please come back tomorrow.';

const MINUTE_MS = 60_000;
/** Strangers decide how many counters there are. */
const MAX_COUNTERS = 10_000;

export class Limits {
  readonly #limits: LimitsConfig;
  readonly #messages: SlidingWindow;
  readonly #turns: SlidingWindow;
  readonly #ledger: TokenLedger;
  /** Which limit somebody was told of, and when. */
  readonly #told = new Map<string, number>();
  readonly #now: () => number;

  constructor(limits: LimitsConfig, ledger: TokenLedger, now: () => number = Date.now) {
    this.#limits = limits;
    this.#ledger = ledger;
    this.#now = now;
    this.#messages = new SlidingWindow(MINUTE_MS, now);
    this.#turns = new SlidingWindow(MINUTE_MS, now);
  }

  /**
   * Counts a question or a command.
   * @param sender who asks: a prepared bare JID, or what stands for it in a room
   * @param payer whom tokens are counted for: the sender of a direct message, or the room; `undefined` for a command, which costs none:
   *   who has used up the day can still end it, and operators can still do their work
   * @returns why it is not to be answered, or `undefined` when all is well
   */
  excess(sender: string, payer: string | undefined, conversation: string): Excess | undefined {
    const { messagesPerMinute, turnsPerMinute } = this.#limits;
    this.#messages.add(sender, 1);
    const sent = this.#messages.sum(sender) > messagesPerMinute;
    const tooMuch = this.#judge(
      sent,
      sender,
      'messages_per_minute',
      'That was too much at once; please wait a minute.',
    );
    if (tooMuch !== undefined) return tooMuch;
    const tooDear = payer === undefined ? undefined : this.overspent(payer);
    if (tooDear !== undefined) return tooDear;
    const answered = this.#turns.sum(conversation) >= turnsPerMinute;
    const tooOften = this.#judge(answered, conversation, 'turns_per_minute', undefined);
    if (tooOften === undefined) this.#turns.add(conversation, 1);
    return tooOften;
  }

  /** Whether the payer has used up the day. A question that waited may find it so when its turn begins. */
  overspent(payer: string): Excess | undefined {
    const spent = this.#ledger.of(payer) >= this.#limits.tokensPerDay;
    return this.#judge(spent, payer, 'tokens_per_day', OVERSPENT);
  }

  /** Counts what an answer cost. */
  spent(payer: string, tokens: number): void {
    this.#ledger.add(payer, tokens);
  }

  /** What the day has cost so far, by payer (a bare JID, or a room's), the largest first. */
  usage(): readonly Spending[] {
    return this.#ledger.list();
  }

  #judge(isOver: boolean, who: string, limit: string, sentence: string | undefined): Excess | undefined {
    const key = `${limit} ${who}`;
    const toldAt = this.#told.get(key);
    if (isOver) {
      if (toldAt === undefined) remember(this.#told, key, this.#now());
      return { why: `over limits.${limit}`, tell: toldAt === undefined ? sentence : undefined };
    }
    // Who stays at the very edge is over it with every second message.
    if (toldAt !== undefined && this.#now() - toldAt >= MINUTE_MS) this.#told.delete(key);
    return undefined;
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
