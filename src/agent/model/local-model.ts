/** Discovers models that are not configured: the list of a provider, and local servers on well-known ports. */
import { z } from 'zod';
import type { Model } from './model.js';
import { createModel } from './openai-model.js';

const SERVERS = [
  { name: 'ollama', port: 11434 },
  { name: 'lmstudio', port: 1234 },
  { name: 'local', port: 8000 },
] as const;
/** A local server answers within this time or is not running. */
const PROBE_MS = 500;

/** What `fetch` and the reading of its response throw: nobody listens (TypeError), no response in time (DOMException), no JSON, no list of models. */
const NO_MODEL_SERVER = [TypeError, DOMException, SyntaxError, z.ZodError] as const;

const listing = z.object({ data: z.array(z.object({ id: z.string() })) });

/** The first model of the first local server that lists one; `undefined` when there is none. */
export async function findLocalModel(): Promise<Model | undefined> {
  const found = await Promise.all(
    SERVERS.map(async (server) => ({ ...server, model: await firstListedModel(`http://127.0.0.1:${server.port}/v1`) })),
  );
  const first = found.find(({ model }) => model !== undefined);
  if (first?.model === undefined) return undefined;
  const { name, port, model } = first;
  const baseUrl = `http://127.0.0.1:${port}/v1`;
  return createModel({ name, baseUrl, apiKey: undefined, model, firstTokenMs: 60_000, idleMs: 30_000, retries: 1 });
}

/** The first model listed by an OpenAI-compatible endpoint without a key; `undefined` when it lists none or cannot be reached. */
export async function firstListedModel(baseUrl: string): Promise<string | undefined> {
  try {
    const response = await fetch(`${baseUrl}/models`, { signal: AbortSignal.timeout(PROBE_MS) });
    return listing.parse(await response.json()).data[0]?.id;
  } catch (error) {
    if (NO_MODEL_SERVER.some((kind) => error instanceof kind)) return undefined;
    throw error;
  }
}
