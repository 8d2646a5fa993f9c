/** The interface of tools: their description for the model, and their implementation. */
import { z } from 'zod';
import type { ToolName } from '../config/config.js';
import type { RecentMessage } from '../conversation/transcript.js';
import type { ToolDefinition } from '../model/model.js';
import type { Skill } from '../skills/skill.js';

/** A file written by the model, to be sent. */
export interface OutgoingFile {
  /** A file name, without a folder. */
  readonly name: string;
  /** Such as `text/csv`. */
  readonly mediaType: string;
  readonly data: Uint8Array;
  /** A text to send with the file. */
  readonly caption?: string;
}

/** The result of sending a file: uploaded, and the link sent; sent as the text of a message; refused, with a notice; not sent, as nobody is there. */
export type SendFileResult = 'uploaded' | 'inlined' | 'refused' | 'unsent';

/** An occupant of the room. */
export interface RoomMember {
  readonly nick: string;
  readonly role: string;
  readonly affiliation: string;
  /** Whether it is the bot. */
  readonly isSelf: boolean;
}

/** What a tool can access of the conversation that it is used in. */
export interface ToolContext {
  readonly now: () => Date;
  readonly skills: readonly Skill[];
  readonly members: () => readonly RoomMember[];
  /** The last `limit` messages, oldest first. */
  readonly recent: (limit: number) => readonly RecentMessage[];
  /** Reacts to the message with this mark, or to the question. Resolves to false when there is no such message. */
  readonly react: (mark: string | undefined, emoji: string, signal: AbortSignal) => Promise<boolean>;
  readonly sendFile: (file: OutgoingFile, signal: AbortSignal) => Promise<SendFileResult>;
  /** Aborts the call. */
  readonly signal: AbortSignal;
}

/** A tool that the model can call. */
export interface Tool {
  readonly definition: ToolDefinition;
  /** Whether people see its effect, so that no text need follow. */
  readonly countsAsAnswer: boolean;
  /**
   * Runs a call.
   * @param args parsed JSON, not validated yet
   * @returns the result for the model
   * @throws ToolError when the call cannot be done, with a message for the model
   */
  run(args: unknown, context: ToolContext): Promise<string>;
}

/** A call failed. The message is for the model, which may correct the call. */
export class ToolError extends Error {
  override readonly name = 'ToolError';
}

/** The declaration of a tool. */
interface ToolDeclaration<Shape extends z.ZodRawShape> {
  readonly name: ToolName;
  /** For the model: what it does, and when to use it. */
  readonly description: string;
  /** The arguments, each with a description for the model. */
  readonly arguments: Shape;
  readonly countsAsAnswer?: boolean;
  run(args: z.output<z.ZodObject<Shape>>, context: ToolContext): Promise<string> | string;
}

/** Creates a tool whose arguments are validated before it runs. */
export function defineTool<Shape extends z.ZodRawShape>(declaration: ToolDeclaration<Shape>): Tool {
  const schema = z.object(declaration.arguments);
  return {
    // Without `$schema`: the model does not need it, and some servers reject unknown keys.
    get definition() {
      const { $schema, ...parameters } = z.toJSONSchema(schema, { target: 'draft-7', io: 'input' });
      void $schema;
      return { name: declaration.name, description: declaration.description, parameters };
    },
    countsAsAnswer: declaration.countsAsAnswer ?? false,
    async run(args, context) {
      const read = schema.safeParse(withoutNulls(args));
      if (!read.success) throw new ToolError(`the arguments are wrong: ${z.prettifyError(read.error)}`);
      return declaration.run(read.data, context);
    },
  };
}

/** Models write null for an argument that they leave out. */
function withoutNulls(args: unknown): unknown {
  if (typeof args !== 'object' || args === null || Array.isArray(args)) return args;
  return Object.fromEntries(Object.entries(args).filter(([, value]) => value !== null));
}

/** Indents text of others in a result: only the tool's own lines begin at the margin, so the text cannot imitate them. */
export function indented(text: string): string {
  return text
    .split(/\r\n|[\n\r\v\f\u0085\u2028\u2029]/u)
    .map((line) => `  ${line}`)
    .join('\n');
}
