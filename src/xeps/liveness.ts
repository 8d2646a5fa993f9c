/**
 * Watches the connection: after a time of silence it probes the server, and without an answer before the deadline it ends the connection.
 * This is the client's only liveness policy; probes are those of XEP-0198, or of XEP-0199 (§4.2) if the server does not support stream
 * management.
 */
import { TimeoutError } from '../xmpp-core/errors.js';
import type { Disposer } from '../xmpp-core/events.js';
import { Jid } from '../xmpp-core/jid/jid.js';
import { definePlugin, type Plugin } from '../xmpp-core/plugin.js';
import { answerOr } from './answer-or.js';
import { ping } from './xep-0199-ping.js';

/** When to probe, and when to give up. In milliseconds. */
export interface LivenessPolicy {
  readonly silenceMs: number;
  readonly deadlineMs: number;
}

/** The plugin with other limits than 60 seconds of silence and 20 seconds for an answer. */
export function livenessWith({ silenceMs, deadlineMs }: LivenessPolicy): Plugin<void> {
  return definePlugin({
    name: 'liveness',
    requires: [ping],
    setup(context) {
      let cancel: Disposer | undefined;
      const later = (ms: number, act: () => unknown): void => {
        cancel?.();
        cancel = context.after(ms, act);
      };
      const watch = async (): Promise<void> => {
        const silentMs = context.silentMs();
        if (silentMs === undefined) return;
        if (silentMs < silenceMs) return later(silenceMs - silentMs, watch);
        const askedAt = performance.now();
        const isAlive = (): boolean => (context.silentMs() ?? 0) < performance.now() - askedAt;
        later(deadlineMs, () =>
          isAlive()
            ? watch()
            : context.connectionLost(new TimeoutError('waiting for any data from the server', deadlineMs)),
        );
        // One probe is enough: with stream management the server has to answer it. Any received data counts as an answer.
        if (context.probe()) return;
        await answerOr(
          context.get(ping).ping(Jid.parse(context.account.domainpart), { timeoutMs: deadlineMs }),
          undefined,
        );
        if (isAlive()) await watch();
      };
      context.onOnline(() => context.background(watch));
      context.onOffline(() => cancel?.());
    },
  });
}

/** The plugin with the usual limits: 60 seconds of silence, 20 seconds for an answer. */
export const liveness = livenessWith({ silenceMs: 60_000, deadlineMs: 20_000 });
