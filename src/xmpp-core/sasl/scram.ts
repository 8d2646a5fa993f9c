/** SCRAM (RFC 5802, RFC 7677): both sides prove knowledge of the password without sending it. */
import { SaslError } from '../errors.js';
import { encodeBase64 } from './base64.js';
import type { BindingPlan } from './binding.js';
import { prepareCredentials } from './credentials.js';
import { checkDowngradeHash } from './downgrade.js';
import type { Credentials, Mechanism, Pin, SaslContext } from './mechanism.js';
import {
  clientKey,
  equalInConstantTime,
  serverKey,
  signature,
  scramName,
  storedKey,
  xor,
  type ScramHash,
} from './scram-keys.js';
import { escapeUsername, readServerFinal, readServerFirst, readText, type ServerFirst } from './scram-messages.js';

/** What the exchange waits for. `nothing`: it has succeeded or failed. */
type State =
  | { readonly awaits: 'start' }
  | { readonly awaits: 'server-first' }
  | { readonly awaits: 'server-final'; readonly serverSignature: Uint8Array }
  | { readonly awaits: 'success' }
  | { readonly awaits: 'nothing' };

/** The part of the context that an exchange needs. */
export type ScramContext = Pick<SaslContext, 'offered' | 'serverBindingTypes' | 'saltedPasswords' | 'signal'>;

/** One SCRAM exchange. */
export class Scram implements Mechanism {
  readonly name: string;
  readonly pin: Pin = 'never-plain';
  readonly #hash: ScramHash;
  readonly #binding: BindingPlan;
  readonly #credentials: Credentials;
  readonly #clientNonce: string;
  readonly #context: ScramContext;
  #state: State = { awaits: 'start' };

  /**
   * @param clientNonce printable ASCII without a comma, never reused
   * @throws SaslError when the credentials contain what XMPP does not allow
   */
  constructor(
    hash: ScramHash,
    binding: BindingPlan,
    credentials: Credentials,
    clientNonce: string,
    context: ScramContext,
  ) {
    this.name = scramName(hash, binding.plus);
    this.#hash = hash;
    this.#binding = binding;
    this.#credentials = prepareCredentials(credentials);
    this.#clientNonce = clientNonce;
    this.#context = context;
  }

  async initial(): Promise<Uint8Array> {
    if (this.#takeState().awaits !== 'start') throw new SaslError('aborted', 'this SCRAM exchange has already started');
    this.#state = { awaits: 'server-first' };
    return utf8(this.#binding.gs2Header + this.#clientFirstBare());
  }

  async challenge(data: Uint8Array): Promise<Uint8Array> {
    const state = this.#takeState();
    if (state.awaits === 'server-first') {
      const { clientFinal, serverSignature } = await this.#prove(readText(data));
      this.#state = { awaits: 'server-final', serverSignature };
      return utf8(clientFinal);
    }
    // A server may send its last message as a challenge, and then a success without data (RFC 6120 §6.3.10).
    if (state.awaits === 'server-final') {
      verifyServer(data, state.serverSignature);
      this.#state = { awaits: 'success' };
      return utf8('');
    }
    throw new SaslError('unexpected-challenge', 'the server sent one challenge more than SCRAM has');
  }

  success(data: Uint8Array | undefined): void {
    const state = this.#takeState();
    if (state.awaits === 'success') {
      if (data !== undefined && data.length > 0) {
        throw new SaslError('malformed-challenge', 'the server sent more data after its SCRAM signature');
      }
      return;
    }
    if (state.awaits !== 'server-final' || data === undefined) {
      throw new SaslError(
        'server-not-proved',
        'the server reported success without proving that it knows the password',
      );
    }
    verifyServer(data, state.serverSignature);
  }

  /** Returns the state and sets `nothing` until the step is done, so that a failed or concurrent step ends the exchange. */
  #takeState(): State {
    const state = this.#state;
    this.#state = { awaits: 'nothing' };
    return state;
  }

  #clientFirstBare(): string {
    return `n=${escapeUsername(this.#credentials.username)},r=${this.#clientNonce}`;
  }

  /** RFC 5802 §3: computes our final message and the signature that the server must answer with, from the server's first message. */
  async #prove(serverFirst: string): Promise<{ clientFinal: string; serverSignature: Uint8Array }> {
    const hash = this.#hash;
    const { saltedPasswords, signal } = this.#context;
    const { nonce, salt, iterations, downgradeHash } = readServerFirst(serverFirst, this.#clientNonce);
    this.#checkAdvertised(downgradeHash);

    const salted = await saltedPasswords.get(hash, this.#credentials.password, salt, iterations, signal);
    const withoutProof = `c=${this.#bindingInput()},r=${nonce}`;
    const authMessage = `${this.#clientFirstBare()},${serverFirst},${withoutProof}`;
    const key = clientKey(hash, salted);
    const proof = xor(key, signature(hash, storedKey(hash, key), authMessage));
    return {
      clientFinal: `${withoutProof},p=${encodeBase64(proof)}`,
      serverSignature: signature(hash, serverKey(hash, salted), authMessage),
    };
  }

  #checkAdvertised(downgradeHash: ServerFirst['downgradeHash']): void {
    if (downgradeHash !== undefined) {
      checkDowngradeHash(downgradeHash, this.#hash, this.#context.offered, this.#context.serverBindingTypes);
    } else if (this.#binding.needsDowngradeHash) {
      throw new SaslError(
        'channel-binding',
        'the server lists no channel binding that we support, and nothing protects the list from changes (XEP-0440 §3, XEP-0474). ' +
          'If the server is configured like that, turn channel binding off for this account',
      );
    }
  }

  /** `cbind-input` (RFC 5802 §7), in base64: repeats our choice under the signature. */
  #bindingInput(): string {
    const { gs2Header, data } = this.#binding;
    return encodeBase64(Uint8Array.from([...utf8(gs2Header), ...data]));
  }
}

function verifyServer(data: Uint8Array, expected: Uint8Array): void {
  if (equalInConstantTime(readServerFinal(readText(data)), expected)) return;
  throw new SaslError('server-not-proved', "the server's signature is wrong: it does not know the password");
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
