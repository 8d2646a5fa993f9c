/**
 * The queue of turns: one turn at a time in each conversation, in order of arrival; several conversations concurrently, up
 * to a limit, in round-robin order.
 *
 * Nothing is dropped silently: `add` reports what it does not accept, removed items are returned, and the error of a turn
 * goes to `onError`.
 */
import { setTimeout } from 'node:timers/promises';

/** One turn: items that are answered together. */
export interface Turn<Item> {
  readonly conversation: string;
  /** At least one, in order of arrival. */
  readonly items: readonly Item[];
  /** Aborted with a `TurnAborted` as its reason when the turn must end early. */
  readonly signal: AbortSignal;
  /** `run` calls this when the answer starts to appear: from then on, its items no longer change (see `restart`, `withdraw`). */
  readonly answerStarted: () => void;
}

/** Why a turn ended early: it was stopped, its items have changed, or the bot is stopping. */
export class TurnAborted extends Error {
  override readonly name = 'TurnAborted';
  readonly reason: 'stop' | 'changed' | 'shutdown';

  constructor(reason: 'stop' | 'changed' | 'shutdown') {
    super(ABORTED[reason]);
    this.reason = reason;
  }
}

const ABORTED = {
  stop: 'the turn was stopped',
  changed: 'the turn was cancelled because its question changed',
  shutdown: 'the turn was cut short because the bot is stopping',
};

/** Options of a `TurnQueue`. */
export interface TurnQueueOptions<Item> {
  /** Answers one turn. Should settle soon after the signal is aborted. */
  readonly run: (turn: Turn<Item>) => Promise<void>;
  /** Called when `run` rejects, for aborted turns too. Must not throw. */
  readonly onError: (error: unknown, turn: Turn<Item>) => void;
  /** How many turns may run at once, over all conversations. Default: 8. */
  readonly concurrency?: number;
  /** How many items may wait in one conversation. Default: 20. */
  readonly capacity?: number;
  /** How many items may wait in all conversations together. Default: 1000. */
  readonly totalCapacity?: number;
  /** The timer of `close`; for tests. */
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<unknown>;
}

/** The result of `add`: the item's turn has started, it waits, or it was not accepted. */
export type AddResult = 'running' | 'waiting' | 'full' | 'closed';

/** The unfinished work of a closed queue. */
export interface Leftovers<Item> {
  /** Items whose turn never started. */
  readonly waiting: readonly Item[];
  /** Turns that did not end after they were aborted. */
  readonly abandoned: readonly Turn<Item>[];
}

interface Waiting<Item> {
  readonly item: Item;
  readonly collect: boolean;
}

interface Running<Item> {
  readonly turn: Turn<Item>;
  readonly controller: AbortController;
  readonly done: Promise<void>;
  /** Whether the answer has started to appear. */
  isAnswering: boolean;
}

/** The turns of all conversations. */
export class TurnQueue<Item> {
  readonly #options: Required<TurnQueueOptions<Item>>;
  /** By conversation; no list is empty. Conversations are served in the map's order. */
  readonly #waiting = new Map<string, Waiting<Item>[]>();
  readonly #running = new Map<string, Running<Item>>();
  #waitingCount = 0;
  #closed = false;

