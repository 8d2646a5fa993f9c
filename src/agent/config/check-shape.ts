/** Validates a table with its zod schema, and reports the issues as findings. */
import { z } from 'zod';
import { settingName, type Report } from './report.js';
import { didYouMean } from './suggestion.js';
import type { Path } from './toml-document.js';

/**
 * Validates a value and reports its errors.
 * @param path the path of the value in the file
 * @returns the value with defaults, or `undefined` after errors
 */
export function checkShape<T extends z.ZodType>(
  report: Report,
  schema: T,
  path: Path,
  value: unknown,
): z.output<T> | undefined {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  for (const issue of result.error.issues) {
    const where = [...path, ...issue.path];
    if (issue.code === 'unrecognized_keys') {
      const known = keysAt(schema, issue.path);
      for (const key of issue.keys) report.errorAtKey([...where, key], `unknown key "${key}"${didYouMean(key, known)}`);
    } else {
      const detail: unknown = issue.code === 'custom' ? issue.params?.['detail'] : undefined;
      const shown = typeof detail === 'string' && !report.isFromEnvironment(where) ? `: ${detail}` : '';
      report.error(where, `${settingName(where)} ${issue.message}${shown}`);
    }
  }
  return undefined;
}

/** The known keys of the table at this path of the schema. */
function keysAt(schema: z.core.$ZodType, path: Path): readonly string[] {
  let inner = schema;
  for (const key of path) {
    inner = unwrap(inner);
    if (inner instanceof z.ZodObject) inner = inner.shape[String(key)] ?? inner;
    else if (inner instanceof z.ZodRecord) inner = inner.valueType;
  }
  inner = unwrap(inner);
  return inner instanceof z.ZodObject ? Object.keys(inner.shape) : [];
}

function unwrap(schema: z.core.$ZodType): z.core.$ZodType {
  let inner = schema;
  while (inner instanceof z.ZodDefault || inner instanceof z.ZodPrefault || inner instanceof z.ZodOptional)
    inner = inner.unwrap();
  return inner;
}
