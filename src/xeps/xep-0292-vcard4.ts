/**
 * XEP-0292 vCard4 Over XMPP, 0.12.0 (Experimental). https://xmpp.org/extensions/xep-0292.html
 *
 * The vCard of an account, in a public node of its own (XEP-0163, XEP-0222). The usual properties are read and written as plain values; all
 * others are kept unchanged.
 *
 * Left out: private vCards of contacts (§4), and parameters of properties when writing.
 */
import type { Jid } from '../xmpp-core/jid/jid.js';
import { definePlugin } from '../xmpp-core/plugin.js';
import { el, Element } from '../xmpp-core/xml/element.js';
import type { NodeOptions, PubsubItem } from './xep-0060-pubsub/index.js';
import { pepUpdates, personalEventing } from './xep-0163-personal-eventing.js';

/** The name of the node. */
export const NS_VCARD4_NODE = 'urn:xmpp:vcard4';
/** The namespace of the payload (RFC 6351). */
export const NS_VCARD4 = 'urn:ietf:params:xml:ns:vcard-4.0';

/** The usual properties of a vCard. A property may occur several times; this has the first, except for `nicknames`. */
export interface VCard4 {
  /** `fn`: the full name, as displayed. */
  readonly fullName?: string;
  readonly nicknames?: readonly string[];
  /** A web or `data:` URI. Never fetched here; do not fetch it unchecked, since a stranger chose it. */
  readonly photo?: string;
  readonly url?: string;
  readonly email?: string;
  readonly note?: string;
  /** The kind of entity: `individual`, or `application` for a bot (§5). */
  readonly kind?: string;
}

/** The element of each value, and its type (RFC 6351 §5). */
const PROPERTIES = [
  ['fullName', 'fn', 'text'],
  ['photo', 'photo', 'uri'],
  ['url', 'url', 'uri'],
  ['email', 'email', 'text'],
  ['note', 'note', 'text'],
  ['kind', 'kind', 'text'],
] as const;

/** Reads a `<vcard/>`; `undefined` for any other element. */
export function readVCard4(vcard: Element): VCard4 | undefined {
  if (!vcard.is('vcard', NS_VCARD4)) return undefined;
  const values = PROPERTIES.flatMap(([key, property, type]) => {
    const value = valueOf(vcard.child(property), type);
    return value === undefined ? [] : [[key, value] as const];
  });
  const nicknames = vcard.children('nickname').flatMap((one) => valueOf(one, 'text') ?? []);
  return { ...Object.fromEntries(values), ...(nicknames.length === 0 ? {} : { nicknames }) };
}

/** Writes a vCard. @param former the vCard to change: properties that `vcard` leaves out are kept; an empty text removes a property */
export function writeVCard4(vcard: VCard4, former: Element = el('vcard', NS_VCARD4)): Element {
  let properties = former.children();
  for (const [key, property, type] of PROPERTIES) {
    const value = vcard[key];
    if (value !== undefined) properties = replaced(properties, property, value === '' ? [] : [value], type);
  }
  if (vcard.nicknames !== undefined) properties = replaced(properties, 'nickname', vcard.nicknames, 'text');
  return new Element('vcard', NS_VCARD4, former.attributes, properties);
}

/** XEP-0222: everybody can read it at any time. */
const PUBLIC: NodeOptions = { 'pubsub#persist_items': true, 'pubsub#access_model': 'open' };

const NONE: Partial<PubsubItem> = {};

/** vCards in version 4: `client.get(vcard4)` reads them and changes ours. */
export const vcard4 = definePlugin({
  name: 'vcard4',
  xep: 292,
  requires: [personalEventing],
  setup(context) {
    const pep = context.get(personalEventing);
    return {
      /** Reads the vCard of an account; `undefined` if it has none or hides it from us. @throws StanzaError, TimeoutError */
      async read(account: Jid | string): Promise<VCard4 | undefined> {
        const [item] = await pep.read(account, NS_VCARD4_NODE);
        return item?.payload === undefined ? undefined : readVCard4(item.payload);
      },
      /**
       * Changes our vCard, which everybody can read: properties left out are kept, an empty text removes one.
       * @throws StanzaError, TimeoutError
       */
      async update(changes: VCard4): Promise<void> {
        const [{ id = 'current', payload } = NONE] = await pep.read(context.account, NS_VCARD4_NODE);
        const former = payload?.is('vcard', NS_VCARD4) === true ? payload : undefined;
        await pep.own.publish(NS_VCARD4_NODE, writeVCard4(changes, former), { id, options: PUBLIC });
      },
    };
  },
});

/** Reports changes of the vCards of contacts; if `value` is `undefined`, read the vCard (§3.2.2). */
export const vcard4Updates = pepUpdates({ name: 'vcard4-updates', xep: 292, node: NS_VCARD4_NODE, read: readVCard4 });

function valueOf(property: Element | undefined, type: string): string | undefined {
  const value = property?.childText(type)?.trim();
  return value === '' ? undefined : value;
}

/** Replaces the properties of one name, at the position of the first, or at the end. */
function replaced(properties: readonly Element[], name: string, values: readonly string[], type: string): Element[] {
  const written = values.map((value) => el(name, NS_VCARD4, {}, el(type, NS_VCARD4, {}, value)));
  const at = properties.findIndex((one) => one.is(name, NS_VCARD4));
  const others = properties.filter((one) => !one.is(name, NS_VCARD4));
  return others.toSpliced(at === -1 ? others.length : at, 0, ...written);
}
