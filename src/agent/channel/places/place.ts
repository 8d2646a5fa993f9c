/** Where an answer goes. It is stored with the question, so that it can be answered after a restart. */
import { z } from 'zod';
import { Jid } from '../../../xmpp-core/jid/jid.js';

const jid = z.string().transform((text, context) => {
  const parsed = Jid.fromWire(text);
  if (parsed !== undefined) return parsed;
  context.addIssue({ code: 'custom', message: 'not a JID' });
  return z.NEVER;
});

const schema = z.discriminatedUnion('kind', [
  /** A direct chat with a person. */
  z.object({
    kind: z.literal('direct'),
    to: jid,
    messageId: z.string().exactOptional(),
    thread: z.string().exactOptional(),
  }),
  /**
   * A room. `replyId` and `replyTo` identify the question for replies (XEP-0461), `replyId` also for reactions; `realJid` is its sender, for
   * the access rules.
   */
  z.object({
    kind: z.literal('room'),
    to: jid,
    replyId: z.string().exactOptional(),
    replyTo: jid.exactOptional(),
    realJid: jid.exactOptional(),
  }),
  /** A private chat with an occupant (XEP-0045 §7.5). `occupant` is its sender (see `identities`); so is `realJid`, for the access rules. */
  z.object({
    kind: z.literal('private'),
    to: jid,
    messageId: z.string().exactOptional(),
    occupant: z.string().exactOptional(),
    realJid: jid.exactOptional(),
  }),
]);

/** Where an answer goes. JSON on disk; in memory its JIDs are parsed. */
export type Place = z.output<typeof schema>;

/** The id for reactions to the message that came from a place. In a room it is the one that the room gave it (XEP-0444 §4.2). */
export function messageIdAt(place: Place): string | undefined {
  return place.kind === 'room' ? place.replyId : place.messageId;
}

/** Reads a stored place; `undefined` when it is not one. */
export function readPlace(json: unknown): Place | undefined {
  const read = schema.safeParse(json);
  return read.success ? read.data : undefined;
}
