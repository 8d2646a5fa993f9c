/**
 * One session in memory: what a run of history records means. The same `apply` reads the file at start and follows the
 * conversation while it lives, so that both always agree.
 */
import { estimateTokens } from '../model/tokens.js';
import { noteOf } from './notes.js';
import type {
  Answer,
  ReceivedCommand,
  ReceivedMessage,
  HistoryRecord,
  ModelChoice,
  Step,
  NewRecord,
} from './records.js';

/** A closed turn: the messages that led to an answer (context and questions, in order), and what was said. */
export interface Turn {
  /** At least one, unless all were taken back. */
  readonly messages: readonly ReceivedMessage[];
  /** The tools that were used before it was said. */
  readonly steps: readonly Step[];
  /** The model's answer, or the sentence people got instead of one. */
  readonly answer: string;
}

/** An answer that was not seen to be delivered. */
export interface UndeliveredAnswer extends Answer {
  /** Whether it was about to be sent when it was heard of last: then people may have it. */
  readonly begun: boolean;
}

/** Something that was said; by the bot where no speaker stands. */
export interface RecentMessage {
  readonly speaker?: string;
  readonly text: string;
  readonly at?: Date;
  /** What it replies or reacts to, in words. */
  readonly note?: string;
}

/** The part of a session that is kept in memory: closed turns, and what was heard since. */
export class Transcript {
  #turns: Turn[] = [];
  /** Heard and not part of a closed turn: context, and questions not yet answered. */
  #open: ReceivedMessage[] = [];
  /** Questions to be answered and commands to be carried out, by their keys, in order. */
  readonly #waiting = new Map<string, ReceivedMessage | ReceivedCommand>();
  readonly #undelivered = new Map<string, UndeliveredAnswer>();
  #summary: string | undefined;
  #model: ModelChoice | undefined;
  readonly #keepTokens: number;
  #tokens = 0;

  /** @param keepTokens how much of the past is kept in memory, at least; at most it is about twice that */
  constructor(keepTokens: number) {
    this.#keepTokens = keepTokens;
  }

  get turns(): readonly Turn[] {
    return this.#turns;
  }

  get open(): readonly ReceivedMessage[] {
    return this.#open;
  }

