/** Models by the names that people give them: `gpt-4o`, or `openai/gpt-4o` where two providers have it. */
import { nearestWord } from '../config/suggestion.js';
import type { ModelChoice } from '../conversation/history.js';

/** What a name stands for: one model; several of that name; none, and which one may have been meant. */
export type FoundModel =
  | { readonly kind: 'one'; readonly choice: ModelChoice }
  | { readonly kind: 'several'; readonly choices: readonly ModelChoice[] }
  | { readonly kind: 'none'; readonly nearest: string | undefined };

/** `provider/model`. */
export function modelName({ provider, model }: ModelChoice): string {
  return `${provider}/${model}`;
}

/** Finds a model by its name, with the provider or without it, in any case. */
export function findModel(wanted: string, choices: readonly ModelChoice[]): FoundModel {
  const word = wanted.toLowerCase();
  const whole = choices.find((choice) => modelName(choice).toLowerCase() === word);
  const found = whole === undefined ? choices.filter(({ model }) => model.toLowerCase() === word) : [whole];
  const [choice, ...others] = found;
  if (choice === undefined) return { kind: 'none', nearest: nearestModel(word, choices) };
  return others.length === 0 ? { kind: 'one', choice } : { kind: 'several', choices: found };
}

export function isSameModel(one: ModelChoice, other: ModelChoice): boolean {
  return one.provider === other.provider && one.model === other.model;
}

/** People shorten (`sonnet` for `claude-sonnet-4`) before they misspell. */
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
