/** The mechanisms that are one message: all is said in the initial response, and the server proves nothing. */
import { SaslError } from '../errors.js';
import { prepareCredentials } from './credentials.js';
import type { Credentials, Mechanism, Pin } from './mechanism.js';

export class SingleMessage implements Mechanism {
  readonly name: string;
  readonly pin: Pin | undefined;
  readonly #message: string;
  #sent = false;

  constructor(name: string, pin: Pin | undefined, message: string) {
    this.name = name;
    this.pin = pin;
    this.#message = message;
  }

  async initial(): Promise<Uint8Array> {
    this.#sent = true;
    return new TextEncoder().encode(this.#message);
  }

  async challenge(): Promise<Uint8Array> {
    throw new SaslError('unexpected-challenge', `the server sent a challenge, but ${this.name} has none`);
  }

  success(): void {
    if (!this.#sent) throw new SaslError('unexpected-success', 'the server reported success before we authenticated');
  }
}

/**
 * PLAIN (RFC 4616): the password itself. Only for the inside of TLS; the choice sees to that.
 * @throws SaslError when the credentials hold what XMPP does not allow
 */
export function plain(credentials: Credentials): Mechanism {
  const { username, password } = prepareCredentials(credentials);
  return new SingleMessage('PLAIN', undefined, `\0${username}\0${password}`);
}

/** EXTERNAL (RFC 4422 appendix A): the server knows us from our TLS certificate, and takes the account from it. */
export function external(): Mechanism {
  return new SingleMessage('EXTERNAL', 'never-plain', '');
}

/** ANONYMOUS (RFC 4505): an account for the length of a session. No trace information is sent. */
export function anonymous(): Mechanism {
  return new SingleMessage('ANONYMOUS', undefined, '');
}
