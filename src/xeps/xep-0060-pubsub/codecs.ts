/** XEP-0060 on the wire: items, events, subscriptions, affiliations, and the options of a node. */
import { Jid } from '../../xmpp-core/jid/jid.js';
import { handled } from '../../xmpp-core/plugin.js';
import type { Message } from '../../xmpp-core/stanza/stanzas.js';
import { el, type Element } from '../../xmpp-core/xml/element.js';
import { childForm, type DataForm, type FormValues } from '../xep-0004-data-forms.js';
import { readDateTime } from '../xep-0082-date-time.js';

export const NS_PUBSUB = 'http://jabber.org/protocol/pubsub';
export const NS_PUBSUB_EVENT = 'http://jabber.org/protocol/pubsub#event';
export const NS_PUBSUB_OWNER = 'http://jabber.org/protocol/pubsub#owner';

/** Who may read a node (§4.5). */
export type AccessModel = 'authorize' | 'open' | 'presence' | 'roster' | 'whitelist';

/** How a node behaves, by the names of the fields (§16.4.4). What is left out stays as it is, or as the service has it. */
export type NodeOptions = {
  readonly 'pubsub#access_model'?: AccessModel;
  readonly 'pubsub#persist_items'?: boolean;
  /** `max` is as many as the service allows. */
  readonly 'pubsub#max_items'?: number | 'max';
  readonly 'pubsub#send_last_published_item'?: 'never' | 'on_sub' | 'on_sub_and_presence';
  readonly 'pubsub#deliver_payloads'?: boolean;
  readonly 'pubsub#notify_retract'?: boolean;
  readonly 'pubsub#title'?: string;
  readonly [field: `pubsub#${string}`]: FormValues[string];
};

/** Something published. */
export interface PubsubItem {
  readonly id: string | undefined;
  /** Absent where the node only notifies (§4.3). */
  readonly payload: Element | undefined;
  /** Who published it, where the service tells (§7.1.2.3); not verified by anybody but the service. */
  readonly publisher?: Jid;
}

/** An `<item/>` in any of the namespaces of pubsub. */
export function readPubsubItem(item: Element): PubsubItem {
  const publisher = Jid.tryParse(item.attr('publisher'));
  const read = { id: item.attr('id'), payload: item.children()[0] };
  return publisher === undefined ? read : { ...read, publisher };
}

export function writePubsubItem({ id, payload, publisher }: PubsubItem, ns: string = NS_PUBSUB): Element {
  return el('item', ns, { id, publisher: publisher?.toString() }, payload);
}

/** §4.2 */
export type SubscriptionState = 'none' | 'pending' | 'subscribed' | 'unconfigured';

export interface PubsubSubscription {
  /** Absent for the root of the service. */
  readonly node?: string;
  readonly jid: Jid;
  readonly state: SubscriptionState;
  /** Tells subscriptions of one JID to one node apart, where a service allows several. */
  readonly subid?: string;
  readonly expiry?: Date;
}

const STATES: ReadonlySet<string> = new Set<SubscriptionState>(['none', 'pending', 'subscribed', 'unconfigured']);

/** Reads a `<subscription/>`; `undefined` without a usable JID. A state that does not exist counts as `none`. */
export function readPubsubSubscription(subscription: Element): PubsubSubscription | undefined {
  const jid = Jid.tryParse(subscription.attr('jid'));
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

/** §4.1 */
export type PubsubAffiliation = 'member' | 'none' | 'outcast' | 'owner' | 'publish-only' | 'publisher';

const AFFILIATIONS: ReadonlySet<string> = new Set<PubsubAffiliation>([
  'member',
  'none',
  'outcast',
  'owner',
  'publish-only',
  'publisher',
]);

/** The affiliation that an element names; `none` for one that does not exist. */
export function readPubsubAffiliation(affiliation: Element): PubsubAffiliation {
  const name = affiliation.attr('affiliation') ?? '';
  return isAffiliation(name) ? name : 'none';
}

/** What a service tells of a node (§4.4, and the schema of `pubsub#event`). */
export type PubsubEvent =
  | {
      readonly type: 'items';
      readonly node: string;
      readonly items: readonly PubsubItem[];
      /** The ids of items that are gone (§7.2.2.1). */
      readonly retracted: readonly string[];
    }
  /** All items are gone (§8.5.2). */
  | { readonly type: 'purged'; readonly node: string }
  /** The node is gone (§8.4.2), and may have a successor. */
  | { readonly type: 'deleted'; readonly node: string; readonly redirect?: string }
  | { readonly type: 'configured'; readonly node: string; readonly form: DataForm | undefined }
  /** A subscription of ours changed without our doing (§12.20). */
  | { readonly type: 'subscription'; readonly node: string; readonly subscription: PubsubSubscription };

/** Reads an `<event/>`; `undefined` when it tells nothing that is known. */
export function readPubsubEvent(event: Element): PubsubEvent | undefined {
  if (!event.is('event', NS_PUBSUB_EVENT)) return undefined;
  const [about] = event.children();
  const node = about?.attr('node');
  if (about === undefined || about.ns !== NS_PUBSUB_EVENT || node === undefined) return undefined;
  switch (about.name) {
    case 'items': {
      const items = about.children('item').map(readPubsubItem);
      const retracted = about.children('retract').flatMap((one) => one.attr('id') ?? []);
      return { type: 'items', node, items, retracted };
    }
    case 'purge':
      return { type: 'purged', node };
    case 'delete': {
      const redirect = about.child('redirect')?.attr('uri');
      return { type: 'deleted', node, ...(redirect === undefined ? {} : { redirect }) };
    }
    case 'configuration':
      return { type: 'configured', node, form: childForm(about) };
    case 'subscription': {
      const subscription = readPubsubSubscription(about);
      return subscription === undefined ? undefined : { type: 'subscription', node, subscription };
    }
    default:
      return undefined;
  }
}

/** What to register for with `context.onMessage`, together with a guard that says whose nodes are meant, and `onNode`. */
export const PUBSUB_EVENT = { ns: NS_PUBSUB_EVENT, name: 'event' } as const;

/**
 * A message handler that hears of one node: `context.onMessage(PUBSUB_EVENT, from.ownAccount, onNode('urn:…', take))`. Whoever sent
 * the message owns the node (§12.17): the same name at somebody else is another node. A message that says nothing to people is kept
 * from the application.
 */
export function onNode(
  node: string,
  take: (event: PubsubEvent, message: Message) => void,
): (payload: Element, message: Message) => typeof handled | undefined {
  return (payload, message) => {
    const event = readPubsubEvent(payload);
    if (event?.node !== node) return undefined;
    take(event, message);
    return message.body === undefined ? handled : undefined;
  };
}

function isState(text: string): text is SubscriptionState {
  return STATES.has(text);
}

function isAffiliation(text: string): text is PubsubAffiliation {
  return AFFILIATIONS.has(text);
}
