/** `<query xmlns='http://jabber.org/protocol/muc#admin'/>`: lists and changes of roles and affiliations (XEP-0045 §8, §9). */
import { Jid } from '../../xmpp-core/jid/jid.js';
import { el, type Element } from '../../xmpp-core/xml/element.js';
import { readAffiliation, readRole, type Affiliation, type Role } from './muc-user.js';

/** The namespace of requests by moderators and admins. */
export const NS_MUC_ADMIN = 'http://jabber.org/protocol/muc#admin';

/** An entry of a room's list of occupants or accounts. */
export interface ListedUser {
  readonly affiliation: Affiliation;
  /** In lists of occupants; `none` in lists of accounts. */
  readonly role: Role;
  /** The account, bare. */
  readonly jid: Jid | undefined;
  readonly nick: string | undefined;
  readonly reason: string | undefined;
}

/** A change of a role or an affiliation. Roles belong to nicks, affiliations to accounts; one change cannot be of both (§17.4). */
export type ListChange =
  | { readonly nick: string; readonly role: Role; readonly reason?: string | undefined }
  | {
      readonly jid: Jid;
      readonly affiliation: Affiliation;
      /** The nick to reserve for a member (§9.3). */
      readonly nick?: string | undefined;
      readonly reason?: string | undefined;
    };

/** Writes a request for everybody with a role or an affiliation. */
export function writeListQuery(wanted: { readonly role: Role } | { readonly affiliation: Affiliation }): Element {
  return el('query', NS_MUC_ADMIN, {}, el('item', NS_MUC_ADMIN, wanted));
}

/** Reads the answer to `writeListQuery`. An entry with an unknown role or affiliation has `none`. */
export function readList(query: Element | undefined): ListedUser[] {
  if (query?.is('query', NS_MUC_ADMIN) !== true) return [];
  return query.children('item').map((item) => ({
    affiliation: readAffiliation(item),
    role: readRole(item),
    jid: Jid.fromWire(item.attr('jid'))?.bare,
    nick: item.attr('nick'),
    reason: item.childText('reason'),
  }));
}

/** Writes a request for changes, all of roles or all of affiliations. */
export function writeChanges(changes: readonly ListChange[]): Element {
  return el('query', NS_MUC_ADMIN, {}, ...changes.map(writeChange));
}

function writeChange(change: ListChange): Element {
  const { reason, nick } = change;
  const what =
    'role' in change
      ? { nick, role: change.role }
      : { jid: change.jid.bare.toString(), affiliation: change.affiliation, nick };
  return el('item', NS_MUC_ADMIN, what, reason === undefined ? undefined : el('reason', NS_MUC_ADMIN, {}, reason));
}
