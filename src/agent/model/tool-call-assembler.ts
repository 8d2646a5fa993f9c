/**
 * Assembles the tool calls of an answer from the pieces of a stream.
 *
 * OpenAI numbers the calls by `index` and sends name and id of each once. Other servers omit the index, use index 0 for every call,
 * repeat the name with every piece, or send no ids. So a piece goes to the call that it identifies best, or starts a new one.
 */
import { randomUUID } from 'node:crypto';
import type { ToolCall } from './model.js';

/** A piece of a call; missing texts are empty. */
export interface ToolCallPiece {
  readonly index: number | undefined;
  readonly id: string;
  readonly name: string;
  readonly arguments: string;
}

/** Further calls in one answer are dropped. */
const MAX_CALLS = 32;

interface PartialCall {
  readonly index: number | undefined;
  id: string;
  name: string;
  arguments: string;
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
  }

  /** The calls that have a name, each with a unique id; names contain only characters that the API accepts. */
  finish(): readonly ToolCall[] {
    const ids = new Set<string>();
    return this.#calls
      .filter(({ name }) => name.trim() !== '')
      .map(({ id: given, name, arguments: written }) => {
        const id = given === '' || ids.has(given) ? `call_${randomUUID()}` : given;
        ids.add(id);
        return {
          id,
          name: name
            .trim()
            .replace(/[^\w-]/g, '_')
            .slice(0, 64),
          arguments: written,
        };
      });
  }

  /** The call that a piece continues, if any. */
  #callOf({ index, id, name }: ToolCallPiece): PartialCall | undefined {
    if (id !== '') {
      const known = this.#calls.findLast((call) => call.id === id);
      if (known !== undefined) return known;
    }
    const latest = index === undefined ? this.#calls.at(-1) : this.#calls.findLast((call) => call.index === index);
    if (latest === undefined || (id !== '' && latest.id !== '')) return undefined;
    // Without an index, a second name starts the next call, unless it only repeats the first.
    const startsNext =
      index === undefined && name !== '' && latest.name !== '' && (id !== '' || latest.arguments !== '');
    return startsNext ? undefined : latest;
  }

  #start({ index }: ToolCallPiece): PartialCall | undefined {
    if (this.#calls.length >= MAX_CALLS) return undefined;
    const call = { index, id: '', name: '', arguments: '' };
    this.#calls.push(call);
    return call;
  }
}
