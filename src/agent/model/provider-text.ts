/** Making what a provider said fit for a log: no key, no words of people, no web page, no control characters, one short line. */

/** More of a text than this is not even looked at. */
const LOOKED_AT = 8192;
/** What is kept of it. */
const KEPT = 300;
/** What a provider's words have in common with what people wrote is chance up to so many characters. */
const CHANCE = 12;

/**
 * `text` in quotes, as one line of at most 300 characters; '' when nothing is left.
 * @param secret taken out wherever it stands, before anything is cut
 * @param written what the request said, which providers like to repeat: that is left out
 */
export function quote(text: string, secret: string | undefined, written: readonly string[] = []): string {
  const open = (secret === undefined || secret === '' ? text : text.replaceAll(secret, '[key]')).slice(0, LOOKED_AT);
  const line = withoutWords(
    oneLine(withoutKeys(isPage(open) ? pageText(open) : open)).slice(0, KEPT + CHANCE),
    written,
  );
  if (line === '') return '';
  // The cut may have parted a surrogate pair.
  return line.length > KEPT ? `"${line.slice(0, KEPT).replace(/\p{Cs}$/u, '')}…"` : `"${line}"`;
}

function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Z}]+/gu, ' ').trim();
}

/** What people and the model wrote is not for the log: a short text where it stands as words, any part of a longer one. */
function withoutWords(line: string, written: readonly string[]): string {
  const texts = written.map(oneLine);
  const long = texts.filter((text) => text.length >= CHANCE).join('\n');
  const repeated = Array.from({ length: line.length }, () => false);
  for (let start = 0; start + CHANCE <= line.length; start += 1) {
    if (long.includes(line.slice(start, start + CHANCE))) repeated.fill(true, start, start + CHANCE);
  }
  const short = new Set(texts.filter((text) => text.length >= 4 && text.length < CHANCE));
  for (const text of short) {
    for (let at = line.indexOf(text); at >= 0; at = line.indexOf(text, at + 1)) {
      const isWhole = !isWord(line[at - 1]) && !isWord(line[at + text.length]);
      if (isWhole) repeated.fill(true, at, at + text.length);
    }
  }
  return (
    line
      .split('')
      .map((character, index) => (repeated[index] !== true ? character : repeated[index - 1] === true ? '' : '…'))
      .join('')
      // A surrogate pair may have been parted.
      .replace(/\p{Cs}/gu, '')
  );
}

function isWord(character: string | undefined): boolean {
  return character !== undefined && /[\p{L}\p{N}_]/u.test(character);
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
