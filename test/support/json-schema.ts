/** Looks at JSON by a JSON Schema of draft 7, as much of it as ours uses; a word that draft 7 or this reader does not know is a fault. */

type Json = Readonly<Record<string, unknown>>;

const KINDS: Readonly<Record<string, (value: unknown) => boolean>> = {
  object: (value) => isObject(value),
  array: (value) => Array.isArray(value),
  string: (value) => typeof value === 'string',
  boolean: (value) => typeof value === 'boolean',
  number: (value) => typeof value === 'number',
  integer: (value) => Number.isInteger(value),
};
/** What only tells. */
const NOTES: ReadonlySet<string> = new Set(['$schema', 'title', 'description', 'default']);

/** What is wrong with a value: `path: what`, none when it is right. @throws Error when the schema is no schema */
export function faultsOf(schema: unknown, value: unknown, path = ''): readonly string[] {
  if (!isObject(schema)) throw new Error(`the schema of ${path} is no object`);
  const { type } = schema;
  if (typeof type === 'string') {
    const isKind = KINDS[type];
    if (isKind === undefined) throw new Error(`there is no type ${type}`);
    if (!isKind(value)) return [`${path}: is no ${type}`];
  }
  return Object.entries(schema).flatMap(([word, rule]) => faultsBy(word, rule, schema, value, path));
}

function faultsBy(word: string, rule: unknown, schema: Json, value: unknown, path: string): readonly string[] {
  const below = (key: string): string => (path === '' ? key : `${path}.${key}`);
  const table = isObject(value) ? value : {};
  switch (word) {
    case 'type':
      return [];
    case 'properties':
      return Object.entries(objectOf(rule)).flatMap(([key, inner]) =>
        key in table ? faultsOf(inner, table[key], below(key)) : [],
      );
    case 'additionalProperties': {
      const others = Object.keys(table).filter((key) => !(key in objectOf(schema['properties'] ?? {})));
      if (rule === false) return others.map((key) => `${path}: ${key} is unknown`);
      return others.flatMap((key) => faultsOf(rule, table[key], below(key)));
    }
    case 'propertyNames':
      return Object.keys(table).flatMap((key) => faultsOf(rule, key, below(key)));
    case 'required':
      return listOf(rule).flatMap((key) => (String(key) in table ? [] : [`${path}: ${String(key)} is missing`]));
    case 'items':
      return Array.isArray(value) ? value.flatMap((one, index) => faultsOf(rule, one, below(String(index)))) : [];
    case 'enum':
      return listOf(rule).includes(value) ? [] : [`${path}: is none of ${listOf(rule).join(', ')}`];
    case 'const':
      return value === rule ? [] : [`${path}: is not ${String(rule)}`];
    case 'anyOf':
      return listOf(rule).some((one) => faultsOf(one, value, path).length === 0)
        ? []
        : [`${path}: is none of what it may be`];
    case 'minLength':
      return typeof value === 'string' && value.length < numberOf(rule) ? [`${path}: is too short`] : [];
    case 'minimum':
      return typeof value === 'number' && value < numberOf(rule) ? [`${path}: is too small`] : [];
    case 'exclusiveMinimum':
      return typeof value === 'number' && value <= numberOf(rule) ? [`${path}: is too small`] : [];
    case 'maximum':
      return typeof value === 'number' && value > numberOf(rule) ? [`${path}: is too large`] : [];
    default:
      if (NOTES.has(word)) return [];
      throw new Error(`${path} has the word ${word}, which nobody here knows`);
  }
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function objectOf(rule: unknown): Json {
  if (!isObject(rule)) throw new Error('the rule is no object');
  return rule;
}

function listOf(rule: unknown): readonly unknown[] {
  if (!Array.isArray(rule)) throw new Error('the rule is no list');
  return rule;
}

function numberOf(rule: unknown): number {
  if (typeof rule !== 'number') throw new Error('the rule is no number');
  return rule;
}
