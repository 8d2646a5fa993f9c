/**
 * Tracks which clients of our contacts are available, and what they show (RFC 6121 §4).
 *
 * Only contacts whose presence we are subscribed to count, and our own other clients, so that a stranger or a room cannot evict a
 * contact from memory.
 */
import { BoundedMap } from '../bounded-map.js';
import type { Listenable } from '../events.js';
import { Jid } from '../jid/jid.js';
import { definePlugin, type Plugin, type SenderGuard } from '../plugin.js';
import { readAvailability, type Availability, type Presence } from '../stanza/stanzas.js';
import { roster } from './roster.js';

/** An available client. */
export interface AvailableResource extends Availability {
  /** The full JID; the bare JID for senders without a resource, such as gateways. */
  readonly jid: Jid;
  readonly presence: Presence;
}

/** The events of `ContactPresence`. */
export interface ContactPresenceEvents {
  /** A client became available, or changed what it shows. */
  available: AvailableResource;
  /** An available client has become unavailable. */
  unavailable: { readonly jid: Jid; readonly presence: Presence };
}

/** The handle of the plugin `contactPresence`. */
export interface ContactPresence {
  readonly events: Listenable<ContactPresenceEvents>;
  /** The available clients of a contact, highest priority first, newest first among equals. For a full JID, only that client. */
  of(contact: Jid | string): readonly AvailableResource[];
}

/** More clients than a person has; the oldest is dropped. */
const MAX_RESOURCES = 64;

/** The plugin that tracks the presence of contacts; it requires `roster`. */
export const contactPresence: Plugin<ContactPresence> = definePlugin({
  name: 'contact-presence',
  requires: [roster],
  setup(context): ContactPresence {
    const events = context.events<ContactPresenceEvents>();
    const contacts = context.get(roster);
    /** By bare JID, then by full JID, the newest last. */
    const present = new Map<string, Map<string, AvailableResource>>();

    const granted: SenderGuard = {
      name: 'granted',
      admits: (sender, { account }) =>
        sender.bare.equals(account) || ['to', 'both'].includes(contacts.get(sender)?.subscription ?? 'none'),
    };
    const markUnavailable = (presence: Presence): void => {
      const bare = presence.from.bare.toString();
      const resources = present.get(bare);
      // §4.5: an error or a presence from the bare JID applies to all clients.
      const left = presence.from.isBare
        ? [...(resources?.values() ?? [])]
        : [resources?.get(presence.from.toString())].filter((resource) => resource !== undefined);
      for (const { jid } of left) {
        resources?.delete(jid.toString());
        events.emit('unavailable', { jid, presence });
      }
      if (resources?.size === 0) present.delete(bare);
    };
    const markAvailable = (presence: Presence): void => {
      const bare = presence.from.bare.toString();
      const key = presence.from.toString();
      const resources = present.get(bare) ?? new BoundedMap<string, AvailableResource>(MAX_RESOURCES);
      const resource = { ...readAvailability(presence), jid: presence.from, presence };
      present.set(bare, resources.set(key, resource));
      events.emit('available', resource);
    };

    context.onPresence('every', granted, (_element, presence) => {
      if (presence.type === 'available') markAvailable(presence);
      else if (presence.type === 'unavailable' || presence.type === 'error') markUnavailable(presence);
    });
    // After the subscription ends, no `unavailable` presence arrives.
    const drop = (jid: Jid): void => void present.delete(jid.bare.toString());
    contacts.events.on('removed', ({ item }) => drop(item.jid));
    contacts.events.on('changed', ({ item }) => {
      if (item.subscription === 'none' || item.subscription === 'from') drop(item.jid);
    });
    // Without a session all presence is unknown; the next session begins with everybody's presence (§4.2.2).
    context.onOffline(() => present.clear());

    return {
      events,
      of(address) {
        const contact = Jid.from(address);
        const resources = present.get(contact.bare.toString());
        if (!contact.isBare) return [resources?.get(contact.toString())].filter((resource) => resource !== undefined);
        return [...(resources?.values() ?? [])].toReversed().sort((a, b) => b.priority - a.priority);
      },
    };
  },
});
