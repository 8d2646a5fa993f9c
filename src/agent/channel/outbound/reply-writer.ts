/**
 * Brings an answer to a place while it is being made: cut into messages, and, where that is wanted, shown as it grows by
 * correcting the last message. Every correction carries the whole text, so they come seldom, and the seldomer the longer it is.
 * A block of code that is too long for a message goes as a file, where the place has a way for files.
 *
 * The messages of an answer are named after it, one by one, so that after a crash the archive can tell which of them people have.
 */
import { untilAborted } from '../../../xmpp-core/deadline.js';
import type { SharedFile } from '../../../xeps/xep-0447-stateless-file-sharing.js';
import { chunk, Chunker } from '../../text/chunk.js';
import { codeFileName, CodeSplitter, type LongCode, type Piece } from '../../text/code-splitter.js';
import type { ReplyChannel } from './reply-channel.js';
import { toMessageStyling } from '../../text/styling.js';

export interface ReplyWriterOptions {
  /** Of the answer. */
  readonly id: string;
  /** What people have of it from an earlier attempt: texts, by the ids of the messages. It is completed, and not sent again. */
  readonly sent?: ReadonlyMap<string, string>;
  /** Unicode code points a message. */
  readonly chunkLimit: number;
  /** Whether the answer is shown while it grows. */
  readonly live: boolean;
  readonly now?: () => number;
}

/** A block of code on its way to be a file. */
interface CodeFile extends LongCode {
  readonly name: string;
  /** Under way, from when it is begun. */
  uploading: Promise<void> | undefined;
  uploaded: SharedFile | undefined;
}

/** Between two corrections at the least, in milliseconds; a longer text waits longer, as servers count its bytes. */
const EDIT_INTERVAL_MS = 2_500;
const EDIT_MS_PER_CHARACTER = 2;
/** How often one message is corrected while it grows; its last correction does not count. */
const MAX_EDITS = 12;

/** The id of a message of an answer. @param index counted from 0 */
function messageId(answerId: string, index: number): string {
  return index === 0 ? answerId : `${answerId}.${index + 1}`;
}

/** Whether it is the id of a message of that answer. */
export function isMessageOf(answerId: string, id: string): boolean {
  return id === answerId || id.startsWith(`${answerId}.`);
}

export class ReplyWriter {
  readonly #outlet: ReplyChannel;
  readonly #id: string;
  readonly #sent: ReadonlyMap<string, string>;
  readonly #limit: number;
  readonly #live: boolean;
  readonly #now: () => number;
  readonly #splitter: CodeSplitter;
  #chunker: Chunker;
  /** Full messages and files that could not be sent yet, in order. */
  #full: (string | CodeFile)[] = [];
  #files = 0;
  /** How many messages have got their final text. */
  #settled = 0;
  /** The message that still grows, as it was last sent. */
  #growing: { text: string; edits: number } | undefined;
  #hasShown = false;
  #nextEditAt: number;
  /** Ends the uploads when the answer is given up. */
  readonly #over = new AbortController();

  constructor(
    outlet: ReplyChannel,
    { id, sent = new Map(), chunkLimit, live, now = () => performance.now() }: ReplyWriterOptions,
  ) {
    this.#outlet = outlet;
    this.#id = id;
    this.#sent = sent;
    this.#limit = chunkLimit;
    this.#live = live;
    this.#now = now;
    this.#splitter = new CodeSplitter(chunkLimit);
    this.#chunker = new Chunker(chunkLimit);
    this.#nextEditAt = now() + EDIT_INTERVAL_MS;
  }

  /** Whether people have something of the answer already. */
  get hasShown(): boolean {
    return this.#hasShown;
  }

