/** The access rules: pure functions of the configuration and prepared JIDs. Nothing here keeps state, sends or logs. */
import type { Jid } from '../../../xmpp-core/jid/jid.js';
import type { AccountConfig, RoomConfig } from '../../config/config.js';
import type { JidPattern } from '../../config/jid-pattern.js';

/**
 * The rule that denies access:
 * - `policy`: the policy is `disabled`, or the room's `enabled` is false. Not even operators are answered.
 * - `list`: not in the allowlist (or in the room's `users`). The sender of a direct message is then a stranger, whom an operator can let in.
 * - `hidden`: a list decides, but the room hides the real JID.
 * - `mention`: the message does not address the bot. It is not logged as denied, and becomes context.
 * - `voice`: the room is moderated, and the bot may not write there (XEP-0045 §7.2.6).
 */
export type DenyingRule = 'policy' | 'list' | 'hidden' | 'mention' | 'voice';

/** The result of a rule. `why` is for the log and is never sent. */
export type Access =
  { readonly allowed: true } | { readonly allowed: false; readonly rule: DenyingRule; readonly why: string };

/** A message of a room, as far as access depends on it. */
export interface RoomMessageFacts {
  /** The sender's real JID, from the occupant's presence (XEP-0045 §7.2.3); `undefined` when the room hides it. */
  readonly sender: Jid | undefined;
  /** Whether it addresses the bot; see `readAddressing`. */
  readonly addressed: boolean;
  /** The operator who asked the bot into the room, if one did. */
  readonly vouchedBy?: Jid | undefined;
  /** Whether the bot may write in the room; it may unless given. */
  readonly hasVoice?: boolean;
}

const ALLOWED: Access = { allowed: true };

/** Whether a JID is one of the account's operators, with any resource. A hidden JID (`undefined`) is never an operator. */
export function isOperator(account: Pick<AccountConfig, 'operators'>, who: Jid | undefined): boolean {
  return who !== undefined && account.operators.some((operator) => operator.equals(who.bare));
}

/**
 * Whether a room is trusted to state the real JID of an operator. A room can claim any JID, so it is trusted only if it is on our own server or
 * on the server of that JID: whoever runs that server could send as the account anyway.
 */
export function isTrustedAbout({ jid }: Pick<AccountConfig, 'jid'>, room: Jid, who: Jid): boolean {
  return isOn(room, jid) || isOn(room, who);
}

/** Whether an occupant of a room is one of the account's operators. @param realJid as the room states it */
export function isOperatorIn(
  account: Pick<AccountConfig, 'jid' | 'operators'>,
  room: Jid,
  realJid: Jid | undefined,
): boolean {
  return realJid !== undefined && isOperator(account, realJid) && isTrustedAbout(account, room, realJid);
}

/**
 * Whether someone gets an answer in a direct or private message.
 * @param sender the real JID, `undefined` when the message came through a room that hides it
 * @param approved canonical bare JIDs that operators let in, in addition to the list. They are compared, not matched as patterns: RFC 7622
 *   allows a JID with the localpart `*`.
 * @param room the room that states the sender's JID, unless it comes from the sender's server
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

/** Whether someone may learn that the bot is online: everybody who may write to it, and operators under any policy. */
export function presenceAccess(
  account: Pick<AccountConfig, 'jid' | 'dmPolicy' | 'allowlist' | 'operators'>,
  contact: Jid,
  approved: ReadonlySet<string>,
): Access {
  return isOperator(account, contact) ? ALLOWED : directAccess(account, contact, approved);
}

/**
 * Whether the bot may join a room.
 * @param invitedBy who invites the bot, if anyone: an operator can invite it into rooms that are not in the list
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
 * Whether a message of a room gets an answer. Checks group_policy, the room's `enabled`, its `users` and the mention rule, in this order.
 * The lists do not apply to operators; the switches and the mention rule do.
 */
export function roomMessageAccess(
  account: Pick<AccountConfig, 'jid' | 'groupPolicy' | 'groupAllowlist' | 'operators'>,
  room: Pick<RoomConfig, 'jid' | 'enabled' | 'users' | 'mentionMode'>,
  { sender, addressed, vouchedBy, hasVoice = true }: RoomMessageFacts,
): Access {
  const isOurs = isOperatorIn(account, room.jid, sender);
  const entry = roomAccess(account, room, isOurs ? sender : vouchedBy);
  if (!entry.allowed) return entry;
  if (room.users !== undefined && !isOurs) {
    if (sender === undefined) return denied('hidden', 'the room has a users list and hides the real JID');
    if (!matchesAny(room.users, sender)) return denied('list', "not in the room's users list");
  }
  const mention = mentionRule(room, addressed);
  return mention.allowed && !hasVoice ? denied('voice', 'the bot has no voice in the room') : mention;
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