  /** The questions that are owed an answer and the commands that are owed their turn, in order. */
  get waiting(): readonly (ReceivedMessage | ReceivedCommand)[] {
    return [...this.#waiting.values()];
  }

  /** What stands for everything before the turns that are left. */
  get summary(): string | undefined {
    return this.#summary;
  }

  /** The model that was chosen for this session, if one was. */
  get model(): ModelChoice | undefined {
    return this.#model;
  }

  /** The answers that were not seen to be delivered, in order. */
  get undelivered(): readonly UndeliveredAnswer[] {
    return [...this.#undelivered.values()];
  }

  /** Whether people wait for something. */
  get hasPendingWork(): boolean {
    return this.#waiting.size > 0 || this.#undelivered.size > 0;
  }

  /** Whether the session has anything in it. */
  get empty(): boolean {
    return (
      this.#turns.length === 0 && this.#open.length === 0 && this.#model === undefined && this.#summary === undefined
    );
  }

  question(key: string): ReceivedMessage | undefined {
    const waiting = this.#waiting.get(key);
    return waiting?.kind === 'command' ? undefined : waiting;
  }

  /** Whether a command is owed its turn. */
  hasCommand(key: string): boolean {
    return this.#waiting.get(key)?.kind === 'command';
  }

  /** What was said last, at most so many messages, the oldest first. */
  recent(limit: number): readonly RecentMessage[] {
    const latest: (Pick<ReceivedMessage, 'text'> & Partial<ReceivedMessage>)[] = this.#open.slice(-limit);
    for (const { messages: heard, answer: said } of this.#turns.toReversed()) {
      if (latest.length >= limit) break;
      latest.unshift(...heard, ...(said === '' ? [] : [{ text: said }]));
    }
    return latest.slice(-limit).map(({ speaker, text, at, about }) => ({
      text,
      ...(speaker !== undefined && { speaker }),
      ...(at !== undefined && { at }),
      ...(about !== undefined && { note: noteOf(about) }),
    }));
  }

  /** The newest message that passes, of those that are kept in memory. */
  find(passes: (heard: ReceivedMessage) => boolean): ReceivedMessage | undefined {
    const open = this.#open.findLast(passes);
    if (open !== undefined) return open;
    for (const { messages: heard } of this.#turns.toReversed()) {
      const found = heard.findLast(passes);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /**
   * What a new file must begin with, so that the older ones need not be read to know what is owed and which model is asked. Applying
   * it again changes nothing.
   */
  carriedOver(at: Date): NewRecord[] {
    return [
      ...(this.#model === undefined ? [] : [{ kind: 'model' as const, at, ...this.#model }]),
      ...this.waiting,
      ...this.undelivered.map((answer) => ({ kind: 'answer' as const, ...answer })),
    ];
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
      case 'command':
        this.#waiting.set(record.key, record);
        break;
      case 'done':
        this.#settle([record.key]);
        break;
      case 'answer':
        this.#answer(record);
        break;
      case 'sending':
        this.#beginSending(record.id);
        break;
      case 'delivered':
        this.#undelivered.delete(record.id);
        break;
      case 'failed':
        this.#fail(record.keys, record.reason);
        break;
      case 'corrected':
        this.#change(record.key, (heard) => ({ ...heard, text: record.text }));
        break;
      case 'attached':
        this.#change(record.key, (heard) => ({ ...heard, media: record.media }));
        break;
      case 'retracted':
        this.#change(record.key, () => undefined);
        break;
      case 'reopened':
        if (record.by !== undefined) this.#settle([record.by]);
        this.#reopen();
        break;
      case 'summary':
        if (record.by !== undefined) this.#settle([record.by]);
        this.#summarize(record.text);
        break;
      case 'model':
        this.#model = { provider: record.provider, model: record.model };
        break;
    }
    if (this.#tokens > 2 * this.#keepTokens) this.#forget();
  }

  /** A new session: the past is left behind, what is owed comes along. */
  #begin(): void {
    this.#turns = [];
    this.#summary = undefined;
    this.#model = undefined;
    this.#open = this.waiting.filter((one) => one.kind !== 'command');
    this.#tokens = costOf(this.#open);
  }

  #hear(heard: ReceivedMessage): void {
    if (this.#waiting.has(heard.key)) return;
    this.#open.push(heard);
    this.#tokens += messageTokens(heard);
    if (heard.kind === 'question') this.#waiting.set(heard.key, heard);
  }

  /** Commands had their effect, or will have none. */
  #settle(commands: readonly string[]): void {
    for (const key of commands) if (this.hasCommand(key)) this.#waiting.delete(key);
  }

  #answer(answer: Answer): void {
    this.#undelivered.set(answer.id, { ...answer, begun: answer.begun === true });
    this.#close(answer.keys, answer.text, answer.steps);
  }

  #beginSending(id: string): void {
    const answer = this.#undelivered.get(id);
    if (answer !== undefined) this.#undelivered.set(id, { ...answer, begun: true });
  }

  /** Puts what `change` makes of a message in its place, wherever it is; a message that it makes nothing of is gone. */
  #change(key: string, change: (heard: ReceivedMessage) => ReceivedMessage | undefined): void {
    const changed = (heard: readonly ReceivedMessage[]): ReceivedMessage[] =>
      heard.flatMap((one) => {
        if (one.key !== key) return one;
        const other = change(one);
        this.#tokens += (other === undefined ? 0 : messageTokens(other)) - messageTokens(one);
        return other ?? [];
      });
    this.#open = changed(this.#open);
    this.#turns = this.#turns.map((turn) =>
      turn.messages.some((one) => one.key === key) ? { ...turn, messages: changed(turn.messages) } : turn,
    );
    const question = this.question(key);
    const other = question === undefined ? undefined : change(question);
    if (other !== undefined) this.#waiting.set(key, other);
    else if (question !== undefined) this.#waiting.delete(key);
  }

  /** The last turn is open again, before whatever was heard since; if its answer waits to be delivered, it need not be any more. */
  #reopen(): void {
    const turn = this.#turns.pop();
    if (turn === undefined) return;
    this.#tokens -= answerTokens(turn);
    this.#open = [...turn.messages, ...this.#open];
    const later = [...this.#waiting];
    this.#waiting.clear();
    for (const heard of turn.messages) if (heard.kind === 'question') this.#waiting.set(heard.key, heard);
    for (const { id, keys } of this.undelivered)
      if (keys.some((key) => this.#waiting.has(key))) this.#undelivered.delete(id);
    for (const [key, one] of later) this.#waiting.set(key, one);
  }

  #summarize(text: string): void {
    this.#turns = [];
    this.#summary = text;
    this.#tokens = costOf(this.#open) + estimateTokens(text);
  }

  /** People who were told a sentence see it as the answer; a question given up in silence becomes context. */
  #fail(keys: readonly string[], reason: string | undefined): void {
    this.#settle(keys);
    if (reason !== undefined) {
      this.#close(keys, reason);
      return;
    }
    const given = new Set(keys);
    for (const key of keys) this.#waiting.delete(key);
    this.#open = this.#open.map((heard) => (given.has(heard.key) ? { ...heard, kind: 'context' } : heard));
  }

  /**
   * Makes a turn of these questions and the context before the last of them. What came later, while the model worked,
   * stays open, and so does a question that this turn was not about.
   */
  #close(keys: readonly string[], answer: string, steps: readonly Step[] = []): void {
    const answered = new Set(keys.filter((key) => this.question(key) !== undefined));
    for (const key of answered) this.#waiting.delete(key);
    if (answered.size === 0) return;
    const last = this.#open.findLastIndex((heard) => answered.has(heard.key));
    const belongs = (heard: ReceivedMessage, index: number): boolean =>
      index <= last && (heard.kind === 'context' || answered.has(heard.key));
    const turn = { messages: this.#open.filter(belongs), steps, answer };
    this.#turns.push(turn);
    this.#open = this.#open.filter((heard, index) => !belongs(heard, index));
    this.#tokens += answerTokens(turn);
  }

  /** Drops the summary, then the oldest turns, then the oldest context, until as much is left as is to be kept. Questions stay. */
  #forget(): void {
    this.#tokens -= estimateTokens(this.#summary ?? '');
    this.#summary = undefined;
    let turns = 0;
    for (const turn of this.#turns) {
      if (this.#tokens <= this.#keepTokens) break;
      this.#tokens -= costOf(turn.messages) + answerTokens(turn);
      turns += 1;
    }
    this.#turns.splice(0, turns);
    this.#open = this.#open.filter((heard) => {
      if (this.#tokens <= this.#keepTokens || heard.kind === 'question') return true;
      this.#tokens -= messageTokens(heard);
      return false;
    });
  }
}

