/** The codecs of XEP-0060: items, events, subscriptions, affiliations, and the options of a node. */
import { Jid } from '../../xmpp-core/jid/jid.js';
import { handled } from '../../xmpp-core/plugin.js';
import type { Message } from '../../xmpp-core/stanza/stanzas.js';
import { el, type Element } from '../../xmpp-core/xml/element.js';
import { childForm, type DataForm, type FormValues } from '../xep-0004-data-forms.js';
import { readDateTime } from '../xep-0082-date-time.js';

/** The namespace of requests of subscribers and publishers. */
export const NS_PUBSUB = 'http://jabber.org/protocol/pubsub';
/** The namespace of notifications. */
export const NS_PUBSUB_EVENT = 'http://jabber.org/protocol/pubsub#event';
/** The namespace of requests of owners. */
export const NS_PUBSUB_OWNER = 'http://jabber.org/protocol/pubsub#owner';

/** Who may read a node (§4.5). */
export type AccessModel = 'authorize' | 'open' | 'presence' | 'roster' | 'whitelist';

/**
 * The configuration of a node, by field names (§16.4.4). The service chooses a default for options that are left out, or leaves them
 * unchanged.
 */
export type NodeOptions = {
  readonly 'pubsub#access_model'?: AccessModel;
  readonly 'pubsub#persist_items'?: boolean;
  /** `max`: as many as the service allows. */
  readonly 'pubsub#max_items'?: number | 'max';
  readonly 'pubsub#send_last_published_item'?: 'never' | 'on_sub' | 'on_sub_and_presence';
  readonly 'pubsub#deliver_payloads'?: boolean;
  readonly 'pubsub#notify_retract'?: boolean;
  readonly 'pubsub#title'?: string;
  readonly [field: `pubsub#${string}`]: FormValues[string];
};

/** A published item. */
export interface PubsubItem {
  readonly id: string | undefined;
  /** Absent in notifications of nodes that send no payloads (§4.3). */
  readonly payload: Element | undefined;
  /** The publisher, if the service reveals it (§7.1.2.3). Only the service vouches for it. */
  readonly publisher?: Jid;
}

/** Reads an `<item/>` in any namespace of pubsub. */
export function readPubsubItem(item: Element): PubsubItem {
  const publisher = Jid.fromWire(item.attr('publisher'));
  const read = { id: item.attr('id'), payload: item.children()[0] };
  return publisher === undefined ? read : { ...read, publisher };
}

/** Writes an `<item/>`. @param ns the namespace of its parent */
export function writePubsubItem({ id, payload, publisher }: PubsubItem, ns: string = NS_PUBSUB): Element {
  return el('item', ns, { id, publisher: publisher?.toString() }, payload);
}

/** The state of a subscription (§4.2). */
export type SubscriptionState = 'none' | 'pending' | 'subscribed' | 'unconfigured';

/** A subscription to a node (§4.2). */
export interface PubsubSubscription {
  /** Absent for the root node of the service. */
  readonly node?: string;
  readonly jid: Jid;
  readonly state: SubscriptionState;
  /** Distinguishes several subscriptions of one JID to one node, if the service allows them. */
  readonly subid?: string;
  readonly expiry?: Date;
}

const STATES: ReadonlySet<string> = new Set<SubscriptionState>(['none', 'pending', 'subscribed', 'unconfigured']);

/** Reads a `<subscription/>`; `undefined` without a valid JID. An unknown state counts as `none`. */
export function readPubsubSubscription(subscription: Element): PubsubSubscription | undefined {
  const jid = Jid.fromWire(subscription.attr('jid'));
  if (jid === undefined) return undefined;
  const node = subscription.attr('node');
  const subid = subscription.attr('subid');
  const expiry = readDateTime(subscription.attr('expiry'));
  const state = subscription.attr('subscription') ?? '';
  return {
    ...(node === undefined ? {} : { node }),
    jid,
    state: isState(state) ? state : 'none',
    ...(subid === undefined ? {} : { subid }),
    ...(expiry === undefined ? {} : { expiry }),
  };
}

/** The affiliation of an entity with a node (§4.1). */
export type PubsubAffiliation = 'member' | 'none' | 'outcast' | 'owner' | 'publish-only' | 'publisher';

const AFFILIATIONS: ReadonlySet<string> = new Set<PubsubAffiliation>([
  'member',
  'none',
  'outcast',
  'owner',
  'publish-only',
  'publisher',
]);

/** Reads the affiliation that an element states; an unknown one counts as `none`. */
export function readPubsubAffiliation(affiliation: Element): PubsubAffiliation {
  const name = affiliation.attr('affiliation') ?? '';
  return isAffiliation(name) ? name : 'none';
}

/** A notification about a node (§4.4, and the schema of `pubsub#event`). */
export type PubsubEvent =
  | {
      readonly type: 'items';
      readonly node: string;
      readonly items: readonly PubsubItem[];
      /** The ids of retracted items (§7.2.2.1). */
      readonly retracted: readonly string[];
    }
  /** All items were deleted (§8.5.2). */
  | { readonly type: 'purged'; readonly node: string }
  /** The node was deleted (§8.4.2); `redirect` is the URI of its successor. */
  | { readonly type: 'deleted'; readonly node: string; readonly redirect?: string }
  | { readonly type: 'configured'; readonly node: string; readonly form: DataForm | undefined }
  /** The service changed a subscription of ours (§12.20). */
  | { readonly type: 'subscription'; readonly node: string; readonly subscription: PubsubSubscription };

/** Reads an `<event/>`; `undefined` for unknown kinds of notification. */
export function readPubsubEvent(event: Element): PubsubEvent | undefined {
  if (!event.is('event', NS_PUBSUB_EVENT)) return undefined;
  const [child] = event.children();
  const node = child?.attr('node');
  if (child === undefined || child.ns !== NS_PUBSUB_EVENT || node === undefined) return undefined;
  switch (child.name) {
    case 'items': {
      const items = child.children('item').map(readPubsubItem);
      const retracted = child.children('retract').flatMap((one) => one.attr('id') ?? []);
      return { type: 'items', node, items, retracted };
    }
    case 'purge':
      return { type: 'purged', node };
    case 'delete': {
      const redirect = child.child('redirect')?.attr('uri');
      return { type: 'deleted', node, ...(redirect === undefined ? {} : { redirect }) };
    }
    case 'configuration':
      return { type: 'configured', node, form: childForm(child) };
    case 'subscription': {
      const subscription = readPubsubSubscription(child);
      return subscription === undefined ? undefined : { type: 'subscription', node, subscription };
    }
    default:
      return undefined;
  }
}

/** What to register with `context.onMessage`, together with a guard for the owners of the nodes, and `onNode`. */
export const PUBSUB_EVENT = { ns: NS_PUBSUB_EVENT, name: 'event' } as const;

/**
 * A message handler for notifications of one node: `context.onMessage(PUBSUB_EVENT, senders.ownAccount, onNode('urn:…', handle))`. The sender
 * of the message owns the node (§12.17): a node of that name at another sender is another node. A message without a body is marked as
 * handled.
 */
export function onNode(
  node: string,
  handle: (event: PubsubEvent, message: Message) => void,
): (payload: Element, message: Message) => typeof handled | undefined {
  return (payload, message) => {
    const event = readPubsubEvent(payload);
    if (event?.node !== node) return undefined;
    handle(event, message);
    return message.body === undefined ? handled : undefined;
  };
}

function isState(text: string): text is SubscriptionState {
  return STATES.has(text);
}

function isAffiliation(text: string): text is PubsubAffiliation {
  return AFFILIATIONS.has(text);
}
