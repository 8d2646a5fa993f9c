/** Mediated invitations, which a room passes on, and how to decline them (XEP-0045 §7.8.2). */
import { Jid } from '../../xmpp-core/jid/jid.js';
import { el, type Element } from '../../xmpp-core/xml/element.js';
import { NS_MUC_USER } from './muc-user.js';

/** An invitation to a room, mediated by the room or direct (XEP-0249). */
export interface Invitation {
  readonly room: Jid;
  /** Who invites. In a mediated invitation the room claims it, and it may be the address of an occupant. */
  readonly by: Jid | undefined;
  readonly reason: string | undefined;
  readonly password: string | undefined;
  /** Set if the room continues a one-to-one conversation; with the thread of that conversation (§7.9). */
  readonly continues: { readonly thread: string | undefined } | undefined;
  /** Whether the inviter sent it directly (XEP-0249) and not through the room. */
  readonly direct: boolean;
}

/** The optional parts of an invitation that we send. */
export interface InvitationOptions {
  /** A text for the invitee. */
  readonly reason?: string | undefined;
  /** Set if the room continues a one-to-one conversation; with the thread of that conversation (§7.9). */
  readonly continues?: { readonly thread?: string | undefined } | undefined;
}

/** Somebody declined our invitation. */
export interface Decline {
  readonly by: Jid | undefined;
  readonly reason: string | undefined;
}

/**
 * Reads the invitation in a message of a room; `undefined` if there is none, or if the sender is not the bare JID of a room. One example in
 * §7.9 has the JID of an occupant, but any occupant could forge that, and no service sends it.
 */
export function readMediatedInvitation(message: Element): Invitation | undefined {
  const x = message.child('x', NS_MUC_USER);
  const invite = x?.child('invite');
  const room = Jid.fromWire(message.attr('from'));
  if (invite === undefined || room === undefined || room.localpart === '' || !room.isBare) return undefined;
  const continues = invite.child('continue');
  return {
    room,
    by: Jid.fromWire(invite.attr('from')),
    reason: invite.childText('reason'),
    password: x?.childText('password'),
    continues: continues === undefined ? undefined : { thread: continues.attr('thread') },
    direct: false,
  };
}

/** Writes the payload of a message to the room. The room adds our JID and its password. */
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

/** Reads the decline in a message of a room; `undefined` if there is none. */
export function readDecline(message: Element): Decline | undefined {
  const decline = message.child('x', NS_MUC_USER)?.child('decline');
  if (decline === undefined) return undefined;
  return { by: Jid.fromWire(decline.attr('from')), reason: decline.childText('reason') };
}

/** Writes the payload of a message to the room, which passes it on to the inviter. */
export function writeDecline(inviter: Jid, reason?: string): Element {
  const why = reason === undefined ? undefined : el('reason', NS_MUC_USER, {}, reason);
  return el('x', NS_MUC_USER, {}, el('decline', NS_MUC_USER, { to: inviter.toString() }, why));
}
