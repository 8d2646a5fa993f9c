/** Hashed-token mechanisms (draft-schmaus-kitten-sasl-ht-09): one message each way, and both sides prove knowledge of the token. */
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { SaslError } from '../errors.js';
import type { ChannelBinding, Mechanism } from './mechanism.js';
import { equalInConstantTime } from './scram-keys.js';

/** What each mechanism is bound to (§3.1), strongest first. -UNIQ is missing, since we do not support tls-unique. */
const BOUND_TO = [
  ['HT-SHA-256-EXPR', 'tls-exporter'],
  ['HT-SHA-256-ENDP', 'tls-server-end-point'],
  ['HT-SHA-256-NONE', undefined],
] as const;

/** The name of a supported mechanism. */
export type HashedTokenName = (typeof BOUND_TO)[number][0];

/** A mechanism and its binding to the current connection. */
export interface HashedTokenChoice {
  readonly name: HashedTokenName;
  readonly binding: ChannelBinding | undefined;
}

/**
 * The mechanisms usable on a connection, strongest first. The unbound one is included only if no other can be used.
 * @param offered the mechanisms that the server offers
 * @param bindings the bindings that both sides support
 * @param mustBind whether to leave the unbound mechanism out
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

/** One attempt to log in with a token. */
export class HashedToken implements Mechanism {
  readonly name: HashedTokenName;
  /** A login by token proves nothing about the mechanisms of the password. */
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
    return Uint8Array.from([...utf8(`${this.#username}\0`), ...this.#proof('Initiator')]);
  }

  async challenge(): Promise<Uint8Array> {
    this.#awaitsSuccess = false;
    throw new SaslError('unexpected-challenge', `the server sent a challenge, but ${this.name} has none`);
  }

  success(data: Uint8Array | undefined): void {
    const isExpected = this.#awaitsSuccess;
    this.#awaitsSuccess = false;
    if (isExpected && data !== undefined && equalInConstantTime(data, this.#proof('Responder'))) return;
    throw new SaslError('server-not-proved', 'the server reported success without proving that it knows the token');
  }

  #proof(side: 'Initiator' | 'Responder'): Uint8Array {
    return hmac(sha256, this.#key, Uint8Array.from([...utf8(side), ...this.#bindingData]));
  }
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
