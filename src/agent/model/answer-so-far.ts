/** What has come of an answer, and what it amounts to once nothing more comes. */
import type { ChatMessage, ModelEvent, ModelUsage } from './model.js';
import type { Chunk } from './openai-chunk.js';
import { finishReasonOf } from './openai-chunk.js';
import type { ErrorMaker } from './provider.js';
import { estimateUsage } from './tokens.js';

/** No limit on tokens is sent, so a model that runs in circles is stopped here. */
const MAX_CHARACTERS = 1_000_000;

/** Gathers the chunks of one answer. */
export class AnswerSoFar {
  #text = '';
  #reasoning = '';
  #refusal = '';
  #finishReason: string | undefined;
  #usage: ModelUsage | undefined;

  /** Takes a chunk in. Tells whether it brought the answer forward; keepalives, roles and empty deltas do not. */
  add(chunk: Chunk): boolean {
    const news = chunk.text !== '' || chunk.reasoning !== '' || chunk.refusal !== '';
    const finishes = chunk.finishReason !== undefined && !this.finished;
    this.#text += chunk.text;
    this.#reasoning += chunk.reasoning;
    this.#refusal += chunk.refusal;
    this.#finishReason ??= chunk.finishReason;
    this.#usage = chunk.usage ?? this.#usage;
    if (this.overlong) this.#finishReason ??= 'length';
    return news || finishes;
  }

  /** Whether the model has said that it is done: from then on nothing can take the answer back. */
  get finished(): boolean {
    return this.#finishReason !== undefined;
  }

  /** Whether it is so long that it has to end here. */
  get overlong(): boolean {
    return this.#text.length + this.#reasoning.length + this.#refusal.length > MAX_CHARACTERS;
  }

  /**
   * The last event of the answer. Throws `ModelError` if it is none: broken off, declined, empty.
   * @param model the `name` of the model that gave it
   * @param messages what was asked, to estimate its tokens
   */
  conclude(model: string, messages: readonly ChatMessage[], fail: ErrorMaker): ModelEvent {
    if (this.#finishReason === undefined) throw fail('truncated', 'ended its stream without a finish reason');
    if (this.#finishReason === 'error') throw fail('unavailable', 'ended its answer with an error');
    if (this.#text.trim() === '') {
      const declined = this.#refusal !== '' || this.#finishReason === 'content_filter';
      throw declined
        ? fail('refused', 'declined to answer', { said: this.#refusal })
        : fail('empty', `ended its answer with ${this.#finishReason} and no text`);
    }
    return {
      type: 'done',
      model,
      finishReason: finishReasonOf(this.#finishReason),
      usage: this.#usage ?? estimateUsage(messages, this.#text + this.#reasoning),
    };
  }
}
