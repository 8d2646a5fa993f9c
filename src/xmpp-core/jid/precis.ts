/**
 * PRECIS preparation of names and passwords (RFC 8264, RFC 8265): the two profiles XMPP uses. What goes in is what a person typed
 * or a peer sent; what comes out can be compared byte by byte. Case and composition are those of the running Node's Unicode; which
 * characters are allowed is decided by our own tables, the same on every Node.
 */
import { XmppError } from '../errors.js';
import { isRightToLeft, satisfiesBidiRule } from './bidi.js';
import { codePointName, precisProperty, type PrecisProperty } from './code-points.js';
import { outOfPlace } from './context-rules.js';
import { UNICODE_VERSION } from './unicode-tables.js';

/** The PRECIS profiles known here, by their registered names (RFC 8265 §3.3, §4.2). */
export type PrecisProfile = 'UsernameCaseMapped' | 'OpaqueString';

/** A text does not fit its profile. The message names the profile and at most one code point; the text itself may be a password. */
export class PrecisError extends XmppError {
  override readonly name = 'PrecisError';
  readonly profile: PrecisProfile;
  /** What is wrong, without the profile's name: `U+0009 is not allowed`. */
  readonly reason: string;

  constructor(profile: PrecisProfile, reason: string) {
    super(`${profile}: ${reason}`);
    this.profile = profile;
    this.reason = reason;
  }
}

/**
 * Prepares a user name: widths and case are mapped, the rest composed (RFC 8265 §3.3). Also the localpart of a JID.
 * @throws {PrecisError} when it is empty, holds a code point that the IdentifierClass does not have, or mixes directions
 */
export function usernameCaseMapped(text: string): string {
  if (/^[!-~]+$/.test(text)) return text.toLowerCase();
  return enforce('UsernameCaseMapped', text, (name) => {
    const mapped = mapWidth(name);
    requireAllowed('UsernameCaseMapped', mapped);
    const prepared = mapped.toLowerCase().normalize('NFC');
    if (isRightToLeft(prepared) && !satisfiesBidiRule(prepared)) {
      throw new PrecisError('UsernameCaseMapped', 'it mixes writing directions (the Bidi Rule, RFC 5893 §2)');
    }
    return prepared;
  });
}

/**
 * Prepares an opaque string: a password, or the resource of a JID. Case is kept; every kind of space becomes U+0020 (RFC 8265 §4.2).
 * @throws {PrecisError} when it is empty or holds a code point that the FreeformClass does not have
 */
export function opaqueString(text: string): string {
  if (/^[ -~]+$/.test(text)) return text;
  return enforce('OpaqueString', text, (secret) => {
    requireAllowed('OpaqueString', secret);
    return secret.replaceAll(/\p{Zs}/gu, ' ').normalize('NFC');
  });
}

/** Full-width and half-width forms become the characters they stand for (RFC 8264 §5.2.1). */
export function mapWidth(text: string): string {
  return text.replaceAll(/[\u3000\uFF01-\uFF60\uFF61-\uFFDC\uFFE0-\uFFEE]/g, (character) =>
    character.normalize('NFKC'),
  );
}

/** How often the rules are applied again before a text counts as one that never settles (RFC 8264 §7). */
const MAX_ROUNDS = 4;

/** Applies a profile's rules until they change nothing: composing can make a character that is not allowed, such as ≠ of = and U+0338. */
function enforce(profile: PrecisProfile, text: string, rules: (text: string) => string): string {
  if (text === '') throw new PrecisError(profile, 'it is empty');
  let current = text;
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const next = rules(current);
    if (next === current) return current;
    current = next;
  }
  throw new PrecisError(profile, 'it changes each time it is prepared (RFC 8264 §7)');
}

/** @throws {PrecisError} on the first code point outside the profile's string class (RFC 8264 §4), or out of its context */
function requireAllowed(profile: PrecisProfile, text: string): void {
  let inContext = false;
  for (const character of text) {
    const property = precisProperty(character.codePointAt(0) ?? 0);
    if (property === 'J' || property === 'O') inContext = true;
    const complaint = complaintAbout(property, profile);
    if (complaint !== undefined) throw new PrecisError(profile, `${codePointName(character)} ${complaint}`);
  }
  const misplaced = inContext ? outOfPlace(text) : undefined;
  if (misplaced !== undefined) {
    throw new PrecisError(profile, `${codePointName(misplaced)} is not allowed in this place (RFC 5892, Appendix A)`);
  }
}

function complaintAbout(property: PrecisProperty, profile: PrecisProfile): string | undefined {
  if (property === 'D') return 'is not allowed';
  if (property === 'U') return `is not a character of Unicode ${UNICODE_VERSION}`;
  if (property === 'F' && profile === 'UsernameCaseMapped') {
    return 'is not allowed: outside ASCII, only letters, marks and digits are';
  }
  return undefined;
}
