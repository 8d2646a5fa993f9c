/** What came, held against what a step wants, and the words for what is wrong. */
import type { Line } from './implementation.js';
import type { Step } from './scenario.js';
import { matchText, matchTree, type Bindings, type Outcome } from './template.js';
import type { Item } from './xml-tree.js';

/** The client did not do what a step says. `message` begins with its place, and tells what was wanted and what came. */
export class ReplayError extends Error {
  override readonly name = 'ReplayError';
}

/** What the client sends. */
export function matchItem(wanted: Item, came: Item, bindings: Bindings): Outcome {
  if (wanted.kind !== came.kind) return { difference: `not the ${wanted.kind} of a stream` };
  return wanted.kind === 'end' ? { bindings } : matchTree(wanted.tree, came.tree, bindings);
}

/** What the client tells: fields that the step does not name may say anything. */
export function matchLine(wanted: Line, came: Line, bindings: Bindings): Outcome {
  if (wanted.verb !== came.verb) return { difference: `'${came.verb}' is not '${wanted.verb}'` };
  let known = bindings;
  for (const [name, value] of wanted.fields) {
    const actual = came.fields.get(name);
    if (actual === undefined && value !== '') return { difference: `it does not tell '${name}'` };
    const outcome = matchText(value, actual ?? '', known);
    if ('difference' in outcome) return { difference: `${name}: ${outcome.difference}` };
    known = outcome.bindings;
  }
  return { bindings: known };
}

/** What a step wanted, and what came instead. */
export function differs(step: Step | undefined, outcome: Outcome | undefined, came: string): ReplayError {
  const difference = outcome !== undefined && 'difference' in outcome ? outcome.difference : 'this was not wanted';
  return new ReplayError(`${step?.at}: ${difference}\n${step === undefined ? '' : shown(step)}\nbut ${came}`);
}

/** A step as it is written. */
export function shown({ kind, content }: Step): string {
  return `${kind}: ${content.replaceAll('\n', '\n   ')}`;
}
