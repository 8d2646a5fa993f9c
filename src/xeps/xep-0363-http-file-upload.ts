/**
 * XEP-0363 HTTP File Upload, 1.2.0 (Stable). https://xmpp.org/extensions/xep-0363.html
 *
 * Finds the server's upload service, asks it for a slot and puts the file there. Only https is spoken, and only the three headers that §4
 * allows are taken over from the slot. A service that names a time to try again (§6) is not asked before it.
 */
import { StanzaError, TimeoutError, XmppError } from '../xmpp-core/errors.js';
import { Jid } from '../xmpp-core/jid/jid.js';
import { definePlugin } from '../xmpp-core/plugin.js';
import { el, type Element } from '../xmpp-core/xml/element.js';
import { fieldValue } from './xep-0004-data-forms.js';
import { serviceDiscovery, type DiscoInfo, type DiscoOptions } from './xep-0030-service-discovery.js';
import { readDateTime, writeDateTime } from './xep-0082-date-time.js';
import { extendedInfo } from './xep-0128-service-discovery-extensions.js';

export const NS_HTTP_UPLOAD = 'urn:xmpp:http:upload:0';
export const NS_UPLOAD_PURPOSE = 'urn:xmpp:http:upload:purpose:0';

/**
 * What a file is for, which decides how long it is kept (§5): a message, unless told; an avatar and the like; for ever; or until a given
 * time and no longer.
 */
export type UploadPurpose = 'message' | 'profile' | 'permanent' | { readonly expireBefore: Date };

/** What a slot is asked for (§4). */
export interface SlotRequest {
  readonly filename: string;
  /** In bytes. */
  readonly size: number;
  readonly contentType: string;
  readonly purpose?: UploadPurpose;
}

/** Where to put a file, and where others get it. */
export interface Slot {
  readonly putUrl: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly getUrl: string;
}

/** The server's upload service. */
export interface UploadService {
  readonly jid: Jid;
  /** In bytes; `undefined` when the service does not say. */
  readonly maxFileSize: number | undefined;
  /** The purposes that it knows (§5), such as `profile`. */
  readonly purposes: ReadonlySet<string>;
}

export interface FileToUpload {
  readonly name: string;
  /** A media type, such as `text/plain`. */
  readonly type: string;
  readonly data: Uint8Array;
  /** A wish only, but for a time to expire: that is refused where the service does not know how. */
  readonly purpose?: UploadPurpose;
  readonly signal?: AbortSignal | undefined;
  /** Called with the number of bytes sent so far. */
  readonly onProgress?: ((sentBytes: number) => void) | undefined;
}

