/** What a command can act on: the conversation that it was given in, and for operators the account. */
import type { Client } from '../../../xmpp-core/client.js';
import type { CommandContext, Operations } from '../../commands/command.js';
import { roomConfig, type AccountConfig } from '../../config/config.js';
import type { Conversation, ModelChoice } from '../../conversation/history.js';
import type { TurnQueue } from '../../conversation/queue.js';
import type { Log } from '../../log.js';
import type { Model } from '../../model/model.js';
import { estimateTokens } from '../../model/tokens.js';
import type { SkillLoader } from '../../skills/skill-loader.js';
import type { Admission } from '../access/admission.js';
import type { ContactRequests } from '../access/contact-requests.js';
import { OVERSPENT, type Limits } from '../access/limits.js';
import type { ReplyChannel } from '../outbound/reply-channel.js';
import { readPlace, type Place } from '../places/place.js';
import type { Rooms } from '../rooms/rooms.js';
import { configuredModel, selectModel } from '../turns/model-choice.js';
import type { Question, Task } from '../turns/tasks.js';
import { compact, pastOf } from './compaction.js';

/** Parts that commands act on. */
export interface CommandContextOptions {
  readonly account: AccountConfig;
  readonly client: Client;
  readonly queue: TurnQueue<Task>;
  readonly modelOf: (provider: string, model: string) => Model;
  /** The models that can be chosen. */
  readonly models: readonly ModelChoice[];
  readonly limits: Limits;
  readonly admission: Admission;
  readonly contactRequests: ContactRequests;
  readonly rooms: Rooms;
  readonly skills: SkillLoader;
  readonly log: Log;
}

/** A command that somebody gave. */
export interface CommandRequest {
  /** The name of the command, without the slash. */
  readonly name: string;
  /** The text after the name; empty for none. */
  readonly argument: string;
  /** Identifies the message: one that arrives twice, as after a resumption, runs once. */
  readonly key: string;
  readonly alias?: string | undefined;
  readonly place: Place;
  readonly at: Date;
  readonly isOperator: boolean;
  /** Who gave it, for the rules: a JID. */
  readonly from: string;
  /** Who gave it, as the conversation records the authors of messages. */
  readonly author: string;
  /** The key that its tokens count for: see `payerAt`. */
  readonly payer: string;
}

/** What the model reads in place of an answer that was stopped. */
const STOPPED = 'Stopped.';

/** What a command works on. */
export interface CommandScope {
  readonly given: CommandRequest;
  readonly conversation: Conversation;
  /** A channel to the place where it was given. The caller ends the `composing` state. */
  readonly channel: ReplyChannel;
  /** When the bot started, by `performance.now()`. */
  readonly startedAt: number;
}

/** The context that a command runs in. */
export function commandContext(
  options: CommandContextOptions,
  { given, conversation, channel, startedAt }: CommandScope,
): CommandContext {
  const { place, isOperator, author, payer } = given;
  const { account, queue, modelOf, models, limits, skills, log } = options;
  const room = place.kind === 'room' ? roomConfig(account, place.to) : undefined;
  const settings = room ?? account;
  const window = { budgetTokens: account.limits.historyTokens, room: room !== undefined };
  const modelNow = (): ModelChoice => selectModel(settings, conversation.model, models);
  return {
    isOperator,
    room: room?.jid,
    startNew: () => conversation.startNew(),
    stop: async () => {
      const { aborted, dropped } = queue.stop(conversation.id);
      // On disk before anybody is notified: after a crash nothing of this is answered. The question that was being answered can be
      // retried.
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
    models: () => ({ current: modelNow(), configured: configuredModel(settings), choices: models }),
    chooseModel: (choice) => conversation.chooseModel(choice),
    contextUsage: () => {
      const { messages, tokens } = pastOf(conversation, window);
      const { turns, summary } = conversation.past;
      // Each turn begins with a user message. The summary, where it fits, is one more.
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
      channel.sendChatState('composing');
      const { provider, model } = modelNow();
      const addUsage = (usage: { promptTokens: number; completionTokens: number }): void =>
        limits.addUsage(payer, usage.promptTokens + usage.completionTokens);
      return compact(conversation, {
        ...window,
        model: modelOf(provider, model),
        onUsage: addUsage,
        signal,
        log,
        by: given.key,
      });
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
    skills: () => skills.load(settings.skills),
    operations: operations(options),
  };
}

function operations({ account, limits, admission, contactRequests, rooms }: CommandContextOptions): Operations {
  return {
    approve: (who) => contactRequests.approve(who),
    deny: (who) => contactRequests.deny(who),
    isAdmitted: (who) => admission.direct(who).allowed,
    findContact: (address) => contactRequests.find(address),
    pendingRequests: () => contactRequests.waiting(),
    rooms: () => rooms.list(),
    join: (room) => rooms.join(room),
    leave: (room) => rooms.leave(room),
    usage: () => ({ spent: limits.usage(), limit: account.limits.tokensPerDay }),
  };
}

function keysOf(kind: Task['kind'], tasks: readonly Task[]): readonly string[] {
  return tasks.flatMap((task) => (task.kind === kind ? task.key : []));
}
