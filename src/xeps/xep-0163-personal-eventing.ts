/**
 * XEP-0163 Personal Eventing Protocol, 1.2.2 (Stable). https://xmpp.org/extensions/xep-0163.html
 *
 * Every account is a pubsub service (XEP-0060): we publish to our own nodes and read those of others. A client that announces
 * `<node>+notify` receives what its contacts publish, if it is subscribed to their presence. Such a notification counts only if it comes
 * from the bare JID of the account that owns the node, which has to be a contact or our own account.
 */
import type { StanzaErrorCondition } from '../xmpp-core/error-conditions.js';
import { StanzaError } from '../xmpp-core/errors.js';
import type { Listenable } from '../xmpp-core/events.js';
import { roster } from '../xmpp-core/im/roster.js';
import { Jid } from '../xmpp-core/jid/jid.js';
import { definePlugin, type Plugin, type SenderGuard } from '../xmpp-core/plugin.js';
import type { Element } from '../xmpp-core/xml/element.js';
import { serviceDiscovery, type DiscoInfo } from './xep-0030-service-discovery.js';
import {
  onNode,
  pubsub,
  PUBSUB_EVENT,
  type ItemsRequest,
  type PubsubItem,
  type PubsubService,
} from './xep-0060-pubsub/index.js';
import { entityCapabilities } from './xep-0115-entity-capabilities.js';

const NS_PUBSUB_FEATURE = 'http://jabber.org/protocol/pubsub#';

/** The errors for a node that does not exist or that we may not read (XEP-0060 §6.5.9). */
const NOT_VISIBLE: ReadonlySet<StanzaErrorCondition> = new Set<StanzaErrorCondition>([
  'feature-not-implemented',
  'forbidden',
  'item-not-found',
  'not-allowed',
  'not-authorized',
  'service-unavailable',
]);

/** Pubsub nodes of accounts: `client.get(personalEventing)` publishes to ours and reads those of others. */
export const personalEventing = definePlugin({
  name: 'personal-eventing',
  xep: 163,
  // §4.3.2: servers read from the capabilities in our presence which notifications we want.
  requires: [serviceDiscovery, entityCapabilities, pubsub, roster],
  setup(context) {
    let info: Promise<DiscoInfo> | undefined;
    context.onOffline(() => {
      info = undefined;
    });

    const isContact = (sender: Jid): boolean => {
      const { subscription = 'none' } = context.get(roster).get(sender) ?? {};
      return subscription === 'to' || subscription === 'both';
    };
    /** §4.3.3: the server sends notifications from the bare JID; stanzas of the contact's clients have a full one. */
    const fromContact: SenderGuard = {
      name: 'fromContact',
      admits: (sender, { account }) => sender.equals(account) || (sender.isBare && isContact(sender)),
    };

    return {
      /** A guard for other plugins: admits notifications of our own account and of contacts whose presence we see. */
      fromContact,
      /** Our own nodes. */
      own: context.get(pubsub).service(),
      /** The nodes of an account. */
      of: (account: Jid | string): PubsubService => context.get(pubsub).service(Jid.from(account).bare),
      /**
       * Reads items of an account's node.
       * @returns an empty list if there is no such node or we may not read it, which servers need not distinguish
       * @throws StanzaError for other errors; TimeoutError
       */
      async read(
        account: Jid | string,
        node: string,
        request: ItemsRequest = { newest: 1 },
      ): Promise<readonly PubsubItem[]> {
        try {
          return (await context.get(pubsub).service(Jid.from(account).bare).items(node, request)).items;
        } catch (error) {
          if (error instanceof StanzaError && NOT_VISIBLE.has(error.condition)) return [];
          throw error;
        }
      },
      /**
       * The features of our own account (§6.1), queried once per session.
       * @throws StanzaError, TimeoutError; the next call queries again
       */
      async features(): Promise<ReadonlySet<string>> {
        info ??= context.get(serviceDiscovery).info(context.account);
        const request = info;
        try {
          return (await request).features;
        } catch (error) {
          if (info === request) info = undefined;
          throw error;
        }
      },
      /** Whether our account has a feature of pubsub, such as `publish-options`. @throws StanzaError, TimeoutError */
      async supports(feature: string): Promise<boolean> {
        return (await this.features()).has(NS_PUBSUB_FEATURE + feature);
      },
    };
  },
});

/** Notifications of one node of many accounts. */
export interface PepUpdates<Value> {
  /** An account published an item; `value` is `undefined` if the payload is missing (a node without payloads) or invalid. */
  changed: { readonly from: Jid; readonly id: string | undefined; readonly value: Value | undefined };
  /** An item was deleted, or all of them (`id` is `undefined`). */
  removed: { readonly from: Jid; readonly id: string | undefined };
}

/**
 * A plugin that requests notifications of one node and emits what our contacts and our other clients publish there. Clients that do not
 * need all of that traffic leave it out: reading and publishing work without it.
 * @param options.read the codec of the payload
 */
export function pepUpdates<Value>(options: {
  readonly name: string;
  readonly xep: number;
  readonly node: string;
  readonly read: (payload: Element) => Value | undefined;
}): Plugin<Listenable<PepUpdates<Value>>> {
  const { name, xep, node, read } = options;
  return definePlugin({
    name,
    xep,
    features: [`${node}+notify`],
    requires: [personalEventing],
    setup(context) {
      const events = context.events<PepUpdates<Value>>();
      const { fromContact } = context.get(personalEventing);
      context.onMessage(
        PUBSUB_EVENT,
        fromContact,
        onNode(node, (event, { from }) => {
          if (event.type === 'items') {
            for (const { id, payload } of event.items)
              events.emit('changed', { from, id, value: payload === undefined ? undefined : read(payload) });
            for (const id of event.retracted) events.emit('removed', { from, id });
          } else if (event.type === 'purged' || event.type === 'deleted') {
            events.emit('removed', { from, id: undefined });
          }
        }),
      );
      return events;
    },
  });
}
