/** The rosters of the loopback server, with versions and presence subscriptions (RFC 6121 §2, §3, appendix A). */
import { StanzaError } from '../xmpp-core/errors.js';
import type { Jid } from '../xmpp-core/jid/jid.js';
import { NS_ROSTER, readRosterEntry, writeRosterItem, type RosterItem } from '../xmpp-core/im/roster-item.js';
import { newId } from '../xmpp-core/stanza/ids.js';
import { NS_CLIENT } from '../xmpp-core/stanza/namespaces.js';
import { el, type Element } from '../xmpp-core/xml/element.js';
import type { Session } from './session.js';

/** A client that has sent initial presence, and its latest presence. */
export interface AvailableClient {
  readonly session: Session;
  readonly presence: Element;
}

interface StoredRoster {
  readonly items: Map<string, RosterItem>;
  /** Pending subscription requests to this account, by sender. */
  readonly requests: Map<string, Element>;
  /** All changes, in order; the version is their number. */
  readonly changes: Element[];
  /** Sessions that have requested the roster, and so receive roster pushes (§2.2). */
  readonly interested: Set<Session>;
}

/** The rosters of all accounts. */
export class Rosters {
  readonly #rosters = new Map<string, StoredRoster>();
  readonly #availableOf: (account: Jid) => readonly AvailableClient[];

  constructor(availableOf: (account: Jid) => readonly AvailableClient[]) {
    this.#availableOf = availableOf;
  }

  /** Answers a roster request. @returns the payload of the result, and stanzas to send after it @throws StanzaError */
  answer(session: Session, account: Jid, iq: Element): { result: Element | undefined; after: readonly Element[] } {
    const query = iq.child('query', NS_ROSTER);
    if (query === undefined) throw StanzaError.of('bad-request');
    if (iq.attr('type') === 'set') {
      this.#set(account, query);
      return { result: undefined, after: [] };
    }
    const { items, changes, interested } = this.#of(account);
    interested.add(session);
    const known = /^v\d+$/.test(query.attr('ver') ?? '') ? Number(query.attr('ver')?.slice(1)) : Infinity;
    // §2.6.3: a client with an earlier version receives the changes since then.
    if (known <= changes.length) return { result: undefined, after: changes.slice(known).map(push) };
    const ver = query.attr('ver') === undefined ? undefined : `v${changes.length}`;
    return { result: el('query', NS_ROSTER, { ver }, ...[...items.values()].map(writeRosterItem)), after: [] };
  }

