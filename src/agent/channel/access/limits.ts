/** Rate limits by sender, conversation and day. Strangers cost money, and two bots could talk to each other for ever. */
import { BoundedMap } from '../../../xmpp-core/bounded-map.js';
import type { LimitsConfig } from '../../config/config.js';
import type { Spending, TokenLedger } from './token-ledger.js';

/**
 * Why a question is refused. `why` is for the log. `notice` is for the sender: it is set once, until they are within the limit again, so that
 * the bot does not answer a flood with a flood.
 */
export interface Excess {
  readonly why: string;
  readonly notice: string | undefined;
}

/** What people read when the day's tokens are used up. */
export const OVERSPENT = "Today's limit here is used up; please come back tomorrow.";

const MINUTE_MS = 60_000;
/** Anybody can add counters. The oldest are forgotten. */
const MAX_COUNTERS = 10_000;

/** The counters of one account. */
export class Limits {
  readonly #limits: LimitsConfig;
  readonly #messages: SlidingWindow;
  readonly #turns: SlidingWindow;
  readonly #ledger: TokenLedger;
  /** When a sender got the notice of a limit, by limit and sender. */
  readonly #noticeAt = new BoundedMap<string, number>(MAX_COUNTERS);
  readonly #now: () => number;

  constructor(limits: LimitsConfig, ledger: TokenLedger, now: () => number = Date.now) {
    this.#limits = limits;
    this.#ledger = ledger;
    this.#now = now;
    this.#messages = new SlidingWindow(MINUTE_MS, now);
    this.#turns = new SlidingWindow(MINUTE_MS, now);
  }

  /**
   * Counts a question.
   * @param sender a prepared bare JID, or an occupant of a room
   * @param payer the key that its tokens count for: the sender of a direct message, or the room; `undefined` for a question that costs none
   * @param at when it was sent: messages that waited on the server did not come all at once
   * @returns why it is refused; `undefined` when it is within the limits
   */
  excess(sender: string, payer: string | undefined, at?: Date): Excess | undefined {
    const tooMuch = this.#judge(
      this.isFlood(sender, at),
      sender,
      'messages_per_minute',
      'Too many messages at once; please wait a minute.',
    );
    return tooMuch ?? (payer === undefined ? undefined : this.overspent(payer));
  }

  /**
   * Counts a command, which costs no tokens: it still works when the tokens of the day are used up. `/stop` always works while a turn runs or waits;
   * otherwise it counts like any command, because it costs a write.
   * @param isBusy whether a turn runs or waits in the conversation
   */
  excessOfCommand(name: string, isBusy: boolean, sender: string, at?: Date): Excess | undefined {
    return name === 'stop' && isBusy ? undefined : this.excess(sender, undefined, at);
  }

  /** Counts a message. @returns whether its sender is over the limit of a minute */
  isFlood(sender: string, at?: Date): boolean {
    this.#messages.add(sender, at);
    return this.#messages.sum(sender, at) > this.#limits.messagesPerMinute;
  }

  /** Counts a turn that begins. @returns why it is refused: the conversation has had too many */
  excessOfTurns(conversation: string): Excess | undefined {
    const isOver = this.#turns.sum(conversation) >= this.#limits.turnsPerMinute;
    const tooOften = this.#judge(isOver, conversation, 'turns_per_minute', undefined);
    if (tooOften === undefined) this.#turns.add(conversation);
    return tooOften;
  }

  /** Whether the payer has used up the tokens of the day. @returns `undefined` if not */
  overspent(payer: string): Excess | undefined {
    const spent = this.#ledger.of(payer) >= this.#limits.tokensPerDay;
    return this.#judge(spent, payer, 'tokens_per_day', OVERSPENT);
  }

  /** Counts the tokens of an answer. */
  addUsage(payer: string, tokens: number): void {
    this.#ledger.add(payer, tokens);
  }

  /** The tokens of the day by payer (a bare JID, or a room's), the largest number first. */
  usage(): readonly Spending[] {
    return this.#ledger.list();
  }

  #judge(isOver: boolean, who: string, limit: string, sentence: string | undefined): Excess | undefined {
    const key = `${limit} ${who}`;
    const noticeAt = this.#noticeAt.get(key);
    if (isOver) {
      if (noticeAt === undefined) this.#noticeAt.set(key, this.#now());
      return { why: `over limits.${limit}`, notice: noticeAt === undefined ? sentence : undefined };
    }
    // A sender at the very edge is over the limit with every second message, and must not get a notice for each.
    if (noticeAt !== undefined && this.#now() - noticeAt >= MINUTE_MS) this.#noticeAt.delete(key);
    return undefined;
  }
}

/** Counts events around a moment, by key, in a bounded number of buckets for each key. */
class SlidingWindow {
  readonly #ms: number;
  readonly #now: () => number;
  readonly #buckets = new BoundedMap<string, { readonly at: number; amount: number }[]>(MAX_COUNTERS);

  constructor(ms: number, now: () => number) {
    this.#ms = ms;
    this.#now = now;
  }

  add(key: string, at?: Date): void {
    const oldest = this.#now() - OLDEST_MS - this.#ms;
    const kept = (this.#buckets.get(key) ?? []).filter((bucket) => bucket.at > oldest);
    const start = this.#bucket(at);
    const bucket = kept.find((known) => known.at === start);
    if (bucket === undefined) kept.push({ at: start, amount: 1 });
    else bucket.amount += 1;
    this.#buckets.set(key, kept);
  }

  sum(key: string, at?: Date): number {
    const start = this.#bucket(at);
    // In both directions: a sender can put any time into a message, in any order.
    const near = (this.#buckets.get(key) ?? []).filter((bucket) => Math.abs(bucket.at - start) < this.#ms);
    return near.reduce((sum, { amount }) => sum + amount, 0);
  }

  /** The start of a moment's bucket. Current messages are counted finely, older ones by the minute in which they were sent. */
  #bucket(at?: Date): number {
    const now = this.#now();
    const moment = Math.max(at?.getTime() ?? now, now - OLDEST_MS);
    const [when, width] = now - moment < this.#ms ? [now, this.#ms / BUCKETS] : [moment, this.#ms];
    return Math.floor(when / width) * width;
  }
}

/** The number of buckets in a window. */
const BUCKETS = 60;
/** Older events count as if they were this old. */
const OLDEST_MS = 60 * MINUTE_MS;
