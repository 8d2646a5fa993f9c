import t from 'tap';
import { decodeBase64, encodeBase64 } from '../../src/xmpp-core/sasl/base64.js';
import { chooseMechanism, type SaslPolicy } from '../../src/xmpp-core/sasl/choice.js';
import type { ChannelBinding, Mechanism, SaslContext } from '../../src/xmpp-core/sasl/mechanism.js';
import { SaltedPasswordCache } from '../../src/xmpp-core/sasl/salted-password-cache.js';
import * as keys from '../../src/xmpp-core/sasl/scram-keys.js';
import {
  bytes,
  contextWith,
  END_POINT,
  EXPORTER,
  logIn,
  PASSWORD,
  refused,
  ScriptedServer,
  text,
} from './sasl-server.js';

// [RFC5802-2.2-a] [RFC5802-5.1-a,b] [RFC6120-13.9.4-a]
t.test('names and passwords are prepared, and a name is escaped', async (t) => {
  const credentials = { username: 'Jul=i,et', password: 'cafe\u0301' };
  const scram = chooseMechanism(contextWith({ credentials }));
  t.match(text(await scram.initial()), /^n,,n=jul=3Di=2Cet,r=/);
  await logIn(chooseMechanism(contextWith({ credentials })), new ScriptedServer('SHA-256', 'caf\u00e9'));
  for (const offered of [['SCRAM-SHA-256'], ['PLAIN']]) {
    for (const password of ['correct horse\u0000', '']) {
      const context = contextWith({ offered, credentials: { username: 'juliet', password } });
      const error = await refused(t, 'malformed-credentials', () => chooseMechanism(context));
      t.equal(error.cause, undefined);
    }
    const context = contextWith({ offered, credentials: { username: 'ju liet', password: PASSWORD } });
    await refused(t, 'malformed-credentials', () => chooseMechanism(context));
  }
});

// [RFC5802-6-a,b] [RFC6120-6.3.3-a] [RFC6120-13.8.3-b] [RFC7677-4-b,c] [XEP-0440-3-a,b,c,f] [pitfall-sasl-downgrade]
t.test(
  'the strongest mechanism that both sides know is chosen, and channel binding as the rules have it',
  async (t) => {
    const all = [
      'PLAIN',
      'SCRAM-SHA-1',
      'SCRAM-SHA-256',
      'SCRAM-SHA-512',
      'SCRAM-SHA-1-PLUS',
      'SCRAM-SHA-256-PLUS',
      'SCRAM-SHA-512-PLUS',
    ];
    const both = ['tls-exporter', 'tls-server-end-point'];
    const ours = [END_POINT, EXPORTER];
    type Row = readonly [
      offered: readonly string[],
      listed: readonly string[] | undefined,
      ours: readonly ChannelBinding[],
      begins: string,
    ];
    const rows: readonly Row[] = [
      [all, both, ours, 'SCRAM-SHA-512-PLUS p=tls-exporter,,n='],
      [all, ['tls-server-end-point', 'tls-unique'], ours, 'SCRAM-SHA-512-PLUS p=tls-server-end-point,,n='],
      [all, both, [END_POINT], 'SCRAM-SHA-512-PLUS p=tls-server-end-point,,n='],
      [['SCRAM-SHA-512', 'SCRAM-SHA-1', 'SCRAM-SHA-1-PLUS'], both, ours, 'SCRAM-SHA-1-PLUS p=tls-exporter,,n='],
      // Nothing to bind to on our side.
      [all, both, [], 'SCRAM-SHA-512 n,,n='],
      // We could, the server does not: say so, and a server whose offer was cut will know.
      [['SCRAM-SHA-1', 'SCRAM-SHA-256', 'PLAIN'], undefined, ours, 'SCRAM-SHA-256 y,,n='],
      [['SCRAM-SHA-1', 'SCRAM-SHA-256', 'PLAIN'], [], ours, 'SCRAM-SHA-256 y,,n='],
      // Both could, but not the same: "y" would be a lie.
      [all, undefined, ours, 'SCRAM-SHA-512 n,,n='],
      [all, ['tls-server-end-point'], [EXPORTER], 'SCRAM-SHA-512 n,,n='],
      [['SCRAM-SHA-1', 'SCRAM-SHA3-512-PLUS'], both, ours, 'SCRAM-SHA-1 n,,n='],
      [['X-UNKNOWN', 'PLAIN'], undefined, ours, 'PLAIN \0juliet\0'],
      [['DIGEST-MD5', 'EXTERNAL', 'ANONYMOUS', 'PLAIN'], undefined, [], 'PLAIN \0juliet\0'],
    ];
    for (const [offered, serverBindingTypes, channelBindings, begins] of rows) {
      const mechanism = chooseMechanism(contextWith({ offered, serverBindingTypes, channelBindings }));
      t.ok(`${mechanism.name} ${text(await mechanism.initial())}`.startsWith(begins), begins);
      t.equal(mechanism.pin, mechanism.name === 'PLAIN' ? undefined : 'never-plain');
    }
    const unbound = chooseMechanism(contextWith({ offered: all, serverBindingTypes: both, channelBindings: ours }), {
      channelBinding: 'off',
    });
    t.match(text(await unbound.initial()), /^n,,/);
  },
);

