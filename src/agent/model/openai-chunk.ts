/** Reads one chunk of a streamed completion, tolerant of differences between servers. */
import type { FinishReason, ModelUsage } from './model.js';
import type { ToolCallPiece } from './tool-call-assembler.js';

/** The fields of a chunk that we use. */
export interface Chunk {
  /** Whether it is the whole message, and not the next piece of it. */
  readonly isWhole: boolean;
  /** All of it, for what has to go back to the provider. */
  readonly delta: Readonly<Record<string, unknown>>;
  /** Text of the answer. */
  readonly text: string;
  /** Reasoning before the answer: not shown, but it counts as progress and costs tokens. */
  readonly reasoning: string;
  /** Text of a refusal. */
  readonly refusal: string;
  readonly toolCalls: readonly ToolCallPiece[];
  /** The provider's own finish reason, in small letters. */
  readonly finishReason: string | undefined;
  readonly usage: ReportedUsage | undefined;
}

/** The tokens that a provider reports; 0 where it reports none. */
export type ReportedUsage = Omit<ModelUsage, 'estimated'>;

/**
 * Reads a chunk, or a whole completion in place of a stream; `undefined` when `value` is neither. Missing and mistyped fields count as
 * absent.
 */
export function readChunk(value: unknown): Chunk | undefined {
  if (!isObject(value)) return undefined;
  if (!('choices' in value) && !('usage' in value)) return undefined;
  const choice = Array.isArray(value['choices']) ? objectOf((value['choices'] as unknown[])[0]) : {};
  const isWhole = !isObject(choice['delta']) && isObject(choice['message']);
  const delta = objectOf(isWhole ? choice['message'] : choice['delta']);
  return {
    isWhole,
    delta,
    text: textOf(delta['content'], 'text'),
    // DeepSeek and vLLM send reasoning_content, OpenRouter and Ollama reasoning, Mistral a part of the content.
    reasoning: stringOf(delta['reasoning_content'] ?? delta['reasoning']) + textOf(delta['content'], 'thinking'),
    refusal: stringOf(delta['refusal']),
    toolCalls: Array.isArray(delta['tool_calls']) ? delta['tool_calls'].map(readToolCall) : [],
    finishReason: readFinishReason(choice['finish_reason']),
    // Moonshot writes it into the choice, Groq into a field of its own.
    usage: readUsage(value['usage']) ?? readUsage(choice['usage']) ?? readUsage(objectOf(value['x_groq'])['usage']),
  };
}

/**
 * Finds an error in an event of a response with status 200: under `error` or `errors`, or as the object itself (vLLM), or MiniMax's
 * `base_resp`.
 * @param name the name of the event
 * @returns what says it; `undefined` when the event is no error
 */
export function errorIn(value: unknown, name: string): unknown {
  if (!isObject(value)) return name === 'error' ? value : undefined;
  const { status_code: code } = objectOf(value['base_resp']);
  if (typeof code === 'number' && code !== 0) return value['base_resp'];
  return name === 'error' || isError(value) ? value : undefined;
}

function isError({ error, errors, object, type, success, ...fields }: Readonly<Record<string, unknown>>): boolean {
  if (error !== undefined && error !== null && error !== '' && error !== false) return true;
  if (Array.isArray(errors) && errors.length > 0) return true;
  if (object === 'error' || type === 'error' || success === false) return true;
  // SiliconFlow and Zhipu number their errors, Baidu has a field for the number.
  const { code, status, status_code: statusCode, error_code: errorCode } = fields;
  return Number(errorCode) > 0 || [code, status, statusCode].some((one) => Number(one) >= 400);
}

/** In small letters: some providers write `STOP`. `null` is also sent as a text. What is no word may be text of the answer. */
function readFinishReason(value: unknown): string | undefined {
  const reason = stringOf(value).toLowerCase();
  if (reason === '' || reason === 'null') return undefined;
  return /^[a-z_-]{1,40}$/.test(reason) ? reason : 'other';
}

/** Whether a finish reason says that the server failed: DeepSeek, Zhipu and vLLM have their own words for it. */
export function isFailureReason(reason: string): boolean {
  return /^(?:error|network_error|insufficient_system_resource|abort)$/.test(reason);
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
    case 'max_output_tokens':
    case 'model_context_window_exceeded':
    case 'model_length':
      return 'length';
    case 'content_filter':
    case 'safety':
    case 'recitation':
    case 'blocklist':
    case 'prohibited_content':
    case 'spii':
    case 'sensitive':
      return 'content-filter';
    default:
      return 'other';
  }
}

/** Zeros are no report: some servers send them in the last chunk, or always. */
function readUsage(value: unknown): ReportedUsage | undefined {
  const usage = objectOf(value);
  const [promptTokens, completionTokens] = [countOf(usage['prompt_tokens']), countOf(usage['completion_tokens'])];
  return promptTokens + completionTokens > 0 ? { promptTokens, completionTokens } : undefined;
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
    ...(piece['extra_content'] === undefined ? {} : { extra: piece['extra_content'] }),
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

function countOf(value: unknown): number {
  return isCount(value) ? value : 0;
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
