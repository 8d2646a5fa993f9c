/** The mechanisms of hashed tokens (draft-schmaus-kitten-sasl-ht-09): one message each way, and both sides prove that they know the token. */
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { SaslError } from '../errors.js';
import type { ChannelBinding, Mechanism } from './mechanism.js';
import { equalInConstantTime } from './scram-keys.js';

/** What each mechanism is bound to (§3.1), strongest first. -UNIQ is left out, as tls-unique is everywhere here. */
const BOUND_TO = [
  ['HT-SHA-256-EXPR', 'tls-exporter'],
  ['HT-SHA-256-ENDP', 'tls-server-end-point'],
  ['HT-SHA-256-NONE', undefined],
] as const;

/** The name of a mechanism that is known here. */
export type HashedTokenName = (typeof BOUND_TO)[number][0];

/** One mechanism, with what it is bound to on the connection at hand. */
export interface HashedTokenChoice {
  readonly name: HashedTokenName;
  readonly binding: ChannelBinding | undefined;
}

/**
 * What can be used on a connection, strongest first. The unbound mechanism is among them only where there is nothing to bind to.
 * @param bindings what both sides can bind to
 */
export function hashedTokenChoices(
  offered: readonly string[],
  bindings: readonly ChannelBinding[],
  mustBind: boolean,
): readonly HashedTokenChoice[] {
  const bound: HashedTokenChoice[] = [];
  for (const [name, type] of BOUND_TO) {
    const binding = bindings.find((one) => one.type === type);
    if (binding !== undefined && offered.includes(name)) bound.push({ name, binding });
  }
  if (bound.length > 0 || mustBind || !offered.includes('HT-SHA-256-NONE')) return bound;
  return [{ name: 'HT-SHA-256-NONE', binding: undefined }];
}

export class HashedToken implements Mechanism {
  readonly name: HashedTokenName;
  /** A token shows nothing of what the account's password can do. */
  readonly pin = undefined;
  readonly #username: string;
  readonly #key: Uint8Array;
  readonly #bindingData: Uint8Array;
  #awaitsSuccess = false;

  /** @param username the localpart of the account */
  constructor({ name, binding }: HashedTokenChoice, username: string, token: string) {
    this.name = name;
    this.#username = username;
    this.#key = utf8(token);
    this.#bindingData = binding?.data ?? new Uint8Array();
  }

  async initial(): Promise<Uint8Array> {
    this.#awaitsSuccess = true;
    return Uint8Array.from([...utf8(`${this.#username}\0`), ...this.#proofOf('Initiator')]);
  }

  async challenge(): Promise<Uint8Array> {
    this.#awaitsSuccess = false;
    throw new SaslError('unexpected-challenge', `the server sent a challenge, but ${this.name} has none`);
  }

  success(data: Uint8Array | undefined): void {
    const isTheTime = this.#awaitsSuccess;
    this.#awaitsSuccess = false;
    if (isTheTime && data !== undefined && equalInConstantTime(data, this.#proofOf('Responder'))) return;
    throw new SaslError('server-not-proved', 'the server reported success without proving that it knows the token');
  }

  #proofOf(side: 'Initiator' | 'Responder'): Uint8Array {
    return hmac(sha256, this.#key, Uint8Array.from([...utf8(side), ...this.#bindingData]));
  }
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
