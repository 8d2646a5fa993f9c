/**
 * The format of a history file: JSON Lines in UTF-8, append-only, readable by a person.
 *
 * Every line has `v` (the version of its kind, 1 so far), `kind`, and `at` (ISO 8601, UTC). The kinds of version 1:
 *
 * - `session`: the first line of every file. `conversation` is the id; `continues` means that the previous file was full.
 *   Without it a new session starts, and nothing older is shown to the model.
 * - `question`, `context`: a received message. A question needs an answer; context does not.
 *   `key` and `alias` identify duplicates, `speaker` and `text` are untrusted, `reference` is data of the channel.
 *   `about` is the earlier message that it replies or reacts to, as the bot remembers it.
 * - `command`: a received command, pending until settled: its `name` without the slash, and its `argument`. `from` is the sender, for
 *   the access rules. The model does not see it.
 * - `done`: the command `key` ran or was dropped.
 * - `answer`: the model's answer to the questions `keys`; written before it is sent, with an `id`.
 *   `steps` are the tool calls that led to it, with what goes back to the model in `echo`; `begun` means that part of it was shown while it grew.
 * - `sending`: the answer `id` is about to be sent; from here on it may have arrived.
 * - `delivered`: the answer `id` was sent.
 * - `failed`: the questions or commands `keys` get no answer; `reason` is the sentence that was sent instead, if any.
 * - `corrected`: the sender of the message `key` corrected its text to `text`.
 * - `attached`: `media` are the attachments of the message `key`, in place of earlier ones.
 * - `retracted`: the message `key` was retracted and is no longer shown to the model. Its line stays.
 * - `reopened`: the last answer is discarded; its questions are unanswered again.
 * - `summary`: `text` replaces all turns before it. Like `reopened`, it settles the command `by` that asked for it.
 * - `model`: the model of this session from here on.
 *
 * A reader skips unknown kinds and versions and damaged lines, and leaves them in the file. Records about an earlier message name it
 * by its `key`.
 */
import { z } from 'zod';
import type { ContentHash } from '../media/content-hash.js';
import type { Echo } from '../model/echo.js';
import type { ModelUsage, ToolCall } from '../model/model.js';

/** A message received in a conversation. */
export interface ReceivedMessage {
  /** Identifies duplicates of one message, however they arrive. Chosen by the channel. */
  readonly key: string;
  /** Another name of it, by which some of its duplicates are recognized. */
  readonly alias?: string;
  /** The sender's display name: untrusted text. */
  readonly speaker: string;
  readonly text: string;
  readonly at: Date;
  /** A question needs an answer; context does not. */
  readonly kind: 'question' | 'context';
  /** The verified sender: only the same author can correct or retract the message. Chosen by the channel. */
  readonly author?: string;
  /** The message id set by its author, which a correction refers to. */
  readonly id?: string;
  /** Another id set by its author, which retractions and replies may refer to. */
  readonly originId?: string;
  /** What it replies or reacts to. */
  readonly about?: RelatedMessage;
  readonly media?: readonly Attachment[];
  /** JSON that the channel needs to answer after a restart: where to reply, the stanza's id. */
  readonly reference?: unknown;
}

/** A command received in a conversation. */
export interface ReceivedCommand {
  readonly kind: 'command';
  /** Identifies duplicates, like the key and alias of a message. */
  readonly key: string;
  readonly alias?: string;
  readonly at: Date;
  /** Without the slash. */
  readonly name: string;
  readonly argument: string;
  /** The verified sender, like `ReceivedMessage.author`. */
  readonly author: string;
  /** The sender's JID, for the access rules. */
  readonly from: string;
  /** JSON that the channel needs to reply after a restart. */
  readonly reference?: unknown;
}

/** The earlier message that a reply or reaction refers to, from the bot's own history. */
export interface RelatedMessage {
  /** Absent for a message of the bot. */
  readonly speaker?: string;
  /** The beginning of its text; empty for a file without text. */
  readonly text: string;
  /** The emoji of a reaction, empty when it was removed; absent for a reply. */
  readonly reaction?: readonly string[];
}

