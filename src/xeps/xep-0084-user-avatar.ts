/**
 * XEP-0084 User Avatar, 1.1.4 (Stable). https://xmpp.org/extensions/xep-0084.html
 *
 * A small picture of the account: the image in one node, what it is in another, told of by its SHA-1. We publish PNG and read what has
 * the hash it was announced with.
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

export const NS_AVATAR_DATA = 'urn:xmpp:avatar:data';
export const NS_AVATAR_METADATA = 'urn:xmpp:avatar:metadata';

/** Larger images are neither published nor read: servers refuse stanzas of about 256 KiB, and base64 adds a third. */
export const MAX_AVATAR_BYTES = 131_072;

/** One of the forms in which an image can be had (§4.2.1). What a peer says of it is only true when it was read. */
export interface AvatarInfo {
  /** The SHA-1 of the image, in lower case hexadecimal. */
  readonly id: string;
  /** Its content type. */
  readonly type: string;
  /** Its size. */
  readonly bytes: number;
  readonly width?: number;
  readonly height?: number;
  /** Where it is, when it is not in the data node. */
  readonly url?: string;
}

/** An image that has been read and is what it was said to be. */
export interface Avatar {
  readonly id: string;
  readonly type: string;
  readonly image: Uint8Array;
  readonly width?: number;
  readonly height?: number;
}

/** The forms of the image; none when the account shows no avatar (§3.5). Forms without a hash, a size or a type are left out. */
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

export function writeAvatarMetadata(infos: readonly AvatarInfo[]): Element {
  return el('metadata', NS_AVATAR_METADATA, {}, ...infos.map((info) => el('info', NS_AVATAR_METADATA, { ...info })));
}

/** The image; `undefined` when it is none or too large. Line feeds in it are allowed (§4.1). */
export function readAvatarData(data: Element): Uint8Array | undefined {
  if (!data.is('data', NS_AVATAR_DATA)) return undefined;
  const bytes = decodeBase64(data.text.replaceAll(/\s+/g, ''));
  return bytes === undefined || bytes.length > MAX_AVATAR_BYTES ? undefined : bytes;
}

export function writeAvatarData(image: Uint8Array): Element {
  return el('data', NS_AVATAR_DATA, {}, encodeBase64(image));
}

export const userAvatar = definePlugin({
  name: 'user-avatar',
  xep: 84,
  requires: [personalEventing],
  setup(context) {
    const pep = context.get(personalEventing);

    const newest = async (account: Jid | string): Promise<readonly AvatarInfo[]> => {
      const [item] = await pep.read(account, NS_AVATAR_METADATA);
      return item?.payload === undefined ? [] : (readAvatarMetadata(item.payload) ?? []);
    };

    return {
      /**
       * Shows an image.
       * @param png its bytes, at most `MAX_AVATAR_BYTES`
       * @param options.access who may see it: as the server has it (contacts) unless told
       * @returns its id
       * @throws XmppError when this is no PNG or too large, StanzaError, TimeoutError
       */
      async publish(png: Uint8Array, { access }: { access?: AccessModel } = {}): Promise<string> {
        const info = describePng(png);
        const options: NodeOptions | undefined = access === undefined ? undefined : { 'pubsub#access_model': access };
        const publication = { id: info.id, ...(options === undefined ? {} : { options }) };
        // §3.1: first what is told of, then that it is told.
        await pep.own.publish(NS_AVATAR_DATA, writeAvatarData(png), publication);
        await pep.own.publish(NS_AVATAR_METADATA, writeAvatarMetadata([info]), publication);
        return info.id;
      },
      /** Shows none any more (§3.5). @throws StanzaError, TimeoutError */
      async disable(): Promise<void> {
        await pep.own.publish(NS_AVATAR_METADATA, writeAvatarMetadata([]));
      },
      /** In which forms an account has its avatar; in none when it has no avatar or does not show it to us. @throws StanzaError, TimeoutError */
      metadata: newest,
      /**
       * The avatar of an account; `undefined` when it has none that we can read.
       * @param account whose
       * @param form one of its `metadata`, when that is known already; it is a PNG in the data node unless told
       * @throws XmppError when it is too large or not what it was said to be, StanzaError, TimeoutError
       */
      async read(account: Jid | string, form?: AvatarInfo): Promise<Avatar | undefined> {
        const info = form ?? choose(await newest(account));
        if (info === undefined || info.url !== undefined) return undefined;
        const whose = `the avatar of ${Jid.from(account).bare.toString()}`;
        if (info.bytes > MAX_AVATAR_BYTES) throw new XmppError(`${whose} is larger than ${MAX_AVATAR_BYTES} bytes`);
        const [item] = await pep.read(account, NS_AVATAR_DATA, { ids: [info.id] });
        if (item?.payload === undefined) return undefined;
        const image = readAvatarData(item.payload);
        if (image === undefined || bytesToHex(sha1(image)) !== info.id)
          throw new XmppError(`${whose} does not match its metadata`);
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

/** Hears of the avatars of contacts as they change; `value` is empty when somebody shows none any more. */
export const avatarUpdates = pepUpdates({
  name: 'avatar-updates',
  xep: 84,
  node: NS_AVATAR_METADATA,
  read: readAvatarMetadata,
});

/** §4.2.1: every client has to know PNG, and it is the one form that the data node has. */
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
