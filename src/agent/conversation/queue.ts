/**
 * Who is answered when: one turn at a time in a conversation, in the order things came; different conversations at the
 * same time, but not too many at once, and each when its turn has come.
 *
 * Nothing is dropped silently: what is not taken is refused to the caller, what is taken back is handed out, and a turn's
 * error goes to `failed`.
 */
import { setTimeout } from 'node:timers/promises';

/** One turn: what is to be answered together. */
export interface Turn<Item> {
  readonly conversation: string;
  /** At least one, in the order they came. */
  readonly items: readonly Item[];
  /** Aborted, with a `TurnAborted` as its reason, when the turn is to end early. */
  readonly signal: AbortSignal;
  /** To be called when the answer begins to come: from then on what it answers does not change any more. */
  readonly begins: () => void;
}

/** Why a turn ended early: somebody stopped it, what it answers has changed, or the bot stops. */
export class TurnAborted extends Error {
  override readonly name = 'TurnAborted';
  readonly why: 'stop' | 'changed' | 'shutdown';

  constructor(why: 'stop' | 'changed' | 'shutdown') {
    super(ABORTED[why]);
    this.why = why;
  }
}

const ABORTED = {
  stop: 'the turn was stopped',
  changed: 'the turn was cancelled because its question changed',
  shutdown: 'the turn was cut short because the bot is stopping',
};

export interface TurnQueueOptions<Item> {
  /** Answers one turn. Should end soon once the signal is aborted. */
  readonly run: (turn: Turn<Item>) => Promise<void>;
  /** Told of every turn that rejects, aborted ones as well. Must not throw. */
  readonly failed: (error: unknown, turn: Turn<Item>) => void;
  /** Turns at the same time, over all conversations. */
  readonly concurrency?: number;
  /** Items that may wait in one conversation. */
  readonly capacity?: number;
  /** Items that may wait in all of them. */
  readonly totalCapacity?: number;
  /** The clock of `close`. */
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<unknown>;
}

/** What became of an item: its turn runs already, it waits, or it was not taken. */
export type Added = 'running' | 'waiting' | 'full' | 'closed';

/** What a queue that was closed leaves behind. */
export interface Leftovers<Item> {
  /** Items whose turn never began. */
  readonly waiting: readonly Item[];
  /** Turns that did not end although they were aborted. */
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
  /** Whether the answer has begun to come. */
  begun: boolean;
}

