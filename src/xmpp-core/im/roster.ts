/**
 * The roster (RFC 6121 §2): the contacts of the account, which the server stores and all clients share.
 *
 * It is requested in each new session, before the initial presence (§2.2), and kept across reconnects. If the server supports
 * versioning (§2.6), it is also stored, and only changes are transferred.
 */
import { StanzaError, XmppError } from '../errors.js';
import type { Listenable } from '../events.js';
import { Jid } from '../jid/jid.js';
import { definePlugin, senders, type Plugin } from '../plugin.js';
import { el, type Element } from '../xml/element.js';
import { RosterCache } from './roster-cache.js';
import { NS_ROSTER, readRosterEntry, type RosterItem } from './roster-item.js';
import { RosterItems, type RosterChange } from './roster-items.js';

/** The stream feature for roster versioning (§2.6). */
export const NS_ROSTER_VERSIONING = 'urn:xmpp:features:rosterver';

/** The events of `Roster`. */
export interface RosterEvents {
  /** The roster of this session is known: the server sent it, or confirmed our stored version. */
  received: { readonly items: ReadonlyMap<string, RosterItem> };
  /** A contact was added or changed; `previous` is undefined for a new one. */
  changed: RosterChange;
  removed: { readonly item: RosterItem };
  /** The request for the roster, or the storage, failed. The items of an earlier session stay. */
  failed: { readonly error: unknown };
}

/** A contact to set. Absent fields are removed, since the item is replaced as a whole (§2.3, §2.4). */
export interface RosterContact {
  readonly jid: Jid | string;
  readonly name?: string | undefined;
  readonly groups?: readonly string[];
}

/** The handle of the plugin `roster`. */
export interface Roster {
  readonly events: Listenable<RosterEvents>;
  /** All items by prepared JID; before the first `received`, those of the storage if any. */
  readonly items: ReadonlyMap<string, RosterItem>;
  /** The item of a JID; a full JID without its own item gives that of the bare JID. */
  get(jid: Jid | string): RosterItem | undefined;
  /**
   * Adds a contact, or replaces its name and groups. The server pushes the new item to all our clients.
   * @throws XmppError for a group without a name, StanzaError, TimeoutError
   */
  set(contact: RosterContact): Promise<void>;
  /** Removes a contact, and with it the subscriptions both ways (§2.5). @throws StanzaError, TimeoutError */
  remove(jid: Jid | string): Promise<void>;
}

/** A longer version is ignored: a hostile server could fill our storage with it. */
const MAX_VERSION_LENGTH = 1_000;

/** The plugin for the roster. */
export const roster: Plugin<Roster> = definePlugin({
  name: 'roster',
  setup(context): Roster {
    const events = context.events<RosterEvents>();
    const cache = new RosterCache(context.storage, context.account);
    let items = new RosterItems();
    let version: string | undefined;
    let isLoaded = false;

    const failed = (error: unknown): void => events.emit('failed', { error });
    const load = async (): Promise<void> => {
      isLoaded = true;
      const kept = await cache.load();
      if (kept === undefined) return;
      version = kept.version;
      for (const item of kept.items) items.take(item);
    };
    const remember = (newVersion: string | undefined): void => {
      const isUsable = items.isWhole && newVersion !== undefined && newVersion.length <= MAX_VERSION_LENGTH;
      const known = isUsable ? newVersion : undefined;
      if (known === undefined && version === undefined) return;
      version = known;
      const kept = known === undefined ? undefined : { version: known, items: items.all.values() };
      context.background(() => cache.keep(kept), failed);
    };
    /** §2.6.3: a result without a query means that our version is valid, and that pushes with the changes follow. */
    const take = (query: Element | undefined): void => {
      if (query?.is('query', NS_ROSTER) === true) {
        items = new RosterItems();
        for (const item of query.children('item')) {
          const entry = readRosterEntry(item);
          // §2.1.4: a result removes nothing.
          if (entry !== undefined && !('removed' in entry)) items.take(entry);
        }
        remember(query.attr('ver'));
      }
      events.emit('received', { items: items.all });
    };
    const change = (payload: Element): Promise<unknown> => context.iq({ type: 'set', payload });

    // Nothing is negotiated: this reads the cache before `onBound`, which is synchronous, requests the roster.
    context.streamFeature({
      name: 'roster-cache',
      order: 900,
      offered: (features, { jid, resumed }) =>
        jid === undefined || resumed === true || isLoaded ? undefined : features.child('ver', NS_ROSTER_VERSIONING),
      async negotiate() {
        try {
          await load();
        } catch (error) {
          failed(error);
        }
        return 'done';
      },
    });

    context.onBound(() => {
      // §2.6.2: send a version only if versioning is offered; an empty one means that we have none yet.
      const isVersioned = context.streamFeatures()?.child('ver', NS_ROSTER_VERSIONING) !== undefined;
      const payload = el('query', NS_ROSTER, { ver: isVersioned ? (version ?? '') : undefined });
      context.background(() => context.iq({ type: 'get', payload, longAnswer: true, onResult: take }), failed);
    });

    // §2.1.6: only our own account may push roster changes, one item at a time.
    context.onIq({ type: 'set', ns: NS_ROSTER, name: 'query' }, senders.ownAccount, (query) => {
      const [item, ...more] = query.children('item');
      const entry = item === undefined || more.length > 0 ? undefined : readRosterEntry(item);
      if (entry === undefined) throw StanzaError.of('bad-request');
      const changed = items.take(entry);
      remember(query.attr('ver') ?? version);
      if (changed === undefined) return undefined;
      if ('removed' in entry) events.emit('removed', { item: changed.item });
      else events.emit('changed', changed);
      return undefined;
    });

    return {
      events,
      get items() {
        return items.all;
      },
      get(address) {
        const jid = Jid.from(address);
        return items.get(jid) ?? items.get(jid.bare);
      },
      async set({ name, groups = [], ...contact }) {
        const jid = Jid.from(contact.jid);
        if (groups.includes('')) throw new XmppError(`a group of ${jid.toString()} has no name (RFC 6121 §2.3.3)`);
        const written = [...new Set(groups)].map((group) => el('group', NS_ROSTER, {}, group));
        await change(el('query', NS_ROSTER, {}, el('item', NS_ROSTER, { jid: jid.toString(), name }, ...written)));
      },
      async remove(jid) {
        const item = el('item', NS_ROSTER, { jid: Jid.from(jid).toString(), subscription: 'remove' });
        await change(el('query', NS_ROSTER, {}, item));
      },
    };
  },
});