// [RFC6120-6.3.4-b] [RFC6120-13.8.3-a] [XEP-0440-3-d] [XEP-0474-7-b] [pitfall-sasl-downgrade]
// [pitfall-auth-not-offered]
t.test('chooses no mechanism when the offer has no safe one', async (t) => {
  const ours = [EXPORTER];
  const cases: readonly (readonly [
    condition: string,
    why: RegExp,
    changes: Partial<SaslContext>,
    policy?: SaslPolicy,
  ])[] = [
    ['no-mechanism', /no TLS/, { offered: ['PLAIN'], secure: false }],
    ['no-mechanism', /stronger mechanism/, { offered: ['PLAIN'] }, { pinned: 'never-plain' }],
    ['no-mechanism', /no channel binding/, { offered: ['PLAIN'] }, { channelBinding: 'required' }],
    ['no-mechanism', /offers DIGEST-MD5; we could use SCRAM-SHA-512/, { offered: ['DIGEST-MD5', 'evil\nline'] }],
    ['no-mechanism', /offers no mechanism/, { offered: [] }],
    ['no-mechanism', /EXTERNAL, ANONYMOUS/, { offered: ['EXTERNAL', 'ANONYMOUS'] }],
    ['no-mechanism', /only EXTERNAL/, { offered: ['PLAIN', 'SCRAM-SHA-1'] }, { only: 'EXTERNAL' }],
    ['no-mechanism', /without a password/, { offered: ['PLAIN', 'SCRAM-SHA-1'], credentials: undefined }],
    ['channel-binding', /no data to bind to/, {}, { channelBinding: 'required' }],
    ['channel-binding', /no -PLUS/, { channelBindings: ours }, { channelBinding: 'required' }],
    [
      'channel-binding',
      /XEP-0440/,
      { offered: ['SCRAM-SHA-1', 'SCRAM-SHA-1-PLUS'], channelBindings: ours },
      { channelBinding: 'required' },
    ],
    // XEP-0440 §3 rule 5: types without a mechanism.
    ['channel-binding', /removed the mechanisms/, { channelBindings: ours, serverBindingTypes: ['tls-exporter'] }],
  ];
  for (const [condition, why, changes, policy] of cases) {
    const error = await refused(t, condition, () => chooseMechanism(contextWith(changes), policy));
    t.match(error.message, why);
  }
});

t.test('EXTERNAL and ANONYMOUS are used when asked for, and say nothing themselves', async (t) => {
  const context = contextWith({ offered: ['EXTERNAL', 'ANONYMOUS', 'PLAIN'], credentials: undefined });
  for (const only of ['EXTERNAL', 'ANONYMOUS'] as const) {
    const mechanism = chooseMechanism(context, { only });
    t.equal(mechanism.name, only);
    t.equal((await mechanism.initial()).length, 0);
    mechanism.success(undefined);
    t.equal(mechanism.pin, only === 'EXTERNAL' ? 'never-plain' : undefined);
  }
});

// [RFC6120-6.3.8-a] [RFC6120-13.8.3-a]
t.test('PLAIN is one message, answers no challenge and is not believed unasked', async (t) => {
  const begin = (): Mechanism => chooseMechanism(contextWith({ offered: ['PLAIN'] }));
  const mechanism = begin();
  t.equal(text(await mechanism.initial()), `\0juliet\0${PASSWORD}`);
  mechanism.success(undefined);
  await refused(t, 'unexpected-challenge', () => mechanism.challenge(bytes('')));
  await refused(t, 'unexpected-success', () => begin().success(undefined));
});

