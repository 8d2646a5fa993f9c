/**
 * XEP-0363 HTTP File Upload, 1.2.0. https://xmpp.org/extensions/xep-0363.html
 *
 * Finds the server's upload service, asks it for a slot and puts the file there. Only https is spoken (§13), and only the
 * three headers that §4 allows are taken over from the slot.
 */
import { StanzaError, XmppError } from '../xmpp-core/errors.js';
import { Jid } from '../xmpp-core/jid/jid.js';
import { definePlugin } from '../xmpp-core/plugin.js';
import { el, type Element } from '../xmpp-core/xml/element.js';
import { serviceDiscovery, type DiscoInfo, type DiscoOptions } from './xep-0030-service-discovery.js';

export const NS_HTTP_UPLOAD = 'urn:xmpp:http:upload:0';

/** What a slot is asked for (§4). */
export interface SlotRequest {
  readonly filename: string;
  /** In bytes. */
  readonly size: number;
  readonly contentType: string;
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
}

export interface FileToUpload {
  readonly name: string;
  /** A media type, such as `text/plain`. */
  readonly type: string;
  readonly data: Uint8Array;
  readonly signal?: AbortSignal;
  /** Called with the number of bytes sent so far. */
  readonly onProgress?: (sentBytes: number) => void;
}

/** A file could not be uploaded; the message says at which step. */
export class UploadError extends XmppError {
  override readonly name = 'UploadError';
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
  return { filename, size, contentType: request.attr('content-type') ?? 'application/octet-stream' };
}

export function writeSlotRequest({ filename, size, contentType }: SlotRequest): Element {
  return el('request', NS_HTTP_UPLOAD, { filename, size, 'content-type': contentType });
}

/** A slot whose URLs are not https is none (§13). */
export function readSlot(slot: Element): Slot | undefined {
  const put = slot.child('put');
  const putUrl = put?.attr('url');
  const getUrl = slot.child('get')?.attr('url');
  if (put === undefined || !isHttps(putUrl) || !isHttps(getUrl)) return undefined;
  const headers: [string, string][] = [];
  for (const header of put.children('header')) {
    const name = ALLOWED_HEADERS.get((header.attr('name') ?? '').toLowerCase());
    // §4: line breaks in a value are removed, so that no further header can be slipped in.
    if (name !== undefined) headers.push([name, header.text.replaceAll(/[\r\n]/g, '')]);
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
    context.onOffline(() => {
      known = undefined;
    });

    /** The upload service of our server, or `undefined` when it has none (§3). Looked for once a session. */
    async function service(signal?: AbortSignal): Promise<UploadService | undefined> {
      if (known !== undefined) return known;
      const server = Jid.parse(context.account.domainpart);
      const options = signal === undefined ? { timeoutMs: 10_000 } : { signal, timeoutMs: 10_000 };
      const items = await disco.items(server, options);
      // A component that is configured and not connected answers with an error, or never: the others need not wait for it.
      const found = await Promise.any(
        [server, ...items.map(({ jid }) => jid)].slice(0, MAX_CANDIDATES).map((jid) => candidate(jid, options)),
      ).catch(() => undefined);
      signal?.throwIfAborted();
      known = found;
      return found;
    }

    /** @throws UploadError when the entity takes no files, or what asking it throws */
    async function candidate(jid: Jid, options: DiscoOptions): Promise<UploadService> {
      const info = await disco.info(jid, options);
      if (!info.features.has(NS_HTTP_UPLOAD)) throw new UploadError(`${jid.toString()} takes no files`);
      return { jid, maxFileSize: maxFileSize(info) };
    }

    return {
      service,
      /**
       * Uploads a file.
       * @returns the URL under which anybody who knows it can fetch the file
       * @throws UploadError, HttpError, TimeoutError, or the signal's reason
       */
      async upload({ name, type, data, signal, onProgress }: FileToUpload): Promise<string> {
        const found = await service(signal);
        if (found === undefined) throw new UploadError(`${context.account.domainpart} has no upload service`);
        if (found.maxFileSize !== undefined && data.byteLength > found.maxFileSize) {
          throw new UploadError(
            `the file has ${data.byteLength} bytes; ${found.jid.toString()} takes at most ${found.maxFileSize}`,
          );
        }
        const slot = await askForSlot(found, { filename: name, size: data.byteLength, contentType: type }, signal);
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
          throw new UploadError(`the upload to ${new URL(slot.putUrl).host} was answered with HTTP ${response.status}`);
        }
        return slot.getUrl;
      },
    };

    async function askForSlot(
      { jid }: UploadService,
      wish: SlotRequest,
      signal: AbortSignal | undefined,
    ): Promise<Slot> {
      try {
        const options = signal === undefined ? {} : { signal };
        const reply = await context.iq({ to: jid, type: 'get', payload: writeSlotRequest(wish), ...options });
        const slot = reply?.is('slot', NS_HTTP_UPLOAD) === true ? readSlot(reply) : undefined;
        if (slot === undefined)
          throw new UploadError(`${jid.toString()} answered without a slot that can be used over https`);
        return slot;
      } catch (error) {
        if (!(error instanceof StanzaError)) throw error;
        throw new UploadError(`${jid.toString()} gives no slot: ${error.message}`, { cause: error });
      }
    }
  },
});

/** `max-file-size` of the service's form (§3). */
function maxFileSize({ forms }: DiscoInfo): number | undefined {
  for (const form of forms) {
    const fields = new Map(form.children('field').map((field) => [field.attr('var'), field.childText('value')]));
    if (fields.get('FORM_TYPE') !== NS_HTTP_UPLOAD) continue;
    const size = Number(fields.get('max-file-size'));
    if (Number.isSafeInteger(size) && size > 0) return size;
  }
  return undefined;
}

function isHttps(url: string | undefined): url is string {
  return url !== undefined && URL.canParse(url) && new URL(url).protocol === 'https:';
}