  constructor(options: TurnQueueOptions<Item>) {
    this.#options = {
      concurrency: 8,
      capacity: 20,
      totalCapacity: 1000,
      sleep: (ms, signal) => setTimeout(ms, undefined, { signal }),
      ...options,
    };
  }

  /**
   * Appends an item to its conversation's queue.
   *
   * @param collect whether it may share a turn with neighbouring items that also have `collect`: for rooms
   */
  add(conversation: string, item: Item, { collect = false }: { readonly collect?: boolean } = {}): AddResult {
    if (this.#closed) return 'closed';
    const waiting = this.#waiting.get(conversation) ?? [];
    const full = waiting.length >= this.#options.capacity || this.#waitingCount >= this.#options.totalCapacity;
    if (full) return 'full';
    waiting.push({ item, collect });
    this.#waiting.set(conversation, waiting);
    this.#waitingCount += 1;
    this.#fill();
    return this.#waiting.has(conversation) ? 'waiting' : 'running';
  }

  /** Whether a turn runs or an item waits in a conversation. */
  isBusy(conversation: string): boolean {
    return this.#running.has(conversation) || this.#waiting.has(conversation);
  }

  /** Whether a turn runs in a conversation, and how many items wait. */
  status(conversation: string): { readonly running: boolean; readonly waiting: number } {
    return { running: this.#running.has(conversation), waiting: this.#waiting.get(conversation)?.length ?? 0 };
  }

  /**
   * Restarts the running turn because one of its items has changed. Does nothing when no such turn runs, or its answer has started.
   * @returns whether the turn restarts
   */
  restart(conversation: string, changed: (item: Item) => boolean): boolean {
    const running = this.#running.get(conversation);
    if (running?.isAnswering !== false || !running.turn.items.some(changed)) return false;
    return this.#abortAndRequeue(conversation, running, running.turn.items);
  }

  /**
   * Removes items: those that wait, and those of the running turn, which is aborted; its other items go to the next turn.
   * @param evenAnswering also abort a turn whose answer has started
   * @returns the removed items
   */
  withdraw(
    conversation: string,
    matches: (item: Item) => boolean,
    { evenAnswering = false }: { readonly evenAnswering?: boolean } = {},
  ): readonly Item[] {
    const waiting = this.#waiting.get(conversation) ?? [];
    const kept = waiting.filter(({ item }) => !matches(item));
    const taken = waiting.flatMap(({ item }) => (matches(item) ? item : []));
    this.#setWaiting(conversation, kept);
    const running = this.#running.get(conversation);
    const inTurn = running?.turn.items.filter(matches) ?? [];
    if (running === undefined || inTurn.length === 0 || (running.isAnswering && !evenAnswering)) return taken;
    const others = running.turn.items.filter((item) => !matches(item));
    return this.#abortAndRequeue(conversation, running, others) ? [...inTurn, ...taken] : taken;
  }

  /** Aborts the running turn of a conversation and removes its waiting items; returns both. */
  stop(conversation: string): { readonly aborted: Turn<Item> | undefined; readonly dropped: readonly Item[] } {
    const dropped = this.#take(conversation, () => true);
    const running = this.#running.get(conversation);
    running?.controller.abort(new TurnAborted('stop'));
    return { aborted: running?.turn, dropped };
  }

  /**
   * Starts no new turns, gives the running ones `graceMs` to end, then aborts them and waits `settleMs` more for them to
   * record their state. A second call with less grace aborts sooner.
   */
  async close({
    graceMs,
    settleMs = 1000,
  }: {
    readonly graceMs: number;
    readonly settleMs?: number;
  }): Promise<Leftovers<Item>> {
    this.#closed = true;
    const waiting = [...this.#waiting.keys()].flatMap((conversation) => this.#take(conversation, () => true));
    if (!(await this.#idleWithin(graceMs))) {
      for (const { controller } of this.#running.values()) controller.abort(new TurnAborted('shutdown'));
      await this.#idleWithin(settleMs);
    }
    return { waiting, abandoned: [...this.#running.values()].map(({ turn }) => turn) };
  }

  /** Starts turns up to the concurrency limit. */
  #fill(): void {
    for (const conversation of this.#waiting.keys()) {
      if (this.#running.size >= this.#options.concurrency) return;
      if (!this.#running.has(conversation)) this.#start(conversation);
    }
  }

  #start(conversation: string): void {
    // An item without `collect` has a turn of its own, so that a restarted turn repeats no other item.
    const together = this.#waiting.get(conversation)?.[0]?.collect === true;
    const items = this.#take(conversation, ({ collect }, index) => index === 0 || (collect && together));
    const controller = new AbortController();
    const answerStarted = (): void => {
      running.isAnswering = true;
    };
    const turn = { conversation, items, signal: controller.signal, answerStarted };
    const done = this.#run(turn);
    const running = { turn, controller, done, isAnswering: false };
    this.#running.set(conversation, running);
  }

  /** Aborts a turn and puts `next` at the front of the queue. @returns false when the turn is already ending */
  #abortAndRequeue(conversation: string, { controller }: Running<Item>, next: readonly Item[]): boolean {
    if (this.#closed || controller.signal.aborted) return false;
    const first = next.map((item) => ({ item, collect: true }));
    this.#setWaiting(conversation, [...first, ...(this.#waiting.get(conversation) ?? [])]);
    controller.abort(new TurnAborted('changed'));
    return true;
  }

  #setWaiting(conversation: string, waiting: Waiting<Item>[]): void {
    this.#waitingCount += waiting.length - (this.#waiting.get(conversation)?.length ?? 0);
    if (waiting.length === 0) this.#waiting.delete(conversation);
    else this.#waiting.set(conversation, waiting);
  }

  async #run(turn: Turn<Item>): Promise<void> {
    // The caller of `add` learns what became of its item before the turn does anything.
    await Promise.resolve();
    try {
      turn.signal.throwIfAborted();
      await this.#options.run(turn);
    } catch (error) {
      this.#options.onError(error, turn);
    } finally {
      this.#running.delete(turn.conversation);
      this.#fill();
    }
  }

  /** Removes items from the front of a conversation's queue while they match; with a rest, the conversation moves to the end of the map. */
  #take(conversation: string, matches: (waiting: Waiting<Item>, index: number) => boolean): readonly Item[] {
    const waiting = this.#waiting.get(conversation) ?? [];
    const end = waiting.findIndex((one, index) => !matches(one, index));
    const taken = end === -1 ? waiting : waiting.slice(0, end);
    this.#waiting.delete(conversation);
    if (end !== -1) this.#waiting.set(conversation, waiting.slice(end));
    this.#waitingCount -= taken.length;
    return taken.map(({ item }) => item);
  }

  async #idleWithin(ms: number): Promise<boolean> {
    if (this.#running.size === 0) return true;
    const clock = new AbortController();
    const turns = [...this.#running.values()].map(({ done }) => done);
    // The clock is stopped by its signal when the turns end first.
    const late = Promise.allSettled([this.#options.sleep(ms, clock.signal)]);
    await Promise.race([Promise.allSettled(turns), late]);
    clock.abort();
    return this.#running.size === 0;
  }
}