t.test('a reconnect costs no second derivation, and what is remembered is bounded', async (t) => {
  const derived: string[] = [];
  const cache = new SaltedPasswordCache(2, async (hash, password, salt, iterations) => {
    derived.push(`${hash} ${iterations} ${encodeBase64(salt)}`);
    return keys.saltedPassword(hash, password, salt, iterations);
  });
  const reconnect = async (change: (server: ScriptedServer) => void = () => {}): Promise<number> => {
    const before = derived.length;
    const server = new ScriptedServer();
    change(server);
    await logIn(chooseMechanism(contextWith({ saltedPasswords: cache })), server);
    return derived.length - before;
  };
  const other = (server: ScriptedServer): void => void (server.salt = 'b3RoZXI=');
  const third = (server: ScriptedServer): void => void (server.iterations = '5000');
  t.equal(await reconnect(), 1);
  t.equal(await reconnect(), 0);
  t.equal(await reconnect(other), 1);
  t.equal(await reconnect(), 0, 'two fit');
  t.equal(await reconnect(third), 1);
  t.equal(await reconnect(), 0, 'the one used last stays');
  t.equal(await reconnect(other), 1, 'the one not used went');

  const { signal } = new AbortController();
  const salt = bytes('salt');
  const count = derived.length;
  await cache.get('SHA-256', 'one', salt, 4096, signal);
  await cache.get('SHA-256', 'another', salt, 4096, signal);
  await cache.get('SHA-1', 'another', salt, 4096, signal);
  t.equal(derived.length - count, 3, 'another password or hash is another entry');
});

// [pitfall-scram-parameters]
t.test('an abort ends the attempt at once, and what is derived later is kept by nobody', async (t) => {
  const controller = new AbortController();
  const finish: (() => void)[] = [];
  const cache = new SaltedPasswordCache(
    8,
    (hash, password, salt, iterations) =>
      new Promise((resolve) => {
        finish.push(() => resolve(keys.saltedPassword(hash, password, salt, iterations)));
      }),
  );
  const scram = chooseMechanism(contextWith({ saltedPasswords: cache, signal: controller.signal }));
  const first = bytes(new ScriptedServer().first(await scram.initial()));
  const answer = scram.challenge(first);
  const reason = new Error('the operator stopped it');
  controller.abort(reason);
  await t.rejects(answer, reason);
  finish[0]?.();
  await new Promise(setImmediate);

  const next = chooseMechanism(contextWith({ saltedPasswords: cache }));
  const proof = next.challenge(bytes(new ScriptedServer().first(await next.initial())));
  t.equal(finish.length, 2, 'the next attempt derives anew');
  finish[1]?.();
  await proof;

  const late = chooseMechanism(contextWith({ saltedPasswords: cache, signal: controller.signal }));
  await t.rejects(late.challenge(bytes(new ScriptedServer().first(await late.initial()))), reason);
  t.equal(finish.length, 2, 'after the abort nothing is derived');
});

t.test('the event loop turns while a password is derived', async (t) => {
  let turns = 0;
  const server = new ScriptedServer();
  server.iterations = '100000';
  setImmediate(() => (turns += 1));
  const scram = chooseMechanism(contextWith());
  await scram.challenge(bytes(server.first(await scram.initial())));
  t.equal(turns, 1);
});

// [RFC6120-6.3.5-b]
t.test('base64 has one spelling for each value', async (t) => {
  for (const [data, written] of [
    ['', ''],
    ['f', 'Zg=='],
    ['fo', 'Zm8='],
    ['foo', 'Zm9v'],
    ['foobar', 'Zm9vYmFy'],
  ] as const) {
    t.equal(encodeBase64(bytes(data)), written);
    t.same(decodeBase64(written), bytes(data));
  }
  for (const wrong of ['Zg', 'Zg=', 'Zh==', 'Zm9v\n', ' Zm9v', 'Zm9v====', '_-8=', '=', 'Zg==Zg==', 'é']) {
    t.equal(decodeBase64(wrong), undefined, wrong);
  }
});
