/**
 * XEP-0363 HTTP File Upload, 1.2.0 (Stable). https://xmpp.org/extensions/xep-0363.html
 *
 * Finds the server's upload service, requests a slot and uploads the file. Only https URLs are used, and only the three headers that §4
 * allows. If the service names a time to retry (§6), no request is sent before.
 */
import { StanzaError, TimeoutError, XmppError } from '../xmpp-core/errors.js';
import { Jid } from '../xmpp-core/jid/jid.js';
import { definePlugin } from '../xmpp-core/plugin.js';
import { el, type Element } from '../xmpp-core/xml/element.js';
import { fieldValue } from './xep-0004-data-forms.js';
import { serviceDiscovery, type DiscoInfo, type DiscoOptions } from './xep-0030-service-discovery.js';
import { readDateTime, writeDateTime } from './xep-0082-date-time.js';
import { extendedInfo } from './xep-0128-service-discovery-extensions.js';

/** The namespace of uploads. */
export const NS_HTTP_UPLOAD = 'urn:xmpp:http:upload:0';
/** The namespace of upload purposes. */
export const NS_UPLOAD_PURPOSE = 'urn:xmpp:http:upload:purpose:0';

/**
 * What a file is for, which decides how long it is stored (§5): `message`, the default; `profile`, such as an avatar; `permanent`; or a
 * time at which it expires.
 */
export type UploadPurpose = 'message' | 'profile' | 'permanent' | { readonly expireBefore: Date };

/** The request for a slot (§4). */
export interface SlotRequest {
  readonly filename: string;
  /** In bytes. */
  readonly size: number;
  readonly contentType: string;
  readonly purpose?: UploadPurpose;
}

/** Where to upload a file, and where others download it. */
export interface Slot {
  readonly putUrl: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly getUrl: string;
}

/** The server's upload service. */
export interface UploadService {
  readonly jid: Jid;
  /** In bytes; `undefined` if the service does not announce it. */
  readonly maxFileSize: number | undefined;
  /** The purposes that it supports (§5), such as `profile`. */
  readonly purposes: ReadonlySet<string>;
}

/** A file to upload. */
export interface FileToUpload {
  readonly name: string;
  /** Its media type, such as `text/plain`. */
  readonly type: string;
  readonly data: Uint8Array;
  /** Ignored if the service does not support it, except for an expiry time: then the upload fails. */
  readonly purpose?: UploadPurpose;
  readonly signal?: AbortSignal | undefined;
  /** Called with the number of bytes sent so far. */
  readonly onProgress?: ((sentBytes: number) => void) | undefined;
}

/** A file could not be uploaded; the message names the step. */
export class UploadError extends XmppError {
  override readonly name = 'UploadError';
  /** The largest file that the service accepts, in bytes, if it refused this one for its size (§6). */
  readonly maxFileSize: number | undefined;
  /** When to try again, if the service says so (§6). */
  readonly retryAt: Date | undefined;

  constructor(
    message: string,
    options: {
      readonly cause?: unknown;
      readonly maxFileSize?: number | undefined;
      readonly retryAt?: Date | undefined;
    } = {},
  ) {
    super(message, options);
    this.maxFileSize = options.maxFileSize;
    this.retryAt = options.retryAt;
  }
}

const ALLOWED_HEADERS: ReadonlyMap<string, string> = new Map([
  ['authorization', 'Authorization'],
  ['cookie', 'Cookie'],
  ['expires', 'Expires'],
]);
const UPLOAD_TIMEOUT_MS = 300_000;
/** How many components of the server are queried. */
const MAX_CANDIDATES = 50;

/** Reads the request for a slot; `undefined` if the name or the size is invalid. */
export function readSlotRequest(request: Element): SlotRequest | undefined {
  const filename = request.attr('filename');
  const size = Number(request.attr('size'));
  if (filename === undefined || filename === '' || !Number.isSafeInteger(size) || size <= 0) return undefined;
  const purpose = readPurpose(request);
  return {
    filename,
    size,
    contentType: request.attr('content-type') ?? 'application/octet-stream',
    ...(purpose === undefined ? {} : { purpose }),
  };
}

/** Writes the request for a slot. */
export function writeSlotRequest({ filename, size, contentType, purpose }: SlotRequest): Element {
  const attributes = { filename, size, 'content-type': contentType };
  return el('request', NS_HTTP_UPLOAD, attributes, purpose === undefined ? undefined : writePurpose(purpose));
}

