/** The messages of SCRAM, parsed strictly by their grammar (RFC 5802 §7). No error quotes the server's data. */
import { SaslError } from '../errors.js';
import { decodeBase64 } from './base64.js';

/** RFC 7677 §4 sets the minimum; the maximum keeps a hostile server from making us compute for minutes. */
const MIN_ITERATIONS = 4096;
const MAX_ITERATIONS = 1_000_000;

/** The server's first message, validated. */
export interface ServerFirst {
  /** Our nonce, extended by the server. */
  readonly nonce: string;
  readonly salt: Uint8Array;
  readonly iterations: number;
  /** XEP-0474: the hash, in base64, of the server's advertised mechanisms and bindings. */
  readonly downgradeHash: string | undefined;
}

/** Escapes a user name for SCRAM, where a comma ends an attribute (`saslname`). */
export function escapeUsername(username: string): string {
  return username.replaceAll('=', '=3D').replaceAll(',', '=2C');
}

/** Decodes a message. @throws SaslError `malformed-challenge` when it is not UTF-8 */
export function readText(data: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(data);
  } catch (cause) {
    throw new SaslError('malformed-challenge', "the server's SCRAM message is not UTF-8", { cause });
  }
}

/**
 * Reads `r=…,s=…,i=…` and the extensions after it. Unknown optional extensions are ignored (§5.1), including the `d` of XEP-0474
 * before 0.4.0.
 * @throws SaslError when the message violates the grammar, demands an extension, does not extend our nonce, asks for too few or too
 *   many iterations, or reports an error
 */
export function readServerFirst(text: string, clientNonce: string): ServerFirst {
  const attributes = readAttributes(text);
  throwServerError(attributes);
  const [nonce, salt, iterations] = attributes.keys();
  if (nonce !== 'r' || salt !== 's' || iterations !== 'i') throw malformed('does not begin with r=, s= and i=');
  return {
    nonce: readNonce(attributes.get('r') ?? '', clientNonce),
    salt: readBase64(attributes.get('s') ?? '', 'salt'),
    iterations: readIterations(attributes.get('i') ?? ''),
    downgradeHash: attributes.get('h'),
  };
}

/**
 * Reads `v=…`, the server's signature.
 * @throws SaslError when it is missing, or when the server reports an error (`e=…`) instead
 */
export function readServerFinal(text: string): Uint8Array {
  const attributes = readAttributes(text);
  throwServerError(attributes);
  const [first] = attributes.keys();
  if (first !== 'v') throw new SaslError('server-not-proved', 'the last SCRAM message of the server has no signature');
  return readBase64(attributes.get('v') ?? '', 'signature');
}

/** Parses `a=value,b=value`: each name is a letter and occurs once; no value is empty or contains NUL. */
function readAttributes(text: string): ReadonlyMap<string, string> {
  const attributes = new Map<string, string>();
  for (const attribute of text.split(',')) {
    const [, name, value] = /^([A-Za-z])=([^\0]+)$/.exec(attribute) ?? [];
    if (name === undefined || value === undefined) throw malformed('is not a list of attributes');
    if (attributes.has(name)) throw malformed('has an attribute twice');
    attributes.set(name, value);
  }
  if (attributes.has('m')) {
    throw new SaslError('mandatory-extension', 'the server requires a SCRAM extension (m=), and none is supported');
  }
  return attributes;
}

function readNonce(nonce: string, clientNonce: string): string {
  if (!/^[!-~]+$/.test(nonce)) throw malformed('has a nonce with a character that is not printable');
  if (!nonce.startsWith(clientNonce) || nonce.length === clientNonce.length) {
    throw new SaslError(
      'foreign-nonce',
      "the server's nonce does not extend ours: its message belongs to another exchange",
    );
  }
  return nonce;
}

function readIterations(digits: string): number {
  if (!/^[1-9][0-9]*$/.test(digits)) throw malformed('has an iteration count that is not a positive number');
  const iterations = Number(digits);
  if (iterations < MIN_ITERATIONS || iterations > MAX_ITERATIONS) {
    throw new SaslError(
      'iteration-count',
      `the server requires ${iterations} PBKDF2 iterations; ${MIN_ITERATIONS} to ${MAX_ITERATIONS} are accepted`,
    );
  }
  return iterations;
}

function readBase64(text: string, what: string): Uint8Array {
  const bytes = decodeBase64(text);
  if (bytes === undefined) throw malformed(`has a ${what} that is not base64`);
  return bytes;
}

function malformed(how: string): SaslError {
  return new SaslError('malformed-challenge', `the server's SCRAM message ${how}`);
}

/** From SCRAM errors to conditions of RFC 6120 §6.5, where one matches, and to texts for the operator. */
const SERVER_ERRORS: ReadonlyMap<string, readonly [condition: string, text: string]> = new Map([
  ['invalid-proof', ['not-authorized', 'the password is wrong']],
  ['unknown-user', ['not-authorized', 'the server has no such account']],
  ['invalid-encoding', ['malformed-request', 'the server could not read our message']],
  ['invalid-username-encoding', ['malformed-request', 'the server does not accept the encoding of the user name']],
  ['extensions-not-supported', ['malformed-request', 'the server received a SCRAM extension, but we sent none']],
  ['no-resources', ['temporary-auth-failure', 'the server is short of resources; try again later']],
  [
    'channel-bindings-dont-match',
    ['channel-binding', 'the server sees a different TLS connection than ours: someone may be intercepting it'],
  ],
  [
    'server-does-support-channel-binding',
    [
      'channel-binding',
      'the server offers channel binding, but we did not receive the offer: someone may be intercepting the connection',
    ],
  ],
  ['channel-binding-not-supported', ['channel-binding', 'the server offers channel binding, but does not support it']],
  [
    'unsupported-channel-binding-type',
    ['channel-binding', 'the server does not support the binding type that it listed'],
  ],
]);

/** Throws the error of `e=…`, which a server may send in either of its messages (RFC 5802 errata 5271). */
function throwServerError(attributes: ReadonlyMap<string, string>): void {
  const value = attributes.get('e');
  if (value === undefined) return;
  const [condition, text] = SERVER_ERRORS.get(value) ?? ['not-authorized', 'the server gave no known reason'];
  throw new SaslError(condition, text);
}