/** A file could not be uploaded; the message says at which step. */
export class UploadError extends XmppError {
  override readonly name = 'UploadError';
  /** In bytes, where the file is too large for the service and it says how large one may be (§6). */
  readonly maxFileSize: number | undefined;
  /** When the service may be asked again, where it says so (§6). */
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
/** How many of the server's components are asked. */
const MAX_CANDIDATES = 50;

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

export function writeSlotRequest({ filename, size, contentType, purpose }: SlotRequest): Element {
  const attributes = { filename, size, 'content-type': contentType };
  return el('request', NS_HTTP_UPLOAD, attributes, purpose === undefined ? undefined : writePurpose(purpose));
}

/** A slot whose URLs are not https is none (§13). */
export function readSlot(slot: Element): Slot | undefined {
  const put = slot.child('put');
  const putUrl = put?.attr('url');
  const getUrl = slot.child('get')?.attr('url');
  if (put === undefined || !isHttps(putUrl) || !isHttps(getUrl)) return undefined;
  const headers = new Map<string, string>();
  for (const header of put.children('header')) {
    // §4: line breaks are removed, so that no further header can be slipped in.
    const name = ALLOWED_HEADERS.get(oneLine(header.attr('name') ?? '').toLowerCase());
    const value = oneLine(header.text);
    if (name === undefined) continue;
    // Several values of one header keep their order (RFC 9110 §5.2, RFC 6265 §5.4).
    const before = headers.get(name);
    headers.set(name, before === undefined ? value : `${before}${name === 'Cookie' ? '; ' : ', '}${value}`);
  }
  return { putUrl, getUrl, headers: Object.fromEntries(headers) };
}

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

export const httpUpload = definePlugin({
  name: 'http-upload',
  xep: 363,
  requires: [serviceDiscovery],
  setup(context) {
    const disco = context.get(serviceDiscovery);
    let known: UploadService | undefined;
    /** The service has said that it is not to be asked before that time. */
    let notBefore: Date | undefined;
    context.onOffline(() => {
      known = undefined;
      notBefore = undefined;
    });

    /** The upload service of our server, or `undefined` when it has none (§3). Looked for once a session. */
    async function service(signal?: AbortSignal): Promise<UploadService | undefined> {
      if (known !== undefined) return known;
      const server = Jid.parse(context.account.domainpart);
      const options = signal === undefined ? { timeoutMs: 10_000 } : { signal, timeoutMs: 10_000 };
      // What has a node is part of somebody, and takes no files of its own.
      const items = (await disco.items(server, options)).filter(({ node }) => node === undefined);
      const candidates = [server, ...items.map(({ jid }) => jid)].slice(0, MAX_CANDIDATES);
      try {
        // A component that is configured and not connected answers with an error, or never: the others need not wait for it.
        known = await Promise.any(candidates.map((jid) => candidate(jid, options)));
      } catch (error) {
        signal?.throwIfAborted();
        const isAnswered = error instanceof AggregateError && error.errors.every(isNoService);
        if (!isAnswered) throw error;
      }
      return known;
    }

    /** @throws UploadError when the entity takes no files, or what asking it throws */
    async function candidate(jid: Jid, options: DiscoOptions): Promise<UploadService> {
      const info = await disco.info(jid, options);
      if (!info.features.has(NS_HTTP_UPLOAD)) throw new UploadError(`${jid.toString()} does not accept uploads`);
      return { jid, maxFileSize: maxFileSize(info), purposes: purposesOf(info) };
    }

    return {
      service,
      /**
       * Asks for a slot, and leaves it to the caller: where files go can be learnt from it.
       * @throws UploadError, TimeoutError, or the signal's reason
       */
      async slot(wish: SlotRequest, signal?: AbortSignal): Promise<Slot> {
        return askForSlot(await neededService(signal), wish, signal);
      },
      /**
       * Uploads a file.
       * @returns the URL under which anybody who knows it can fetch the file
       * @throws UploadError, HttpError, TimeoutError, or the signal's reason
       */
      async upload({ name, type, data, purpose, signal, onProgress }: FileToUpload): Promise<string> {
        const found = await neededService(signal);
        if (found.maxFileSize !== undefined && data.byteLength > found.maxFileSize) {
          const most = `${found.jid.toString()} accepts at most ${found.maxFileSize}`;
          throw new UploadError(`the file has ${data.byteLength} bytes; ${most}`, { maxFileSize: found.maxFileSize });
        }
        const wish = { filename: name, size: data.byteLength, contentType: type };
        const slot = await askForSlot(found, { ...wish, ...wishedPurpose(found, purpose) }, signal);
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

    async function neededService(signal: AbortSignal | undefined): Promise<UploadService> {
      const found = await service(signal);
      if (found === undefined) throw new UploadError(`${context.account.domainpart} has no upload service`);
      return found;
    }

    async function askForSlot(
      { jid }: UploadService,
      wish: SlotRequest,
      signal: AbortSignal | undefined,
    ): Promise<Slot> {
      if (notBefore !== undefined && notBefore.getTime() > Date.now()) {
        const when = `${jid.toString()} accepts no uploads before ${writeDateTime(notBefore)}`;
        throw new UploadError(when, { retryAt: notBefore });
      }
      try {
        const options = signal === undefined ? {} : { signal };
        const reply = await context.iq({ to: jid, type: 'get', payload: writeSlotRequest(wish), ...options });
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

/** Whether an entity is no upload service, rather than that nobody knows because the session ended. */
function isNoService(error: unknown): boolean {
  return error instanceof UploadError || error instanceof StanzaError || error instanceof TimeoutError;
}

/** `max-file-size` of the service's form (§3). */
function maxFileSize(info: DiscoInfo): number | undefined {
  return positive(fieldValue(extendedInfo(info, NS_HTTP_UPLOAD), 'max-file-size'));
}

/** The same, of its refusal (§6). */
function sizeIn(fileTooLarge: Element): number | undefined {
  return positive(fileTooLarge.childText('max-file-size'));
}

function positive(text: string | undefined): number | undefined {
  const size = Number(text);
  return Number.isSafeInteger(size) && size > 0 ? size : undefined;
}

function purposesOf({ features }: DiscoInfo): ReadonlySet<string> {
  const prefix = `${NS_UPLOAD_PURPOSE}#`;
  return new Set([...features].flatMap((one) => (one.startsWith(prefix) ? [one.slice(prefix.length)] : [])));
}

/** The purpose as far as the service knows it. @throws UploadError when the file is to expire and the service does not know that */
function wishedPurpose(
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
