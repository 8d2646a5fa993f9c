/** One entry of the roster on the wire (RFC 6121 §2.1.2). */
import { Jid } from '../jid/jid.js';
import { el, type Element } from '../xml/element.js';

export const NS_ROSTER = 'jabber:iq:roster';

/** Who sees whose presence (§2.1.2.5): `to` is us theirs, `from` is they ours. */
export type Subscription = 'none' | 'to' | 'from' | 'both';

/** Somebody in the roster. */
export interface RosterItem {
  readonly jid: Jid;
  /** What we call them. */
  readonly name: string | undefined;
  readonly subscription: Subscription;
  /** Whether we have asked to see their presence and wait for the answer (§2.1.2.2). */
  readonly isAsked: boolean;
  /** Whether a request of theirs will be granted by the server without asking us (§3.4). */
  readonly isApproved: boolean;
  /** Sorted into what, each once. */
  readonly groups: readonly string[];
}

/** What a push or a result says of an address: that it is there, as it is now, or (in a push) no longer. */
export type RosterEntry = RosterItem | { readonly jid: Jid; readonly removed: true };

const SUBSCRIPTIONS: ReadonlySet<string> = new Set<Subscription>(['none', 'to', 'from', 'both']);

/** Reads an `<item/>`, or `undefined` when its address is none. Values that do not exist are ignored, as §2.1.2 asks. */
export function readRosterEntry(item: Element): RosterEntry | undefined {
  const jid = Jid.tryParse(item.attr('jid'));
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

/** Writes an item with everything that is known of it, as a server does, or a cache. */
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
