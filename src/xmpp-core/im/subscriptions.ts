/**
 * Who may see whose presence (RFC 6121 §3): asked for, granted, refused and taken back, each between two bare JIDs. How things stand
 * is in the roster; this is what is said about it. Requests come to every client that is available; the answers to ours only where the
 * roster was asked for (§3.1.6), so who makes requests takes the `roster` plugin too.
 */
import { XmppError } from '../errors.js';
import type { Listenable } from '../events.js';
import { Jid } from '../jid/jid.js';
import { definePlugin, from, type Plugin } from '../plugin.js';
import { readText, type LocalizedText } from '../stanza/language.js';
import { writePresence, type OutgoingText, type Presence } from '../stanza/stanzas.js';

export const NS_PRE_APPROVAL = 'urn:xmpp:features:pre-approval';

/** What others ask and answer: `client.get(subscriptions).events`. */
export interface SubscriptionEvents {
  /**
   * Somebody asks to see our presence: anybody can, so this is for a person or a rule to decide. The server repeats it at each
   * session until it is answered (§3.1.3).
   */
  requested: { readonly contact: Jid; readonly words: LocalizedText | undefined };
  /** We may see their presence. */
  approved: { readonly contact: Jid };
  /** We may not, or no longer. */
  denied: { readonly contact: Jid };
  /** They no longer want to see ours. */
  unsubscribed: { readonly contact: Jid };
}

/** Each takes a contact by its bare JID; a resource is left off. They throw XmppError when there is no session. */
export interface Subscriptions {
  readonly events: Listenable<SubscriptionEvents>;
  /** Asks to see their presence (§3.1.1). @param words for the person who decides */
  request(contact: Jid | string, words?: OutgoingText): void;
  /** Lets them see ours (§3.1.4). */
  approve(contact: Jid | string): void;
  /** Does not, or no longer (§3.1.4, §3.2.1). */
  deny(contact: Jid | string): void;
  /** No longer wants to see theirs (§3.3.1). */
  unsubscribe(contact: Jid | string): void;
  /** Lets them see ours as soon as they ask (§3.4). @throws XmppError when the server cannot do that */
  preApprove(contact: Jid | string): void;
}

/** Who may see whose presence: `client.get(subscriptions).request('you@example.org')` asks, `approve` and `deny` answer. */
export const subscriptions: Plugin<Subscriptions> = definePlugin({
  name: 'subscriptions',
  setup(context): Subscriptions {
    const events = context.events<SubscriptionEvents>();

    context.onPresence('every', from.anyone, (element, presence) => {
      const contact = presence.from.bare;
      // What our other clients say on our behalf is no business of ours.
      if (contact.equals(context.account)) return;
      const said = EVENTS[presence.type];
      if (said === 'requested') events.emit(said, { contact, words: readText(element, 'status', presence.language) });
      else if (said !== undefined) events.emit(said, { contact });
    });

    const say = (
      type: 'subscribe' | 'subscribed' | 'unsubscribe' | 'unsubscribed',
      contact: Jid | string,
      status?: OutgoingText,
    ) => context.send(writePresence({ to: Jid.from(contact).bare, type, status }));
    return {
      events,
      request: (contact, words) => say('subscribe', contact, words),
      approve: (contact) => say('subscribed', contact),
      deny: (contact) => say('unsubscribed', contact),
      unsubscribe: (contact) => say('unsubscribe', contact),
      preApprove(contact) {
        if (context.streamFeatures()?.child('sub', NS_PRE_APPROVAL) === undefined) {
          throw new XmppError(`the server of ${context.account.toString()} does not support pre-approval`);
        }
        say('subscribed', contact);
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
