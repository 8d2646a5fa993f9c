/** The settings of one provider and model, and its errors. */
import type { ChatMessage, ModelErrorKind } from './model.js';
import { ModelError } from './model.js';
import { quote } from './provider-text.js';

/** One model of one provider, as configured. */
export interface ModelProvider {
  /** Its name in the configuration: `openai`. */
  readonly name: string;
  /** The root of its API: `https://api.openai.com/v1`. */
  readonly baseUrl: string;
  /** Absent for servers without keys. Revealed only for the request's header. */
  readonly apiKey: { reveal(): string } | undefined;
  readonly model: string;
  /** How long to wait for the first content, in milliseconds, for each attempt. */
  readonly firstTokenMs: number;
  /** How long to wait between two pieces of content, in milliseconds. */
  readonly idleMs: number;
  /** How often to try again before the first content. */
  readonly retries: number;
}

const REMEDY: Readonly<Record<ModelErrorKind, (provider: string) => string>> = {
  auth: (provider) => `check api_key of [providers.${provider}] and the permissions of the key`,
  quota: (provider) => `check your plan and balance at ${provider}`,
  'rate-limited': () => 'wait, or ask the provider for a higher limit',
  unavailable: () => "try again later; the provider's status page may say more",
  unreachable: (provider) => `check base_url of [providers.${provider}], the network, and that the server runs`,
  timeout: (provider) => `raise first_token_s of [providers.${provider}] if the model is just slow`,
  stalled: (provider) => `raise idle_s of [providers.${provider}] if the model is just slow`,
  truncated: () => 'try again; a proxy in between may be cutting long answers',
  malformed: (provider) =>
    `check that base_url of [providers.${provider}] is the root of an OpenAI-compatible API, often ending in /v1`,
  empty: () => 'try again, or use another model',
  refused: () => 'rephrase the question, or use another model',
  'too-long': () => 'lower history_tokens, or use a model with a larger context',
  'bad-call': () => 'try again, or use another model',
  'bad-request': (provider) => `check model and base_url of [providers.${provider}]`,
};

/** The name for people and logs: `openai/gpt-4o`. */
export function modelName({ name, model }: Pick<ModelProvider, 'name' | 'model'>): string {
  return `${name}/${model}`;
}

/** Creates the errors of one provider: all have the same parts in the same order, and none contains the key. */
export interface ErrorFactory {
  /**
   * @param what what the provider did, such as `sent no content within 60000 ms`
   * @param details `said` is the provider's own text, if any: it is quoted, cleaned and cut, and the key is removed
   */
  (
    kind: ModelErrorKind,
    what: string,
    details?: {
      readonly said?: string | undefined;
      readonly status?: number | undefined;
      readonly retryAfterMs?: number | undefined;
    },
  ): ModelError;
}

/** The `ErrorFactory` for a provider. @param messages the messages of the request, which no error quotes */
export function errorFactory(provider: ModelProvider, messages: readonly ChatMessage[] = []): ErrorFactory {
  const host = URL.canParse(provider.baseUrl) ? new URL(provider.baseUrl).host : '(invalid base_url)';
  return (kind, what, { said = '', ...details } = {}) => {
    const written = messages.flatMap(({ content, toolCalls = [] }) => [
      content,
      ...toolCalls.map((call) => call.arguments),
    ]);
    const words = quote(said, provider.apiKey?.reveal(), written);
    const quoted = words === '' ? '' : `, saying ${words}`;
    return new ModelError(
      kind,
      `${modelName(provider)} at ${host} ${what}${quoted}; ${REMEDY[kind](provider.name)}`,
      details,
    );
  };
}
