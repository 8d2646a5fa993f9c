/** Making what a provider said fit for a log: no key, no web page, no control characters, one short line. */

/** More of a text than this is not even looked at. */
const LOOKED_AT = 8192;
/** What is kept of it. */
const KEPT = 300;

/**
 * `text` in quotes, as one line of at most 300 characters; '' when nothing is left.
 * @param secret taken out wherever it stands, before anything is cut
 */
export function quote(text: string, secret: string | undefined): string {
  const open = (secret === undefined || secret === '' ? text : text.replaceAll(secret, '[key]')).slice(0, LOOKED_AT);
  const line = withoutKeys(isPage(open) ? pageText(open) : open)
    .replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Z}]+/gu, ' ')
    .trim();
  if (line === '') return '';
  // The cut may have parted a surrogate pair.
  return line.length > KEPT ? `"${line.slice(0, KEPT).replace(/\p{Cs}$/u, '')}…"` : `"${line}"`;
}

/** Providers like to repeat the key they do not accept, and it need not be quite the one we sent. */
function withoutKeys(text: string): string {
  return text
    .replace(/\bBearer\s+[\w.~+/=-]+/gi, 'Bearer [key]')
    .replace(/\b(?:sk|gsk|xai)[-_][\w*.-]{8,}/gi, '[key]')
    .replace(/\bAIza[\w-]{20,}/g, '[key]');
}

function isPage(text: string): boolean {
  return /^\s*<(?:!doctype|html|head|body|\?xml)/i.test(text);
}

/** A page's title says what went wrong in a few words; without one, its text. */
function pageText(page: string): string {
  const title = /<title[^<>]*>([^<]+)</i.exec(page)?.[1];
  return `a web page: ${title ?? page.replace(/<(style|script)\b[^]*?<\/\1>/gi, ' ').replace(/<[^<>]*>/g, ' ')}`;
}
