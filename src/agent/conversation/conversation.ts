/** One conversation, with one person or in one room: what was heard and said, in memory and on the disk. */
import { BoundedSet } from '../../xmpp-core/bounded-map.js';
import { createHash } from 'node:crypto';
import type { PromptMessage } from '../media/pictures.js';
import type { ModelUsage } from '../model/model.js';
import type { Journal } from './journal.js';
import {
  type GivenCommand,
  type Heard,
  type HeardMedia,
  type HistoryRecord,
  type ModelChoice,
  type Step,
  type Unwritten,
  writeLine,
} from './records.js';
import type { Transcript, Undelivered, Utterance } from './transcript.js';
import { promptOf, type PromptOptions } from './window.js';

/** What the model said, as the conversation is told. */
export interface Said {
  /** Names the answer until it is delivered. */
  readonly id: string;
  readonly text: string;
  readonly model?: string;
  readonly usage?: ModelUsage;
  /** The tools that were used on the way. */
  readonly steps?: readonly Step[];
  /** Any JSON the channel needs to send it after a restart; that of the last question unless given. */
  readonly reference?: unknown;
  /** Whether people have seen some of it, as it grew. */
  readonly begun?: boolean;
}

/** What people wait for. */
export interface Pending {
  /** Questions that were not answered and commands that were not carried out, in order. */
  readonly waiting: readonly (Heard | GivenCommand)[];
  /** Answered and not seen to be delivered, in order. After a crash those that were `begun` may have been sent already. */
  readonly undelivered: readonly Undelivered[];
}

/** The parts a conversation is made of. */
export interface ConversationParts {
  readonly transcript: Transcript;
  readonly journal: Journal;
  readonly keys: RecentKeys;
  /** A file that has grown by more than this is followed by a new one. */
  readonly fileBytes: number;
  readonly now: () => Date;
  /** Told of every write, so that somebody holds the conversation until it is done. */
  readonly writing: (conversation: Conversation, done: Promise<void>) => void;
}

/**
 * A conversation of the store. What a method's promise says is done is on the disk and survives a crash. When one rejects
 * with a HistoryError, this object is of no more use: ask the store for the conversation again.
 */
export class Conversation {
  readonly id: string;
  readonly #parts: ConversationParts;

  constructor(id: string, parts: ConversationParts) {
    this.id = id;
    this.#parts = parts;
  }

  /** Whether it can no longer be written to. */
  get broken(): boolean {
    return this.#parts.journal.refusal !== undefined;
  }

  /**
   * Writes a message down, before anybody asks the model. A message whose key was heard lately is a duplicate and changes
   * nothing.
   *
   * @throws HistoryError when it could not be written; TypeError or RangeError when it is not JSON
   */
  hear(heard: Heard): Promise<'new' | 'duplicate'> {
    return this.#take(heard);
  }

  /** Writes a command down, before it is carried out or waits for its turn; as `hear` does. It is owed until it is `done`. */
  give(command: GivenCommand): Promise<'new' | 'duplicate'> {
    return this.#take(command);
  }

