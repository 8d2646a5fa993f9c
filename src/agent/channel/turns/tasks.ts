/** What waits in a conversation's queue: questions for the model, and commands that have to keep their place among them. */
import type { Turn } from '../../conversation/queue.js';
import type { Answering } from './answering.js';
import type { Place } from '../places/place.js';

/** A question that waits for its turn; what it says is in the conversation under its key. */
export interface Question {
  readonly kind: 'question';
  readonly key: string;
  readonly place: Place;
  /** Whom the answer's tokens are counted for. */
  readonly payer: string;
  /** Called when its turn begins. */
  readonly begins?: () => void;
  /** What has to be done before it is put to the model. */
  readonly prepare?: (signal: AbortSignal) => Promise<void>;
}

/** A command that waits for its turn. */
export interface WaitingCommand {
  readonly kind: 'command';
  readonly key: string;
  readonly place: Place;
  /** @param signal aborted when its turn is to end early. Never rejects. */
  run(signal: AbortSignal): Promise<void>;
}

export type Task = Question | WaitingCommand;

/** Does one turn: its commands in order, then its questions together, unless they are `refused` at the last moment. */
export async function perform(
  turn: Turn<Task>,
  answering: Answering,
  refused: (questions: Turn<Question>) => Promise<boolean>,
): Promise<void> {
  for (const task of turn.items) if (task.kind === 'command') await task.run(turn.signal);
  turn.signal.throwIfAborted();
  const questions = questionsOf(turn);
  if (questions.items.length === 0 || (await refused(questions))) return;
  for (const question of questions.items) question.begins?.();
  await Promise.all(questions.items.map(async ({ prepare }) => prepare?.(turn.signal)));
  await answering.run(questions);
}

/** The turn without its commands. */
export function questionsOf({ items, ...turn }: Turn<Task>): Turn<Question> {
  return { ...turn, items: items.filter((task) => task.kind === 'question') };
}
