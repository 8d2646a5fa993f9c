/**
 * XEP-0386 Bind 2, 1.1.0 (Stable). https://xmpp.org/extensions/xep-0386.html
 *
 * Binds a resource within the login, and enables inline features with it. The server generates the resource, starting with the configured
 * one. If Bind 2 is not offered or not granted, the resource is bound as in RFC 6120.
 *
 * Only for clients that read their archive (XEP-0313): a server may drop stored offline messages when a client binds in this way (§3.2),
 * and some do. So it is not part of `chatPlugins`.
 */
import { NegotiationError } from '../xmpp-core/errors.js';
import { definePlugin, type Plugin } from '../xmpp-core/plugin.js';
import { inlineOnly, inlineRequests } from '../xmpp-core/stream/stream-feature.js';
import { el, type Element } from '../xmpp-core/xml/element.js';
import { sasl2 } from './xep-0388-sasl2.js';

/** The namespace of Bind 2. */
export const NS_BIND2 = 'urn:xmpp:bind:0';

/**
 * Whether a feature can be enabled when binding (§3.1); for the `offered` of an inline feature with `within: 'bind'`.
 * @param inline the `<inline/>` in the server's `<bind/>`
 */
export function offersInBind(inline: Element, feature: string): boolean {
  return inline.children('feature', NS_BIND2).some((one) => one.attr('var') === feature);
}

/**
 * The plugin for clients that find out at run time whether they can read an archive.
 * @param isWanted called at each login that offers Bind 2
 */
export function bind2When(isWanted: () => boolean | Promise<boolean>): Plugin<void> {
  return definePlugin({
    name: 'bind2',
    xep: 386,
    requires: [sasl2],
    setup(context) {
      context.streamFeature(
        inlineOnly('bind2', 300, {
          within: 'authentication',

          async offered(inline, negotiation) {
            const offer = inline.child('bind', NS_BIND2);
            if (offer === undefined || !(await isWanted())) return undefined;
            const requests = await inlineRequests('bind', offer.child('inline'), negotiation);
            const { resource } = negotiation;
            const tag = resource === undefined ? undefined : el('tag', NS_BIND2, {}, resource);
            return {
              element: el('bind', NS_BIND2, {}, tag, ...requests.map(({ element }) => element)),

              async answered(success) {
                const bound = success.child('bound', NS_BIND2);
                // §3.2: a resumed session has its resource. With neither, the resource is bound as in RFC 6120.
                if (bound === undefined || negotiation.jid !== undefined) return;
                const jid = negotiation.authorized;
                if (jid === undefined || jid.isBare) {
                  throw new NegotiationError(`${negotiation.stream.peer} bound a resource without naming it`);
                }
                negotiation.jid = jid;
                for (const request of requests) await request.answered(bound);
              },
            };
          },
        }),
      );
    },
  });
}

/** The plugin that always uses Bind 2. */
export const bind2: Plugin<void> = bind2When(() => true);
