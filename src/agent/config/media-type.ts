/** Media types, and the patterns that block them: `video/mp4`, `video/*`, or two stars for everything. */

/** A type or subtype (RFC 6838 §4.2). */
const NAME = '[a-z0-9][a-z0-9!#$&^_.+-]{0,126}';
const PATTERN = new RegExp(`^(?:\\*/\\*|${NAME}/(?:\\*|${NAME}))$`);

/** Whether a text is a lower-case pattern: `type/subtype`, `type/*`, or two stars. */
export function isMediaTypePattern(text: string): boolean {
  return PATTERN.test(text);
}

/** Whether a media type as sent by a server (`Video/MP4; codecs=…`) matches a pattern. */
export function matchesMediaType(pattern: string, mediaType: string): boolean {
  const type = mediaType.split(';', 1)[0]?.trim().toLowerCase() ?? '';
  return pattern === '*/*' || type === pattern || (pattern.endsWith('/*') && type.startsWith(pattern.slice(0, -1)));
}
