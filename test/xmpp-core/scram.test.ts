import { createHash, createHmac } from 'node:crypto';
import { hmac } from '@noble/hashes/hmac.js';
import { sha1 } from '@noble/hashes/legacy.js';
import { pbkdf2 } from '@noble/hashes/pbkdf2.js';
import { sha256, sha512 } from '@noble/hashes/sha2.js';
import t from 'tap';
import { decodeBase64, encodeBase64 } from '../../src/xmpp-core/sasl/base64.js';
import type { BindingPlan } from '../../src/xmpp-core/sasl/binding.js';
import { chooseMechanism } from '../../src/xmpp-core/sasl/choice.js';
import { downgradeHash } from '../../src/xmpp-core/sasl/downgrade.js';
import type { Mechanism, SaslContext } from '../../src/xmpp-core/sasl/mechanism.js';
import { SaltedPasswordCache } from '../../src/xmpp-core/sasl/salted-password-cache.js';
import { Scram } from '../../src/xmpp-core/sasl/scram.js';
import * as keys from '../../src/xmpp-core/sasl/scram-keys.js';
import {
  bytes,
  contextWith,
  END_POINT,
  EXPORTER,
  logIn,
  PASSWORD,
  prove,
  refused,
  ScriptedServer,
  text,
} from './sasl-server.js';

const UNBOUND: BindingPlan = { plus: false, gs2Header: 'n,,', data: bytes(''), needsDowngradeHash: false };

// [RFC5802-3-a] [RFC5802-5-b] [RFC5802-5.1-f] [RFC6120-13.8.1-a] [RFC7677-3-a]
t.test('the exchanges of RFC 5802 §5 and RFC 7677 §3 come out byte for byte', async (t) => {
  const vectors = [
    {
      hash: 'SHA-1',
      nonce: 'fyko+d2lbbFgONRv9qkxdawL',
      first: 'r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096',
      final: 'c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=',
      signature: 'v=rmF9pqV8S7suAoZWja4dJRkFsKQ=',
    },
    {
      hash: 'SHA-256',
      nonce: 'rOprNGfwEbeRWgbNEkqO',
      first: 'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096',
      final:
        'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
      signature: 'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=',
    },
  ] as const;
  for (const { hash, nonce, first, final, signature } of vectors) {
    const scram = new Scram(hash, UNBOUND, { username: 'user', password: 'pencil' }, nonce, contextWith());
    t.equal(text(await scram.initial()), `n,,n=user,r=${nonce}`);
    t.equal(text(await scram.challenge(bytes(first))), final);
    scram.success(bytes(signature));
    t.equal(scram.pin, 'never-plain');
  }
});

// [RFC5802-3-a] [RFC7677-3-a]
t.test('the key derivations agree with another implementation, for each hash', async (t) => {
  const salt = bytes('sixteen bytes of');
  for (const [hash, digest, name] of [
    ['SHA-1', sha1, 'sha1'],
    ['SHA-256', sha256, 'sha256'],
    ['SHA-512', sha512, 'sha512'],
  ] as const) {
    const salted = pbkdf2(digest, PASSWORD, salt, { c: 4096, dkLen: digest.outputLen });
    t.same(await keys.saltedPassword(hash, PASSWORD, salt, 4096), salted);
    const nodeHmac = (key: Uint8Array, data: string): string => createHmac(name, key).update(data).digest('hex');
    t.equal(hex(keys.clientKey(hash, salted)), nodeHmac(salted, 'Client Key'));
    t.equal(hex(keys.serverKey(hash, salted)), nodeHmac(salted, 'Server Key'));
    t.equal(hex(keys.signature(hash, salted, 'message')), nodeHmac(salted, 'message'));
    t.equal(hex(keys.storedKey(hash, salted)), createHash(name).update(salted).digest('hex'));
    t.same(keys.signature(hash, salted, 'message'), hmac(digest, salted, bytes('message')));
  }
  function hex(data: Uint8Array): string {
    return Buffer.from(data).toString('hex');
  }
});

