/**
 * Presence subscriptions (RFC 6121 §3) between bare JIDs: requested, approved, denied and cancelled. The roster holds their state; this
 * plugin exchanges the stanzas. Requests reach every available client; responses to ours only those that requested the roster (§3.1.6),
 * so a client that sends requests needs the `roster` plugin too.
 */
import { XmppError } from '../errors.js';
import type { Listenable } from '../events.js';
import { Jid } from '../jid/jid.js';
import { definePlugin, senders, type Plugin } from '../plugin.js';
import { readText, type LocalizedText } from '../stanza/language.js';
import { writePresence, type OutgoingText, type Presence } from '../stanza/stanzas.js';

/** The stream feature for pre-approval of requests (§3.4). */
export const NS_PRE_APPROVAL = 'urn:xmpp:features:pre-approval';

/** The events of `Subscriptions`. */
export interface SubscriptionEvents {
  /**
   * Somebody asks to see our presence. Anybody can, so a person or a rule must decide. The server repeats the request in each session
   * until it is answered (§3.1.3).
   */
  requested: { readonly contact: Jid; readonly words: LocalizedText | undefined };
  /** The contact lets us see their presence. */
  approved: { readonly contact: Jid };
  /** The contact denied our request, or cancelled an earlier approval. */
  denied: { readonly contact: Jid };
  /** The contact no longer subscribes to our presence. */
  unsubscribed: { readonly contact: Jid };
}

/** The handle of the plugin `subscriptions`. Methods drop the resource of a contact, and throw XmppError without a session. */
export interface Subscriptions {
  readonly events: Listenable<SubscriptionEvents>;
  /** Asks to see their presence (§3.1.1). @param words a text for the person who decides */
  request(contact: Jid | string, words?: OutgoingText): void;
  /** Lets them see ours (§3.1.4). */
  approve(contact: Jid | string): void;
  /** Denies their request, or cancels our approval (§3.1.4, §3.2.1). */
  deny(contact: Jid | string): void;
  /** Cancels our subscription to their presence (§3.3.1). */
  unsubscribe(contact: Jid | string): void;
  /** Approves a future request of theirs (§3.4). @throws XmppError when the server does not support that */
  preApprove(contact: Jid | string): void;
}

/** The plugin for presence subscriptions. */
export const subscriptions: Plugin<Subscriptions> = definePlugin({
  name: 'subscriptions',
  setup(context): Subscriptions {
    const events = context.events<SubscriptionEvents>();

    context.onPresence('every', senders.anyone, (element, presence) => {
      const contact = presence.from.bare;
      // Ignore what our other clients send on behalf of the account.
      if (contact.equals(context.account)) return;
      const event = EVENTS[presence.type];
      if (event === 'requested') events.emit(event, { contact, words: readText(element, 'status', presence.language) });
      else if (event !== undefined) events.emit(event, { contact });
    });

    const sendPresence = (
      type: 'subscribe' | 'subscribed' | 'unsubscribe' | 'unsubscribed',
      contact: Jid | string,
      status?: OutgoingText,
    ) => context.send(writePresence({ to: Jid.from(contact).bare, type, status }));
    return {
      events,
      request: (contact, words) => sendPresence('subscribe', contact, words),
      approve: (contact) => sendPresence('subscribed', contact),
      deny: (contact) => sendPresence('unsubscribed', contact),
      unsubscribe: (contact) => sendPresence('unsubscribe', contact),
      preApprove(contact) {
        if (context.streamFeatures()?.child('sub', NS_PRE_APPROVAL) === undefined) {
          throw new XmppError(`the server of ${context.account.toString()} does not support pre-approval`);
        }
        sendPresence('subscribed', contact);
      },
    };
  },
});

const EVENTS: Readonly<Partial<Record<Presence['type'], keyof SubscriptionEvents>>> = {
  subscribe: 'requested',
  subscribed: 'approved',
  unsubscribe: 'unsubscribed',
  unsubscribed: 'denied',
};
