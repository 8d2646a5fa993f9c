/** What a command is, and what it may touch. */
import type { Jid } from '../../xmpp-core/jid/jid.js';
import type { ModelChoice } from '../conversation/history.js';

/** What a conversation and its account are at the moment; `/status` shows it. */
export interface Status {
  /** The account's bare JID. */
  readonly account: string;
  /** Whom the conversation is with: a bare JID, or a room's. */
  readonly conversation: string;
  /** Milliseconds since the bot was started. */
  readonly uptimeMs: number;
  /** Whether an answer is being written. */
  readonly busy: boolean;
  /** Questions that wait. */
  readonly queued: number;
}

/** The model of a conversation, and those that it could have. */
export interface Models {
  /** The one that is asked now. */
  readonly current: ModelChoice;
  /** The one that the configuration names for this conversation. */
  readonly configured: ModelChoice;
  /** All that can be chosen, in the order of the configuration. */
  readonly choices: readonly ModelChoice[];
}

/** What the next request to the model carries of the past; tokens are estimates. */
export interface ContextUsage {
  readonly tokens: number;
  /** The most that it may carry. */
  readonly budget: number;
  /** Turns that come along, and turns that are kept at hand. */
  readonly includedTurns: number;
  readonly turns: number;
  /** How long the summary of what came before those turns is, when there is one. */
  readonly summaryTokens: number | undefined;
}

/** What came of compacting a conversation. Tokens are estimates of what the next request carries of the past. */
export type CompactionResult =
  | { readonly outcome: 'done'; readonly before: number; readonly after: number }
  /** The summary would have been as long as what it stands for, so nothing was changed. */
  | { readonly outcome: 'no shorter' }
  | { readonly outcome: 'nothing there' }
  /** `why` is a sentence for people. */
  | { readonly outcome: 'failed'; readonly why: string };

/** What came of asking again: it is being answered, there was nothing to answer, somebody else had asked it, the day's tokens are used up. */
export type RetryResult = 'asked again' | 'nothing there' | 'not theirs' | 'used up';

/** A skill as people see it in a list. */
export interface SkillSummary {
  readonly name: string;
  readonly description: string;
}

/** A room that the bot is in, or means to be in. */
export interface RoomSummary {
  readonly jid: Jid;
  /** What the bot is called there; `undefined` while it is not in the room. */
  readonly nick: string | undefined;
  /** How many are there, the bot included. */
  readonly occupants: number;
}

/** What has been used today. */
export interface Usage {
  /** The largest first; `payer` is a bare JID, a room's, or an occupant. */
  readonly spent: readonly { readonly payer: string; readonly tokens: number }[];
  /** What each may use; `Infinity` without a limit. */
  readonly limit: number;
}

/** What operators may do with the account. What breaks rejects, with an error for the log. */
export interface Operations {
  /** Lets somebody in. Returns whether that is new. */
  approve(who: Jid): Promise<boolean>;
  /** Takes that back, or turns somebody away who waits. Returns whether there was anything to take back. */
  deny(who: Jid): Promise<boolean>;
  /** Whether their direct messages are answered, by whatever rule. */
  isAdmitted(who: Jid): boolean;
  /** Who waits to be let in: bare JIDs. */
  pendingRequests(): readonly string[];
  rooms(): readonly RoomSummary[];
  /** Returns why it does not work, as a sentence for the operator; `undefined` when the bot is in the room. */
  join(room: Jid): Promise<string | undefined>;
  /** Returns whether the bot was there, or meant to be. */
  leave(room: Jid): Promise<boolean>;
  usage(): Usage;
}

/** The conversation in which a command was given, as far as commands reach. The account fills it in. */
export interface CommandContext {
  /** Whether who gave the command is an operator: by real JID. */
  readonly isOperator: boolean;
  /** The room in which it was given, for all to see. */
  readonly room: Jid | undefined;
  /** Begins a new session of this conversation and keeps the old one. */
  startNew(): Promise<void>;
  /** Aborts the answer that is being written and drops the questions that wait, for good. Returns whether there was anything. */
  stop(): boolean | Promise<boolean>;
  status(): Status;
  models(): Models;
  /** Has another model asked, until the session ends. */
  chooseModel(choice: ModelChoice): Promise<void>;
  contextUsage(): ContextUsage;
  /** Puts a summary, which the model writes, in the place of what came before. Rejects with the signal's reason when it is aborted. */
  compact(signal: AbortSignal): Promise<CompactionResult>;
  /** Has the last question answered again. */
  retry(): Promise<RetryResult>;
  /** The skills that the model knows of here. */
  skills(): readonly SkillSummary[] | Promise<readonly SkillSummary[]>;
  readonly operations: Operations;
}

/** What can be chosen, and what is chosen now. */
export interface ArgumentChoices {
  readonly values: readonly string[];
  readonly current?: string;
}

/** What can follow a command's name, for clients that show a form (XEP-0050). */
export interface CommandArgument {
  /** What it is called, for people. */
  readonly label: string;
  readonly kind: 'text' | 'jid';
  /** What there is to choose from; anything can be written where there is nothing. */
  choices?(context: CommandContext): ArgumentChoices;
}

/** One command. `run` returns what the bot says to it. */
export interface Command {
  /** Without the slash, lower case. */
  readonly name: string;
  /** What comes after the name, such as `[name]`; `''` for nothing. */
  readonly usage: string;
  /** One line, lower case, for lists. */
  readonly summary: string;
  /** Only for operators, and shown to nobody else. */
  readonly operator: boolean;
  /** Done at once, without waiting for its turn in the conversation's queue. */
  readonly immediate: boolean;
  readonly argument?: CommandArgument;
  /** @param signal aborted when the command is to end early; what it then rejects with is told to nobody */
  run(context: CommandContext, argument: string, signal: AbortSignal): string | Promise<string>;
}