/** The turns of all conversations. */
export class TurnQueue<Item> {
  readonly #options: Required<TurnQueueOptions<Item>>;
  /** By conversation; never an empty list. Conversations are served in the order they stand here. */
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
   * Puts something to be answered at the end of its conversation's queue.
   *
   * @param collect whether it may be answered together with others of its kind that wait next to it, in one turn: for rooms
   */
  add(conversation: string, item: Item, { collect = false }: { readonly collect?: boolean } = {}): Added {
    if (this.#closed) return 'closed';
    const line = this.#waiting.get(conversation) ?? [];
    const full = line.length >= this.#options.capacity || this.#waitingCount >= this.#options.totalCapacity;
    if (full) return 'full';
    line.push({ item, collect });
    this.#waiting.set(conversation, line);
    this.#waitingCount += 1;
    this.#fill();
    return this.#waiting.has(conversation) ? 'waiting' : 'running';
  }

  /** Whether a turn runs in a conversation, or something waits there. */
  isBusy(conversation: string): boolean {
    return this.#running.has(conversation) || this.#waiting.has(conversation);
  }

  /** What goes on in a conversation: whether a turn runs, and how many items wait. */
  status(conversation: string): { readonly running: boolean; readonly waiting: number } {
    return { running: this.#running.has(conversation), waiting: this.#waiting.get(conversation)?.length ?? 0 };
  }

  /**
   * Has a turn begin anew, because one of its items has changed. Nothing happens when no such turn runs, or its answer has begun.
   * @returns whether it does
   */
  restart(conversation: string, changed: (item: Item) => boolean): boolean {
    const running = this.#running.get(conversation);
    if (running?.begun !== false || !running.turn.items.some(changed)) return false;
    return this.#breakOff(conversation, running, running.turn.items);
  }

  /**
   * Takes items back: out of the line, or out of the turn that runs, which ends early and leaves its other items to the next one.
   * @param evenBegun also when the answer has begun to come
   * @returns what was taken back
   */
  withdraw(
    conversation: string,
    unwanted: (item: Item) => boolean,
    { evenBegun = false }: { readonly evenBegun?: boolean } = {},
  ): readonly Item[] {
    const line = this.#waiting.get(conversation) ?? [];
    const kept = line.filter(({ item }) => !unwanted(item));
    const taken = line.flatMap(({ item }) => (unwanted(item) ? item : []));
    this.#setLine(conversation, kept);
    const running = this.#running.get(conversation);
    const inTurn = running?.turn.items.filter(unwanted) ?? [];
    if (running === undefined || inTurn.length === 0 || (running.begun && !evenBegun)) return taken;
    const others = running.turn.items.filter((item) => !unwanted(item));
    return this.#breakOff(conversation, running, others) ? [...inTurn, ...taken] : taken;
  }

  /** Aborts the turn that runs in a conversation, and takes back what waits there. Both are handed out. */
  stop(conversation: string): { readonly aborted: Turn<Item> | undefined; readonly dropped: readonly Item[] } {
    const dropped = this.#take(conversation, () => true);
    const running = this.#running.get(conversation);
    running?.controller.abort(new TurnAborted('stop'));
    return { aborted: running?.turn, dropped };
  }

  /**
   * Lets no new turn begin, gives the running ones `graceMs` to end, then aborts them and waits `settleMs` more, for them
   * to write down what they have. Called again, with less grace, it hurries.
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

  /** Begins turns while there is room for them. */
  #fill(): void {
    for (const conversation of this.#waiting.keys()) {
      if (this.#running.size >= this.#options.concurrency) return;
      if (!this.#running.has(conversation)) this.#begin(conversation);
    }
  }

  #begin(conversation: string): void {
    // What is not to be answered with others has its turn to itself: if the turn is to begin anew, nothing is done twice.
    const together = this.#waiting.get(conversation)?.[0]?.collect === true;
    const items = this.#take(conversation, ({ collect }, index) => index === 0 || (collect && together));
    const controller = new AbortController();
    const begins = (): void => {
      running.begun = true;
    };
    const turn = { conversation, items, signal: controller.signal, begins };
    // Not at once: the caller of add() learns what became of its item before the turn does anything.
    const done = Promise.resolve().then(() => this.#run(turn));
    const running = { turn, controller, done, begun: false };
    this.#running.set(conversation, running);
  }

  /** Aborts a turn; `next` are the first in line for the one after it. @returns false when it ends already */
  #breakOff(conversation: string, { controller }: Running<Item>, next: readonly Item[]): boolean {
    if (this.#closed || controller.signal.aborted) return false;
    const first = next.map((item) => ({ item, collect: true }));
    this.#setLine(conversation, [...first, ...(this.#waiting.get(conversation) ?? [])]);
    controller.abort(new TurnAborted('changed'));
    return true;
  }

  #setLine(conversation: string, line: Waiting<Item>[]): void {
    this.#waitingCount += line.length - (this.#waiting.get(conversation)?.length ?? 0);
    if (line.length === 0) this.#waiting.delete(conversation);
    else this.#waiting.set(conversation, line);
  }

  async #run(turn: Turn<Item>): Promise<void> {
    try {
      turn.signal.throwIfAborted();
      await this.#options.run(turn);
    } catch (error) {
      this.#options.failed(error, turn);
    } finally {
      this.#running.delete(turn.conversation);
      this.#fill();
    }
  }

  /** Takes items from the front of a conversation's line while they pass; the rest goes to the back of the conversations. */
  #take(conversation: string, passes: (waiting: Waiting<Item>, index: number) => boolean): readonly Item[] {
    const line = this.#waiting.get(conversation) ?? [];
    const end = line.findIndex((waiting, index) => !passes(waiting, index));
    const taken = end === -1 ? line : line.slice(0, end);
    this.#waiting.delete(conversation);
    if (end !== -1) this.#waiting.set(conversation, line.slice(end));
    this.#waitingCount -= taken.length;
    return taken.map(({ item }) => item);
  }

  async #idleWithin(ms: number): Promise<boolean> {
    if (this.#running.size === 0) return true;
    const clock = new AbortController();
    const idle = Promise.allSettled([...this.#running.values()].map(({ done }) => done)).then(() => true);
    const late = this.#options.sleep(ms, clock.signal).then(
      () => false,
      () => false,
    );
    const inTime = await Promise.race([idle, late]);
    clock.abort();
    return inTime;
  }
}
