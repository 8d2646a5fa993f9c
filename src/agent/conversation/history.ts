/**
 * The history of all conversations, in one folder:
 *
 * ```
 * conversations/bot@example.com%2falice@example.com/000001.jsonl    what was heard and said (see records.ts)
 * unfinished/bot@example.com%2falice@example.com                    empty; there while something is owed (see journal.ts)
 * ```
 */
import { chmod, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolder } from '../folder.js';
import { Conversation, RecentKeys } from './conversation.js';
import { HistoryError } from './disk.js';
import { folderId, folderName } from './folder-name.js';
import { Journal, type JournalPlace, removeMark } from './journal.js';
import { type HistoryNotice, loadHistory, recordedId } from './load.js';
import { Transcript } from './transcript.js';

export type { Conversation, Pending, Said } from './conversation.js';
export { HistoryError } from './disk.js';
export type { HistoryNotice } from './load.js';
export type { About, Answer, GivenCommand, Heard, HeardMedia, ModelChoice, Step } from './records.js';
export type { Undelivered } from './transcript.js';
export type { PromptOptions } from './window.js';

/** All have sensible values of their own. */
export interface HistoryOptions {
  /** How much of a conversation is kept in memory, in tokens: the largest budget a prompt will be asked with. */
  readonly keepTokens?: number;
  /** How many messages back a duplicate is known, in each conversation. */
  readonly keepKeys?: number;
  /** How many conversations are kept in memory when nobody else holds them. */
  readonly keepConversations?: number;
  /** A file that has grown by this much is followed by a new one. */
  readonly fileBytes?: number;
  readonly now?: () => Date;
  /** Told of what was passed over in a file. Must not throw. */
  readonly report?: (notice: HistoryNotice) => void;
}

/** JSON with its escapes and its other fields takes about this many bytes for a token of text. */
const BYTES_PER_TOKEN = 8;

