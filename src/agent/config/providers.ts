/** `[providers.*]`: reads the providers, and checks references to them. */
import { checkShape } from './check-shape.js';
import type { ProviderConfig } from './config.js';
import type { Report } from './report.js';
import { providerSchema, providersOwnKeys, type ProviderShape } from './schema.js';
import { didYouMean } from './suggestion.js';
import { isTable, type Path, type TomlTable } from './toml-document.js';
import { isLoopback } from './values.js';
import { WELL_KNOWN_PROVIDERS } from './well-known-providers.js';

/** The providers of a file, and which of them are in use. */
export class Providers {
  readonly #report: Report;
  /** The providers with a table; `undefined` for a table with errors, whose name is still valid. */
  readonly #configured = new Map<string, ProviderShape | undefined>();
  readonly #used = new Set<string>();

  /** @param table the table `providers` */
  constructor(report: Report, table: TomlTable) {
    this.#report = report;
    for (const [name, value] of Object.entries(table)) {
      if (Object.hasOwn(providersOwnKeys, name)) continue;
      const path = ['providers', name];
      if (isTable(value)) this.#add(path, name, value);
      else report.errorAtKey(path, `unknown key "${name}"; a provider is a table, [providers.NAME]`);
    }
  }

  /** The names of the enabled providers with a table. */
  get configured(): readonly string[] {
    return [...this.#configured.keys()].filter((name) => !this.isDisabled(name));
  }

  /** Whether it has `enabled = false`. */
  isDisabled(name: string): boolean {
    return this.#configured.get(name)?.enabled === false;
  }

  /** Whether a provider has a table, or is a local one that needs none. */
  has(name: string): boolean {
    return this.#configured.has(name) || isLocal(name);
  }

  /** Marks a provider as used: missing settings are then errors, not warnings. */
  markUsed(name: string): void {
    this.#used.add(name);
  }

  /**
   * The name under which a provider is asked for a model. The bot shows models as `provider/model`, and people write them so in the file.
   * The provider's name is left out, with a warning, unless it can be a part of the model's own name.
   * @param path the setting that names the model
   */
  modelAskedFor(path: Path, provider: string, model: string): string {
    const listed = this.#shape(provider)?.models ?? [];
    return listed.includes(model) ? model : this.#askedFor(path, provider, model, listed);
  }

  /** The first of its models; `undefined` when it has none, or its table has errors. */
  firstModel(name: string): string | undefined {
    return this.#shape(name)?.models[0];
  }

  /** Whether its table has errors, so that its settings are unknown. */
  isBroken(name: string): boolean {
    return this.#configured.has(name) && this.#shape(name) === undefined;
  }

  /** The message for an unknown provider, with a suggestion. */
  describeNames(wrong: string): string {
    const names = [...new Set([...this.configured, ...localNames()])];
    return `must be a configured provider${didYouMean(wrong, names)}`;
  }

  /** Checks references between the providers and their missing settings. Call it after all `markUsed`. */
  finish(): ReadonlyMap<string, ProviderConfig> {
    this.#checkFallbacks();
    const providers = new Map<string, ProviderConfig>();
    for (const name of new Set([...this.#configured.keys(), ...this.#used])) {
      const shape = this.#shape(name);
      const provider = shape?.enabled === true ? this.#finishOne(name, shape) : undefined;
      if (provider) providers.set(name, provider);
    }
    return providers;
  }

  #add(path: Path, name: string, table: TomlTable): void {
    const shape = checkShape(this.#report, providerSchema, path, table);
    this.#configured.set(name, shape);
    // At a URL of its own there may be a router, whose models have names of this form.
    if (shape === undefined || shape.base_url !== undefined) return;
    const models = shape.models.map((model, index) => this.#askedFor([...path, 'models', index], name, model, []));
    this.#configured.set(name, { ...shape, models });
  }

  #askedFor(path: Path, provider: string, model: string, listed: readonly string[]): string {
    const prefix = `${provider}/`;
    const rest = model.startsWith(prefix) ? model.slice(prefix.length) : '';
    const builtIn = this.#shape(provider)?.base_url === undefined ? WELL_KNOWN_PROVIDERS.get(provider) : undefined;
    if (rest === '' || (builtIn?.namesItself === true && !rest.includes('/'))) return model;
    const isLeftOut = builtIn !== undefined || listed.includes(rest);
    const asked = isLeftOut ? rest : model;
    const quoted = this.#report.isFromEnvironment(path) ? '' : `: "${asked}"`;
    const remedy = `leave that out, or list the whole name in models of [providers.${provider}]`;
    this.#report.warning(
      path,
      isLeftOut
        ? `${provider} is asked for the model without "${prefix}"${quoted}`
        : `${provider} is asked for the model with "${prefix}"${quoted}; ${remedy}`,
    );
    return asked;
  }

  #shape(name: string): ProviderShape | undefined {
    if (this.#configured.has(name)) return this.#configured.get(name);
    return isLocal(name) ? providerSchema.parse({}) : undefined;
  }

  #finishOne(name: string, shape: ProviderShape): ProviderConfig | undefined {
    const path = ['providers', name];
    // The file may contain providers that only Moltis uses, so an unused provider may be incomplete.
    const severity = this.#used.has(name) ? 'error' : 'warning';
    const unused = severity === 'error' ? '' : ' (this provider is not used)';
    const wellKnown = WELL_KNOWN_PROVIDERS.get(name);
    const baseUrl = completeBaseUrl(shape.base_url, wellKnown?.baseUrl);
    if (baseUrl === undefined) {
      const hint = didYouMean(name, WELL_KNOWN_PROVIDERS.keys());
      this.#report.add(severity, path, `base_url is missing: "${name}" is not a well-known provider${unused}${hint}`);
      return undefined;
    }
    const onThisMachine = isLoopback(new URL(baseUrl));
    if (shape.api_key === undefined && wellKnown?.local === false && !onThisMachine) {
      this.#report.add(severity, path, `api_key is missing: ${name} requires one${unused}`);
      return undefined;
    }
    if (shape.api_key && baseUrl.startsWith('http:') && !onThisMachine) {
      this.#report.warning(
        [...path, 'base_url'],
        'base_url is http://: the key and all conversations are sent unencrypted',
      );
    }
    return {
      name,
      baseUrl,
      apiKey: shape.api_key,
      models: shape.models,
      fallback: this.#fallbackOf(name),
      firstTokenSeconds: shape.first_token_s,
      idleSeconds: shape.idle_s,
      retries: shape.retries,
    };
  }

