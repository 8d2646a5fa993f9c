/**
 * One session in memory, as the result of its records. The same `apply` handles the records of the file at start and new ones
 * later, so that both always agree.
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

/** A closed turn: messages (context and questions, in order) and their answer. */
export interface Turn {
  /** At least one, unless all were retracted. */
  readonly messages: readonly ReceivedMessage[];
  /** The tool calls that led to the answer. */
  readonly steps: readonly Step[];
  /** The model's answer, or the sentence that was sent instead. */
  readonly answer: string;
}

/** An answer whose delivery is not recorded. */
export interface UndeliveredAnswer extends Answer {
  /** Whether sending had started: then it may have arrived. */
  readonly begun: boolean;
}

/** A message of the session, as tools and summaries see it. */
export interface RecentMessage {
  /** Absent for a message of the bot. */
  readonly speaker?: string;
  readonly text: string;
  readonly at?: Date;
  /** What it replies or reacts to: a line in brackets. */
  readonly note?: string;
}

/** The part of a session that is kept in memory: closed turns, and the messages since. */
export class Transcript {
  #turns: Turn[] = [];
  /** Messages outside closed turns: context and unanswered questions. */
  #open: ReceivedMessage[] = [];
  /** Unanswered questions and commands that have not run, by key, in order. */
  readonly #waiting = new Map<string, ReceivedMessage | ReceivedCommand>();
  readonly #undelivered = new Map<string, UndeliveredAnswer>();
  #summary: string | undefined;
  #model: ModelChoice | undefined;
  readonly #keepTokens: number;
  #tokens = 0;

  /** @param keepTokens how many tokens stay in memory at least; at most it is about twice as many */
  constructor(keepTokens: number) {
    this.#keepTokens = keepTokens;
  }

  /** The closed turns, oldest first. */
  get turns(): readonly Turn[] {
    return this.#turns;
  }

  /** The messages outside closed turns: context and unanswered questions, oldest first. */
  get open(): readonly ReceivedMessage[] {
    return this.#open;
  }