// [XEP-0474-6.1-a] [XEP-0474-6.2-a] [pitfall-sasl-downgrade-hash] [pitfall-auth-downgrade-hash]
t.test('the exchange worked out in XEP-0474 is followed, and its hash is checked', async (t) => {
  const offered = ['SCRAM-SHA-1-PLUS', 'SCRAM-SHA-1'];
  const serverBindingTypes = ['tls-server-end-point', 'tls-exporter'];
  const nonce = '12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6';
  const serverNonce = `${nonce}a09117a6-ac50-4f2f-93f1-93799c2bddf6`;
  const first = `r=${serverNonce},s=QSXCR+Q6sek8bf92,i=4096,h=G6k/rBLDqgOhRRaCuuatSDFkJ08=`;
  const binding = {
    plus: true,
    gs2Header: 'p=tls-exporter,,',
    data: bytes('THIS IS FAKE CB DATA'),
    needsDowngradeHash: false,
  };
  const begin = async (changes: Partial<SaslContext> = {}): Promise<Uint8Array> => {
    const context = contextWith({ offered, serverBindingTypes, ...changes });
    const scram = new Scram('SHA-1', binding, { username: 'user', password: 'pencil' }, nonce, context);
    t.equal(text(await scram.initial()), `p=tls-exporter,,n=user,r=${nonce}`);
    return scram.challenge(bytes(first));
  };
  const withoutProof = `c=cD10bHMtZXhwb3J0ZXIsLFRISVMgSVMgRkFLRSBDQiBEQVRB,r=${serverNonce}`;
  t.ok(text(await begin()).startsWith(`${withoutProof},p=`));

  // The client of the example adds an attribute that we have no use for; with it, the derivations give its proof and signature.
  const authMessage = `n=user,r=${nonce},${first},${withoutProof},x=19C6532F-1CF4-4A27-A18D-DC9CEA41BBB3`;
  const salted = await keys.saltedPassword('SHA-1', 'pencil', decodeBase64('QSXCR+Q6sek8bf92') ?? bytes(''), 4096);
  const clientKey = keys.clientKey('SHA-1', salted);
  const proof = keys.xor(clientKey, keys.signature('SHA-1', keys.storedKey('SHA-1', clientKey), authMessage));
  t.equal(encodeBase64(proof), 'M/SIDjT+dfcxUh89jZEypRvFxB4=');
  const signature = keys.signature('SHA-1', keys.serverKey('SHA-1', salted), authMessage);
  t.equal(encodeBase64(signature), 'MQrMPvv7yv4x4Cq4W4Ih25EqS2c=');

  await refused(t, 'downgrade-detected', () => begin({ offered: ['SCRAM-SHA-1-PLUS'] }));
  await refused(t, 'downgrade-detected', () => begin({ offered: [...offered, 'PLAIN'] }));
  await refused(t, 'downgrade-detected', () => begin({ serverBindingTypes: ['tls-exporter'] }));
  await refused(t, 'downgrade-detected', () => begin({ serverBindingTypes: undefined }));
});

// [RFC5802-5.1-i] [pitfall-sasl-downgrade-hash]
t.test('the older form of the downgrade hash, and other optional extensions, are ignored', async () => {
  const server = new ScriptedServer();
  server.extensions = ',d=bm90IGNoZWNrZWQ=,x=whatever';
  await logIn(chooseMechanism(contextWith()), server);
});

t.test('a server that lists no binding types is hashed without them', async (t) => {
  const expected = createHash('sha256').update('PLAIN\x1eSCRAM-SHA-256').digest('base64');
  for (const types of [undefined, []]) t.equal(downgradeHash('SHA-256', ['SCRAM-SHA-256', 'PLAIN'], types), expected);
});

// [RFC5802-5.1-f] [RFC6120-13.8.1-a,b] [RFC7677-3-a] [XEP-0440-3-a]
t.test('each SCRAM mechanism logs in at an independent server, bound and unbound', async (t) => {
  for (const hash of keys.SCRAM_HASHES) {
    for (const binding of [undefined, EXPORTER, END_POINT]) {
      const offered = [keys.scramName(hash, false)];
      const server = new ScriptedServer(hash);
      if (binding !== undefined) {
        offered.push(keys.scramName(hash, true));
        server.bindingData = text(binding.data);
      }
      const channelBindings = binding === undefined ? [] : [binding];
      const serverBindingTypes = ['tls-server-end-point', 'tls-exporter'];
      const mechanism = chooseMechanism(contextWith({ offered, channelBindings, serverBindingTypes }));
      t.equal(mechanism.name, offered.at(-1));
      await logIn(mechanism, server);
    }
  }
});

