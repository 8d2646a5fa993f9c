/** Values of a `Storage` that are more than a text. */
import { z } from 'zod';
import type { Storage } from '../xmpp-core/storage.js';

/**
 * What was stored under a key as JSON; `undefined` when there is nothing, or nothing of this shape: what is damaged is learnt again.
 * Rejects when the storage does.
 */
export async function readStoredJson<Shape extends z.ZodType>(
  storage: Storage,
  key: string,
  shape: Shape,
): Promise<z.output<Shape> | undefined> {
  const read = json.pipe(shape).safeParse((await storage.get(key)) ?? 'null');
  return read.success ? read.data : undefined;
}

const json = z.string().transform((text, context): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    context.addIssue({ code: 'custom', message: 'not JSON' });
    return z.NEVER;
  }
});
