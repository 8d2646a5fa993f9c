/** What a command may touch: the conversation that it was given in, and for operators the account. */
import type { Client } from '../../../xmpp-core/client.js';
import type { Jid } from '../../../xmpp-core/jid/jid.js';
import type { CommandContext, Operations, RoomSummary, SkillSummary } from '../../commands/command.js';
import { roomConfig, type AccountConfig } from '../../config/config.js';
import type { Conversation, ModelChoice } from '../../conversation/history.js';
import type { TurnQueue } from '../../conversation/queue.js';
import type { Log } from '../../log.js';
import type { Model } from '../../model/model.js';
import { estimateTokens } from '../../model/tokens.js';
import { directAccess } from '../access/rules.js';
import { compact, pastOf } from './compaction.js';
import { OVERSPENT, type Limits } from '../access/limits.js';
import { configuredModel, modelAsked } from '../turns/model-choice.js';
import type { ReplyChannel } from '../outbound/reply-channel.js';
import { readPlace, type Place } from '../places/place.js';
import type { ContactRequests } from '../access/contact-requests.js';
import type { Question, Task } from '../turns/tasks.js';

/** The rooms that the bot is in, or means to be in, beside and beyond those of the configuration. */
export interface RoomDesk {
  list(): readonly RoomSummary[];
  /** Joins for good: also after a restart. @returns why that does not work, for the operator; `undefined` when the bot is there */
  join(room: Jid): Promise<string | undefined>;
  /** Leaves for good. @returns whether the bot was there, or meant to be */
  leave(room: Jid): Promise<boolean>;
}

export interface CommandContextOptions {
  readonly account: AccountConfig;
  readonly client: Client;
  readonly queue: TurnQueue<Task>;
  readonly modelOf: (provider: string, model: string) => Model;
  /** The models that can be chosen. */
  readonly models: readonly ModelChoice[];
  readonly limits: Limits;
  readonly strangers: ContactRequests;
  readonly rooms: RoomDesk;
  /** The skills of these names, as far as they are there. */
  readonly skillsOf: (names: readonly string[]) => readonly SkillSummary[] | Promise<readonly SkillSummary[]>;
  readonly log: Log;
}

/** A command as it was given. */
export interface Given {
  readonly name: string;
  readonly argument: string;
  /** Tells the message from others: what comes twice, as after a resumption, is done once. */
  readonly key: string;
  readonly place: Place;
  readonly at: Date;
  readonly isOperator: boolean;
  /** Who gave it, as the rules see them: a JID. */
  readonly from: string;
  /** Who gave it, in the terms in which the authors of messages are written down. */
  readonly author: string;
  /** Whom its tokens are counted for. */
  readonly payer: string;
}

/** What the dead end of an answer is to the model. */
const STOPPED = 'Stopped.';

/** A command's surroundings. */
export interface Scene {
  readonly given: Given;
  readonly conversation: Conversation;
  /** Where it was given; whoever runs the command takes the sign of being at work back. */
  readonly outlet: ReplyChannel;
  /** When the bot began, by `performance.now()`. */
  readonly startedAt: number;
}

export function commandContext(
  options: CommandContextOptions,
  { given, conversation, outlet, startedAt }: Scene,
): CommandContext {
  const { place, isOperator, author, payer } = given;
  const { account, queue, modelOf, models, limits, skillsOf, log } = options;
  const room = place.kind === 'room' ? roomConfig(account, place.to) : undefined;
  const voice = room ?? account;
  const window = { budgetTokens: account.limits.historyTokens, room: room !== undefined };
  const modelNow = (): ModelChoice => modelAsked(voice, conversation.model, models);
  return {
    isOperator,
    room: room?.jid,
    startNew: () => conversation.startNew(),
    stop: async () => {
      const { aborted, dropped } = queue.stop(conversation.id);
      // Written down before it is said: nothing of this is owed any more, after a crash neither. The question that was being answered
      // can be asked again.
      const answering = keysOf('question', aborted?.items ?? []);
      const others = [...keysOf('command', aborted?.items ?? []), ...dropped.map(({ key }) => key)];
      if (answering.length > 0) await conversation.fail(answering, STOPPED);
      if (others.length > 0) await conversation.fail(others);
      return aborted !== undefined || dropped.length > 0;
    },
    status: () => {
      const { running, waiting } = queue.status(conversation.id);
      return {
        account: account.jid.toString(),
        conversation: place.to.toString(),
        uptimeMs: performance.now() - startedAt,
        busy: running,
        queued: waiting,
      };
    },
    models: () => ({ current: modelNow(), configured: configuredModel(voice), choices: models }),
    chooseModel: (choice) => conversation.chooseModel(choice),
    contextUsage: () => {
      const { messages, tokens } = pastOf(conversation, window);
      const { turns, summary } = conversation.past;
      // Each turn begins with what people said; the summary, where it fits, looks like one.
      const begun = messages.filter(({ role }) => role === 'user').length;
      const hasSummary = summary !== undefined && messages[1]?.content === summary;
      return {
        tokens,
        budget: window.budgetTokens,
        includedTurns: begun - (hasSummary ? 1 : 0),
        turns,
        summaryTokens: hasSummary ? estimateTokens(summary) : undefined,
      };
    },
    compact: async (signal) => {
      if (limits.overspent(payer) !== undefined) return { outcome: 'failed', why: OVERSPENT };
      outlet.state('composing');
      const { provider, model } = modelNow();
      const spent = (usage: { promptTokens: number; completionTokens: number }): void =>
        limits.spent(payer, usage.promptTokens + usage.completionTokens);
      return compact(conversation, { ...window, model: modelOf(provider, model), spent, signal, log, by: given.key });
    },
    retry: async () => {
      const answered = conversation.lastAnswered;
      if (answered.length === 0) return 'nothing there';
      const isTheirs = room === undefined || isOperator || answered.every((question) => question.author === author);
      if (!isTheirs) return 'not theirs';
      if (limits.overspent(payer) !== undefined) return 'used up';
      for (const { key, reference } of await conversation.reopen(given.key)) {
        const question: Question = { kind: 'question', key, place: readPlace(reference) ?? place, payer };
        const added = queue.add(conversation.id, question, { collect: room !== undefined });
        if (added === 'full') await conversation.fail([key]);
      }
      return 'asked again';
    },
    skills: () => skillsOf(voice.skills),
    operations: operations(options),
  };
}

function operations({ account, limits, strangers, rooms }: CommandContextOptions): Operations {
  return {
    approve: (who) => strangers.approve(who),
    deny: (who) => strangers.deny(who),
    isAdmitted: (who) => directAccess(account, who, strangers.approved()).allowed,
    pendingRequests: () => strangers.waiting(),
    rooms: () => rooms.list(),
    join: (room) => rooms.join(room),
    leave: (room) => rooms.leave(room),
    usage: () => ({ spent: limits.usage(), limit: account.limits.tokensPerDay }),
  };
}

function keysOf(kind: Task['kind'], tasks: readonly Task[]): readonly string[] {
  return tasks.flatMap((task) => (task.kind === kind ? task.key : []));
}
