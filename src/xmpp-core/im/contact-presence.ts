/**
 * Which clients of our contacts are there, and what they show (RFC 6121 §4).
 *
 * Only who is in the roster with their presence granted to us counts, and our own other clients: what a stranger or a room sends
 * cannot push a contact out of memory.
 */
import { BoundedMap } from '../bounded-map.js';
import type { Listenable } from '../events.js';
import type { Jid } from '../jid/jid.js';
import { definePlugin, type Plugin, type SenderGuard } from '../plugin.js';
import { readAvailability, type Availability, type Presence } from '../stanza/stanzas.js';
import { roster } from './roster.js';

/** A client that is there. */
export interface AvailableResource extends Availability {
  /** Full; bare for what speaks without a resource, as gateways do. */
  readonly jid: Jid;
  readonly presence: Presence;
}

export interface ContactPresenceEvents {
  /** A client came, or shows something else. */
  available: AvailableResource;
  /** A client that was there has gone. */
  unavailable: { readonly jid: Jid; readonly presence: Presence };
}

export interface ContactPresence {
  readonly events: Listenable<ContactPresenceEvents>;
  /** The clients of a contact that are there, the highest priority first; the newest first among equals. Of a full JID only that one. */
  of(contact: Jid): readonly AvailableResource[];
}

/** More clients than a person has; the oldest goes. */
const MAX_RESOURCES = 64;

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
    const gone = (presence: Presence): void => {
      const bare = presence.from.bare.toString();
      const resources = present.get(bare);
      // §4.5: an error, or what comes from the bare JID, speaks of all clients.
      const left = presence.from.isBare
        ? [...(resources?.values() ?? [])]
        : [resources?.get(presence.from.toString())].filter((resource) => resource !== undefined);
      for (const { jid } of left) {
        resources?.delete(jid.toString());
        events.emit('unavailable', { jid, presence });
      }
      if (resources?.size === 0) present.delete(bare);
    };
    const came = (presence: Presence): void => {
      const bare = presence.from.bare.toString();
      const key = presence.from.toString();
      const resources = present.get(bare) ?? new BoundedMap<string, AvailableResource>(MAX_RESOURCES);
      const resource = { ...readAvailability(presence), jid: presence.from, presence };
      present.set(bare, resources.set(key, resource));
      events.emit('available', resource);
    };

    context.onPresence('every', granted, (_element, presence) => {
      if (presence.type === 'available') came(presence);
      else if (presence.type === 'unavailable' || presence.type === 'error') gone(presence);
    });
    // Whoever took their presence back sends no more word of leaving.
    const forget = (jid: Jid): void => void present.delete(jid.bare.toString());
    contacts.events.on('removed', ({ item }) => forget(item.jid));
    contacts.events.on('changed', ({ item }) => {
      if (item.subscription === 'none' || item.subscription === 'from') forget(item.jid);
    });
    // Without a session nobody is known to be there; the next begins with everybody's presence (§4.2.2).
    context.onOffline(() => present.clear());

    return {
      events,
      of(contact) {
        const resources = present.get(contact.bare.toString());
        if (!contact.isBare) return [resources?.get(contact.toString())].filter((resource) => resource !== undefined);
        return [...(resources?.values() ?? [])].toReversed().sort((a, b) => b.priority - a.priority);
      },
    };
  },
});
