/** A model behind any OpenAI-compatible endpoint, asked through the `openai` package's chat.completions. */
import type OpenAI from 'openai';
import { delay } from '../../xmpp-core/deadline.js';
import { isForGood, refusedExtra } from './extras.js';
import { withFallback } from './fallback.js';
import type { Model, ModelEvent, ModelRequest } from './model.js';
import { ModelError } from './model.js';
import { openAiFetch } from './openai-fetch.js';
import { askOnce } from './openai-request.js';
import { errorsOf, modelName } from './provider.js';
import type { ModelProvider } from './provider.js';
import type { Extra } from './request-body.js';
import { retryDelay } from './retry.js';

/** The longest that a timer can run: in effect, never. */
const NEVER_MS = 2 ** 31 - 1;

/** An extra, and the error that says it is not taken. */
interface Refusal {
  readonly extra: Extra;
  readonly error: ModelError;
}

/**
 * The model that `provider` describes. Nothing is opened, and the `openai` package is not loaded, before the first question; settings
 * that cannot work are a `ModelError` then.
 * @param fallback asked when this one failed before any text was sent
 * @param wait how to wait between attempts
 */
export function createModel(provider: ModelProvider, fallback?: Model, wait: typeof delay = delay): Model {
  let client: Promise<OpenAI> | undefined;
  /** What this model does not take, as far as it is known. */
  const lacking = new Set<Extra>();

  /** Asks until there is content, or no use in asking. */
  async function* answer(request: ModelRequest): AsyncGenerator<ModelEvent, void, undefined> {
    const without = new Set(lacking);
    let refusals: readonly Refusal[] = [];
    for (let attempt = 0; ; attempt += 1) {
      let spoken = false;
      try {
        request.signal.throwIfAborted();
        client ??= openClient(provider);
        for await (const event of askOnce(await client, provider, request, without)) {
          if (!spoken) for (const { extra } of refusals) lacking.add(extra);
          spoken = true;
          yield event.type === 'done' ? { ...event, ...noticeOf(refusals) } : event;
        }
        return;
      } catch (error) {
        if (spoken || request.signal.aborted || !(error instanceof ModelError)) throw error;
        const extra = refusedExtra(error, request, without);
        if (extra !== undefined) {
          without.add(extra);
          // Kept in mind once the model has answered without it: the refusal may have been about something else.
          if (isForGood(extra, error) && !lacking.has(extra)) refusals = [...refusals, { extra, error }];
          attempt -= 1;
          continue;
        }
        const ms = attempt < provider.retries ? retryDelay(error, attempt) : undefined;
        if (ms === undefined) throw attempt === 0 ? error : afterAttempts(error, attempt + 1);
        await wait(ms, request.signal);
      }
    }
  }

  const model: Model = { name: modelName(provider), answer };
  return fallback === undefined ? model : withFallback(model, fallback);
}

/** Every option that the package would take from the environment is set here, so that nothing meant for OpenAI reaches another provider. */
async function openClient(provider: ModelProvider): Promise<OpenAI> {
  const fail = errorsOf(provider);
  const { baseUrl, apiKey } = provider;
  const url = URL.canParse(baseUrl) ? new URL(baseUrl) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') {
    throw fail('bad-request', 'needs an http: or https: base_url without a user name');
  }
  if (apiKey !== undefined && !/^[\x21-\x7e]+$/.test(apiKey.reveal())) {
    throw fail('auth', 'has an api_key that is empty or has invalid characters, such as spaces');
  }
  // Loading it takes about 90 ms and 13 MB.
  const { OpenAI } = await import('openai');
  try {
    return new OpenAI({
      baseURL: baseUrl,
      // The package insists on a key; the real one is added by openAiFetch.
      apiKey: 'unused',
      adminAPIKey: null,
      organization: null,
      project: null,
      webhookSecret: null,
      logLevel: 'off',
      maxRetries: 0,
      // Its limit covers no more than the headers; ours are kept by ContentWatch.
      timeout: NEVER_MS,
      fetch: openAiFetch(apiKey),
    });
  } catch (error) {
    // What is left in the environment: a malformed OPENAI_CUSTOM_HEADERS, which is read whatever the options say.
    throw fail('bad-request', 'could not be set up: is OPENAI_CUSTOM_HEADERS malformed?', { said: String(error) });
  }
}

/** What the log is told of extras that the model refused; that it does not count its tokens concerns nobody. */
function noticeOf(refusals: readonly Refusal[]): { notice?: string } {
  const told = refusals.filter(({ extra }) => extra !== 'usage');
  if (told.length === 0) return {};
  return {
    notice: told
      .map(({ extra, error }) => `${extra} will be left out of requests from now on, because ${error.message}`)
      .join('; '),
  };
}

function afterAttempts(error: ModelError, attempts: number): ModelError {
  return new ModelError(error.kind, `${error.message} (after ${attempts} attempts)`, error);
}
