/**
 * XEP-0060 Publish-Subscribe, 1.30.0 (Stable). https://xmpp.org/extensions/xep-0060.html
 *
 * Publishes to nodes and reads from them, configures our own nodes, subscribes to nodes and receives their notifications. Publishing
 * reconfigures a node that does not meet the required options. Notifications count only from the owner of the node.
 *
 * Left out: collections (XEP-0248), approving subscribers by form (§8.6, §8.7), changing subscription options later (§6.3),
 * versions (§10).
 */
import { Jid } from '../../xmpp-core/jid/jid.js';
import { definePlugin, handled, type SenderGuard } from '../../xmpp-core/plugin.js';
import { PUBSUB_EVENT, readPubsubEvent, type PubsubEvent } from './codecs.js';
import { PubsubService, type PubsubRequestOptions } from './service.js';

export * from './codecs.js';
export * from './errors.js';
export * from './service.js';

/** An event of one kind, with the service that sent it. */
type PubsubNotification<Type extends PubsubEvent['type']> = Extract<PubsubEvent, { type: Type }> & {
  /** The owner of the node. */
  readonly service: Jid;
};

/** Notifications of the services that we are subscribed to. */
export type PubsubEvents = { [Type in PubsubEvent['type']]: PubsubNotification<Type> };

/** Publish-subscribe: `client.get(pubsub).service(jid)` sends requests, and `events` reports notifications. */
export const pubsub = definePlugin({
  name: 'pubsub',
  xep: 60,
  setup(context) {
    const events = context.events<PubsubEvents>();
    const subscribedAt = new Set<string>();
    const fromSubscribed: SenderGuard = {
      name: 'fromSubscribed',
      admits: (sender) => subscribedAt.has(sender.toString()),
    };

    context.onMessage(PUBSUB_EVENT, fromSubscribed, (payload, message) => {
      const event = readPubsubEvent(payload);
      if (event === undefined) return undefined;
      events.emit(event.type, { ...event, service: message.from });
      return message.body === undefined ? handled : undefined;
    });

    return {
      /** Notifications of services that we subscribed to, or whose `subscriptions` we read, since the client was created. */
      events,
      /** The requests to a service. @param jid the service; our own account by default @param limits for each of its requests */
      service(jid?: Jid | string, limits: PubsubRequestOptions = {}): PubsubService {
        return new PubsubService(context, jid === undefined ? undefined : Jid.from(jid), limits, (service) =>
          subscribedAt.add(service.toString()),
        );
      },
    };
  },
});
