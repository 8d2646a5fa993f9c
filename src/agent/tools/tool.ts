/** What a tool is: what the model is told of it, and what happens when the model uses it. */
import { z } from 'zod';
import type { ToolName } from '../config/config.js';
import type { ToolDefinition } from '../model/model.js';
import type { Skill } from '../skills/skill.js';

/** A file that the model made, on its way to people. */
export interface OutgoingFile {
  /** A plain name, without a folder. */
  readonly name: string;
  /** Such as `text/csv`. */
  readonly mediaType: string;
  readonly data: Uint8Array;
  /** What is said with it. */
  readonly caption?: string;
}

/** What became of a file: people have it behind a link; its text stands in a message; they were told that it cannot be sent; nobody is there. */
export type SendFileResult = 'uploaded' | 'inlined' | 'refused' | 'unsent';

/** Somebody in the room. */
export interface RoomMember {
  readonly nick: string;
  readonly role: string;
  readonly affiliation: string;
  /** Whether it is the bot. */
  readonly isSelf: boolean;
}

/** Something that was said; by the bot where no speaker stands. */
export interface RecentMessage {
  readonly speaker?: string;
  readonly text: string;
  readonly at?: Date;
  /** What it replies or reacts to: a line in brackets. */
  readonly note?: string;
}

/** What tools can reach of the place they are used at. */
export interface ToolContext {
  readonly now: () => Date;
  readonly skills: readonly Skill[];
  readonly members: () => readonly RoomMember[];
  /** What was said last, at most so many, the oldest first. */
  readonly recent: (limit: number) => readonly RecentMessage[];
  /** Reacts to the message with this mark. Resolves to false when there is none. */
  readonly react: (mark: string, emoji: string, signal: AbortSignal) => Promise<boolean>;
  readonly sendFile: (file: OutgoingFile, signal: AbortSignal) => Promise<SendFileResult>;
  /** Ends what the tool does. */
  readonly signal: AbortSignal;
}

/** A tool on offer. */
export interface Tool {
  readonly definition: ToolDefinition;
  /** Whether using it may be all the answer there is: people notice it. */
  readonly countsAsAnswer: boolean;
  /**
   * Does what the model wants.
   * @param args parsed JSON, not checked yet
   * @returns what the model is told of it
   * @throws ToolError when it cannot be done, with words for the model
   */
  run(args: unknown, context: ToolContext): Promise<string>;
}

/** A tool could not do what it was asked to. The message is for the model, which may do better. */
export class ToolError extends Error {
  override readonly name = 'ToolError';
}

/** A tool as its file describes it. */
interface Description<Shape extends z.ZodRawShape> {
  readonly name: ToolName;
  /** For the model: what it does, and when to use it. */
  readonly description: string;
  /** The arguments, each with a description for the model. */
  readonly arguments: Shape;
  readonly countsAsAnswer?: boolean;
  run(args: z.output<z.ZodObject<Shape>>, context: ToolContext): Promise<string> | string;
}

/** Makes a tool whose arguments are checked before it sees them. */
export function defineTool<Shape extends z.ZodRawShape>(description: Description<Shape>): Tool {
  const schema = z.object(description.arguments);
  return {
    // The schema is for the model and need not say of which version it is; some servers refuse what they do not know.
    get definition() {
      const { $schema, ...parameters } = z.toJSONSchema(schema, { target: 'draft-7', io: 'input' });
      void $schema;
      return { name: description.name, description: description.description, parameters };
    },
    countsAsAnswer: description.countsAsAnswer ?? false,
    async run(args, context) {
      const read = schema.safeParse(args);
      if (!read.success) throw new ToolError(`the arguments are wrong: ${z.prettifyError(read.error)}`);
      return description.run(read.data, context);
    },
  };
}

/** Words of others in what a tool gives back: only a tool's own lines begin at the margin, so no text can look like one of them. */
export function indented(text: string): string {
  return text
    .split(/\r\n|[\n\r\v\f\u0085\u2028\u2029]/u)
    .map((line) => `  ${line}`)
    .join('\n');
}
