/**
 * XEP-0198 Stream Management, 1.6.3 (Stable). https://xmpp.org/extensions/xep-0198.html
 *
 * Knows which stanzas the server has taken over, and takes a session up again after its connection broke: nothing is lost and nothing comes
 * twice, in either direction. Where the server has forgotten the session, messages that it never acknowledged are sent in the next one.
 *
 * Left out: server-to-server streams; requesting a resumption time (`max` of `<enable/>`), which the server chooses.
 */
import { XmppError } from '../../xmpp-core/errors.js';
import type { Listenable } from '../../xmpp-core/events.js';
import { definePlugin, senders, type Plugin, type PluginContext } from '../../xmpp-core/plugin.js';
import type { StreamFeature } from '../../xmpp-core/stream/stream-feature.js';
import type { Element } from '../../xmpp-core/xml/element.js';
import { offersInBind } from '../xep-0386-bind2.js';
import { NS_STREAM_MANAGEMENT, type LedgerLimits, type Unacknowledged } from './ledger.js';
import { ManagedSession, writeEnable } from './managed-session.js';

export { Ledger, NS_STREAM_MANAGEMENT, type LedgerLimits, type Unacknowledged } from './ledger.js';

/** XEP-0045: what a room says of an occupant. */
const NS_MUC_USER = 'http://jabber.org/protocol/muc#user';

export interface StreamManagementEvents {
  /** The server has taken a stanza of ours over: from now on it answers for it. */
  acknowledged: { readonly stanza: Element };
  /** The session was lost before the server took a stanza over, and it is not sent again. It may have arrived all the same. */
  failed: { readonly stanza: Element };
  /** The server refused to count after all. The stanza was sent as where nobody counts: whether it arrives will not be known. */
  uncounted: { readonly stanza: Element };
}

/** What users of the plugin get. */
export interface StreamManagement {
  readonly events: Listenable<StreamManagementEvents>;
  /** Whether the server counts with us in this session. */
  readonly enabled: boolean;
  /** What was sent, or waits to be sent, and is not acknowledged yet. */
  readonly unacknowledged: readonly Unacknowledged[];
  /**
   * Waits until the server has taken over the stanza with that id, over reconnects if need be; at once when no such stanza waits, as where
   * the server does not count.
   * @throws XmppError when it will not be sent again; the signal's reason
   */
  acknowledged(id: string, signal?: AbortSignal): Promise<void>;
}

/** The plugin with other bounds on what may wait for its acknowledgement; beyond them `send` throws. */
export function streamManagementWith(limits: LedgerLimits): Plugin<StreamManagement> {
  return definePlugin({
    name: 'stream-management',
    xep: 198,
    setup(context): StreamManagement {
      const events = context.events<StreamManagementEvents>();
      const session = new ManagedSession({
        limits,
        isOffered: () => context.streamFeatures()?.child('sm', NS_STREAM_MANAGEMENT) !== undefined,
        isConnected: () => context.silentMs() !== undefined,
        send: (element) => context.send(element),
        background: (work) => context.background(work),
        onBroken: (error) => context.connectionLost(error),
        onAcknowledged: (stanza) => events.emit('acknowledged', { stanza }),
        onFailed: (stanza) => events.emit('failed', { stanza }),
        onUncounted: (stanza) => events.emit('uncounted', { stanza }),
      });
      context.keepSession(session);
      context.streamFeature(resumption(session));
      context.onNonza(NS_STREAM_MANAGEMENT, (element) => session.take(element));
      resendToRooms(context, session);

      return {
        events,
        get enabled() {
          return session.enabled;
        },
        get unacknowledged() {
          return session.unacknowledged;
        },
        async acknowledged(id, signal) {
          const isIt = ({ stanza }: { readonly stanza: Element }): boolean => stanza.attr('id') === id;
          if (!session.unacknowledged.some(isIt)) return;
          const settled = new AbortController();
          const options = { where: isIt, signal: AbortSignal.any([settled.signal, ...(signal ? [signal] : [])]) };
          const failed = events.once('failed', options).then(() => {
            throw new XmppError(`the session was lost before the server acknowledged the stanza '${id}'`);
          });
          try {
            await Promise.race([events.once('acknowledged', options), events.once('uncounted', options), failed]);
          } finally {
            settled.abort();
          }
        },
      };
    },
  });
}

/** Resuming, by itself or within SASL2; and enabling within Bind2. Where there is no Bind2, `<enable/>` begins the session. */
function resumption(session: ManagedSession): StreamFeature {
  return {
    name: 'stream-management',
    // Before a resource is bound: a session that is resumed has one (§5).
    order: 250,
    offered(features, { authenticated, jid }) {
      if (authenticated === undefined || jid !== undefined) return undefined;
      session.forgetInline();
      return session.writeResume() === undefined ? undefined : features.child('sm', NS_STREAM_MANAGEMENT);
    },
    async negotiate(_offer, negotiation) {
      const request = session.writeResume();
      if (request === undefined) return 'done';
      negotiation.stream.send(request);
      session.takeResumption(await negotiation.stream.receive(negotiation.signal), negotiation);
      return 'done';
    },
    inline: [
      {
        within: 'authentication',
        offered(offer, negotiation) {
          const element = offer.child('sm', NS_STREAM_MANAGEMENT) === undefined ? undefined : session.writeResume();
          if (element === undefined) return undefined;
          return {
            element,
            answered(success) {
              const answer = ofOurs(success);
              if (answer !== undefined) session.takeResumption(answer, negotiation);
            },
          };
        },
      },
      {
        within: 'bind',
        offered(offer) {
          session.forgetInline();
          if (!offersInBind(offer, NS_STREAM_MANAGEMENT)) return undefined;
          return { element: writeEnable(), answered: (bound) => session.takeInline(ofOurs(bound)) };
        },
      },
    ],
  };
}

function ofOurs(parent: Element): Element | undefined {
  return parent.children().find(({ ns }) => ns === NS_STREAM_MANAGEMENT);
}

/** Sends the waiting messages for a room when the room confirms that we are in it: our own presence has status 110. */
function resendToRooms(context: PluginContext, session: ManagedSession): void {
  context.onPresence({ ns: NS_MUC_USER, name: 'x' }, senders.anyone, (payload, { type, from: sender }) => {
    if (type !== 'available' || !payload.children('status').some((status) => status.attr('code') === '110')) return;
    for (const { stanza } of session.resendQueue.takeForRoom(sender)) context.send(stanza);
  });
}

export const streamManagement = streamManagementWith({ stanzas: 10_000, characters: 16 * 1024 * 1024 });
