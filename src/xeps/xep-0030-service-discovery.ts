/**
 * XEP-0030 Service Discovery, 2.5rc3. https://xmpp.org/extensions/xep-0030.html
 *
 * Asks others for their identities, features and items, and answers with our own. Nodes are asked for but not offered.
 */
import { StanzaError } from '../xmpp-core/errors.js';
import { Jid } from '../xmpp-core/jid/jid.js';
import { definePlugin, from } from '../xmpp-core/plugin.js';
import { el, type Element } from '../xmpp-core/xml/element.js';

export const NS_DISCO_INFO = 'http://jabber.org/protocol/disco#info';
export const NS_DISCO_ITEMS = 'http://jabber.org/protocol/disco#items';

/** What kind of thing an entity is (§3.1); categories and types are in the registry of the XSF. */
export interface Identity {
  readonly category: string;
  readonly type: string;
  readonly name?: string;
}

export interface DiscoInfo {
  readonly identities: readonly Identity[];
  readonly features: ReadonlySet<string>;
  /** Extended information (XEP-0128), as it came. */
  readonly forms: readonly Element[];
}

export interface DiscoItem {
  readonly jid: Jid;
  readonly node?: string;
  readonly name?: string;
}

const NS_DATA_FORMS = 'jabber:x:data';

export function readDiscoInfo(query: Element): DiscoInfo {
  return {
    identities: query.children('identity').map((identity) => {
      const name = identity.attr('name');
      const kind = { category: identity.attr('category') ?? '', type: identity.attr('type') ?? '' };
      return name === undefined ? kind : { ...kind, name };
    }),
    features: new Set(query.children('feature').flatMap((feature) => feature.attr('var') ?? [])),
    forms: query.children('x', NS_DATA_FORMS),
  };
}

export function writeDiscoInfo(info: DiscoInfo, node?: string): Element {
  return el(
    'query',
    NS_DISCO_INFO,
    { node },
    ...info.identities.map(({ category, type, name }) => el('identity', NS_DISCO_INFO, { category, type, name })),
    ...[...info.features].map((feature) => el('feature', NS_DISCO_INFO, { var: feature })),
    ...info.forms,
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

export const serviceDiscovery = definePlugin({
  name: 'service-discovery',
  xep: 30,
  features: [NS_DISCO_INFO, NS_DISCO_ITEMS],
  setup(context) {
    let identity: Identity = { category: 'client', type: 'bot' };

    const ask = async (ns: string, to: Jid, { node, ...options }: DiscoOptions): Promise<Element> => {
      const result = await context.iq({ to, type: 'get', payload: el('query', ns, { node }), ...options });
      return result?.is('query', ns) === true ? result : el('query', ns);
    };
    const refuseNodes = (query: Element): void => {
      if (query.attr('node') !== undefined) throw new StanzaError('cancel', 'item-not-found');
    };

    context.onIq({ type: 'get', ns: NS_DISCO_INFO, name: 'query' }, from.anyone, (query) => {
      refuseNodes(query);
      return writeDiscoInfo({ identities: [identity], features: new Set(context.features), forms: [] });
    });
    context.onIq({ type: 'get', ns: NS_DISCO_ITEMS, name: 'query' }, from.anyone, (query) => {
      refuseNodes(query);
      return writeDiscoItems([]);
    });

    return {
      /** What we say we are; a bot unless told otherwise. */
      identify(ours: Identity): void {
        identity = ours;
      },
      /** What an entity is and can do. @throws StanzaError, TimeoutError */
      async info(entity: Jid, options: DiscoOptions = {}): Promise<DiscoInfo> {
        return readDiscoInfo(await ask(NS_DISCO_INFO, entity, options));
      },
      /** What there is at an entity. @throws StanzaError, TimeoutError */
      async items(entity: Jid, options: DiscoOptions = {}): Promise<DiscoItem[]> {
        return readDiscoItems(await ask(NS_DISCO_ITEMS, entity, options));
      },
    };
  },
});
