/**
 * XEP-0049 Private XML Storage, 1.2 (Active). https://xmpp.org/extensions/xep-0049.html
 *
 * One element per namespace, which the server stores for our own clients. New data belongs in XEP-0223; this is for data of older clients.
 * There is no notification of changes.
 */
import { XmppError } from '../xmpp-core/errors.js';
import { definePlugin } from '../xmpp-core/plugin.js';
import { el, type Element } from '../xmpp-core/xml/element.js';

/** The namespace of private XML storage. */
export const NS_PRIVATE_XML = 'jabber:iq:private';

/** Private XML: `client.get(privateXml)` reads and stores elements. */
export const privateXml = definePlugin({
  name: 'private-xml',
  xep: 49,
  setup(context) {
    return {
      /** Reads the stored element of that name; an empty element if nothing is stored (§3). @throws StanzaError, TimeoutError */
      async get(name: string, ns: string): Promise<Element> {
        const payload = el('query', NS_PRIVATE_XML, {}, el(name, ns));
        const result = await context.iq({ type: 'get', payload });
        const query = result?.is('query', NS_PRIVATE_XML) === true ? result : undefined;
        return query?.child(name, ns) ?? el(name, ns);
      },
      /** Stores an element and replaces the previous one. @throws XmppError if it has no namespace; StanzaError, TimeoutError */
      async set(element: Element): Promise<void> {
        if (element.ns === '') throw new XmppError('the stored element needs its own namespace (XEP-0049 §3)');
        await context.iq({ type: 'set', payload: el('query', NS_PRIVATE_XML, {}, element) });
      },
    };
  },
});
