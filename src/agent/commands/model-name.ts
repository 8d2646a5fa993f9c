/** Finds models by name: `gpt-4o`, or `openai/gpt-4o` where two providers have it. */
import { nearestWord } from '../config/suggestion.js';
import type { ModelChoice } from '../conversation/history.js';

/** The result of a search: one model, several with the same name, or none, with the nearest name. */
export type FoundModel =
  | { readonly kind: 'one'; readonly choice: ModelChoice }
  | { readonly kind: 'several'; readonly choices: readonly ModelChoice[] }
  | { readonly kind: 'none'; readonly nearest: string | undefined };

/** The full name of a model: `provider/model`. */
export function modelName({ provider, model }: ModelChoice): string {
  return `${provider}/${model}`;
}

/** Finds a model by its name, with or without the provider, ignoring case. */
export function findModel(name: string, choices: readonly ModelChoice[]): FoundModel {
  const word = name.toLowerCase();
  const whole = choices.find((choice) => modelName(choice).toLowerCase() === word);
  const found = whole === undefined ? choices.filter(({ model }) => model.toLowerCase() === word) : [whole];
  const [choice, ...others] = found;
  if (choice === undefined) return { kind: 'none', nearest: nearestModel(word, choices) };
  return others.length === 0 ? { kind: 'one', choice } : { kind: 'several', choices: found };
}

/** Whether two choices are the same model. */
export function isSameModel(one: ModelChoice, other: ModelChoice): boolean {
  return one.provider === other.provider && one.model === other.model;
}

/** The nearest name. A part of a name (`sonnet` for `claude-sonnet-4`) is likelier than a misspelling. */
function nearestModel(word: string, choices: readonly ModelChoice[]): string | undefined {
  const part = choices.find((choice) => modelName(choice).toLowerCase().includes(word));
  if (part !== undefined) return modelName(part);
  const byName = new Map(
    choices.flatMap((choice) => [
      [modelName(choice), choice],
      [choice.model, choice],
    ]),
  );
  const nearest = byName.get(nearestWord(word, byName.keys()) ?? '');
  return nearest === undefined ? undefined : modelName(nearest);
}
