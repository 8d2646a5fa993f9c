/**
 * Files that people sent, fetched as far as the settings and plain caution let it. The URLs are the words of strangers: only https, only
 * addresses on the public internet and the few hosts that are known, no more bytes and no more time than allowed. What cannot
 * be had is described, with the reason, and is no error.
 */
import type { AccountConfig } from '../config/config.js';
import { matchesMediaType } from '../config/media-type.js';
import type { HeardMedia } from '../conversation/records.js';
import { errorText, type Log } from '../log.js';
import { withDeadline } from '../../xmpp-core/deadline.js';
import { AddressError } from '../../xmpp-core/transport/addresses.js';
import { HttpError, httpRequest, ResponseTooLargeError, type HttpResponse } from '../../xmpp-core/transport/http.js';
import { unbracketed } from '../../xmpp-core/transport/targets.js';
import { hasHash } from './content-hash.js';
import { readPicture, readText, sniffedType } from './content-type.js';
import type { MediaLink } from './link.js';
import { Permits } from './permits.js';
import type { MediaStore } from './store.js';

export interface MediaFetcherOptions {
  readonly account: Pick<AccountConfig, 'mediaMaxMb' | 'blockedMediaTypes' | 'mediaPrivateHosts' | 'ca'>;
  readonly store: Pick<MediaStore, 'keep'>;
  /** The origin of the account's own upload service, such as `https://files.example.org`, when it is known or can be learnt. */
  readonly uploadOrigin: (signal: AbortSignal) => Promise<string | undefined>;
  readonly log: Log;
  /** For one file, in milliseconds, from when it is its turn; 45 seconds unless told. */
  readonly timeoutMs?: number;
  /** How long a file waits for its turn, in milliseconds; 45 seconds unless told. */
  readonly waitMs?: number;
}

export const BYTES_PER_MB = 1024 * 1024;
const TIMEOUT_MS = 45_000;
const WAIT_MS = 45_000;
const MAX_REDIRECTS = 3;
/** So many files are on their way at once. */
const MAX_AT_ONCE = 6;
/** And so many of one conversation: somebody's slow server must not stop the files of others. */
const MAX_EACH = 2;
/** UTF-16 units of all the texts of one message: a request always carries them. */
const MAX_TEXT = 40_000;
/** What providers take: five million bytes of base64, and 8000 pixels a side. */
const MAX_PICTURE_BYTES = 3_700_000;
const MAX_PICTURE_SIDE = 8_000;

/** Why there is no more of a file than its description: a note for the model and the log, without anything of the URL. */
class NotTaken extends Error {
  override readonly name = 'NotTaken';
  /** What the server said the file is. */
  readonly type: string | undefined;

  constructor(note: string, type?: string) {
    super(note);
    this.type = type;
  }
}

export class MediaFetcher {
  readonly #options: MediaFetcherOptions;
  readonly #permits: Permits;

  constructor(options: MediaFetcherOptions) {
    this.#options = options;
    this.#permits = new Permits({ count: MAX_AT_ONCE, each: MAX_EACH, waitMs: options.waitMs ?? WAIT_MS });
  }

