/** Who gets an answer. Rules about the configuration and prepared JIDs only: nothing here remembers, sends or logs. */
import type { Jid } from '../../../xmpp-core/jid/jid.js';
import type { AccountConfig, RoomConfig } from '../../config/config.js';
import type { JidPattern } from '../../config/jid-pattern.js';

/**
 * The rule that said no:
 * - `policy`: the policy is `disabled`, or the room's `enabled` is false. Not even operators are answered.
 * - `list`: not on the allowlist (or the room's `users`). In a direct message this is the stranger an operator may let in.
 * - `hidden`: a list decides, and the room does not show who this is.
 * - `mention`: the message is not meant for the bot. No denial to be logged: it becomes context.
 */
export type DenyingRule = 'policy' | 'list' | 'hidden' | 'mention';

/** The outcome of a rule. `why` is for the log, it is never sent. */
export type Access =
  { readonly allowed: true } | { readonly allowed: false; readonly rule: DenyingRule; readonly why: string };

/** A message of a room, as far as access depends on it. */
export interface RoomMessageFacts {
  /** The real JID of who sent it, from the occupant's presence (XEP-0045 §7.2.3). `undefined` when the room hides it. */
  readonly sender: Jid | undefined;
  /** Whether it is meant for the bot; see `readAddressing`. */
  readonly addressed: boolean;
  /** The operator who had the bot join the room, if one did. */
  readonly vouchedBy?: Jid | undefined;
}

const ALLOWED: Access = { allowed: true };

/** Whether this is one of the account's operators, on whichever of their clients. Who is hidden is none. */
export function isOperator(account: Pick<AccountConfig, 'operators'>, who: Jid | undefined): boolean {
  return who !== undefined && account.operators.some((operator) => operator.equals(who.bare));
}

/**
 * Whether a room's word for who somebody is counts where much depends on it: a room can name anybody. So it counts only where it could be had
 * without the room: the room is on our own server or on that of whom it names, and whoever runs that could speak for the account anyway.
 */
export function isTrustedAbout({ jid }: Pick<AccountConfig, 'jid'>, room: Jid, who: Jid): boolean {
  return isOn(room, jid) || isOn(room, who);
}

/** Whether an occupant of a room is one of the account's operators. @param realJid as the room has it */
export function isOperatorIn(
  account: Pick<AccountConfig, 'jid' | 'operators'>,
  room: Jid,
  realJid: Jid | undefined,
): boolean {
  return realJid !== undefined && isOperator(account, realJid) && isTrustedAbout(account, room, realJid);
}

/**
 * Whether someone gets an answer in private.
 * @param sender the real JID, `undefined` when the message came through a room that hides it
 * @param approved canonical bare JIDs that operators let in, in addition to the list. They are compared, not matched: a stranger may
 *   be called `*`, which RFC 7622 allows.
 * @param room the one that says who the sender is, when it is not their server that does
 */
export function directAccess(
  account: Pick<AccountConfig, 'jid' | 'dmPolicy' | 'allowlist' | 'operators'>,
  sender: Jid | undefined,
  approved: ReadonlySet<string> = new Set(),
  room?: Jid,
): Access {
  if (account.dmPolicy === 'disabled') return denied('policy', 'dm_policy is disabled');
  const isOurs = room === undefined ? isOperator(account, sender) : isOperatorIn(account, room, sender);
  if (account.dmPolicy === 'open' || isOurs) return ALLOWED;
  if (sender === undefined) return denied('hidden', 'dm_policy is allowlist and the room hides the real JID');
  if (matchesAny(account.allowlist, sender) || approved.has(sender.bare.toString())) return ALLOWED;
  return denied('list', 'not in allowlist');
}

/** Whether someone may see when the bot is there, and get a sign of life: who may write to it, and operators, who run it, whatever the policy. */
export function presenceAccess(
  account: Pick<AccountConfig, 'jid' | 'dmPolicy' | 'allowlist' | 'operators'>,
  contact: Jid,
  approved: ReadonlySet<string>,
): Access {
  return isOperator(account, contact) ? ALLOWED : directAccess(account, contact, approved);
}

/**
 * Whether the bot may be in a room at all. A room that is denied is not joined.
 * @param invitedBy who asks the bot into it, if someone does: an operator may, past the list
 */
export function roomAccess(
  account: Pick<AccountConfig, 'groupPolicy' | 'groupAllowlist' | 'operators'>,
  room: Pick<RoomConfig, 'jid' | 'enabled'>,
  invitedBy?: Jid,
): Access {
  if (account.groupPolicy === 'disabled') return denied('policy', 'group_policy is disabled');
  const listed = account.groupPolicy === 'open' || matchesAny(account.groupAllowlist, room.jid);
  if (!listed && !isOperator(account, invitedBy)) return denied('list', 'the room is not in group_allowlist');
  if (!room.enabled) return denied('policy', 'the room is not enabled');
  return ALLOWED;
}

/**
 * Whether a message of a room gets an answer: group_policy, the room's `enabled`, its `users`, the mention rule, in this order.
 * The lists do not concern operators; the switches and the mention rule do.
 */
export function roomMessageAccess(
  account: Pick<AccountConfig, 'jid' | 'groupPolicy' | 'groupAllowlist' | 'operators'>,
  room: Pick<RoomConfig, 'jid' | 'enabled' | 'users' | 'mentionMode'>,
  { sender, addressed, vouchedBy }: RoomMessageFacts,
): Access {
  const isOurs = isOperatorIn(account, room.jid, sender);
  const entry = roomAccess(account, room, isOurs ? sender : vouchedBy);
  if (!entry.allowed) return entry;
  if (room.users !== undefined && !isOurs) {
    if (sender === undefined) return denied('hidden', 'the room has a users list and hides the real JID');
    if (!matchesAny(room.users, sender)) return denied('list', "not in the room's users list");
  }
  return mentionRule(room, addressed);
}

function mentionRule({ mentionMode }: Pick<RoomConfig, 'mentionMode'>, addressed: boolean): Access {
  if (mentionMode === 'none') return denied('mention', 'mention_mode is none');
  if (mentionMode === 'mention' && !addressed) return denied('mention', 'the message does not address the bot');
  return ALLOWED;
}

/** Whether a room belongs to the server of an account. */
function isOn(room: Jid, { domainpart }: Jid): boolean {
  return room.domainpart === domainpart || room.domainpart.endsWith(`.${domainpart}`);
}

function matchesAny(patterns: readonly JidPattern[], jid: Jid): boolean {
  return patterns.some((pattern) => pattern.matches(jid));
}

function denied(rule: DenyingRule, why: string): Access {
  return { allowed: false, rule, why };
}
