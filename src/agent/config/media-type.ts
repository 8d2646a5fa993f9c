/** Media types, and the patterns that block them: `video/mp4`, `video/*`, or two stars for everything. */

/** RFC 6838 §4.2: what a type and a subtype may consist of. */
const NAME = '[a-z0-9][a-z0-9!#$&^_.+-]{0,126}';
const PATTERN = new RegExp(`^(?:\\*/\\*|${NAME}/(?:\\*|${NAME}))$`);

/** True for `type/subtype`, `type/*` and the pattern of two stars, in lower case. */
export function isMediaTypePattern(text: string): boolean {
  return PATTERN.test(text);
}

/** Whether a media type, as a server states it (`Video/MP4; codecs=…`), falls under a pattern. */
export function matchesMediaType(pattern: string, mediaType: string): boolean {
  const type = mediaType.split(';', 1)[0]?.trim().toLowerCase() ?? '';
  return pattern === '*/*' || type === pattern || (pattern.endsWith('/*') && type.startsWith(pattern.slice(0, -1)));
}
