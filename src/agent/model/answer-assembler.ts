/** Assembles an answer from the chunks of a stream. */
import { AnswerText, type AnswerPiece } from './answer-text.js';
import { EchoCollector } from './echo.js';
import type { ModelEvent, ModelRequest, ModelUsage } from './model.js';
import type { Chunk, ReportedUsage } from './openai-chunk.js';
import { isFailureReason, toFinishReason } from './openai-chunk.js';
import type { ErrorFactory } from './provider.js';
import { estimateUsage } from './tokens.js';
import { ToolCallAssembler } from './tool-call-assembler.js';

/** Requests set no token limit, so a model that loops is stopped at this length. */
const MAX_CHARACTERS = 1_000_000;

const NO_CONTENT = { text: '', reasoning: '', refusal: '', toolCalls: [], delta: {} } as const;

/** What a chunk brings. */
export interface AddedChunk {
  /** Text to show. */
  readonly text: string;
  /** Whether the answer begins with that text, since what was shown before were thoughts. */
  readonly restarts: boolean;
  /** Keepalives, roles and empty deltas make no progress. */
  readonly isProgress: boolean;
}

/** Collects the chunks of one answer. */
export class AnswerAssembler {
  readonly #filter = new AnswerText();
  readonly #echo = new EchoCollector();
  #text = '';
  #reasoning = '';
  #refusal = '';
  readonly #toolCalls = new ToolCallAssembler();
  #argumentsLength = 0;
  #finishReason: string | undefined;
  #hasBegun = false;
  #hasEnded = false;
  #usage: ReportedUsage | undefined;

  /** Adds a chunk. */
  add(chunk: Chunk): AddedChunk {
    this.#hasBegun = true;
    // Some servers end a stream with the whole message once more.
    const { text, reasoning, refusal, toolCalls, delta } = chunk.isWhole && !this.#isEmpty ? NO_CONTENT : chunk;
    const hasContent = text + reasoning + refusal !== '' || toolCalls.length > 0;
    const finishes = !hasContent && !this.#hasEnded && this.#canEnd(chunk.finishReason);
    const shown = this.#take(this.#filter.push(text));
    this.#reasoning += reasoning;
    this.#echo.add(delta);
    this.#refusal += refusal;
    for (const piece of toolCalls) {
      this.#toolCalls.add(piece);
      this.#argumentsLength += piece.arguments.length + piece.name.length;
    }
    this.#finishReason = chunk.finishReason ?? this.#finishReason;
    this.#hasEnded = finishes || (this.#hasEnded && !hasContent);
    this.#usage = latest(this.#usage, chunk.usage);
    if (this.isTooLong) this.#finishReason ??= 'length';
    return { ...shown, isProgress: hasContent || finishes };
  }

  /** Before any content, `stop` is no end: servers that give it with every piece give it with the role, too. */
  #canEnd(reason: string | undefined): boolean {
    return reason !== undefined && (!this.#isEmpty || toFinishReason(reason) !== 'stop');
  }

  /** Ends the text. @returns what was held back */
  endText(): Pick<AddedChunk, 'text' | 'restarts'> {
    return this.#take(this.#filter.end());
  }

  #take({ text, hidden, restarts }: AnswerPiece): Pick<AddedChunk, 'text' | 'restarts'> {
    // Thoughts cost tokens as well.
    this.#reasoning += restarts ? this.#text + hidden : hidden;
    this.#text = restarts ? text : this.#text + text;
    return { text, restarts };
  }

  /** The server has said that the answer is complete. Some give no finish reason. */
  end(): void {
    if (!this.#isEmpty) this.#finishReason ??= 'stop';
  }

  get #isEmpty(): boolean {
    return (
      this.#text + this.#reasoning + this.#refusal === '' && this.#argumentsLength === 0 && !this.#filter.isHolding
    );
  }

  /** Whether a chunk has arrived. */
  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  /** Whether a finish reason has arrived: from then on the answer stands, whatever happens to the connection. */
  get isFinished(): boolean {
    return this.#finishReason !== undefined;
  }

  /** Whether the last chunk with anything in it brought nothing but the finish reason. */
  get hasEnded(): boolean {
    return this.#hasEnded;
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
    if (isFailureReason(this.#finishReason)) throw fail('unavailable', `ended its answer with ${this.#finishReason}`);
    // A filter may have cut off a call in the middle.
    const isFiltered = toFinishReason(this.#finishReason) === 'content-filter';
    const { calls, extras } = this.#toolCalls.finish();
    const toolCalls = isFiltered ? [] : calls;
    const echo = toolCalls.length === 0 ? undefined : this.#echo.finish(model, extras);
    const callArguments = toolCalls.map((call) => call.arguments).join('');
    const declined = this.#refusal !== '' || isFiltered;
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
      usage: completed(this.#usage, estimateUsage(messages, this.#text + this.#reasoning + callArguments)),
      ...(toolCalls.length > 0 && { toolCalls }),
      ...(echo !== undefined && { echo }),
    };
  }
}

/** The last figures that are not zero: some servers count while they write, some report the two figures apart. */
function latest(before: ReportedUsage | undefined, next: ReportedUsage | undefined): ReportedUsage | undefined {
  if (before === undefined || next === undefined) return next ?? before;
  return {
    promptTokens: next.promptTokens || before.promptTokens,
    completionTokens: next.completionTokens || before.completionTokens,
  };
}

/** What a server reports as nothing is estimated: otherwise no limit of tokens would ever be reached. */
function completed(reported: ReportedUsage | undefined, estimate: ModelUsage): ModelUsage {
  const { promptTokens = 0, completionTokens = 0 } = reported ?? {};
  const isComplete = promptTokens > 0 && (completionTokens > 0 || estimate.completionTokens === 0);
  if (isComplete) return { promptTokens, completionTokens, estimated: false };
  return {
    promptTokens: promptTokens > 0 ? promptTokens : estimate.promptTokens,
    completionTokens: completionTokens > 0 ? completionTokens : estimate.completionTokens,
    estimated: true,
  };
}
