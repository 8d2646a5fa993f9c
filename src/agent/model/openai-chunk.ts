/** Reading one chunk of a streamed completion, whatever a server made of it. */
import type { FinishReason, ModelUsage } from './model.js';
import type { ToolCallPiece } from './tool-call-assembler.js';

/** What a chunk says, as far as we use it. */
export interface Chunk {
  /** Text for the reader. */
  readonly text: string;
  /** What the model thinks before it speaks. Not shown, but work it has done. */
  readonly reasoning: string;
  /** The words in which it declines. */
  readonly refusal: string;
  /** Pieces of the calls of tools that it asks for. */
  readonly toolCalls: readonly ToolCallPiece[];
  /** The provider's own word for why it ended. */
  readonly finishReason: string | undefined;
  readonly usage: ModelUsage | undefined;
}

/** The chunk in `value`, or undefined when it is not even an object. Missing and ill-typed parts read as absent. */
export function readChunk(value: unknown): Chunk | undefined {
  if (!isObject(value)) return undefined;
  const choice = Array.isArray(value['choices']) ? objectOf((value['choices'] as unknown[])[0]) : {};
  const delta = objectOf(choice['delta']);
  const finishReason = choice['finish_reason'];
  return {
    text: textOf(delta['content'], 'text'),
    // DeepSeek and vLLM say reasoning_content, OpenRouter and Ollama reasoning, Mistral puts it among the parts of the content.
    reasoning: stringOf(delta['reasoning_content'] ?? delta['reasoning']) + textOf(delta['content'], 'thinking'),
    refusal: stringOf(delta['refusal']),
    toolCalls: Array.isArray(delta['tool_calls']) ? delta['tool_calls'].map(readToolCall) : [],
    finishReason: typeof finishReason === 'string' && finishReason !== '' ? finishReason : undefined,
    usage: readUsage(value['usage']),
  };
}

/** Our word for a provider's finish reason. */
export function toFinishReason(word: string): FinishReason {
  switch (word) {
    case 'stop':
    case 'eos':
    case 'end_turn':
      return 'stop';
    case 'length':
    case 'max_tokens':
    case 'model_length':
      return 'length';
    case 'content_filter':
      return 'content-filter';
    default:
      return 'other';
  }
}

function readUsage(value: unknown): ModelUsage | undefined {
  const usage = objectOf(value);
  const [promptTokens, completionTokens] = [usage['prompt_tokens'], usage['completion_tokens']];
  return isCount(promptTokens) && isCount(completionTokens)
    ? { promptTokens, completionTokens, estimated: false }
    : undefined;
}

function readToolCall(value: unknown): ToolCallPiece {
  const piece = objectOf(value);
  const called = objectOf(piece['function']);
  const given = called['arguments'];
  return {
    index: isCount(piece['index']) ? piece['index'] : undefined,
    id: stringOf(piece['id']),
    name: stringOf(called['name']),
    // Some give the arguments as what they are instead of as a text of JSON.
    arguments: isObject(given) ? JSON.stringify(given) : stringOf(given),
  };
}

/** A content is a string, or, with Mistral's reasoning models, a list of parts. */
function textOf(content: unknown, type: 'text' | 'thinking'): string {
  if (!Array.isArray(content)) return type === 'text' ? stringOf(content) : '';
  return content
    .map(objectOf)
    .filter((part) => part['type'] === type)
    .map((part) => (type === 'text' ? stringOf(part['text']) : textOf(part['thinking'], 'text')))
    .join('');
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function stringOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function objectOf(value: unknown): Record<string, unknown> {
  return isObject(value) ? value : {};
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
