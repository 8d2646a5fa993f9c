/** What one message looks like on the screen of a client. */
export interface Shown {
  /** Whether the person at the client wrote it. */
  readonly mine: boolean;
  /** The words, with the lines as the client breaks them. */
  readonly text: string;
  /** Whether the client says that it was edited. */
  readonly edited: boolean;
  /** What it is shown to answer, as far as the client shows that. */
  readonly answers: string | undefined;
}

/** Who sits at the client: a new account. */
export interface Login {
  readonly jid: string;
  readonly password: string;
}

/**
 * A client with a screen that nobody here wrote, and the person at it: what they do goes through the keyboard and the mouse, what
 * they know they have read off the screen. Nothing here looks at the wire.
 */
export interface Client {
  /** Opens the conversation with somebody. */
  chat(jid: string): Promise<void>;
  /** Enters a room, which begins to exist when it did not, and opens it. */
  join(room: string, nick: string): Promise<void>;
  /** Says something in the open conversation. */
  say(text: string): Promise<void>;
  /** Corrects what was said last in the open conversation. */
  correct(text: string): Promise<void>;
  /** The messages of the open conversation that are on the screen, oldest first. */
  conversation(): Promise<readonly Shown[]>;
  /** Whether the other side of the open conversation is shown as typing. */
  isTyping(): Promise<boolean>;
  /** Logs out and ends. */
  leave(): Promise<void>;
  /** What is on the screen, as text: for the reader of a failed test. */
  screen(): Promise<string>;
}