  /** Takes a piece of the answer; shows it when it is time to. */
  push(text: string): void {
    this.#take(this.#splitter.push(text));
    if (!this.#live || !this.#outlet.open) return;
    for (const item of this.#full) if (typeof item !== 'string') void this.#beginUpload(item);
    this.#sendFull(false);
    if (this.#full.length > 0 || this.#now() < this.#nextEditAt) return;
    const rest = this.#chunker.rest();
    if (rest.trim() !== '') this.#show(this.#withHeld(rest));
  }

  /**
   * Takes the answer for complete, and uploads what is to be files; what no place takes will be text after all.
   * @throws the signal's reason
   */
  async complete(signal: AbortSignal): Promise<void> {
    this.#take(this.#splitter.end());
    this.#flushText();
    const files = this.#full.flatMap((item) => (typeof item === 'string' ? [] : this.#beginUpload(item)));
    try {
      await untilAborted(signal, Promise.all(files));
    } catch (error) {
      this.#over.abort();
      throw error;
    }
  }

  /** Sends all that is not sent. The outlet has to be open. */
  finish(): void {
    this.#take(this.#splitter.end());
    this.#flushText();
    this.#full = this.#full.flatMap((item) =>
      typeof item === 'string' || item.uploaded !== undefined ? item : chunk(item.block, this.#limit),
    );
    this.#sendFull(true);
  }

  /** Brings what was already shown to an end: the answer will not be finished. Without anything shown it says nothing. */
  breakOff(): void {
    this.#over.abort();
    if (this.#growing === undefined) return;
    const text = this.#chunker.rest();
    this.#outlet.say(`${toMessageStyling(text)} …`, { replaces: this.#nextId });
    this.#growing = undefined;
  }

  #take(pieces: readonly Piece[]): void {
    for (const piece of pieces) {
      if (typeof piece === 'string') {
        this.#full.push(...this.#chunker.push(piece));
        continue;
      }
      this.#flushText();
      const name = codeFileName(piece.language, this.#files);
      this.#files += 1;
      this.#full.push({ ...piece, name, uploading: undefined, uploaded: undefined });
    }
  }

  /** What stands before a file is a message of its own. */
  #flushText(): void {
    const rest = this.#chunker.rest();
    if (rest.trim() !== '') this.#full.push(rest);
    this.#chunker = new Chunker(this.#limit);
  }

  #beginUpload(file: CodeFile): Promise<void> {
    const outgoing = { name: file.name, mediaType: 'text/plain', data: new TextEncoder().encode(file.code) };
    file.uploading ??= this.#outlet.upload(outgoing, this.#over.signal).then((uploaded) => {
      file.uploaded = uploaded;
    });
    return file.uploading;
  }

  get #nextId(): string {
    return messageId(this.#id, this.#settled);
  }

  /** A full message freezes what was growing, with its final text, and is never touched again. */
  #sendFull(isEnd: boolean): void {
    for (let item = this.#full[0]; item !== undefined; item = this.#full[0]) {
      const last = isEnd && this.#full.length === 1;
      if (typeof item === 'string') this.#settle(toMessageStyling(item), last);
      else if (item.uploaded === undefined)
        return; // What comes after it waits with it.
      else if (!this.#sent.has(this.#nextId)) this.#outlet.share(item.uploaded, { last, id: this.#nextId });
      this.#hasShown = true;
      this.#full.shift();
      this.#settled += 1;
    }
  }

  #settle(text: string, last: boolean): void {
    const id = this.#nextId;
    const shown = this.#growing?.text ?? this.#sent.get(id);
    if (shown === undefined) this.#outlet.say(text, { last, id });
    else if (shown !== text) this.#outlet.say(text, { last, replaces: id });
    this.#growing = undefined;
  }

  /** With the code that is being written, as long as both fit into the message. */
  #withHeld(rest: string): string {
    const all = `${rest}\n${this.#splitter.pending}`.trimEnd();
    return Array.from(all).length <= this.#limit ? all : rest;
  }

  #show(rest: string): void {
    const text = toMessageStyling(rest);
    const growing = this.#growing;
    this.#hasShown = true;
    if (growing === undefined) {
      this.#outlet.say(text, { last: false, id: this.#nextId });
      this.#growing = { text, edits: 0 };
    } else if (growing.text !== text && growing.edits < MAX_EDITS) {
      this.#outlet.say(text, { replaces: this.#nextId, last: false });
      growing.text = text;
      growing.edits += 1;
    }
    this.#nextEditAt = this.#now() + EDIT_INTERVAL_MS + text.length * EDIT_MS_PER_CHARACTER;
  }
}
