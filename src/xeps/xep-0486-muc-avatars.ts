/**
 * XEP-0486 MUC Avatars, 0.1.0 (Experimental). https://xmpp.org/extensions/xep-0486.html
 *
 * The picture of a room: asked for and set as its vCard (XEP-0054), and announced by its hash, so that it is fetched when it changed and
 * believed when it fits. Beside what the XEP says, the presence of the room's own address is heeded (§3.7), by which services tell of a change.
 *
 * Left out: several pictures in one vCard (§3.6); only the first is used.
 */
import type { Listenable } from '../xmpp-core/events.js';
import type { Jid } from '../xmpp-core/jid/jid.js';
import { definePlugin, type Plugin } from '../xmpp-core/plugin.js';
import { el } from '../xmpp-core/xml/element.js';
import { fieldValues } from './xep-0004-data-forms.js';
import { attempted, muc, type Room, type RoomInformation } from './xep-0045-muc/index.js';
import { changeVCard, NS_VCARD, vcard, type VCardPhoto } from './xep-0054-vcard-temp.js';
import { NS_VCARD_UPDATE, readAvatarHash } from './xep-0153-vcard-avatars.js';
import { digest } from './xep-0300-cryptographic-hashes.js';

/** The SHA-1 of the room's pictures, as it tells them to whoever asks what it is (§3.3). None when it has none. */
export function readRoomAvatarHashes({ form }: Pick<RoomInformation, 'form'>): string[] {
  const hashes = fieldValues(form, 'muc#roominfo_avatarhash').map((hash) => hash.trim().toLowerCase());
  return hashes.filter((hash) => /^[0-9a-f]{40}$/.test(hash));
}

export interface MucAvatars {
  readonly events: Listenable<{
    /** A room we are in may have another picture now, or none: `fetch` tells. */
    changed: { readonly room: Room };
  }>;
  /** What a room announces; none when it has no picture. @throws StanzaError, TimeoutError */
  hashes(room: Jid): Promise<readonly string[]>;
  /**
   * The picture of a room, in it or not.
   * @returns `undefined` when there is none, or another than the room announces
   * @throws StanzaError, TimeoutError
   */
  fetch(room: Jid): Promise<VCardPhoto | undefined>;
  /**
   * Gives a room of ours a picture, or takes it away.
   * @throws RoomError when the room does not let us, or has no pictures; XmppError when this is no picture; TimeoutError
   */
  publish(room: Jid, picture: Uint8Array | undefined): Promise<void>;
}

export const mucAvatars: Plugin<MucAvatars> = definePlugin({
  name: 'muc-avatars',
  xep: 486,
  requires: [muc, vcard],
  setup(context): MucAvatars {
    const rooms = context.get(muc);
    const cards = context.get(vcard);
    const events = context.events<{ changed: { readonly room: Room } }>();
    const hashes = async (room: Jid): Promise<string[]> => readRoomAvatarHashes(await rooms.information(room));

    // §3.2: a change of the picture is a change of the settings; which one, is not said.
    rooms.events.on('configured', ({ room, changes }) => {
      if (changes.includes('settings')) events.emit('changed', { room });
    });
    context.onPresence({ ns: NS_VCARD_UPDATE, name: 'x' }, rooms.fromRoom, (_payload, { from, element }) => {
      const room = rooms.rooms.get(from.toString());
      const says = readAvatarHash(element);
      if (room?.joined === true && says !== undefined && says !== 'not ready') events.emit('changed', { room });
    });

    return {
      events,
      hashes,
      async fetch(room) {
        const announced = await hashes(room);
        if (announced.length === 0) return undefined;
        const photo = (await cards.fetch(room.bare))?.photo;
        if (photo === undefined) return undefined;
        const hash = await digest('sha-1', photo.bytes);
        return hash !== undefined && announced.includes(Buffer.from(hash).toString('hex')) ? photo : undefined;
      },
      async publish(room, picture) {
        const payload = changeVCard(el('vCard', NS_VCARD), { photo: picture ?? null });
        await attempted(room.bare, 'picture', context.iq({ to: room.bare, type: 'set', payload }));
      },
    };
  },
});
