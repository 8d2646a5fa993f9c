/**
 * XEP-0486 MUC Avatars, 0.1.0 (Experimental). https://xmpp.org/extensions/xep-0486.html
 *
 * The avatar of a room. It is part of the room's vCard (XEP-0054), and the room announces its hash, which shows when it changed and whether
 * a picture is the right one. The presence of the room's bare JID is also used (§3.7): services send it after a change.
 *
 * Left out: several pictures in one vCard (§3.6); only the first is used.
 */
import type { Listenable } from '../xmpp-core/events.js';
import { Jid } from '../xmpp-core/jid/jid.js';
import { definePlugin, type Plugin } from '../xmpp-core/plugin.js';
import { el } from '../xmpp-core/xml/element.js';
import { fieldValues } from './xep-0004-data-forms.js';
import { attempted, muc, type Room, type RoomInformation } from './xep-0045-muc/index.js';
import { changeVCard, NS_VCARD, vcard, type VCardPhoto } from './xep-0054-vcard-temp.js';
import { NS_VCARD_UPDATE, readAvatarHash } from './xep-0153-vcard-avatars.js';
import { digest } from './xep-0300-cryptographic-hashes.js';

/** Reads the SHA-1 hashes of a room's pictures from its information (§3.3); an empty list if it has no picture. */
export function readRoomAvatarHashes({ form }: Pick<RoomInformation, 'form'>): string[] {
  const hashes = fieldValues(form, 'muc#roominfo_avatarhash').map((hash) => hash.trim().toLowerCase());
  return hashes.filter((hash) => /^[0-9a-f]{40}$/.test(hash));
}

/** The handle of the plugin. */
export interface MucAvatars {
  readonly events: Listenable<{
    /** A room that we are in may have another picture now, or none. */
    changed: { readonly room: Room };
  }>;
  /** The hashes that a room announces; an empty list if it has no picture. @throws StanzaError, TimeoutError */
  hashes(room: Jid | string): Promise<readonly string[]>;
  /**
   * Fetches the picture of a room; we need not be in it.
   * @returns `undefined` if there is none, or if its hash is not one that the room announces
   * @throws StanzaError, TimeoutError
   */
  fetch(room: Jid | string): Promise<VCardPhoto | undefined>;
  /**
   * Sets the picture of a room that we own, or removes it.
   * @throws RoomError if the room refuses or supports no pictures; XmppError if the bytes are no picture; TimeoutError
   */
  publish(room: Jid | string, picture: Uint8Array | undefined): Promise<void>;
}

/** Avatars of rooms: `client.get(mucAvatars)` fetches and sets them, and reports changes. */
export const mucAvatars: Plugin<MucAvatars> = definePlugin({
  name: 'muc-avatars',
  xep: 486,
  requires: [muc, vcard],
  setup(context): MucAvatars {
    const rooms = context.get(muc);
    const cards = context.get(vcard);
    const events = context.events<{ changed: { readonly room: Room } }>();
    const hashes = async (room: Jid | string): Promise<string[]> => readRoomAvatarHashes(await rooms.information(room));

    // §3.2: another picture is a change of the settings, and the room does not say of which.
    rooms.events.on('configured', ({ room, changes }) => {
      if (changes.includes('settings')) events.emit('changed', { room });
    });
    context.onPresence({ ns: NS_VCARD_UPDATE, name: 'x' }, rooms.fromRoom, (_payload, { from, element }) => {
      const room = rooms.rooms.get(from.toString());
      const hash = readAvatarHash(element);
      if (room?.joined === true && hash !== undefined && hash !== 'not ready') events.emit('changed', { room });
    });

    return {
      events,
      hashes,
      async fetch(room) {
        const announced = await hashes(room);
        if (announced.length === 0) return undefined;
        const photo = (await cards.fetch(Jid.from(room).bare))?.photo;
        if (photo === undefined) return undefined;
        const hash = await digest('sha-1', photo.bytes);
        return hash !== undefined && announced.includes(Buffer.from(hash).toString('hex')) ? photo : undefined;
      },
      async publish(address, picture) {
        const room = Jid.from(address).bare;
        const payload = changeVCard(el('vCard', NS_VCARD), { photo: picture ?? null });
        await attempted(room, 'picture', context.iq({ to: room, type: 'set', payload }));
      },
    };
  },
});
