/**
 * Who sees when the bot is there (RFC 6121 §3): those whom the rules let in. Rules change, so what was granted under others is taken back when
 * the roster comes.
 */
import { BoundedSet } from '../../../xmpp-core/bounded-map.js';
import type { Client } from '../../../xmpp-core/client.js';
import type { RosterItem } from '../../../xmpp-core/im/roster-item.js';
import { roster } from '../../../xmpp-core/im/roster.js';
import { subscriptions } from '../../../xmpp-core/im/subscriptions.js';
import type { Jid } from '../../../xmpp-core/jid/jid.js';
import type { AccountConfig } from '../../config/config.js';
import { presenceAccess } from './rules.js';
import type { Denials } from './denials.js';

export interface PresenceSubscribersOptions {
  readonly account: AccountConfig;
  readonly client: Client;
  readonly denials: Denials;
  /** The canonical bare JIDs of those whom operators let in. */
  readonly approved: () => ReadonlySet<string>;
  /** Told when the server does not do what it is asked. */
  readonly failed: (error: unknown) => void;
}

/** So many requests for presence are remembered; servers repeat them with each session (RFC 6121 §3.1.3). */
const MAX_REQUESTS = 1_000;

export class PresenceSubscribers {
  readonly #options: PresenceSubscribersOptions;
  /** Who asked and was not let in. */
  readonly #requests = new BoundedSet<string>(MAX_REQUESTS);
  /** Who may no longer see, and whose server could not be told yet; by bare JID. */
  readonly #untold = new Map<string, Jid>();
  /** Of whom it was taken back in this session: a server whose roster does not follow is not asked for ever. */
  readonly #turnedAway = new Set<string>();

  constructor(options: PresenceSubscribersOptions) {
    this.#options = options;
    options.client.get(subscriptions).events.on('requested', ({ contact }) => this.#requested(contact));
  }

  /** From now on takes back what the rules do not allow any more. Only once it is known whom operators let in. */
  keepToTheRules(): void {
    const { client, failed } = this.#options;
    const { events } = client.get(roster);
    events.on('received', ({ items }) => {
      this.#turnedAway.clear();
      void this.#sweep([...items.values()]);
    });
    // What another client of the account changes meanwhile, or changed before the server's list of that began.
    events.on('changed', ({ item }) => void this.#sweep([item]));
    events.on('failed', ({ error }) => failed(error));
  }

  /** Somebody is let in: who asked to see now does. */
  letIn(who: Jid): void {
    const { client } = this.#options;
    const jid = who.bare.toString();
    this.#untold.delete(jid);
    if (this.#requests.delete(jid) && client.state === 'online') client.get(subscriptions).approve(who);
  }

  /** Somebody is to see no more, whatever let them: another rule, or a person at another client. */
  turnAway(who: Jid): void {
    this.#untold.set(who.bare.toString(), who.bare);
    this.online();
  }

  /** Says what could not be said without a connection. For each time that there is one. */
  online(): void {
    const { client } = this.#options;
    if (client.state !== 'online') return;
    for (const who of this.#untold.values()) client.get(subscriptions).deny(who);
    this.#untold.clear();
  }

  #requested(contact: Jid): void {
    const { account, client, denials, approved } = this.#options;
    const access = presenceAccess(account, contact, approved());
    if (access.allowed) return client.get(subscriptions).approve(contact);
    // It is left alone, until they are let in.
    this.#requests.add(contact.bare.toString());
    denials.tell(contact.toString(), access.why);
  }

  /** One after the other: a roster can be long. */
  async #sweep(items: readonly RosterItem[]): Promise<void> {
    for (const item of items) await this.#check(item).catch(this.#options.failed);
  }

  async #check(item: RosterItem): Promise<void> {
    const { account, client, denials, approved } = this.#options;
    const { jid, subscription, isApproved } = item;
    const key = jid.toString();
    const sees = subscription === 'from' || subscription === 'both' || isApproved;
    const access = presenceAccess(account, jid, approved());
    if (!sees || access.allowed || this.#turnedAway.has(key)) return;
    this.#turnedAway.add(key);
    denials.tell(key, access.why);
    if (isKeptByPeople(item)) return client.get(subscriptions).deny(jid);
    // With the item the server ends what it stood for (RFC 6121 §2.5.2).
    await client.get(roster).remove(jid);
  }
}

/** What people put into the account's roster from another client is theirs: a name, a group, that the account wants to see them. */
function isKeptByPeople({ subscription, isAsked, name = '', groups }: RosterItem): boolean {
  return subscription === 'both' || subscription === 'to' || isAsked || name !== '' || groups.length > 0;
}
