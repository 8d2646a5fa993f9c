/**
 * XEP-0030 Service Discovery, 2.5.0 (Final). https://xmpp.org/extensions/xep-0030.html
 *
 * Queries the identities, features and items of other entities, and answers such queries about ourselves and about the nodes that other
 * plugins add.
 */
import { BoundedMap } from '../xmpp-core/bounded-map.js';
import { StanzaError, XmppError } from '../xmpp-core/errors.js';
import type { Disposer, Listenable } from '../xmpp-core/events.js';
import { Jid } from '../xmpp-core/jid/jid.js';
import { definePlugin, senders, type Plugin } from '../xmpp-core/plugin.js';
import { el, NS_XML, type Element } from '../xmpp-core/xml/element.js';
import { NS_DATA_FORMS, type DataForm, writeDataForm } from './xep-0004-data-forms.js';

/** The namespace of information queries. */
export const NS_DISCO_INFO = 'http://jabber.org/protocol/disco#info';
/** The namespace of item queries. */
export const NS_DISCO_ITEMS = 'http://jabber.org/protocol/disco#items';

/** What kind of entity this is (§3.1); the XSF registers categories and types. */
export interface Identity {
  readonly category: string;
  readonly type: string;
  readonly name?: string;
  /** The language of the name. */
  readonly language?: string;
}

/** The identities and features of an entity (§3.1). */
export interface DiscoInfo {
  readonly identities: readonly Identity[];
  readonly features: ReadonlySet<string>;
  /** Extended information (XEP-0128), unparsed; `extendedInfo` reads it. */
  readonly forms: readonly Element[];
}

/** An item of an entity (§4.1). */
export interface DiscoItem {
  readonly jid: Jid;
  readonly node?: string;
  readonly name?: string;
}

/** Reads the answer to an information query. */
export function readDiscoInfo(query: Element): DiscoInfo {
  return {
    identities: query.children('identity').map((identity) => {
      const name = identity.attr('name');
      const language = identity.attr('lang', NS_XML);
      return {
        category: identity.attr('category') ?? '',
        type: identity.attr('type') ?? '',
        ...(name === undefined ? {} : { name }),
        ...(language === undefined ? {} : { language }),
      };
    }),
    features: new Set(query.children('feature').flatMap((feature) => feature.attr('var') ?? [])),
    forms: query.children('x', NS_DATA_FORMS),
  };
}

/** Writes the answer to an information query. */
export function writeDiscoInfo({ identities, features, forms }: DiscoInfo, node?: string): Element {
  return el(
    'query',
    NS_DISCO_INFO,
    { node },
    ...identities.map(({ category, type, name, language }) =>
      el('identity', NS_DISCO_INFO, { category, type, name, 'xml:lang': language }),
    ),
    ...[...features].map((feature) => el('feature', NS_DISCO_INFO, { var: feature })),
    ...forms,
  );
}

/** Reads the answer to an item query. Items without a valid JID are left out. */
export function readDiscoItems(query: Element): DiscoItem[] {
  return query.children('item').flatMap((item) => {
    const jid = Jid.fromWire(item.attr('jid'));
    if (jid === undefined) return [];
    const node = item.attr('node');
    const name = item.attr('name');
    return [{ jid, ...(node === undefined ? {} : { node }), ...(name === undefined ? {} : { name }) }];
  });
}

/** Writes the answer to an item query. */
export function writeDiscoItems(items: readonly DiscoItem[], node?: string): Element {
  const written = items.map((item) => el('item', NS_DISCO_ITEMS, { ...item, jid: item.jid.toString() }));
  return el('query', NS_DISCO_ITEMS, { node }, ...written);
}

/** Which node to query, and how long. */
export interface DiscoOptions {
  readonly node?: string;
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
}

/** How one of our nodes answers. A thrown `StanzaError` is the answer, so a node can refuse a requester. */
export interface OfferedNode {
  info(asker: Jid): DiscoInfo | Promise<DiscoInfo>;
  /** No items by default. */
  items?(asker: Jid): readonly DiscoItem[] | Promise<readonly DiscoItem[]>;
}

