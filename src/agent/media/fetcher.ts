/**
 * Fetches files that people sent. The URLs are untrusted: only https, only public addresses and the few configured hosts, with
 * limits on size and time. A file that cannot be fetched is described, with the reason, and is not an error.
 */
import type { AccountConfig } from '../config/config.js';
import { matchesMediaType } from '../config/media-type.js';
import type { Attachment } from '../conversation/records.js';
import { errorText, type Log } from '../log.js';
import { withDeadline } from '../../xmpp-core/deadline.js';
import { AddressError } from '../../xmpp-core/transport/addresses.js';
import { HttpError, httpRequest, ResponseTooLargeError, type HttpResponse } from '../../xmpp-core/transport/http.js';
import { unbracketed } from '../../xmpp-core/transport/targets.js';
import { matchesHash } from './content-hash.js';
import { readPicture, readText, sniffType } from './content-type.js';
import type { MediaLink } from './link.js';
import { KeyedSemaphore } from './keyed-semaphore.js';
import type { MediaStore } from './store.js';

/** Options of a `MediaFetcher`. */
export interface MediaFetcherOptions {
  readonly account: Pick<AccountConfig, 'mediaMaxMb' | 'blockedMediaTypes' | 'mediaPrivateHosts' | 'ca'>;
  readonly store: Pick<MediaStore, 'save'>;
  /** The origin of the account's own upload service, such as `https://files.example.org`, if it can be discovered. */
  readonly uploadOrigin: (signal: AbortSignal) => Promise<string | undefined>;
  readonly log: Log;
  /** The time limit for one fetch, in milliseconds, without waiting. Default: 45 seconds. */
  readonly timeoutMs?: number;
  /** How long a file waits for other fetches, in milliseconds. Default: 45 seconds. */
  readonly waitMs?: number;
}

/** The bytes of a megabyte in `media_max_mb`. */
export const BYTES_PER_MB = 1024 * 1024;
const TIMEOUT_MS = 45_000;
const WAIT_MS = 45_000;
const MAX_REDIRECTS = 3;
/** Concurrent fetches. */
const MAX_CONCURRENT = 6;
/** Concurrent fetches of one conversation: somebody's slow server must not block the files of others. */
const MAX_PER_CONVERSATION = 2;
/** UTF-16 code units of all text files of one message, because a request always carries them. */
const MAX_TEXT = 40_000;
/** The limits of providers: five million bytes of base64, and 8000 pixels a side. */
const MAX_PICTURE_BYTES = 3_700_000;
const MAX_PICTURE_SIDE = 8_000;

/** Why only a description of a file is available. The message is a note for the model and the log, and contains nothing of the URL. */
class RejectedFile extends Error {
  override readonly name = 'RejectedFile';
  /** The media type stated by the server. */
  readonly type: string | undefined;

  constructor(note: string, type?: string) {
    super(note);
    this.type = type;
  }
}

/** Fetches the files of all conversations of an account. */
export class MediaFetcher {
  readonly #options: MediaFetcherOptions;
  readonly #semaphore: KeyedSemaphore;

