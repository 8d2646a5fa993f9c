/**
 * What stands in a history file: one JSON object a line, UTF-8, only ever appended to, made to be read by a person.
 *
 * Every line has `v` (the version of its kind, 1 so far), `kind`, and `at` (ISO 8601, UTC). The kinds of version 1:
 *
 * - `session`: the first line of every file. `conversation` is the id; `continues` says that the file goes on where the
 *   one before it was full. Without it a new session begins, and nothing older is shown to the model.
 * - `question`, `context`: a message that was heard. A question is owed an answer; context is only to be known.
 *   `key` tells duplicates, `speaker` and `text` are the words of strangers, `reference` is the channel's own note.
 *   `about` is the earlier message that it replies or reacts to, as the bot remembers it.
 * - `command`: somebody gave the bot a command, which is owed its turn: the `name` without its slash, and the `argument`. `from` is who gave
 *   it, for the rules. The model sees nothing of it.
 * - `done`: the command `key` was carried out, or dropped.
 * - `answer`: what the model said to the questions `keys`; written before it is sent, under an `id`.
 *   `steps` are the tools it used on the way; `begun` says that people have seen some of it as it grew.
 * - `sending`: the answer `id` is about to be sent; from here on people may have it.
 * - `delivered`: the answer `id` has been sent.
 * - `failed`: the questions or commands `keys` get no answer; `reason` is the sentence people were given instead, if they were given one.
 * - `corrected`: who said the message `key` says that it should have been `text`.
 * - `attached`: `media` is what is known of the files of the message `key`, in place of what was.
 * - `retracted`: the message `key` was taken back, and is not shown to the model any more. The line that has it stays.
 * - `reopened`: the last answer does not count any more; its questions are owed another one.
 * - `summary`: `text` takes the place of all turns before it. Like `reopened`, it settles the command `by` which it was made.
 * - `model`: the model that is asked in this session from here on.
 *
 * A reader passes over kinds and versions it does not know, and over lines it cannot read, and leaves them where they are.
 * A kind that says something about an older message names it by its `key`.
 */
import { z } from 'zod';
import type { ContentHash } from '../media/content-hash.js';
import type { ModelUsage, ToolCall } from '../model/model.js';

/** A message that was heard in a conversation. */
export interface ReceivedMessage {
  /** Tells duplicates of one message, however they arrive. Chosen by the channel. */
  readonly key: string;
  /** The display name of who said it: untrusted text. */
  readonly speaker: string;
  readonly text: string;
  readonly at: Date;
  /** A question is owed an answer; context is only to be known. */
  readonly kind: 'question' | 'context';
  /** Who said it, as far as it can be proven: only the same author corrects or retracts it. Chosen by the channel. */
  readonly author?: string;
  /** The id that its author gave it, by which a correction names it. */
  readonly id?: string;
  /** What it replies or reacts to. */
  readonly about?: RelatedMessage;
  /** Files that came with it. */
  readonly media?: readonly Attachment[];
  /** Any JSON the channel needs to answer after a restart: where to reply, the stanza's id. */
  readonly reference?: unknown;
}

/** A command that somebody gave in a conversation. */
export interface ReceivedCommand {
  readonly kind: 'command';
  /** Tells duplicates, as that of a message does. */
  readonly key: string;
  readonly at: Date;
  /** Without the slash. */
  readonly name: string;
  readonly argument: string;
  /** Who gave it, as the authors of messages are written down. */
  readonly author: string;
  /** Who gave it, as the rules see them: a JID. */
  readonly from: string;
  /** Any JSON the channel needs to say what came of it. */
  readonly reference?: unknown;
}

/** An earlier message that somebody refers to, in the bot's own memory of it. */
export interface RelatedMessage {
  /** Who said it; the bot did where no speaker stands. */
  readonly speaker?: string;
  /** How it begins; empty for a file without words. */
  readonly text: string;
  /** The emoji of a reaction, none when it was taken back; without it, it is a reply. */
  readonly reaction?: readonly string[];
}

/** A file that somebody sent, as much of it as the model can use. All of it is untrusted. */
export interface Attachment {
  readonly name: string;
  /** Such as `image/png`, when it is known. */
  readonly type?: string;
  /** In bytes, when it is known. */
  readonly size?: number;
  /** What it says, of a text file; it may be cut. */
  readonly text?: string;
  /** Where a picture is kept, below the folder for media. */
  readonly file?: string;
  /** Why there is no more of it than a description: "larger than 20 MB". */
  readonly note?: string;
  /** Where it is to be had, as long as nobody has tried to. */
  readonly url?: string;
  /** What it has to have then. */
  readonly hash?: ContentHash;
}

/** Tools that were used together on the way to an answer. */
export interface Step {
  /** What the model said before it used them. */
  readonly text: string;
  readonly calls: readonly (ToolCall & { readonly result: string })[];
}

/** What the model said. */
export interface Answer {
  readonly id: string;
  /** The keys of the questions it answers. */
  readonly keys: readonly string[];
  readonly text: string;
  readonly at: Date;
  readonly model?: string;
  readonly usage?: ModelUsage;
  readonly steps?: readonly Step[];
  /** Any JSON the channel needs to send it after a restart. */
  readonly reference?: unknown;
  /** Whether people may have some of it already. */
  readonly begun?: boolean;
}

/** A model by the names that `modelOf` knows. */
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
const heard = {
  v: z.literal(1),
  key: z.string(),
  speaker: z.string(),
  text: z.string(),
  at: time,
  author: z.string().exactOptional(),
  id: z.string().exactOptional(),
  about: z
    .object({ speaker: z.string().exactOptional(), text: z.string(), reaction: z.array(z.string()).exactOptional() })
    .exactOptional(),
  media: media.exactOptional(),
  reference: z.unknown().exactOptional(),
};
const call = z.object({ id: z.string(), name: z.string(), arguments: z.string(), result: z.string() });

const schema = z.discriminatedUnion('kind', [
  z.object({
    v: z.literal(1),
    kind: z.literal('session'),
    at: time,
    conversation: z.string(),
    continues: z.boolean().exactOptional(),
  }),
  z.object({ kind: z.literal('question'), ...heard }),
  z.object({ kind: z.literal('context'), ...heard }),
  z.object({
    v: z.literal(1),
    kind: z.literal('command'),
    key: z.string(),
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
    steps: z.array(z.object({ text: z.string(), calls: z.array(call) })).exactOptional(),
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

/** What a line turned out to be. Only records count; the others are left alone. */
export type ParsedLine =
  { readonly is: 'record'; readonly record: HistoryRecord } | { readonly is: 'unknown' } | { readonly is: 'damaged' };

/** Reads a line (without its line feed). Never throws: anything can stand in a file. */
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
 * Writes a record as its line, line feed included, and gives the record back as a reader will find it: what is remembered
 * is exactly what was written.
 *
 * @throws TypeError or RangeError when the record is not JSON, or has a time that is none
 */
export function writeLine(record: NewRecord): { readonly line: string; readonly record: HistoryRecord } {
  const { kind, at, ...rest } = record;
  const line = JSON.stringify({ v: 1, kind, at: at.toISOString(), ...rest });
  const read = readLine(line);
  if (read.is !== 'record') throw new TypeError(`a record of kind ${kind} would not be readable again`);
  return { line: `${line}\n`, record: read.record };
}

/** A record as the code gives it: the version is the writer's business. */
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
