/**
 * XEP-0163 Personal Eventing Protocol, 1.2.2 (Stable). https://xmpp.org/extensions/xep-0163.html
 *
 * Every account is a pubsub service (XEP-0060): we publish to our own nodes and read those of others, and who announces
 * `<node>+notify` hears what those publish whose presence they see. Such an event counts only from the bare JID of the account whose
 * node it is, and only from contacts and ourselves.
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
  type ItemsWanted,
  type PubsubItem,
  type PubsubService,
} from './xep-0060-pubsub/index.js';
import { entityCapabilities } from './xep-0115-entity-capabilities.js';

const NS_PUBSUB_FEATURE = 'http://jabber.org/protocol/pubsub#';

/** What somebody is answered who may not read a node, or asks for one that is not there (XEP-0060 §6.5.9). */
const UNSEEN: ReadonlySet<StanzaErrorCondition> = new Set<StanzaErrorCondition>([
  'feature-not-implemented',
  'forbidden',
  'item-not-found',
  'not-allowed',
  'not-authorized',
  'service-unavailable',
]);

export const personalEventing = definePlugin({
  name: 'personal-eventing',
  xep: 163,
  // §4.3.2: servers learn from the capabilities in our presence what we want to hear.
  requires: [serviceDiscovery, entityCapabilities, pubsub, roster],
  setup(context) {
    let support: Promise<DiscoInfo> | undefined;
    context.onOffline(() => {
      support = undefined;
    });

    const isContact = (sender: Jid): boolean => {
      const { subscription = 'none' } = context.get(roster).get(sender) ?? {};
      return subscription === 'to' || subscription === 'both';
    };
    /** §4.3.3: the server speaks from the bare JID; whatever a client of the contact sent comes from a full one. */
    const fromContact: SenderGuard = {
      name: 'fromContact',
      admits: (sender, { account }) => sender.equals(account) || (sender.isBare && isContact(sender)),
    };

    return {
      /** Admits the events of our own account and of contacts whose presence we see. For other plugins. */
      fromContact,
      /** Our own nodes. */
      own: context.get(pubsub).service(),
      /** The nodes of an account. */
      of: (account: Jid | string): PubsubService => context.get(pubsub).service(Jid.from(account).bare),
      /**
       * Items that an account shows us; none where it has no such node, or hides it from us, which look alike to a careful server.
       * @throws StanzaError for anything else, TimeoutError
       */
      async read(
        account: Jid | string,
        node: string,
        wanted: ItemsWanted = { newest: 1 },
      ): Promise<readonly PubsubItem[]> {
        try {
          return (await context.get(pubsub).service(Jid.from(account).bare).items(node, wanted)).items;
        } catch (error) {
          if (error instanceof StanzaError && UNSEEN.has(error.condition)) return [];
          throw error;
        }
      },
      /**
       * What our account announces (§6.1), asked for once a session.
       * @throws StanzaError, TimeoutError; the next call asks again
       */
      async features(): Promise<ReadonlySet<string>> {
        support ??= context.get(serviceDiscovery).info(context.account);
        const asked = support;
        try {
          return (await asked).features;
        } catch (error) {
          if (support === asked) support = undefined;
          throw error;
        }
      },
      /** Whether our account announces a feature of pubsub, such as `publish-options`. */
      async can(feature: string): Promise<boolean> {
        return (await this.features()).has(NS_PUBSUB_FEATURE + feature);
      },
    };
  },
});

/** What is heard of one node of many accounts. */
export interface PepUpdates<Value> {
  /** The account published; `value` is `undefined` where the payload is missing (a node that only notifies) or makes no sense. */
  changed: { readonly from: Jid; readonly id: string | undefined; readonly value: Value | undefined };
  /** An item is gone, or all of them (`id` is `undefined`). */
  removed: { readonly from: Jid; readonly id: string | undefined };
}

/**
 * A plugin that asks for, and tells, what our contacts and our other clients publish at one node. Whoever does not want all of that
 * traffic leaves it out: reading and publishing need no such plugin.
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