/** Reads a slot; `undefined` unless both URLs are https (§13). Headers that §4 does not allow are left out. */
export function readSlot(slot: Element): Slot | undefined {
  const put = slot.child('put');
  const putUrl = put?.attr('url');
  const getUrl = slot.child('get')?.attr('url');
  if (put === undefined || !isHttps(putUrl) || !isHttps(getUrl)) return undefined;
  const headers = new Map<string, string>();
  for (const header of put.children('header')) {
    // §4: line breaks are removed, so that no further header can be injected.
    const name = ALLOWED_HEADERS.get(oneLine(header.attr('name') ?? '').toLowerCase());
    const value = oneLine(header.text);
    if (name === undefined) continue;
    // Several values of one header keep their order (RFC 9110 §5.2, RFC 6265 §5.4).
    const before = headers.get(name);
    headers.set(name, before === undefined ? value : `${before}${name === 'Cookie' ? '; ' : ', '}${value}`);
  }
  return { putUrl, getUrl, headers: Object.fromEntries(headers) };
}

/** Writes a slot. */
export function writeSlot({ putUrl, getUrl, headers }: Slot): Element {
  const written = Object.entries(headers).map(([name, value]) => el('header', NS_HTTP_UPLOAD, { name }, value));
  return el(
    'slot',
    NS_HTTP_UPLOAD,
    {},
    el('put', NS_HTTP_UPLOAD, { url: putUrl }, ...written),
    el('get', NS_HTTP_UPLOAD, { url: getUrl }),
  );
}

/** File uploads: `client.get(httpUpload).upload(file)`. */
export const httpUpload = definePlugin({
  name: 'http-upload',
  xep: 363,
  requires: [serviceDiscovery],
  setup(context) {
    const disco = context.get(serviceDiscovery);
    let known: UploadService | undefined;
    /** No requests before this time, as the service demanded. */
    let notBefore: Date | undefined;
    context.onOffline(() => {
      known = undefined;
      notBefore = undefined;
    });

    /** The upload service of our server, or `undefined` if there is none (§3). Discovered once per session. */
    async function service(signal?: AbortSignal): Promise<UploadService | undefined> {
      if (known !== undefined) return known;
      const server = Jid.parse(context.account.domainpart);
      const options = signal === undefined ? { timeoutMs: 10_000 } : { signal, timeoutMs: 10_000 };
      // An item with a node is part of an entity, and accepts no uploads itself.
      const items = (await disco.items(server, options)).filter(({ node }) => node === undefined);
      const candidates = [server, ...items.map(({ jid }) => jid)].slice(0, MAX_CANDIDATES);
      try {
        // A component that is configured but not connected answers with an error, or never: do not wait for it.
        known = await Promise.any(candidates.map((jid) => probe(jid, options)));
      } catch (error) {
        signal?.throwIfAborted();
        const hasNoService = error instanceof AggregateError && error.errors.every(isNoService);
        if (!hasNoService) throw error;
      }
      return known;
    }

    /** @throws UploadError if the entity is no upload service, or what querying it throws */
    async function probe(jid: Jid, options: DiscoOptions): Promise<UploadService> {
      const info = await disco.info(jid, options);
      if (!info.features.has(NS_HTTP_UPLOAD)) throw new UploadError(`${jid.toString()} does not accept uploads`);
      return { jid, maxFileSize: maxFileSize(info), purposes: purposesOf(info) };
    }

    return {
      service,
      /** Requests a slot without uploading: it reveals where files are stored. @throws UploadError, TimeoutError, or the signal's reason */
      async slot(request: SlotRequest, signal?: AbortSignal): Promise<Slot> {
        return requestSlot(await requireService(signal), request, signal);
      },
      /**
       * Uploads a file.
       * @returns the URL; anybody who knows it can download the file
       * @throws UploadError, HttpError, TimeoutError, or the signal's reason
       */
      async upload({ name, type, data, purpose, signal, onProgress }: FileToUpload): Promise<string> {
        const found = await requireService(signal);
        if (found.maxFileSize !== undefined && data.byteLength > found.maxFileSize) {
          const limit = `${found.jid.toString()} accepts at most ${found.maxFileSize}`;
          throw new UploadError(`the file has ${data.byteLength} bytes; ${limit}`, { maxFileSize: found.maxFileSize });
        }
        const request = { filename: name, size: data.byteLength, contentType: type };
        const slot = await requestSlot(found, { ...request, ...supportedPurpose(found, purpose) }, signal);
        const response = await context.http({
          method: 'PUT',
          url: slot.putUrl,
          headers: { ...slot.headers, 'Content-Type': type },
          body: data,
          timeoutMs: UPLOAD_TIMEOUT_MS,
          signal,
          ...(onProgress === undefined ? {} : { onProgress }),
        });
        if (response.status !== 201 && response.status !== 200) {
          throw new UploadError(`the upload to ${new URL(slot.putUrl).host} failed with HTTP ${response.status}`);
        }
        return slot.getUrl;
      },
    };

    async function requireService(signal: AbortSignal | undefined): Promise<UploadService> {
      const found = await service(signal);
      if (found === undefined) throw new UploadError(`${context.account.domainpart} has no upload service`);
      return found;
    }

    async function requestSlot(
      { jid }: UploadService,
      request: SlotRequest,
      signal: AbortSignal | undefined,
    ): Promise<Slot> {
      if (notBefore !== undefined && notBefore.getTime() > Date.now()) {
        const when = `${jid.toString()} accepts no uploads before ${writeDateTime(notBefore)}`;
        throw new UploadError(when, { retryAt: notBefore });
      }
      try {
        const options = signal === undefined ? {} : { signal };
        const reply = await context.iq({ to: jid, type: 'get', payload: writeSlotRequest(request), ...options });
        const slot = reply?.is('slot', NS_HTTP_UPLOAD) === true ? readSlot(reply) : undefined;
        if (slot === undefined) throw new UploadError(`${jid.toString()} sent no upload slot with https URLs`);
        return slot;
      } catch (error) {
        if (!(error instanceof StanzaError)) throw error;
        const { application } = error.details;
        notBefore =
          application?.is('retry', NS_HTTP_UPLOAD) === true ? readDateTime(application.attr('stamp')) : undefined;
        throw new UploadError(`${jid.toString()} refused an upload slot: ${error.reason}`, {
          cause: error,
          retryAt: notBefore,
          maxFileSize: application?.is('file-too-large', NS_HTTP_UPLOAD) === true ? sizeIn(application) : undefined,
        });
      }
    }
  },
});