/** The conversations in a folder. One process at a time may use it. */
export class ConversationStore {
  readonly #directory: string;
  readonly #options: Required<HistoryOptions>;
  /**
   * One object a conversation, or its memory and the disk would part: as long as anybody holds it, it is found again. The
   * store itself holds only the ones used last and those being written, because strangers decide how many there are.
   */
  readonly #known = new Map<string, WeakRef<Conversation>>();
  readonly #forgotten = new FinalizationRegistry<string>((id) => {
    if (this.#known.get(id)?.deref() === undefined) this.#known.delete(id);
  });
  readonly #recent = new Map<string, Conversation>();
  readonly #loading = new Map<string, Promise<Conversation>>();
  readonly #writing = new Map<Promise<void>, Conversation>();
  #closed = false;

  private constructor(directory: string, options: HistoryOptions) {
    this.#directory = directory;
    this.#options = {
      keepTokens: 64_000,
      keepKeys: 5_000,
      keepConversations: 100,
      fileBytes: 4 * 1024 * 1024,
      now: () => new Date(),
      report: () => undefined,
      ...options,
    };
  }

  /**
   * Opens the history in a folder, which is made when it is missing, and closed to everybody but its owner.
   *
   * @throws HistoryError when the folder cannot be used
   */
  static async open(directory: string, options: HistoryOptions = {}): Promise<ConversationStore> {
    const store = new ConversationStore(directory, options);
    try {
      for (const folder of [directory, store.#conversations, store.#unfinished]) {
        await makeFolder(folder);
        await chmod(folder, 0o700);
      }
    } catch (error) {
      throw new HistoryError(
        `cannot keep the history in ${directory}; is it a folder, and can this user write there?`,
        { cause: error },
      );
    }
    return store;
  }

  /**
   * A conversation, from memory or from its files; a new one touches the disk only when something is heard.
   *
   * @param id any text: the bot's account and its peer or room
   * @throws HistoryError when its files cannot be read; RangeError when the id is empty
   */
  async conversation(id: string): Promise<Conversation> {
    if (this.#closed) throw new HistoryError(`the history in ${this.#directory} is closed`);
    const known = this.#known.get(id)?.deref();
    if (known !== undefined && !known.broken) return this.#used(known);
    const loading = this.#loading.get(id) ?? this.#load(id).finally(() => this.#loading.delete(id));
    this.#loading.set(id, loading);
    return loading;
  }

  /** The ids of all conversations there are. */
  async list(): Promise<readonly string[]> {
    return this.#idsIn(this.#conversations, 'isDirectory');
  }

  /**
   * The ids of the conversations that owe something: a question to be answered, an answer to be delivered. One that cannot
   * be read is reported and left out.
   */
  async unfinished(): Promise<readonly string[]> {
    const ids: string[] = [];
    for (const id of await this.#idsIn(this.#unfinished, 'isFile')) {
      const conversation = await this.#readable(this.#place(folderName(id)), () => this.conversation(id));
      if (conversation?.owes === true) ids.push(id);
    }
    return ids;
  }

  /** Waits until all is written. Nothing can be written afterwards. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#loading.values());
    const conversations = [...this.#known.values()].flatMap((known) => known.deref() ?? []);
    await Promise.all(conversations.map((conversation) => conversation.close()));
  }

  get #conversations(): string {
    return join(this.#directory, 'conversations');
  }

  get #unfinished(): string {
    return join(this.#directory, 'unfinished');
  }

  #place(name: string): JournalPlace {
    return { folder: join(this.#conversations, name), mark: join(this.#unfinished, name) };
  }

  async #load(id: string): Promise<Conversation> {
    const { keepTokens, keepKeys, fileBytes, now, report } = this.#options;
    const place = this.#place(folderName(id));
    const wanted = { bytes: keepTokens * BYTES_PER_TOKEN, keys: keepKeys };
    const history = await loadHistory(place, wanted, report);
    const transcript = new Transcript(keepTokens);
    for (const record of history.session) transcript.apply(record);
    const keys = new RecentKeys(keepKeys);
    for (const key of history.keys) keys.add(key);

    const marked = history.state.marked && transcript.owes;
    if (history.state.marked && !marked) await removeMark(place);
    const journal = new Journal(place, { ...history.state, marked });
    const writing = (conversation: Conversation, done: Promise<void>): void => {
      this.#writing.set(done, conversation);
      const remove = (): unknown => this.#writing.delete(done);
      done.then(remove, remove);
    };
    const conversation = new Conversation(id, { transcript, journal, keys, fileBytes, now, writing });
    this.#known.set(id, new WeakRef(conversation));
    this.#forgotten.register(conversation, id);
    return this.#used(conversation);
  }

  #used(conversation: Conversation): Conversation {
    this.#recent.delete(conversation.id);
    this.#recent.set(conversation.id, conversation);
    if (this.#recent.size > this.#options.keepConversations) {
      const [oldest] = this.#recent.keys();
      if (oldest !== undefined) this.#recent.delete(oldest);
    }
    return conversation;
  }

  /** The ids that the names in one of the two folders stand for. What is not ours there is passed over. */
  async #idsIn(folder: string, kind: 'isDirectory' | 'isFile'): Promise<string[]> {
    const ids: string[] = [];
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      if (!entry[kind]()) continue;
      const place = this.#place(entry.name);
      const id = folderId(entry.name) ?? (await this.#readable(place, () => recordedId(place)));
      if (id !== undefined && folderName(id) === entry.name) ids.push(id);
    }
    return ids;
  }

  /** Reports a conversation that cannot be read, where the others must not suffer for it. */
  async #readable<Result>(place: JournalPlace, read: () => Promise<Result>): Promise<Result | undefined> {
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof HistoryError)) throw error;
      this.#options.report({ what: 'unreadable', file: place.folder });
      return undefined;
    }
  }
}
