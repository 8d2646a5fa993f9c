/** Distinguishes commands from text. */

/** A command with its lower-case name, or a text. */
export type ParsedMessage =
  | { readonly kind: 'command'; readonly name: string; readonly argument: string }
  | { readonly kind: 'text'; readonly text: string };

/**
 * A slash, then a name that starts with a letter and ends at a space: `/usr/bin is full` and `/etc/hosts` are text. Any case, because
 * phones capitalise the first letter.
 */
const COMMAND = /^\/(\p{L}[\p{L}\p{N}_-]*)(?:\s+|$)/u;

/** `//x` stands for a text that begins with `/x`. A comment like `// two words` is left unchanged. */
const ESCAPED = /^\/\/\p{L}/u;

/** `/me` is an action (XEP-0245 §3), not a command. */
const ME = /^\/me(?:\s|$)/;

/** Parses a message whose address (the bot's nickname) has been removed. */
export function parseCommand(message: string): ParsedMessage {
  const text = message.trimStart();
  if (ESCAPED.test(text)) return { kind: 'text', text: text.slice(1) };
  const [start, name] = (ME.test(text) ? null : COMMAND.exec(text)) ?? [];
  if (start === undefined || name === undefined) return { kind: 'text', text: message };
  return { kind: 'command', name: name.toLowerCase(), argument: text.slice(start.length).trim() };
}