  /**
   * Fetches the files of one message.
   * @param forWhom the conversation that they are for: the files of one never take the turns of all others
   * @throws the signal's reason, and nothing else
   */
  async fetch(
    links: readonly MediaLink[],
    { signal, forWhom = '' }: { readonly signal: AbortSignal; readonly forWhom?: string },
  ): Promise<readonly HeardMedia[]> {
    const heard = await Promise.all(links.map((link) => this.#hear(link, forWhom, signal)));
    let left = MAX_TEXT;
    return heard.map((one) => {
      const cut = withTextWithin(one, left);
      left -= cut.text?.length ?? 0;
      return cut;
    });
  }

  async #hear(link: MediaLink, forWhom: string, signal: AbortSignal): Promise<HeardMedia> {
    const { name, type, size, url } = link;
    const known = { name, ...(type === undefined ? {} : { type }), ...(size === undefined ? {} : { size }) };
    const { log, timeoutMs = TIMEOUT_MS } = this.#options;
    try {
      return await this.#permits.run(forWhom, signal, () =>
        withDeadline('fetching a file', timeoutMs, signal, (bounded) => this.#take(link, bounded)),
      );
    } catch (error) {
      signal.throwIfAborted();
      log('info', 'media', { host: new URL(url).host, message: errorText(error) });
      const refusal = refusalIn(error);
      if (refusal === undefined) return { ...known, note: 'it could not be fetched' };
      return { ...known, ...(refusal.type === undefined ? {} : { type: refusal.type }), note: refusal.message };
    }
  }

  /** @throws NotTaken, or what the request throws */
  async #take(link: MediaLink, signal: AbortSignal): Promise<HeardMedia> {
    const { name, url, size = 0, hash } = link;
    const { mediaMaxMb } = this.#options.account;
    if (new URL(url).protocol === 'aesgcm:') throw new NotTaken('it is encrypted');
    this.#admit(link.type);
    if (size > mediaMaxMb * BYTES_PER_MB) throw this.#tooLarge(link.type);

    const { headers, body } = await this.#get(url, signal);
    const data = new Uint8Array(body);
    const stated = typeOf(headers);
    if (hash !== undefined && !hasHash(data, hash))
      throw new NotTaken('its hash is not the one that the sender gave', stated);
    const type = sniffedType(data) ?? stated ?? link.type;
    this.#admit(type);
    const told = { name, size: data.byteLength };

    const picture = readPicture(data);
    if (picture !== undefined) {
      const { width, height, extension } = picture;
      if (data.byteLength > MAX_PICTURE_BYTES || Math.max(width, height) > MAX_PICTURE_SIDE)
        return { ...told, type: picture.type, note: `${width} x ${height} pixels, too large to look at` };
      return { ...told, type: picture.type, file: await this.#options.store.keep(data, extension) };
    }
    const text = readText(data, stated ?? link.type);
    if (text !== undefined) return { ...told, type: isTextual(type) ? type : 'text/plain', text };
    return { ...told, ...(type === undefined ? {} : { type }) };
  }

  /** The answer to a GET, from where it may come from. */
  async #get(url: string, signal: AbortSignal): Promise<HttpResponse> {
    const { account, uploadOrigin } = this.#options;
    const { protocol, hostname, origin } = new URL(url);
    // Without TLS anybody on the way chooses the content. What is on a network of the operator's own is theirs to judge.
    if (protocol !== 'https:' && !account.mediaPrivateHosts.includes(unbracketed(hostname)))
      throw new NotTaken('its link is not https');
    try {
      return await this.#request(url, account.mediaPrivateHosts, signal);
    } catch (error) {
      if (!(error instanceof HttpError && error.cause instanceof AddressError)) throw error;
      // Asked only now: most upload services are public. Its origin, not its host: other ports of it are other services.
      if ((await uploadOrigin(signal)) !== origin) throw new NotTaken('its host is not on the public internet');
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
        this.#admit(type);
        if (Number(headers['content-length']) > maxBytes) throw this.#tooLarge(type);
        // It was told not to: a few bytes can unfold into gigabytes.
        if ((headers['content-encoding'] ?? 'identity') !== 'identity')
          throw new NotTaken('its server sends it compressed', type);
      },
    }).catch((error: unknown) => {
      throw error instanceof ResponseTooLargeError ? this.#tooLarge(type) : error;
    });
    if (response.status !== 200) throw new NotTaken(`its server responded with HTTP ${response.status}`);
    return response;
  }

  #tooLarge(type: string | undefined): NotTaken {
    return new NotTaken(`it is larger than ${this.#options.account.mediaMaxMb} MB`, type);
  }

  /** @throws NotTaken for a type that the settings block */
  #admit(type: string | undefined): void {
    if (
      type !== undefined &&
      this.#options.account.blockedMediaTypes.some((pattern) => matchesMediaType(pattern, type))
    )
      throw new NotTaken('files of this type are not accepted here', type);
  }
}

/** The refusal that an error is, or that ended a request. */
function refusalIn(error: unknown): NotTaken | undefined {
  const inner = error instanceof HttpError ? error.cause : error;
  return inner instanceof NotTaken ? inner : undefined;
}

/** Types other than `text/*` that are text. */
const TEXTUAL = /^(?:text\/|image\/svg\+xml|application\/(?:json|xml|javascript|toml|yaml|sql|.*\+(?:json|xml)|x-.*))/;

function isTextual(type: string | undefined): type is string {
  return type !== undefined && TEXTUAL.test(type);
}

/** The media type of an answer without its parameters; the one that only says "bytes" says nothing. */
function typeOf(headers: HttpResponse['headers']): string | undefined {
  const type = headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase() ?? '';
  return /^[\w.+-]{1,60}\/[\w.+-]{1,60}$/.test(type) && type !== 'application/octet-stream' ? type : undefined;
}

function withTextWithin(media: HeardMedia, most: number): HeardMedia {
  const { text } = media;
  if (text === undefined || text.length <= most) return media;
  // Not between the two halves of a character.
  const cut = text.slice(0, most).replace(/[\uD800-\uDBFF]$/, '');
  return { ...media, text: cut, note: `only the first ${cut.length} of ${text.length} characters` };
}
