/** Mechanisms of a single message, the initial response. The server proves nothing. */
import { SaslError } from '../errors.js';
import { prepareCredentials } from './credentials.js';
import type { Credentials, Mechanism, Pin } from './mechanism.js';

/** A mechanism that sends one message and accepts any success. */
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
 * PLAIN (RFC 4616): the password itself. `chooseMechanism` uses it inside TLS only.
 * @throws SaslError when the credentials contain what XMPP does not allow
 */
export function plain(credentials: Credentials): Mechanism {
  const { username, password } = prepareCredentials(credentials);
  return new SingleMessage('PLAIN', undefined, `\0${username}\0${password}`);
}

/** EXTERNAL (RFC 4422 appendix A): the server takes the account from our TLS certificate. */
export function external(): Mechanism {
  return new SingleMessage('EXTERNAL', 'never-plain', '');
}

/** ANONYMOUS (RFC 4505): an account for the duration of a session. No trace information is sent. */
export function anonymous(): Mechanism {
  return new SingleMessage('ANONYMOUS', undefined, '');
}
