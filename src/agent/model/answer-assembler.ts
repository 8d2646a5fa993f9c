/** Assembles an answer from the chunks of a stream. */
import type { ModelEvent, ModelRequest, ModelUsage } from './model.js';
import type { Chunk } from './openai-chunk.js';
import { toFinishReason } from './openai-chunk.js';
import type { ErrorFactory } from './provider.js';
import { estimateUsage } from './tokens.js';
import { ToolCallAssembler } from './tool-call-assembler.js';

/** Requests set no token limit, so a model that loops is stopped at this length. */
const MAX_CHARACTERS = 1_000_000;

/** Collects the chunks of one answer. */
export class AnswerAssembler {
  #text = '';
  #reasoning = '';
  #refusal = '';
  readonly #toolCalls = new ToolCallAssembler();
  #argumentsLength = 0;
  #finishReason: string | undefined;
  #usage: ModelUsage | undefined;

  /** Adds a chunk. @returns whether it made progress; keepalives, roles and empty deltas do not */
  add(chunk: Chunk): boolean {
    const hasContent = chunk.text + chunk.reasoning + chunk.refusal !== '' || chunk.toolCalls.length > 0;
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
    return hasContent || finishes;
  }

  /** Whether a finish reason has arrived: from then on the answer stands, whatever happens to the stream. */
  get isFinished(): boolean {
    return this.#finishReason !== undefined;
  }

  /** Whether the answer has reached the maximum length and must end here. */
  get isTooLong(): boolean {
    const length = this.#text.length + this.#reasoning.length + this.#refusal.length;
    return length + this.#argumentsLength > MAX_CHARACTERS;
  }

  /**
   * Returns the last event of the answer.
   * @param model the `name` of the model
   * @param request the request, to estimate its tokens
   * @throws ModelError when the answer is truncated, declined or empty
   */
  finish(model: string, { messages, allowEmpty = false }: ModelRequest, fail: ErrorFactory): ModelEvent {
    if (this.#finishReason === undefined) throw fail('truncated', 'ended its stream without a finish reason');
    if (this.#finishReason === 'error') throw fail('unavailable', 'ended its answer with an error');
    // A filter may have cut off a call in the middle.
    const toolCalls = this.#finishReason === 'content_filter' ? [] : this.#toolCalls.finish();
    const callArguments = toolCalls.map((call) => call.arguments).join('');
    const declined = this.#refusal !== '' || this.#finishReason === 'content_filter';
    if (this.#text.trim() === '' && toolCalls.length === 0 && (declined || !allowEmpty)) {
      throw declined
        ? fail('refused', 'declined to answer')
        : fail('empty', `ended its answer with ${this.#finishReason} and no text`);
    }
    return {
      type: 'done',
      model,
      // Many servers report `stop` although there are tool calls.
      finishReason: toolCalls.length > 0 ? 'tool-calls' : toFinishReason(this.#finishReason),
      usage: this.#usage ?? estimateUsage(messages, this.#text + this.#reasoning + callArguments),
      ...(toolCalls.length > 0 && { toolCalls }),
    };
  }
}
