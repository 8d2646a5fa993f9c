/**
 * XEP-0048 Bookmarks, 1.2 (Deprecated). https://xmpp.org/extensions/xep-0048.html
 *
 * The older storage of bookmarks: one element with all rooms, in a private node of our account (XEP-0223) or in private XML (XEP-0049). It
 * serves servers that do not convert between both storages themselves; XEP-0402 chooses. Everything else in the element is kept, such as
 * bookmarked web pages.
 */
import { Jid } from '../xmpp-core/jid/jid.js';
import { definePlugin } from '../xmpp-core/plugin.js';
import { el, Element } from '../xmpp-core/xml/element.js';
import { privateXml } from './xep-0049-private-xml.js';
import { privateData } from './xep-0223-private-data.js';

/** The namespace of the older bookmarks, and the name of their node. */
export const NS_LEGACY_BOOKMARKS = 'storage:bookmarks';

/** A bookmarked room. */
export interface Conference {
  readonly jid: Jid;
  /** A name for people. */
  readonly name?: string;
  /** Whether to join it at each login. */
  readonly autojoin: boolean;
  readonly nick?: string;
  /** Stored on the server in plain text. */
  readonly password?: string;
}

/** Reads the rooms in a `<storage/>`; those without a valid JID are left out. */
export function readBookmarkStorage(storage: Element): Conference[] {
  return storage.children('conference').flatMap((conference) => {
    const jid = Jid.fromWire(conference.attr('jid'));
    return jid === undefined ? [] : [readConference(conference, jid)];
  });
}

/** Adds a room to the storage, or replaces it. */
export function withConference(storage: Element, conference: Conference): Element {
  const isIt = isConferenceOf(conference.jid);
  const former = storage.children().find(isIt);
  const written = writeConference(conference, NS_LEGACY_BOOKMARKS, former);
  const jid = conference.jid.toString();
  const nodes = storage.nodes.filter((node) => node === former || typeof node === 'string' || !isIt(node));
  const replaced = nodes.map((node) => (node === former ? written.withAttributes({ jid }) : node));
  const all = former === undefined ? [...replaced, written.withAttributes({ jid })] : replaced;
  return new Element(storage.name, storage.ns, storage.attributes, all);
}

/** Removes a room from the storage. */
export function withoutConference(storage: Element, jid: Jid): Element {
  const isIt = isConferenceOf(jid);
  const nodes = storage.nodes.filter((node) => typeof node === 'string' || !isIt(node));
  return new Element(storage.name, storage.ns, storage.attributes, nodes);
}

/** Reads what this `<conference/>` and that of XEP-0402 have in common. */
export function readConference(conference: Element, jid: Jid): Conference {
  const name = conference.attr('name');
  const nick = textOf(conference, 'nick');
  const password = textOf(conference, 'password');
  return {
    jid: jid.bare,
    ...(name === undefined ? {} : { name }),
    autojoin: ['true', '1'].includes(conference.attr('autojoin') ?? ''),
    ...(nick === undefined ? {} : { nick }),
    ...(password === undefined ? {} : { password }),
  };
}

/** Writes a `<conference/>`. @param former the element to replace; its other content is kept */
export function writeConference({ name, autojoin, nick, password }: Conference, ns: string, former?: Element): Element {
  const kept = (former ?? el('conference', ns)).withAttributes({ name, autojoin: autojoin || undefined });
  const others = kept.nodes.filter((node) => typeof node !== 'string' && !(node.ns === ns && KNOWN.has(node.name)));
  return new Element(kept.name, ns, kept.attributes, [
    ...(nick === undefined ? [] : [el('nick', ns, {}, nick)]),
    ...(password === undefined ? [] : [el('password', ns, {}, password)]),
    ...others,
  ]);
}

const KNOWN: ReadonlySet<string> = new Set(['nick', 'password']);

/** A place where the storage can be. */
export interface BookmarkStorage {
  /** Loads the storage; `undefined` if there has never been one. */
  load(): Promise<Element | undefined>;
  /** Replaces the storage. */
  save(storage: Element): Promise<void>;
}

/** The two places of the older bookmarks, for XEP-0402: a private node, and private XML. */
export const legacyBookmarks = definePlugin({
  name: 'legacy-bookmarks',
  xep: 48,
  features: [`${NS_LEGACY_BOOKMARKS}+notify`],
  requires: [privateData, privateXml],
  setup(context) {
    const inPubsub: BookmarkStorage = {
      async load() {
        const items = await context.get(privateData).items(NS_LEGACY_BOOKMARKS);
        return items.map(({ payload }) => payload).findLast((one) => one?.is('storage', NS_LEGACY_BOOKMARKS) === true);
      },
      save: (storage) => context.get(privateData).publish(NS_LEGACY_BOOKMARKS, storage, 'current'),
    };
    const inPrivateXml: BookmarkStorage = {
      load: () => context.get(privateXml).get('storage', NS_LEGACY_BOOKMARKS),
      save: (storage) => context.get(privateXml).set(storage),
    };
    return { inPubsub, inPrivateXml };
  },
});

function isConferenceOf(jid: Jid): (element: Element) => boolean {
  return (element) =>
    element.is('conference', NS_LEGACY_BOOKMARKS) && Jid.fromWire(element.attr('jid'))?.bare.equals(jid.bare) === true;
}

function textOf(conference: Element, name: string): string | undefined {
  const text = conference.childText(name)?.trim();
  return text === '' ? undefined : text;
}
