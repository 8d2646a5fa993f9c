import { z } from 'zod';
import { defineTool, ToolError, type SendFileResult } from './tool.js';

/** The maximum length of a file; no model writes more in one answer. */
const MAX_CHARACTERS = 1_000_000;

/** Media types of text files, by extension. */
const TYPES: ReadonlyMap<string, string> = new Map([
  ['csv', 'text/csv'],
  ['css', 'text/css'],
  ['html', 'text/html'],
  ['ics', 'text/calendar'],
  ['js', 'text/javascript'],
  ['json', 'application/json'],
  ['md', 'text/markdown'],
  ['svg', 'image/svg+xml'],
  ['toml', 'application/toml'],
  ['xml', 'application/xml'],
  ['yaml', 'application/yaml'],
  ['yml', 'application/yaml'],
]);

const RESULTS: Readonly<Record<SendFileResult, string>> = {
  uploaded: 'Done: people have the file.',
  inlined: 'There is no place for files here, so people got it as the text of a message.',
  refused:
    'it could not be sent, which people were told: its type or size is not allowed here, or there is no place for files',
  unsent: 'it was not sent: the one who asked has left, or the connection was lost',
};

/** Sends a text as a file. */
export const sendFile = defineTool({
  name: 'send_file',
  description:
    'Sends a text file that you write to the people in this conversation: a document, a table, source code. For what is too long to read in a chat, or is to be kept.',
  arguments: {
    name: z.string().min(1).max(200).describe('The name of the file, such as report.md'),
    content: z.string().min(1).max(MAX_CHARACTERS).describe('The text of the file'),
    media_type: z
      .string()
      .regex(/^[\w.+-]+\/[\w.+-]+$/)
      .max(100)
      .exactOptional()
      .describe('Its media type, such as text/csv; by the name, unless given'),
    caption: z.string().max(2000).exactOptional().describe('A sentence to send with it'),
  },
  countsAsAnswer: true,
  async run({ name: given, content, media_type: type, caption }, context) {
    const name = plainName(given);
    if (name === '') throw new ToolError('name must be the plain name of a file');
    const file = {
      name,
      mediaType: type?.toLowerCase() ?? TYPES.get(name.split('.').at(-1)?.toLowerCase() ?? '') ?? 'text/plain',
      data: new TextEncoder().encode(content),
      ...(caption !== undefined && caption.trim() !== '' && { caption: caption.trim() }),
    };
    const result = await context.sendFile(file, context.signal);
    if (result === 'refused' || result === 'unsent') throw new ToolError(RESULTS[result]);
    return RESULTS[result];
  },
});

/** The last part of a path, without characters that are unsafe in file names. */
function plainName(path: string): string {
  const last = path.split(/[/\\]/).at(-1) ?? '';
  return last.replaceAll(/[\p{C}\p{Zl}\p{Zp}<>:"|?*]/gu, '').replace(/^[. ]+|[. ]+$/g, '');
}
