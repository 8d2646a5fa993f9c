/**
 * Watches the connection: after a time of silence the server is asked for a sign of life, and without one before the deadline the
 * connection is given up. This is the one liveness policy of the client; the questions are those of XEP-0198 or, where the server does not
 * count stanzas, of XEP-0199 (§4.2).
 */
import { TimeoutError } from '../xmpp-core/errors.js';
import type { Disposer } from '../xmpp-core/events.js';
import { Jid } from '../xmpp-core/jid/jid.js';
import { definePlugin, type Plugin } from '../xmpp-core/plugin.js';
import { answerOr } from './answer-or.js';
import { ping } from './xep-0199-ping.js';

/** When silence becomes suspicious, and when it is taken for the end; in milliseconds. */
export interface LivenessPolicy {
  readonly silenceMs: number;
  readonly deadlineMs: number;
}

/** The plugin with another policy than the usual one of 60 and 20 seconds. */
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
        // One question is enough: who counts stanzas with us owes an answer to that as well. Whatever is heard is a sign of life.
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

export const liveness = livenessWith({ silenceMs: 60_000, deadlineMs: 20_000 });
