/** Reads the files of a message, as the sender describes them. Nothing is fetched or verified here. */
import { readOutOfBandData } from '../../../xeps/xep-0066-out-of-band-data.js';
import { safeFileName } from '../../../xeps/xep-0446-file-metadata.js';
import { readSharedFiles, usableUrls } from '../../../xeps/xep-0447-stateless-file-sharing.js';
import type { Element } from '../../../xmpp-core/xml/element.js';
import { bestHash } from '../../media/content-hash.js';
import type { MediaLink } from '../../media/link.js';

/** The most files of one message. The others are ignored. */
export const MAX_LINKS = 5;
const SCHEMES: ReadonlySet<string> = new Set(['https:', 'http:', 'aesgcm:']);
const MAX_URL_LENGTH = 2_000;

/**
 * The files of a message: those of XEP-0447, then the other links of XEP-0066. A link in the text alone is not a file.
 */
export function readLinks(message: Element): readonly MediaLink[] {
  const links = new Map<string, MediaLink>();
  for (const shared of readSharedFiles(message)) {
    const { file } = shared;
    // URLs that can be fetched come first; an encrypted file is at least mentioned to the model.
    const [url] = [...usableUrls(shared), ...shared.urls].filter(isLink);
    if (url === undefined) continue;
    const hash = bestHash(file.hashes ?? new Map());
    links.set(url, {
      url,
      name: safeFileName(file.name ?? lastSegment(url)),
      ...(file.mediaType === undefined ? {} : { type: file.mediaType }),
      ...(file.size === undefined ? {} : { size: file.size }),
      ...(hash === undefined ? {} : { hash }),
    });
    for (const other of shared.urls) if (other !== url && !links.has(other)) alias(links, other, url);
  }
  for (const { url } of readOutOfBandData(message)) {
    if (isLink(url) && !links.has(url)) links.set(url, { url, name: safeFileName(lastSegment(url)) });
  }
  return [...new Set(links.values())].slice(0, MAX_LINKS);
}

/** The text that came with files. A body that is only the URL of a file is a fallback, not a caption. */
export function captionOf(body: string | undefined, links: readonly MediaLink[]): string {
  const text = body?.trim() ?? '';
  return links.some(({ url }) => url === text) ? '' : text;
}

/** Adds another URL of a known file, so that it is not listed twice. */
function alias(links: Map<string, MediaLink>, url: string, known: string): void {
  const link = links.get(known);
  if (link !== undefined) links.set(url, link);
}

function isLink(url: string): boolean {
  return url.length <= MAX_URL_LENGTH && URL.canParse(url) && SCHEMES.has(new URL(url).protocol);
}

function lastSegment(url: string): string {
  const segment = new URL(url).pathname.split('/').at(-1) ?? '';
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
