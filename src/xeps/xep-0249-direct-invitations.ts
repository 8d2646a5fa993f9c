/**
 * XEP-0249 Direct MUC Invitations, 1.2 (Stable). https://xmpp.org/extensions/xep-0249.html
 *
 * An invitation that the inviter sends without the room in between, so that it arrives where strangers' messages do not. Rooms (XEP-0045)
 * send and take them: `room.inviteDirectly()` and the event `invited`, which tells of both kinds.
 */
import { Jid } from '../xmpp-core/jid/jid.js';
import { el, type Element } from '../xmpp-core/xml/element.js';
import type { Invitation, InvitationOptions } from './xep-0045-muc/invitations.js';

export const NS_DIRECT_INVITATION = 'jabber:x:conference';

/** @param by who sent it. @returns `undefined` when it names no room */
export function readDirectInvitation(x: Element, by: Jid): Invitation | undefined {
  const room = Jid.tryParse(x.attr('jid'))?.bare;
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

/** What an invitation of ours says. */
export interface DirectInvitation extends InvitationOptions {
  readonly room: Jid;
  readonly password?: string | undefined;
}

export function writeDirectInvitation({ room, password, reason, continues }: DirectInvitation): Element {
  return el('x', NS_DIRECT_INVITATION, {
    continue: continues === undefined ? undefined : true,
    jid: room.bare.toString(),
    password,
    reason,
    thread: continues?.thread,
  });
}
