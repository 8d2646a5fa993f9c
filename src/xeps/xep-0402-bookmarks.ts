/**
 * XEP-0402 PEP Native Bookmarks, 1.2.0 (Stable). https://xmpp.org/extensions/xep-0402.html
 *
 * The bookmarked rooms of the account, one private item each (XEP-0223). Data of other clients in a bookmark is kept. If the server does
 * not convert to the older storage (XEP-0048) itself, that storage is used instead, so that there is only one list. Notifications count
 * only from our own account.
 *
 * Left out: joining the rooms; the application decides that.
 */
import { StanzaError, XmppError } from '../xmpp-core/errors.js';
import { Jid } from '../xmpp-core/jid/jid.js';
import { definePlugin, senders } from '../xmpp-core/plugin.js';
import { el, Element } from '../xmpp-core/xml/element.js';
import {
  legacyBookmarks,
  NS_LEGACY_BOOKMARKS,
  readBookmarkStorage,
  readConference,
  withConference,
  withoutConference,
  writeConference,
  type BookmarkStorage,
  type Conference,
} from './xep-0048-legacy-bookmarks.js';
import { onNode, PUBSUB_EVENT, type NodeOptions, type PubsubEvent, type PubsubItem } from './xep-0060-pubsub/index.js';
import { personalEventing } from './xep-0163-personal-eventing.js';
import { privateData } from './xep-0223-private-data.js';

/** The namespace of bookmarks, and the name of their node. */
export const NS_BOOKMARKS = 'urn:xmpp:bookmarks:1';
/** The feature of servers that keep these bookmarks and private XML in sync. */
export const NS_BOOKMARKS_COMPATIBILITY = 'urn:xmpp:bookmarks:1#compat';
/** The feature of servers that keep these bookmarks and the older node in sync. */
export const NS_BOOKMARKS_COMPATIBILITY_PEP = 'urn:xmpp:bookmarks:1#compat-pep';

/** A bookmarked room. */
export interface Bookmark extends Conference {
  /** Data of other extensions and clients. If left out in `set`, the existing data is kept. */
  readonly extensions?: readonly Element[];
}

/** Reads an item of the node; `undefined` if its id is not the JID of a room or its payload is not a bookmark. */
export function readBookmark({ id, payload }: PubsubItem): Bookmark | undefined {
  const jid = Jid.fromWire(id);
  if (jid === undefined || !jid.isBare || payload?.is('conference', NS_BOOKMARKS) !== true) return undefined;
  const extensions = payload.child('extensions')?.children();
  return { ...readConference(payload, jid), ...(extensions === undefined ? {} : { extensions }) };
}

/**
 * Writes the payload of a bookmark.
 * @param former the payload to replace; its unknown content is kept, and its extensions if `bookmark` has none
 */
export function writeBookmark(bookmark: Bookmark, former?: Element): Element {
  const written = writeConference(bookmark, NS_BOOKMARKS, former);
  const { extensions } = bookmark;
  if (extensions === undefined) return written;
  const nodes = written.nodes.filter((node) => typeof node === 'string' || !node.is('extensions', NS_BOOKMARKS));
  const added = extensions.length === 0 ? [] : [el('extensions', NS_BOOKMARKS, {}, ...extensions)];
  return new Element(written.name, written.ns, written.attributes, [...nodes, ...added]);
}

/** The events of the plugin. */
export interface BookmarkEvents {
  /** A bookmark was added or changed by one of our clients, possibly this one. */
  changed: { readonly bookmark: Bookmark };
  /** A bookmark was removed. */
  removed: { readonly jid: Jid };
  /** The bookmarks changed, and reading them failed. */
  failed: { readonly error: unknown };
}

/** §5.2, §5.3: the node keeps all items, and sends none on its own. */
const NODE: NodeOptions = { 'pubsub#max_items': 'max', 'pubsub#send_last_published_item': 'never' };

/** A place where bookmarks are stored, with the node that notifies of changes. */
interface Store {
  readonly node: string | undefined;
  all(): Promise<Bookmark[]>;
  set(bookmark: Bookmark): Promise<void>;
  remove(jid: Jid): Promise<void>;
}

