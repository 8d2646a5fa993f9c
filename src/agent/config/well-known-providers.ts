/** Providers with a built-in URL of their OpenAI-compatible endpoint. */

/** A provider that needs no `base_url`. */
export interface WellKnownProvider {
  readonly baseUrl: string;
  /** Whether it runs on this machine and needs no key. */
  readonly local: boolean;
  /** Whether names of its own models begin with its name: `openrouter/auto`, `groq/compound`. */
  readonly namesItself: boolean;
}

const hosted = (baseUrl: string, namesItself = false): WellKnownProvider => ({ baseUrl, local: false, namesItself });
const local = (port: number): WellKnownProvider => ({
  baseUrl: `http://127.0.0.1:${port}/v1`,
  local: true,
  namesItself: false,
});

/** By name. */
export const WELL_KNOWN_PROVIDERS: ReadonlyMap<string, WellKnownProvider> = new Map([
  ['openai', hosted('https://api.openai.com/v1')],
  ['anthropic', hosted('https://api.anthropic.com/v1')],
  ['openrouter', hosted('https://openrouter.ai/api/v1', true)],
  ['gemini', hosted('https://generativelanguage.googleapis.com/v1beta/openai')],
  ['groq', hosted('https://api.groq.com/openai/v1', true)],
  ['mistral', hosted('https://api.mistral.ai/v1')],
  ['deepseek', hosted('https://api.deepseek.com/v1')],
  ['xai', hosted('https://api.x.ai/v1')],
  ['together', hosted('https://api.together.xyz/v1')],
  ['ollama', local(11434)],
  ['lmstudio', local(1234)],
]);