  #checkFallbacks(): void {
    const reported = new Set<string>();
    for (const [name, shape] of this.#configured) {
      const fallback = shape?.enabled === true ? shape.fallback : undefined;
      if (fallback === undefined) continue;
      const path = ['providers', name, 'fallback'];
      if (!this.has(fallback)) {
        this.#report.error(path, `fallback ${this.describeNames(fallback)}`);
        continue;
      }
      if (this.isDisabled(fallback)) {
        this.#report.warning(path, `fallback has no effect: [providers.${fallback}] has enabled = false`);
        continue;
      }
      if (!this.isBroken(fallback) && this.firstModel(fallback) === undefined)
        this.#reportMissingModels(path, fallback);
      const cycle = this.#cycleFrom(name);
      if (cycle && !cycle.some((member) => reported.has(member))) {
        this.#report.error(path, `fallback is circular: ${[...cycle, name].join(', ')}`);
      }
      for (const member of cycle ?? []) reported.add(member);
    }
    // Iterating a set also visits values added on the way: the fallbacks of fallbacks.
    for (const name of this.#used) {
      const fallback = this.#fallbackOf(name);
      if (fallback !== undefined) this.#used.add(fallback);
    }
  }

  /** The cycle of fallbacks through this provider, or `undefined`. */
  #cycleFrom(start: string): readonly string[] | undefined {
    const visited = new Set([start]);
    let next = this.#fallbackOf(start);
    while (next !== undefined && !visited.has(next)) {
      visited.add(next);
      next = this.#fallbackOf(next);
    }
    return next === start ? [...visited] : undefined;
  }

  /** The provider that is asked when this one fails. */
  #fallbackOf(name: string): string | undefined {
    const fallback = this.#shape(name)?.fallback;
    return fallback !== undefined && this.has(fallback) && !this.isDisabled(fallback) ? fallback : undefined;
  }

  /** Reports a fallback without models. One on this machine needs none: it is asked for its list on demand. */
  #reportMissingModels(path: Path, fallback: string): void {
    const baseUrl = this.#shape(fallback)?.base_url ?? WELL_KNOWN_PROVIDERS.get(fallback)?.baseUrl;
    const onThisMachine = baseUrl !== undefined && isLoopback(new URL(baseUrl));
    const remedy = `list them in [providers.${fallback}]`;
    if (!onThisMachine) this.#report.error(path, `fallback needs a provider with models; ${remedy}`);
  }
}

function isLocal(name: string): boolean {
  return WELL_KNOWN_PROVIDERS.get(name)?.local === true;
}

function localNames(): readonly string[] {
  return [...WELL_KNOWN_PROVIDERS.keys()].filter(isLocal);
}

/** Moltis allows some well-known endpoints without their path (`http://localhost:11434`): then the built-in path is added. */
function completeBaseUrl(baseUrl: string | undefined, builtIn: string | undefined): string | undefined {
  if (baseUrl === undefined || builtIn === undefined) return baseUrl ?? builtIn;
  return new URL(baseUrl).pathname === '/' ? baseUrl + new URL(builtIn).pathname : baseUrl;
}
