/**
 * XEP-0048 Bookmarks, 1.2 (Deprecated). https://xmpp.org/extensions/xep-0048.html
 *
 * The older way of keeping rooms: one element with all of them, in a private node of our account (XEP-0223) or in private XML
 * (XEP-0049). It is for servers that do not keep both ways the same by themselves; XEP-0402 decides. What is not changed stays as it is,
 * with the web pages that people bookmarked and whatever else there is.
 */
import { Jid } from '../xmpp-core/jid/jid.js';
import { definePlugin } from '../xmpp-core/plugin.js';
import { el, Element } from '../xmpp-core/xml/element.js';
import { privateXml } from './xep-0049-private-xml.js';
import { privateData } from './xep-0223-private-data.js';

export const NS_LEGACY_BOOKMARKS = 'storage:bookmarks';

/** A room to be remembered. */
export interface Conference {
  readonly jid: Jid;
  /** What people call it. */
  readonly name?: string;
  /** Whether to enter it at each login. */
  readonly autojoin: boolean;
  readonly nick?: string;
  /** Kept by the server as it is. */
  readonly password?: string;
}

/** The rooms in a `<storage/>`; those without a usable address are left out. */
export function readBookmarkStorage(storage: Element): Conference[] {
  return storage.children('conference').flatMap((conference) => {
    const jid = Jid.tryParse(conference.attr('jid'));
    return jid === undefined ? [] : [readConference(conference, jid)];
  });
}

/** The storage with that room in it, in the place of its former self. */
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

/** The storage without that room. */
export function withoutConference(storage: Element, jid: Jid): Element {
  const isIt = isConferenceOf(jid);
  const nodes = storage.nodes.filter((node) => typeof node === 'string' || !isIt(node));
  return new Element(storage.name, storage.ns, storage.attributes, nodes);
}

/** What both kinds of `<conference/>` have in common: this one and that of XEP-0402. */
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

/** Writes it; what its former self has beside that is kept. */
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
  /** `undefined` when there has never been one. */
  load(): Promise<Element | undefined>;
  save(storage: Element): Promise<void>;
}

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
    element.is('conference', NS_LEGACY_BOOKMARKS) && Jid.tryParse(element.attr('jid'))?.bare.equals(jid.bare) === true;
}

function textOf(conference: Element, name: string): string | undefined {
  const text = conference.childText(name)?.trim();
  return text === '' ? undefined : text;
}
