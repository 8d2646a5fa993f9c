/**
 * XEP-0352 Client State Indication, 1.0.0 (Stable). https://xmpp.org/extensions/xep-0352.html
 *
 * Tells the server whether the user is active, so that it can delay unimportant traffic. Each stream starts as active, a resumed one too;
 * an inactive client repeats its state at once.
 */
import { definePlugin } from '../xmpp-core/plugin.js';
import { el } from '../xmpp-core/xml/element.js';
import { offersInBind } from './xep-0386-bind2.js';

/** The namespace of client states. */
export const NS_CSI = 'urn:xmpp:csi:0';

/** The handle of the plugin. */
export interface ClientStateIndication {
  /** The state set last; `true` at first. */
  readonly active: boolean;
  /** Sets the state. It is kept over reconnects, and sent only to servers that support it. */
  setActive(active: boolean): void;
}

/** Client states: `client.get(clientStateIndication).setActive(false)` reports that the user is away. */
export const clientStateIndication = definePlugin({
  name: 'client-state-indication',
  xep: 352,
  setup(context): ClientStateIndication {
    let active = true;
    /** The state that the server has. */
    let serverState = true;
    let isSentInline = false;
    /** Kept once offered: a resumed session gets no offer (XEP-0198 §8.2). */
    let isOffered = false;

    const sendState = (): void => {
      if (serverState === active || !isOffered || context.silentMs() === undefined) return;
      serverState = active;
      context.send(el(active ? 'active' : 'inactive', NS_CSI));
    };

    context.streamFeature({
      name: 'client-state-indication',
      order: 900,
      // Nothing to negotiate.
      offered(features) {
        isOffered ||= features.child('csi', NS_CSI) !== undefined;
        return undefined;
      },
      negotiate: () => Promise.resolve('done'),
      inline: [
        {
          within: 'bind',
          offered(inline) {
            isSentInline = false;
            const isInline = offersInBind(inline, NS_CSI);
            isOffered ||= isInline;
            if (!isInline || active) return undefined;
            return {
              element: el('inactive', NS_CSI),
              answered() {
                isSentInline = true;
              },
            };
          },
        },
      ],
    });
    context.onOnline(() => {
      // §5.2: each stream starts as active, also that of a resumed session.
      serverState = !isSentInline;
      isSentInline = false;
      sendState();
    });

    return {
      get active() {
        return active;
      },
      setActive(state) {
        active = state;
        sendState();
      },
    };
  },
});
