/** What the model is told before the conversation: who it is, where it speaks, and what the operator wants of it. */

export interface Surroundings {
  /** What the bot is called here. */
  readonly nick: string;
  /** The room's address, when it is one. */
  readonly room: string | undefined;
  /** `system_prompt` of the room or the account. */
  readonly configured: string | undefined;
}

/** The system prompt for one place. */
export function systemPrompt({ nick, room, configured }: Surroundings): string {
  const where =
    room === undefined
      ? 'You talk with one person by direct messages.'
      : `You are one of several people in the chat room ${room}; answer the one who addressed you.`;
  const character = configured ?? 'You are a helpful assistant. Be friendly, exact and brief.';
  return `${character}\n\nYour name is ${nick}. You are reached over XMPP. ${where} Your answer is read in a chat client: prefer short paragraphs, and use Markdown sparingly.`;
}