/** Whether the entity is no upload service, as opposed to a session that ended. */
function isNoService(error: unknown): boolean {
  return error instanceof UploadError || error instanceof StanzaError || error instanceof TimeoutError;
}

/** `max-file-size` from the service's form (§3). */
function maxFileSize(info: DiscoInfo): number | undefined {
  return positiveInteger(fieldValue(extendedInfo(info, NS_HTTP_UPLOAD), 'max-file-size'));
}

/** `max-file-size` from the service's refusal (§6). */
function sizeIn(fileTooLarge: Element): number | undefined {
  return positiveInteger(fileTooLarge.childText('max-file-size'));
}

function positiveInteger(text: string | undefined): number | undefined {
  const size = Number(text);
  return Number.isSafeInteger(size) && size > 0 ? size : undefined;
}

function purposesOf({ features }: DiscoInfo): ReadonlySet<string> {
  const prefix = `${NS_UPLOAD_PURPOSE}#`;
  return new Set([...features].flatMap((one) => (one.startsWith(prefix) ? [one.slice(prefix.length)] : [])));
}

/** The purpose, if the service supports it. @throws UploadError if the file should expire and the service does not support that */
function supportedPurpose(
  { jid, purposes }: UploadService,
  purpose: UploadPurpose | undefined,
): { purpose?: UploadPurpose } {
  if (purpose === undefined) return {};
  if (purposes.has(typeof purpose === 'string' ? purpose : 'ephemeral')) return { purpose };
  if (typeof purpose === 'string') return {};
  throw new UploadError(`${jid.toString()} does not support files that expire`);
}

function readPurpose(request: Element): UploadPurpose | undefined {
  for (const purpose of ['message', 'profile', 'permanent'] as const)
    if (request.child(purpose, NS_UPLOAD_PURPOSE) !== undefined) return purpose;
  const expireBefore = readDateTime(request.child('ephemeral', NS_UPLOAD_PURPOSE)?.attr('expire-before'));
  return expireBefore === undefined ? undefined : { expireBefore };
}

function writePurpose(purpose: UploadPurpose): Element {
  if (typeof purpose === 'string') return el(purpose, NS_UPLOAD_PURPOSE);
  return el('ephemeral', NS_UPLOAD_PURPOSE, { 'expire-before': writeDateTime(purpose.expireBefore) });
}

function oneLine(text: string): string {
  return text.replaceAll(/[\r\n]/g, '');
}

function isHttps(url: string | undefined): url is string {
  return url !== undefined && URL.canParse(url) && new URL(url).protocol === 'https:';
}
