/**
 * XEP-0191 Blocking Command, 1.3 (Stable). https://xmpp.org/extensions/xep-0191.html
 *
 * Has our server keep somebody away from us, and keeps the list of them, whichever of our clients changes it. A message of ours to them
 * comes back with an error that `isBlockedError` knows.
 */
import { StanzaError } from '../xmpp-core/errors.js';
import type { Listenable } from '../xmpp-core/events.js';
import { Jid } from '../xmpp-core/jid/jid.js';
import { definePlugin, from, type Plugin } from '../xmpp-core/plugin.js';
import { el, type Element } from '../xmpp-core/xml/element.js';

export const NS_BLOCKING = 'urn:xmpp:blocking';

const NS_BLOCKING_ERRORS = 'urn:xmpp:blocking:errors';

/** The JIDs of a `<blocklist/>`, `<block/>` or `<unblock/>`; what is none is left out. */
export function readBlockedJids(list: Element): Jid[] {
  return list.children('item').flatMap((item) => Jid.tryParse(item.attr('jid')) ?? []);
}

export function writeBlockedJids(name: 'blocklist' | 'block' | 'unblock', jids: readonly Jid[]): Element {
  return el(name, NS_BLOCKING, {}, ...jids.map((jid) => el('item', NS_BLOCKING, { jid: jid.toString() })));
}

/** Whether something did not go out because we block whom it was for (§3.3). */
export function isBlockedError(error: StanzaError): boolean {
  return error.details.application?.is('blocked', NS_BLOCKING_ERRORS) ?? false;
}

export interface Blocking {
  readonly events: Listenable<{
    blocked: { readonly jids: readonly Jid[] };
    /** Without any: all of them. */
    unblocked: { readonly jids: readonly Jid[] };
  }>;
  /** Who is blocked. Asks once a session, and from then on hears of every change. @throws StanzaError, TimeoutError */
  list(): Promise<readonly Jid[]>;
  /** Whether an entity is blocked: itself, its account, or its whole domain (§6). @throws StanzaError, TimeoutError */
  blocks(entity: Jid | string): Promise<boolean>;
  /** @throws StanzaError, TimeoutError */
  block(...jids: readonly [Jid | string, ...(Jid | string)[]]): Promise<void>;
  /** @throws StanzaError, TimeoutError */
  unblock(...jids: readonly [Jid | string, ...(Jid | string)[]]): Promise<void>;
  /** @throws StanzaError, TimeoutError */
  unblockAll(): Promise<void>;
}

export const blocking: Plugin<Blocking> = definePlugin({
  name: 'blocking',
  xep: 191,
  setup(context): Blocking {
    const events = context.events<{
      blocked: { readonly jids: readonly Jid[] };
      unblocked: { readonly jids: readonly Jid[] };
    }>();
    /** By their texts; empty until somebody has asked for it in this session. */
    const blocked = new Map<string, Jid>();
    let asked: Promise<void> | undefined;

    const ask = async (): Promise<void> => {
      await context.iq({
        type: 'get',
        payload: el('blocklist', NS_BLOCKING),
        // Taken where it stands in the stream: a push that came after it must not be undone by it.
        onResult: (list) => {
          blocked.clear();
          for (const jid of list === undefined ? [] : readBlockedJids(list)) blocked.set(jid.toString(), jid);
        },
      });
    };
    const known = async (): Promise<ReadonlyMap<string, Jid>> => {
      const asking = (asked ??= ask());
      try {
        await asking;
      } catch (error) {
        // The next one asks again.
        if (asked === asking) asked = undefined;
        throw error;
      }
      return blocked;
    };
    const change = async (payload: Element): Promise<void> => {
      await context.iq({ type: 'set', payload });
    };

    // §3.3: pushes go to the clients that have asked for the list.
    context.onIq({ type: 'set', ns: NS_BLOCKING, name: 'block' }, from.ownAccount, (push) => {
      const jids = readBlockedJids(push);
      for (const jid of jids) blocked.set(jid.toString(), jid);
      events.emit('blocked', { jids });
      return undefined;
    });
    context.onIq({ type: 'set', ns: NS_BLOCKING, name: 'unblock' }, from.ownAccount, (push) => {
      const jids = readBlockedJids(push);
      // One that names nobody frees everybody (§3.5); one whose names cannot be read is no such thing.
      if (push.children().length === 0) blocked.clear();
      else if (jids.length === 0) throw StanzaError.of('bad-request');
      for (const jid of jids) blocked.delete(jid.toString());
      events.emit('unblocked', { jids });
      return undefined;
    });
    context.onBound(() => {
      asked = undefined;
      blocked.clear();
    });

    return {
      events,
      block: async (...jids) =>
        change(
          writeBlockedJids(
            'block',
            jids.map((jid) => Jid.from(jid)),
          ),
        ),
      unblock: async (...jids) =>
        change(
          writeBlockedJids(
            'unblock',
            jids.map((jid) => Jid.from(jid)),
          ),
        ),
      unblockAll: () => change(writeBlockedJids('unblock', [])),
      async list() {
        return [...(await known()).values()];
      },
      async blocks(address) {
        const entity = Jid.from(address);
        const list = await known();
        const { domainpart, resource } = entity;
        const inDomain = resource === '' ? domainpart : `${domainpart}/${resource}`;
        return [entity.toString(), entity.bare.toString(), inDomain, domainpart].some((one) => list.has(one));
      },
    };
  },
});
