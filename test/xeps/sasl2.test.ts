import { createHash, createHmac, X509Certificate } from 'node:crypto';
import t, { type Test } from 'tap';
import { LOOPBACK_CERTIFICATE } from '../../src/loopback/certificate.js';
import { streamManagement } from '../../src/xeps/xep-0198-stream-management/index.js';
import { clientStateIndication } from '../../src/xeps/xep-0352-client-state-indication.js';
import { definePlugin, type Plugin, type PluginContext } from '../../src/xmpp-core/plugin.js';
import { writeMessage } from '../../src/xmpp-core/stanza/stanzas.js';
import { memoryStorage, type Storage } from '../../src/xmpp-core/storage.js';
import { inlineOnly, type Negotiation, type StreamFeature } from '../../src/xmpp-core/stream/stream-feature.js';
import { el } from '../../src/xmpp-core/xml/element.js';
import { bind2, offersInBind } from '../../src/xeps/xep-0386-bind2.js';
import { sasl2, sasl2With } from '../../src/xeps/xep-0388-sasl2.js';
import { fast } from '../../src/xeps/xep-0484-fast.js';
import type { Client, ClientOptions } from '../../src/xmpp-core/client.js';
import { SaslError } from '../../src/xmpp-core/errors.js';
import { Jid } from '../../src/xmpp-core/jid/jid.js';
import { decodeBase64, encodeBase64 } from '../../src/xmpp-core/sasl/base64.js';
import { downgradeHash } from '../../src/xmpp-core/sasl/downgrade.js';
import { NS_CLIENT, NS_SASL, NS_STREAM } from '../../src/xmpp-core/stanza/namespaces.js';
import { scope, serialize } from '../../src/xmpp-core/xml/serialize.js';
import { parseElement } from '../../src/xmpp-core/xml/stream-parser.js';
import { recorded } from '../support/fixtures.js';
import { PATIENCE_MS } from '../support/loopback.js';
import { BIND, dialogue, features, HEADER, type Peer } from '../support/script.js';
import { bytes, ScriptedServer } from '../xmpp-core/sasl-server.js';

const TOKEN = 'secret-token:0123456789';
const FULL = 'ann@localhost/moltis.made-by-the-server';
const LIST = (...names: string[]): string => names.map((name) => `<mechanism>${name}</mechanism>`).join('');
const TYPES = (...types: string[]): string =>
  `<sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'>${types.map((type) => `<channel-binding type='${type}'/>`).join('')}</sasl-channel-binding>`;
const FAST = (...names: string[]): string => `<fast xmlns='urn:xmpp:fast:0'>${LIST(...names)}</fast>`;
const BIND2 = (...vars: string[]): string =>
  `<bind xmlns='urn:xmpp:bind:0'><inline>${vars.map((one) => `<feature var='${one}'/>`).join('')}</inline></bind>`;
const BOUND = `<bound xmlns='urn:xmpp:bind:0'/>`;
const NEW_TOKEN = (token = TOKEN, expiry = '2999-01-01T00:00:00Z'): string =>
  `<token xmlns='urn:xmpp:fast:0' token='${token}' expiry='${expiry}'/>`;

interface Offer {
  readonly mechanisms?: string;
  readonly inline?: string;
  readonly beside?: string;
}

function offering({ mechanisms = LIST('SCRAM-SHA-256'), inline = '', beside = '' }: Offer = {}): string {
  const authentication = `<authentication xmlns='urn:xmpp:sasl:2'>${mechanisms}<inline>${inline}</inline></authentication>`;
  return HEADER + features(authentication, beside);
}

function success(data: string | undefined, identity: string | undefined, ...inline: string[]): string {
  const additional = data === undefined ? '' : `<additional-data>${encodeBase64(bytes(data))}</additional-data>`;
  const authorized = identity === undefined ? '' : `<authorization-identifier>${identity}</authorization-identifier>`;
  return `<success xmlns='urn:xmpp:sasl:2'>${additional}${authorized}${inline.join('')}</success>`;
}

