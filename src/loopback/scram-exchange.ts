/** The server's side of SCRAM (RFC 5802 §5), as far as the loopback server supports it. */
import { randomBytes } from 'node:crypto';
import { decodeBase64, encodeBase64 } from '../xmpp-core/sasl/base64.js';
import {
  equalInConstantTime,
  hashOf,
  saltedPassword,
  clientKey as clientKeyOf,
  serverKey as serverKeyOf,
  signature,
  storedKey as storedKeyOf,
  xor,
  type ScramHash,
} from '../xmpp-core/sasl/scram-keys.js';

/** What the server stores for a password. */
export interface Verifier {
  readonly hash: ScramHash;
  readonly salt: Uint8Array;
  readonly iterations: number;
  readonly storedKey: Uint8Array;
  readonly serverKey: Uint8Array;
}

const ITERATIONS = 4096;

/** Derives what to store for a password. */
export async function makeVerifier(hash: ScramHash, password: string): Promise<Verifier> {
  const salt = new Uint8Array(randomBytes(16));
  const salted = await saltedPassword(hash, password, salt, ITERATIONS);
  return {
    hash,
    salt,
    iterations: ITERATIONS,
    storedKey: storedKeyOf(hash, clientKeyOf(hash, salted)),
    serverKey: serverKeyOf(hash, salted),
  };
}

/** An exchange after the server's first message. */
export interface ScramExchange {
  readonly serverFirst: string;
  /** @returns the server's final message, or `undefined` if the proof or the channel binding is wrong */
  finish(clientFinal: string): string | undefined;
}

/** Reads the user name in a client's first message. */
export function readUsername(clientFirst: string): string | undefined {
  return /^(?:[ny]|p=[^,]+),[^,]*,n=([^,]*),/.exec(clientFirst)?.[1]?.replaceAll('=2C', ',').replaceAll('=3D', '=');
}

/**
 * Starts an exchange.
 * @param channelBinding the data that a -PLUS mechanism requires; `undefined` for others
 * @returns `undefined` if the client's message is invalid
 */
export function beginScram(
  verifier: Verifier,
  clientFirst: string,
  channelBinding: Uint8Array | undefined,
): ScramExchange | undefined {
  const [, gs2Header, bare, clientNonce] = /^((?:[ny]|p=[^,]+),[^,]*,)(n=[^,]*,r=([^,]+).*)$/.exec(clientFirst) ?? [];
  if (gs2Header === undefined || bare === undefined || clientNonce === undefined) return undefined;
  if (gs2Header.startsWith('p=') !== (channelBinding !== undefined)) return undefined;
  const nonce = clientNonce + encodeBase64(randomBytes(18));
  const serverFirst = `r=${nonce},s=${encodeBase64(verifier.salt)},i=${verifier.iterations}`;
  const bound = Buffer.concat([Buffer.from(gs2Header), channelBinding ?? new Uint8Array()]);
  return {
    serverFirst,
    finish(clientFinal) {
      const [, withoutProof, binding, echoed, proofText] = /^(c=([^,]+),r=([^,]+)),p=([^,]+)$/.exec(clientFinal) ?? [];
      const proof = decodeBase64(proofText ?? '');
      if (withoutProof === undefined || echoed !== nonce || binding !== encodeBase64(bound) || proof === undefined)
        return undefined;
      const { hash, storedKey, serverKey } = verifier;
      const authMessage = `${bare},${serverFirst},${withoutProof}`;
      const clientKey = xor(proof, signature(hash, storedKey, authMessage));
      if (!equalInConstantTime(hashOf(hash, clientKey), storedKey)) return undefined;
      return `v=${encodeBase64(signature(hash, serverKey, authMessage))}`;
    },
  };
}
