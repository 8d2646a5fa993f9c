/**
 * XEP-0249 Direct MUC Invitations, 1.2 (Stable). https://xmpp.org/extensions/xep-0249.html
 *
 * An invitation that the inviter sends directly and not through the room, so that it also reaches people who block messages of strangers.
 * Multi-user chat (XEP-0045) sends and receives them: `room.inviteDirectly()`, and the event `invited` for both kinds of invitations.
 */
import { Jid } from '../xmpp-core/jid/jid.js';
import { el, type Element } from '../xmpp-core/xml/element.js';
import type { Invitation, InvitationOptions } from './xep-0045-muc/invitations.js';

/** The namespace of direct invitations. */
export const NS_DIRECT_INVITATION = 'jabber:x:conference';

/** Reads a direct invitation. @param by its sender. @returns `undefined` if it names no room */
export function readDirectInvitation(x: Element, by: Jid): Invitation | undefined {
  const room = Jid.fromWire(x.attr('jid'))?.bare;
  if (room === undefined || room.localpart === '') return undefined;
  const continues = x.attr('continue')?.trim();
  return {
    room,
    by,
    reason: x.attr('reason'),
    password: x.attr('password'),
    continues: continues === 'true' || continues === '1' ? { thread: x.attr('thread') } : undefined,
    direct: true,
  };
}

/** A direct invitation that we send. */
export interface DirectInvitation extends InvitationOptions {
  readonly room: Jid;
  readonly password?: string | undefined;
}

/** Writes the payload of a direct invitation. */
export function writeDirectInvitation({ room, password, reason, continues }: DirectInvitation): Element {
  return el('x', NS_DIRECT_INVITATION, {
    continue: continues === undefined ? undefined : true,
    jid: room.bare.toString(),
    password,
    reason,
    thread: continues?.thread,
  });
}
