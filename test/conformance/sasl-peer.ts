/** The server's side of SASL, on node:crypto alone: it computes what the placeholder `{sasl}` says, and checks what the client says there. */
import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';

/** What the peer knows of the account and of the connection. */
export interface SaslFacts {
  readonly username: string;
  readonly password: string;
  /** The data of a channel binding (RFC 9266 `tls-exporter`, RFC 5929 `tls-server-end-point`); empty on a plain connection. */
  readonly binding: (type: string) => Buffer;
  /** The tokens that were given out (XEP-0484). */
  readonly tokens: ReadonlyMap<string, string>;
  /** What the features said, for XEP-0474. */
  readonly advertised: { readonly mechanisms: readonly string[]; readonly bindings: readonly string[] };
}

/** What the server says may be wrong in one of these ways. */
export type Wrong =
  | 'wrong-signature'
  | 'no-signature'
  | 'wrong-nonce'
  | 'short-nonce'
  | 'few-iterations'
  | 'many-iterations'
  | 'no-salt'
  | 'unknown-extension'
  | 'wrong-downgrade-hash'
  | 'downgrade-hash';

interface Exchange {
  /** Checks the client's next message; throws when it is not what it has to be. */
  hear(message: Buffer): void;
  /** The server's next one. */
  say(wrong: string | undefined): Buffer;
}

const SALT = Buffer.from('salt of the streams').toString('base64');
const NONCE = 'and-the-nonce-of-the-peer';
const ITERATIONS = 4096;
const HASHES: Readonly<Record<string, string>> = { 'SHA-1': 'sha1', 'SHA-256': 'sha256', 'SHA-512': 'sha512' };
const BOUND_TO: Readonly<Record<string, string>> = {
  EXPR: 'tls-exporter',
  ENDP: 'tls-server-end-point',
  UNIQ: 'tls-unique',
};

/** One login after the other on a connection. */
export class SaslPeer {
  readonly #facts: SaslFacts;
  #exchange: Exchange | undefined;

  constructor(facts: SaslFacts) {
    this.#facts = facts;
  }

  /** A new exchange. @throws Error when the peer cannot speak the mechanism */
  begin(mechanism: string): void {
    this.#exchange = exchangeOf(mechanism, this.#facts);
  }

  /** @param payload base64, or `=` for an empty message (RFC 6120 §6.4.2). @throws Error when it is wrong */
  hear(payload: string): void {
    this.#running().hear(Buffer.from(payload === '=' ? '' : payload, 'base64'));
  }

  /** @param wrong in which way, in a hostile stream. @returns base64 */
  say(wrong: string | undefined): string {
    return this.#running().say(wrong).toString('base64');
  }

  #running(): Exchange {
    if (this.#exchange === undefined)
      throw new Error('there is no SASL exchange yet: the client names its mechanism first');
    return this.#exchange;
  }
}

function exchangeOf(mechanism: string, facts: SaslFacts): Exchange {
  const [, scram, plus] = /^SCRAM-(SHA-\d+)(-PLUS)?$/.exec(mechanism) ?? [];
  if (scram !== undefined) return new ScramExchange(scram, plus !== undefined, facts);
  const [, bound] = /^HT-SHA-256-(EXPR|ENDP|UNIQ|NONE)$/.exec(mechanism) ?? [];
  if (bound !== undefined) return tokenExchange(BOUND_TO[bound], facts);
  if (mechanism === 'PLAIN') return single(`\0${facts.username}\0${facts.password}`);
  if (mechanism === 'EXTERNAL') return single('');
  // Whatever it says of itself is good (RFC 4505 §2).
  if (mechanism === 'ANONYMOUS') return single(undefined);
  throw new Error(`the peer does not speak ${mechanism}`);
}

/** One message of the client, which is all. */
function single(wanted: string | undefined): Exchange {
  return {
    hear(message) {
      if (wanted !== undefined && message.toString() !== wanted)
        throw new Error(`said ${JSON.stringify(message.toString())} where ${JSON.stringify(wanted)} is right`);
    },
    say: () => Buffer.alloc(0),
  };
}

/** XEP-0484: both sides show that they know a token. */
function tokenExchange(bindingType: string | undefined, { username, tokens, binding }: SaslFacts): Exchange {
  let token = '';
  const proof = (whose: string): Buffer =>
    createHmac('sha256', token)
      .update(whose)
      .update(bindingType === undefined ? '' : binding(bindingType))
      .digest();
  return {
    hear(message) {
      const end = message.indexOf(0);
      if (message.subarray(0, end).toString() !== username) throw new Error('the token is for somebody else');
      for (const one of tokens.values()) {
        token = one;
        if (proof('Initiator').equals(message.subarray(end + 1))) return;
      }
      throw new Error('no token that was given out is proven');
    },
    say: (wrong) => (wrong === undefined ? proof('Responder') : createHash('sha256').digest()),
  };
}

/** RFC 5802 §3, as the server. */
class ScramExchange implements Exchange {
  readonly #name: string;
  readonly #isPlus: boolean;
  readonly #facts: SaslFacts;
  #clientFirst = '';
  #serverFirst = '';
  #signature: string | undefined;

