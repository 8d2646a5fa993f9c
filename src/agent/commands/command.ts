/** What a command is, and what it may touch. */

/** What a conversation and its account are at the moment; `/status` shows it. */
export interface Status {
  /** The account's bare JID. */
  readonly account: string;
  /** Provider and model, as people know them. */
  readonly model: string;
  /** Whom the conversation is with: a bare JID, or a room's. */
  readonly conversation: string;
  /** Milliseconds since the bot was started. */
  readonly uptimeMs: number;
  /** Whether an answer is being written. */
  readonly busy: boolean;
  /** Questions that wait. */
  readonly queued: number;
}

/** The conversation in which a command was given, as far as commands reach. The account fills it in. */
export interface CommandContext {
  /** Whether who gave the command is an operator: by real JID. */
  readonly isOperator: boolean;
  /** Begins a new session of this conversation and keeps the old one. */
  startNew(): Promise<void>;
  /** Aborts the answer that is being written and drops the questions that wait, for good. Returns whether there was anything. */
  stop(): boolean | Promise<boolean>;
  status(): Status;
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
  run(context: CommandContext, argument: string): string | Promise<string>;
}
