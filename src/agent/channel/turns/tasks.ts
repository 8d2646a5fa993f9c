/** What waits in the queue of a conversation: questions for the model, and commands that keep their place among them. */
import type { Turn } from '../../conversation/queue.js';
import type { Asker } from '../access/programs.js';
import type { Place } from '../places/place.js';

/** A question that waits for its turn; its text is in the conversation under its key. */
export interface Question {
  readonly kind: 'question';
  readonly key: string;
  readonly place: Place;
  /** The key that the tokens of the answer count for: see `payerAt`. */
  readonly payer: string;
  /** Who sent it; `undefined` for a question of before the last start. */
  readonly asker?: Asker;
  /** Called when its turn begins. */
  readonly begins?: () => void;
  /** What has to be done before the question goes to the model. */
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

/** One entry of the queue. */
export type Task = Question | WaitingCommand;

/** The turn without its commands. */
export function questionsOf({ items, ...turn }: Turn<Task>): Turn<Question> {
  return { ...turn, items: items.filter((task) => task.kind === 'question') };
}
