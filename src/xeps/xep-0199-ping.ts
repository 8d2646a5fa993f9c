/**
 * XEP-0199 XMPP Ping, 2.0.1 (Final). https://xmpp.org/extensions/xep-0199.html
 *
 * Answers pings, and sends them. What watches the connection with them (§4.2) is `liveness`.
 */
import { StanzaError } from '../xmpp-core/errors.js';
import type { Jid } from '../xmpp-core/jid/jid.js';
import { definePlugin, from } from '../xmpp-core/plugin.js';
import { el } from '../xmpp-core/xml/element.js';

export const NS_PING = 'urn:xmpp:ping';

/** What users of the plugin get. */
export interface Ping {
  /**
   * Asks an entity for a sign of life.
   * @returns the milliseconds that the answer took
   * @throws TimeoutError; StanzaError when the entity is not there
   */
  ping(to: Jid | string, options?: { readonly timeoutMs?: number; readonly signal?: AbortSignal }): Promise<number>;
}

export const ping = definePlugin({
  name: 'ping',
  xep: 199,
  features: [NS_PING],
  setup(context): Ping {
    context.onIq({ type: 'get', ns: NS_PING, name: 'ping' }, from.anyone, () => undefined);
    return {
      async ping(to, options = {}) {
        const startedAt = performance.now();
        try {
          await context.iq({ to, type: 'get', payload: el('ping', NS_PING), ...options });
        } catch (error) {
          // A refusal is a sign of life as well (§4.1), unless it says that nobody is there.
          if (!(error instanceof StanzaError) || !ALIVE.has(error.condition)) throw error;
        }
        return performance.now() - startedAt;
      },
    };
  },
});

const ALIVE: ReadonlySet<string> = new Set(['service-unavailable', 'feature-not-implemented']);
