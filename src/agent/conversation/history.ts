/**
 * The history of all conversations, in one folder:
 *
 * ```
 * conversations/bot@example.com%2falice@example.com/000001.jsonl    the records (see records.ts)
 * unfinished/bot@example.com%2falice@example.com                    empty; exists while work is pending (see journal.ts)
 * ```
 */
import { BoundedMap } from '../../xmpp-core/bounded-map.js';
import { chmod, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolder } from '../folder.js';
import { Conversation, RecentKeys } from './conversation.js';
import { HistoryError } from './disk.js';
import { folderId, folderName } from './folder-name.js';
import { Journal, type JournalPaths, removeMarker } from './journal.js';
import { type HistoryNotice, loadHistory, recordedId } from './load.js';
import { Transcript } from './transcript.js';

export type { Conversation, PendingWork, NewAnswer } from './conversation.js';
export { HistoryError } from './disk.js';
export type { HistoryNotice } from './load.js';
export type {
  RelatedMessage,
  Answer,
  ReceivedCommand,
  ReceivedMessage,
  Attachment,
  ModelChoice,
  Step,
} from './records.js';
export type { UndeliveredAnswer } from './transcript.js';
export type { PromptOptions } from './window.js';

/** Options of a `ConversationStore`; all have defaults. */
export interface HistoryOptions {
  /** How many tokens of a conversation stay in memory: at least the largest budget of a prompt. Default: 64 000. */
  readonly keepTokens?: number;
  /** How many keys each conversation remembers to detect duplicates. Default: 5000. */
  readonly keepKeys?: number;
  /** How many conversations stay in memory when nothing else references them. Default: 100. */
  readonly keepConversations?: number;
  /** A new file starts when the newest has grown by this many bytes. Default: 4 MiB. */
  readonly fileBytes?: number;
  readonly now?: () => Date;
  /** Called for everything that is skipped in a file. Must not throw. */
  readonly report?: (notice: HistoryNotice) => void;
}

/** About how many bytes of a file one token of text takes, with JSON escapes and the other fields. */
const BYTES_PER_TOKEN = 8;

/** The conversations in a folder. Only one process may use it at a time. */
export class ConversationStore {
  readonly #directory: string;
  readonly #options: Required<HistoryOptions>;
  /**
   * One object per conversation, or memory and disk would diverge: it is found again as long as it is referenced. The store
   * itself references only recently used ones and those being written, because strangers decide how many there are.
   */
  readonly #known = new Map<string, WeakRef<Conversation>>();
  readonly #forgotten = new FinalizationRegistry<string>((id) => {
    if (this.#known.get(id)?.deref() === undefined) this.#known.delete(id);
  });
  readonly #recent: BoundedMap<string, Conversation>;
  readonly #loading = new Map<string, Promise<Conversation>>();
  /** By write. */
  readonly #writing = new Map<symbol, Conversation>();
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
    this.#recent = new BoundedMap(this.#options.keepConversations);
  }

  /**
   * Opens the history in a folder, which is created if missing and made accessible to its owner only.
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
   * Returns a conversation, from memory or from its files. A new one is written to disk with its first record.
   *
   * @param id any text; in practice the bot's account and its peer or room
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

  /** The ids of all conversations. */
  async list(): Promise<readonly string[]> {
    return this.#idsIn(this.#conversations, 'isDirectory');
  }

  /**
   * The ids of the conversations with pending work. One that cannot be read is reported and skipped.
   */
  async unfinished(): Promise<readonly string[]> {
    const ids: string[] = [];
    for (const id of await this.#idsIn(this.#unfinished, 'isFile')) {
      const conversation = await this.#orReport(this.#paths(folderName(id)), () => this.conversation(id));
      if (conversation?.hasPendingWork === true) ids.push(id);
    }
    return ids;
  }

  /** Waits for all writes. Nothing can be written afterwards. */
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

  #paths(name: string): JournalPaths {
    return { folder: join(this.#conversations, name), marker: join(this.#unfinished, name) };
  }

  async #load(id: string): Promise<Conversation> {
    const { keepTokens, keepKeys, fileBytes, now, report } = this.#options;
    const paths = this.#paths(folderName(id));
    const enough = { bytes: keepTokens * BYTES_PER_TOKEN, keys: keepKeys };
    const history = await loadHistory(paths, enough, report);
    const transcript = new Transcript(keepTokens);
    for (const record of history.session) transcript.apply(record);
    const keys = new RecentKeys(keepKeys);
    for (const key of history.keys) keys.add(key);

    const marked = history.state.marked && transcript.hasPendingWork;
    if (history.state.marked && !marked) await removeMarker(paths);
    const journal = new Journal(paths, { ...history.state, marked });
    const hold = (held: Conversation): (() => void) => {
      const writing = Symbol(id);
      this.#writing.set(writing, held);
      return () => this.#writing.delete(writing);
    };
    const conversation = new Conversation(id, { transcript, journal, keys, fileBytes, now, hold });
    this.#known.set(id, new WeakRef(conversation));
    this.#forgotten.register(conversation, id);
    return this.#used(conversation);
  }

  #used(conversation: Conversation): Conversation {
    this.#recent.set(conversation.id, conversation);
    return conversation;
  }

  /** The ids of the entries in one of the two folders. Foreign entries are skipped. */
  async #idsIn(folder: string, kind: 'isDirectory' | 'isFile'): Promise<string[]> {
    const ids: string[] = [];
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      if (!entry[kind]()) continue;
      const paths = this.#paths(entry.name);
      const id = folderId(entry.name) ?? (await this.#orReport(paths, () => recordedId(paths)));
      if (id !== undefined && folderName(id) === entry.name) ids.push(id);
    }
    return ids;
  }

  /** Runs `read`; reports an unreadable conversation instead of throwing, so that the others are not affected. */
  async #orReport<Result>(paths: JournalPaths, read: () => Promise<Result>): Promise<Result | undefined> {
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof HistoryError)) throw error;
      this.#options.report({ problem: 'unreadable', file: paths.folder });
      return undefined;
    }
  }
}