/** The handle of the plugin. */
export interface ServiceDiscovery {
  /** `changed`: our identity, features or forms have changed. */
  readonly events: Listenable<{ changed: undefined }>;
  /** Sets the identity that we announce; `client/bot` by default. */
  setIdentity(identity: Identity): void;
  /** Announces a feature in addition to those of the plugins. @returns withdraws it */
  announce(feature: string): Disposer;
  /** Adds extended information about ourselves (XEP-0128): a form of type `result` with a `FORM_TYPE`. @returns withdraws it */
  addForm(form: DataForm): Disposer;
  /** Answers queries for one of our nodes. @returns removes the node @throws XmppError if the node is taken */
  offer(node: string, offered: OfferedNode): Disposer;
  /** Adds items to the answer about ourselves. @param items what this requester may see @returns removes them */
  addItems(items: (asker: Jid) => readonly DiscoItem[]): Disposer;
  /** What we announce about ourselves. */
  own(): DiscoInfo;
  /** Queries the identities and features of an entity. @throws StanzaError, TimeoutError */
  info(entity: Jid | string, options?: DiscoOptions): Promise<DiscoInfo>;
  /** The same, unparsed, for verifying hashes. @throws StanzaError, TimeoutError */
  query(entity: Jid | string, options?: DiscoOptions): Promise<Element>;
  /** The same as `info`, queried once per session: for entities that do not change, such as servers. @throws StanzaError, TimeoutError */
  infoOnce(entity: Jid | string, node?: string): Promise<DiscoInfo>;
  /** Queries the items of an entity. @throws StanzaError, TimeoutError */
  items(entity: Jid | string, options?: DiscoOptions): Promise<DiscoItem[]>;
}

/** How many answers are cached per session; the oldest is dropped. */
const MAX_CACHED = 256;

/** Service discovery: `client.get(serviceDiscovery)` queries other entities and announces features of ours. */
export const serviceDiscovery: Plugin<ServiceDiscovery> = definePlugin({
  name: 'service-discovery',
  xep: 30,
  features: [NS_DISCO_INFO, NS_DISCO_ITEMS],
  setup(context): ServiceDiscovery {
    const events = context.events<{ changed: undefined }>();
    const nodes = new Map<string, OfferedNode>();
    const itemLists = new Set<(asker: Jid) => readonly DiscoItem[]>();
    const forms = new Set<Element>();
    /** One entry for each announcement: two plugins may announce the same feature. */
    const announced = new Set<{ readonly feature: string }>();
    const cached = new BoundedMap<string, Promise<DiscoInfo>>(MAX_CACHED);
    let identity: Identity = { category: 'client', type: 'bot' };

    const register = <Part>(parts: Set<Part>, part: Part): Disposer => {
      parts.add(part);
      events.emit('changed', undefined);
      return () => {
        if (parts.delete(part)) events.emit('changed', undefined);
      };
    };
    const own = (): DiscoInfo => ({
      identities: [identity],
      features: new Set([...context.features, ...[...announced].map(({ feature }) => feature)]),
      forms: [...forms],
    });
    const offeredAt = (node: string): OfferedNode => {
      const offered = nodes.get(node);
      if (offered === undefined) throw StanzaError.of('item-not-found');
      return offered;
    };

    context.onIq({ type: 'get', ns: NS_DISCO_INFO, name: 'query' }, senders.anyone, async (query, { from: asker }) => {
      const node = query.attr('node') ?? '';
      return node === '' ? writeDiscoInfo(own()) : writeDiscoInfo(await offeredAt(node).info(asker), node);
    });
    context.onIq({ type: 'get', ns: NS_DISCO_ITEMS, name: 'query' }, senders.anyone, async (query, { from: asker }) => {
      const node = query.attr('node') ?? '';
      if (node === '') return writeDiscoItems([...itemLists].flatMap((list) => list(asker)));
      return writeDiscoItems((await offeredAt(node).items?.(asker)) ?? [], node);
    });
    // The features of a server or a room may change while we are offline.
    context.onBound(() => cached.clear());

    const ask = async (ns: string, to: Jid | string, { node, ...options }: DiscoOptions): Promise<Element> => {
      const result = await context.iq({ to, type: 'get', payload: el('query', ns, { node }), ...options });
      return result?.is('query', ns) === true ? result : el('query', ns);
    };
    const info: ServiceDiscovery['info'] = async (entity, options = {}) =>
      readDiscoInfo(await ask(NS_DISCO_INFO, entity, options));

    return {
      events,
      own,
      info,
      setIdentity(newIdentity) {
        identity = newIdentity;
        events.emit('changed', undefined);
      },
      announce: (feature) => register(announced, { feature }),
      addForm: (form) => register(forms, writeDataForm(form)),
      offer(node, offered) {
        if (nodes.has(node)) throw new XmppError(`the node '${node}' is already registered`);
        nodes.set(node, offered);
        return () => {
          if (nodes.get(node) === offered) nodes.delete(node);
        };
      },
      addItems(items) {
        itemLists.add(items);
        return () => {
          itemLists.delete(items);
        };
      },
      query: (entity, options = {}) => ask(NS_DISCO_INFO, entity, options),
      async infoOnce(entity, node) {
        const key = JSON.stringify([Jid.from(entity), node]);
        const known = cached.get(key);
        if (known !== undefined) return known;
        const request = info(entity, node === undefined ? {} : { node });
        cached.set(key, request);
        try {
          return await request;
        } catch (error) {
          // A failure is not cached: the next call queries again.
          if (cached.get(key) === request) cached.delete(key);
          throw error;
        }
      },
      async items(entity, options = {}) {
        return readDiscoItems(await ask(NS_DISCO_ITEMS, entity, options));
      },
    };
  },
});
