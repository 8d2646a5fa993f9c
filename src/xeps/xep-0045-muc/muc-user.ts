/** `<x xmlns='http://jabber.org/protocol/muc#user'/>`: what a room says about its occupants (XEP-0045 §7 to §10, §17.2). */
import { Jid } from '../../xmpp-core/jid/jid.js';
import { el, type Element } from '../../xmpp-core/xml/element.js';
import { readDestruction, type Destruction } from './owner.js';

/** The namespace of what a room says about its occupants. */
export const NS_MUC_USER = 'http://jabber.org/protocol/muc#user';

/** A lasting position in a room, which belongs to an account (§5.2). */
export type Affiliation = 'owner' | 'admin' | 'member' | 'none' | 'outcast';
/** A position in a room for the time of one stay, which belongs to a nick (§5.1). */
export type Role = 'moderator' | 'participant' | 'visitor' | 'none';

/** The status codes (§15.6). */
export const Status = {
  nonAnonymous: 100,
  affiliationChangedAway: 101,
  showsUnavailable: 102,
  hidesUnavailable: 103,
  settingsChanged: 104,
  self: 110,
  logged: 170,
  notLogged: 171,
  nowNonAnonymous: 172,
  nowSemiAnonymous: 173,
  nowFullyAnonymous: 174,
  created: 201,
  nickAssigned: 210,
  banned: 301,
  nickChanged: 303,
  kicked: 307,
  affiliationLost: 321,
  membersOnly: 322,
  shutdown: 332,
  technical: 333,
} as const;

/** The person who changed something about an occupant, as far as the room names them (§8.2, §9.1). */
export interface Actor {
  readonly nick: string | undefined;
  readonly jid: Jid | undefined;
}

/** What a room says about an occupant in each presence. */
export interface MucUser {
  readonly affiliation: Affiliation;
  readonly role: Role;
  /** The occupant's real JID, in rooms that show it. */
  readonly jid: Jid | undefined;
  /** With status 303: the new nick. */
  readonly nick: string | undefined;
  readonly actor: Actor | undefined;
  readonly reason: string | undefined;
  readonly statuses: ReadonlySet<number>;
  /** Set if the room was destroyed (§10.9). */
  readonly destruction: Destruction | undefined;
}

/** The new affiliation of an account, whether or not it is in the room (§9.3, status 101). */
export interface AffiliationChange {
  readonly affiliation: Affiliation;
  readonly jid: Jid | undefined;
  readonly nick: string | undefined;
  readonly actor: Actor | undefined;
  readonly reason: string | undefined;
}

const AFFILIATIONS: ReadonlySet<string> = new Set<Affiliation>(['owner', 'admin', 'member', 'none', 'outcast']);
const ROLES: ReadonlySet<string> = new Set<Role>(['moderator', 'participant', 'visitor', 'none']);

/**
 * Reads the element from a stanza; `undefined` if there is none. The caller checks the sender: only the room itself and the presences that it
 * passes on count (§17.3).
 */
export function readMucUser(stanza: Element): MucUser | undefined {
  const x = stanza.child('x', NS_MUC_USER);
  if (x === undefined) return undefined;
  const item = x.child('item');
  const destroy = x.child('destroy');
  return {
    affiliation: readAffiliation(item),
    role: readRole(item),
    jid: Jid.fromWire(item?.attr('jid')),
    nick: item?.attr('nick'),
    actor: readActor(item),
    reason: (destroy ?? item)?.childText('reason'),
    statuses: readStatuses(x),
    destruction: destroy === undefined ? undefined : readDestruction(destroy),
  };
}

/** Reads the new affiliation from a message of the room; `undefined` if the message has none. */
export function readAffiliationChange(message: Element): AffiliationChange | undefined {
  const item = message.child('x', NS_MUC_USER)?.child('item');
  if (item?.attr('affiliation') === undefined) return undefined;
  return {
    affiliation: readAffiliation(item),
    jid: Jid.fromWire(item.attr('jid')),
    nick: item.attr('nick'),
    actor: readActor(item),
    reason: item.childText('reason'),
  };
}

/** Writes the element, as a service does. */
export function writeMucUser(user: Partial<MucUser>): Element {
  const { affiliation, role, jid, nick, actor, reason, statuses = new Set<number>(), destruction } = user;
  const item = el(
    'item',
    NS_MUC_USER,
    { affiliation, role, jid: jid?.toString(), nick },
    actor === undefined ? undefined : el('actor', NS_MUC_USER, { nick: actor.nick, jid: actor.jid?.toString() }),
    reason === undefined ? undefined : el('reason', NS_MUC_USER, {}, reason),
  );
  return el(
    'x',
    NS_MUC_USER,
    {},
    item,
    destruction === undefined
      ? undefined
      : el('destroy', NS_MUC_USER, { jid: destruction.alternate?.toString() }, ...writeDetails(destruction)),
    ...[...statuses].map((code) => el('status', NS_MUC_USER, { code })),
  );
}

/** Reads the affiliation of an item; `none` if it is absent or unknown. */
export function readAffiliation(item: Element | undefined): Affiliation {
  const affiliation = item?.attr('affiliation') ?? '';
  return isAffiliation(affiliation) ? affiliation : 'none';
}

/** Reads the role of an item; `none` if it is absent or unknown. */
export function readRole(item: Element | undefined): Role {
  const role = item?.attr('role') ?? '';
  return isRole(role) ? role : 'none';
}

function readStatuses(x: Element): ReadonlySet<number> {
  return new Set(x.children('status').map((status) => Number(status.attr('code'))));
}

function readActor(item: Element | undefined): Actor | undefined {
  const actor = item?.child('actor');
  return actor === undefined ? undefined : { nick: actor.attr('nick'), jid: Jid.fromWire(actor.attr('jid')) };
}

function writeDetails({ reason, password }: Destruction): Element[] {
  return [
    ...(reason === undefined ? [] : [el('reason', NS_MUC_USER, {}, reason)]),
    ...(password === undefined ? [] : [el('password', NS_MUC_USER, {}, password)]),
  ];
}

function isAffiliation(text: string): text is Affiliation {
  return AFFILIATIONS.has(text);
}

function isRole(text: string): text is Role {
  return ROLES.has(text);
}
