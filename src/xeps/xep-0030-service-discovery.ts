/**
 * XEP-0030 Service Discovery, 2.5.0 (Final). https://xmpp.org/extensions/xep-0030.html
 *
 * Asks others for their identities, features and items, and answers with our own: of ourselves, and of the nodes that other plugins
 * offer here.
 */
import { BoundedMap } from '../xmpp-core/bounded-map.js';
import { StanzaError, XmppError } from '../xmpp-core/errors.js';
import type { Disposer, Listenable } from '../xmpp-core/events.js';
import { Jid } from '../xmpp-core/jid/jid.js';
import { definePlugin, from, type Plugin } from '../xmpp-core/plugin.js';
import { el, NS_XML, type Element } from '../xmpp-core/xml/element.js';
import { NS_DATA_FORMS, type DataForm, writeDataForm } from './xep-0004-data-forms.js';

export const NS_DISCO_INFO = 'http://jabber.org/protocol/disco#info';
export const NS_DISCO_ITEMS = 'http://jabber.org/protocol/disco#items';

/** What kind of thing an entity is (§3.1); categories and types are in the registry of the XSF. */
export interface Identity {
  readonly category: string;
  readonly type: string;
  readonly name?: string;
  /** Of the name. */
  readonly language?: string;
}

export interface DiscoInfo {
  readonly identities: readonly Identity[];
  readonly features: ReadonlySet<string>;
  /** Extended information (XEP-0128), as it came; `extendedInfo` reads it. */
  readonly forms: readonly Element[];
}

export interface DiscoItem {
  readonly jid: Jid;
  readonly node?: string;
  readonly name?: string;
}

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

/** Items without a usable JID are left out. */
export function readDiscoItems(query: Element): DiscoItem[] {
  return query.children('item').flatMap((item) => {
    const jid = Jid.tryParse(item.attr('jid'));
    if (jid === undefined) return [];
    const node = item.attr('node');
    const name = item.attr('name');
    return [{ jid, ...(node === undefined ? {} : { node }), ...(name === undefined ? {} : { name }) }];
  });
}

export function writeDiscoItems(items: readonly DiscoItem[], node?: string): Element {
  const written = items.map((item) => el('item', NS_DISCO_ITEMS, { ...item, jid: item.jid.toString() }));
  return el('query', NS_DISCO_ITEMS, { node }, ...written);
}

/** Where to look, and until when. */
export interface DiscoOptions {
  readonly node?: string;
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
}

/** What a node of ours answers. What is thrown as a `StanzaError` is the answer, so that a node can refuse somebody. */
export interface OfferedNode {
  info(asker: Jid): DiscoInfo | Promise<DiscoInfo>;
  /** None unless given. */
  items?(asker: Jid): readonly DiscoItem[] | Promise<readonly DiscoItem[]>;
}

export interface ServiceDiscovery {
  /** `changed`: we are or can do something else than before. */
  readonly events: Listenable<{ changed: undefined }>;
  /** What we say we are; a bot unless told otherwise. */
  identify(ours: Identity): void;
  /** Announces a feature beside those of the plugins, until the returned function is called. */
  announce(feature: string): Disposer;
  /** Adds extended information about ourselves (XEP-0128): a form of type `result` with a `FORM_TYPE`. */
  extend(form: DataForm): Disposer;
  /** Answers for a node of ours. @throws XmppError when somebody answers for it already */
  offer(node: string, offered: OfferedNode): Disposer;
  /** Lists items under ourselves, such as places where there is more to find. */
  list(items: (asker: Jid) => readonly DiscoItem[]): Disposer;
  /** What we answer about ourselves. */
  own(): DiscoInfo;
  /** What an entity is and can do. @throws StanzaError, TimeoutError */
  info(entity: Jid | string, options?: DiscoOptions): Promise<DiscoInfo>;
  /** The same as the entity sent it, for who checks it to the letter. */
  query(entity: Jid | string, options?: DiscoOptions): Promise<Element>;
  /** The same as `info`, asked once a session: for what does not change, as that of servers. */
  infoOnce(entity: Jid | string, node?: string): Promise<DiscoInfo>;
  /** What there is at an entity. @throws StanzaError, TimeoutError */
  items(entity: Jid | string, options?: DiscoOptions): Promise<DiscoItem[]>;
}

/** How many answers are kept of a session; the oldest goes. */
const MAX_KEPT = 256;

export const serviceDiscovery: Plugin<ServiceDiscovery> = definePlugin({
  name: 'service-discovery',
  xep: 30,
  features: [NS_DISCO_INFO, NS_DISCO_ITEMS],
  setup(context): ServiceDiscovery {
    const events = context.events<{ changed: undefined }>();
    const nodes = new Map<string, OfferedNode>();
    const lists = new Set<(asker: Jid) => readonly DiscoItem[]>();
    const forms = new Set<Element>();
    /** One entry for each time it was announced: two plugins may need the same. */
    const announced = new Set<{ readonly feature: string }>();
    const kept = new BoundedMap<string, Promise<DiscoInfo>>(MAX_KEPT);
    let identity: Identity = { category: 'client', type: 'bot' };

    const changing = <Part>(parts: Set<Part>, part: Part): Disposer => {
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

    context.onIq({ type: 'get', ns: NS_DISCO_INFO, name: 'query' }, from.anyone, async (query, { from: asker }) => {
      const node = query.attr('node') ?? '';
      return node === '' ? writeDiscoInfo(own()) : writeDiscoInfo(await offeredAt(node).info(asker), node);
    });
    context.onIq({ type: 'get', ns: NS_DISCO_ITEMS, name: 'query' }, from.anyone, async (query, { from: asker }) => {
      const node = query.attr('node') ?? '';
      if (node === '') return writeDiscoItems([...lists].flatMap((list) => list(asker)));
      return writeDiscoItems((await offeredAt(node).items?.(asker)) ?? [], node);
    });
    // What a server or a room can do may change while we are away.
    context.onBound(() => kept.clear());

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
      identify(ours) {
        identity = ours;
        events.emit('changed', undefined);
      },
      announce: (feature) => changing(announced, { feature }),
      extend: (form) => changing(forms, writeDataForm(form)),
      offer(node, offered) {
        if (nodes.has(node)) throw new XmppError(`the node '${node}' is already registered`);
        nodes.set(node, offered);
        return () => {
          if (nodes.get(node) === offered) nodes.delete(node);
        };
      },
      list(items) {
        lists.add(items);
        return () => {
          lists.delete(items);
        };
      },
      query: (entity, options = {}) => ask(NS_DISCO_INFO, entity, options),
      async infoOnce(entity, node) {
        const key = JSON.stringify([Jid.from(entity), node]);
        const known = kept.get(key);
        if (known !== undefined) return known;
        const asked = info(entity, node === undefined ? {} : { node });
        kept.set(key, asked);
        try {
          return await asked;
        } catch (error) {
          // A failure is not what the entity is: the next one asks again.
          if (kept.get(key) === asked) kept.delete(key);
          throw error;
        }
      },
      async items(entity, options = {}) {
        return readDiscoItems(await ask(NS_DISCO_ITEMS, entity, options));
      },
    };
  },
});
