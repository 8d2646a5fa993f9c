/** The models that a configuration speaks of, each made once. */
import type { Config, ProviderConfig } from '../config/config.js';
import { ModelError, type Model } from './model.js';
import { createModel } from './openai-model.js';

/**
 * Gives the model of a provider by their names, with the provider's fallbacks behind it.
 * The function throws ModelError for a provider that the configuration does not know.
 */
export function configuredModels({ providers }: Pick<Config, 'providers'>): (provider: string, model: string) => Model {
  const made = new Map<string, Model>();

  const make = (provider: ProviderConfig, model: string): Model => {
    const key = `${provider.name} ${model}`;
    const known = made.get(key);
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
    made.set(key, created);
    return created;
  };
  const fallbackOf = ({ fallback }: ProviderConfig): Model | undefined => {
    const provider = fallback === undefined ? undefined : providers.get(fallback);
    const model = provider?.models[0];
    return provider === undefined || model === undefined ? undefined : make(provider, model);
  };

  return (name, model) => {
    const provider = providers.get(name);
    if (provider === undefined)
      throw new ModelError('bad-request', `there is no provider '${name}' in the configuration`);
    return make(provider, model);
  };
}