/** Bookmarks of rooms: `client.get(bookmarks)` reads and changes them. */
export const bookmarks = definePlugin({
  name: 'bookmarks',
  xep: 402,
  features: [`${NS_BOOKMARKS}+notify`],
  requires: [personalEventing, privateData, legacyBookmarks],
  setup(context) {
    const events = context.events<BookmarkEvents>();
    const store = context.get(privateData);
    const legacy = context.get(legacyBookmarks);
    /** The bookmarks read or received last, by JID: to find the changes in a list that arrives as a whole. */
    let known = new Map<string, Bookmark>();
    let chosen: Store | undefined;
    /** The last queued operation; it never rejects. */
    let turn: Promise<unknown> = Promise.resolve();
    context.onOffline(() => {
      chosen = undefined;
    });

    /** Runs operations one after the other, so that a list is not changed by us between reading and writing it. */
    const inTurn = <Result>(work: (store: Store) => Promise<Result>): Promise<Result> => {
      const before = turn;
      const result = (async () => {
        await before;
        chosen ??= await choose();
        return work(chosen);
      })();
      turn = Promise.allSettled([result]);
      return result;
    };

    const native: Store = {
      node: NS_BOOKMARKS,
      all: async () => (await store.items(NS_BOOKMARKS)).flatMap((item) => readBookmark(item) ?? []),
      async set(bookmark) {
        const { id, payload } = (await find(bookmark.jid))[0] ?? {};
        const former = payload?.is('conference', NS_BOOKMARKS) === true ? payload : undefined;
        await store.publish(NS_BOOKMARKS, writeBookmark(bookmark, former), id ?? bookmark.jid.bare.toString(), NODE);
      },
      async remove(jid) {
        for (const { id } of await find(jid)) if (id !== undefined) await store.retract(NS_BOOKMARKS, id);
      },
    };
    /** The items of a room; other clients may have written its JID differently in the id. */
    const find = async (jid: Jid): Promise<PubsubItem[]> =>
      (await store.items(NS_BOOKMARKS)).filter(({ id }) => Jid.fromWire(id)?.equals(jid.bare) === true);

    const legacyStore = (node: string | undefined, place: BookmarkStorage): Store => {
      const load = async (): Promise<Element> => (await place.load()) ?? el('storage', NS_LEGACY_BOOKMARKS);
      return {
        node,
        all: async () => readBookmarkStorage(await load()),
        set: async (bookmark) => place.save(withConference(await load(), bookmark)),
        remove: async (jid) => place.save(withoutConference(await load(), jid)),
      };
    };

    /**
     * The one place to use for this account. A server that keeps the storages in sync announces it (§6.1); otherwise the first place that
     * has bookmarks is used.
     */
    const choose = async (): Promise<Store> => {
      const features = await context.get(personalEventing).features();
      if (features.has(NS_BOOKMARKS_COMPATIBILITY) || features.has(NS_BOOKMARKS_COMPATIBILITY_PEP)) return native;
      const inPubsub = legacyStore(NS_LEGACY_BOOKMARKS, legacy.inPubsub);
      const inPrivateXml = legacyStore(undefined, legacy.inPrivateXml);
      for (const store of [native, inPubsub, inPrivateXml]) if (await hasSome(store)) return store;
      return native;
    };

    const take = (now: readonly Bookmark[]): void => {
      const former = known;
      known = new Map(now.map((bookmark) => [bookmark.jid.toString(), bookmark]));
      for (const bookmark of now)
        if (!isSame(former.get(bookmark.jid.toString()), bookmark)) events.emit('changed', { bookmark });
      for (const [key, { jid }] of former) if (!known.has(key)) events.emit('removed', { jid });
    };
    const takeNative = (event: PubsubEvent): void => {
      if (event.type === 'purged' || event.type === 'deleted') take([]);
      if (event.type !== 'items') return;
      const changed = event.items.flatMap((item) => readBookmark(item) ?? []);
      const retracted = event.retracted.flatMap((id) => Jid.fromWire(id) ?? []);
      for (const bookmark of changed) {
        known.set(bookmark.jid.toString(), bookmark);
        events.emit('changed', { bookmark });
      }
      for (const jid of retracted) {
        known.delete(jid.toString());
        events.emit('removed', { jid });
      }
    };
    const takeLegacy = (event: PubsubEvent): void => {
      if (event.type === 'purged' || event.type === 'deleted') take([]);
      const payload = event.type === 'items' ? event.items.at(-1)?.payload : undefined;
      if (payload?.is('storage', NS_LEGACY_BOOKMARKS) === true) take(readBookmarkStorage(payload));
    };
    // XEP-0223 §7: any other sender of such an event may want to lure us into a room.
    for (const [node, handle] of [
      [NS_BOOKMARKS, takeNative],
      [NS_LEGACY_BOOKMARKS, takeLegacy],
    ] as const) {
      const onEvent = (event: PubsubEvent): void => {
        const work = async (store: Store): Promise<void> => {
          if (store.node === node) handle(event);
        };
        context.background(
          () => inTurn(work),
          (error) => events.emit('failed', { error }),
        );
      };
      context.onMessage(PUBSUB_EVENT, senders.ownAccount, onNode(node, onEvent));
    }

    return {
      events,
      /** All current bookmarks. @throws StanzaError, TimeoutError */
      all: (): Promise<Bookmark[]> =>
        inTurn(async (store) => {
          const found = await store.all();
          known = new Map(found.map((bookmark) => [bookmark.jid.toString(), bookmark]));
          return found;
        }),
      /**
       * Adds or replaces a bookmark: name, nick and password are removed if left out.
       * @throws XmppError if the server would show it to others; StanzaError, TimeoutError
       */
      set(bookmark: Bookmark): Promise<void> {
        if (!bookmark.jid.isBare) throw new XmppError(`${bookmark.jid.toString()} is not a bare room JID`);
        return inTurn((store) => store.set(bookmark));
      },
      /** Removes a bookmark; does nothing if there is none. @throws StanzaError, TimeoutError */
      async remove(address: Jid | string): Promise<void> {
        const jid = Jid.from(address);
        await inTurn((store) => store.remove(jid));
      },
    };
  },
});

/** Whether a place has bookmarks; a server may not support a place at all. */
async function hasSome(store: Store): Promise<boolean> {
  try {
    return (await store.all()).length > 0;
  } catch (error) {
    if (error instanceof StanzaError) return false;
    throw error;
  }
}

function isSame(one: Bookmark | undefined, other: Bookmark): boolean {
  return (
    one !== undefined &&
    one.name === other.name &&
    one.autojoin === other.autojoin &&
    one.nick === other.nick &&
    one.password === other.password
  );
}
