/**
 * The calls of tools that an answer asks for, put together from the pieces they come in.
 *
 * OpenAI numbers the calls of an answer by `index` and names each once, with its id. Others leave the index out, or give every call the
 * index 0, repeat the name with every piece, or give no ids. So a piece belongs to the call it names most clearly, or begins a new one.
 */
import { randomUUID } from 'node:crypto';
import type { ToolCall } from './model.js';

/** A piece of a call; what is missing is empty. */
export interface ToolCallPiece {
  readonly index: number | undefined;
  readonly id: string;
  readonly name: string;
  readonly arguments: string;
}

/** More calls than this in one answer are nobody's plan. */
const MAX_CALLS = 32;

interface Growing {
  readonly index: number | undefined;
  id: string;
  name: string;
  arguments: string;
}

export class ToolCallAssembler {
  readonly #calls: Growing[] = [];

  /** Takes a piece in. */
  add(piece: ToolCallPiece): void {
    const call = this.#callOf(piece) ?? this.#begin(piece);
    if (call === undefined) return;
    if (call.id === '') call.id = piece.id;
    if (piece.name !== call.name) call.name += piece.name;
    call.arguments += piece.arguments;
  }

  /** The calls that have a name, each with an id of its own; a name is in the alphabet that the API takes. */
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

  /** The call that a piece goes on with, if it does. */
  #callOf({ index, id, name }: ToolCallPiece): Growing | undefined {
    if (id !== '') {
      const known = this.#calls.findLast((call) => call.id === id);
      if (known !== undefined) return known;
    }
    const latest = index === undefined ? this.#calls.at(-1) : this.#calls.findLast((call) => call.index === index);
    if (latest === undefined || (id !== '' && latest.id !== '')) return undefined;
    // Without a number, a name after a name begins the next call, unless it is the same one said again.
    const begins = index === undefined && name !== '' && latest.name !== '' && (id !== '' || latest.arguments !== '');
    return begins ? undefined : latest;
  }

  #begin({ index }: ToolCallPiece): Growing | undefined {
    if (this.#calls.length >= MAX_CALLS) return undefined;
    const call = { index, id: '', name: '', arguments: '' };
    this.#calls.push(call);
    return call;
  }
}
