/**
 * Files and the words that belong to them. Many clients send them apart, in either order: so a file without words waits a moment for
 * words, and a file that follows a question joins it as long as its answer has not begun. Of the two that belong together, the later one
 * is asked, and the earlier one is what it is about.
 */
import { delay } from '../../../xmpp-core/deadline.js';
import { BoundedMap } from '../../../xmpp-core/bounded-map.js';
import type { Conversation, HeardMedia } from '../../conversation/history.js';
import type { TurnQueue } from '../../conversation/queue.js';
import type { MediaLink } from '../../media/link.js';
import { isAdmitted, isOnlyFile, type IncomingMessage } from './incoming-message.js';
import type { Task } from '../turns/tasks.js';

/** Fetches files; never throws but for the signal's reason. */
export type FetchMedia = (
  links: readonly MediaLink[],
  options: { readonly signal: AbortSignal; readonly forWhom: string },
) => Promise<readonly HeardMedia[]>;

/** The files of a message. */
interface Files {
  readonly key: string;
  readonly links: readonly MediaLink[];
}

/** What somebody said last in a conversation, with what was joined to it. */
export interface Piece {
  readonly key: string;
  readonly isFile: boolean;
  readonly hasWords: boolean;
  readonly files: readonly Files[];
  readonly asked: boolean;
  /** By the clock of `performance.now`. */
  readonly at: number;
}

/** How long a file waits for words, in milliseconds. */
const CAPTION_MS = 3_000;
const MAX_PEOPLE = 1_000;
/** So many messages with files are one question at most. */
const MAX_JOINED = 10;

export class Captions {
  readonly #queue: TurnQueue<Task>;
  readonly #fetch: FetchMedia;
  /** By conversation and author. */
  readonly #last = new BoundedMap<string, Piece>(MAX_PEOPLE);

  constructor(queue: TurnQueue<Task>, fetch: FetchMedia) {
    this.#queue = queue;
    this.#fetch = fetch;
  }

  /** Takes what belongs together with this out of the queue. @returns it, to be given up once this is written down */
  join(said: IncomingMessage): Piece | undefined {
    const last = this.#last.use(nameOf(said));
    if (last === undefined || !isAdmitted(said) || last.files.length >= MAX_JOINED) return undefined;
    const belongs = last.isFile
      ? (said.asks || isOnlyFile(said)) && performance.now() - last.at < CAPTION_MS
      : last.asked && isOnlyFile(said);
    if (!belongs) return undefined;
    if (!last.asked) return last;
    const isIt = (task: Task): boolean => task.kind === 'question' && task.key === last.key;
    return this.#queue.withdraw(said.conversation, isIt).length > 0 ? last : undefined;
  }

  /** Remembers what was said. @param asked whether it waits for an answer */
  note(said: IncomingMessage, joined: Piece | undefined, asked: boolean): Piece {
    const { key, content } = said;
    const own = content.links.length === 0 ? [] : [{ key, links: content.links }];
    const piece = {
      key,
      isFile: isOnlyFile(said),
      hasWords: said.text !== '' || joined?.hasWords === true,
      files: [...(joined?.files ?? []), ...own],
      asked,
      at: performance.now(),
    };
    this.#last.set(nameOf(said), piece);
    return piece;
  }

  /** What a question needs before it is put to the model: a moment for words to follow its files, and the files themselves. */
  preparation(
    { files, hasWords, at }: Piece,
    conversation: Conversation,
  ): ((signal: AbortSignal) => Promise<void>) | undefined {
    if (files.length === 0) return undefined;
    const until = hasWords ? 0 : at + CAPTION_MS;
    return async (signal) => {
      await delay(Math.max(0, until - performance.now()), signal);
      await Promise.all(files.map(({ key, links }) => this.fetch(key, links, conversation, signal)));
    };
  }

  /** Fetches files and writes them down with their message, unless that is done. */
  async fetch(
    key: string,
    links: readonly MediaLink[],
    conversation: Conversation,
    signal: AbortSignal,
  ): Promise<void> {
    const heard = conversation.find((one) => one.key === key);
    if (heard?.media?.some(({ url }) => url !== undefined) !== true) return;
    const media = await this.#fetch(links, { signal, forWhom: conversation.id });
    signal.throwIfAborted();
    await conversation.attach(key, media);
  }
}

/** No author has a line feed in it. */
function nameOf({ conversation, author }: IncomingMessage): string {
  return `${conversation}\n${author}`;
}
