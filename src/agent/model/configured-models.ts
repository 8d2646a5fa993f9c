/** The models of a configuration, each created once. */
import type { Config, ProviderConfig } from '../config/config.js';
import { firstListedModel } from './local-model.js';
import { ModelError, type Model } from './model.js';
import { createModel } from './openai-model.js';

/**
 * Returns a function that looks up a model by the names of provider and model, with the provider's fallbacks behind it.
 * The function throws ModelError for a provider that is not configured.
 */
export function configuredModels({ providers }: Pick<Config, 'providers'>): (provider: string, model: string) => Model {
  const models = new Map<string, Model>();

  const create = (provider: ProviderConfig, model: string): Model => {
    const key = `${provider.name} ${model}`;
    const known = models.get(key);
    if (known !== undefined) return known;
    const { name, baseUrl, apiKey, firstTokenSeconds, idleSeconds, retries } = provider;
    const settings = {
      name,
      baseUrl,
      apiKey,
      model,
      firstTokenMs: firstTokenSeconds * 1000,
      idleMs: idleSeconds * 1000,
      retries,
    };
    const created = createModel(settings, fallbackOf(provider));
    models.set(key, created);
    return created;
  };
  const fallbackOf = ({ fallback }: ProviderConfig): Model | undefined => {
    const provider = fallback === undefined ? undefined : providers.get(fallback);
    const model = provider?.models[0];
    if (provider === undefined) return undefined;
    return model === undefined ? withFirstListed(provider) : create(provider, model);
  };
  /** A local provider needs no configured models: it is asked for its list when a request is made. */
  const withFirstListed = (provider: ProviderConfig): Model => ({
    name: provider.name,
    async *answer(request) {
      const model = await firstListedModel(provider.baseUrl);
      if (model === undefined)
        throw new ModelError('unreachable', `${provider.name} lists no model at ${provider.baseUrl}/models`);
      yield* create(provider, model).answer(request);
    },
  });

  return (name, model) => {
    const provider = providers.get(name);
    if (provider === undefined)
      throw new ModelError('bad-request', `there is no provider '${name}' in the configuration`);
    return create(provider, model);
  };
}
