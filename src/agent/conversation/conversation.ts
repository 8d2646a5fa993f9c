/** One conversation, with one person or in one room: its messages and answers, in memory and on disk. */
import { BoundedSet } from '../../xmpp-core/bounded-map.js';
import { createHash } from 'node:crypto';
import type { PromptMessage } from '../media/pictures.js';
import type { ModelUsage } from '../model/model.js';
import type { Journal } from './journal.js';
import {
  type ReceivedCommand,
  type ReceivedMessage,
  type Attachment,
  type HistoryRecord,
  type ModelChoice,
  type Step,
  type NewRecord,
  writeLine,
} from './records.js';
import type { Transcript, UndeliveredAnswer, RecentMessage } from './transcript.js';
import { promptOf, type PromptOptions } from './window.js';

/** An answer of the model, before it is recorded. */
export interface NewAnswer {
  /** Identifies the answer until it is delivered. */
  readonly id: string;
  readonly text: string;
  readonly model?: string;
  readonly usage?: ModelUsage;
  /** The tool calls that led to the answer. */
  readonly steps?: readonly Step[];
  /** JSON that the channel needs to send the answer after a restart. Default: the reference of the last question. */
  readonly reference?: unknown;
  /** Whether part of it has already been shown, by live corrections. */
  readonly begun?: boolean;
}

/** Work that is still to be done in a conversation. */
export interface PendingWork {
  /** Unanswered questions and commands that have not run, in order. */
  readonly waiting: readonly (ReceivedMessage | ReceivedCommand)[];
  /** Answers whose delivery is not recorded, in order. After a crash, those with `begun` may have been sent already. */
  readonly undelivered: readonly UndeliveredAnswer[];
}

/** The dependencies of a `Conversation`. */
export interface ConversationParts {
  readonly transcript: Transcript;
  readonly journal: Journal;
  readonly keys: RecentKeys;
  /** A new file starts when the newest has grown by this many bytes. */
  readonly fileBytes: number;
  readonly now: () => Date;
  /** Keeps the conversation in memory while it is being written. @returns ends that */
  readonly hold: (conversation: Conversation) => () => void;
}

/**
 * A conversation of the store. When the promise of a method resolves, its record is on disk and survives a crash. After a
 * rejection with HistoryError this object is unusable: get the conversation from the store again.
 */
export class Conversation {
  readonly id: string;
  readonly #parts: ConversationParts;

  constructor(id: string, parts: ConversationParts) {
    this.id = id;
    this.#parts = parts;
  }

  /** Whether the journal has failed or is closed, so that nothing more can be written. */
  get broken(): boolean {
    return this.#parts.journal.failure !== undefined;
  }

  /**
   * Records a message, before the model is asked. A message with a recently seen key is a duplicate and changes nothing.
   *
   * @throws HistoryError when it could not be written; TypeError or RangeError when it is not JSON
   */
  addMessage(message: ReceivedMessage): Promise<'new' | 'duplicate'> {
    return this.#add(message);
  }

  /** Records a command before it runs or is queued, like `addMessage`. It stays pending until `finishCommand`. */
  addCommand(command: ReceivedCommand): Promise<'new' | 'duplicate'> {
    return this.#add(command);
  }

  /** Records that a command ran or was dropped. Does nothing when a record of its effect has settled it already. */
  async finishCommand(key: string): Promise<void> {
    if (this.#parts.transcript.hasCommand(key)) await this.#write({ kind: 'done', at: this.#parts.now(), key });
  }

  /** Whether a message or command with this key or alias was received recently. */
  hasSeen(key: string): boolean {
    return this.#parts.keys.has(key);
  }

  /** Records the model's answer to these questions, before it is sent. It stays pending until `markDelivered`. */
  async addAnswer(keys: readonly string[], answer: NewAnswer): Promise<void> {
    const question = keys.map((key) => this.#parts.transcript.question(key)).findLast((found) => found !== undefined);
    const { id, text, model, usage, steps = [], reference = question?.reference, begun = false } = answer;
    await this.#write({
      kind: 'answer',
      at: this.#parts.now(),
      id,
      keys,
      ...(model === undefined ? {} : { model }),
      ...(usage === undefined ? {} : { usage }),
      ...(steps.length === 0 ? {} : { steps }),
      ...(reference === undefined ? {} : { reference }),
      ...(begun ? { begun } : {}),
      text,
    });
  }

  /** Records that an answer is about to be sent: after a crash it is unknown whether it arrived. */
  async markSending(answerId: string): Promise<void> {
    await this.#write({ kind: 'sending', at: this.#parts.now(), id: answerId });
  }

  /** Records that an answer was delivered. */
  async markDelivered(answerId: string): Promise<void> {
    await this.#write({ kind: 'delivered', at: this.#parts.now(), id: answerId });
  }

  /**
   * Records that these questions or commands get no answer, so that they are not retried after a restart.
   *
   * @param reason the sentence that was sent instead; the model sees it as the answer. Without one, the questions become context.
   */
  async fail(keys: readonly string[], reason?: string): Promise<void> {
    await this.#write({ kind: 'failed', at: this.#parts.now(), keys, ...(reason === undefined ? {} : { reason }) });
  }

  /** The last `limit` messages of this session, oldest first. The bot's own have no speaker. */
  recent(limit: number): readonly RecentMessage[] {
    return this.#parts.transcript.recent(limit);
  }

  /** The newest message in memory that matches the predicate. */
  find(matches: (message: ReceivedMessage) => boolean): ReceivedMessage | undefined {
    return this.#parts.transcript.find(matches);
  }

