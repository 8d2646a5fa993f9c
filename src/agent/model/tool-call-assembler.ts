/**
 * Assembles the tool calls of an answer from the pieces of a stream.
 *
 * OpenAI numbers the calls by `index` and sends name and id of each once. Other servers omit the index, use index 0 or the same id for every call,
 * repeat the name with every piece, send no ids, or put several calls into one. So a piece goes to the call that it identifies best, or starts a
 * new one.
 */
import { randomUUID } from 'node:crypto';
import type { ToolCall } from './model.js';

/** A piece of a call; missing texts are empty. */
export interface ToolCallPiece {
  readonly index: number | undefined;
  readonly id: string;
  readonly name: string;
  readonly arguments: string;
  /** What has to go back with the call; see `Echo`. */
  readonly extra?: unknown;
}

/** The calls of an answer. */
export interface AssembledCalls {
  readonly calls: readonly ToolCall[];
  /** What has to go back with them, by id. */
  readonly extras: ReadonlyMap<string, unknown>;
}

/** Further calls in one answer are dropped. */
const MAX_CALLS = 32;

interface PartialCall {
  readonly index: number | undefined;
  id: string;
  name: string;
  arguments: string;
  extra: unknown;
}

/** Collects the tool calls of one answer. */
export class ToolCallAssembler {
  readonly #calls: PartialCall[] = [];

  /** Adds a piece. */
  add(piece: ToolCallPiece): void {
    const call = this.#callOf(piece) ?? this.#start(piece);
    if (call === undefined) return;
    if (call.id === '') call.id = piece.id;
    if (piece.name !== call.name) call.name += piece.name;
    call.arguments += piece.arguments;
    call.extra ??= piece.extra;
  }

  /** The calls that have a name, each with a unique id; names contain only characters that the API accepts. */
  finish(): AssembledCalls {
    const calls: ToolCall[] = [];
    const extras = new Map<string, unknown>();
    const ids = new Set<string>();
    for (const { id: given, name: written, arguments: all, extra } of this.#calls) {
      const name = toolName(written);
      if (name === '') continue;
      for (const one of separated(all).slice(0, MAX_CALLS - calls.length)) {
        const id = given === '' || ids.has(given) ? `call_${randomUUID()}` : given;
        ids.add(id);
        calls.push({ id, name, arguments: one });
        if (extra !== undefined) extras.set(id, extra);
      }
    }
    return { calls, extras };
  }

  /** The call that a piece continues, if any. */
  #callOf(piece: ToolCallPiece): PartialCall | undefined {
    const { index, id, name } = piece;
    if (id !== '') {
      const known = this.#calls.findLast((call) => call.id === id);
      if (known !== undefined) return beginsAnother(known, piece) ? undefined : known;
    }
    const latest = index === undefined ? this.#calls.at(-1) : this.#calls.findLast((call) => call.index === index);
    if (latest === undefined || (id !== '' && latest.id !== '') || beginsAnother(latest, piece)) return undefined;
    // Without an index, a second name starts the next call, unless it only repeats the first.
    const startsNext =
      index === undefined && name !== '' && latest.name !== '' && (id !== '' || latest.arguments !== '');
    return startsNext ? undefined : latest;
  }

  #start({ index }: ToolCallPiece): PartialCall | undefined {
    if (this.#calls.length >= MAX_CALLS) return undefined;
    const call = { index, id: '', name: '', arguments: '', extra: undefined };
    this.#calls.push(call);
    return call;
  }
}

/** Whether a piece with a name and the beginning of an object comes after a call that is complete. */
function beginsAnother(call: PartialCall, piece: ToolCallPiece): boolean {
  return (
    piece.name !== '' &&
    call.name !== '' &&
    piece.arguments.trimStart().startsWith('{') &&
    call.arguments.trimEnd().endsWith('}') &&
    parsed(call.arguments) !== undefined
  );
}

/** The name without what models and templates put around it: `functions.now`, `default_api:now`, `now<|channel|>commentary`. */
function toolName(written: string): string {
  const bare = written.split('<|', 1)[0] ?? '';
  return bare
    .trim()
    .replace(/^(?:functions?|tools?|default_api)[.:](?=.)/, '')
    .replace(/[^\w-]/g, '_')
    .slice(0, 64);
}

/** The arguments of each call in a text: usually one. `null` means none, and JSON in a JSON string is taken out of it. */
function separated(text: string): readonly string[] {
  const value = parsed(text);
  if (value === null) return ['{}'];
  if (typeof value === 'string') return isObject(parsed(value)) ? [value] : [text];
  if (value !== undefined) return [text];
  const objects = objectsIn(text);
  return objects.length > 1 && objects.every((one) => isObject(parsed(one))) ? objects : [text];
}

/** Splits JSON objects that follow each other. */
function objectsIn(text: string): readonly string[] {
  const objects: string[] = [];
  let depth = 0;
  let start = 0;
  let isInString = false;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at];
    if (isInString) {
      if (character === '\\') at += 1;
      else if (character === '"') isInString = false;
    } else if (character === '"') isInString = true;
    else if (character === '{') depth += 1;
    else if (character === '}' && (depth -= 1) === 0) {
      objects.push(text.slice(start, at + 1).trim());
      start = at + 1;
    }
  }
  return text.slice(start).trim() === '' ? objects : [];
}

/** The value of a JSON text; `undefined` when it is not JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
