/** `[providers.*]`: the models' endpoints, and which of them may be named. */
import { checkShape } from './check-shape.js';
import type { ProviderConfig } from './config.js';
import type { Report } from './report.js';
import { providerSchema, providersOwnKeys, type ProviderShape } from './schema.js';
import { didYouMean } from './suggestion.js';
import { isTable, type Path, type TomlTable } from './toml-document.js';
import { isLoopback } from './values.js';
import { WELL_KNOWN_PROVIDERS } from './well-known-providers.js';

/** The providers of a file, and which of them something uses. */
export class Providers {
  readonly #report: Report;
  /** Those with a table. After errors in it a name has no shape, but it is a name still. */
  readonly #configured = new Map<string, ProviderShape | undefined>();
  readonly #used = new Set<string>();

  /** @param table what stands under `providers` */
  constructor(report: Report, table: TomlTable) {
    this.#report = report;
    for (const [name, value] of Object.entries(table)) {
      if (Object.hasOwn(providersOwnKeys, name)) continue;
      const path = ['providers', name];
      if (isTable(value)) this.#configured.set(name, checkShape(report, providerSchema, path, value));
      else report.errorAtKey(path, `unknown key "${name}"; a provider is a table, [providers.NAME]`);
    }
  }

  /** Names of those with a table. */
  get configured(): readonly string[] {
    return [...this.#configured.keys()];
  }

  /** True for a provider with a table, or a local one that needs none. */
  has(name: string): boolean {
    return this.#configured.has(name) || isLocal(name);
  }

  /** Marks a provider as used: what it lacks is then an error. */
  use(name: string): void {
    this.#used.add(name);
  }

  /** The first of its models; `undefined` when it has none, or errors of its own. */
  firstModel(name: string): string | undefined {
    return this.#shape(name)?.models[0];
  }

  /** True when its table has errors, so that nothing can be said about its contents. */
  isBroken(name: string): boolean {
    return this.#configured.has(name) && this.#shape(name) === undefined;
  }

  /** What would have been right instead of a name that is none of them. */
  describeNames(wrong: string): string {
    const names = [...new Set([...this.#configured.keys(), ...localNames()])];
    return `must be a configured provider${didYouMean(wrong, names)}`;
  }

  /** Checks what the tables say about each other and what they lack. To be called when all uses are known. */
  finish(): ReadonlyMap<string, ProviderConfig> {
    this.#checkFallbacks();
    const providers = new Map<string, ProviderConfig>();
    for (const name of new Set([...this.#configured.keys(), ...this.#used])) {
      const shape = this.#shape(name);
      const provider = shape && this.#finishOne(name, shape);
      if (provider) providers.set(name, provider);
    }
    return providers;
  }

  #shape(name: string): ProviderShape | undefined {
    if (this.#configured.has(name)) return this.#configured.get(name);
    return isLocal(name) ? providerSchema.parse({}) : undefined;
  }

  #finishOne(name: string, shape: ProviderShape): ProviderConfig | undefined {
    const path = ['providers', name];
    // A Moltis file may hold providers that only Moltis can use. What nothing here uses may lack what it likes.
    const severity = this.#used.has(name) ? 'error' : 'warning';
    const idle = severity === 'error' ? '' : ' (this provider is not used)';
    const wellKnown = WELL_KNOWN_PROVIDERS.get(name);
    const baseUrl = completeBaseUrl(shape.base_url, wellKnown?.baseUrl);
    if (baseUrl === undefined) {
      const hint = didYouMean(name, WELL_KNOWN_PROVIDERS.keys());
      this.#report.add(severity, path, `base_url is missing: "${name}" is not a well-known provider${idle}${hint}`);
      return undefined;
    }
    const onThisMachine = isLoopback(new URL(baseUrl));
    if (shape.api_key === undefined && wellKnown?.local === false && !onThisMachine) {
      this.#report.add(severity, path, `api_key is missing: ${name} requires one${idle}`);
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
      fallback: shape.fallback,
      firstTokenSeconds: shape.first_token_s,
      idleSeconds: shape.idle_s,
      retries: shape.retries,
    };
  }

  #checkFallbacks(): void {
    const reported = new Set<string>();
    for (const [name, shape] of this.#configured) {
      const fallback = shape?.fallback;
      if (fallback === undefined) continue;
      const path = ['providers', name, 'fallback'];
      if (!this.has(fallback)) {
        this.#report.error(path, `fallback ${this.describeNames(fallback)}`);
        continue;
      }
      if (!this.isBroken(fallback) && this.firstModel(fallback) === undefined) this.#missModels(path, fallback);
      const circle = this.#circleFrom(name);
      if (circle && !circle.some((member) => reported.has(member))) {
        this.#report.error(path, `fallback is circular: ${[...circle, name].join(', ')}`);
      }
      for (const member of circle ?? []) reported.add(member);
    }
    // A set visits what is added to it on the way: the fallbacks of fallbacks too.
    for (const name of this.#used) {
      const fallback = this.#shape(name)?.fallback;
      if (fallback !== undefined && this.has(fallback)) this.#used.add(fallback);
    }
  }

  /** The providers from this one back to itself, or `undefined`. */
  #circleFrom(start: string): readonly string[] | undefined {
    const way = new Set([start]);
    let next = this.#shape(start)?.fallback;
    while (next !== undefined && !way.has(next)) {
      way.add(next);
      next = this.#shape(next)?.fallback;
    }
    return next === start ? [...way] : undefined;
  }

  /** A fallback on this machine may lack models: it is asked which it has when it is needed. */
  #missModels(path: Path, fallback: string): void {
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

/** Moltis writes some well-known endpoints without their path (`http://localhost:11434`): it is the built-in one's then. */
function completeBaseUrl(baseUrl: string | undefined, builtIn: string | undefined): string | undefined {
  if (baseUrl === undefined || builtIn === undefined) return baseUrl ?? builtIn;
  return new URL(baseUrl).pathname === '/' ? baseUrl + new URL(builtIn).pathname : baseUrl;
}