/** A client that is asked to log in by such an offer; what it said to that. */
async function asked(
  t: Test,
  offer: Offer = {},
  options: Partial<ClientOptions> = {},
): Promise<Awaited<ReturnType<typeof dialogue>> & { request: string }> {
  const talk = await dialogue(t, { resource: 'moltis', plugins: [sasl2, bind2, fast], presence: false, ...options });
  await talk.peer.receives(/<stream:stream [^>]*from='ann@localhost'[^>]*>/);
  talk.peer.sends(offering(offer));
  return { ...talk, request: await talk.peer.receives(/<\/authenticate>/) };
}

const initialOf = (request: string): Uint8Array =>
  decodeBase64(/<initial-response>([^<]*)</.exec(request)?.[1] ?? '') ?? new Uint8Array();

/** The challenge to a request by SCRAM, and the server's last message for the answer. */
async function challenges(peer: Peer, request: string, server = new ScriptedServer()): Promise<string> {
  peer.sends(`<challenge xmlns='urn:xmpp:sasl:2'>${encodeBase64(bytes(server.first(initialOf(request))))}</challenge>`);
  const response = await peer.receives(/<\/response>/);
  return server.final(decodeBase64(/<response [^>]*>([^<]*)</.exec(response)?.[1] ?? '') ?? new Uint8Array());
}

/** What the server of a token says of it, by node:crypto alone. */
const tokenProof = (side: string, binding: Uint8Array = new Uint8Array(), token = TOKEN): Buffer =>
  createHmac('sha256', token).update(side).update(binding).digest();

function provesToken(request: string, binding?: Uint8Array): boolean {
  return Buffer.concat([Buffer.from('ann\0'), tokenProof('Initiator', binding)]).equals(initialOf(request));
}

function tokenSuccess(proof: Uint8Array | undefined, ...inline: string[]): string {
  const additional = proof === undefined ? '' : `<additional-data>${encodeBase64(proof)}</additional-data>`;
  const identity = `<authorization-identifier>${FULL}</authorization-identifier>`;
  return `<success xmlns='urn:xmpp:sasl:2'>${additional}${identity}${BOUND}${inline.join('')}</success>`;
}

/** A storage with a token in it, as a login by password leaves it. */
async function withToken(
  mechanism = 'HT-SHA-256-NONE',
  expiry = '2999-01-01T00:00:00Z',
): Promise<{ storage: Storage; kept: () => Promise<string | undefined> }> {
  const storage = memoryStorage();
  const key = 'fast-token ann@localhost';
  await storage.set(key, JSON.stringify({ token: TOKEN, mechanism, expiry, count: 0, isRevoked: false }));
  return { storage, kept: () => storage.get(key) };
}

/** Why a session ended that the client would try again. */
async function reasonOf({ client }: { readonly client: Client }): Promise<Error | undefined> {
  return (await client.events.once('offline', { timeoutMs: PATIENCE_MS })).reason;
}

async function condition(started: Promise<void>): Promise<string> {
  try {
    await started;
  } catch (error) {
    if (error instanceof SaslError) return error.condition;
    throw error;
  }
  throw new Error('the client came online');
}

