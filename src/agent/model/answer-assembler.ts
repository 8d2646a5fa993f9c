/** What has come of an answer, and what it amounts to once nothing more comes. */
import type { ModelEvent, ModelRequest, ModelUsage } from './model.js';
import type { Chunk } from './openai-chunk.js';
import { toFinishReason } from './openai-chunk.js';
import type { ErrorFactory } from './provider.js';
import { estimateUsage } from './tokens.js';
import { ToolCallAssembler } from './tool-call-assembler.js';

/** No limit on tokens is sent, so a model that runs in circles is stopped here. */
const MAX_CHARACTERS = 1_000_000;

/** Gathers the chunks of one answer. */
export class AnswerAssembler {
  #text = '';
  #reasoning = '';
  #refusal = '';
  readonly #toolCalls = new ToolCallAssembler();
  #argumentsLength = 0;
  #finishReason: string | undefined;
  #usage: ModelUsage | undefined;

  /** Takes a chunk in. Tells whether it brought the answer forward; keepalives, roles and empty deltas do not. */
  add(chunk: Chunk): boolean {
    const said = chunk.text + chunk.reasoning + chunk.refusal;
    const news = said !== '' || chunk.toolCalls.length > 0;
    const finishes = chunk.finishReason !== undefined && !this.isFinished;
    this.#text += chunk.text;
    this.#reasoning += chunk.reasoning;
    this.#refusal += chunk.refusal;
    for (const piece of chunk.toolCalls) {
      this.#toolCalls.add(piece);
      this.#argumentsLength += piece.arguments.length + piece.name.length;
    }
    this.#finishReason ??= chunk.finishReason;
    this.#usage = chunk.usage ?? this.#usage;
    if (this.isTooLong) this.#finishReason ??= 'length';
    return news || finishes;
  }

  /** Whether the model has said that it is done: from then on nothing can take the answer back. */
  get isFinished(): boolean {
    return this.#finishReason !== undefined;
  }

  /** Whether it is so long that it has to end here. */
  get isTooLong(): boolean {
    const spoken = this.#text.length + this.#reasoning.length + this.#refusal.length;
    return spoken + this.#argumentsLength > MAX_CHARACTERS;
  }

  /**
   * The last event of the answer. Throws `ModelError` if it is none: broken off, declined, empty.
   * @param model the `name` of the model that gave it
   * @param request what was asked, to estimate its tokens
   */
  finish(model: string, { messages, allowEmpty: mayBeSilent = false }: ModelRequest, fail: ErrorFactory): ModelEvent {
    if (this.#finishReason === undefined) throw fail('truncated', 'ended its stream without a finish reason');
    if (this.#finishReason === 'error') throw fail('unavailable', 'ended its answer with an error');
    // What a filter cut off in mid-call is not what the model wanted.
    const toolCalls = this.#finishReason === 'content_filter' ? [] : this.#toolCalls.finish();
    const written = toolCalls.map((call) => call.arguments).join('');
    const declined = this.#refusal !== '' || this.#finishReason === 'content_filter';
    if (this.#text.trim() === '' && toolCalls.length === 0 && (declined || !mayBeSilent)) {
      throw declined
        ? fail('refused', 'declined to answer')
        : fail('empty', `ended its answer with ${this.#finishReason} and no text`);
    }
    return {
      type: 'done',
      model,
      // Many servers say that they stopped when they want tools used.
      finishReason: toolCalls.length > 0 ? 'tool-calls' : toFinishReason(this.#finishReason),
      usage: this.#usage ?? estimateUsage(messages, this.#text + this.#reasoning + written),
      ...(toolCalls.length > 0 && { toolCalls }),
    };
  }
}
