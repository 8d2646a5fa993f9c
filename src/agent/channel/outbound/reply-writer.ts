/**
 * Sends an answer while the model writes it: split into messages, and, with `live`, shown as it grows by correcting the last message. Every
 * correction carries the whole text, so the longer the text is, the longer the interval between corrections. A block of code that is too long
 * for a message is sent as a file, where files can be uploaded.
 *
 * The ids of the messages are derived from the id of the answer, so that after a crash the archive shows which of them were sent.
 */
import { untilAborted } from '../../../xmpp-core/deadline.js';
import type { SharedFile } from '../../../xeps/xep-0447-stateless-file-sharing.js';
import type { Background } from '../../background.js';
import { chunk, Chunker } from '../../text/chunk.js';
import { codeFileName, CodeSplitter, type LongCode, type Piece } from '../../text/code-splitter.js';
import { toMessageStyling } from '../../text/styling.js';
import type { ReplyChannel } from './reply-channel.js';

/** Options of a reply writer. */
export interface ReplyWriterOptions {
  /** The id of the answer. */
  readonly id: string;
  /** The messages that an earlier attempt sent: texts by message id. They are not sent again. */
  readonly sent?: ReadonlyMap<string, string>;
  /** The most Unicode code points in a message. */
  readonly chunkLimit: number;
  /** Whether the answer is shown while it grows. */
  readonly live: boolean;
  /** Runs the uploads that start before the answer is complete. */
  readonly background: Background;
  /** The clock, in milliseconds; `performance.now` unless given. */
  readonly now?: () => number;
}

/** A block of code that is sent as a file. */
interface CodeFile extends LongCode {
  readonly name: string;
  /** The upload, once it has started. */
  uploading: Promise<void> | undefined;
  uploaded: SharedFile | undefined;
}

/** The shortest time between two corrections, in milliseconds. It grows with the text, because servers limit the bytes. */
const EDIT_INTERVAL_MS = 2_500;
const EDIT_MS_PER_CHARACTER = 2;
/** How long the first piece of an answer may wait for the end of its first sentence: phones notify with that piece. */
const FIRST_PIECE_MS = 1_500;
/** The most corrections of one message while it grows, without the final one. */
const MAX_EDITS = 12;

/** The id of one message of an answer. @param index from 0 */
function messageId(answerId: string, index: number): string {
  return index === 0 ? answerId : `${answerId}.${index + 1}`;
}

/** Whether `id` belongs to a message of that answer. */
export function isMessageOf(answerId: string, id: string): boolean {
  return id === answerId || id.startsWith(`${answerId}.`);
}

/** Writes one answer to a channel. */
export class ReplyWriter {
  readonly #channel: ReplyChannel;
  readonly #id: string;
  readonly #sent: ReadonlyMap<string, string>;
  readonly #limit: number;
  readonly #live: boolean;
  readonly #background: Background;
  readonly #now: () => number;
  #splitter: CodeSplitter;
  #chunker: Chunker;
  /** Full messages and files that could not be sent yet, in order. */
  #full: (string | CodeFile)[] = [];
  #files = 0;
  /** The number of messages with their final text. */
  #settled = 0;
  /** The message that still grows, as last sent. */
  #growing: { text: string; edits: number } | undefined;
  #hasShown = false;
  /** Texts of messages that were sent before a restart, by id: they get other texts. */
  readonly #replaced = new Map<string, string>();
  #nextEditAt: number;
  /** When the first text came. */
  #begunAt: number | undefined;
  /** Aborts the uploads when the answer is cancelled. */
  readonly #over = new AbortController();

  constructor(
    channel: ReplyChannel,
    { id, sent = new Map(), chunkLimit, live, background, now = () => performance.now() }: ReplyWriterOptions,
  ) {
    this.#channel = channel;
    this.#background = background;
    this.#id = id;
    this.#sent = sent;
    this.#limit = chunkLimit;
    this.#live = live;
    this.#now = now;
    this.#splitter = new CodeSplitter(chunkLimit);
    this.#chunker = new Chunker(chunkLimit);
    this.#nextEditAt = now() + EDIT_INTERVAL_MS;
  }

  /** Whether a part of the answer was sent. */
  get hasShown(): boolean {
    return this.#hasShown;
  }