// [XEP-0388 §2.1, §2.3, §2.6.1] [XEP-0386 §3.2] [XEP-0484 §3.2]
t.test('one request asks for all, and its answer brings the client online without a new stream', async (t) => {
  const storage = memoryStorage();
  const heard: string[] = [];
  const inBind = definePlugin({
    name: 'in-bind',
    setup: (context) => {
      context.streamFeature(
        inlineOnly('in-bind', 400, {
          within: 'bind',
          offered: (inline) =>
            offersInBind(inline, 'urn:example:wanted') && !offersInBind(inline, 'urn:example:absent')
              ? {
                  element: el('enable', 'urn:example:wanted'),
                  answered: (bound) => void heard.push(bound.childText('enabled', 'urn:example:wanted') ?? 'nothing'),
                }
              : undefined,
        }),
      );
    },
  });
  const agent = sasl2With({ software: 'AwesomeXMPP', device: "Kiva's Phone" });
  const { client, peer, started, request } = await asked(
    t,
    { inline: BIND2('urn:example:wanted') + FAST('HT-SHA-256-NONE'), beside: BIND },
    { storage, plugins: [agent, inBind, bind2, fast] },
  );
  const authenticate = parseElement(request);
  t.equal(authenticate.attr('mechanism'), 'SCRAM-SHA-256');
  const userAgent = authenticate.child('user-agent');
  t.match(userAgent?.attr('id'), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  t.equal(userAgent?.childText('software'), 'AwesomeXMPP');
  t.equal(userAgent?.childText('device'), "Kiva's Phone");
  const bind = authenticate.child('bind', 'urn:xmpp:bind:0');
  t.equal(bind?.childText('tag'), 'moltis', 'the resource is what the server begins its own with');
  t.ok(bind?.child('enable', 'urn:example:wanted'));
  t.equal(authenticate.child('request-token', 'urn:xmpp:fast:0')?.attr('mechanism'), 'HT-SHA-256-NONE');

  const proof = await challenges(peer, request);
  const bound = `<bound xmlns='urn:xmpp:bind:0'><enabled xmlns='urn:example:wanted'>yes</enabled></bound>`;
  peer.sends(success(proof, FULL, bound, NEW_TOKEN()) + features(BIND));
  await started;
  t.equal(client.jid?.toString(), FULL);
  t.strictSame(heard, ['yes']);
  t.equal(peer.unread, '', 'no new stream was opened, and nothing else was bound');

  const again = await asked(t, {}, { storage });
  t.equal(parseElement(again.request).child('user-agent')?.attr('id'), userAgent?.attr('id'), 'the id stays the same');
  const other = await asked(t, {}, { storage: memoryStorage() });
  t.not(parseElement(other.request).child('user-agent')?.attr('id'), userAgent?.attr('id'));
});

// [XEP-0388 §2.6.1] [pitfall-scram-signature]
t.test('success counts only from a server that has proved itself, and only as ourselves', async (t) => {
  const cases: [string, string, (peer: Peer, request: string) => Promise<string>][] = [
    ['server-not-proved', 'before the proof', async () => success(undefined, 'ann@localhost')],
    ['server-not-proved', 'before the proof, with data', async () => success('v=AAAA', 'ann@localhost')],
    [
      'server-not-proved',
      'without additional data',
      async (peer, request) => {
        await challenges(peer, request);
        return success(undefined, 'ann@localhost');
      },
    ],
    [
      'server-not-proved',
      'with a signature by another password',
      async (peer, request) => {
        await challenges(peer, request);
        return success(`v=${Buffer.alloc(32).toString('base64')}`, 'ann@localhost');
      },
    ],
    ['foreign-identity', 'as nobody', async (peer, request) => success(await challenges(peer, request), undefined)],
    ...['bob@localhost', 'ann@example.org', 'localhost', 'not a jid@@'].map((identity): (typeof cases)[number] => [
      'foreign-identity',
      `as ${identity}`,
      async (peer, request) => success(await challenges(peer, request), identity),
    ]),
  ];
  for (const [expected, name, script] of cases) {
    const { client, peer, started, request } = await asked(t, { inline: BIND2() });
    peer.sends((await script(peer, request)) + features(BIND));
    t.equal(await condition(started), expected, name);
    t.equal(client.jid, undefined);
  }
});

// [XEP-0388 §2.6.2, §2.6.3]
t.test('what a failure or a further task says is told, and there is no second attempt', async (t) => {
  const offer = { mechanisms: LIST('SCRAM-SHA-256', 'SCRAM-SHA-1', 'PLAIN') };
  const refused = await asked(t, offer);
  await challenges(refused.peer, refused.request);
  refused.peer.sends(
    `<failure xmlns='urn:xmpp:sasl:2'><special xmlns='urn:example'/><account-disabled xmlns='${NS_SASL}'/><text>Terribly sorry.</text></failure>`,
  );
  await t.rejects(refused.started, { condition: 'account-disabled', message: /Terribly sorry/ });
  t.notMatch(await refused.peer.receivesEnd(), /authenticate/, 'nothing weaker was tried');

  const tasks = '<tasks><task>HOTP-EXAMPLE</task><task>TOTP-EXAMPLE</task></tasks><text>Two factors.</text>';
  const asks = await asked(t, offer);
  const proof = encodeBase64(bytes(await challenges(asks.peer, asks.request)));
  asks.peer.sends(`<continue xmlns='urn:xmpp:sasl:2'><additional-data>${proof}</additional-data>${tasks}</continue>`);
  await t.rejects(asks.started, { condition: 'continue', message: /HOTP-EXAMPLE.*TOTP-EXAMPLE.*Two factors/ });

  const unproved = await asked(t, offer);
  await challenges(unproved.peer, unproved.request);
  unproved.peer.sends(`<continue xmlns='urn:xmpp:sasl:2'>${tasks}</continue>`);
  t.equal(await condition(unproved.started), 'server-not-proved', 'who asks has to prove itself first');

  const chatter = await asked(t, offer);
  chatter.peer.sends(`<message xmlns='jabber:client'/>`);
  t.match(await reasonOf(chatter), { message: /<message\/> during authentication/ });
});

// [XEP-0388 §4] [XEP-0440-3-g] [XEP-0474-6.1-b] [pitfall-sasl-downgrade, pitfall-sasl-downgrade-hash]
t.test('who changes what is offered wins nothing', async (t) => {
  const plainOnly = { mechanisms: LIST('PLAIN') };
  const pinned = memoryStorage();
  const first = await asked(t, {}, { storage: pinned });
  first.peer.sends(success(await challenges(first.peer, first.request), 'ann@localhost') + features(BIND));
  first.peer.binds(await first.peer.receives(/<\/iq>/));
  await first.started;
  const cut = await dialogue(t, { storage: pinned, plugins: [sasl2] });
  await cut.peer.receives(/<stream:stream [^>]*>/);
  cut.peer.sends(offering(plainOnly));
  t.equal(await condition(cut.started), 'no-mechanism', 'PLAIN is never again used for who has seen SCRAM');
  t.notMatch(await cut.peer.receivesEnd(), /authenticate/);

  const typeless = await asked(t, { mechanisms: LIST('SCRAM-SHA-256', 'SCRAM-SHA-256-PLUS') });
  const server = new ScriptedServer();
  typeless.peer.sends(
    `<challenge xmlns='urn:xmpp:sasl:2'>${encodeBase64(bytes(server.first(initialOf(typeless.request))))}</challenge>`,
  );
  t.equal(await condition(typeless.started), 'channel-binding', '-PLUS without types ends the attempt');

  // Beside SASL2, the profile of RFC 6120 offers more; the hash is over what SASL2 offers.
  const beside = `<mechanisms xmlns='${NS_SASL}'>${LIST('PLAIN', 'SCRAM-SHA-256')}</mechanisms>`;
  for (const [mechanisms, isOk] of [
    [['SCRAM-SHA-256'], true],
    [['PLAIN', 'SCRAM-SHA-256'], false],
  ] as const) {
    const { peer, started, request } = await asked(t, { beside, inline: BIND2() + FAST('HT-SHA-256-NONE') });
    const hashing = new ScriptedServer();
    hashing.extensions = `,h=${downgradeHash('SHA-256', mechanisms, [])}`;
    if (isOk) {
      peer.sends(success(await challenges(peer, request, hashing), FULL, BOUND) + features());
      await t.resolves(started);
    } else {
      peer.sends(
        `<challenge xmlns='urn:xmpp:sasl:2'>${encodeBase64(bytes(hashing.first(initialOf(request))))}</challenge>`,
      );
      t.equal(await condition(started), 'downgrade-detected');
    }
  }

  // StartTLS comes first and sees to it as well; no plugin has to rely on that.
  for (const plugin of [sasl2, fast]) {
    const [feature] = featuresOf(plugin);
    const unprotected = { stream: { security: undefined }, authenticator: { byPassword: true } } as unknown;
    const offer = parseElement(
      `<x>${plugin === sasl2 ? `<authentication xmlns='urn:xmpp:sasl:2'>${LIST('PLAIN')}</authentication>` : FAST('HT-SHA-256-NONE')}</x>`,
    );
    const negotiation = unprotected as Negotiation;
    t.equal(feature?.offered(offer, negotiation), undefined);
    t.equal(await feature?.inline?.[0]?.offered(offer, negotiation), undefined, `${plugin.name} without TLS`);
  }
});

/** The stream features that a plugin registers. */
function featuresOf(plugin: Plugin<unknown>): readonly StreamFeature[] {
  const registered: StreamFeature[] = [];
  const context = { storage: memoryStorage(), streamFeature: (feature: StreamFeature) => registered.push(feature) };
  plugin.setup(context as unknown as PluginContext);
  return registered;
}

// [XEP-0386 §3.2]
t.test(
  'a resource that Bind 2 does not bind is bound as RFC 6120 does it, and one of somebody else is none',
  async (t) => {
    for (const answer of [`<failed xmlns='urn:xmpp:bind:0'/>`, '']) {
      const { client, peer, started, request } = await asked(t, { inline: BIND2() });
      peer.sends(success(await challenges(peer, request), 'ann@localhost', answer) + features(BIND));
      peer.binds(await peer.receives(/<\/iq>/), 'ann@localhost/moltis');
      await started;
      t.equal(client.jid?.toString(), 'ann@localhost/moltis');
    }
    const nameless = await asked(t, { inline: BIND2() });
    nameless.peer.sends(
      success(await challenges(nameless.peer, nameless.request), 'ann@localhost', BOUND) + features(),
    );
    t.match(await reasonOf(nameless), { message: /without naming it/ });

    const without = await asked(t, { inline: FAST('HT-SHA-256-NONE') });
    t.notMatch(without.request, /urn:xmpp:bind:0/, 'nothing is asked that is not offered');

    const letsServerChoose = await dialogue(t, { plugins: [bind2] });
    await letsServerChoose.peer.receives(/<stream:stream [^>]*>/);
    letsServerChoose.peer.sends(offering({ inline: BIND2() }));
    t.match(await letsServerChoose.peer.receives(/<\/authenticate>/), /<bind xmlns='urn:xmpp:bind:0'\/>/);
  },
);

// [XEP-0386 §3.2] a session that was resumed goes before a new one
t.test('where a session was resumed nothing is bound', async (t) => {
  const resuming = definePlugin({
    name: 'resuming',
    setup: (context) => {
      context.streamFeature(
        inlineOnly('resuming', 280, {
          within: 'authentication',
          offered: (_inline, negotiation) => ({
            element: el('resume', 'urn:example:resume'),
            answered: (answer) => {
              if (answer.child('resumed', 'urn:example:resume') === undefined) return;
              negotiation.jid = Jid.parse('ann@localhost/of-before');
            },
          }),
        }),
      );
    },
  });
  const { client, peer, started, request } = await asked(t, { inline: BIND2() }, { plugins: [bind2, resuming] });
  t.ok(request.indexOf('<resume ') < request.indexOf('<bind '), 'it is asked for in the order of the features');
  const proof = await challenges(peer, request);
  peer.sends(success(proof, FULL, BOUND, `<resumed xmlns='urn:example:resume'/>`) + features(BIND));
  await started;
  t.equal(client.jid?.toString(), 'ann@localhost/of-before');
});

// [XEP-0484 §3.2, §3.3, §3.4, §3.5]
t.test('the token of one login is the next login, each use counted, until the server gives another', async (t) => {
  const storage = memoryStorage();
  const inline = BIND2() + FAST('HT-SHA-256-NONE', 'HT-SHA-256-ENDP');
  const offer: Offer = {
    mechanisms: LIST('SCRAM-SHA-256', 'SCRAM-SHA-256-PLUS'),
    inline,
    beside: TYPES('tls-server-end-point'),
  };
  const binding = createHash('sha256').update(new X509Certificate(LOOPBACK_CERTIFICATE).raw).digest();

  const first = await asked(t, offer, { storage });
  t.match(
    first.request,
    /<request-token [^>]*mechanism='HT-SHA-256-ENDP'/,
    'bound to the connection where that can be',
  );
  const server = new ScriptedServer();
  server.bindingData = binding.toString();
  first.peer.sends(success(await challenges(first.peer, first.request, server), FULL, BOUND, NEW_TOKEN()) + features());
  await first.started;
  t.notMatch(JSON.stringify(await storage.get('sasl-pin ann@localhost')), TOKEN);

  // The password is of no use any more; the token is.
  const byToken = { storage, password: 'wrong' };
  const unanswered = await asked(t, offer, byToken);
  t.match(unanswered.request, /mechanism='HT-SHA-256-ENDP'.*<fast [^>]*count='1'/);
  unanswered.peer.hangsUp();
  const second = await asked(t, offer, byToken);
  t.match(second.request, /<fast [^>]*count='2'/, 'a use that nobody answered is counted as well');
  t.notMatch(second.request, /request-token|invalidate/);
  t.ok(provesToken(second.request, binding));
  second.peer.sends(tokenSuccess(tokenProof('Responder', binding), NEW_TOKEN('another')) + features());
  await second.started;
  t.equal(second.client.jid?.toString(), FULL);

  const third = await asked(t, offer, byToken);
  t.match(third.request, /<fast [^>]*count='1'/);
  t.notOk(provesToken(third.request, binding), 'the new token has taken its place');
});

// [XEP-0484 §3.4, §5] [XEP-0484 §4.1]
t.test(
  'a token is used for its account, by its mechanism and before its time is over, and else the password is',
  async (t) => {
    const scram = LIST('SCRAM-SHA-256');
    const cases: [string, Offer, Partial<ClientOptions>][] = [
      ['expired', { mechanisms: scram, inline: FAST('HT-SHA-256-NONE') }, (await expired()).options],
      [
        'for another mechanism',
        { mechanisms: scram, inline: FAST('HT-SHA-256-NONE') },
        { storage: (await withToken('HT-SHA-256-ENDP')).storage },
      ],
      [
        'unbound, where it could be bound',
        {
          mechanisms: LIST('SCRAM-SHA-256', 'SCRAM-SHA-256-PLUS'),
          inline: FAST('HT-SHA-256-NONE', 'HT-SHA-256-ENDP'),
          beside: TYPES('tls-server-end-point'),
        },
        { storage: (await withToken()).storage },
      ],
      ['damaged', { mechanisms: scram, inline: FAST('HT-SHA-256-NONE') }, { storage: await damaged() }],
    ];
    for (const [name, offer, options] of cases) {
      const { request } = await asked(t, offer, options);
      t.match(request, /mechanism='SCRAM-SHA-256(-PLUS)?'.*<request-token/, name);
      t.notMatch(request, /<fast/, name);
    }
    const bound = await asked(
      t,
      {
        mechanisms: LIST('SCRAM-SHA-256-PLUS'),
        inline: FAST('HT-SHA-256-NONE'),
        beside: TYPES('tls-server-end-point'),
      },
      { channelBinding: 'required', storage: (await withToken()).storage },
    );
    t.notMatch(bound.request, /urn:xmpp:fast:0/, 'where a binding is required, no unbound token is used or asked for');

    const { storage } = await withToken();
    const bob = await dialogue(t, { jid: Jid.parse('bob@localhost'), storage, plugins: [fast] });
    await bob.peer.receives(/<stream:stream [^>]*>/);
    bob.peer.sends(offering({ inline: FAST('HT-SHA-256-NONE') }));
    t.match(await bob.peer.receives(/<\/authenticate>/), /SCRAM/, 'of another account');
    const guest = await dialogue(t, { jid: Jid.parse('localhost'), login: 'ANONYMOUS', storage, plugins: [fast] });
    await guest.peer.receives(/<stream:stream [^>]*>/);
    guest.peer.sends(offering({ mechanisms: LIST('ANONYMOUS'), inline: FAST('HT-SHA-256-NONE') }));
    t.notMatch(await guest.peer.receives(/<\/authenticate>/), /urn:xmpp:fast:0/, 'a token stands for a password only');
  },
);

async function expired(): Promise<{ options: Partial<ClientOptions> }> {
  return { options: { storage: (await withToken('HT-SHA-256-NONE', '2020-03-12T14:36:15Z')).storage } };
}

async function damaged(): Promise<Storage> {
  const storage = memoryStorage();
  await storage.set('fast-token ann@localhost', '{"token":');
  return storage;
}

// [XEP-0484 §3.3] what cannot be kept is not
t.test('a token that is no use is not kept', async (t) => {
  for (const answer of [NEW_TOKEN(TOKEN, 'soon'), NEW_TOKEN(''), NEW_TOKEN('x'.repeat(5000)), `<token/>`]) {
    const storage = memoryStorage();
    const { peer, started, request } = await asked(t, { inline: BIND2() + FAST('HT-SHA-256-NONE') }, { storage });
    peer.sends(success(await challenges(peer, request), FULL, BOUND, answer) + features());
    await started;
    t.equal(await storage.get('fast-token ann@localhost'), undefined);
  }
});

// [XEP-0484 §4.1] [pitfall-sasl-downgrade]
t.test('a token that the server refuses is dropped, and the password follows on the same stream', async (t) => {
  for (const reason of ['not-authorized', 'credentials-expired']) {
    const { storage, kept } = await withToken();
    await storage.set('sasl-pin ann@localhost', 'never-plain');
    const offer = { mechanisms: LIST('PLAIN', 'SCRAM-SHA-256'), inline: BIND2() + FAST('HT-SHA-256-NONE') };
    const { client, peer, started, request } = await asked(t, offer, { storage });
    t.ok(provesToken(request));
    peer.sends(`<failure xmlns='urn:xmpp:sasl:2'><${reason} xmlns='${NS_SASL}'/></failure>`);
    const byPassword = await peer.receives(/<\/authenticate>/);
    t.equal(await kept(), undefined);
    t.match(byPassword, /mechanism='SCRAM-SHA-256'.*<request-token/, 'by what would have been chosen without a token');
    t.notMatch(byPassword, /<fast/);
    peer.sends(success(await challenges(peer, byPassword), FULL, BOUND) + features());
    await started;
    t.equal(client.jid?.toString(), FULL);
  }
});

// [XEP-0484 §3.4] the server has to know the token too
t.test(
  'a server that does not prove that it knows the token is not spoken to, and the token not used again',
  async (t) => {
    const answers = [
      tokenSuccess(undefined),
      tokenSuccess(tokenProof('Initiator')),
      tokenSuccess(tokenProof('Responder', undefined, 'of another client')),
    ];
    for (const answer of answers) {
      const { storage, kept } = await withToken();
      const { peer, started } = await asked(t, { inline: BIND2() + FAST('HT-SHA-256-NONE') }, { storage });
      peer.sends(answer + features());
      const error: unknown = await started.then(
        () => undefined,
        (reason: unknown) => reason,
      );
      t.match(error, { condition: 'server-not-proved' });
      t.notMatch(`${String(error)} ${error instanceof Error ? error.stack : ''}`, TOKEN);
      t.equal(await kept(), undefined);
      t.notMatch(await peer.receivesEnd(), /authenticate/, 'such a server gets no password');
    }
    const { storage } = await withToken();
    const { peer, started } = await asked(t, { inline: FAST('HT-SHA-256-NONE') }, { storage });
    peer.sends(`<challenge xmlns='urn:xmpp:sasl:2'>AAAA</challenge>`);
    t.equal(await condition(started), 'unexpected-challenge', 'one round trip is all it takes');
  },
);

// [XEP-0484 §3.6]
t.test('a token can be forgotten by us, and by the server as well', async (t) => {
  const offer = { inline: BIND2() + FAST('HT-SHA-256-NONE') };
  const mine = await withToken();
  const forgetful = await asked(t, offer, { storage: mine.storage });
  await forgetful.client.get(fast).forget();
  t.equal(await mine.kept(), undefined);

  const { storage, kept } = await withToken();
  const before = await asked(t, offer, { storage });
  before.peer.sends(tokenSuccess(tokenProof('Responder')) + features());
  await before.started;
  await before.client.get(fast).revoke();
  const last = await asked(t, offer, { storage });
  t.match(last.request, /<fast [^>]*invalidate='true'/);
  last.peer.sends(tokenSuccess(tokenProof('Responder')) + features());
  await last.started;
  t.equal(await kept(), undefined, 'it was good for that one login');
});

// [XEP-0388 §2.6.1] [XEP-0386 §3.2] [XEP-0484 §3.4] [XEP-0198 §8] [XEP-0352 §3]
t.test(
  'what real servers offer and answer is a login, a session that is resumed, and another one by a token',
  async (t) => {
    for (const [server, hash] of [
      ['Prosody', 'SHA-256'],
      ['ejabberd', 'SHA-512'],
    ] as const) {
      /** What was recorded, with the proof, the token and the account of this test in it. */
      const says = (xep: number, name: string, proof: Uint8Array = new Uint8Array()): string => {
        const element = recorded(xep).get(`${name}, by ${server}`);
        if (element === undefined) throw new Error(`'${name}' is not recorded`);
        return serialize(element, scope(NS_CLIENT, { stream: NS_STREAM }))
          .replace('cHJvb2Y=', encodeBase64(proof))
          .replace(/token='[^']*'/, `token='${TOKEN}'`)
          .replace(/expiry='[^']*'/, `expiry='2999-01-01T00:00:00Z'`)
          .replace('bob@example.org', 'ann@localhost');
      };
      const requested = async (peer: Peer): Promise<string> => {
        await peer.receives(/<stream:stream [^>]*from='ann@localhost'[^>]*>/);
        peer.sends(HEADER + says(388, 'what is offered'));
        return peer.receives(/<\/authenticate>/);
      };
      const options: Partial<ClientOptions> = {
        resource: 'moltis',
        plugins: [streamManagement, clientStateIndication, sasl2, bind2, fast],
        presence: false,
        storage: memoryStorage(),
        channelBinding: 'off',
        reconnect: { firstMs: 1, maxMs: 1 },
      };
      const { client, peer, started, next } = await dialogue(t, options);
      const byPassword = await requested(peer);
      t.match(byPassword, `<request-token xmlns='urn:xmpp:fast:0' mechanism='HT-SHA-256-NONE'/>`, server);
      const final = await challenges(peer, byPassword, new ScriptedServer(hash));
      const features = says(352, 'what is offered in a session of Bind 2');
      peer.sends(says(386, 'success with a session and a token', bytes(final)) + features);
      await started;
      t.match(client.jid?.toString(), /^ann@localhost\/moltis[.~]/);
      t.ok(client.get(streamManagement).enabled);
      client.get(clientStateIndication).setActive(false);
      for (const id of ['1', '2'])
        client.send(writeMessage({ to: Jid.parse('bob@localhost'), type: 'chat', id, body: id }));
      await peer.receives(/<inactive xmlns='urn:xmpp:csi:0'\/>.*<r xmlns='urn:xmpp:sm:3'\/>/s);
      const back = client.events.once('online', { timeoutMs: PATIENCE_MS });
      peer.hangsUp();

      const again = await next();
      const byToken = await requested(again);
      const before = /previd='([^']*)'/.exec(says(388, 'success that resumes a session'))?.[1] ?? '';
      t.match(byToken, `<resume xmlns='urn:xmpp:sm:3' h='0' previd='${before}'/>`, server);
      t.ok(provesToken(byToken));
      again.sends(says(388, 'success that resumes a session', tokenProof('Responder')));
      t.match(await back, { resumed: true }, server);
      t.strictSame(client.get(streamManagement).unacknowledged, []);
      const stopped = client.stop();
      await again.receives(/<\/stream:stream>/);
      again.sends('</stream:stream>');
      await stopped;

      const anew = await dialogue(t, options);
      const third = await requested(anew.peer);
      t.ok(provesToken(third), server);
      t.notMatch(third, '<resume');
      anew.peer.sends(says(484, 'success by token', tokenProof('Responder')) + features);
      await anew.started;
      t.equal(anew.client.jid?.bare.toString(), 'ann@localhost', server);
    }
  },
);
