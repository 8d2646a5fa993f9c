/** How the model is told of files: what a file says stands between fences it cannot close, and never at the margin where people speak. */
import type { Attachment } from '../conversation/records.js';
import type { PictureReference } from './pictures.js';

/** Files in words, and the pictures that are to be shown with them. */
export interface AttachmentDescriptions {
  readonly lines: readonly string[];
  readonly pictures: readonly PictureReference[];
}

/** @param mostPictures how many may be shown; the last ones are */
export function describeAttachments(media: readonly Attachment[], mostPictures: number): AttachmentDescriptions {
  const kept = media.flatMap((one) => pictureIn(one) ?? []);
  const pictures = mostPictures > 0 ? kept.slice(-mostPictures) : [];
  const shown = new Set(pictures.map(({ file }) => file));
  return { lines: media.map((one) => inWords(one, shown)), pictures };
}

/** How a file is told of: a line, and the text of a text file. */
function inWords(media: Attachment, shown: ReadonlySet<string>): string {
  const { name, type, size, text, note } = media;
  const picture = pictureIn(media);
  const details = [
    `"${safeWords(name)}"`,
    ...(type === undefined ? [] : [safeWords(type)]),
    ...(size === undefined ? [] : [sizeInWords(size)]),
    ...(note === undefined ? [] : [safeWords(note)]),
    ...(picture === undefined ? [] : [shown.has(picture.file) ? 'shown with this message' : 'not shown again']),
  ];
  const line = `[${picture === undefined ? 'file' : 'picture'} ${details.join(', ')}]`;
  if (text === undefined) return line;
  const fence = '`'.repeat(Math.max(3, longestRun(text) + 1));
  return `${line}\n${fence}\n${indented(text)}\n${fence}`;
}

/** Nothing in it begins at the margin, where a message with its speaker, or the fence, does. */
function indented(text: string): string {
  return `  ${text.trimEnd().replaceAll(/\r\n|[\n\r\v\f\u0085\u2028\u2029]/gu, '\n  ')}`;
}

function longestRun(text: string): number {
  let longest = 0;
  for (const [run] of text.matchAll(/`+/g)) longest = Math.max(longest, run.length);
  return longest;
}

/** Words of a stranger that stay within their quotation marks and their brackets. */
function safeWords(words: string): string {
  return words.replaceAll(/[\p{C}\p{DI}\p{Zl}\p{Zp}"[\]<>]/gu, '\uFFFD').slice(0, 100);
}

/** `12 bytes`, `34 kB`, `5.6 MB`. */
function sizeInWords(bytes: number): string {
  if (bytes < 1000) return `${bytes} bytes`;
  if (bytes < 1_000_000) return `${Math.round(bytes / 1000)} kB`;
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}

/** The picture that is kept of a file, if one is. */
function pictureIn({ name, type, file }: Attachment): PictureReference | undefined {
  return file === undefined || type === undefined ? undefined : { file, mediaType: type, name: safeWords(name) };
}
