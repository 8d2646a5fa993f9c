/**
 * XEP-0352 Client State Indication, 1.0.0 (Stable). https://xmpp.org/extensions/xep-0352.html
 *
 * Tells the server whether anybody looks, so that it can hold back what can wait. Each stream begins active, a resumed one too; an inactive
 * client says so again at once.
 */
import { definePlugin } from '../xmpp-core/plugin.js';
import { el } from '../xmpp-core/xml/element.js';
import { offersInBind } from './xep-0386-bind2.js';

export const NS_CSI = 'urn:xmpp:csi:0';

/** What users of the plugin get. */
export interface ClientStateIndication {
  readonly active: boolean;
  /** Says that somebody looks, or nobody; kept over reconnects. Where the server has no use for it nothing is said. */
  setActive(active: boolean): void;
}

export const clientStateIndication = definePlugin({
  name: 'client-state-indication',
  xep: 352,
  setup(context): ClientStateIndication {
    let active = true;
    /** What the server takes us for. */
    let told = true;
    let isToldInline = false;
    /** Once it was offered it is taken to be still: a session that is resumed is offered nothing (XEP-0198 §8.2). */
    let isOffered = false;

    const tell = (): void => {
      if (told === active || !isOffered || context.silentMs() === undefined) return;
      told = active;
      context.send(el(active ? 'active' : 'inactive', NS_CSI));
    };

    context.streamFeature({
      name: 'client-state-indication',
      order: 900,
      // There is nothing to agree on.
      offered(features) {
        isOffered ||= features.child('csi', NS_CSI) !== undefined;
        return undefined;
      },
      negotiate: () => Promise.resolve('done'),
      inline: [
        {
          within: 'bind',
          offered(inline) {
            isToldInline = false;
            const isInline = offersInBind(inline, NS_CSI);
            isOffered ||= isInline;
            if (!isInline || active) return undefined;
            return {
              element: el('inactive', NS_CSI),
              answered() {
                isToldInline = true;
              },
            };
          },
        },
      ],
    });
    context.onOnline(() => {
      // §5.2: each stream begins active, also where a session is resumed.
      told = !isToldInline;
      isToldInline = false;
      tell();
    });

    return {
      get active() {
        return active;
      },
      setActive(state) {
        active = state;
        tell();
      },
    };
  },
});
