/**
 * XEP-0191 Blocking Command, 1.3 (Stable). https://xmpp.org/extensions/xep-0191.html
 *
 * Lets our server block entities, and keeps the block list up to date when another client of ours changes it. A message of ours to a
 * blocked entity is returned with an error that `isBlockedError` detects.
 */
import { StanzaError } from '../xmpp-core/errors.js';
import type { Listenable } from '../xmpp-core/events.js';
import { Jid } from '../xmpp-core/jid/jid.js';
import { definePlugin, senders, type Plugin } from '../xmpp-core/plugin.js';
import { el, type Element } from '../xmpp-core/xml/element.js';

/** The namespace of the blocking command. */
export const NS_BLOCKING = 'urn:xmpp:blocking';

const NS_BLOCKING_ERRORS = 'urn:xmpp:blocking:errors';

/** Reads the JIDs of a `<blocklist/>`, `<block/>` or `<unblock/>`; invalid ones are left out. */
export function readBlockedJids(list: Element): Jid[] {
  return list.children('item').flatMap((item) => Jid.fromWire(item.attr('jid')) ?? []);
}

/** Writes a `<blocklist/>`, `<block/>` or `<unblock/>`. */
export function writeBlockedJids(name: 'blocklist' | 'block' | 'unblock', jids: readonly Jid[]): Element {
  return el(name, NS_BLOCKING, {}, ...jids.map((jid) => el('item', NS_BLOCKING, { jid: jid.toString() })));
}

/** Whether a stanza was returned because we block its addressee (§3.3). */
export function isBlockedError(error: StanzaError): boolean {
  return error.details.application?.is('blocked', NS_BLOCKING_ERRORS) ?? false;
}

/** The handle of the plugin. */
export interface Blocking {
  readonly events: Listenable<{
    /** One of our clients blocked these JIDs. */
    blocked: { readonly jids: readonly Jid[] };
    /** One of our clients unblocked these JIDs; an empty list means all of them. */
    unblocked: { readonly jids: readonly Jid[] };
  }>;
  /** The blocked JIDs. Queried once per session; afterwards the server pushes changes. @throws StanzaError, TimeoutError */
  list(): Promise<readonly Jid[]>;
  /** Whether an entity is blocked: itself, its account, or its domain (§6). @throws StanzaError, TimeoutError */
  blocks(entity: Jid | string): Promise<boolean>;
  /** Blocks JIDs. @throws StanzaError, TimeoutError */
  block(...jids: readonly [Jid | string, ...(Jid | string)[]]): Promise<void>;
  /** Unblocks JIDs. @throws StanzaError, TimeoutError */
  unblock(...jids: readonly [Jid | string, ...(Jid | string)[]]): Promise<void>;
  /** Unblocks all JIDs. @throws StanzaError, TimeoutError */
  unblockAll(): Promise<void>;
}

/** The block list of our account: `client.get(blocking)` reads and changes it. */
export const blocking: Plugin<Blocking> = definePlugin({
  name: 'blocking',
  xep: 191,
  setup(context): Blocking {
    const events = context.events<{
      blocked: { readonly jids: readonly Jid[] };
      unblocked: { readonly jids: readonly Jid[] };
    }>();
    /** By JID; empty until the list has been requested in this session. */
    const blocked = new Map<string, Jid>();
    let loading: Promise<void> | undefined;

    const load = async (): Promise<void> => {
      await context.iq({
        type: 'get',
        payload: el('blocklist', NS_BLOCKING),
        // Applied at its position in the stream, so that it does not undo a push that came after it.
        onResult: (list) => {
          blocked.clear();
          for (const jid of list === undefined ? [] : readBlockedJids(list)) blocked.set(jid.toString(), jid);
        },
      });
    };
    const blockedJids = async (): Promise<ReadonlyMap<string, Jid>> => {
      const request = (loading ??= load());
      try {
        await request;
      } catch (error) {
        // The next call requests it again.
        if (loading === request) loading = undefined;
        throw error;
      }
      return blocked;
    };
    const change = async (payload: Element): Promise<void> => {
      await context.iq({ type: 'set', payload });
    };

    // §3.3: the server pushes changes to clients that have requested the list.
    context.onIq({ type: 'set', ns: NS_BLOCKING, name: 'block' }, senders.ownAccount, (push) => {
      const jids = readBlockedJids(push);
      for (const jid of jids) blocked.set(jid.toString(), jid);
      events.emit('blocked', { jids });
      return undefined;
    });
    context.onIq({ type: 'set', ns: NS_BLOCKING, name: 'unblock' }, senders.ownAccount, (push) => {
      const jids = readBlockedJids(push);
      // A push without items unblocks everybody (§3.5); one whose JIDs are all invalid does not.
      if (push.children().length === 0) blocked.clear();
      else if (jids.length === 0) throw StanzaError.of('bad-request');
      for (const jid of jids) blocked.delete(jid.toString());
      events.emit('unblocked', { jids });
      return undefined;
    });
    context.onBound(() => {
      loading = undefined;
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
        return [...(await blockedJids()).values()];
      },
      async blocks(address) {
        const entity = Jid.from(address);
        const list = await blockedJids();
        const { domainpart, resource } = entity;
        const inDomain = resource === '' ? domainpart : `${domainpart}/${resource}`;
        return [entity.toString(), entity.bare.toString(), inDomain, domainpart].some((one) => list.has(one));
      },
    };
  },
});
