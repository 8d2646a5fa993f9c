/** Files that go out: what may be sent, where it is put, and what is done where there is no such place. */
import type { Client } from '../../../xmpp-core/client.js';
import { httpUpload } from '../../../xeps/xep-0363-http-file-upload.js';
import { safeFileName } from '../../../xeps/xep-0446-file-metadata.js';
import type { SharedFile } from '../../../xeps/xep-0447-stateless-file-sharing.js';
import { matchesMediaType } from '../../config/media-type.js';
import type { AccountConfig } from '../../config/config.js';
import { readPicture, readText, sniffType } from '../../media/content-type.js';
import type { OutgoingFile } from '../../tools/tool.js';
import { chunk } from '../../text/chunk.js';

/** What an account says of files that go out, and of messages. */
export type FileRules = Pick<AccountConfig, 'mediaMaxMb' | 'blockedMediaTypes' | 'textChunkLimit'>;

const BYTES_PER_MB = 1024 * 1024;
/** A text that takes more messages than this is not put into them. */
const MOST_MESSAGES = 5;

/** Whether the settings let a file go out; what its bytes are counts as well as what it is said to be. */
export function mayBeSent({ mediaType, data }: OutgoingFile, rules: FileRules): boolean {
  const types = [mediaType, sniffType(data) ?? mediaType];
  const isBlocked = rules.blockedMediaTypes.some((pattern) => types.some((type) => matchesMediaType(pattern, type)));
  return !isBlocked && data.byteLength > 0 && data.byteLength <= rules.mediaMaxMb * BYTES_PER_MB;
}

/** Puts a file where people can fetch it. @returns `undefined` when there is no such place, it does not take the file, or the signal ended it */
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
    const wish = { name, type: mediaType, data, ...(signal === undefined ? {} : { signal }) };
    const url = await client.get(httpUpload).upload(wish);
    return {
      disposition: picture === undefined ? 'attachment' : 'inline',
      file: { name, mediaType, size: data.byteLength, ...size },
      urls: [url],
    };
  } catch {
    // Whatever went wrong with it, there is another way for a text, and people are told of anything else.
    return undefined;
  }
}

/** A text file as messages; `undefined` when it is no text, or too long for them. */
export function asMessages({ name, mediaType, data }: OutgoingFile, limit: number): readonly string[] | undefined {
  if (data.byteLength > limit * MOST_MESSAGES * 4) return undefined;
  const text = readText(data, mediaType);
  if (text === undefined) return undefined;
  const longest = [...text.matchAll(/`+/g)].reduce((most, [run]) => Math.max(most, run.length), 2);
  const fence = '`'.repeat(longest + 1);
  const messages = chunk(`${safeFileName(name)}:\n${fence}\n${text.trimEnd()}\n${fence}`, limit);
  return messages.length > MOST_MESSAGES ? undefined : messages;
}
