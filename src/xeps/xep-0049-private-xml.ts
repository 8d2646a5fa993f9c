/**
 * XEP-0049 Private XML Storage, 1.2 (Active). https://xmpp.org/extensions/xep-0049.html
 *
 * One element for each namespace, kept by the server for our own clients. New data belongs into XEP-0223; this is for what older clients
 * still have here. It tells nobody when it changes.
 */
import { XmppError } from '../xmpp-core/errors.js';
import { definePlugin } from '../xmpp-core/plugin.js';
import { el, type Element } from '../xmpp-core/xml/element.js';

export const NS_PRIVATE_XML = 'jabber:iq:private';

export const privateXml = definePlugin({
  name: 'private-xml',
  xep: 49,
  setup(context) {
    return {
      /** What is stored under a name; an empty element when nothing is (§3). @throws StanzaError, TimeoutError */
      async get(name: string, ns: string): Promise<Element> {
        const payload = el('query', NS_PRIVATE_XML, {}, el(name, ns));
        const result = await context.iq({ type: 'get', payload });
        const query = result?.is('query', NS_PRIVATE_XML) === true ? result : undefined;
        return query?.child(name, ns) ?? el(name, ns);
      },
      /** Stores an element in place of the one before. @throws StanzaError, TimeoutError, XmppError without a namespace */
      async set(element: Element): Promise<void> {
        if (element.ns === '') throw new XmppError('the stored element needs its own namespace (XEP-0049 §3)');
        await context.iq({ type: 'set', payload: el('query', NS_PRIVATE_XML, {}, element) });
      },
    };
  },
});
