/** What every client can do (RFC 6120, RFC 6121), and the roster with what belongs to it. */
import { contactPresence } from '../../../src/xmpp-core/im/contact-presence.js';
import { resourceLocking } from '../../../src/xmpp-core/im/resource-locking.js';
import type { RosterItem } from '../../../src/xmpp-core/im/roster-item.js';
import { roster } from '../../../src/xmpp-core/im/roster.js';
import { subscriptions } from '../../../src/xmpp-core/im/subscriptions.js';
import { Jid } from '../../../src/xmpp-core/jid/jid.js';
import {
  type OutgoingPresence,
  type Presence,
  readAvailability,
  writeMessage,
  writePresence,
} from '../../../src/xmpp-core/stanza/stanzas.js';
import { parseElement } from '../../../src/xmpp-core/xml/stream-parser.js';
import type { Asked } from './asked.js';
import { list, yes, type Actions, type Application, type Extensions, type Fields } from './extension.js';

const MESSAGE_TYPES = ['chat', 'groupchat', 'headline', 'normal'] as const;
const PRESENCE_TYPES = ['unavailable', 'subscribe', 'subscribed', 'unsubscribe', 'unsubscribed', 'probe'] as const;
const SHOWS = ['away', 'chat', 'dnd', 'xa'] as const;

/** What can be asked of each client. */
export function coreActions({ client, compose }: Application): Actions {
  return {
    message(asked) {
      const to = asked.needJid('to');
      const message = writeMessage({
        to,
        type: asked.word('type', MESSAGE_TYPES) ?? 'chat',
        ...readId(asked),
        body: asked.text('body'),
        subject: asked.text('subject'),
        thread: asked.text('thread'),
        parentThread: asked.text('parent-thread'),
      });
      client.send(compose(message, asked));
    },
    presence(asked) {
      const to = asked.jid('to');
      const presence = readPresence(asked);
      if (to === undefined) client.setPresence(presence);
      else client.send(writePresence({ ...presence, to }));
    },
    async request(asked) {
      const to = asked.jid('to');
      const payload = parseElement(asked.need('payload'));
      const type = asked.needWord('type', ['get', 'set']);
      const result = await client.iq({ ...(to === undefined ? {} : { to }), type, payload });
      return { name: result?.name, namespace: result?.ns };
    },
    send(asked) {
      client.send(parseElement(asked.need('stanza')));
    },
    reconnect() {
      client.reconnectNow();
    },
  };
}

/** The id that the application gives a message, if it does. */
export function readId(asked: Asked): { readonly id?: string } {
  const id = asked.text('id');
  return id === undefined ? {} : { id };
}

/** The presence that an action asks for. */
export function readPresence(asked: Asked): OutgoingPresence {
  const type = asked.word('type', PRESENCE_TYPES);
  return {
    ...(type === undefined ? {} : { type }),
    show: asked.word('show', SHOWS),
    status: asked.text('status'),
    priority: asked.number('priority'),
  };
}

/** What a presence says, as fields. */
export function presenceFields(presence: Presence): Fields {
  const { show, status, priority } = readAvailability(presence);
  return {
    from: presence.from.toString(),
    type: presence.type === 'available' ? undefined : presence.type,
    show,
    status,
    priority: priority === 0 ? undefined : priority,
  };
}

export const coreExtensions: Extensions = {
  roster: {
    plugins: [roster, subscriptions],
    attach({ client, tell }) {
      const contacts = client.get(roster);
      contacts.events.on('received', ({ items }) => {
        for (const item of items.values()) tell('roster', rosterFields(item));
        tell('roster-received', { contacts: items.size });
      });
      contacts.events.on('changed', ({ item }) => tell('roster', rosterFields(item)));
      contacts.events.on('removed', ({ item }) => tell('roster', { jid: item.jid.toString(), subscription: 'remove' }));
      const asks = client.get(subscriptions);
      asks.events.on('requested', ({ contact, words }) =>
        tell('subscription-request', { from: contact.toString(), text: words?.text }),
      );
      asks.events.on('approved', ({ contact }) => tell('subscription-approved', { from: contact.toString() }));
      asks.events.on('denied', ({ contact }) => tell('subscription-denied', { from: contact.toString() }));
      asks.events.on('unsubscribed', ({ contact }) => tell('subscription-ended', { from: contact.toString() }));
      return {
        'roster-set': async (asked) =>
          contacts.set({ jid: asked.needJid('jid'), name: asked.text('name'), groups: asked.list('groups') }),
        'roster-remove': async (asked) => contacts.remove(asked.needJid('jid')),
        subscribe: (asked) => asks.request(asked.needJid('to'), asked.text('text')),
        approve: (asked) => asks.approve(asked.needJid('to')),
        deny: (asked) => asks.deny(asked.needJid('to')),
        unsubscribe: (asked) => asks.unsubscribe(asked.needJid('to')),
        'pre-approve': (asked) => asks.preApprove(asked.needJid('to')),
      };
    },
  },
  'contact-presence': {
    plugins: [contactPresence],
    attach({ client, tell }) {
      const contacts = client.get(contactPresence);
      contacts.events.on('available', ({ jid, show, status }) =>
        tell('contact-available', { jid: jid.toString(), show, status }),
      );
      contacts.events.on('unavailable', ({ jid }) => tell('contact-unavailable', { jid: jid.toString() }));
    },
  },
  'resource-locking': {
    plugins: [resourceLocking],
    compose(message, _asked, client) {
      const to = Jid.tryParse(message.attr('to'));
      if (to === undefined || !to.isBare || message.attr('type') !== 'chat') return message;
      return message.withAttributes({ to: client.get(resourceLocking).address(to).toString() });
    },
  },
};

function rosterFields({ jid, name, subscription, isAsked, isApproved, groups }: RosterItem): Fields {
  return {
    jid: jid.toString(),
    name,
    subscription,
    asked: yes(isAsked),
    approved: yes(isApproved),
    groups: list(groups.toSorted()),
  };
}
