/**
 * PRECIS preparation of names and passwords (RFC 8264, RFC 8265): the two profiles that XMPP uses. The input is what a person typed
 * or a peer sent; the output can be compared byte by byte. Case and composition follow the Unicode version of the running Node;
 * our own tables decide which characters are allowed, the same on every Node.
 */
import { XmppError } from '../errors.js';
import { isRightToLeft, satisfiesBidiRule } from './bidi.js';
import { codePointName, precisProperty, type PrecisProperty } from './code-points.js';
import { findMisplaced } from './context-rules.js';
import { UNICODE_VERSION } from './unicode-tables.js';

/** The supported PRECIS profiles, by their registered names (RFC 8265 §3.3, §4.2). */
export type PrecisProfile = 'UsernameCaseMapped' | 'OpaqueString';

/** Thrown for a text that violates its profile. The message names the profile and at most one code point, since the text may be a password. */
export class PrecisError extends XmppError {
  override readonly name = 'PrecisError';
  readonly profile: PrecisProfile;
  /** The message without the profile's name: `U+0009 is not allowed`. */
  readonly reason: string;

  constructor(profile: PrecisProfile, reason: string) {
    super(`${profile}: ${reason}`);
    this.profile = profile;
    this.reason = reason;
  }
}

/**
 * Prepares a user name or the localpart of a JID: maps width and case, then composes (RFC 8265 §3.3).
 * @throws {PrecisError} when it is empty, has a code point outside the IdentifierClass, or mixes directions
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
 * @throws {PrecisError} when it is empty or has a code point outside the FreeformClass
 */
export function opaqueString(text: string): string {
  if (/^[ -~]+$/.test(text)) return text;
  return enforce('OpaqueString', text, (secret) => {
    requireAllowed('OpaqueString', secret);
    return secret.replaceAll(/\p{Zs}/gu, ' ').normalize('NFC');
  });
}

/** Maps full-width and half-width forms to the normal characters (RFC 8264 §5.2.1). */
export function mapWidth(text: string): string {
  return text.replaceAll(/[\u3000\uFF01-\uFF60\uFF61-\uFFDC\uFFE0-\uFFEE]/g, (character) =>
    character.normalize('NFKC'),
  );
}

/** How often the rules are applied before the text is rejected as unstable (RFC 8264 §7). */
const MAX_ROUNDS = 4;

/** Applies a profile's rules until nothing changes: composition can produce a forbidden character, such as ≠ from = and U+0338. */
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

/** @throws {PrecisError} on the first code point outside the profile's string class (RFC 8264 §4) or its context */
function requireAllowed(profile: PrecisProfile, text: string): void {
  let inContext = false;
  for (const character of text) {
    const property = precisProperty(character.codePointAt(0) ?? 0);
    if (property === 'J' || property === 'O') inContext = true;
    const objection = objectionTo(property, profile);
    if (objection !== undefined) throw new PrecisError(profile, `${codePointName(character)} ${objection}`);
  }
  const misplaced = inContext ? findMisplaced(text) : undefined;
  if (misplaced !== undefined) {
    throw new PrecisError(profile, `${codePointName(misplaced)} is not allowed in this place (RFC 5892, Appendix A)`);
  }
}

function objectionTo(property: PrecisProperty, profile: PrecisProfile): string | undefined {
  if (property === 'D') return 'is not allowed';
  if (property === 'U') return `is not a character of Unicode ${UNICODE_VERSION}`;
  if (property === 'F' && profile === 'UsernameCaseMapped') {
    return 'is not allowed: outside ASCII, only letters, marks and digits are';
  }
  return undefined;
}
