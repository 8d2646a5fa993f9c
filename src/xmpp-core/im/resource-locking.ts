/**
 * Resource locking (RFC 6121 §5.1): a chat begins with the bare JID, goes on with the client that answered, and returns to the bare JID as
 * soon as another client of the same person speaks, or the one that answered shows a change.
 */
import type { Jid } from '../jid/jid.js';
import { BoundedMap } from '../bounded-map.js';
import { definePlugin, from, type Plugin } from '../plugin.js';

export interface ResourceLocking {
  /** Where the next message to that contact should go: a client of theirs, or the bare JID. Of rooms it knows nothing. */
  address(contact: Jid): Jid;
}

/** Chats under way; an older one begins anew. */
const CHATS = 1_000;

export const resourceLocking: Plugin<ResourceLocking> = definePlugin({
  name: 'resource-locking',
  setup(context): ResourceLocking {
    const locked = new BoundedMap<string, Jid>(CHATS);
    context.onMessage({ ns: 'jabber:client', name: 'body' }, from.anyone, (_body, { type, from: sender }) => {
      if (type !== 'chat') return;
      const bare = sender.bare.toString();
      const current = locked.get(bare);
      const isOther = current !== undefined && !current.isBare && !current.equals(sender);
      locked.set(bare, isOther ? sender.bare : sender);
    });
    context.onPresence('every', from.anyone, (_element, { from: sender }) => {
      const bare = sender.bare.toString();
      // There is an entry only where there was a chat, so strangers' presence takes no room.
      if (locked.get(bare) !== undefined) locked.set(bare, sender.bare);
    });
    context.onOffline(() => {
      locked.clear();
    });
    return { address: (contact) => locked.use(contact.bare.toString()) ?? contact.bare };
  },
});
