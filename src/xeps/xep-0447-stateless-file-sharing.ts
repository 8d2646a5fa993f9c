/**
 * XEP-0447 Stateless file sharing, 0.3.1 (Experimental). https://xmpp.org/extensions/xep-0447.html
 *
 * Files in a message: their metadata (XEP-0446) and the URLs to download them from (XEP-0103), in the same message or a later one (§3.3).
 *
 * Left out: sources that are not URLs, such as Jingle and encrypted files (XEP-0448); the wrapping for XEP-0385 (§4.3).
 */
import { definePlugin } from '../xmpp-core/plugin.js';
import { el, type Element } from '../xmpp-core/xml/element.js';
import { writeOutOfBandData } from './xep-0066-out-of-band-data.js';
import { readUrlData, writeUrlData } from './xep-0103-url-address-information.js';
import { canVerify, cryptographicHashes } from './xep-0300-cryptographic-hashes.js';
import { writeFallback } from './xep-0428-fallback-indication.js';
import { readFileMetadata, writeFileMetadata, type FileMetadata } from './xep-0446-file-metadata.js';

/** The namespace of file sharing. */
export const NS_FILE_SHARING = 'urn:xmpp:sfs:0';

/** XEP-0367 Message Attaching, as far as needed here. */
const NS_ATTACHING = 'urn:xmpp:message-attaching:1';

/** A shared file. */
export interface SharedFile {
  /** Identifies the file among those of the message. */
  readonly id?: string;
  /** Whether to show it with the message, or to download it on demand only. */
  readonly disposition?: 'inline' | 'attachment';
  readonly file: FileMetadata;
  /** In the sender's order; empty while they are still to come. */
  readonly urls: readonly string[];
}

/** Sources of a file that was shared earlier. */
export interface AttachedSources {
  /** The id of the message that shared the file. */
  readonly messageId: string;
  /** Which file of that message. */
  readonly fileId?: string;
  readonly urls: readonly string[];
}

/** Reads the files of a message; those without metadata are left out. */
export function readSharedFiles(message: Element): SharedFile[] {
  return message.children('file-sharing', NS_FILE_SHARING).flatMap((share) => {
    const file = readFileMetadata(share);
    if (file === undefined) return [];
    const id = share.attr('id');
    const disposition = share.attr('disposition');
    const sources = share.child('sources');
    return [
      {
        ...(id === undefined ? {} : { id }),
        ...(disposition === 'inline' || disposition === 'attachment' ? { disposition } : {}),
        file,
        urls: sources === undefined ? [] : readUrlData(sources),
      },
    ];
  });
}

/** Writes a shared file. */
export function writeSharedFile({ id, disposition, file, urls }: SharedFile): Element {
  const sources = urls.length === 0 ? undefined : el('sources', NS_FILE_SHARING, {}, ...urls.map(writeUrlData));
  return el('file-sharing', NS_FILE_SHARING, { disposition, id }, writeFileMetadata(file), sources);
}

/** Reads sources that were attached later; `undefined` if there are none. */
export function readAttachedSources(message: Element): AttachedSources | undefined {
  const messageId = message.child('attach-to', NS_ATTACHING)?.attr('id');
  const sources = message.child('sources', NS_FILE_SHARING);
  if (messageId === undefined || sources === undefined) return undefined;
  const fileId = sources.attr('id');
  return { messageId, ...(fileId === undefined ? {} : { fileId }), urls: readUrlData(sources) };
}

/** Writes sources for a file that was shared earlier. */
export function writeAttachedSources({ messageId, fileId, urls }: AttachedSources): Element[] {
  return [
    el('attach-to', NS_ATTACHING, { id: messageId }),
    el('sources', NS_FILE_SHARING, { id: fileId }, ...urls.map(writeUrlData)),
  ];
}

/**
 * The body and payloads of a message that shares one file. Clients without support read the URL in the body (§3.1).
 * @param file with at least one URL
 */
export function writeFileMessage(file: SharedFile): { readonly body: string; readonly payloads: readonly Element[] } {
  const [url = ''] = file.urls;
  const fallback = writeFallback(NS_FILE_SHARING, { body: 'whole' });
  return { body: url, payloads: [writeSharedFile(file), fallback, writeOutOfBandData({ url })] };
}

/**
 * The URLs to download a file from (§6). Without a hash to verify, only https URLs from the sender of the file. The caller has to check
 * whether requests to them are safe.
 * @param attached sources that others attached later
 */
export function usableUrls({ file, urls }: SharedFile, attached: readonly string[] = []): string[] {
  const isVerified = canVerify(file.hashes ?? new Map());
  const all = isVerified ? [...urls, ...attached] : urls;
  return all.filter((url) => {
    const { protocol } = new URL(url);
    return protocol === 'https:' || (isVerified && protocol === 'http:');
  });
}

/** Announces support for shared files. */
export const fileSharing = definePlugin({
  name: 'file-sharing',
  xep: 447,
  features: [NS_FILE_SHARING],
  requires: [cryptographicHashes],
  setup: () => undefined,
});
