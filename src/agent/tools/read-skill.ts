import { z } from 'zod';
import { readSkillFile, SkillError, SKILL_FILE } from '../skills/skill.js';
import { defineTool, indented, ToolError } from './tool.js';

/** Reads the instructions of a skill, or another file in its folder. */
export const readSkill = defineTool({
  name: 'read_skill',
  description: 'Reads the instructions of one of your skills, or a file in its folder that they mention.',
  arguments: {
    name: z.string().describe('The name of the skill'),
    path: z.string().max(500).exactOptional().describe('A file in its folder, such as references/forms.md'),
  },
  async run({ name, path = SKILL_FILE }, context) {
    const skill = context.skills.find((one) => one.name === name);
    if (skill === undefined) {
      const known = context.skills.map((one) => one.name).join(', ');
      throw new ToolError(`there is no skill of this name; there are: ${known}`);
    }
    try {
      const text = await readSkillFile(skill, path, context.signal);
      return `The file ${JSON.stringify(path)} of your skill ${name}, indented:\n${indented(text)}`;
    } catch (error) {
      if (error instanceof SkillError) throw new ToolError(error.message);
      throw error;
    }
  },
});
