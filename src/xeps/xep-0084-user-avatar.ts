/**
 * XEP-0084 User Avatar, 1.1.4 (Stable). https://xmpp.org/extensions/xep-0084.html
 *
 * Avatars of accounts: the image is in one node, its metadata in another, linked by the SHA-1 of the image. We publish PNG, and accept only
 * images that have the announced hash.
 *
 * Left out: images at a URL (contacts could make us fetch anything), and pointers to other services.
 */
import { sha1 } from '@noble/hashes/legacy.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { XmppError } from '../xmpp-core/errors.js';
import { Jid } from '../xmpp-core/jid/jid.js';
import { definePlugin } from '../xmpp-core/plugin.js';
import { decodeBase64, encodeBase64 } from '../xmpp-core/sasl/base64.js';
import { el, type Element } from '../xmpp-core/xml/element.js';
import type { AccessModel, NodeOptions } from './xep-0060-pubsub/index.js';
import { pepUpdates, personalEventing } from './xep-0163-personal-eventing.js';

/** The namespace of images, and the name of their node. */
export const NS_AVATAR_DATA = 'urn:xmpp:avatar:data';
/** The namespace of metadata, and the name of their node. */
export const NS_AVATAR_METADATA = 'urn:xmpp:avatar:metadata';

/** Larger images are neither published nor read: servers refuse stanzas of about 256 KiB, and base64 adds a third. */
export const MAX_AVATAR_BYTES = 131_072;

/** One format of an avatar (§4.2.1). The values are claims of the publisher until the image has been read. */
export interface AvatarInfo {
  /** The SHA-1 of the image, in lower-case hexadecimal. */
  readonly id: string;
  /** Its media type. */
  readonly type: string;
  /** Its size in bytes. */
  readonly bytes: number;
  readonly width?: number;
  readonly height?: number;
  /** Where to download it, if it is not in the data node. */
  readonly url?: string;
}

/** An image that was read, with the announced hash. */
export interface Avatar {
  readonly id: string;
  readonly type: string;
  readonly image: Uint8Array;
  readonly width?: number;
  readonly height?: number;
}

/** Reads the formats of an avatar; an empty list if the account shows none (§3.5). Formats with invalid values are left out. */
export function readAvatarMetadata(metadata: Element): readonly AvatarInfo[] | undefined {
  if (!metadata.is('metadata', NS_AVATAR_METADATA)) return undefined;
  return metadata.children('info').flatMap((info) => {
    const id = info.attr('id')?.toLowerCase() ?? '';
    const bytes = readNumber(info.attr('bytes'));
    const type = info.attr('type') ?? '';
    const width = readNumber(info.attr('width'));
    const height = readNumber(info.attr('height'));
    const url = info.attr('url');
    if (!/^[0-9a-f]{40}$/.test(id) || bytes === undefined || type === '') return [];
    return [
      {
        id,
        type,
        bytes,
        ...(width === undefined ? {} : { width }),
        ...(height === undefined ? {} : { height }),
        ...(url === undefined ? {} : { url }),
      },
    ];
  });
}

/** Writes the formats of an avatar. */
export function writeAvatarMetadata(infos: readonly AvatarInfo[]): Element {
  return el('metadata', NS_AVATAR_METADATA, {}, ...infos.map((info) => el('info', NS_AVATAR_METADATA, { ...info })));
}

/** Reads an image; `undefined` if it is invalid or too large. Line breaks in it are allowed (§4.1). */
export function readAvatarData(data: Element): Uint8Array | undefined {
  if (!data.is('data', NS_AVATAR_DATA)) return undefined;
  const bytes = decodeBase64(data.text.replaceAll(/\s+/g, ''));
  return bytes === undefined || bytes.length > MAX_AVATAR_BYTES ? undefined : bytes;
}

/** Writes an image. */
export function writeAvatarData(image: Uint8Array): Element {
  return el('data', NS_AVATAR_DATA, {}, encodeBase64(image));
}

