/** What of a message is a command. */

export type ParsedMessage =
  | { readonly kind: 'command'; readonly name: string; readonly argument: string }
  | { readonly kind: 'text'; readonly text: string };

/**
 * A slash, a letter, and the name's end at a space: `/usr/bin is full` and `/etc/hosts` are text. A telephone writes the first letter
 * large.
 */
const COMMAND = /^\/(\p{L}[\p{L}\p{N}_-]*)(?:\s+|$)/u;

/** `//x` is how people send a text that begins with `/x`. A comment of `// two words` is left as it is. */
const ESCAPED = /^\/\/\p{L}/u;

/** XEP-0245 §3: what someone says they do. */
const ME = /^\/me(?:\s|$)/;

/** Tells a command from a text, in what is left of a message after its address. */
export function parseCommand(message: string): ParsedMessage {
  const text = message.trimStart();
  if (ESCAPED.test(text)) return { kind: 'text', text: text.slice(1) };
  const [start, name] = (ME.test(text) ? null : COMMAND.exec(text)) ?? [];
  if (start === undefined || name === undefined) return { kind: 'text', text: message };
  return { kind: 'command', name: name.toLowerCase(), argument: text.slice(start.length).trim() };
}