/** A file sent with a message, as far as the model can use it. Every field is untrusted. */
export interface Attachment {
  readonly name: string;
  /** Media type, such as `image/png`, if known. */
  readonly type?: string;
  /** In bytes, if known. */
  readonly size?: number;
  /** The content of a text file; may be cut. */
  readonly text?: string;
  /** The name of a picture's file in the media store. */
  readonly file?: string;
  /** Why only a description is available: "larger than 20 MB". */
  readonly note?: string;
  /** Where the file can be fetched, until it has been tried. */
  readonly url?: string;
  /** The hash that the fetched file must have. */
  readonly hash?: ContentHash;
}

/** One round of tool calls on the way to an answer. */
export interface Step {
  /** The model's text before the calls. */
  readonly text: string;
  readonly calls: readonly (ToolCall & { readonly result: string })[];
  /** What goes back to the model with the calls. */
  readonly echo?: Echo;
}

/** An answer of the model. */
export interface Answer {
  readonly id: string;
  /** The keys of the questions it answers. */
  readonly keys: readonly string[];
  readonly text: string;
  readonly at: Date;
  readonly model?: string;
  readonly usage?: ModelUsage;
  readonly steps?: readonly Step[];
  /** JSON that the channel needs to send it after a restart. */
  readonly reference?: unknown;
  /** Whether part of it may have been sent already. */
  readonly begun?: boolean;
}

/** A model, by the name of its provider in the configuration and its own name. */
export interface ModelChoice {
  readonly provider: string;
  readonly model: string;
}

const time = z.iso.datetime().transform((text) => new Date(text));
const keys = z.array(z.string());
const media = z.array(
  z.object({
    name: z.string(),
    type: z.string().exactOptional(),
    size: z.number().exactOptional(),
    text: z.string().exactOptional(),
    file: z.string().exactOptional(),
    note: z.string().exactOptional(),
    url: z.string().exactOptional(),
    hash: z.object({ algorithm: z.string(), value: z.string() }).exactOptional(),
  }),
);
const received = {
  v: z.literal(1),
  key: z.string(),
  alias: z.string().exactOptional(),
  speaker: z.string(),
  text: z.string(),
  at: time,
  author: z.string().exactOptional(),
  id: z.string().exactOptional(),
  originId: z.string().exactOptional(),
  about: z
    .object({ speaker: z.string().exactOptional(), text: z.string(), reaction: z.array(z.string()).exactOptional() })
    .exactOptional(),
  media: media.exactOptional(),
  reference: z.unknown().exactOptional(),
};
const fields = z.record(z.string(), z.unknown());
const echo = z.object({ from: z.string(), message: fields.exactOptional(), calls: fields.exactOptional() });
const call = z.object({ id: z.string(), name: z.string(), arguments: z.string(), result: z.string() });

