/** In which order steps are taken: what belongs together, and what may change places. */
import { readLine } from './implementation.js';
import type { Step } from './scenario.js';

/**
 * Steps that belong together: what the server says in one write; what the client sends in any order; and what it tells before anybody else
 * does something, since how it sends and tells at the same time is its own affair.
 */
export function turnsOf(steps: readonly Step[]): readonly (readonly Step[])[] {
  const turns: Step[][] = [];
  /** What the client tells in the turn of now. */
  let told: Step[] | undefined;
  let last: Step | undefined;
  for (const step of steps) {
    // `E: nothing` is no event: somebody else asks (docs/fixtures.md).
    const isEvent = step.kind === 'E' && step.content !== 'nothing';
    if (!isEvent && step.kind !== 'C') told = undefined;
    if (isEvent && told !== undefined) {
      told.push(step);
    } else if (isOneWith(last, step)) {
      turns.at(-1)?.push(step);
    } else {
      turns.push([step]);
      if (isEvent) told = turns.at(-1);
    }
    last = step;
  }
  return turns;
}

function isOneWith(last: Step | undefined, step: Step): boolean {
  if (last?.kind !== step.kind) return false;
  return step.kind === 'S' || (step.kind === 'C' && step.unordered && last.unordered);
}

/**
 * Those of the steps of a turn that may come next: the first, with those beside it that may change places; and ends.
 * When an application learns that what it asked for has ended, or that it is online, hangs together with how the server's words came in pieces; only
 * what was found comes before the end.
 */
export function nextOf(open: readonly Step[]): readonly Step[] {
  const ends = open.filter((step, index) => isEnd(step) && !open.slice(0, index).some((one) => isItem(one, step)));
  const others = open.filter((step) => !ends.includes(step));
  const last = others.findIndex(({ unordered }) => !unordered);
  return [...others.slice(0, others[0]?.unordered === true ? (last === -1 ? undefined : last) : 1), ...ends];
}

function isEnd({ kind, content }: Step): boolean {
  return kind === 'E' && /^(?:done of|error of|online) /.test(content);
}

/** Whether it is one of the things that were found by what ends so. */
function isItem({ content }: Step, end: Step): boolean {
  const { verb, fields } = readLine(content);
  return verb === 'item' && fields.get('of') === readLine(end.content).fields.get('of');
}