// [RFC6120-6.3.10-a]
t.test('the server may prove itself in a challenge, before a success without data', async (t) => {
  for (const nothing of [undefined, bytes('')]) {
    const server = new ScriptedServer();
    const { scram, proof } = await prove(server);
    t.equal((await scram.challenge(bytes(server.final(proof)))).length, 0);
    scram.success(nothing);
  }
});

// [RFC5802-3-b] [RFC5802-5-a] [RFC6120-6.4.6-a] [pitfall-scram-signature] [pitfall-auth-wrong-signature]
// [pitfall-auth-no-signature] [pitfall-auth-early-success]
t.test('rejects success from a server that has not proved that it knows the password', async (t) => {
  const wrongSignature = `v=${encodeBase64(new Uint8Array(32))}`;
  const cases: Record<string, (exchange: { scram: Mechanism; final: string }) => unknown> = {
    'a wrong signature': ({ scram }) => scram.success(bytes(wrongSignature)),
    'a wrong signature in a challenge': ({ scram }) => scram.challenge(bytes(wrongSignature)),
    'a signature cut short': ({ scram, final }) => {
      const signature = decodeBase64(final.slice('v='.length)) ?? bytes('');
      return scram.success(bytes(`v=${encodeBase64(signature.subarray(0, 16))}`));
    },
    'no signature': ({ scram }) => scram.success(bytes('x=nothing')),
    'a signature that is not first': ({ scram, final }) => scram.success(bytes(`x=1,${final}`)),
    'success without data': ({ scram }) => scram.success(undefined),
    'success after a refused signature': async ({ scram, final }) => {
      t.throws(() => scram.success(bytes(wrongSignature)));
      scram.success(bytes(final));
    },
  };
  for (const [name, attempt] of Object.entries(cases)) {
    await t.test(name, async (t) => {
      const server = new ScriptedServer();
      const { scram, proof } = await prove(server);
      await refused(t, 'server-not-proved', () => attempt({ scram, final: server.final(proof) }));
    });
  }
  await t.test('success before anything was said', async (t) => {
    for (const data of [undefined, bytes(''), bytes(wrongSignature)]) {
      await refused(t, 'server-not-proved', () => chooseMechanism(contextWith()).success(data));
    }
  });
  await t.test('success before any challenge', async (t) => {
    const scram = chooseMechanism(contextWith());
    await scram.initial();
    await refused(t, 'server-not-proved', () => scram.success(bytes(wrongSignature)));
  });
  await t.test('success while the proof is being worked out', async (t) => {
    const scram = chooseMechanism(contextWith());
    const proof = scram.challenge(bytes(new ScriptedServer().first(await scram.initial())));
    await refused(t, 'server-not-proved', () => scram.success(undefined));
    await proof;
  });
});

// [pitfall-auth-late-challenge]
t.test('a message where the exchange has none ends it', async (t) => {
  const server = new ScriptedServer();
  const { scram, proof } = await prove(server);
  const final = bytes(server.final(proof));
  await scram.challenge(final);
  await refused(t, 'unexpected-challenge', () => scram.challenge(final));
  await refused(t, 'unexpected-challenge', () => chooseMechanism(contextWith()).challenge(bytes('r=x')));

  const begun = chooseMechanism(contextWith());
  await begun.initial();
  await refused(t, 'aborted', () => begun.initial());

  const impatient = chooseMechanism(contextWith());
  const first = bytes(server.first(await impatient.initial()));
  const [once, twice] = await Promise.allSettled([impatient.challenge(first), impatient.challenge(first)]);
  t.equal(once.status, 'fulfilled');
  t.equal(twice.status, 'rejected');

  const talkative = await prove(server);
  await talkative.scram.challenge(bytes(server.final(talkative.proof)));
  await refused(t, 'malformed-challenge', () => talkative.scram.success(bytes('more')));
});

