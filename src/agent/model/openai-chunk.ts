/** Reads one chunk of a streamed completion, tolerant of differences between servers. */
import type { FinishReason, ModelUsage } from './model.js';
import type { ToolCallPiece } from './tool-call-assembler.js';

/** The fields of a chunk that we use. */
export interface Chunk {
  /** Text of the answer. */
  readonly text: string;
  /** Reasoning before the answer: not shown, but it counts as progress and costs tokens. */
  readonly reasoning: string;
  /** Text of a refusal. */
  readonly refusal: string;
  readonly toolCalls: readonly ToolCallPiece[];
  /** The provider's own finish reason. */
  readonly finishReason: string | undefined;
  readonly usage: ModelUsage | undefined;
}

/** Reads a chunk; `undefined` when `value` is not an object. Missing and mistyped fields count as absent. */
export function readChunk(value: unknown): Chunk | undefined {
  if (!isObject(value)) return undefined;
  const choice = Array.isArray(value['choices']) ? objectOf((value['choices'] as unknown[])[0]) : {};
  const delta = objectOf(choice['delta']);
  const finishReason = choice['finish_reason'];
  return {
    text: textOf(delta['content'], 'text'),
    // DeepSeek and vLLM send reasoning_content, OpenRouter and Ollama reasoning, Mistral a part of the content.
    reasoning: stringOf(delta['reasoning_content'] ?? delta['reasoning']) + textOf(delta['content'], 'thinking'),
    refusal: stringOf(delta['refusal']),
    toolCalls: Array.isArray(delta['tool_calls']) ? delta['tool_calls'].map(readToolCall) : [],
    finishReason: typeof finishReason === 'string' && finishReason !== '' ? finishReason : undefined,
    usage: readUsage(value['usage']),
  };
}

/** Maps a provider's finish reason to ours. */
export function toFinishReason(reason: string): FinishReason {
  switch (reason) {
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
  const call = objectOf(piece['function']);
  const given = call['arguments'];
  return {
    index: isCount(piece['index']) ? piece['index'] : undefined,
    id: stringOf(piece['id']),
    name: stringOf(call['name']),
    // Some servers send the arguments as an object instead of a JSON string.
    arguments: isObject(given) ? JSON.stringify(given) : stringOf(given),
  };
}

/** Content is a string or, from Mistral's reasoning models, a list of parts. */
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