  /** Unanswered questions and commands that have not run, in order. */
  get waiting(): readonly (ReceivedMessage | ReceivedCommand)[] {
    return [...this.#waiting.values()];
  }

  /** The summary that replaces everything before the remaining turns. */
  get summary(): string | undefined {
    return this.#summary;
  }

  /** The model chosen for this session, if any. */
  get model(): ModelChoice | undefined {
    return this.#model;
  }

  /** The answers whose delivery is not recorded, in order. */
  get undelivered(): readonly UndeliveredAnswer[] {
    return [...this.#undelivered.values()];
  }

  /** Whether a question, command or answer is pending. */
  get hasPendingWork(): boolean {
    return this.#waiting.size > 0 || this.#undelivered.size > 0;
  }

  /** Whether the session has no content. */
  get empty(): boolean {
    return (
      this.#turns.length === 0 && this.#open.length === 0 && this.#model === undefined && this.#summary === undefined
    );
  }

  /** The unanswered question with this key, if any. */
  question(key: string): ReceivedMessage | undefined {
    const waiting = this.#waiting.get(key);
    return waiting?.kind === 'command' ? undefined : waiting;
  }

  /** Whether a command with this key has not run yet. */
  hasCommand(key: string): boolean {
    return this.#waiting.get(key)?.kind === 'command';
  }

  /** The last `limit` messages, oldest first. */
  recent(limit: number): readonly RecentMessage[] {
    const latest: (Pick<ReceivedMessage, 'text'> & Partial<ReceivedMessage>)[] = this.#open.slice(-limit);
    for (const { messages, answer } of this.#turns.toReversed()) {
      if (latest.length >= limit) break;
      latest.unshift(...messages, ...(answer === '' ? [] : [{ text: answer }]));
    }
    return latest.slice(-limit).map(({ speaker, text, at, about }) => ({
      text,
      ...(speaker !== undefined && { speaker }),
      ...(at !== undefined && { at }),
      ...(about !== undefined && { note: noteOf(about) }),
    }));
  }

  /** The newest message in memory that matches the predicate. */
  find(matches: (message: ReceivedMessage) => boolean): ReceivedMessage | undefined {
    const open = this.#open.findLast(matches);
    if (open !== undefined) return open;
    for (const { messages } of this.#turns.toReversed()) {
      const found = messages.findLast(matches);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /**
   * The records at the start of a new file, so that pending work and the chosen model are known without the older files. Applying
   * them again changes nothing.
   */
  carriedOver(at: Date): NewRecord[] {
    return [
      ...(this.#model === undefined ? [] : [{ kind: 'model' as const, at, ...this.#model }]),
      ...this.waiting,
      ...this.undelivered.map((answer) => ({ kind: 'answer' as const, ...answer })),
    ];
  }

  /** Updates the session with a record, and forgets the oldest part when there is too much. */
  apply(record: HistoryRecord): void {
    switch (record.kind) {
      case 'session':
        if (record.continues !== true) this.#startSession();
        break;
      case 'question':
      case 'context':
        this.#addMessage(record);
        break;
      case 'command':
        this.#waiting.set(record.key, record);
        break;
      case 'done':
        this.#settle([record.key]);
        break;
      case 'answer':
        this.#addAnswer(record);
        break;
      case 'sending':
        this.#markSending(record.id);
        break;
      case 'delivered':
        this.#undelivered.delete(record.id);
        break;
      case 'failed':
        this.#fail(record.keys, record.reason);
        break;
      case 'corrected':
        this.#replace(record.key, (message) => ({ ...message, text: record.text }));
        break;
      case 'attached':
        this.#replace(record.key, (message) => ({ ...message, media: record.media }));
        break;
      case 'retracted':
        this.#replace(record.key, () => undefined);
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

  /** A new session drops everything but pending work. */
  #startSession(): void {
    this.#turns = [];
    this.#summary = undefined;
    this.#model = undefined;
    this.#open = this.waiting.filter((one) => one.kind !== 'command');
    this.#tokens = totalTokens(this.#open);
  }

  #addMessage(message: ReceivedMessage): void {
    if (this.#waiting.has(message.key)) return;
    this.#open.push(message);
    this.#tokens += messageTokens(message);
    if (message.kind === 'question') this.#waiting.set(message.key, message);
  }

  /** Removes commands that ran or were dropped. */
  #settle(commands: readonly string[]): void {
    for (const key of commands) if (this.hasCommand(key)) this.#waiting.delete(key);
  }

  #addAnswer(answer: Answer): void {
    this.#undelivered.set(answer.id, { ...answer, begun: answer.begun === true });
    this.#close(answer.keys, answer.text, answer.steps);
  }

  #markSending(id: string): void {
    const answer = this.#undelivered.get(id);
    if (answer !== undefined) this.#undelivered.set(id, { ...answer, begun: true });
  }

  /** Replaces a message, wherever it is, with the result of `change`; `undefined` removes it. */
  #replace(key: string, change: (message: ReceivedMessage) => ReceivedMessage | undefined): void {
    const changed = (messages: readonly ReceivedMessage[]): ReceivedMessage[] =>
      messages.flatMap((one) => {
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

  /** Reopens the last turn, before all later messages; its answer need not be delivered any more. */
  #reopen(): void {
    const turn = this.#turns.pop();
    if (turn === undefined) return;
    this.#tokens -= answerTokens(turn);
    this.#open = [...turn.messages, ...this.#open];
    const later = [...this.#waiting];
    this.#waiting.clear();
    for (const message of turn.messages) if (message.kind === 'question') this.#waiting.set(message.key, message);
    for (const { id, keys } of this.undelivered)
      if (keys.some((key) => this.#waiting.has(key))) this.#undelivered.delete(id);
    for (const [key, one] of later) this.#waiting.set(key, one);
  }

  #summarize(text: string): void {
    this.#turns = [];
    this.#summary = text;
    this.#tokens = totalTokens(this.#open) + estimateTokens(text);
  }

  /** A sentence that was sent instead counts as the answer; without one, the questions become context. */
  #fail(keys: readonly string[], reason: string | undefined): void {
    this.#settle(keys);
    if (reason !== undefined) {
      this.#close(keys, reason);
      return;
    }
    const failed = new Set(keys);
    for (const key of keys) this.#waiting.delete(key);
    this.#open = this.#open.map((message) => (failed.has(message.key) ? { ...message, kind: 'context' } : message));
  }

  /**
   * Closes a turn with these questions and the context before the last of them. Messages that arrived later, while the model
   * worked, stay open, and so do questions that are not in `keys`.
   */
  #close(keys: readonly string[], answer: string, steps: readonly Step[] = []): void {
    const answered = new Set(keys.filter((key) => this.question(key) !== undefined));
    for (const key of answered) this.#waiting.delete(key);
    if (answered.size === 0) return;
    const last = this.#open.findLastIndex((message) => answered.has(message.key));
    const belongs = (message: ReceivedMessage, index: number): boolean =>
      index <= last && (message.kind === 'context' || answered.has(message.key));
    const turn = { messages: this.#open.filter(belongs), steps, answer };
    this.#turns.push(turn);
    this.#open = this.#open.filter((message, index) => !belongs(message, index));
    this.#tokens += answerTokens(turn);
  }

  /** Drops the summary, then the oldest turns, then the oldest context, down to `keepTokens`. Questions stay. */
  #forget(): void {
    this.#tokens -= estimateTokens(this.#summary ?? '');
    this.#summary = undefined;
    let turns = 0;
    for (const turn of this.#turns) {
      if (this.#tokens <= this.#keepTokens) break;
      this.#tokens -= totalTokens(turn.messages) + answerTokens(turn);
      turns += 1;
    }
    this.#turns.splice(0, turns);
    this.#open = this.#open.filter((message) => {
      if (this.#tokens <= this.#keepTokens || message.kind === 'question') return true;
      this.#tokens -= messageTokens(message);
      return false;
    });
  }
}

/** Roughly what a picture costs in a request. Providers count pixels, which are not known here. */
const TOKENS_PER_PICTURE = 1000;

/** Estimated tokens of a received message in a request: text, speaker, note and attachments. */
export function messageTokens({ text, speaker, about, media = [] }: ReceivedMessage): number {
  const files = media.map(
    (file) => estimateTokens(file.text ?? '') + (file.file === undefined ? 20 : TOKENS_PER_PICTURE),
  );
  const note = about === undefined ? 0 : estimateTokens(noteOf(about));
  return estimateTokens(text) + estimateTokens(speaker) + 2 + note + files.reduce((sum, one) => sum + one, 0);
}

/** Estimated tokens of an answer in a later request: its text and its tool calls. */
export function answerTokens({ answer, steps }: Pick<Turn, 'answer' | 'steps'>): number {
  const calls = steps.flatMap((step) => step.calls.map((call) => estimateTokens(call.arguments + call.result) + 10));
  const words = steps.reduce((sum, step) => sum + estimateTokens(step.text), estimateTokens(answer));
  return calls.reduce((sum, one) => sum + one, words);
}

function totalTokens(messages: readonly ReceivedMessage[]): number {
  return messages.reduce((sum, one) => sum + messageTokens(one), 0);
}
