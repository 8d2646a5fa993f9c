/**
 * PRECIS preparation of names and passwords (RFC 8264, RFC 8265): the two profiles XMPP uses. What goes in is what a person typed
 * or a peer sent; what comes out can be compared byte by byte.
 */
import { XmppError } from '../errors.js';

/** The PRECIS profiles known here, by their registered names (RFC 8265 §3.3, §4.2). */
export type PrecisProfile = 'UsernameCaseMapped' | 'OpaqueString';

/** A text does not fit its profile. The message names the profile and at most one code point; the text itself may be a password. */
export class PrecisError extends XmppError {
  override readonly name = 'PrecisError';
  readonly profile: PrecisProfile;
  /** What is wrong, without the profile's name: `U+0020 is not allowed`. */
  readonly reason: string;

  constructor(profile: PrecisProfile, reason: string) {
    super(`${profile}: ${reason}`);
    this.profile = profile;
    this.reason = reason;
  }
}

/** `U+00E9`: how messages here name a code point, so that no invisible character hides in a log. */
export function codePointName(character: string): string {
  return `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;
}

const ASCII_LOWER_NAME = /^[!-@[-~]+$/;
const ASCII_PRINTABLE = /^[ -~]+$/;
const NOT_IDENTIFIER = /[^!-~\p{Ll}\p{Lu}\p{Lo}\p{Lm}\p{Mn}\p{Mc}\p{Nd}]/u;
const NOT_FREEFORM = /[\p{Cc}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u;

/** Full-width and half-width forms become what they stand for (RFC 8264 §5.2.1). */
function mapWidth(text: string): string {
  return text.replace(/[\u3000\uFF01-\uFFEF]/g, (character) => character.normalize('NFKC'));
}

/**
 * Prepares a user name: widths and case are mapped, the rest composed (RFC 8265 §3.3). Also the localpart of a JID.
 * @throws {PrecisError} when it is empty or holds a code point the IdentifierClass does not have
 */
export function usernameCaseMapped(text: string): string {
  if (ASCII_LOWER_NAME.test(text)) return text;
  const mapped = mapWidth(text).toLowerCase().normalize('NFC');
  if (mapped === '') throw new PrecisError('UsernameCaseMapped', 'it is empty');
  const wrong = NOT_IDENTIFIER.exec(mapped);
  if (wrong) throw new PrecisError('UsernameCaseMapped', `${codePointName(wrong[0])} is not allowed`);
  return mapped;
}

/**
 * Prepares an opaque string: a password, or the resource of a JID. Case is kept; every kind of space becomes U+0020 (RFC 8265 §4.2).
 * @throws {PrecisError} when it is empty or holds a code point the FreeformClass does not have
 */
export function opaqueString(text: string): string {
  if (ASCII_PRINTABLE.test(text)) return text;
  const mapped = text.replace(/\p{Zs}/gu, ' ').normalize('NFC');
  if (mapped === '') throw new PrecisError('OpaqueString', 'it is empty');
  const wrong = NOT_FREEFORM.exec(mapped);
  if (wrong) throw new PrecisError('OpaqueString', `${codePointName(wrong[0])} is not allowed`);
  return mapped;
}