/** What a picture costs in a request, about: providers count it by its size in pixels, which nobody has looked at here. */
const TOKENS_PER_PICTURE = 1000;

/** What a heard message costs in a request: its words, the speaker's mark, what is noted of it and its files, about. */
export function messageTokens({ text, speaker, about, media = [] }: ReceivedMessage): number {
  const files = media.map(
    (file) => estimateTokens(file.text ?? '') + (file.file === undefined ? 20 : TOKENS_PER_PICTURE),
  );
  const note = about === undefined ? 0 : estimateTokens(noteOf(about));
  return estimateTokens(text) + estimateTokens(speaker) + 2 + note + files.reduce((sum, one) => sum + one, 0);
}

/** What an answer costs in a later request: its words, and what was done on the way. */
export function answerTokens({ answer: said, steps }: Pick<Turn, 'answer' | 'steps'>): number {
  const calls = steps.flatMap((step) => step.calls.map((call) => estimateTokens(call.arguments + call.result) + 10));
  const words = steps.reduce((sum, step) => sum + estimateTokens(step.text), estimateTokens(said));
  return calls.reduce((sum, one) => sum + one, words);
}

function costOf(heard: readonly ReceivedMessage[]): number {
  return heard.reduce((sum, one) => sum + messageTokens(one), 0);
}
