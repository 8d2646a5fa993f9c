/**
 * XEP-0060 Publish-Subscribe, 1.30.0 (Stable). https://xmpp.org/extensions/xep-0060.html
 *
 * Publishing to nodes and reading from them, owning and configuring them, subscribing to them, and hearing what they tell. A node that
 * is not as a publication needs it is configured. Events count only from who owns the node.
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

type Told<Type extends PubsubEvent['type']> = Extract<PubsubEvent, { type: Type }> & {
  /** Who owns the node. */
  readonly service: Jid;
};

/** What the services tell that we are subscribed at. */
export type PubsubEvents = { [Type in PubsubEvent['type']]: Told<Type> };

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
      /** What is told by services to which `subscribe` was sent, or whose `subscriptions` were read, since the client was made. */
      events,
      /**
       * The requests to a service.
       * @param jid of the service; our own account when it is left out
       * @param limits of each of its requests
       */
      service(jid?: Jid | string, limits: PubsubRequestOptions = {}): PubsubService {
        return new PubsubService(context, jid === undefined ? undefined : Jid.from(jid), limits, (service) =>
          subscribedAt.add(service.toString()),
        );
      },
    };
  },
});
