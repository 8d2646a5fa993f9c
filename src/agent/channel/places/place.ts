/** Where an answer goes. It is written down with the question, so that an answer finds its way after a restart too. */
import { z } from 'zod';
import { Jid } from '../../../xmpp-core/jid/jid.js';

const jid = z.string().transform((text, context) => {
  const parsed = Jid.tryParse(text);
  if (parsed !== undefined) return parsed;
  context.addIssue({ code: 'custom', message: 'not a JID' });
  return z.NEVER;
});

const schema = z.discriminatedUnion('kind', [
  /** A person, directly. */
  z.object({
    kind: z.literal('direct'),
    to: jid,
    messageId: z.string().exactOptional(),
    thread: z.string().exactOptional(),
  }),
  /** A room; `replyId` and `replyTo` name the question there (XEP-0461), and the former what a reaction names; for the rules, `realJid` is who asked. */
  z.object({
    kind: z.literal('room'),
    to: jid,
    replyId: z.string().exactOptional(),
    replyTo: jid.exactOptional(),
    realJid: jid.exactOptional(),
  }),
  /** An occupant of a room, alone (XEP-0045 §7.5); `occupant` says who it was that spoke (see `identities`), for the rules `realJid`. */
  z.object({
    kind: z.literal('private'),
    to: jid,
    messageId: z.string().exactOptional(),
    occupant: z.string().exactOptional(),
    realJid: jid.exactOptional(),
  }),
]);

/** Where an answer goes: JSON when it is written, with its addresses prepared when it is read. */
export type Place = z.output<typeof schema>;

/** The id by which a reaction names the message that came from a place (XEP-0444 §4.2: in a room, the one that the room gave it). */
export function messageIdAt(place: Place): string | undefined {
  return place.kind === 'room' ? place.replyId : place.messageId;
}

/** The place that was written down, or `undefined` when it is not one. */
export function readPlace(json: unknown): Place | undefined {
  const read = schema.safeParse(json);
  return read.success ? read.data : undefined;
}
