/** Selects the tools that are available in a conversation. */
import type { ToolName } from '../config/config.js';
import { now } from './now.js';
import { react } from './react.js';
import { readSkill } from './read-skill.js';
import { roomHistory, roomMembers } from './room.js';
import { sendFile } from './send-file.js';
import type { Tool } from './tool.js';

/** The conditions beside the configuration: a tool that cannot work is not offered. */
export interface ToolConditions {
  readonly inRoom: boolean;
  readonly canReact: boolean;
  readonly hasSkills: boolean;
}

interface Entry {
  readonly tool: Tool;
  readonly isUseful: (conditions: ToolConditions) => boolean;
}

const TOOLS: Readonly<Record<ToolName, Entry>> = {
  react: { tool: react, isUseful: ({ canReact: mayReact }) => mayReact },
  send_file: { tool: sendFile, isUseful: () => true },
  read_skill: { tool: readSkill, isUseful: ({ hasSkills }) => hasSkills },
  room_members: { tool: roomMembers, isUseful: ({ inRoom }) => inRoom },
  room_history: { tool: roomHistory, isUseful: ({ inRoom }) => inRoom },
  now: { tool: now, isUseful: () => true },
};

/** The available tools by name. @param allowed the tools that the configuration allows */
export function availableTools(allowed: readonly ToolName[], conditions: ToolConditions): ReadonlyMap<string, Tool> {
  const useful = [...new Set(allowed)].filter((name) => TOOLS[name].isUseful(conditions));
  return new Map(useful.map((name) => [name, TOOLS[name].tool]));
}
