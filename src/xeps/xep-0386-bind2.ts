/**
 * XEP-0386 Bind 2, 1.1.0 (Stable). https://xmpp.org/extensions/xep-0386.html
 *
 * Has a resource bound within the login, and within that enables what other features can have inline. The server makes the resource;
 * the configured one is its beginning. Where Bind 2 is not offered, or not granted, RFC 6120 binds as ever.
 *
 * For clients that read their archive (XEP-0313): a server may drop what it kept for an offline client when that binds so (§3.2), and
 * some do. That is why it is none of `chatPlugins`.
 */
import { NegotiationError } from '../xmpp-core/errors.js';
import { definePlugin, type Plugin } from '../xmpp-core/plugin.js';
import { inlineOnly, inlineRequests } from '../xmpp-core/stream/stream-feature.js';
import { el, type Element } from '../xmpp-core/xml/element.js';
import { sasl2 } from './xep-0388-sasl2.js';

export const NS_BIND2 = 'urn:xmpp:bind:0';

/**
 * Whether a feature can be enabled within the binding (§3.1): for the `offered` of an inline part `within: 'bind'`.
 * @param inline the server's `<inline/>` of its `<bind/>`
 */
export function offersInBind(inline: Element, feature: string): boolean {
  return inline.children('feature', NS_BIND2).some((one) => one.attr('var') === feature);
}

/**
 * The plugin of a client that finds out as it goes whether it can read an archive.
 * @param isWanted is asked at each login that could bind so
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
                // §3.2: a session that was resumed has its resource. Without either, what RFC 6120 offers is still to come.
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

export const bind2: Plugin<void> = bind2When(() => true);