// [RFC5802-5.1-c,e,g,i,j] [RFC5802-7-a] [RFC7677-4-a] [pitfall-scram-parameters] [pitfall-auth-foreign-nonce]
// [pitfall-auth-one-iteration] [pitfall-auth-huge-iteration] [pitfall-auth-mandatory-extension]
t.test("a server's first message is refused unless it keeps to the rules", async (t) => {
  const salt = 's=QSXCR+Q6sek8bf92';
  const cases: readonly (readonly [
    condition: string,
    what: string,
    message: (nonce: string) => string | Uint8Array,
  ])[] = [
    ['foreign-nonce', 'a foreign nonce', () => `r=stranger,${salt},i=4096`],
    ['foreign-nonce', 'a nonce that adds nothing to ours', (r) => `r=${r},${salt},i=4096`],
    ['foreign-nonce', 'a nonce that ends with ours', (r) => `r=x${r},${salt},i=4096`],
    ['iteration-count', 'one iteration', (r) => `r=${r}x,${salt},i=1`],
    ['iteration-count', 'an iteration less than the least', (r) => `r=${r}x,${salt},i=4095`],
    ['iteration-count', 'an iteration more than the most', (r) => `r=${r}x,${salt},i=1000001`],
    ['iteration-count', '2^31 - 1 iterations', (r) => `r=${r}x,${salt},i=2147483647`],
    ['iteration-count', 'a number without end', (r) => `r=${r}x,${salt},i=${'9'.repeat(400)}`],
    ['mandatory-extension', 'a mandatory extension in front', (r) => `m=x,r=${r}x,${salt},i=4096`],
    ['mandatory-extension', 'a mandatory extension at the end', (r) => `r=${r}x,${salt},i=4096,m=x`],
    ['malformed-challenge', 'no bytes', () => ''],
    ['malformed-challenge', 'another order', (r) => `${salt},r=${r}x,i=4096`],
    ['malformed-challenge', 'no iteration count', (r) => `r=${r}x,${salt}`],
    ['malformed-challenge', 'another attribute for the nonce', (r) => `x=1,${salt},i=4096,r=${r}x`],
    ['malformed-challenge', 'another attribute for the salt', (r) => `r=${r}x,x=1,i=4096,${salt}`],
    ['malformed-challenge', 'another attribute for the count', (r) => `r=${r}x,${salt},x=1,i=4096`],
    ['malformed-challenge', 'an extension in front', (r) => `x=1,r=${r}x,${salt},i=4096`],
    ['malformed-challenge', 'a second nonce', (r) => `r=${r}x,${salt},i=4096,r=${r}y`],
    ['malformed-challenge', 'a comma at the end', (r) => `r=${r}x,${salt},i=4096,`],
    ['malformed-challenge', 'an attribute without value', (r) => `r=${r}x,${salt},i=4096,x=`],
    ['malformed-challenge', 'a name of two letters', (r) => `r=${r}x,${salt},i=4096,xy=1`],
    ['malformed-challenge', 'a name that is no letter', (r) => `r=${r}x,${salt},i=4096,1=1`],
    ['malformed-challenge', 'NUL in a value', (r) => `r=${r}x,${salt},i=4096,x=\0`],
    ['malformed-challenge', 'a nonce with a space', (r) => `r=${r} x,${salt},i=4096`],
    ['malformed-challenge', 'a nonce beyond ASCII', (r) => `r=${r}é,${salt},i=4096`],
    ['malformed-challenge', 'a count with a leading zero', (r) => `r=${r}x,${salt},i=04096`],
    ['malformed-challenge', 'a count with a sign', (r) => `r=${r}x,${salt},i=+4096`],
    ['malformed-challenge', 'a count with a fraction', (r) => `r=${r}x,${salt},i=4096.0`],
    ['malformed-challenge', 'a count in hexadecimal', (r) => `r=${r}x,${salt},i=0x1000`],
    ['malformed-challenge', 'a salt without padding', (r) => `r=${r}x,s=QQ,i=4096`],
    ['malformed-challenge', 'a salt in the URL alphabet', (r) => `r=${r}x,s=QSXCR-Q6sek8bf92,i=4096`],
    ['malformed-challenge', 'a salt with spaces', (r) => `r=${r}x,s=QSXC R+Q6,i=4096`],
    ['malformed-challenge', 'a salt with stray bits', (r) => `r=${r}x,s=QR==,i=4096`],
    ['malformed-challenge', 'a salt of padding only', (r) => `r=${r}x,s====,i=4096`],
    [
      'malformed-challenge',
      'bytes that are not UTF-8',
      (r) => Uint8Array.from([...bytes(`r=${r}x,${salt},i=4096,x=`), 0xff]),
    ],
  ];
  let derivations = 0;
  const saltedPasswords = new SaltedPasswordCache(8, async () => {
    derivations += 1;
    return new Uint8Array(32);
  });
  for (const [condition, what, message] of cases) {
    await t.test(what, async (t) => {
      const scram = chooseMechanism(contextWith({ saltedPasswords }));
      const nonce = /,r=(.+)$/.exec(text(await scram.initial()))?.[1] ?? '';
      const said = message(nonce);
      await refused(t, condition, () => scram.challenge(typeof said === 'string' ? bytes(said) : said));
      await refused(t, 'unexpected-challenge', () => scram.challenge(bytes(`r=${nonce}x,${salt},i=4096`)));
    });
  }
  t.equal(derivations, 0, 'no work was done for any of them');
});