  /** Sends a client's presence to its contacts (§4.2, §4.4), and theirs to it if it has just come online. */
  broadcast({ session, presence }: AvailableClient, account: Jid, isNew: boolean): void {
    for (const { jid, subscription } of this.#of(account).items.values()) {
      if (subscription === 'from' || subscription === 'both') {
        for (const contact of this.#availableOf(jid)) contact.session.send(addressed(presence, jid));
      }
      if (isNew && (subscription === 'to' || subscription === 'both')) {
        for (const contact of this.#availableOf(jid)) session.send(addressed(contact.presence, account));
      }
    }
    if (isNew) for (const request of this.#of(account).requests.values()) session.send(request);
  }

  /** Handles a presence that changes a subscription (§3). @param from replaces its sender */
  subscription(presence: Element, from: Jid, to: Jid): void {
    const type = presence.attr('type');
    const stamped = presence.withAttributes({ from: from.bare.toString(), to: to.bare.toString() });
    if (type === 'subscribe') this.#request(from.bare, to.bare, stamped);
    else if (type === 'subscribed') this.#approve(from.bare, to.bare, stamped);
    else if (type === 'unsubscribed') this.#stop(to.bare, from.bare, stamped);
    else if (type === 'unsubscribe') this.#stop(from.bare, to.bare, stamped);
  }

  /** Removes a session that has ended. */
  remove(session: Session): void {
    this.#of(session.jid).interested.delete(session);
  }

  #request(watcher: Jid, contact: Jid, presence: Element): void {
    if (this.#sees(watcher, contact)) return;
    this.#change(watcher, contact, { isAsked: true });
    const granted = this.#of(contact).items.get(watcher.toString())?.isApproved === true;
    this.#of(contact).requests.set(watcher.toString(), presence);
    if (granted) this.#approve(contact, watcher, presence.withAttributes({ type: 'subscribed' }));
    else this.#send(contact, presence);
  }

  #approve(contact: Jid, watcher: Jid, presence: Element): void {
    // §3.4.2: an approval without a request is a pre-approval.
    if (!this.#of(contact).requests.delete(watcher.toString())) {
      this.#change(contact, watcher, { isApproved: true });
      return;
    }
    this.#change(contact, watcher, withFrom(this.#item(contact, watcher), true));
    this.#change(watcher, contact, { ...withTo(this.#item(watcher, contact), true), isAsked: false });
    this.#send(watcher, presence.withAttributes({ from: contact.toString(), to: watcher.toString() }));
    for (const available of this.#availableOf(contact)) this.#send(watcher, addressed(available.presence, watcher));
  }

  /** Ends the watcher's subscription to the contact, whichever of them requested it. */
  #stop(watcher: Jid, contact: Jid, presence: Element): void {
    const wasSeen = this.#sees(watcher, contact);
    this.#of(contact).requests.delete(watcher.toString());
    if (this.#of(contact).items.has(watcher.toString())) {
      this.#change(contact, watcher, { ...withFrom(this.#item(contact, watcher), false), isApproved: false });
    }
    if (this.#of(watcher).items.has(contact.toString())) {
      this.#change(watcher, contact, { ...withTo(this.#item(watcher, contact), false), isAsked: false });
    }
    this.#send(presence.attr('from') === watcher.toString() ? contact : watcher, presence);
    if (!wasSeen) return;
    for (const available of this.#availableOf(contact)) {
      this.#send(
        watcher,
        addressed(el('presence', NS_CLIENT, { from: available.presence.attr('from'), type: 'unavailable' }), watcher),
      );
    }
  }

  #set(account: Jid, query: Element): void {
    const [item, ...more] = query.children('item');
    const entry = item === undefined || more.length > 0 ? undefined : readRosterEntry(item);
    if (entry === undefined) throw StanzaError.of('bad-request');
    if (!('removed' in entry)) {
      const { name, groups } = entry;
      this.#change(account, entry.jid, { name, groups });
      return;
    }
    const roster = this.#of(account);
    if (!roster.items.has(entry.jid.toString())) throw StanzaError.of('item-not-found');
    const between = { from: account.toString(), to: entry.jid.toString() };
    this.#stop(account, entry.jid, el('presence', NS_CLIENT, { ...between, type: 'unsubscribe' }));
    this.#stop(entry.jid, account, el('presence', NS_CLIENT, { ...between, type: 'unsubscribed' }));
    roster.items.delete(entry.jid.toString());
    this.#recordChange(roster, el('item', NS_ROSTER, { jid: entry.jid.toString(), subscription: 'remove' }));
  }

  #change(account: Jid, contact: Jid, changes: Partial<RosterItem>): void {
    const item = { ...this.#item(account, contact), ...changes };
    const roster = this.#of(account);
    roster.items.set(contact.toString(), item);
    this.#recordChange(roster, writeRosterItem(item));
  }

  #recordChange({ changes, interested }: StoredRoster, item: Element): void {
    const change = el('query', NS_ROSTER, { ver: `v${changes.length + 1}` }, item);
    changes.push(change);
    for (const session of interested) session.send(push(change));
  }

  #send(account: Jid, stanza: Element): void {
    for (const { session } of this.#availableOf(account)) session.send(stanza);
  }

  #item(account: Jid, contact: Jid): RosterItem {
    const known = this.#of(account).items.get(contact.toString());
    return (
      known ?? { jid: contact, name: undefined, subscription: 'none', isAsked: false, isApproved: false, groups: [] }
    );
  }

  #sees(watcher: Jid, contact: Jid): boolean {
    return ['to', 'both'].includes(this.#item(watcher, contact).subscription);
  }

  #of(account: Jid): StoredRoster {
    const key = account.bare.toString();
    const roster = this.#rosters.get(key) ?? {
      items: new Map(),
      requests: new Map(),
      changes: [],
      interested: new Set<Session>(),
    };
    this.#rosters.set(key, roster);
    return roster;
  }
}

function push(query: Element): Element {
  return el('iq', NS_CLIENT, { type: 'set', id: newId() }, query);
}

function addressed(presence: Element, to: Jid): Element {
  return presence.withAttributes({ to: to.toString() });
}

function withTo({ subscription }: RosterItem, isGranted: boolean): Pick<RosterItem, 'subscription'> {
  const isSeen = subscription === 'from' || subscription === 'both';
  return { subscription: isGranted ? (isSeen ? 'both' : 'to') : isSeen ? 'from' : 'none' };
}

function withFrom({ subscription }: RosterItem, isGranted: boolean): Pick<RosterItem, 'subscription'> {
  const sees = subscription === 'to' || subscription === 'both';
  return { subscription: isGranted ? (sees ? 'both' : 'from') : sees ? 'to' : 'none' };
}
