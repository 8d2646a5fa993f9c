/** Invitations that a room passes on, and what is answered to them (XEP-0045 §7.8.2). */
import { Jid } from '../../xmpp-core/jid/jid.js';
import { el, type Element } from '../../xmpp-core/xml/element.js';
import { NS_MUC_USER } from './muc-user.js';

/** Somebody wants us, or is wanted, in a room. */
export interface Invitation {
  readonly room: Jid;
  /** Who invites. In a mediated invitation this is the word of the room, and may be an occupant's address there. */
  readonly by: Jid | undefined;
  readonly reason: string | undefined;
  readonly password: string | undefined;
  /** There when the room goes on with a conversation of two, with its thread (§7.9). */
  readonly continues: { readonly thread: string | undefined } | undefined;
  /** Whether the inviter sent it themselves (XEP-0249) and not through the room. */
  readonly direct: boolean;
}

/** What goes with an invitation of ours. */
export interface InvitationOptions {
  readonly reason?: string | undefined;
  readonly continues?: { readonly thread?: string | undefined } | undefined;
}

/** Somebody does not come. */
export interface Decline {
  readonly by: Jid | undefined;
  readonly reason: string | undefined;
}

/**
 * The invitation in a message of a room; `undefined` when there is none, or the sender is no room. An example of §7.9 comes from under a
 * nick: that could be any occupant's invention, and no service sends it so.
 */
export function readMediatedInvitation(message: Element): Invitation | undefined {
  const x = message.child('x', NS_MUC_USER);
  const invite = x?.child('invite');
  const room = Jid.tryParse(message.attr('from'));
  if (invite === undefined || room === undefined || room.localpart === '' || !room.isBare) return undefined;
  const continues = invite.child('continue');
  return {
    room,
    by: Jid.tryParse(invite.attr('from')),
    reason: invite.childText('reason'),
    password: x?.childText('password'),
    continues: continues === undefined ? undefined : { thread: continues.attr('thread') },
    direct: false,
  };
}

/** The payload of a message to the room, which adds who we are and its password. */
export function writeMediatedInvitation(invitee: Jid, { reason, continues }: InvitationOptions): Element {
  const invite = el(
    'invite',
    NS_MUC_USER,
    { to: invitee.toString() },
    reason === undefined ? undefined : el('reason', NS_MUC_USER, {}, reason),
    continues === undefined ? undefined : el('continue', NS_MUC_USER, { thread: continues.thread }),
  );
  return el('x', NS_MUC_USER, {}, invite);
}

export function readDecline(message: Element): Decline | undefined {
  const decline = message.child('x', NS_MUC_USER)?.child('decline');
  if (decline === undefined) return undefined;
  return { by: Jid.tryParse(decline.attr('from')), reason: decline.childText('reason') };
}

/** The payload of a message to the room, for it to tell who invited us. */
export function writeDecline(inviter: Jid, reason?: string): Element {
  const why = reason === undefined ? undefined : el('reason', NS_MUC_USER, {}, reason);
  return el('x', NS_MUC_USER, {}, el('decline', NS_MUC_USER, { to: inviter.toString() }, why));
}
