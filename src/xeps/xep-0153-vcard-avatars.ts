/**
 * XEP-0153 vCard-Based Avatars, 1.1.1 (Active). https://xmpp.org/extensions/xep-0153.html
 *
 * Announces the hash of our vCard's picture in our presence, and reads those of others. Follows changes that our other clients make to the
 * picture (§4.3).
 */
import { BoundedMap } from '../xmpp-core/bounded-map.js';
import type { Listenable } from '../xmpp-core/events.js';
import { Jid } from '../xmpp-core/jid/jid.js';
import { definePlugin, senders, type Plugin } from '../xmpp-core/plugin.js';
import { NS_CLIENT } from '../xmpp-core/stanza/namespaces.js';
import type { Presence } from '../xmpp-core/stanza/stanzas.js';
import { el, type Element } from '../xmpp-core/xml/element.js';
import { answerOr } from './answer-or.js';
import { vcard, type VCard, type VCardPhoto } from './xep-0054-vcard-temp.js';
import { digest } from './xep-0300-cryptographic-hashes.js';

/** The namespace of the hash in a presence. */
export const NS_VCARD_UPDATE = 'vcard-temp:x:update';

/** A hash; `none` if there is no picture; `not ready` if the sender does not know or does not say (§4.1). */
export type AvatarHash = { readonly sha1: string } | 'none' | 'not ready';

/** Reads the hash in a presence; `undefined` if it has no such element. Anything that is not a hash counts as `not ready`. */
export function readAvatarHash(presence: Element): AvatarHash | undefined {
  const update = presence.child('x', NS_VCARD_UPDATE);
  if (update === undefined) return undefined;
  const photo = update.childText('photo')?.trim().toLowerCase();
  if (photo === '') return 'none';
  return photo !== undefined && /^[0-9a-f]{40}$/.test(photo) ? { sha1: photo } : 'not ready';
}

/** Writes the element for a presence. */
export function writeAvatarHash(hash: AvatarHash): Element {
  const photo = hash === 'not ready' ? undefined : el('photo', NS_VCARD_UPDATE, {}, hash === 'none' ? '' : hash.sha1);
  return el('x', NS_VCARD_UPDATE, {}, photo);
}

/** The handle of the plugin. */
export interface VCardAvatars {
  readonly events: Listenable<{
    /** A contact or occupant has another picture now, or none. */
    changed: { readonly entity: Jid; readonly hash: AvatarHash };
  }>;
  /** The hash that we announce. */
  readonly own: AvatarHash;
  /** The last hash that a client, or an occupant of a room, announced. */
  hashOf(entity: Jid | string): AvatarHash | undefined;
  /**
   * Fetches the picture that an entity announced; cached by its hash.
   * @param entity the full JID that announced it
   * @param account whose vCard to fetch: the bare JID by default (§3.2); for an occupant of a room the full JID
   * @returns `undefined` if there is no picture, or if it does not have the announced hash
   * @throws StanzaError, TimeoutError
   */
  fetch(entity: Jid | string, account?: Jid | string): Promise<VCardPhoto | undefined>;
}

/** The numbers of cached hashes and pictures; the oldest is dropped. */
const MAX_HASHES = 2048;
const MAX_PICTURES = 32;
const MAX_PICTURE_BYTES = 262_144;
/** More clients than one account has in practice. */
const MAX_RESOURCES = 64;

/** Avatars in vCards: `client.get(vcardAvatars)` fetches pictures and reports changes. */
export const vcardAvatars: Plugin<VCardAvatars> = definePlugin({
  name: 'vcard-avatars',
  xep: 153,
  features: [NS_VCARD_UPDATE],
  requires: [vcard],
  setup(context): VCardAvatars {
    const cards = context.get(vcard);
    const events = context.events<{ changed: { readonly entity: Jid; readonly hash: AvatarHash } }>();

    let own: AvatarHash = 'not ready';
    /** Our clients that do not announce hashes and so may change the card unnoticed: while one is online we announce nothing (§4.3). */
    const silent = new Set<string>();
    /** Counts resets, so that a late answer does not replace newer information. */
    let resets = 0;
    const announce = (hash: AvatarHash): void => {
      if (textOf(own) === textOf(hash)) return;
      own = hash;
      context.presenceChanged();
    };
    const announcePictureOf = async (card: VCard | undefined, reset: number): Promise<void> => {
      const hash = await hashOfPicture(card?.photo);
      if (reset === resets && silent.size === 0) announce(hash);
    };
    /** §4.4: announces nothing until the card has been read from the server. */
    const reset = (): void => {
      const generation = ++resets;
      announce('not ready');
      context.background(async () => {
        // A server without vCards: there is nothing to announce, and it is not asked again (§4.2).
        const card = await answerOr(cards.fetch(), null);
        if (card !== null) await announcePictureOf(card, generation);
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

    /** §4.3: follows what another client of ours announces. */
    const handleOwnPresence = (presence: Presence): void => {
      const client = presence.from.toString();
      if (presence.type !== 'available') {
        if (silent.delete(client) && silent.size === 0) reset();
        return;
      }
      const theirs = readAvatarHash(presence.element);
      if (theirs === undefined) {
        if (silent.size < MAX_RESOURCES) silent.add(client);
        announce('not ready');
      } else if (theirs !== 'not ready' && own !== 'not ready' && textOf(theirs) !== textOf(own)) {
        reset();
      }
    };

    const hashes = new BoundedMap<string, AvatarHash>(MAX_HASHES);
    const pictures = new BoundedMap<string, VCardPhoto>(MAX_PICTURES);
    context.onPresence('every', senders.anyone, (element, presence) => {
      const { from: entity, type } = presence;
      if (entity.equals(context.jid())) return;
      if (entity.bare.equals(context.account)) handleOwnPresence(presence);
      const key = entity.toString();
      if (type === 'unavailable' || type === 'error') hashes.delete(key);
      const hash = type === 'available' ? readAvatarHash(element) : undefined;
      if (hash === undefined) return;
      const before = hashes.get(key);
      hashes.set(key, hash);
      if (hash !== 'not ready' && (before === undefined || textOf(before) !== textOf(hash)))
        events.emit('changed', { entity, hash });
    });

    return {
      events,
      get own() {
        return silent.size > 0 ? 'not ready' : own;
      },
      hashOf: (entity) => hashes.get(Jid.from(entity).toString()),
      async fetch(address, account) {
        const entity = Jid.from(address);
        const hash = hashes.get(entity.toString());
        if (hash === undefined || typeof hash === 'string') return undefined;
        const known = pictures.get(hash.sha1);
        if (known !== undefined) return known;
        const photo = (await cards.fetch(account ?? entity.bare))?.photo;
        if (photo === undefined || textOf(await hashOfPicture(photo)) !== textOf(hash)) return undefined;
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

function textOf(hash: AvatarHash): string {
  return typeof hash === 'string' ? hash : hash.sha1;
}
