/** What the rest of the agent knows of a language model: a question goes in, an answer streams out, or a `ModelError` is thrown. */

/**
 * One message of the conversation as the model reads it.
 *
 * `content` is the plain text whatever else a message carries, so that who only reads or writes text need not know of the rest.
 */
export interface ChatMessage {
  readonly role: 'system' | 'user' | 'assistant' | 'tool';
  readonly content: string;
  /** Who speaks, where several people do. A hint: not every provider hands it to the model, so rooms say it in `content` too. */
  readonly name?: string;
  /** Of a user: pictures that go with the text. */
  readonly images?: readonly ModelImage[];
  /** Of the assistant: the tools it wants used. Each call is answered by a message of the role `tool` that follows. */
  readonly toolCalls?: readonly ToolCall[];
  /** Of a tool: the `id` of the call whose result `content` is. */
  readonly toolCallId?: string;
}

/** A picture for a model that sees. */
export interface ModelImage {
  /** Such as `image/png`. */
  readonly mediaType: string;
  readonly base64: string;
}

/** A tool that a model may use. */
export interface ToolDefinition {
  readonly name: string;
  /** What it does and when to use it, for the model. */
  readonly description: string;
  /** A JSON Schema of the arguments: an object. */
  readonly parameters: Readonly<Record<string, unknown>>;
}

/** A tool that a model wants used. */
export interface ToolCall {
  /** The model's own, to tell its calls apart. */
  readonly id: string;
  readonly name: string;
  /** JSON as the model wrote it, which may be none. */
  readonly arguments: string;
}

/** What a request cost, in tokens; `estimated` when the provider did not say and the figures are our own guess. */
export interface ModelUsage {
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly estimated: boolean;
}

/**
 * Why the model stopped: it had said everything; it wants tools used; it hit a limit of length; a filter cut it; some other word of
 * the provider's.
 */
export type FinishReason = 'stop' | 'tool-calls' | 'length' | 'content-filter' | 'other';

/** A piece of the answer as it comes; then, exactly once and last, `done`. */
export type ModelEvent =
  | { readonly type: 'text'; readonly text: string }
  | {
      readonly type: 'done';
      /** The `name` of the model that answered: the fallback's, if it had to. */
      readonly model: string;
      readonly finishReason: FinishReason;
      readonly usage: ModelUsage;
      /** The tools it wants used before it goes on; absent when there are none. */
      readonly toolCalls?: readonly ToolCall[];
      /** Set when a fallback answered: why the first model did not. For the log. */
      readonly insteadOf?: ModelError;
      /** Something that the model turned out not to take, and is not asked with any more. For the log, once. */
      readonly notice?: string;
    };

/** What is asked of a model. */
export interface ModelRequest {
  readonly messages: readonly ChatMessage[];
  /** What it may use; nothing unless given. */
  readonly tools?: readonly ToolDefinition[];
  /** Whether an answer without text is one too, as after a reaction; else it is an error of the kind `empty`. */
  readonly mayBeSilent?: boolean;
  /** Ends the request at once; the answer then rejects with the signal's reason. */
  readonly signal: AbortSignal;
}

/** Something that answers. */
export interface Model {
  /** For people and logs: `openai/gpt-4o`. */
  readonly name: string;
  /**
   * Asks the model. Nothing is sent before the first event is asked for.
   * Throws `ModelError`, or the reason of `request.signal` when that is aborted. Text may have come before the error.
   */
  answer(request: ModelRequest): AsyncIterable<ModelEvent>;
}

/** What went wrong, by what can be done about it. */
export type ModelErrorKind =
  /** The key is missing, wrong, or not good for this model (401, 403). */
  | 'auth'
  /** The account has no credit left (402, or 429 with `insufficient_quota`). */
  | 'quota'
  /** Too many requests (429). */
  | 'rate-limited'
  /** The provider is there and out of order (5xx, 408, 409, 425, an error in mid-stream). */
  | 'unavailable'
  /** No connection to the provider. */
  | 'unreachable'
  /** No content came within the first limit. */
  | 'timeout'
  /** Content came, and then no more for too long. */
  | 'stalled'
  /** The stream ended before the answer did. */
  | 'truncated'
  /** What came is not the protocol: a web page, JSON of another shape, garbage. */
  | 'malformed'
  /** The answer ended properly, with nothing in it. */
  | 'empty'
  /** The model or the provider's filter declined to answer. */
  | 'refused'
  /** The conversation does not fit the model's context. */
  | 'too-long'
  /** The provider does not take the request: wrong model name, wrong base_url, a parameter it does not know. */
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
  'bad-request': 'The model rejected the request; my operator needs to look into it.',
};

/**
 * A model did not answer, or not to the end.
 *
 * `message` is for the log and the operator: which provider, model and host, what it said (cleaned and cut), what to do.
 * `publicText` is for the chat: one plain sentence with nothing of the provider's in it. Neither ever holds a key. There is no
 * `cause`: the errors underneath carry whole pages, headers and sometimes the key itself, and loggers print causes.
 */
export class ModelError extends Error {
  override readonly name = 'ModelError';
  readonly kind: ModelErrorKind;
  readonly publicText: string;
  /** The HTTP status, if the provider gave one. */
  readonly status: number | undefined;
  /** How long the provider asks us to wait, in milliseconds, if it said so. */
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
