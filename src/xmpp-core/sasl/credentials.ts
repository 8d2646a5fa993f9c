/** Prepares names and passwords, so that both sides hash and compare the same bytes (RFC 8265). */
import { SaslError } from '../errors.js';
import { opaqueString, PrecisError, usernameCaseMapped } from '../jid/precis.js';
import type { Credentials } from './mechanism.js';

/**
 * Prepares a user name and a password.
 * @throws SaslError `malformed-credentials`, which names the invalid one and reveals nothing about the password
 */
export function prepareCredentials({ username, password }: Credentials): Credentials {
  return {
    username: prepared('user name', usernameCaseMapped, username),
    password: prepared('password', opaqueString, password),
  };
}

function prepared(what: string, profile: (text: string) => string, text: string): string {
  try {
    return profile(text);
  } catch (error) {
    if (!(error instanceof PrecisError)) throw error;
    // No `cause` on purpose: it names a character, which may be part of the password.
    throw new SaslError('malformed-credentials', `the ${what} is empty or has a character that XMPP does not allow`);
  }
}
