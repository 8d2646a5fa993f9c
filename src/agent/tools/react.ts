import { z } from 'zod';
import { defineTool, ToolError } from './tool.js';

/** One emoji that Unicode recommends for interchange (UTS #51). Not a literal, because the compiler does not support the flag yet. */
const EMOJI = new RegExp('^\\p{RGI_Emoji}$', 'v');
/** Selects the emoji form of a character that also has a text form; models often omit it. */
const EMOJI_VARIATION = '\uFE0F';

/** Reacts to a message (XEP-0444). */
export const react = defineTool({
  name: 'react',
  description:
    'Reacts to a message of this conversation with one emoji. Where a reaction says it all, use it instead of an answer: end with no text after it.',
  arguments: {
    message_id: z
      .string()
      .exactOptional()
      .describe('The mark in front of the message, such as k3fz of [#k3fz]; the question, unless given'),
    emoji: z.string().max(64).describe('One emoji'),
  },
  countsAsAnswer: true,
  async run({ message_id: given = '', emoji: wanted }, context) {
    const emoji = [wanted.trim(), wanted.trim() + EMOJI_VARIATION].find((one) => EMOJI.test(one));
    if (emoji === undefined) throw new ToolError('emoji must be one emoji');
    const mark = given.trim() === '' ? undefined : (/^\[?#?(\w+)\]?$/.exec(given.trim())?.[1] ?? '');
    if (!(await context.react(mark, emoji, context.signal)))
      throw new ToolError(
        mark === undefined
          ? 'the question cannot be reacted to; name another message by its message_id'
          : 'there is no message with this message_id',
      );
    return `Done: people see ${emoji} on the message. If that says it all, end with no text.`;
  },
});