const schema = z.discriminatedUnion('kind', [
  z.object({
    v: z.literal(1),
    kind: z.literal('session'),
    at: time,
    conversation: z.string(),
    continues: z.boolean().exactOptional(),
  }),
  z.object({ kind: z.literal('question'), ...received }),
  z.object({ kind: z.literal('context'), ...received }),
  z.object({
    v: z.literal(1),
    kind: z.literal('command'),
    key: z.string(),
    alias: z.string().exactOptional(),
    at: time,
    name: z.string(),
    argument: z.string(),
    author: z.string(),
    from: z.string(),
    reference: z.unknown().exactOptional(),
  }),
  z.object({ v: z.literal(1), kind: z.literal('done'), at: time, key: z.string() }),
  z.object({
    v: z.literal(1),
    kind: z.literal('answer'),
    at: time,
    id: z.string(),
    keys,
    text: z.string(),
    model: z.string().exactOptional(),
    usage: z.object({ promptTokens: z.number(), completionTokens: z.number(), estimated: z.boolean() }).exactOptional(),
    steps: z.array(z.object({ text: z.string(), calls: z.array(call), echo: echo.exactOptional() })).exactOptional(),
    reference: z.unknown().exactOptional(),
    begun: z.boolean().exactOptional(),
  }),
  z.object({ v: z.literal(1), kind: z.literal('sending'), at: time, id: z.string() }),
  z.object({ v: z.literal(1), kind: z.literal('delivered'), at: time, id: z.string() }),
  z.object({ v: z.literal(1), kind: z.literal('failed'), at: time, keys, reason: z.string().exactOptional() }),
  z.object({ v: z.literal(1), kind: z.literal('corrected'), at: time, key: z.string(), text: z.string() }),
  z.object({ v: z.literal(1), kind: z.literal('attached'), at: time, key: z.string(), media }),
  z.object({ v: z.literal(1), kind: z.literal('retracted'), at: time, key: z.string() }),
  z.object({ v: z.literal(1), kind: z.literal('reopened'), at: time, by: z.string().exactOptional() }),
  z.object({
    v: z.literal(1),
    kind: z.literal('summary'),
    at: time,
    text: z.string(),
    by: z.string().exactOptional(),
  }),
  z.object({ v: z.literal(1), kind: z.literal('model'), at: time, provider: z.string(), model: z.string() }),
]);

const KINDS: ReadonlySet<unknown> = new Set(schema.options.map((option) => option.shape.kind.value));

/** One line of a history file that this version understands. */
export type HistoryRecord = z.infer<typeof schema>;

/** The result of parsing a line. Only records are used; other lines stay in the file. */
export type ParsedLine =
  { readonly is: 'record'; readonly record: HistoryRecord } | { readonly is: 'unknown' } | { readonly is: 'damaged' };

/** Parses a line (without its line feed). Never throws: a file can contain anything. */
export function readLine(line: string): ParsedLine {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    return { is: 'damaged' };
  }
  if (typeof json !== 'object' || json === null || !('kind' in json) || !('v' in json)) return { is: 'damaged' };
  if (json.v !== 1 || !KINDS.has(json.kind)) return { is: 'unknown' };
  const read = schema.safeParse(json);
  return read.success ? { is: 'record', record: read.data } : { is: 'damaged' };
}

/**
 * Formats a record as a line, with its line feed, and returns the record as `readLine` reads it: memory holds exactly what was
 * written.
 *
 * @throws TypeError or RangeError when the record is not JSON, or its time is invalid
 */
export function writeLine(record: NewRecord): { readonly line: string; readonly record: HistoryRecord } {
  const { kind, at, ...rest } = record;
  const line = JSON.stringify({ v: 1, kind, at: at.toISOString(), ...rest });
  const read = readLine(line);
  if (read.is !== 'record') throw new TypeError(`a record of kind ${kind} would not be readable again`);
  return { line: `${line}\n`, record: read.record };
}

/** A record before it is written, without its version. */
export type NewRecord =
  | (Answer & { readonly kind: 'answer' })
  | ReceivedMessage
  | ReceivedCommand
  | { readonly kind: 'done'; readonly at: Date; readonly key: string }
  | { readonly kind: 'session'; readonly at: Date; readonly conversation: string; readonly continues?: boolean }
  | { readonly kind: 'sending' | 'delivered'; readonly at: Date; readonly id: string }
  | { readonly kind: 'corrected'; readonly at: Date; readonly key: string; readonly text: string }
  | { readonly kind: 'attached'; readonly at: Date; readonly key: string; readonly media: readonly Attachment[] }
  | { readonly kind: 'retracted'; readonly at: Date; readonly key: string }
  | { readonly kind: 'reopened'; readonly at: Date; readonly by?: string }
  | { readonly kind: 'summary'; readonly at: Date; readonly text: string; readonly by?: string }
  | (ModelChoice & { readonly kind: 'model'; readonly at: Date })
  | { readonly kind: 'failed'; readonly at: Date; readonly keys: readonly string[]; readonly reason?: string };
