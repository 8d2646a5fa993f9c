/**
 * XEP-0359 Unique and Stable Stanza IDs, 0.7.0 (Experimental). https://xmpp.org/extensions/xep-0359.html
 *
 * The ids that an account's server and rooms assign to messages, and a record of those seen: the same message may arrive live, as a carbon,
 * from an archive and in a room's history, but is new only once.
 *
 * Left out: `<referenced-stanza/>` (§4), which nobody sends; extensions that refer to a message use their own elements.
 */
import type { Jid } from '../xmpp-core/jid/jid.js';
import { BoundedMap } from '../xmpp-core/bounded-map.js';
import { definePlugin, senders, handled } from '../xmpp-core/plugin.js';
import { el, type Element } from '../xmpp-core/xml/element.js';
import { answerOr } from './answer-or.js';
import { serviceDiscovery } from './xep-0030-service-discovery.js';

/** The namespace of stable ids, and the feature of entities that assign them. */
export const NS_STABLE_IDS = 'urn:xmpp:sid:0';

/**
 * Reads the id that `by` assigned. The caller has to check that `by` announces `NS_STABLE_IDS` (§6). Two ids of the same assigner
 * invalidate each other: the assigner should have removed the forged one (§5), and they cannot be told apart. Prosody 0.12 and 13 pass such
 * messages on, with their own id after the sender's.
 */
export function readStanzaId(stanza: Element, by: Jid): string | undefined {
  const [first, ...others] = stanza
    .children('stanza-id', NS_STABLE_IDS)
    .filter((one) => one.attr('by') === by.toString());
  return others.length === 0 ? first?.attr('id') : undefined;
}

/** Writes an id assigned by `by`. */
export function writeStanzaId(id: string, by: Jid): Element {
  return el('stanza-id', NS_STABLE_IDS, { id, by: by.toString() });
}

/** Reads the id that the sending client assigned. Only the sender vouches for it. */
export function readOriginId(stanza: Element): string | undefined {
  return stanza.child('origin-id', NS_STABLE_IDS)?.attr('id');
}

/** Writes an id assigned by the sending client. */
export function writeOriginId(id: string): Element {
  return el('origin-id', NS_STABLE_IDS, { id });
}

/** How many ids are remembered per assigner, at least, and for how many assigners. */
const IDS = 1_000;
const ASSIGNERS = 50;
/** In characters. Longer ids are not remembered: their messages are always new. */
const MAX_ID_LENGTH = 500;

/** The ids seen so far. Bounded, so that one assigner cannot displace the ids of another. */
export class SeenIds {
  readonly #byAssigner = new BoundedMap<string, BoundedMap<string, boolean>>(ASSIGNERS);

  /** Whether the id was recorded. */
  has(by: Jid, id: string): boolean {
    return this.#byAssigner.use(by.toString())?.use(id) === true;
  }

  /** Records an id. @returns whether it is new */
  record(by: Jid, id: string): boolean {
    if (this.has(by, id)) return false;
    if (id.length > MAX_ID_LENGTH) return true;
    const ids = this.#byAssigner.get(by.toString()) ?? new BoundedMap<string, boolean>(IDS);
    ids.set(id, true);
    this.#byAssigner.set(by.toString(), ids);
    return true;
  }

  /** Removes an id, so that it is new again. */
  forget(by: Jid, id: string): void {
    if (this.has(by, id)) this.#byAssigner.get(by.toString())?.set(id, false);
  }
}

/** The events of the plugin. */
export interface StanzaIdEvents {
  /** A new message arrived that did not come from an archive. */
  arrived: { readonly by: Jid; readonly id: string };
}

/** Duplicate detection by stanza ids, shared by the plugins that receive messages. */
export const stanzaIds = definePlugin({
  name: 'stanza-ids',
  xep: 359,
  requires: [serviceDiscovery],
  setup(context) {
    const events = context.events<StanzaIdEvents>();
    const seen = new SeenIds();
    /** Whether the ids of our account's server can be trusted (§6); `undefined` until it has answered. */
    let isAccountTrusted: boolean | undefined;

    context.onBound(() => {
      isAccountTrusted = undefined;
      context.background(async () => {
        // A server that does not answer is not trusted.
        const info = await answerOr(context.get(serviceDiscovery).infoOnce(context.account), undefined);
        isAccountTrusted = info?.features.has(NS_STABLE_IDS) ?? false;
      });
    });

    /** Messages that arrive before that answer are recorded, but always count as new. */
    const isTrusted = (by: Jid): boolean => !by.equals(context.account) || isAccountTrusted === true;
    const record = (by: Jid, id: string): boolean => seen.record(by, id) || !isTrusted(by);
    const arrived = (by: Jid, id: string): boolean => {
      const isNew = record(by, id);
      if (isNew && isTrusted(by)) events.emit('arrived', { by, id });
      return isNew;
    };
    const isDuplicate = (message: Element): boolean => {
      const id = readStanzaId(message, context.account);
      return id !== undefined && !arrived(context.account, id);
    };

    // The server may deliver messages again that were already fetched from the archive, such as offline messages (XEP-0160).
    context.onMessage({ ns: NS_STABLE_IDS, name: 'stanza-id' }, senders.anyone, (_payload, message) =>
      message.type !== 'groupchat' && isDuplicate(message.element) ? handled : undefined,
    );

    return {
      events,
      /** Records a message, whichever way it came. @returns whether it is new, as far as its assigner can be trusted */
      record,
      /** Removes a message that was recorded but did not reach the application. */
      forget: (by: Jid, id: string): void => seen.forget(by, id),
      /**
       * Records a message that did not come from an archive. Needed for rooms only, with `RoomMessage.stanzaId`; messages of our account
       * are recorded by themselves.
       * @returns whether it is new
       */
      arrived,
      /** Records a message of our account, not of a room. @returns whether it was recorded before */
      isDuplicate,
    };
  },
});
