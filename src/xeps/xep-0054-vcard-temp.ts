/**
 * XEP-0054 vcard-temp, 1.3.0 (Active). https://xmpp.org/extensions/xep-0054.html
 *
 * The name and picture of an account, stored by its server. To change ours, the whole card is read, changed and written back (§3.2), so
 * that data of other clients is kept.
 *
 * Left out: parsing the other fields (addresses, telephone numbers …); they are available unparsed in `element`.
 */
import { StanzaError, XmppError } from '../xmpp-core/errors.js';
import type { Listenable } from '../xmpp-core/events.js';
import type { Jid } from '../xmpp-core/jid/jid.js';
import { definePlugin, type Plugin } from '../xmpp-core/plugin.js';
import { el, type Element } from '../xmpp-core/xml/element.js';

/** The namespace of vCards. */
export const NS_VCARD = 'vcard-temp';

/** A picture in a vCard. */
export interface VCardPhoto {
  /** The type according to its first bytes, whatever the card claims (XEP-0153 §5); `undefined` if unknown. */
  readonly mediaType: string | undefined;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** A vCard; `element` has all of it. */
export interface VCard {
  readonly fullName?: string;
  readonly nickname?: string;
  readonly description?: string;
  readonly url?: string;
  readonly photo?: VCardPhoto;
  readonly element: Element;
}

/** The changes to make: `undefined` keeps a value, `null` removes it. */
export interface VCardChanges {
  readonly fullName?: string | null;
  readonly nickname?: string | null;
  readonly description?: string | null;
  readonly url?: string | null;
  /** The bytes of a PNG, JPEG, GIF or WebP. */
  readonly photo?: Uint8Array | null;
}

/** The elements of the texts. */
const TEXTS = { fullName: 'FN', nickname: 'NICKNAME', description: 'DESC', url: 'URL' } as const;
type TextName = keyof typeof TEXTS;

/** Servers limit the size of stanzas, and base64 adds a third; XEP-0153 §4.6 recommends less than 8 kB. */
const MAX_PHOTO_BYTES = 65_536;

/** The beginning of a `data:` URI in base64 (RFC 2397 §3), whose media type is not believed anyway. */
const DATA_URI = /^data:[^,]{0,100};base64,/i;

/** Reads a vCard; empty texts count as absent. */
export function readVCard(vCard: Element): VCard {
  const texts = (Object.keys(TEXTS) as TextName[]).flatMap((name) => {
    const text = vCard.childText(TEXTS[name])?.trim() ?? '';
    return text === '' ? [] : [[name, text] as const];
  });
  const photo = readPhoto(vCard);
  return { ...Object.fromEntries(texts), ...(photo === undefined ? {} : { photo }), element: vCard };
}

function readPhoto(vCard: Element): VCardPhoto | undefined {
  // Some clients write what belongs to EXTVAL: a URI that holds the picture.
  const base64 = (vCard.child('PHOTO')?.childText('BINVAL') ?? '').replaceAll(/\s+/g, '').replace(DATA_URI, '');
  if (base64 === '' || !/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) return undefined;
  const bytes = new Uint8Array(Buffer.from(base64, 'base64'));
  return { mediaType: pictureType(bytes), bytes };
}

/** Applies changes to a vCard. @throws XmppError if the picture is of an unknown type or too large */
export function changeVCard(vCard: Element, changes: VCardChanges): Element {
  const changed: Element[] = [];
  const removed = new Set<string>();
  for (const name of Object.keys(TEXTS) as TextName[]) {
    const text = changes[name];
    if (text === undefined) continue;
    removed.add(TEXTS[name]);
    if (text !== null) changed.push(el(TEXTS[name], NS_VCARD, {}, text));
  }
  if (changes.photo !== undefined) {
    removed.add('PHOTO');
    if (changes.photo !== null) changed.push(writePhoto(changes.photo));
  }
  const kept = vCard.children().filter(({ ns, name }) => ns !== NS_VCARD || !removed.has(name));
  return el('vCard', NS_VCARD, {}, ...kept, ...changed);
}

function writePhoto(bytes: Uint8Array): Element {
  const type = pictureType(bytes);
  if (type === undefined) throw new XmppError('the picture is not a PNG, JPEG, GIF or WebP image');
  if (bytes.length > MAX_PHOTO_BYTES) {
    throw new XmppError(
      `the picture has ${bytes.length} bytes, and the maximum is ${MAX_PHOTO_BYTES}: make it smaller, such as 96 pixels wide`,
    );
  }
  const base64 = Buffer.from(bytes).toString('base64');
  return el('PHOTO', NS_VCARD, {}, el('TYPE', NS_VCARD, {}, type), el('BINVAL', NS_VCARD, {}, base64));
}

/** The media type of a picture, according to its first bytes; `undefined` if unknown. */
export function pictureType(bytes: Uint8Array): string | undefined {
  const text = String.fromCharCode(...bytes.subarray(0, 12));
  if (text.startsWith('\u0089PNG\r\n\u001A\n')) return 'image/png';
  if (text.startsWith('\u00FF\u00D8\u00FF')) return 'image/jpeg';
  if (text.startsWith('GIF87a') || text.startsWith('GIF89a')) return 'image/gif';
  return text.startsWith('RIFF') && text.slice(8) === 'WEBP' ? 'image/webp' : undefined;
}

/** The handle of the plugin. */
export interface VCards {
  /** `published`: this client changed our vCard. */
  readonly events: Listenable<{ published: VCard }>;
  /**
   * Fetches a vCard.
   * @param of a bare JID, or the full JID of an occupant; our own account by default
   * @returns `undefined` if there is none
   * @throws StanzaError, TimeoutError
   */
  fetch(of?: Jid | string): Promise<VCard | undefined>;
  /**
   * Changes our vCard; sends nothing if it is unchanged (XEP-0153 §4.2).
   * @throws XmppError if the picture is of an unknown type or too large; StanzaError, TimeoutError
   */
  publish(changes: VCardChanges): Promise<void>;
}

/** vCards: `client.get(vcard)` fetches them and changes ours. */
export const vcard: Plugin<VCards> = definePlugin({
  name: 'vcard',
  xep: 54,
  features: [NS_VCARD],
  setup(context): VCards {
    const events = context.events<{ published: VCard }>();
    const fetch: VCards['fetch'] = async (of) => {
      const request = { type: 'get', payload: el('vCard', NS_VCARD) } as const;
      try {
        const card = await context.iq(of === undefined ? request : { ...request, to: of });
        return card?.is('vCard', NS_VCARD) === true ? readVCard(card) : undefined;
      } catch (error) {
        // §3.1: a server may answer so if there is no vCard.
        if (error instanceof StanzaError && error.condition === 'item-not-found') return undefined;
        throw error;
      }
    };
    return {
      events,
      fetch,
      async publish(changes) {
        const before = (await fetch()) ?? readVCard(el('vCard', NS_VCARD));
        const after = readVCard(changeVCard(before.element, changes));
        if (!isSame(before, after)) await context.iq({ type: 'set', payload: after.element });
        events.emit('published', after);
      },
    };
  },
});

function isSame(a: VCard, b: VCard): boolean {
  const texts = (Object.keys(TEXTS) as TextName[]).every((name) => a[name] === b[name]);
  const [one = new Uint8Array(), other = new Uint8Array()] = [a.photo?.bytes, b.photo?.bytes];
  return texts && Buffer.compare(one, other) === 0;
}
