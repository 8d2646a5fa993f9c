/**
 * Joins files with the text that belongs to them. Many clients send them as separate messages, in either order. So a file without text waits a
 * moment for text, and a file that follows a question joins it until the answer begins. The later of the two messages becomes the question, the
 * earlier one its context.
 */
import { delay } from '../../../xmpp-core/deadline.js';
import type { Conversation, Attachment } from '../../conversation/history.js';
import { BoundedMap } from '../../../xmpp-core/bounded-map.js';
import type { TurnQueue } from '../../conversation/queue.js';
import type { MediaLink } from '../../media/link.js';
import type { Task } from '../turns/tasks.js';
import { isAdmitted, isOnlyFile, type IncomingMessage } from './incoming-message.js';

/** Fetches files. Rejects only with the signal's reason. */
export type FetchMedia = (
  links: readonly MediaLink[],
  options: { readonly signal: AbortSignal; readonly conversationId: string },
) => Promise<readonly Attachment[]>;

/** The files of a message. */
interface Files {
  readonly key: string;
  readonly links: readonly MediaLink[];
}

/** The last message of an author in a conversation, with what was joined to it. */
export interface JoinedMessage {
  readonly key: string;
  readonly isFile: boolean;
  readonly hasText: boolean;
  readonly files: readonly Files[];
  readonly asked: boolean;
  /** By the clock of `performance.now`. */
  readonly at: number;
}

/** How long a file waits for text, in milliseconds. */
const CAPTION_MS = 3_000;
const MAX_PEOPLE = 1_000;
/** The most messages with files that are joined to one question. */
const MAX_JOINED = 10;

/** The joined messages of one account. */
export class Captions {
  readonly #queue: TurnQueue<Task>;
  readonly #fetch: FetchMedia;
  /** By conversation and author. */
  readonly #last = new BoundedMap<string, JoinedMessage>(MAX_PEOPLE);

  constructor(queue: TurnQueue<Task>, fetch: FetchMedia) {
    this.#queue = queue;
    this.#fetch = fetch;
  }

  /** Withdraws the message that belongs to this one from the queue. @returns it: the caller settles it once this message is on disk */
  join(message: IncomingMessage): JoinedMessage | undefined {
    const last = this.#last.use(nameOf(message));
    if (last === undefined || !isAdmitted(message) || last.files.length >= MAX_JOINED) return undefined;
    const belongs = last.isFile
      ? (message.asks || isOnlyFile(message)) && performance.now() - last.at < CAPTION_MS
      : last.asked && isOnlyFile(message);
    if (!belongs) return undefined;
    if (!last.asked) return last;
    const isIt = (task: Task): boolean => task.kind === 'question' && task.key === last.key;
    return this.#queue.withdraw(message.conversation, isIt).length > 0 ? last : undefined;
  }

  /** Remembers a message as its author's last. @param asked whether it waits for an answer */
  note(message: IncomingMessage, joined: JoinedMessage | undefined, asked: boolean): JoinedMessage {
    const { key, content } = message;
    const own = content.links.length === 0 ? [] : [{ key, links: content.links }];
    const piece = {
      key,
      isFile: isOnlyFile(message),
      hasText: message.text !== '' || joined?.hasText === true,
      files: [...(joined?.files ?? []), ...own],
      asked,
      at: performance.now(),
    };
    this.#last.set(nameOf(message), piece);
    return piece;
  }

  /** What has to happen before a question goes to the model: a moment for text to follow its files, and fetching the files. */
  preparation(
    { files, hasText, at }: JoinedMessage,
    conversation: Conversation,
  ): ((signal: AbortSignal) => Promise<void>) | undefined {
    if (files.length === 0) return undefined;
    const until = hasText ? 0 : at + CAPTION_MS;
    return async (signal) => {
      await delay(Math.max(0, until - performance.now()), signal);
      await Promise.all(files.map(({ key, links }) => this.fetch(key, links, conversation, signal)));
    };
  }

  /** Fetches files and records them with their message, unless that is done already. */
  async fetch(
    key: string,
    links: readonly MediaLink[],
    conversation: Conversation,
    signal: AbortSignal,
  ): Promise<void> {
    const recorded = conversation.find((one) => one.key === key);
    if (recorded?.media?.some(({ url }) => url !== undefined) !== true) return;
    const media = await this.#fetch(links, { signal, conversationId: conversation.id });
    signal.throwIfAborted();
    await conversation.attach(key, media);
  }
}

/** The separator cannot occur in an author. */
function nameOf({ conversation, author }: IncomingMessage): string {
  return `${conversation}\n${author}`;
}
