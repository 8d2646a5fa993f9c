/** XEP-0045 on the wire: what a room's presences and messages carry. */
import { Jid } from '../../xmpp-core/jid/jid.js';
import { el, type Element } from '../../xmpp-core/xml/element.js';
import { writeDateTime } from '../xep-0082-date-time.js';

export const NS_MUC = 'http://jabber.org/protocol/muc';
export const NS_MUC_USER = 'http://jabber.org/protocol/muc#user';
export const NS_MUC_OWNER = 'http://jabber.org/protocol/muc#owner';
const NS_DATA_FORMS = 'jabber:x:data';

export type Affiliation = 'owner' | 'admin' | 'member' | 'none' | 'outcast';
export type Role = 'moderator' | 'participant' | 'visitor' | 'none';
const AFFILIATIONS: ReadonlySet<string> = new Set<Affiliation>(['owner', 'admin', 'member', 'none', 'outcast']);
const ROLES: ReadonlySet<string> = new Set<Role>(['moderator', 'participant', 'visitor', 'none']);

/** Status codes this client acts on (§15.6). */
export const Status = {
  nonAnonymous: 100,
  self: 110,
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

/** How much of the past a room is asked for at a join (§7.2.13). */
export interface HistoryWish {
  readonly maxStanzas?: number;
  readonly since?: Date;
}

/** The `<x/>` of a join (§7.2.2). */
export function writeMucJoin({ history, password }: { history?: HistoryWish; password?: string | undefined }): Element {
  const wish =
    history === undefined
      ? undefined
      : el('history', NS_MUC, {
          maxstanzas: history.maxStanzas,
          since: history.since === undefined ? undefined : writeDateTime(history.since),
        });
  return el('x', NS_MUC, {}, wish, password === undefined ? undefined : el('password', NS_MUC, {}, password));
}

/** What a room says about an occupant with each presence (§7.1, §17). */
export interface MucUser {
  readonly affiliation: Affiliation;
  readonly role: Role;
  /** The occupant's real JID, in rooms that show it. */
  readonly jid: Jid | undefined;
  /** With status 303: the new nick. */
  readonly nick: string | undefined;
  readonly reason: string | undefined;
  readonly statuses: ReadonlySet<number>;
  readonly destroyed: boolean;
}

export function readMucUser(stanza: Element): MucUser | undefined {
  const x = stanza.child('x', NS_MUC_USER);
  if (x === undefined) return undefined;
  const item = x.child('item');
  const destroy = x.child('destroy');
  const affiliation = item?.attr('affiliation') ?? 'none';
  const role = item?.attr('role') ?? 'none';
  return {
    affiliation: isAffiliation(affiliation) ? affiliation : 'none',
    role: isRole(role) ? role : 'none',
    jid: Jid.tryParse(item?.attr('jid')),
    nick: item?.attr('nick'),
    reason: (destroy ?? item)?.childText('reason'),
    statuses: new Set(x.children('status').map((status) => Number(status.attr('code')))),
    destroyed: destroy !== undefined,
  };
}

export function writeMucUser(user: Partial<MucUser>): Element {
  const { affiliation, role, jid, nick, reason, statuses = new Set<number>() } = user;
  const item = el(
    'item',
    NS_MUC_USER,
    { affiliation, role, jid: jid?.toString(), nick },
    reason === undefined ? undefined : el('reason', NS_MUC_USER, {}, reason),
  );
  return el('x', NS_MUC_USER, {}, item, ...[...statuses].map((code) => el('status', NS_MUC_USER, { code })));
}

/** The form that accepts a new room as it is (§10.1.2). */
export function writeInstantRoom(): Element {
  return el('query', NS_MUC_OWNER, {}, el('x', NS_DATA_FORMS, { type: 'submit' }));
}

function isAffiliation(text: string): text is Affiliation {
  return AFFILIATIONS.has(text);
}

function isRole(text: string): text is Role {
  return ROLES.has(text);
}
