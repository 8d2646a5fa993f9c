/**
 * XEP-0153 vCard-Based Avatars, 1.1.1 (Active). https://xmpp.org/extensions/xep-0153.html
 *
 * The hash of the picture in our vCard in our presence, and those of others in theirs. What our other clients do to the picture is
 * followed (§4.3).
 */
import { BoundedMap } from '../xmpp-core/bounded-map.js';
import type { Listenable } from '../xmpp-core/events.js';
import type { Jid } from '../xmpp-core/jid/jid.js';
import { definePlugin, from, type Plugin } from '../xmpp-core/plugin.js';
import { NS_CLIENT } from '../xmpp-core/stanza/namespaces.js';
import type { Presence } from '../xmpp-core/stanza/stanzas.js';
import { el, type Element } from '../xmpp-core/xml/element.js';
import { answerOr } from './answer-or.js';
import { vcard, type VCard, type VCardPhoto } from './xep-0054-vcard-temp.js';
import { digest } from './xep-0300-cryptographic-hashes.js';

export const NS_VCARD_UPDATE = 'vcard-temp:x:update';

/** A hash; `none`: there is no picture; `not ready`: nobody knows yet, or nobody says (§4.1). */
export type AvatarHash = { readonly sha1: string } | 'none' | 'not ready';

/** Reads it; `undefined` when the presence says nothing of a picture. What is no hash counts as `not ready`. */
export function readAvatarHash(presence: Element): AvatarHash | undefined {
  const update = presence.child('x', NS_VCARD_UPDATE);
  if (update === undefined) return undefined;
  const photo = update.childText('photo')?.trim().toLowerCase();
  if (photo === '') return 'none';
  return photo !== undefined && /^[0-9a-f]{40}$/.test(photo) ? { sha1: photo } : 'not ready';
}

export function writeAvatarHash(hash: AvatarHash): Element {
  const photo = hash === 'not ready' ? undefined : el('photo', NS_VCARD_UPDATE, {}, hash === 'none' ? '' : hash.sha1);
  return el('x', NS_VCARD_UPDATE, {}, photo);
}

export interface VCardAvatars {
  readonly events: Listenable<{
    /** Somebody shows another picture, or none any more. */
    changed: { readonly entity: Jid; readonly hash: AvatarHash };
  }>;
  /** What we announce. */
  readonly own: AvatarHash;
  /** What a client, or an occupant of a room, has announced last. */
  hashOf(entity: Jid): AvatarHash | undefined;
  /**
   * The picture that somebody shows; remembered by its hash.
   * @param entity the full JID that announced it
   * @param account who is asked: the bare JID unless told (§3.2); for an occupant of a room the full one
   * @returns `undefined` when there is none, or another than was announced
   * @throws StanzaError, TimeoutError
   */
  fetch(entity: Jid, account?: Jid): Promise<VCardPhoto | undefined>;
}

/** How many hashes, and how many pictures, are kept; the oldest goes. */
const MAX_HASHES = 2048;
const MAX_PICTURES = 32;
const MAX_PICTURE_BYTES = 262_144;
/** More clients than anybody has. */
const MAX_RESOURCES = 64;

export const vcardAvatars: Plugin<VCardAvatars> = definePlugin({
  name: 'vcard-avatars',
  xep: 153,
  features: [NS_VCARD_UPDATE],
  requires: [vcard],
  setup(context): VCardAvatars {
    const cards = context.get(vcard);
    const events = context.events<{ changed: { readonly entity: Jid; readonly hash: AvatarHash } }>();

    let own: AvatarHash = 'not ready';
    /** Our clients that may change the card and would not say so: while one is there nothing is announced (§4.3). */
    const silent = new Set<string>();
    /** Counts resets, so that a card that comes late does not win over what was learned since. */
    let resets = 0;
    const announce = (hash: AvatarHash): void => {
      if (writes(own) === writes(hash)) return;
      own = hash;
      context.presenceChanged();
    };
    const announcePictureOf = async (card: VCard | undefined, reset: number): Promise<void> => {
      const hash = await hashOfPicture(card?.photo);
      if (reset === resets && silent.size === 0) announce(hash);
    };
    /** §4.4: says nothing until the server's card has been read. */
    const reset = (): void => {
      const mine = ++resets;
      announce('not ready');
      context.background(async () => {
        // A server without cards: there is nothing to announce, and it is not asked again (§4.2).
        const card = await answerOr(cards.fetch(), null);
        if (card !== null) await announcePictureOf(card, mine);
      });
    };
    context.onBound(() => {
      resets++;
      own = 'not ready';
      silent.clear();
      hashes.clear();
    });
    context.onOnline(({ resumed }) => {
      if (!resumed) reset();
    });
    cards.events.on('published', (card) => announcePictureOf(card, ++resets));
    context.outgoing((stanza) =>
      stanza.is('presence', NS_CLIENT) && stanza.attr('type') === undefined
        ? stanza.withNodes(writeAvatarHash(silent.size > 0 ? 'not ready' : own))
        : stanza,
    );

    /** §4.3: what another client of ours makes of the picture. */
    const heedOwn = (presence: Presence): void => {
      const client = presence.from.toString();
      if (presence.type !== 'available') {
        if (silent.delete(client) && silent.size === 0) reset();
        return;
      }
      const theirs = readAvatarHash(presence.element);
      if (theirs === undefined) {
        if (silent.size < MAX_RESOURCES) silent.add(client);
        announce('not ready');
      } else if (theirs !== 'not ready' && own !== 'not ready' && writes(theirs) !== writes(own)) {
        reset();
      }
    };

    const hashes = new BoundedMap<string, AvatarHash>(MAX_HASHES);
    const pictures = new BoundedMap<string, VCardPhoto>(MAX_PICTURES);
    context.onPresence('every', from.anyone, (element, presence) => {
      const { from: entity, type } = presence;
      if (entity.equals(context.jid())) return;
      if (entity.bare.equals(context.account)) heedOwn(presence);
      const key = entity.toString();
      if (type === 'unavailable' || type === 'error') hashes.delete(key);
      const hash = type === 'available' ? readAvatarHash(element) : undefined;
      if (hash === undefined) return;
      const before = hashes.get(key);
      hashes.set(key, hash);
      if (hash !== 'not ready' && (before === undefined || writes(before) !== writes(hash)))
        events.emit('changed', { entity, hash });
    });

    return {
      events,
      get own() {
        return silent.size > 0 ? 'not ready' : own;
      },
      hashOf: (entity) => hashes.get(entity.toString()),
      async fetch(entity, account = entity.bare) {
        const hash = hashes.get(entity.toString());
        if (hash === undefined || typeof hash === 'string') return undefined;
        const known = pictures.get(hash.sha1);
        if (known !== undefined) return known;
        const photo = (await cards.fetch(account))?.photo;
        if (photo === undefined || writes(await hashOfPicture(photo)) !== writes(hash)) return undefined;
        if (photo.bytes.length <= MAX_PICTURE_BYTES) pictures.set(hash.sha1, photo);
        return photo;
      },
    };
  },
});

async function hashOfPicture(photo: VCardPhoto | undefined): Promise<AvatarHash> {
  const sha1 = photo === undefined ? undefined : await digest('sha-1', photo.bytes);
  return sha1 === undefined ? 'none' : { sha1: Buffer.from(sha1).toString('hex') };
}

function writes(hash: AvatarHash): string {
  return typeof hash === 'string' ? hash : hash.sha1;
}
