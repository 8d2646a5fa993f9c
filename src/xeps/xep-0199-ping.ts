/**
 * XEP-0199 XMPP Ping, 2.0.1 (Final). https://xmpp.org/extensions/xep-0199.html
 *
 * Answers pings, sends them, and watches the connection: after a time of silence the server is asked for a sign of life (§4.2),
 * and without one before the deadline the connection is given up. This is the one liveness policy of the client.
 */
import { StanzaError, TimeoutError } from '../xmpp-core/errors.js';
import { Jid } from '../xmpp-core/jid/jid.js';
import { definePlugin, from, type Plugin } from '../xmpp-core/plugin.js';
import { el } from '../xmpp-core/xml/element.js';

export const NS_PING = 'urn:xmpp:ping';

/** When silence becomes suspicious, and when it is taken for the end; in milliseconds. */
export interface PingPolicy {
  readonly silenceMs: number;
  readonly deadlineMs: number;
}

/** What users of the plugin get. */
export interface Ping {
  /**
   * Asks an entity for a sign of life.
   * @returns the milliseconds that the answer took
   * @throws TimeoutError; StanzaError when the entity is not there
   */
  ping(to: Jid, options?: { readonly timeoutMs?: number; readonly signal?: AbortSignal }): Promise<number>;
}

/** The plugin with another policy than the usual one of 60 and 20 seconds. */
export function pingWith({ silenceMs, deadlineMs }: PingPolicy): Plugin<Ping> {
  return definePlugin({
    name: 'ping',
    xep: 199,
    features: [NS_PING],
    setup(context) {
      const ping: Ping['ping'] = async (to, options = {}) => {
        const startedAt = performance.now();
        try {
          await context.iq({ to, type: 'get', payload: el('ping', NS_PING), ...options });
        } catch (error) {
          // A refusal is a sign of life as well (§4.1), unless it says that nobody is there.
          if (!(error instanceof StanzaError) || !ALIVE.has(error.condition)) throw error;
        }
        return performance.now() - startedAt;
      };

      context.onIq({ type: 'get', ns: NS_PING, name: 'ping' }, from.anyone, () => undefined);

      let timer: NodeJS.Timeout | undefined;
      const later = (ms: number, act: () => void): void => {
        clearTimeout(timer);
        timer = setTimeout(act, ms);
      };
      const watch = (): void => {
        const silentMs = context.silentMs();
        if (silentMs === undefined) return;
        if (silentMs < silenceMs) return later(silenceMs - silentMs, watch);
        const askedAt = performance.now();
        const isAlive = (): boolean => (context.silentMs() ?? 0) < performance.now() - askedAt;
        const whenAlive = (): void => {
          if (isAlive()) watch();
        };
        later(deadlineMs, () => {
          if (isAlive()) watch();
          else context.connectionLost(new TimeoutError('waiting for any data from the server', deadlineMs));
        });
        // One question is enough: who counts stanzas with us owes an answer to that as well. Whatever is heard is a sign of life.
        if (context.probe()) return;
        ping(Jid.parse(context.account.domainpart), { timeoutMs: deadlineMs }).then(whenAlive, whenAlive);
      };
      context.onOnline(watch);
      context.onOffline(() => clearTimeout(timer));
      return { ping };
    },
  });
}

const ALIVE: ReadonlySet<string> = new Set(['service-unavailable', 'feature-not-implemented']);

export const ping = pingWith({ silenceMs: 60_000, deadlineMs: 20_000 });
