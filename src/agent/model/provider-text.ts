/** Makes a provider's error text safe for a log: no key, no text of people, no web page, no control characters, one short line. */

/** Only this many characters of a text are examined. */
const MAX_INPUT = 8192;
/** The maximum length of the result. */
const MAX_OUTPUT = 300;
/** A run of this many characters that also occurs in the request counts as quoted from it; shorter ones are coincidence. */
const MIN_QUOTED = 12;

/**
 * Returns `text` in quotes, as one line of at most 300 characters; '' when nothing is left.
 * @param secret removed everywhere, before anything is cut
 * @param written the texts of the request, which providers often quote: they are left out
 */
export function quote(text: string, secret: string | undefined, written: readonly string[] = []): string {
  const open = (secret === undefined || secret === '' ? text : text.replaceAll(secret, '[key]')).slice(0, MAX_INPUT);
  const line = withoutWords(
    oneLine(withoutKeys(isPage(open) ? pageText(open) : open)).slice(0, MAX_OUTPUT + MIN_QUOTED),
    written,
  );
  if (line === '') return '';
  // The cut may have split a surrogate pair.
  return line.length > MAX_OUTPUT ? `"${line.slice(0, MAX_OUTPUT).replace(/\p{Cs}$/u, '')}…"` : `"${line}"`;
}

function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Z}]+/gu, ' ').trim();
}

/** Removes text of people and the model, which must not be logged: short texts where they are whole words, any part of longer ones. */
function withoutWords(line: string, written: readonly string[]): string {
  const texts = written.map(oneLine);
  const long = texts.filter((text) => text.length >= MIN_QUOTED).join('\n');
  const repeated = Array.from({ length: line.length }, () => false);
  for (let start = 0; start + MIN_QUOTED <= line.length; start += 1) {
    if (long.includes(line.slice(start, start + MIN_QUOTED))) repeated.fill(true, start, start + MIN_QUOTED);
  }
  const short = new Set(texts.filter((text) => text.length >= 4 && text.length < MIN_QUOTED));
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
      // The removal may have split a surrogate pair.
      .replace(/\p{Cs}/gu, '')
  );
}

function isWord(character: string | undefined): boolean {
  return character !== undefined && /[\p{L}\p{N}_]/u.test(character);
}

/** Removes anything that looks like a key: providers quote a rejected key, sometimes altered. */
function withoutKeys(text: string): string {
  return text
    .replace(/\bBearer\s+[\w.~+/=-]+/gi, 'Bearer [key]')
    .replace(/\b(?:sk|gsk|xai)[-_][\w*.-]{8,}/gi, '[key]')
    .replace(/\bAIza[\w-]{20,}/g, '[key]');
}

/** Whether a text is a web page. */
export function isPage(text: string): boolean {
  return /^\s*<(?:!doctype|html|head|body|\?xml)/i.test(text);
}

/** The title of a page, which usually names the error; without a title, its text. */
function pageText(page: string): string {
  const title = /<title[^<>]*>([^<]+)</i.exec(page)?.[1];
  return `a web page: ${title ?? page.replace(/<(style|script)\b[^]*?<\/\1>/gi, ' ').replace(/<[^<>]*>/g, ' ')}`;
}
