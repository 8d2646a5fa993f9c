/** What the tools of a turn can do at its place: list the occupants, read recent messages, react, and send files. */
import type { Client } from '../../../xmpp-core/client.js';
import { muc } from '../../../xeps/xep-0045-muc/index.js';
import type { Conversation, ReceivedMessage } from '../../conversation/history.js';
import { messageMark } from '../../conversation/message-mark.js';
import type { Skill } from '../../skills/skill.js';
import { ToolError, type ToolContext } from '../../tools/tool.js';
import { replyChannelTo, type ReplyChannel } from '../outbound/reply-channel.js';
import { messageIdAt, readPlace, type Place } from '../places/place.js';
import type { ProgressIndicator } from './progress.js';

/** The most files that one turn may send. */
const MAX_FILES = 5;

/** What the tools of a turn work on. */
export interface ToolScope {
  readonly client: Client;
  readonly conversation: Conversation;
  readonly place: Place;
  readonly channel: ReplyChannel;
  readonly progress: ProgressIndicator;
  readonly skills: readonly Skill[];
  /** Resolves when a message can be sent to the place; rejects with the signal's reason. */
  readonly opened: (place: Place, signal: AbortSignal) => Promise<void>;
}

/** The context that the tools of one turn run in. */
export function turnTools(scene: ToolScope): Omit<ToolContext, 'signal'> {
  const { client, conversation, place, channel, progress, skills, opened } = scene;
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
      const target =
        mark === undefined
          ? targetAt(place)
          : reactionTarget(conversation.find((one) => messageMark(one.key) === mark));
      if (target === undefined) return false;
      await opened(place, signal);
      progress.react(replyChannelTo(client, target.place), target.id, emoji);
      return true;
    },
    sendFile: async (file, signal) => {
      // Files that cannot be sent count as well: people get a notice for each.
      files += 1;
      if (files > MAX_FILES) throw new ToolError(`${MAX_FILES} files were sent, the most in one turn`);
      await opened(place, signal);
      return channel.sendFile(file, signal);
    },
  };
}

/** The mark by which the model refers to a message; `undefined` if it cannot be reacted to. */
export function markOf(message: ReceivedMessage): string | undefined {
  return reactionTarget(message) === undefined ? undefined : messageMark(message.key);
}

/** A message that can be reacted to. */
interface ReactionTarget {
  readonly place: Place;
  readonly id: string;
}

function reactionTarget(message: ReceivedMessage | undefined): ReactionTarget | undefined {
  return targetAt(readPlace(message?.reference));
}

/** The message that came from a place. */
function targetAt(place: Place | undefined): ReactionTarget | undefined {
  const id = place && messageIdAt(place);
  return place === undefined || id === undefined ? undefined : { place, id };
}
