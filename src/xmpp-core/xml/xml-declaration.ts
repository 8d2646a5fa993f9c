/** The XML declaration, `<?xml version='1.0'?>` (XML 1.0 §2.8, §4.3.3). */

import { StreamError } from '../errors.js';
import { notWellFormed, restrictedXml } from './violations.js';

const DECLARATION =
  /^<\?xml[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*(?:'1\.\d+'|"1\.\d+")(?:[ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*(?:'([A-Za-z][\w.-]*)'|"([A-Za-z][\w.-]*)"))?(?:[ \t\r\n]+standalone[ \t\r\n]*=[ \t\r\n]*(?:'(?:yes|no)'|"(?:yes|no)"))?[ \t\r\n]*\?>$/;

/** What nearly every server sends. Comparing with it first saves compiling the pattern above. */
const USUAL = "<?xml version='1.0'?>";

/**
 * Validates a token that begins with `<?`: only an XML declaration at the very start passes, and only for UTF-8 (RFC 6120 §11.6).
 * @param first whether the token is at the very start
 * @throws StreamError `restricted-xml`, `not-well-formed` or `unsupported-encoding`
 */
export function checkInstruction(token: string, first: boolean): void {
  if (first && token === USUAL) return;
  if (!/^<\?xml[ \t\r\n?]/i.test(token)) throw restrictedXml('a processing instruction');
  if (!first) throw notWellFormed('an XML declaration that is not at the start');
  const declaration = DECLARATION.exec(token);
  if (declaration === null) throw notWellFormed('a malformed XML declaration');
  const encoding = declaration[1] ?? declaration[2] ?? 'utf-8';
  if (encoding.toLowerCase() !== 'utf-8') {
    throw new StreamError('unsupported-encoding', 'an encoding other than UTF-8 declared');
  }
}
