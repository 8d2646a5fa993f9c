/**
 * XEP-0359 Unique and Stable Stanza IDs, 0.7.0 (Experimental). https://xmpp.org/extensions/xep-0359.html
 *
 * The ids under which an account's server and rooms know a message, and the one memory of those that were seen: the same message may
 * come live, as a carbon, from an archive and as history of a room, and is new only once.
 *
 * Left out: `<referenced-stanza/>` (§4), which nobody sends; extensions that refer to a message use their own elements.
 */
import type { Jid } from '../xmpp-core/jid/jid.js';
import { BoundedMap } from '../xmpp-core/bounded-map.js';
import { definePlugin, from, handled } from '../xmpp-core/plugin.js';
import { el, type Element } from '../xmpp-core/xml/element.js';
import { answerOr } from './answer-or.js';
import { serviceDiscovery } from './xep-0030-service-discovery.js';

export const NS_STABLE_IDS = 'urn:xmpp:sid:0';

/**
 * The id that `by` assigned; ids that name somebody else as assigner do not count. Whether `by` can be believed (§6) is for the caller to
 * say: it names only an entity that announces `NS_STABLE_IDS`. Of two in its name one is a forgery that it should have taken out (§5), and
 * nothing tells which: Prosody 0.12 and 13 let such a message through, and put their own id behind the sender's.
 */
export function readStanzaId(stanza: Element, by: Jid): string | undefined {
  const [first, ...others] = stanza
    .children('stanza-id', NS_STABLE_IDS)
    .filter((one) => one.attr('by') === by.toString());
  return others.length === 0 ? first?.attr('id') : undefined;
}

export function writeStanzaId(id: string, by: Jid): Element {
  return el('stanza-id', NS_STABLE_IDS, { id, by: by.toString() });
}

/** The id that the sending client says it gave the message. It is the sender's word and nobody else's. */
export function readOriginId(stanza: Element): string | undefined {
  return stanza.child('origin-id', NS_STABLE_IDS)?.attr('id');
}

export function writeOriginId(id: string): Element {
  return el('origin-id', NS_STABLE_IDS, { id });
}

/** How many ids of one assigner are remembered, and for how many assigners. */
const IDS = 1_000;
const ASSIGNERS = 50;
/** In characters. A longer id is none that can be remembered: what carries it is always new. */
const MAX_ID_LENGTH = 500;

/** Which ids were seen: a bounded memory, in which no assigner can push out the ids of another. */
export class SeenIds {
  readonly #byAssigner = new BoundedMap<string, BoundedMap<string, boolean>>(ASSIGNERS);

  has(by: Jid, id: string): boolean {
    return this.#byAssigner.use(by.toString())?.use(id) === true;
  }

  /** @returns whether it was new */
  note(by: Jid, id: string): boolean {
    if (this.has(by, id)) return false;
    if (id.length > MAX_ID_LENGTH) return true;
    const ids = this.#byAssigner.get(by.toString()) ?? new BoundedMap<string, boolean>(IDS);
    ids.set(id, true);
    this.#byAssigner.set(by.toString(), ids);
    return true;
  }

  forget(by: Jid, id: string): void {
    if (this.has(by, id)) this.#byAssigner.get(by.toString())?.set(id, false);
  }
}

export interface StanzaIdEvents {
  /** A message that was not seen before came from outside of an archive. */
  arrived: { readonly by: Jid; readonly id: string };
}

export const stanzaIds = definePlugin({
  name: 'stanza-ids',
  xep: 359,
  requires: [serviceDiscovery],
  setup(context) {
    const events = context.events<StanzaIdEvents>();
    const seen = new SeenIds();
    /** Whether ids of our account's server can be believed (§6); `undefined` until it has said so. */
    let isAccountTrusted: boolean | undefined;

    context.onBound(() => {
      isAccountTrusted = undefined;
      context.background(async () => {
        // A server that says nothing of itself is not believed.
        const info = await answerOr(context.get(serviceDiscovery).infoOnce(context.account), undefined);
        isAccountTrusted = info?.features.has(NS_STABLE_IDS) ?? false;
      });
    });

    /** What comes before the server has said it is noted as well, but decides nothing yet. */
    const isTrusted = (by: Jid): boolean => !by.equals(context.account) || isAccountTrusted === true;
    const note = (by: Jid, id: string): boolean => seen.note(by, id) || !isTrusted(by);
    const arrived = (by: Jid, id: string): boolean => {
      const isNew = note(by, id);
      if (isNew && isTrusted(by)) events.emit('arrived', { by, id });
      return isNew;
    };
    const isRepeated = (message: Element): boolean => {
      const id = readStanzaId(message, context.account);
      return id !== undefined && !arrived(context.account, id);
    };

    // The server may bring again what was fetched from the archive already, such as what it kept while we were offline (XEP-0160).
    context.onMessage({ ns: NS_STABLE_IDS, name: 'stanza-id' }, from.anyone, (_payload, message) =>
      message.type !== 'groupchat' && isRepeated(message.element) ? handled : undefined,
    );

    return {
      events,
      /** Notes a message, whatever way it came. @returns whether it is new, as far as its assigner can be believed */
      note,
      /** A message that was noted did not get to whom it was for. */
      forget: (by: Jid, id: string): void => seen.forget(by, id),
      /**
       * Notes a message that came from outside of an archive; for those of a room, with the id that the room gave them
       * (`RoomMessage.stanzaId`). Those of our account note themselves.
       * @returns whether it is new
       */
      arrived,
      /** Notes a message of our account, which is not one of a room. @returns whether it came before */
      isRepeated,
    };
  },
});