  /** Whether the message with this key is a question without an answer. */
  isUnanswered(key: string): boolean {
    return this.#parts.transcript.question(key) !== undefined;
  }

  /** Records a correction of a message's text. The original stays in the file. */
  async correct(key: string, text: string): Promise<void> {
    await this.#write({ kind: 'corrected', at: this.#parts.now(), key, text });
  }

  /** Records the attachments of a message, in place of earlier ones. */
  async attach(key: string, media: readonly Attachment[]): Promise<void> {
    await this.#write({ kind: 'attached', at: this.#parts.now(), key, media });
  }

  /** Records a retraction: the message is no longer a question and the model no longer sees it. It stays in the file. */
  async retract(key: string): Promise<void> {
    await this.#write({ kind: 'retracted', at: this.#parts.now(), key });
  }

  /** The questions of the last answer, in order; empty without an answer, or when all of them were retracted. */
  get lastAnswered(): readonly ReceivedMessage[] {
    return this.#parts.transcript.turns.at(-1)?.messages.filter(({ kind }) => kind === 'question') ?? [];
  }

  /** The number of turns of this session in memory, and the summary that replaces older ones. */
  get past(): { readonly turns: number; readonly summary: string | undefined } {
    const { turns, summary } = this.#parts.transcript;
    return { turns: turns.length, summary };
  }

  /**
   * Discards the last answer: its questions are unanswered again.
   * @param by the key of the command that asked for it; this record settles the command
   * @returns the questions, in order; empty when there is no answer to discard
   */
  async reopen(by?: string): Promise<readonly ReceivedMessage[]> {
    const questions = this.lastAnswered;
    if (questions.length > 0)
      await this.#write({ kind: 'reopened', at: this.#parts.now(), ...(by === undefined ? {} : { by }) });
    return questions;
  }

  /**
   * Replaces all turns so far with a summary. They stay in the file.
   * @param by the key of the command that asked for it; this record settles the command
   */
  async summarize(text: string, by?: string): Promise<void> {
    await this.#write({ kind: 'summary', at: this.#parts.now(), text, ...(by === undefined ? {} : { by }) });
  }

  /** The model chosen for this session, if any. */
  get model(): ModelChoice | undefined {
    return this.#parts.transcript.model;
  }

  /** Chooses the model of this session. */
  async chooseModel(choice: ModelChoice): Promise<void> {
    await this.#write({ kind: 'model', at: this.#parts.now(), ...choice });
  }

  /** Whether a question, command or answer is still pending. */
  get hasPendingWork(): boolean {
    return this.#parts.transcript.hasPendingWork;
  }

  /** The pending work, including that from before a restart. */
  pending(): PendingWork {
    const { waiting, undelivered } = this.#parts.transcript;
    return { waiting, undelivered };
  }

  /** The messages of a request to the model; `withPictures` loads their pictures from disk. */
  prompt(options: PromptOptions): readonly PromptMessage[] {
    return promptOf(this.#parts.transcript, options);
  }

  /** Starts a new session in a new file. The old one is kept; pending work is carried over. */
  async startNew(): Promise<void> {
    const { transcript, journal } = this.#parts;
    if (transcript.empty) {
      await journal.settled();
      return;
    }
    const { line, record } = this.#heading(false);
    transcript.apply(record);
    await this.#track(journal.startFile(line + this.#carriedOver(), transcript.hasPendingWork));
  }

  /** Waits for writes under way and rejects later ones. */
  close(): Promise<void> {
    return this.#parts.journal.close();
  }

  async #add(received: ReceivedMessage | ReceivedCommand): Promise<'new' | 'duplicate'> {
    const { keys, journal } = this.#parts;
    if (keys.has(received.key)) {
      await journal.settled(); // The write of the original may still be under way.
      return 'duplicate';
    }
    const written = this.#write(received);
    keys.add(received.key);
    if (received.alias !== undefined) keys.add(received.alias);
    await written;
    return 'new';
  }

  /** Writes a record; in memory it takes effect at once. */
  #write(newRecord: NewRecord): Promise<void> {
    const { transcript, journal, fileBytes } = this.#parts;
    const { line, record } = writeLine(newRecord);
    const isFull = journal.empty || journal.bytesAdded >= fileBytes;
    const heading = isFull ? this.#heading(journal.file > 0).line + this.#carriedOver() : '';
    transcript.apply(record);
    const written = isFull
      ? journal.startFile(heading + line, transcript.hasPendingWork)
      : journal.append(line, transcript.hasPendingWork);
    return this.#track(written);
  }

  #carriedOver(): string {
    const { transcript, now } = this.#parts;
    const records = transcript.carriedOver(now());
    return records.map((record) => writeLine(record).line).join('');
  }

  #heading(continues: boolean): { readonly line: string; readonly record: HistoryRecord } {
    return writeLine({
      kind: 'session',
      at: this.#parts.now(),
      conversation: this.id,
      ...(continues ? { continues } : {}),
    });
  }

  /** Keeps this object in memory until a write has ended. */
  async #track(written: Promise<void>): Promise<void> {
    const release = this.#parts.hold(this);
    try {
      await written;
    } finally {
      release();
    }
  }
}

/** A set of the newest keys, up to a limit. */
export class RecentKeys {
  readonly #keys: BoundedSet<string>;

  constructor(limit: number) {
    this.#keys = new BoundedSet(limit);
  }

  has(key: string): boolean {
    return this.#keys.has(bounded(key));
  }

  add(key: string): void {
    this.#keys.add(bounded(key));
  }
}

/** Keys contain ids chosen by strangers, of any length. */
function bounded(key: string): string {
  return key.length <= 200 ? key : createHash('sha256').update(key).digest('base64');
}
