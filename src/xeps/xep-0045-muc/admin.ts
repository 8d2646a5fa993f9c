/** `<query xmlns='http://jabber.org/protocol/muc#admin'/>`: roles and affiliations, read and changed (XEP-0045 §8, §9). */
import { Jid } from '../../xmpp-core/jid/jid.js';
import { el, type Element } from '../../xmpp-core/xml/element.js';
import { readAffiliation, readRole, type Affiliation, type Role } from './muc-user.js';

export const NS_MUC_ADMIN = 'http://jabber.org/protocol/muc#admin';

/** Somebody on one of a room's lists. */
export interface ListedUser {
  readonly affiliation: Affiliation;
  /** In lists of occupants; `none` in lists of accounts. */
  readonly role: Role;
  /** The account, bare. */
  readonly jid: Jid | undefined;
  readonly nick: string | undefined;
  readonly reason: string | undefined;
}

/**
 * One change. Roles belong to nicks and affiliations to accounts, and one change is of one of them only (§17.4).
 */
export type ListChange =
  | { readonly nick: string; readonly role: Role; readonly reason?: string | undefined }
  | {
      readonly jid: Jid;
      readonly affiliation: Affiliation;
      /** The nick to keep for a member (§9.3). */
      readonly nick?: string | undefined;
      readonly reason?: string | undefined;
    };

/** Asks for everybody with that role or affiliation. */
export function writeListQuery(wanted: { readonly role: Role } | { readonly affiliation: Affiliation }): Element {
  return el('query', NS_MUC_ADMIN, {}, el('item', NS_MUC_ADMIN, wanted));
}

export function readList(query: Element | undefined): ListedUser[] {
  if (query?.is('query', NS_MUC_ADMIN) !== true) return [];
  return query.children('item').map((item) => ({
    affiliation: readAffiliation(item),
    role: readRole(item),
    jid: Jid.tryParse(item.attr('jid'))?.bare,
    nick: item.attr('nick'),
    reason: item.childText('reason'),
  }));
}

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
