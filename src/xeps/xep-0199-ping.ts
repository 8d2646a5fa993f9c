/**
 * XEP-0199 XMPP Ping, 2.0.1 (Final). https://xmpp.org/extensions/xep-0199.html
 *
 * Answers pings and sends them. `liveness` uses them to watch the connection (§4.2).
 */
import { StanzaError } from '../xmpp-core/errors.js';
import type { Jid } from '../xmpp-core/jid/jid.js';
import { definePlugin, senders } from '../xmpp-core/plugin.js';
import { el } from '../xmpp-core/xml/element.js';

/** The namespace of pings. */
export const NS_PING = 'urn:xmpp:ping';

/** The handle of the plugin. */
export interface Ping {
  /** Pings an entity. @returns the round-trip time in milliseconds @throws TimeoutError; StanzaError if the entity cannot be reached */
  ping(to: Jid | string, options?: { readonly timeoutMs?: number; readonly signal?: AbortSignal }): Promise<number>;
}

/** Pings: `client.get(ping).ping(jid)` sends one. */
export const ping = definePlugin({
  name: 'ping',
  xep: 199,
  features: [NS_PING],
  setup(context): Ping {
    context.onIq({ type: 'get', ns: NS_PING, name: 'ping' }, senders.anyone, () => undefined);
    return {
      async ping(to, options = {}) {
        const startedAt = performance.now();
        try {
          await context.iq({ to, type: 'get', payload: el('ping', NS_PING), ...options });
        } catch (error) {
          // An entity that does not support pings is reachable all the same (§4.1).
          if (!(error instanceof StanzaError) || !ALIVE.has(error.condition)) throw error;
        }
        return performance.now() - startedAt;
      },
    };
  },
});

const ALIVE: ReadonlySet<string> = new Set(['service-unavailable', 'feature-not-implemented']);