  constructor(options: MediaFetcherOptions) {
    this.#options = options;
    this.#semaphore = new KeyedSemaphore({
      total: MAX_CONCURRENT,
      perKey: MAX_PER_CONVERSATION,
      waitMs: options.waitMs ?? WAIT_MS,
    });
  }

  /**
   * Fetches the files of one message.
   * @param conversationId the conversation of the message, for the limit of concurrent fetches
   * @throws only the signal's reason
   */
  async fetch(
    links: readonly MediaLink[],
    { signal, conversationId = '' }: { readonly signal: AbortSignal; readonly conversationId?: string },
  ): Promise<readonly Attachment[]> {
    const attachments = await Promise.all(links.map((link) => this.#fetchOrDescribe(link, conversationId, signal)));
    let left = MAX_TEXT;
    return attachments.map((one) => {
      const cut = limitText(one, left);
      left -= cut.text?.length ?? 0;
      return cut;
    });
  }

  async #fetchOrDescribe(link: MediaLink, forWhom: string, signal: AbortSignal): Promise<Attachment> {
    const { name, type, size, url } = link;
    const known = { name, ...(type === undefined ? {} : { type }), ...(size === undefined ? {} : { size }) };
    const { log, timeoutMs = TIMEOUT_MS } = this.#options;
    try {
      return await this.#semaphore.run(forWhom, signal, () =>
        withDeadline('fetching a file', timeoutMs, signal, (bounded) => this.#fetchOne(link, bounded)),
      );
    } catch (error) {
      signal.throwIfAborted();
      log('info', 'media', { host: new URL(url).host, message: errorText(error) });
      const rejection = rejectionIn(error);
      if (rejection === undefined) return { ...known, note: 'it could not be fetched' };
      return { ...known, ...(rejection.type === undefined ? {} : { type: rejection.type }), note: rejection.message };
    }
  }

  /** @throws RejectedFile, or what the request throws */
  async #fetchOne(link: MediaLink, signal: AbortSignal): Promise<Attachment> {
    const { name, url, size = 0, hash } = link;
    const { mediaMaxMb } = this.#options.account;
    if (new URL(url).protocol === 'aesgcm:') throw new RejectedFile('it is encrypted');
    this.#checkType(link.type);
    if (size > mediaMaxMb * BYTES_PER_MB) throw this.#tooLarge(link.type);

    const { headers, body } = await this.#get(url, signal);
    const data = new Uint8Array(body);
    const stated = typeOf(headers);
    if (hash !== undefined && !matchesHash(data, hash))
      throw new RejectedFile('its hash is not the one that the sender gave', stated);
    const type = sniffType(data) ?? stated ?? link.type;
    this.#checkType(type);
    const known = { name, size: data.byteLength };

    const picture = readPicture(data);
    if (picture !== undefined) {
      const { width, height, extension } = picture;
      if (data.byteLength > MAX_PICTURE_BYTES || Math.max(width, height) > MAX_PICTURE_SIDE)
        return { ...known, type: picture.type, note: `${width} x ${height} pixels, too large to look at` };
      return { ...known, type: picture.type, file: await this.#options.store.save(data, extension) };
    }
    const text = readText(data, stated ?? link.type);
    if (text !== undefined) return { ...known, type: isTextual(type) ? type : 'text/plain', text };
    return { ...known, ...(type === undefined ? {} : { type }) };
  }

  /** Sends the GET request, if the URL's host is allowed. */
  async #get(url: string, signal: AbortSignal): Promise<HttpResponse> {
    const { account, uploadOrigin } = this.#options;
    const { protocol, hostname, origin } = new URL(url);
    // Without TLS anybody on the path can change the content. Operators decide about hosts on their own networks.
    if (protocol !== 'https:' && !account.mediaPrivateHosts.includes(unbracketed(hostname)))
      throw new RejectedFile('its link is not https');
    try {
      return await this.#request(url, account.mediaPrivateHosts, signal);
    } catch (error) {
      if (!(error instanceof HttpError && error.cause instanceof AddressError)) throw error;
      // Only asked now, because most upload services are public. The origin counts, not the host: other ports are other services.
      if ((await uploadOrigin(signal)) !== origin) throw new RejectedFile('its host is not on the public internet');
      return this.#request(url, [...account.mediaPrivateHosts, unbracketed(hostname)], signal, 0);
    }
  }

  async #request(
    url: string,
    privateHosts: readonly string[],
    signal: AbortSignal,
    maxRedirects = MAX_REDIRECTS,
  ): Promise<HttpResponse> {
    const { ca, mediaMaxMb } = this.#options.account;
    const maxBytes = mediaMaxMb * BYTES_PER_MB;
    let type: string | undefined;
    const response = await httpRequest({
      method: 'GET',
      url,
      headers: { Accept: '*/*', 'Accept-Encoding': 'identity', 'User-Agent': 'moltis-xmpp' },
      addresses: 'public',
      privateHosts,
      maxRedirects,
      maxBytes,
      ca,
      signal,
      timeoutMs: this.#options.timeoutMs ?? TIMEOUT_MS,
      onHead: ({ status, headers }) => {
        if (status !== 200) return;
        type = typeOf(headers);
        this.#checkType(type);
        if (Number(headers['content-length']) > maxBytes) throw this.#tooLarge(type);
        // We did not ask for compression: a few bytes can expand into gigabytes.
        if ((headers['content-encoding'] ?? 'identity') !== 'identity')
          throw new RejectedFile('its server sends it compressed', type);
      },
    }).catch((error: unknown) => {
      throw error instanceof ResponseTooLargeError ? this.#tooLarge(type) : error;
    });
    if (response.status !== 200) throw new RejectedFile(`its server responded with HTTP ${response.status}`);
    return response;
  }

  #tooLarge(type: string | undefined): RejectedFile {
    return new RejectedFile(`it is larger than ${this.#options.account.mediaMaxMb} MB`, type);
  }

  /** @throws RejectedFile for a type that the settings block */
  #checkType(type: string | undefined): void {
    if (
      type !== undefined &&
      this.#options.account.blockedMediaTypes.some((pattern) => matchesMediaType(pattern, type))
    )
      throw new RejectedFile('files of this type are not accepted here', type);
  }
}

/** The `RejectedFile` in an error, or in the cause of an HTTP error. */
function rejectionIn(error: unknown): RejectedFile | undefined {
  const inner = error instanceof HttpError ? error.cause : error;
  return inner instanceof RejectedFile ? inner : undefined;
}

/** Media types of text files, `text/*` and others. */
const TEXTUAL = /^(?:text\/|image\/svg\+xml|application\/(?:json|xml|javascript|toml|yaml|sql|.*\+(?:json|xml)|x-.*))/;

function isTextual(type: string | undefined): type is string {
  return type !== undefined && TEXTUAL.test(type);
}

/** The media type of a response without parameters; `application/octet-stream` counts as none. */
function typeOf(headers: HttpResponse['headers']): string | undefined {
  const type = headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase() ?? '';
  return /^[\w.+-]{1,60}\/[\w.+-]{1,60}$/.test(type) && type !== 'application/octet-stream' ? type : undefined;
}

function limitText(media: Attachment, limit: number): Attachment {
  const { text } = media;
  if (text === undefined || text.length <= limit) return media;
  // Does not split a surrogate pair.
  const cut = text.slice(0, limit).replace(/[\uD800-\uDBFF]$/, '');
  return { ...media, text: cut, note: `only the first ${cut.length} of ${text.length} characters` };
}
