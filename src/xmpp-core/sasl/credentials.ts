/** Names and passwords as both sides must spell them before they are hashed or compared (RFC 8265). */
import { SaslError } from '../errors.js';
import { opaqueString, PrecisError, usernameCaseMapped } from '../jid/precis.js';
import type { Credentials } from './mechanism.js';

/**
 * Prepares a user name and a password.
 * @throws SaslError that says which of the two cannot be used, and of the password nothing more
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
    // The cause is left out on purpose: it names a character, and that may be one of the password's.
    throw new SaslError('malformed-credentials', `the ${what} is empty or has a character that XMPP does not allow`);
  }
}