// [RFC5802-5.1-h]
t.test('what the server gives as its reason becomes a condition and a sentence', async (t) => {
  const conditions = {
    'invalid-proof': 'not-authorized',
    'unknown-user': 'not-authorized',
    'other-error': 'not-authorized',
    'never-heard-of': 'not-authorized',
    'no-resources': 'temporary-auth-failure',
    'invalid-encoding': 'malformed-request',
    'invalid-username-encoding': 'malformed-request',
    'extensions-not-supported': 'malformed-request',
    'channel-bindings-dont-match': 'channel-binding',
    'server-does-support-channel-binding': 'channel-binding',
    'channel-binding-not-supported': 'channel-binding',
    'unsupported-channel-binding-type': 'channel-binding',
  };
  for (const [value, condition] of Object.entries(conditions)) {
    const { scram } = await prove(new ScriptedServer());
    await refused(t, condition, () => scram.success(bytes(`e=${value}`)));
  }
  const early = chooseMechanism(contextWith());
  await early.initial();
  await refused(t, 'not-authorized', () => early.challenge(bytes('e=unknown-user')));
});

// [RFC5802-5.1-d] [pitfall-scram-parameters]
t.test('every exchange has a fresh nonce of at least 18 random bytes', async (t) => {
  const asked: number[] = [];
  const context = contextWith({
    randomBytes: (length) => {
      asked.push(length);
      return new Uint8Array(length).fill(asked.length);
    },
  });
  const nonces = [chooseMechanism(context), chooseMechanism(context)].map(async (scram) => text(await scram.initial()));
  t.same(
    await Promise.all(nonces),
    asked.map((length, index) => `n,,n=juliet,r=${encodeBase64(new Uint8Array(length).fill(index + 1))}`),
  );
  t.ok(asked.every((length) => length >= 18));
});

// [XEP-0440-3-e] [XEP-0474-7-a]
t.test("a possibly truncated list of binding types must be confirmed by the server's hash", async (t) => {
  const offered = ['SCRAM-SHA-256', 'SCRAM-SHA-256-PLUS'];
  for (const serverBindingTypes of [['tls-unique'], []]) {
    const context = contextWith({ offered, serverBindingTypes, channelBindings: [EXPORTER] });
    await refused(t, 'channel-binding', () => prove(new ScriptedServer(), context));
    const server = new ScriptedServer();
    server.extensions = `,h=${downgradeHash('SHA-256', offered, serverBindingTypes)}`;
    await logIn(chooseMechanism(context), server);
  }
  // The list is whole where it has the type that every server must list: we only do not know that one.
  const whole = { offered, serverBindingTypes: ['tls-server-end-point'], channelBindings: [EXPORTER] };
  await logIn(chooseMechanism(contextWith(whole)), new ScriptedServer());
});
