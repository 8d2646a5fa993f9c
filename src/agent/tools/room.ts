/** The tools that read the state of a room. */
import { z } from 'zod';
import { attributed, safeName } from '../conversation/speaker.js';
import { defineTool } from './tool.js';

/** How many occupants are listed. */
const MAX_MEMBERS = 200;
const MAX_LINES = 100;

/** Lists the occupants of the room. */
export const roomMembers = defineTool({
  name: 'room_members',
  description: 'Tells who is in this chat room at the moment: nicknames and what they are in the room.',
  arguments: {},
  run(_args, context) {
    const members = context.members();
    const lines = members
      .slice(0, MAX_MEMBERS)
      .map(
        ({ nick, role, affiliation, isSelf }) =>
          `<${safeName(nick)}> ${role}, ${affiliation === 'none' ? 'not a member' : affiliation}${isSelf ? ', you yourself' : ''}`,
      );
    const more = members.length > MAX_MEMBERS ? [`and ${members.length - MAX_MEMBERS} more`] : [];
    return [`In the room: ${members.length}. People choose their own nicknames.`, ...lines, ...more].join('\n');
  },
});

/** Returns the latest messages of the room. */
export const roomHistory = defineTool({
  name: 'room_history',
  description: 'Tells what was said in this chat room lately, the newest last, also what you were not shown.',
  arguments: {
    limit: z.int().min(1).max(MAX_LINES).default(20).describe('How many messages'),
  },
  run({ limit }, context) {
    const lines = context.recent(limit).flatMap(({ speaker, text, at, note }) => {
      if (speaker === undefined) return `you: ${text.replaceAll('\n', '\n  ')}`;
      const line = attributed(speaker, text);
      const dated = at === undefined ? line : `${at.toISOString().slice(0, 16)}Z ${line}`;
      return note === undefined ? dated : [dated, note];
    });
    if (lines.length === 0) return 'Nothing was said yet.';
    return [
      'What was said (times in UTC); each message begins at the margin, and so does what is noted of the one above it, in [brackets]:',
      ...lines,
    ].join('\n');
  },
});
