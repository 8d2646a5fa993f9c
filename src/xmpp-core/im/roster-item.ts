/** A roster entry on the wire (RFC 6121 §2.1.2). */
import { Jid } from '../jid/jid.js';
import { el, type Element } from '../xml/element.js';

/** The namespace of the roster (RFC 6121 §2). */
export const NS_ROSTER = 'jabber:iq:roster';

/** Who sees whose presence (§2.1.2.5): with `to` we see theirs, with `from` they see ours. */
export type Subscription = 'none' | 'to' | 'from' | 'both';

/** A contact in the roster. */
export interface RosterItem {
  readonly jid: Jid;
  /** Our name for the contact. */
  readonly name: string | undefined;
  readonly subscription: Subscription;
  /** Whether our subscription request is pending (§2.1.2.2). */
  readonly isAsked: boolean;
  /** Whether the server will approve their subscription request without asking us (§3.4). */
  readonly isApproved: boolean;
  /** The groups of the contact, without duplicates. */
  readonly groups: readonly string[];
}

/** An entry of a push or result: the current item or, in a push only, its removal. */
export type RosterEntry = RosterItem | { readonly jid: Jid; readonly removed: true };

const SUBSCRIPTIONS: ReadonlySet<string> = new Set<Subscription>(['none', 'to', 'from', 'both']);

/** Reads an `<item/>`; `undefined` if its JID is invalid. Unknown values are ignored (§2.1.2). */
export function readRosterEntry(item: Element): RosterEntry | undefined {
  const jid = Jid.fromWire(item.attr('jid'));
  if (jid === undefined) return undefined;
  const subscription = item.attr('subscription') ?? '';
  if (subscription === 'remove') return { jid, removed: true };
  return {
    jid,
    name: item.attr('name'),
    subscription: isSubscription(subscription) ? subscription : 'none',
    isAsked: item.attr('ask') === 'subscribe',
    isApproved: ['true', '1'].includes(item.attr('approved') ?? ''),
    groups: [
      ...new Set(
        item
          .children('group')
          .map(({ text }) => text)
          .filter((group) => group !== ''),
      ),
    ],
  };
}

/** Writes an item with all its fields, as servers and the cache do. */
export function writeRosterItem({ jid, name, subscription, isAsked, isApproved, groups }: RosterItem): Element {
  return el(
    'item',
    NS_ROSTER,
    {
      jid: jid.toString(),
      name,
      subscription,
      ask: isAsked ? 'subscribe' : undefined,
      approved: isApproved ? true : undefined,
    },
    ...groups.map((group) => el('group', NS_ROSTER, {}, group)),
  );
}

function isSubscription(text: string): text is Subscription {
  return SUBSCRIPTIONS.has(text);
}
