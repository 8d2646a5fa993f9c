/** The agent's interface to language models: a request goes in, an answer streams out, or a `ModelError` is thrown. */

import type { Echo } from './echo.js';

/**
 * One message of a request. `content` is always plain text, so that code that only needs text can ignore the other fields.
 */
export interface ChatMessage {
  readonly role: 'system' | 'user' | 'assistant' | 'tool';
  readonly content: string;
  /** The speaker, where there are several. Only a hint: not every provider passes it to the model, so rooms put it in `content` too. */
  readonly name?: string;
  /** Role `user`: pictures that go with the text. */
  readonly images?: readonly ModelImage[];
  /** Role `assistant`: tool calls. A message of role `tool` follows for each. */
  readonly toolCalls?: readonly ToolCall[];
  /** What goes back with them, if the model asked is the one that they came from. */
  readonly echo?: Echo;
  /** Role `tool`: the `id` of the call whose result is in `content`. */
  readonly toolCallId?: string;
}

/** A picture for a model with image input. */
export interface ModelImage {
  /** Such as `image/png`. */
  readonly mediaType: string;
  readonly base64: string;
}

/** A tool that the model can call. */
export interface ToolDefinition {
  readonly name: string;
  /** What it does and when to use it, for the model. */
  readonly description: string;
  /** JSON Schema of the arguments, of type `object`. */
  readonly parameters: Readonly<Record<string, unknown>>;
}

/** A call of a tool by the model. */
export interface ToolCall {
  /** Chosen by the model, unique within an answer. */
  readonly id: string;
  readonly name: string;
  /** JSON as written by the model; may be invalid. */
  readonly arguments: string;
}

/** The tokens of a request; `estimated` when the provider did not report them. */
export interface ModelUsage {
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly estimated: boolean;
}

/**
 * Why the model stopped: the answer is complete; it calls tools; it reached a length limit; a filter cut it; or another reason
 * of the provider's.
 */
export type FinishReason = 'stop' | 'tool-calls' | 'length' | 'content-filter' | 'other';

/** A piece of text as it arrives, or what to do with those before; then, exactly once and last, `done`. */
export type ModelEvent =
  | { readonly type: 'text'; readonly text: string }
  /** The text so far were thoughts: the answer begins with the next text. */
  | { readonly type: 'restart' }
  | {
      readonly type: 'done';
      /** The `name` of the model that answered, which may be the fallback. */
      readonly model: string;
      readonly finishReason: FinishReason;
      readonly usage: ModelUsage;
      /** Tool calls whose results the model needs to continue; absent when there are none. */
      readonly toolCalls?: readonly ToolCall[];
      /** What has to go back with them. */
      readonly echo?: Echo;
      /** The first model's error, when a fallback answered. For the log. */
      readonly insteadOf?: ModelError;
      /** For the log, once: a feature that the server rejected and that is not used any more. */
      readonly notice?: string;
    };

/** A request to a model. */
export interface ModelRequest {
  readonly messages: readonly ChatMessage[];
  /** Tools that the model can call. Default: none. */
  readonly tools?: readonly ToolDefinition[];
  /** Whether an answer may have no text, as after a reaction. Otherwise that is an error of kind `empty`. */
  readonly allowEmpty?: boolean;
  /** Aborts the request at once; the answer then rejects with the signal's reason. */
  readonly signal: AbortSignal;
}

/** A language model, or a chain of models with fallbacks. */
export interface Model {
  /** For people and logs: `openai/gpt-4o`. */
  readonly name: string;
  /**
   * Asks the model. Nothing is sent before the iteration starts. Text may arrive before an error.
   * @throws ModelError, or the reason of `request.signal` when that is aborted
   */
  answer(request: ModelRequest): AsyncIterable<ModelEvent>;
}

/** The kinds of failure, by what can be done about them. */
export type ModelErrorKind =
  /** The key is missing, wrong, or not valid for this model (401, 403). */
  | 'auth'
  /** The account has no credit left (402, or 429 with `insufficient_quota`). */
  | 'quota'
  /** Too many requests (429). */
  | 'rate-limited'
  /** The provider reports a failure of its own (5xx, 408, 409, 425, an error in mid-stream). */
  | 'unavailable'
  /** No connection to the provider. */
  | 'unreachable'
  /** No content arrived within the first time limit. */
  | 'timeout'
  /** Content arrived, then no more for too long. */
  | 'stalled'
  /** The stream ended before the answer did. */
  | 'truncated'
  /** The response does not follow the protocol: a web page, JSON of another shape, garbage. */
  | 'malformed'
  /** The answer ended properly but has no text. */
  | 'empty'
  /** The model or the provider's filter declined to answer. */
  | 'refused'
  /** The conversation does not fit the model's context. */
  | 'too-long'
  /** The model wrote a tool call that its provider cannot read, which is chance. */
  | 'bad-call'
  /** The provider rejects the request: wrong model name, wrong base_url, an unknown parameter. */
  | 'bad-request';

const PUBLIC_TEXT: Readonly<Record<ModelErrorKind, string>> = {
  auth: 'The model does not accept my credentials; my operator needs to look into it.',
  quota: 'My credit with the model provider is used up; my operator needs to look into it.',
  'rate-limited': 'The model is too busy right now; please ask again in a minute.',
  unavailable: 'The model is unavailable at the moment; please try again later.',
  unreachable: 'I cannot reach the model at the moment; please try again later.',
  timeout: 'The model took too long to start its answer; please try again.',
  stalled: 'The model stopped in the middle of its answer; please try again.',
  truncated: "The model's answer was cut off; please try again.",
  malformed: 'The model sent something I cannot read; my operator needs to look into it.',
  empty: 'The model gave no answer; please rephrase your question.',
  refused: 'The model declined to answer that.',
  'too-long': 'Our conversation is too long for the model; /new starts a fresh one.',
  'bad-call': 'The model stumbled over one of its tools; please try again.',
  'bad-request': 'The model rejected the request; my operator needs to look into it.',
};

/**
 * A model did not answer, or not completely.
 *
 * `message` is for the log and the operator: provider, model and host, the provider's text (cleaned and cut), what to do.
 * `publicText` is for the chat: one plain sentence without text of the provider. Neither contains a key. There is no
 * `cause`: the underlying errors contain whole pages, headers and sometimes the key, and loggers print causes.
 */
export class ModelError extends Error {
  override readonly name = 'ModelError';
  readonly kind: ModelErrorKind;
  readonly publicText: string;
  /** The HTTP status, if the provider sent one. */
  readonly status: number | undefined;
  /** The delay that the provider asks for, in milliseconds, if any. */
  readonly retryAfterMs: number | undefined;

  constructor(
    kind: ModelErrorKind,
    message: string,
    details: { readonly status?: number | undefined; readonly retryAfterMs?: number | undefined } = {},
  ) {
    super(message);
    this.kind = kind;
    this.publicText = PUBLIC_TEXT[kind];
    this.status = details.status;
    this.retryAfterMs = details.retryAfterMs;
  }
}