/** Avatars of accounts: `client.get(userAvatar)` publishes ours and reads those of others. */
export const userAvatar = definePlugin({
  name: 'user-avatar',
  xep: 84,
  requires: [personalEventing],
  setup(context) {
    const pep = context.get(personalEventing);

    const readMetadata = async (account: Jid | string): Promise<readonly AvatarInfo[]> => {
      const [item] = await pep.read(account, NS_AVATAR_METADATA);
      return item?.payload === undefined ? [] : (readAvatarMetadata(item.payload) ?? []);
    };

    return {
      /**
       * Publishes our avatar.
       * @param png its bytes, at most `MAX_AVATAR_BYTES`
       * @param options.access who may see it; by default the server decides, usually contacts
       * @returns the id of the image
       * @throws XmppError if it is not a PNG, or too large; StanzaError, TimeoutError
       */
      async publish(png: Uint8Array, { access }: { access?: AccessModel } = {}): Promise<string> {
        const info = describePng(png);
        const options: NodeOptions | undefined = access === undefined ? undefined : { 'pubsub#access_model': access };
        const publication = { id: info.id, ...(options === undefined ? {} : { options }) };
        // §3.1: the image has to be there before it is announced.
        await pep.own.publish(NS_AVATAR_DATA, writeAvatarData(png), publication);
        await pep.own.publish(NS_AVATAR_METADATA, writeAvatarMetadata([info]), publication);
        return info.id;
      },
      /** Removes our avatar (§3.5). @throws StanzaError, TimeoutError */
      async disable(): Promise<void> {
        await pep.own.publish(NS_AVATAR_METADATA, writeAvatarMetadata([]));
      },
      /** Reads the formats of an account's avatar; an empty list if it has none or hides it from us. @throws StanzaError, TimeoutError */
      metadata: readMetadata,
      /**
       * Reads the avatar of an account.
       * @param form one of its `metadata`, if already read; by default a PNG in the data node
       * @returns `undefined` if there is none that we can read
       * @throws XmppError if it is too large or does not have the announced hash; StanzaError, TimeoutError
       */
      async read(account: Jid | string, form?: AvatarInfo): Promise<Avatar | undefined> {
        const info = form ?? choose(await readMetadata(account));
        if (info === undefined || info.url !== undefined) return undefined;
        const description = `the avatar of ${Jid.from(account).bare.toString()}`;
        if (info.bytes > MAX_AVATAR_BYTES)
          throw new XmppError(`${description} is larger than ${MAX_AVATAR_BYTES} bytes`);
        const [item] = await pep.read(account, NS_AVATAR_DATA, { ids: [info.id] });
        if (item?.payload === undefined) return undefined;
        const image = readAvatarData(item.payload);
        if (image === undefined || bytesToHex(sha1(image)) !== info.id)
          throw new XmppError(`${description} does not match its metadata`);
        const { id, type, width, height } = info;
        return {
          id,
          type,
          image,
          ...(width === undefined ? {} : { width }),
          ...(height === undefined ? {} : { height }),
        };
      },
    };
  },
});

/** Reports changes of the avatars of contacts; `value` is empty if the account no longer shows one. */
export const avatarUpdates = pepUpdates({
  name: 'avatar-updates',
  xep: 84,
  node: NS_AVATAR_METADATA,
  read: readAvatarMetadata,
});

/** §4.2.1: every client supports PNG, and the data node contains no other format. */
function choose(infos: readonly AvatarInfo[]): AvatarInfo | undefined {
  const inNode = infos.filter(({ url }) => url === undefined);
  return inNode.find(({ type }) => type === 'image/png') ?? inNode[0];
}

const PNG_SIGNATURE = '89504e470d0a1a0a';
/** Signature, then the first chunk: length, `IHDR`, width, height (PNG, third edition, §5.2, §11.2.1). */
const PNG_HEADER_BYTES = 24;

function describePng(image: Uint8Array): AvatarInfo {
  const { length: bytes } = image;
  if (bytes < PNG_HEADER_BYTES || bytesToHex(image.subarray(0, 8)) !== PNG_SIGNATURE)
    throw new XmppError('an avatar must be a PNG image (XEP-0084 §4.1), and this is not one');
  if (bytes > MAX_AVATAR_BYTES)
    throw new XmppError(
      `an avatar can have at most ${MAX_AVATAR_BYTES} bytes, and this one has ${bytes}: make it smaller`,
    );
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  return {
    id: bytesToHex(sha1(image)),
    type: 'image/png',
    bytes,
    width: view.getUint32(16),
    height: view.getUint32(20),
  };
}

function readNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}
