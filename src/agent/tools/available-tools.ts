/** Which tools are on offer at a place. */
import type { ToolName } from '../config/config.js';
import { now } from './now.js';
import { react } from './react.js';
import { readSkill } from './read-skill.js';
import { roomHistory, roomMembers } from './room.js';
import { sendFile } from './send-file.js';
import type { Tool } from './tool.js';

/** What decides on it beside the configuration: a tool that cannot do anything is not offered. */
export interface ToolConditions {
  readonly inRoom: boolean;
  readonly canReact: boolean;
  readonly hasSkills: boolean;
}

interface Entry {
  readonly tool: Tool;
  readonly isOfUse: (circumstances: ToolConditions) => boolean;
}

const TOOLS: Readonly<Record<ToolName, Entry>> = {
  react: { tool: react, isOfUse: ({ canReact: mayReact }) => mayReact },
  send_file: { tool: sendFile, isOfUse: () => true },
  read_skill: { tool: readSkill, isOfUse: ({ hasSkills }) => hasSkills },
  room_members: { tool: roomMembers, isOfUse: ({ inRoom }) => inRoom },
  room_history: { tool: roomHistory, isOfUse: ({ inRoom }) => inRoom },
  now: { tool: now, isOfUse: () => true },
};

/** The tools by name, of those that are allowed. */
export function availableTools(allowed: readonly ToolName[], circumstances: ToolConditions): ReadonlyMap<string, Tool> {
  const useful = [...new Set(allowed)].filter((name) => TOOLS[name].isOfUse(circumstances));
  return new Map(useful.map((name) => [name, TOOLS[name].tool]));
}
