/** The interface of commands, and what they can access. */
import type { Jid } from '../../xmpp-core/jid/jid.js';
import type { ModelChoice } from '../conversation/history.js';

/** The state of a conversation and its account, for `/status`. */
export interface Status {
  /** The account's bare JID. */
  readonly account: string;
  /** The bare JID of the peer or room. */
  readonly conversation: string;
  /** Milliseconds since the bot started. */
  readonly uptimeMs: number;
  /** Whether an answer is being written. */
  readonly busy: boolean;
  /** The number of waiting questions. */
  readonly queued: number;
}

/** The model of a conversation, and the available ones. */
export interface Models {
  /** The model in use. */
  readonly current: ModelChoice;
  /** The configured model of this conversation. */
  readonly configured: ModelChoice;
  /** All available models, in the order of the configuration. */
  readonly choices: readonly ModelChoice[];
}

/** How much history the next request to the model includes. Tokens are estimates. */
export interface ContextUsage {
  readonly tokens: number;
  /** The maximum number of tokens. */
  readonly budget: number;
  /** The number of turns that the request includes. */
  readonly includedTurns: number;
  /** The number of turns in memory. */
  readonly turns: number;
  /** The tokens of the summary of earlier turns, if there is one. */
  readonly summaryTokens: number | undefined;
}

/** The result of compacting a conversation. `before` and `after` are the estimated tokens of history in the next request. */
export type CompactionResult =
  | { readonly outcome: 'done'; readonly before: number; readonly after: number }
  /** The summary was not shorter than the history, so nothing changed. */
  | { readonly outcome: 'no shorter' }
  | { readonly outcome: 'nothing there' }
  /** `why` is a sentence for people. */
  | { readonly outcome: 'failed'; readonly why: string };

/** The result of a retry: the question is asked again, there is none, somebody else asked it, or the daily tokens are used up. */
export type RetryResult = 'asked again' | 'nothing there' | 'not theirs' | 'used up';

/** A skill, for a list. */
export interface SkillSummary {
  readonly name: string;
  readonly description: string;
}

/** A room that the bot has joined or tries to join. */
export interface RoomSummary {
  readonly jid: Jid;
  /** The bot's nickname; `undefined` while it is not in the room. */
  readonly nick: string | undefined;
  /** The number of occupants, including the bot. */
  readonly occupants: number;
}

/** Today's token usage. */
export interface Usage {
  /** Largest first. `payer` is the bare JID of a sender or room, or an occupant. */
  readonly spent: readonly { readonly payer: string; readonly tokens: number }[];
  /** The daily limit for each; `Infinity` without a limit. */
  readonly limit: number;
}

/** The account operations for operators. They reject, with an error for the log, when something fails. */
export interface Operations {
  /** Approves a contact. @returns whether the approval is new */
  approve(contact: Jid): Promise<boolean>;
  /** Revokes an approval or denies a pending request. @returns whether there was one */
  deny(contact: Jid): Promise<boolean>;
  /** Whether the contact's direct messages are answered, by any rule. */
  isAdmitted(contact: Jid): boolean;
  /**
   * The contact with this very address, if they are waiting, approved or denied. Our server may allow addresses that RFC 7622 does not, which
   * cannot be typed in another way.
   */
  findContact(address: string): Jid | undefined;
  /** The bare JIDs of pending contact requests. */
  pendingRequests(): readonly string[];
  rooms(): readonly RoomSummary[];
  /** Joins a room. @returns a sentence for the operator when that fails; `undefined` when the bot is in the room */
  join(room: Jid): Promise<string | undefined>;
  /** Leaves a room. @returns whether the bot was in it or tried to join it */
  leave(room: Jid): Promise<boolean>;
  usage(): Usage;
}

/** What a command can access: its sender, conversation and account. The account provides it. */
export interface CommandContext {
  /** Whether the sender is an operator, by real JID. */
  readonly isOperator: boolean;
  /** The room in which the command was sent publicly, if any. */
  readonly room: Jid | undefined;
  /** Starts a new session of this conversation; the old one is kept. */
  startNew(): Promise<void>;
  /** Aborts the answer under way and drops the waiting questions for good. @returns whether there was anything to stop */
  stop(): boolean | Promise<boolean>;
  status(): Status;
  models(): Models;
  /** Chooses the model until the session ends. */
  chooseModel(choice: ModelChoice): Promise<void>;
  contextUsage(): ContextUsage;
  /** Replaces the history with a summary by the model. Rejects with the signal's reason when it is aborted. */
  compact(signal: AbortSignal): Promise<CompactionResult>;
  /** Asks the last question again. */
  retry(): Promise<RetryResult>;
  /** The skills available to the model in this conversation. */
  skills(): readonly SkillSummary[] | Promise<readonly SkillSummary[]>;
  readonly operations: Operations;
}

/** The possible values of an argument, and the current one. */
export interface ArgumentChoices {
  readonly values: readonly string[];
  readonly current?: string;
}

/** The argument of a command, for clients that show a form (XEP-0050). */
export interface CommandArgument {
  /** The label of the field. */
  readonly label: string;
  readonly kind: 'text' | 'jid';
  /** The values to choose from; without it, the field takes any text. */
  choices?(context: CommandContext): ArgumentChoices;
}

/** A command. */
export interface Command {
  /** Without the slash, lower case. */
  readonly name: string;
  /** The arguments as shown in help, such as `[NAME]`; `''` for none. */
  readonly usage: string;
  /** One line, lower case, for lists. */
  readonly summary: string;
  /** Only for operators, and hidden from everybody else. */
  readonly operator: boolean;
  /** Runs at once, without waiting in the conversation's queue. */
  readonly immediate: boolean;
  readonly argument?: CommandArgument;
  /**
   * @param signal aborted when the command must end early; its rejection is then ignored
   * @returns the bot's reply; `''` for none
   */
  run(context: CommandContext, argument: string, signal: AbortSignal): string | Promise<string>;
}
