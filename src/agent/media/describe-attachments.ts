/** Describes attachments for the model. The text of a file is fenced and indented, so that it cannot close the fence or imitate a message. */
import type { Attachment } from '../conversation/records.js';
import type { PictureReference } from './pictures.js';

/** Descriptions of attachments, one each, and the pictures to show with them. */
export interface AttachmentDescriptions {
  readonly lines: readonly string[];
  readonly pictures: readonly PictureReference[];
}

/** Describes attachments. @param maxPictures how many pictures to show, the last ones */
export function describeAttachments(media: readonly Attachment[], maxPictures: number): AttachmentDescriptions {
  const kept = media.flatMap((one) => pictureIn(one) ?? []);
  const pictures = maxPictures > 0 ? kept.slice(-maxPictures) : [];
  const shown = new Set(pictures.map(({ file }) => file));
  return { lines: media.map((one) => describe(one, shown)), pictures };
}

/** A line in brackets, and the content of a text file. */
function describe(media: Attachment, shown: ReadonlySet<string>): string {
  const { name, type, size, text, note } = media;
  const picture = pictureIn(media);
  const details = [
    `"${safeText(name)}"`,
    ...(type === undefined ? [] : [safeText(type)]),
    ...(size === undefined ? [] : [formatSize(size)]),
    ...(note === undefined ? [] : [safeText(note)]),
    ...(picture === undefined ? [] : [shown.has(picture.file) ? 'shown with this message' : 'not shown again']),
  ];
  const line = `[${picture === undefined ? 'file' : 'picture'} ${details.join(', ')}]`;
  if (text === undefined) return line;
  const fence = '`'.repeat(Math.max(3, longestRun(text) + 1));
  return `${line}\n${fence}\n${indented(text)}\n${fence}`;
}

/** Indents every line: messages with their speakers, and the fence, begin at the margin. */
function indented(text: string): string {
  return `  ${text.trimEnd().replaceAll(/\r\n|[\n\r\v\f\u0085\u2028\u2029]/gu, '\n  ')}`;
}

function longestRun(text: string): number {
  let longest = 0;
  for (const [run] of text.matchAll(/`+/g)) longest = Math.max(longest, run.length);
  return longest;
}

/** Text of a stranger that cannot leave its quotation marks or brackets. */
function safeText(text: string): string {
  return text.replaceAll(/[\p{C}\p{DI}\p{Zl}\p{Zp}"[\]<>]/gu, '\uFFFD').slice(0, 100);
}

/** `12 bytes`, `34 kB`, `5.6 MB`. */
function formatSize(bytes: number): string {
  if (bytes < 1000) return `${bytes} bytes`;
  if (bytes < 1_000_000) return `${Math.round(bytes / 1000)} kB`;
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}

/** The stored picture of an attachment, if any. */
function pictureIn({ name, type, file }: Attachment): PictureReference | undefined {
  return file === undefined || type === undefined ? undefined : { file, mediaType: type, name: safeText(name) };
}
