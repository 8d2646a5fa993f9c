/**
 * Resource locking (RFC 6121 §5.1): a chat begins with the bare JID, continues with the client that replied, and returns to the bare
 * JID when another client of the contact sends a message, or any of its clients sends presence.
 */
import { Jid } from '../jid/jid.js';
import { BoundedMap } from '../bounded-map.js';
import { definePlugin, senders, type Plugin } from '../plugin.js';

/** The handle of the plugin `resourceLocking`. */
export interface ResourceLocking {
  /** Where to send the next chat message to a contact: one of its clients, or the bare JID. Not for rooms. */
  address(contact: Jid | string): Jid;
}

/** How many chats are tracked; older ones start again with the bare JID. */
const MAX_CHATS = 1_000;

/** The plugin for resource locking. */
export const resourceLocking: Plugin<ResourceLocking> = definePlugin({
  name: 'resource-locking',
  setup(context): ResourceLocking {
    const locked = new BoundedMap<string, Jid>(MAX_CHATS);
    context.onMessage({ ns: 'jabber:client', name: 'body' }, senders.anyone, (_body, { type, from: sender }) => {
      if (type !== 'chat') return;
      const bare = sender.bare.toString();
      const current = locked.get(bare);
      const isOther = current !== undefined && !current.isBare && !current.equals(sender);
      locked.set(bare, isOther ? sender.bare : sender);
    });
    context.onPresence('every', senders.anyone, (_element, { from: sender }) => {
      const bare = sender.bare.toString();
      // Only contacts with a chat have an entry, so presence from strangers uses no memory.
      if (locked.get(bare) !== undefined) locked.set(bare, sender.bare);
    });
    context.onOffline(() => {
      locked.clear();
    });
    return {
      address(contact) {
        const { bare } = Jid.from(contact);
        return locked.use(bare.toString()) ?? bare;
      },
    };
  },
});
