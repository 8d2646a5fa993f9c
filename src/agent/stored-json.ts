/** JSON values in a `Storage`. */
import { z } from 'zod';
import type { Storage } from '../xmpp-core/storage.js';

/**
 * Reads the JSON stored under a key. `undefined` when there is none, or it does not match the schema: such data is discarded and
 * collected again. Rejects when the storage does.
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
