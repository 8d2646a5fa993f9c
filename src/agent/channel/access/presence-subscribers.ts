/**
 * Who is subscribed to the bot's presence (RFC 6121 §3): those whom the rules let in. Rules change, so each time the roster arrives,
 * subscriptions that they no longer allow are cancelled.
 */
import { BoundedSet } from '../../../xmpp-core/bounded-map.js';
import type { Client } from '../../../xmpp-core/client.js';
import type { RosterItem } from '../../../xmpp-core/im/roster-item.js';
import { roster } from '../../../xmpp-core/im/roster.js';
import { subscriptions } from '../../../xmpp-core/im/subscriptions.js';
import type { Jid } from '../../../xmpp-core/jid/jid.js';
import type { Background } from '../../background.js';
import type { Log } from '../../log.js';
import { logServerError } from '../client/server-error.js';
import type { Admission } from './admission.js';
import type { Denials } from './denials.js';

/** Parts of the presence subscribers. */
export interface PresenceSubscribersOptions {
  readonly client: Client;
  readonly admission: Admission;
  readonly denials: Denials;
  readonly background: Background;
  readonly log: Log;
}

/** The most pending requests that are remembered. Servers repeat them with each session (RFC 6121 §3.1.3). */
const MAX_REQUESTS = 1_000;

/** The presence subscriptions of one account. */
export class PresenceSubscribers {
  readonly #options: PresenceSubscribersOptions;
  /** Who asked for a subscription and was not let in, by bare JID. */
  readonly #requests = new BoundedSet<string>(MAX_REQUESTS);
  /** Subscriptions to be cancelled at the next connection, by bare JID. */
  readonly #cancellations = new Map<string, Jid>();
  /** Whose subscription was cancelled in this session: a server that does not update its roster is not asked again and again. */
  readonly #cancelled = new Set<string>();

  constructor(options: PresenceSubscribersOptions) {
    this.#options = options;
    options.client.get(subscriptions).events.on('requested', ({ contact }) => this.#requested(contact));
  }

  /** Cancels what the rules no longer allow, from now on. To be called once the approvals by operators are loaded. */
  enforceRules(): void {
    const { client, background, log } = this.#options;
    const { events } = client.get(roster);
    events.on('received', ({ items }) => {
      this.#cancelled.clear();
      background.run('roster', () => this.#sweep([...items.values()]));
    });
    // Another client of the account may change an item, at any time.
    events.on('changed', ({ item }) => background.run('roster', () => this.#sweep([item])));
    events.on('failed', ({ error }) => logServerError(log, client, error));
  }

  /** Approves the pending request of somebody who was let in. */
  approve(who: Jid): void {
    const { client } = this.#options;
    const jid = who.bare.toString();
    this.#cancellations.delete(jid);
    if (this.#requests.delete(jid) && client.state === 'online') client.get(subscriptions).approve(who);
  }

  /** Cancels a subscription, whether it was allowed by a rule or by a person at another client. */
  cancel(who: Jid): void {
    this.#cancellations.set(who.bare.toString(), who.bare);
    this.online();
  }

  /** Sends the cancellations that had to wait for a connection. To be called each time that there is one. */
  online(): void {
    const { client } = this.#options;
    if (client.state !== 'online') return;
    for (const who of this.#cancellations.values()) client.get(subscriptions).deny(who);
    this.#cancellations.clear();
  }

  #requested(contact: Jid): void {
    const { client, admission, denials } = this.#options;
    const access = admission.presence(contact);
    if (access.allowed) return client.get(subscriptions).approve(contact);
    // The request stays pending until they are let in.
    this.#requests.add(contact.bare.toString());
    denials.log(contact.toString(), access.why);
  }

  /** One after the other: a roster can be long. */
  async #sweep(items: readonly RosterItem[]): Promise<void> {
    const { client, log } = this.#options;
    for (const item of items) {
      try {
        await this.#check(item);
      } catch (error) {
        logServerError(log, client, error);
      }
    }
  }

  async #check(item: RosterItem): Promise<void> {
    const { client, admission, denials } = this.#options;
    const { jid, subscription, isApproved } = item;
    const key = jid.toString();
    const sees = subscription === 'from' || subscription === 'both' || isApproved;
    const access = admission.presence(jid);
    if (!sees || access.allowed || this.#cancelled.has(key)) return;
    this.#cancelled.add(key);
    denials.log(key, access.why);
    if (isKeptByPeople(item)) return client.get(subscriptions).deny(jid);
    // Removing the item cancels the subscription as well (RFC 6121 §2.5.2).
    await client.get(roster).remove(jid);
  }
}

/** Whether people manage this item from another client of the account: it has a name or a group, or the account is subscribed to the contact. */
function isKeptByPeople({ subscription, isAsked, name = '', groups }: RosterItem): boolean {
  return subscription === 'both' || subscription === 'to' || isAsked || name !== '' || groups.length > 0;
}
