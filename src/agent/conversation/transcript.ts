/**
 * One session in memory: what a run of history records means. The same `apply` reads the file at start and follows the
 * conversation while it lives, so that both always agree.
 */
import { estimateTokens } from '../model/tokens.js';
import type { Answer, Heard, HistoryRecord, Unwritten } from './records.js';

/** A closed turn: the messages that led to an answer (context and at least one question, in order), and what was said. */
export interface Turn {
  readonly heard: readonly Heard[];
  /** The model's answer, or the sentence people got instead of one. */
  readonly said: string;
}

/** The part of a session that is kept in memory: closed turns, and what was heard since. */
export class Transcript {
  #turns: Turn[] = [];
  /** Heard and not part of a closed turn: context, and questions not yet answered. */
  #open: Heard[] = [];
  readonly #questions = new Map<string, Heard>();
  readonly #undelivered = new Map<string, Answer>();
  readonly #keepTokens: number;
  #tokens = 0;

  /** @param keepTokens how much of the past is kept in memory, at least; at most it is about twice that */
  constructor(keepTokens: number) {
    this.#keepTokens = keepTokens;
  }

  get turns(): readonly Turn[] {
    return this.#turns;
  }

  get open(): readonly Heard[] {
    return this.#open;
  }

  /** The questions that are owed an answer, in order. */
  get questions(): readonly Heard[] {
    return [...this.#questions.values()];
  }

  /** The answers that were not seen to be delivered, in order. */
  get undelivered(): readonly Answer[] {
    return [...this.#undelivered.values()];
  }

  /** Whether people wait for something. */
  get owes(): boolean {
    return this.#questions.size > 0 || this.#undelivered.size > 0;
  }

  /** Whether the session has anything in it. */
  get empty(): boolean {
    return this.#turns.length === 0 && this.#open.length === 0;
  }

  question(key: string): Heard | undefined {
    return this.#questions.get(key);
  }

  /** What a new file must begin with, so that the older ones need not be read to know what is owed. Applying it again changes nothing. */
  owed(): Unwritten[] {
    return [...this.questions, ...this.undelivered.map((answer) => ({ kind: 'answer' as const, ...answer }))];
  }

  apply(record: HistoryRecord): void {
    switch (record.kind) {
      case 'session':
        if (record.continues !== true) this.#begin();
        break;
      case 'question':
      case 'context':
        this.#hear(record);
        break;
      case 'answer':
        this.#answer(record);
        break;
      case 'delivered':
        this.#undelivered.delete(record.id);
        break;
      case 'failed':
        this.#fail(record.keys, record.reason);
        break;
    }
    if (this.#tokens > 2 * this.#keepTokens) this.#forget();
  }

  /** A new session: the past is left behind, what is owed comes along. */
  #begin(): void {
    this.#turns = [];
    this.#open = this.questions.slice();
    this.#tokens = costOf(this.#open);
  }

  #hear(heard: Heard): void {
    if (this.#questions.has(heard.key)) return;
    this.#open.push(heard);
    this.#tokens += cost(heard);
    if (heard.kind === 'question') this.#questions.set(heard.key, heard);
  }

  #answer(answer: Answer): void {
    this.#undelivered.set(answer.id, answer);
    this.#close(answer.keys, answer.text);
  }

  /** People who were told a sentence see it as the answer; a question given up in silence becomes context. */
  #fail(keys: readonly string[], reason: string | undefined): void {
    if (reason !== undefined) {
      this.#close(keys, reason);
      return;
    }
    const given = new Set(keys);
    for (const key of keys) this.#questions.delete(key);
    this.#open = this.#open.map((heard) => (given.has(heard.key) ? { ...heard, kind: 'context' } : heard));
  }

  /**
   * Makes a turn of these questions and the context before the last of them. What came later, while the model worked,
   * stays open, and so does a question that this turn was not about.
   */
  #close(keys: readonly string[], said: string): void {
    const answered = new Set(keys.filter((key) => this.#questions.delete(key)));
    if (answered.size === 0) return;
    const last = this.#open.findLastIndex((heard) => answered.has(heard.key));
    const belongs = (heard: Heard, index: number): boolean =>
      index <= last && (heard.kind === 'context' || answered.has(heard.key));
    this.#turns.push({ heard: this.#open.filter(belongs), said });
    this.#open = this.#open.filter((heard, index) => !belongs(heard, index));
    this.#tokens += estimateTokens(said);
  }

  /** Drops the oldest turns, then the oldest context, until as much is left as is to be kept. Questions stay. */
  #forget(): void {
    let turns = 0;
    for (const turn of this.#turns) {
      if (this.#tokens <= this.#keepTokens) break;
      this.#tokens -= costOf(turn.heard) + estimateTokens(turn.said);
      turns += 1;
    }
    this.#turns.splice(0, turns);
    this.#open = this.#open.filter((heard) => {
      if (this.#tokens <= this.#keepTokens || heard.kind === 'question') return true;
      this.#tokens -= cost(heard);
      return false;
    });
  }
}

/** What a heard message costs in a request: its words and the speaker's mark, about. */
export function cost(heard: Heard): number {
  return estimateTokens(heard.text) + estimateTokens(heard.speaker) + 2;
}

function costOf(heard: readonly Heard[]): number {
  return heard.reduce((sum, one) => sum + cost(one), 0);
}