  constructor(hash: string, isPlus: boolean, facts: SaslFacts) {
    this.#name = HASHES[hash] ?? hash;
    this.#isPlus = isPlus;
    this.#facts = facts;
  }

  hear(message: Buffer): void {
    if (this.#clientFirst === '') this.#hearFirst(message.toString());
    else this.#hearFinal(message.toString());
  }

  say(wrong: string | undefined): Buffer {
    return Buffer.from(this.#signature === undefined ? this.#first(wrong) : this.#final(this.#signature, wrong));
  }

  #final(signature: string, wrong: string | undefined): string {
    if (wrong === 'no-signature') return '';
    return `v=${wrong === 'wrong-signature' ? Buffer.alloc(32).toString('base64') : signature}`;
  }

  #hearFirst(message: string): void {
    const [, flag = '', user = ''] = /^(n|y|p=[a-z-]+),,n=([^,]*),r=[^,]+$/.exec(message) ?? [];
    if (user !== this.#facts.username) throw new Error(`began with ${message}`);
    if (flag.startsWith('p=') !== this.#isPlus)
      throw new Error(`is bound by ${flag}, which is not what the mechanism says`);
    this.#judgeBinding(flag);
    this.#clientFirst = message;
  }

  /** A client that was lied to about bindings is not to be believed, nor one that takes what was not offered (RFC 5802 §6, XEP-0440 §3). */
  #judgeBinding(flag: string): void {
    const { mechanisms, bindings } = this.#facts.advertised;
    if (flag === 'y' && mechanisms.some((name) => name.endsWith('-PLUS')))
      throw new Error('says that the server cannot bind to TLS, which it has offered');
    if (this.#isPlus && bindings.length > 0 && !bindings.includes(flag.slice(2)))
      throw new Error(`binds to ${flag.slice(2)}, which was not offered`);
  }

  #first(wrong: string | undefined): string {
    const theirs = this.#clientFirst.slice(this.#clientFirst.indexOf(',r=') + 3);
    const nonce = { 'wrong-nonce': `${NONCE}-alone-and-longer`, 'short-nonce': theirs }[wrong ?? ''] ?? theirs + NONCE;
    const iterations = { 'few-iterations': 1, 'many-iterations': 2_000_000_000 }[wrong ?? ''] ?? ITERATIONS;
    const mandatory = wrong === 'unknown-extension' ? 'm=unknown,' : '';
    const extra = wrong?.endsWith('downgrade-hash') === true ? `,h=${this.#downgradeHash(wrong)}` : '';
    this.#serverFirst = `${mandatory}r=${nonce},s=${wrong === 'no-salt' ? '' : SALT},i=${iterations}${extra}`;
    return this.#serverFirst;
  }

  /** XEP-0474: what the server advertised, hashed. */
  #downgradeHash(wrong: string): string {
    const { mechanisms, bindings } = this.#facts.advertised;
    const listed = wrong === 'wrong-downgrade-hash' ? [...mechanisms, 'SCRAM-SHA-3'] : mechanisms;
    const list = [listed, bindings].map((names) => names.toSorted().join('\x1e')).filter((names) => names !== '');
    return createHash(this.#name).update(list.join('\x1f')).digest('base64');
  }

  #hearFinal(message: string): void {
    const [, withoutProof = '', proof = ''] = /^(c=[^,]*,r=[^,]*),p=(.*)$/.exec(message) ?? [];
    const [, gs2 = '', bare = ''] = /^([^,]*,[^,]*,)(.*)$/.exec(this.#clientFirst) ?? [];
    const [, type] = /^p=([a-z-]+)/.exec(gs2) ?? [];
    const bound = Buffer.concat([Buffer.from(gs2), type === undefined ? Buffer.alloc(0) : this.#facts.binding(type)]);
    const nonce = /r=([^,]*)/.exec(this.#serverFirst)?.[1] ?? '';
    if (withoutProof !== `c=${bound.toString('base64')},r=${nonce}`)
      throw new Error(`is bound to something else: ${withoutProof}`);
    const hmac = (key: Buffer, data: string): Buffer => createHmac(this.#name, key).update(data).digest();
    const hash = (data: Buffer): Buffer => createHash(this.#name).update(data).digest();
    const { length } = hash(Buffer.alloc(0));
    const salted = pbkdf2Sync(this.#facts.password, Buffer.from(SALT, 'base64'), ITERATIONS, length, this.#name);
    const authMessage = `${bare},${this.#serverFirst},${withoutProof}`;
    const clientKey = hmac(salted, 'Client Key');
    const mask = hmac(hash(clientKey), authMessage);
    const wanted = Buffer.from(clientKey.map((byte, index) => byte ^ (mask[index] ?? 0))).toString('base64');
    if (proof !== wanted) throw new Error('proves another password');
    this.#signature = hmac(hmac(salted, 'Server Key'), authMessage).toString('base64');
  }
}
