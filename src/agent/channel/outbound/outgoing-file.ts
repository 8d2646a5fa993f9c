/** Files that the bot sends: which are allowed, uploading them, and texts as messages where there is no upload service. */
import type { Client } from '../../../xmpp-core/client.js';
import { XmppError } from '../../../xmpp-core/errors.js';
import { httpUpload } from '../../../xeps/xep-0363-http-file-upload.js';
import { safeFileName } from '../../../xeps/xep-0446-file-metadata.js';
import type { SharedFile } from '../../../xeps/xep-0447-stateless-file-sharing.js';
import { matchesMediaType } from '../../config/media-type.js';
import type { AccountConfig } from '../../config/config.js';
import { readPicture, readText, sniffType } from '../../media/content-type.js';
import type { OutgoingFile } from '../../tools/tool.js';
import { chunk } from '../../text/chunk.js';

/** The settings of an account for files and messages. */
export type FileRules = Pick<AccountConfig, 'mediaMaxMb' | 'blockedMediaTypes' | 'textChunkLimit'>;

const BYTES_PER_MB = 1024 * 1024;
/** The most messages for one text file. */
const MAX_MESSAGES = 5;

/** Whether the settings allow a file to be sent. Both its stated type and the type of its content count. */
export function mayBeSent({ mediaType, data }: OutgoingFile, rules: FileRules): boolean {
  const types = [mediaType, sniffType(data) ?? mediaType];
  const isBlocked = rules.blockedMediaTypes.some((pattern) => types.some((type) => matchesMediaType(pattern, type)));
  return !isBlocked && data.byteLength > 0 && data.byteLength <= rules.mediaMaxMb * BYTES_PER_MB;
}

/** Uploads a file (XEP-0363). @returns `undefined` when there is no upload service, it refuses the file, or the signal is aborted */
export async function upload(
  client: Client,
  file: OutgoingFile,
  signal?: AbortSignal,
): Promise<SharedFile | undefined> {
  const { mediaType, data } = file;
  const name = safeFileName(file.name);
  const picture = readPicture(data);
  const size = picture === undefined ? {} : { width: picture.width, height: picture.height };
  try {
    const request = { name, type: mediaType, data, ...(signal === undefined ? {} : { signal }) };
    const url = await client.get(httpUpload).upload(request);
    return {
      disposition: picture === undefined ? 'attachment' : 'inline',
      file: { name, mediaType, size: data.byteLength, ...size },
      urls: [url],
    };
  } catch (error) {
    // Without an upload a text is sent as messages; for anything else people get a notice.
    if (error instanceof XmppError || signal?.aborted === true) return undefined;
    throw error;
  }
}

/** A text file as messages of at most `limit` code points; `undefined` when it is not text, or too long. */
export function asMessages({ name, mediaType, data }: OutgoingFile, limit: number): readonly string[] | undefined {
  if (data.byteLength > limit * MAX_MESSAGES * 4) return undefined;
  const text = readText(data, mediaType);
  if (text === undefined) return undefined;
  const longest = [...text.matchAll(/`+/g)].reduce((most, [run]) => Math.max(most, run.length), 2);
  const fence = '`'.repeat(longest + 1);
  const messages = chunk(`${safeFileName(name)}:\n${fence}\n${text.trimEnd()}\n${fence}`, limit);
  return messages.length > MAX_MESSAGES ? undefined : messages;
}
