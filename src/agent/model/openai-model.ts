/** A model behind an OpenAI-compatible endpoint, through chat.completions of the `openai` package. */
import type OpenAI from 'openai';
import { delay } from '../../xmpp-core/deadline.js';
import { isPermanentRejection, rejectedFeature } from './optional-features.js';
import { withFallback } from './fallback.js';
import type { Model, ModelEvent, ModelRequest } from './model.js';
import { ModelError } from './model.js';
import { openAiFetch } from './openai-fetch.js';
import { askOnce } from './openai-request.js';
import { errorFactory, modelName } from './provider.js';
import type { ModelProvider } from './provider.js';
import type { OptionalFeature } from './request-body.js';
import { retryDelay } from './retry.js';

/** The longest timer that Node supports: in effect, never. */
const NEVER_MS = 2 ** 31 - 1;

/** A feature that the server rejected, and its error. */
interface Rejection {
  readonly feature: OptionalFeature;
  readonly error: ModelError;
}

/**
 * Creates the model of a provider. The `openai` package is loaded with the first request, which also rejects with a `ModelError` when
 * the settings cannot work.
 * @param fallback asked when this model fails before any text
 * @param wait how to wait between attempts; for tests
 */
export function createModel(provider: ModelProvider, fallback?: Model, wait: typeof delay = delay): Model {
  let client: Promise<OpenAI> | undefined;
  /** Features that this model is known not to support. */
  const unsupported = new Set<OptionalFeature>();

  /** Retries until there is content or a retry is of no use. */
  async function* answer(request: ModelRequest): AsyncGenerator<ModelEvent, void, undefined> {
    const without = new Set(unsupported);
    let rejections: readonly Rejection[] = [];
    for (let attempt = 0; ; attempt += 1) {
      let hasContent = false;
      try {
        request.signal.throwIfAborted();
        client ??= openClient(provider);
        for await (const event of askOnce(await client, provider, request, without)) {
          if (!hasContent) for (const { feature } of rejections) unsupported.add(feature);
          hasContent = true;
          yield event.type === 'done' ? { ...event, ...noticeOf(rejections) } : event;
        }
        return;
      } catch (error) {
        if (hasContent || request.signal.aborted || !(error instanceof ModelError)) throw error;
        const feature = rejectedFeature(error, request, without, attempt >= provider.retries);
        if (feature !== undefined) {
          without.add(feature);
          // Remembered only once the model has answered without it: the error may have been about something else.
          if (isPermanentRejection(feature, error) && !unsupported.has(feature))
            rejections = [...rejections, { feature, error }];
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

/** Sets every option that the package would read from the environment, so that nothing meant for OpenAI reaches another provider. */
async function openClient(provider: ModelProvider): Promise<OpenAI> {
  const fail = errorFactory(provider);
  const { baseUrl, apiKey } = provider;
  const url = URL.canParse(baseUrl) ? new URL(baseUrl) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') {
    throw fail('bad-request', 'needs an http: or https: base_url without a user name');
  }
  if (apiKey !== undefined && !/^[\x21-\x7e]+$/.test(apiKey.reveal())) {
    throw fail('auth', 'has an api_key that is empty or has invalid characters, such as spaces');
  }
  // Loaded on demand: it takes about 90 ms and 13 MB.
  const { OpenAI } = await import('openai');
  try {
    return new OpenAI({
      baseURL: baseUrl,
      // The package requires a key; openAiFetch adds the real one.
      apiKey: 'unused',
      adminAPIKey: null,
      organization: null,
      project: null,
      webhookSecret: null,
      logLevel: 'off',
      maxRetries: 0,
      // This timeout covers only the headers; RequestDeadline enforces ours.
      timeout: NEVER_MS,
      fetch: openAiFetch(apiKey),
    });
  } catch (error) {
    // The package reads OPENAI_CUSTOM_HEADERS whatever the options are; it may be malformed.
    throw fail('bad-request', 'could not be set up: is OPENAI_CUSTOM_HEADERS malformed?', { said: String(error) });
  }
}

/** The log's notice about rejected features; missing usage figures need none. */
function noticeOf(rejections: readonly Rejection[]): { notice?: string } {
  const noticed = rejections.filter(({ feature }) => feature !== 'usage');
  if (noticed.length === 0) return {};
  return {
    notice: noticed
      .map(({ feature, error }) => `${feature} will be left out of requests from now on, because ${error.message}`)
      .join('; '),
  };
}

function afterAttempts(error: ModelError, attempts: number): ModelError {
  return new ModelError(error.kind, `${error.message} (after ${attempts} attempts)`, error);
}
