/** For the tests of SASL: a server's side of SCRAM made of node:crypto alone, and the context of an attempt. */
import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import type { Test } from 'tap';
import { SaslError } from '../../src/xmpp-core/errors.js';
import { chooseMechanism } from '../../src/xmpp-core/sasl/choice.js';
import type { ChannelBinding, Mechanism, SaslContext } from '../../src/xmpp-core/sasl/mechanism.js';
import { SaltedPasswordCache } from '../../src/xmpp-core/sasl/salted-password-cache.js';
import type * as keys from '../../src/xmpp-core/sasl/scram-keys.js';

export const PASSWORD = 'correct horse';
export const EXPORTER: ChannelBinding = { type: 'tls-exporter', data: bytes('exported keying material') };
export const END_POINT: ChannelBinding = { type: 'tls-server-end-point', data: bytes('hash of the certificate') };

export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export function text(data: Uint8Array): string {
  return new TextDecoder().decode(data);
}

export function contextWith(changes: Partial<SaslContext> = {}): SaslContext {
  return {
    credentials: { username: 'juliet', password: PASSWORD },
    secure: true,
    offered: ['SCRAM-SHA-256'],
    channelBindings: [],
    serverBindingTypes: undefined,
    randomBytes: (length) => new Uint8Array(randomBytes(length)),
    saltedPasswords: new SaltedPasswordCache(),
    signal: new AbortController().signal,
    ...changes,
  };
}

/** The server's side of SCRAM, on node:crypto alone: nothing of what is tested here has a part in it. */
export class ScriptedServer {
  readonly hash: keys.ScramHash;
  readonly password: string;
  salt = 'QSXCR+Q6sek8bf92';
  iterations = '4096';
  extensions = '';
  bindingData = '';
  #first = '';
  #clientFirst = '';

  constructor(hash: keys.ScramHash = 'SHA-256', password = PASSWORD) {
    this.hash = hash;
    this.password = password;
  }

  first(clientFirst: Uint8Array): string {
    this.#clientFirst = text(clientFirst);
    const nonce = /,r=(.+)$/.exec(this.#clientFirst)?.[1] ?? '';
    this.#first = `r=${nonce}theirs,s=${this.salt},i=${this.iterations}${this.extensions}`;
    return this.#first;
  }

  /** The last message; thrown if the client's proof or its binding is wrong. */
  final(clientFinal: Uint8Array): string {
    const [, withoutProof = '', proof = ''] = /^(.*),p=(.*)$/.exec(text(clientFinal)) ?? [];
    const [, header = '', bare = ''] = /^([^,]*,[^,]*,)(.*)$/.exec(this.#clientFirst) ?? [];
    const binding = Buffer.from(/^c=([^,]*)/.exec(withoutProof)?.[1] ?? '', 'base64').toString();
    if (binding !== header + this.bindingData) throw new Error(`bound to ${binding}`);
    const name = this.hash.replace('-', '').toLowerCase();
    const hmacOf = (key: Uint8Array, data: string): Buffer => createHmac(name, key).update(data).digest();
    const length = createHash(name).digest().length;
    const salted = pbkdf2Sync(this.password, Buffer.from(this.salt, 'base64'), Number(this.iterations), length, name);
    const authMessage = `${bare},${this.#first},${withoutProof}`;
    const clientKey = hmacOf(salted, 'Client Key');
    const mask = hmacOf(createHash(name).update(clientKey).digest(), authMessage);
    const expected = Buffer.from(clientKey.map((byte, index) => byte ^ (mask[index] ?? 0))).toString('base64');
    if (proof !== expected) throw new Error('wrong proof');
    return `v=${hmacOf(hmacOf(salted, 'Server Key'), authMessage).toString('base64')}`;
  }
}

export async function logIn(mechanism: Mechanism, server: ScriptedServer): Promise<void> {
  const proof = await mechanism.challenge(bytes(server.first(await mechanism.initial())));
  mechanism.success(bytes(server.final(proof)));
}

/** Runs an exchange up to the client's proof. */
export async function prove(
  server: ScriptedServer,
  context = contextWith(),
): Promise<{ scram: Mechanism; proof: Uint8Array }> {
  const scram = chooseMechanism(context);
  const proof = await scram.challenge(bytes(server.first(await scram.initial())));
  return { scram, proof };
}

export async function refused(t: Test, condition: string, attempt: () => unknown): Promise<SaslError> {
  try {
    await attempt();
  } catch (error) {
    if (!(error instanceof SaslError)) throw error;
    t.equal(error.condition, condition, error.message);
    const said = `${String(error)} ${JSON.stringify(error)} ${error.stack} ${String(error.cause)}`;
    t.notMatch(said, /correct|horse|p=/, 'the error tells neither password nor proof');
    return error;
  }
  throw new Error(`nothing was refused; expected ${condition}`);
}
