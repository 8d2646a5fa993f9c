/** What tools reach of a place: who is there, what was said, and the ways to react and to send something. */
import type { Client } from '../../../xmpp-core/client.js';
import { muc } from '../../../xeps/xep-0045-muc/index.js';
import type { Conversation, Heard } from '../../conversation/history.js';
import { messageMark } from '../../conversation/message-mark.js';
import type { Skill } from '../../skills/skill.js';
import { ToolError, type ToolContext } from '../../tools/tool.js';
import { replyChannelTo, type ReplyChannel } from '../outbound/reply-channel.js';
import { messageIdAt, readPlace, type Place } from '../places/place.js';
import type { ProgressIndicator } from './progress.js';

/** A turn may send so many files. */
const MAX_FILES = 5;

export interface Scene {
  readonly client: Client;
  readonly conversation: Conversation;
  readonly place: Place;
  readonly outlet: ReplyChannel;
  readonly signs: ProgressIndicator;
  readonly skills: readonly Skill[];
  /** Resolves when something can be said at the place; rejects with the signal's reason. */
  readonly opened: (place: Place, signal: AbortSignal) => Promise<void>;
}

/** What the tools of one turn reach. */
export function turnTools(scene: Scene): Omit<ToolContext, 'signal'> {
  const { client, conversation, place, outlet, signs, skills, opened } = scene;
  let files = 0;
  return {
    now: () => new Date(),
    skills,
    members: () => {
      const room = client.get(muc).rooms.get(place.to.bare.toString());
      return [...(room?.occupants.values() ?? [])].map(({ nick, role, affiliation }) => ({
        nick,
        role,
        affiliation,
        isSelf: nick === room?.nick,
      }));
    },
    recent: (limit) => conversation.recent(limit),
    react: async (mark, emoji, signal) => {
      const target = reactionTarget(conversation.find((heard) => messageMark(heard.key) === mark));
      if (target === undefined) return false;
      await opened(place, signal);
      signs.react(replyChannelTo(client, target.place), target.id, emoji);
      return true;
    },
    sendFile: async (file, signal) => {
      // Of those that cannot be sent people are told, too.
      files += 1;
      if (files > MAX_FILES) throw new ToolError(`${MAX_FILES} files were sent, the most in one turn`);
      await opened(place, signal);
      return outlet.sendFile(file, signal);
    },
  };
}

/** The mark by which the model names a message, if it is one that can be reacted to. */
export function markOf(heard: Heard): string | undefined {
  return reactionTarget(heard) === undefined ? undefined : messageMark(heard.key);
}

function reactionTarget(heard: Heard | undefined): { readonly place: Place; readonly id: string } | undefined {
  const place = readPlace(heard?.reference);
  const id = place && messageIdAt(place);
  return place === undefined || id === undefined ? undefined : { place, id };
}