  /** Writes down that a command was carried out, or dropped; what it did itself may have said so. */
  async done(key: string): Promise<void> {
    if (this.#parts.transcript.hasCommand(key)) await this.#write({ kind: 'done', at: this.#parts.now(), key });
  }

  /** Whether a message was heard lately, or a command given. */
  knows(key: string): boolean {
    return this.#parts.keys.has(key);
  }

  /** Writes down what the model said to these questions, before it is sent. It is owed until `delivered`. */
  async answer(keys: readonly string[], said: Said): Promise<void> {
    const question = keys.map((key) => this.#parts.transcript.question(key)).findLast((heard) => heard !== undefined);
    const { id, text, model, usage, steps = [], reference = question?.reference, begun = false } = said;
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

  /** Writes down that an answer is about to be sent: after a crash it is not known whether people have it. */
  async sending(answerId: string): Promise<void> {
    await this.#write({ kind: 'sending', at: this.#parts.now(), id: answerId });
  }

  /** Writes down that an answer was sent. */
  async delivered(answerId: string): Promise<void> {
    await this.#write({ kind: 'delivered', at: this.#parts.now(), id: answerId });
  }

  /**
   * Writes down that these questions or commands get no answer, so that they are not asked again after a restart.
   *
   * @param reason the sentence people were told instead; the model will see it as the answer. Without one, when nobody
   *   was told anything, the questions become context.
   */
  async fail(keys: readonly string[], reason?: string): Promise<void> {
    await this.#write({ kind: 'failed', at: this.#parts.now(), keys, ...(reason === undefined ? {} : { reason }) });
  }

  /** What was said last in this session, at most so many messages, the oldest first. The bot's have no speaker. */
  recent(limit: number): readonly Utterance[] {
    return this.#parts.transcript.recent(limit);
  }

  /** The newest message that passes, of those that are kept at hand. */
  find(passes: (heard: Heard) => boolean): Heard | undefined {
    return this.#parts.transcript.find(passes);
  }

  /** Whether a message is a question that is owed an answer. */
  isOwed(key: string): boolean {
    return this.#parts.transcript.question(key) !== undefined;
  }

  /** Writes down that a message should have been another text. The one that was said stays in the file. */
  async correct(key: string, text: string): Promise<void> {
    await this.#write({ kind: 'corrected', at: this.#parts.now(), key, text });
  }

  /** Writes down what is known of the files that came with a message. */
  async attach(key: string, media: readonly HeardMedia[]): Promise<void> {
    await this.#write({ kind: 'attached', at: this.#parts.now(), key, media });
  }

  /** Writes down that a message was taken back: it is no question any more, and the model does not see it. It stays in the file. */
  async retract(key: string): Promise<void> {
    await this.#write({ kind: 'retracted', at: this.#parts.now(), key });
  }

  /** What the last answer answered, in order; nothing when there is none, or all was taken back. */
  get answered(): readonly Heard[] {
    return this.#parts.transcript.turns.at(-1)?.heard.filter(({ kind }) => kind === 'question') ?? [];
  }

  /** The answers of this session that are at hand, and the summary that stands for those before. */
  get past(): { readonly turns: number; readonly summary: string | undefined } {
    const { turns, summary } = this.#parts.transcript;
    return { turns: turns.length, summary };
  }

  /**
   * Makes the last answer count no more: what it answered is owed another one.
   * @param by the key of the command that wants it, which is done with that
   * @returns the questions, in order; none when there is no answer to take back
   */
  async reopen(by?: string): Promise<readonly Heard[]> {
    const questions = this.answered;
    if (questions.length > 0)
      await this.#write({ kind: 'reopened', at: this.#parts.now(), ...(by === undefined ? {} : { by }) });
    return questions;
  }

  /** Puts a summary in the place of all turns so far. They stay in the file. @param by the key of the command that wants it, which is done with that */
  async summarize(text: string, by?: string): Promise<void> {
    await this.#write({ kind: 'summary', at: this.#parts.now(), text, ...(by === undefined ? {} : { by }) });
  }

  /** The model that was chosen for this session, if one was. */
  get model(): ModelChoice | undefined {
    return this.#parts.transcript.model;
  }

  /** Chooses the model of this session. */
  async chooseModel(choice: ModelChoice): Promise<void> {
    await this.#write({ kind: 'model', at: this.#parts.now(), ...choice });
  }

  /** Whether people wait for something. */
  get owes(): boolean {
    return this.#parts.transcript.owes;
  }

  /** What people wait for, now or since before a restart. */
  pending(): Pending {
    const { waiting, undelivered } = this.#parts.transcript;
    return { waiting, undelivered };
  }

  /** The messages of a request to the model; `withPictures` fetches their pictures from the disk. */
  prompt(options: PromptOptions): readonly PromptMessage[] {
    return promptOf(this.#parts.transcript, options);
  }

  /** Begins a new session in a new file. The old one is kept; what is owed comes along. */
  async startNew(): Promise<void> {
    const { transcript, journal } = this.#parts;
    if (transcript.empty) {
      await journal.settled();
      return;
    }
    const { line, record } = this.#heading(false);
    transcript.apply(record);
    await this.#track(journal.begin(line + this.#carriedOver(), transcript.owes));
  }

  /** Waits for what is being written, and refuses what comes later. */
  close(): Promise<void> {
    return this.#parts.journal.close();
  }

  async #take(one: Heard | GivenCommand): Promise<'new' | 'duplicate'> {
    const { keys, journal } = this.#parts;
    if (keys.has(one.key)) {
      await journal.settled(); // The first of them may still be on its way to the disk.
      return 'duplicate';
    }
    const written = this.#write(one);
    keys.add(one.key);
    await written;
    return 'new';
  }

  /** Writes a record down; in memory it counts at once. */
  #write(unwritten: Unwritten): Promise<void> {
    const { transcript, journal, fileBytes } = this.#parts;
    const { line, record } = writeLine(unwritten);
    const isFull = journal.empty || journal.grown >= fileBytes;
    const heading = isFull ? this.#heading(journal.file > 0).line + this.#carriedOver() : '';
    transcript.apply(record);
    const written = isFull ? journal.begin(heading + line, transcript.owes) : journal.append(line, transcript.owes);
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

  #track(done: Promise<void>): Promise<void> {
    this.#parts.writing(this, done);
    return done;
  }
}

/** The newest keys, so many and no more. */
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

/** Keys hold ids that strangers chose, as long as they like. */
function bounded(key: string): string {
  return key.length <= 200 ? key : createHash('sha256').update(key).digest('base64');
}
