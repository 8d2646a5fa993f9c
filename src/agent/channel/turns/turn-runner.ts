/** Runs the turns of the queue: commands in order, then the questions together, unless they are refused at the last moment. */
import type { Client } from '../../../xmpp-core/client.js';
import type { Background } from '../../background.js';
import type { ConversationStore } from '../../conversation/history.js';
import type { Turn } from '../../conversation/queue.js';
import type { Admission, Refusal, RoomFacts } from '../access/admission.js';
import type { BotTurns } from '../access/bot-turns.js';
import type { Denials } from '../access/denials.js';
import { replyChannelTo } from '../outbound/reply-channel.js';
import type { Reachability } from '../rooms/reachability.js';
import type { Answering } from './answering.js';
import { questionsOf, type Question, type Task } from './tasks.js';

/** Parts of the turn runner. */
export interface TurnRunnerOptions {
  readonly client: Client;
  readonly store: ConversationStore;
  readonly rooms: RoomFacts;
  readonly admission: Admission;
  readonly botTurns: BotTurns;
  readonly denials: Denials;
  readonly reachability: Reachability;
  readonly answering: Answering;
  readonly background: Background;
}

/** What the queue of an account runs. */
export class TurnRunner {
  readonly #options: TurnRunnerOptions;

  constructor(options: TurnRunnerOptions) {
    this.#options = options;
  }

  /** Runs one turn. Rejects when its questions cannot be answered, or with the reason of the turn's signal. */
  async run(turn: Turn<Task>): Promise<void> {
    for (const task of turn.items) if (task.kind === 'command') await task.run(turn.signal);
    turn.signal.throwIfAborted();
    const questions = questionsOf(turn);
    if (questions.items.length === 0 || (await this.#refuses(questions))) return;
    for (const question of questions.items) question.begins?.();
    await Promise.all(questions.items.map(async ({ prepare }) => prepare?.(turn.signal)));
    await this.#options.answering.run(questions);
  }

  /** Reports a turn that was rejected to the log and to its room or person. */
  failed(error: unknown, turn: Turn<Task>): void {
    const { background, answering } = this.#options;
    background.run('failed turn', () => answering.failed(error, questionsOf(turn)));
  }

  /** Settles questions that must not be answered any more. @returns whether it did */
  async #refuses({ conversation: id, items }: Turn<Question>): Promise<boolean> {
    const { client, store } = this.#options;
    const last = items.at(-1);
    if (last === undefined) return false;
    const refusal = this.#refusal(id, last) ?? (await this.#refusalOfPrograms(id, items));
    if (refusal === undefined) return false;
    const conversation = await store.conversation(id);
    await conversation.fail(items.map(({ key }) => key));
    if (refusal.notice !== undefined) replyChannelTo(client, last.place).notify(refusal.notice);
    return true;
  }

  #refusal(conversation: string, question: Question): Refusal | undefined {
    const { admission, reachability, rooms } = this.#options;
    if (reachability.isClosed(question.place)) return { notice: undefined };
    return admission.turn(conversation, question, rooms);
  }

  /** Counts a turn that only programs asked for. */
  async #refusalOfPrograms(conversation: string, questions: readonly Question[]): Promise<Refusal | undefined> {
    const { botTurns, denials } = this.#options;
    const excess = await botTurns.begins(
      conversation,
      questions.map(({ asker }) => asker),
    );
    if (excess !== undefined) denials.log(conversation, excess.why);
    return excess;
  }
}
