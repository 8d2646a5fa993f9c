/**
 * XEP-0402 PEP Native Bookmarks, 1.2.0 (Stable). https://xmpp.org/extensions/xep-0402.html
 *
 * The rooms that the account remembers, one item each, private to it (XEP-0223). What other clients put into a bookmark is kept when it
 * is changed. Where the server does not keep the older storage (XEP-0048) the same by itself, that one is used instead: there is one
 * list, never two. Only our own account can tell that it changed.
 *
 * Left out: joining the rooms; the application decides that.
 */
import { StanzaError, XmppError } from '../xmpp-core/errors.js';
import { Jid } from '../xmpp-core/jid/jid.js';
import { definePlugin, from } from '../xmpp-core/plugin.js';
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

export const NS_BOOKMARKS = 'urn:xmpp:bookmarks:1';
export const NS_BOOKMARKS_COMPATIBILITY = 'urn:xmpp:bookmarks:1#compat';
export const NS_BOOKMARKS_COMPATIBILITY_PEP = 'urn:xmpp:bookmarks:1#compat-pep';

export interface Bookmark extends Conference {
  /** What other extensions and clients keep with it. Left out in `set`, those that are there stay. */
  readonly extensions?: readonly Element[];
}

/** Reads an item of the node; `undefined` when its id is not the address of a room or its payload is no bookmark. */
export function readBookmark({ id, payload }: PubsubItem): Bookmark | undefined {
  const jid = Jid.tryParse(id);
  if (jid === undefined || !jid.isBare || payload?.is('conference', NS_BOOKMARKS) !== true) return undefined;
  const extensions = payload.child('extensions')?.children();
  return { ...readConference(payload, jid), ...(extensions === undefined ? {} : { extensions }) };
}

/** The payload of a bookmark; what its former self has, known to us or not, stays where `bookmark` does not say otherwise. */
export function writeBookmark(bookmark: Bookmark, former?: Element): Element {
  const written = writeConference(bookmark, NS_BOOKMARKS, former);
  const { extensions } = bookmark;
  if (extensions === undefined) return written;
  const nodes = written.nodes.filter((node) => typeof node === 'string' || !node.is('extensions', NS_BOOKMARKS));
  const added = extensions.length === 0 ? [] : [el('extensions', NS_BOOKMARKS, {}, ...extensions)];
  return new Element(written.name, written.ns, written.attributes, [...nodes, ...added]);
}

export interface BookmarkEvents {
  /** A bookmark is new or was changed, by one of our clients, which may be this one. */
  changed: { readonly bookmark: Bookmark };
  removed: { readonly jid: Jid };
  /** Something changed and we could not find out what. */
  failed: { readonly error: unknown };
}

/** §5.2, §5.3: all of them are kept, and none comes by itself. */
const NODE: NodeOptions = { 'pubsub#max_items': 'max', 'pubsub#send_last_published_item': 'never' };

/** Where the bookmarks are, and the node that tells of changes there. */
interface Store {
  readonly node: string | undefined;
  all(): Promise<Bookmark[]>;
  set(bookmark: Bookmark): Promise<void>;
  remove(jid: Jid): Promise<void>;
}

export const bookmarks = definePlugin({
  name: 'bookmarks',
  xep: 402,
  features: [`${NS_BOOKMARKS}+notify`],
  requires: [personalEventing, privateData, legacyBookmarks],
  setup(context) {
    const events = context.events<BookmarkEvents>();
    const store = context.get(privateData);
    const legacy = context.get(legacyBookmarks);
    /** What was read or told last, by address: to find out what a list that came as a whole has changed. */
    let known = new Map<string, Bookmark>();
    let chosen: Store | undefined;
    /** The work that was begun last; never rejects. */
    let turn: Promise<unknown> = Promise.resolve();
    context.onOffline(() => {
      chosen = undefined;
    });

    /** One after the other: a list that is read and written back must not be changed in between, at least not by ourselves. */
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
    /** The items of a room, whose ids other clients may have spelt in another way. */
    const find = async (jid: Jid): Promise<PubsubItem[]> =>
      (await store.items(NS_BOOKMARKS)).filter(({ id }) => Jid.tryParse(id)?.equals(jid.bare) === true);

    const older = (node: string | undefined, place: BookmarkStorage): Store => {
      const load = async (): Promise<Element> => (await place.load()) ?? el('storage', NS_LEGACY_BOOKMARKS);
      return {
        node,
        all: async () => readBookmarkStorage(await load()),
        set: async (bookmark) => place.save(withConference(await load(), bookmark)),
        remove: async (jid) => place.save(withoutConference(await load(), jid)),
      };
    };

    /**
     * The one place where the bookmarks of this account are. A server that keeps the ways the same says so (§6.1); otherwise it is where
     * there are some.
     */
    const choose = async (): Promise<Store> => {
      const features = await context.get(personalEventing).features();
      if (features.has(NS_BOOKMARKS_COMPATIBILITY) || features.has(NS_BOOKMARKS_COMPATIBILITY_PEP)) return native;
      const inPubsub = older(NS_LEGACY_BOOKMARKS, legacy.inPubsub);
      const inPrivateXml = older(undefined, legacy.inPrivateXml);
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
      const told = event.items.flatMap((item) => readBookmark(item) ?? []);
      const retracted = event.retracted.flatMap((id) => Jid.tryParse(id) ?? []);
      for (const bookmark of told) {
        known.set(bookmark.jid.toString(), bookmark);
        events.emit('changed', { bookmark });
      }
      for (const jid of retracted) {
        known.delete(jid.toString());
        events.emit('removed', { jid });
      }
    };
    const takeOlder = (event: PubsubEvent): void => {
      if (event.type === 'purged' || event.type === 'deleted') take([]);
      const payload = event.type === 'items' ? event.items.at(-1)?.payload : undefined;
      if (payload?.is('storage', NS_LEGACY_BOOKMARKS) === true) take(readBookmarkStorage(payload));
    };
    // XEP-0223 §7: whoever else sends such an event wants us in a room of theirs.
    for (const [node, heard] of [
      [NS_BOOKMARKS, takeNative],
      [NS_LEGACY_BOOKMARKS, takeOlder],
    ] as const) {
      const onEvent = (event: PubsubEvent): void => {
        const work = async (store: Store): Promise<void> => {
          if (store.node === node) heard(event);
        };
        context.background(
          () => inTurn(work),
          (error) => events.emit('failed', { error }),
        );
      };
      context.onMessage(PUBSUB_EVENT, from.ownAccount, onNode(node, onEvent));
    }

    return {
      events,
      /** All bookmarks, as they are now. @throws StanzaError, TimeoutError */
      all: (): Promise<Bookmark[]> =>
        inTurn(async (store) => {
          const found = await store.all();
          known = new Map(found.map((bookmark) => [bookmark.jid.toString(), bookmark]));
          return found;
        }),
      /**
       * Remembers a room, or changes what is remembered of it: name, nick and password are taken away when they are left out.
       * @throws XmppError when the server would show it to others, StanzaError, TimeoutError
       */
      set(bookmark: Bookmark): Promise<void> {
        if (!bookmark.jid.isBare) throw new XmppError(`${bookmark.jid.toString()} is not a bare room JID`);
        return inTurn((store) => store.set(bookmark));
      },
      /** Forgets a room; one that is not there is no error. @throws StanzaError, TimeoutError */
      async remove(address: Jid | string): Promise<void> {
        const jid = Jid.from(address);
        await inTurn((store) => store.remove(jid));
      },
    };
  },
});

/** Whether something is there; a server that does not have such a place at all has nothing there. */
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