  /** Adds a piece of the answer; with `live`, sends it when a correction is due. */
  push(text: string): void {
    this.#begunAt ??= this.#now();
    this.#take(this.#splitter.push(text));
    if (!this.#live || !this.#channel.open) return;
    for (const item of this.#full) {
      if (typeof item !== 'string') this.#background.run('upload', () => this.#beginUpload(item));
    }
    this.#sendFull(false);
    if (this.#full.length > 0 || this.#now() < this.#nextEditAt) return;
    const rest = this.#chunker.rest();
    if (rest.trim() !== '' && this.#isPresentable(rest)) this.#show(this.#withHeld(rest));
  }

  /** Begins again: what was shown was no answer, and the messages get the texts that follow. */
  restart(): void {
    const shown = Array.from({ length: this.#settled }, (_, index) => messageId(this.#id, index));
    if (this.#growing !== undefined) shown.push(this.#nextId);
    for (const id of shown) this.#replaced.set(id, '');
    this.#splitter = new CodeSplitter(this.#limit);
    this.#chunker = new Chunker(this.#limit);
    this.#full = [];
    this.#settled = 0;
    this.#growing = undefined;
  }

  /**
   * Marks the answer as complete and uploads its files. A file that cannot be uploaded is later sent as text.
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

  /** Sends everything that is not sent yet. The channel has to be open. */
  finish(): void {
    this.#take(this.#splitter.end());
    this.#flushText();
    this.#full = this.#full.flatMap((item) =>
      typeof item === 'string' || item.uploaded !== undefined ? item : chunk(item.block, this.#limit),
    );
    this.#sendFull(true);
    // Messages of thoughts that the answer is too short to replace.
    for (const id of this.#replaced.keys()) this.#channel.sendText('…', { replaces: id, last: false });
    this.#replaced.clear();
  }

  /** Ends a cancelled answer visibly: adds an ellipsis to the message that was growing, if there is one. */
  cancel(): void {
    this.#over.abort();
    if (this.#growing === undefined) return;
    const text = this.#chunker.rest();
    this.#channel.sendText(`${toMessageStyling(text)} …`, { replaces: this.#nextId });
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

  /** Ends the current message: text before a file is a message of its own. */
  #flushText(): void {
    const rest = this.#chunker.rest();
    if (rest.trim() !== '') this.#full.push(rest);
    this.#chunker = new Chunker(this.#limit);
  }

  #beginUpload(file: CodeFile): Promise<void> {
    const outgoing = { name: file.name, mediaType: 'text/plain', data: new TextEncoder().encode(file.code) };
    const upload = async (): Promise<void> => {
      file.uploaded = await this.#channel.upload(outgoing, this.#over.signal);
    };
    file.uploading ??= upload();
    return file.uploading;
  }

  get #nextId(): string {
    return messageId(this.#id, this.#settled);
  }

  /** Sends full messages and uploaded files in order. A full message is the final text of the growing one. */
  #sendFull(isEnd: boolean): void {
    for (let item = this.#full[0]; item !== undefined; item = this.#full[0]) {
      const last = isEnd && this.#full.length === 1;
      if (typeof item === 'string') this.#settle(toMessageStyling(item), last);
      else if (item.uploaded === undefined)
        return; // Everything after it waits for the upload.
      else if (!this.#sent.has(this.#nextId)) this.#channel.shareFile(item.uploaded, { last, id: this.#nextId });
      this.#hasShown = true;
      this.#full.shift();
      this.#settled += 1;
    }
  }

  #settle(text: string, last: boolean): void {
    const id = this.#nextId;
    const shown = this.#growing?.text ?? this.#replaced.get(id) ?? this.#sent.get(id);
    this.#replaced.delete(id);
    if (shown === undefined) this.#channel.sendText(text, { last, id });
    else if (shown !== text) this.#channel.sendText(text, { last, replaces: id });
    this.#growing = undefined;
  }

  /** Whether a text can be the first that people see of the answer. */
  #isPresentable(text: string): boolean {
    return this.#hasShown || hasSentence(text) || this.#now() - (this.#begunAt ?? 0) >= FIRST_PIECE_MS;
  }

  /** Adds the unfinished code block, if both fit into the message. */
  #withHeld(rest: string): string {
    const all = `${rest}\n${this.#splitter.pending}`.trimEnd();
    return Array.from(all).length <= this.#limit ? all : rest;
  }

  #show(rest: string): void {
    const text = toMessageStyling(rest);
    const growing = this.#growing;
    this.#hasShown = true;
    if (growing === undefined) {
      const id = this.#nextId;
      const isReplaced = this.#replaced.delete(id);
      this.#channel.sendText(text, { last: false, ...(isReplaced ? { replaces: id } : { id }) });
      this.#growing = { text, edits: 0 };
    } else if (growing.text !== text && growing.edits < MAX_EDITS) {
      this.#channel.sendText(text, { replaces: this.#nextId, last: false });
      growing.text = text;
      growing.edits += 1;
    }
    this.#nextEditAt = this.#now() + EDIT_INTERVAL_MS + text.length * EDIT_MS_PER_CHARACTER;
  }
}

/** Whether a text has a whole sentence of two words at least. */
function hasSentence(text: string): boolean {
  const secondWord = /^\s*\S+\s+(?=\S)/.exec(text)?.[0].length;
  return secondWord !== undefined && /[.!?…:]\s|\n/.test(text.slice(secondWord));
}
