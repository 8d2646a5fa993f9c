/** What RFC 6120 asks and no other test shows: mostly what a client says, byte by byte, to a server that follows a script. */
import t from 'tap';
import { LOOPBACK_CERTIFICATE } from '../../src/loopback/certificate.js';
import { createClient, type Client } from '../../src/xmpp-core/client.js';
import { StanzaError, StreamError } from '../../src/xmpp-core/errors.js';
import { Jid } from '../../src/xmpp-core/jid/jid.js';
import { newId } from '../../src/xmpp-core/stanza/ids.js';
import {
  NS_BIND,
  NS_CLIENT,
  NS_SASL,
  NS_STANZAS,
  NS_STREAM,
  NS_STREAMS,
  NS_TLS,
} from '../../src/xmpp-core/stanza/namespaces.js';
import { readStanzaError, writeStanzaError } from '../../src/xmpp-core/stanza/stanza-error.js';
import { writeMessage } from '../../src/xmpp-core/stanza/stanzas.js';
import { memoryStorage } from '../../src/xmpp-core/storage.js';
import { messageFraming } from '../../src/xmpp-core/stream/framing.js';
import type { SrvResolver } from '../../src/xmpp-core/transport/targets.js';
import { el } from '../../src/xmpp-core/xml/element.js';
import { parseElement } from '../../src/xmpp-core/xml/stream-parser.js';
import { PASSWORD, PATIENCE_MS, recorder, startLoopback, until } from '../support/loopback.js';
import { BIND, dialogue, features, HEADER, MECHANISMS, STARTTLS } from '../support/script.js';

type SrvRecord = Awaited<ReturnType<SrvResolver['resolveSrv']>>[number];

const next = <Name extends 'offline' | 'online' | 'message'>(client: Client, name: Name) =>
  client.events.once(name, { timeoutMs: PATIENCE_MS });

const header = (from: string): string =>
  `<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='${NS_STREAM}' to='localhost' ${from}version='1.0' xml:lang='en'>`;

// [RFC6120-4.3.3-a] [RFC6120-4.3.5-a] [RFC6120-4.7.1-a] [RFC6120-4.7.2-a] [RFC6120-4.7.4-a] [RFC6120-4.7.5-a]
// [RFC6120-4.8.1-b] [RFC6120-4.8.2-a,b] [RFC6120-5.3.1-a] [RFC6120-5.3.2-a] [RFC6120-5.3.3-a] [RFC6120-5.3.6-a]
// [RFC6120-5.4.2.3-a] [RFC6120-6.3.2-a] [RFC6120-6.3.5-a] [RFC6120-6.3.7-a] [RFC6120-6.3.8-a] [RFC6120-6.4.2-a,c]
// [RFC6120-7.3.2-a] [RFC6120-8.1.2.1-a] [RFC6120-11.5-a] [RFC6121-4.2.1-a,b] [RFC7590-3.6-a]
t.test('a login by STARTTLS sends exactly the required elements, in order', async (t) => {
  const { client, peer, started } = await dialogue(t, { plain: true, resource: 'desk' });
  t.equal(await peer.receives(/<stream:stream [^>]*>/), header(''), 'before TLS nothing says who we are');
  peer.sends(HEADER + features(STARTTLS));
  t.equal(await peer.receives(/\/>/), `<starttls xmlns='${NS_TLS}'/>`);
  t.equal(peer.unread, '');
  peer.sends(`<proceed xmlns='${NS_TLS}'/>`);
  t.equal((await peer.startsTls()).serverName, 'localhost');

  t.equal(await peer.receives(/<stream:stream [^>]*>/), header(`from='ann@localhost' `));
  peer.sends(HEADER + features(MECHANISMS));
  const plain = Buffer.from('\0ann\0correct horse').toString('base64');
  t.equal(await peer.receives(/<\/auth>/), `<auth xmlns='${NS_SASL}' mechanism='PLAIN'>${plain}</auth>`);
  peer.sends(`<success xmlns='${NS_SASL}'/>`);

  t.equal(await peer.receives(/<stream:stream [^>]*>/), header(`from='ann@localhost' `));
  peer.sends(HEADER + features(BIND));
  const request = await peer.receives(/<\/iq>/);
  t.match(request, /^<iq type='set' id='[\w-]{22}'><bind xmlns='[^']*'><resource>desk<\/resource><\/bind><\/iq>$/);
  t.throws(() => client.send(writeMessage({ to: client.account, type: 'chat', body: 'early' })), /not online/);
  peer.binds(request, 'ann@localhost/desk');
  await started;
  t.match(await peer.receives(/\/>/), /^<presence id='[\w-]{22}'\/>$/);
  t.equal(peer.unread, '');
});

// [RFC6120-5.2-a] [XEP-0368-3-e,f,g] [RFC7590-3.6-a]
t.test('direct TLS names the domain and the application, and has no StartTLS inside', async (t) => {
  const { peer, asked } = await dialogue(t, { tls: { ALPNProtocols: ['http/1.1', 'xmpp-client'] } });
  t.same(asked, { serverName: 'localhost', protocol: 'xmpp-client' });
  await peer.receives(/<stream:stream [^>]*>/);
  peer.sends(HEADER + features(STARTTLS, MECHANISMS));
  t.match(await peer.receives(/<\/auth>/), /^<auth /);
});

// [RFC6120-4.3.6-a,b] [RFC6120-4.7.5-c] [RFC6120-4.7.1-c] [RFC6120-4.7.2-b] [RFC6120-4.3.2-a]
t.test(
  'a header without addresses and features nobody knows are taken, and our JID is what the server says',
  async (t) => {
    const { client, peer, started } = await dialogue(t, { resource: 'desk' });
    const bare = `<stream:stream xmlns='jabber:client' xmlns:stream='${NS_STREAM}' version='1.0'>`;
    await peer.receives(/<stream:stream [^>]*>/);
    peer.sends(bare + features(`<unknown xmlns='urn:x'><required/></unknown>`, MECHANISMS));
    await peer.receives(/<\/auth>/);
    peer.sends(`<success xmlns='${NS_SASL}'/>`);
    await peer.receives(/<stream:stream [^>]*>/);
    peer.sends(bare.replace("version='1.0'", "version='01.0'") + features(BIND, `<unknown xmlns='urn:x'/>`));
    peer.binds(await peer.receives(/<\/iq>/), 'ann@localhost/Another');
    await started;
    t.equal(client.jid?.toString(), 'ann@localhost/Another');
  },
);

// [RFC6120-4.7.5-b] [RFC6120-4.8.1-a] [RFC6120-4.9.1.1-a] [RFC6120-4.9.1.2-a] [RFC6120-4.9.2-a] [RFC6120-4.9.3-10,13,25]
t.test('a header that is not one of XMPP 1.0 is answered with its stream error, inside our stream', async (t) => {
  const cases = {
    'unsupported-version': HEADER.replace(` version='1.0'`, ''),
    'invalid-namespace': HEADER.replace(NS_STREAM, 'urn:other'),
    'not-well-formed': '<stream:stream>',
  };
  for (const [condition, said] of Object.entries(cases)) {
    const { client, peer } = await dialogue(t);
    const offline = next(client, 'offline');
    t.equal(await peer.receives(/<stream:stream [^>]*>/), header(`from='ann@localhost' `));
    peer.sends(said);
    t.equal(
      await peer.receivesEnd(),
      `<stream:error><${condition} xmlns='${NS_STREAMS}'/></stream:error></stream:stream>`,
    );
    t.match((await offline).reason, { name: 'ConnectError', cause: { name: 'StreamError', condition, by: 'us' } });
  }
});

// [RFC6120-4.9.1.1-b] [RFC6120-4.9.2-b] [RFC6120-4.9.4-a] [RFC6120-8.1.5-a]
t.test(
  'a stream error of the server is told with its details, and answered with the end and nothing more',
  async (t) => {
    const { client, peer, started } = await dialogue(t);
    await peer.acceptsLogin();
    await started;
    await peer.receives(/<presence [^>]*>/);
    const offline = next(client, 'offline');
    peer.sends(
      `<stream:error><system-shutdown xmlns='${NS_STREAMS}'/><text xmlns='${NS_STREAMS}' xml:lang='de'>Gute Nacht</text>` +
        `<text xmlns='${NS_STREAMS}'>conflict</text><why xmlns='urn:app'/></stream:error></stream:stream>`,
    );
    t.equal(await peer.receivesEnd(), '</stream:stream>');
    const { reason } = await offline;
    t.match(reason, { name: 'StreamError', condition: 'system-shutdown', message: /conflict/, by: 'peer' });
    t.equal(reason instanceof StreamError && reason.details.application?.ns, 'urn:app');
  },
);

// [RFC6120-4.4-a,b,c] [RFC6121-4.5.1-a]
t.test('a stop sends unavailable presence, and handles what arrives until the server closes', async (t) => {
  const { client, peer, started } = await dialogue(t);
  await peer.acceptsLogin();
  await started;
  await peer.receives(/<presence [^>]*>/);
  const stopped = client.stop();
  t.match(await peer.receives(/<\/stream:stream>/), /^<presence type='unavailable' id='[^']*'\/><\/stream:stream>$/);
  const message = next(client, 'message');
  peer.sends(`<message from='bob@localhost/x' type='chat'><body>one more thing</body></message>`);
  t.equal((await message).body, 'one more thing', 'so the connection was still there');
  t.throws(() => client.send(writeMessage({ to: client.account, type: 'chat', body: 'late' })));
  peer.sends('</stream:stream>');
  t.equal(await peer.receivesEnd(), '');
  await stopped;
});

// [RFC6120-4.4-e]
t.test("the server's end is answered with ours", async (t) => {
  const { client, peer, started } = await dialogue(t);
  await peer.acceptsLogin();
  await started;
  await peer.receives(/<presence [^>]*>/);
  const offline = next(client, 'offline');
  peer.sends('</stream:stream>');
  t.equal(await peer.receivesEnd(), '</stream:stream>');
  t.match(await offline, { reason: undefined, willRetry: true });
});

// [RFC6120-5.4.2.2-a]
t.test('a refusal of STARTTLS ends the connection, and nothing is sent in plaintext', async (t) => {
  const { client, peer } = await dialogue(t, { plain: true });
  const offline = next(client, 'offline');
  await peer.receives(/<stream:stream [^>]*>/);
  peer.sends(HEADER + features(STARTTLS, MECHANISMS));
  await peer.receives(/<starttls [^>]*>/);
  peer.sends(`<failure xmlns='${NS_TLS}'/></stream:stream>`);
  t.match(await peer.receivesEnd(), /^(<\/stream:stream>)?$/);
  t.match((await offline).reason, { name: 'TlsError', message: /refused/ });
});

// [RFC6120-5.4.3.2-a] [RFC7590-3-a]
t.test('a failed handshake, as with TLS before 1.2, ends the connection, and nothing more is sent', async (t) => {
  const { client, peer } = await dialogue(t, { plain: true });
  const offline = next(client, 'offline');
  await peer.receives(/<stream:stream [^>]*>/);
  peer.sends(HEADER + features(STARTTLS));
  await peer.receives(/<starttls [^>]*>/);
  peer.sends(`<proceed xmlns='${NS_TLS}'/>`);
  await t.rejects(peer.startsTls({ minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }));
  t.equal(await peer.receivesEnd(), '');
  t.match((await offline).reason, { name: 'TlsError' });
});

// [RFC6120-6.4.5-a] [RFC6120-6.5-a,b]
t.test('every SASL failure is reported with its condition, and only temporary ones are retried', async (t) => {
  const conditions = [
    'aborted',
    'account-disabled',
    'credentials-expired',
    'encryption-required',
    'incorrect-encoding',
    'invalid-authzid',
    'invalid-mechanism',
    'malformed-request',
    'mechanism-too-weak',
    'not-authorized',
    'temporary-auth-failure',
    'never-heard-of',
  ];
  for (const condition of [...conditions, undefined]) {
    const { client, peer } = await dialogue(t);
    const offline = next(client, 'offline');
    await peer.receives(/<stream:stream [^>]*>/);
    peer.sends(HEADER + features(MECHANISMS));
    await peer.receives(/<\/auth>/);
    peer.sends(`<failure xmlns='${NS_SASL}'>${condition === undefined ? '' : `<${condition}/>`}</failure>`);
    const { reason, willRetry } = await offline;
    t.match(reason, { name: 'SaslError', condition: condition ?? 'not-authorized' });
    t.equal(willRetry, condition === 'aborted' || condition === 'temporary-auth-failure', condition ?? 'none');
    t.equal(await peer.receivesEnd(), '', 'nothing else is tried');
  }
});

// [RFC6120-6.4.6-b] [RFC6120-7.3.1-a] [RFC6120-7.6.2-a] [RFC6120-7.7.2.2-a]
t.test(
  'a session for somebody else, a refused resource and a server without resources are told, and left',
  async (t) => {
    const bound = (jid: string) => (id: string) =>
      `<iq type='result' id='${id}'><bind xmlns='${NS_BIND}'><jid>${jid}</jid></bind></iq>`;
    const error = (condition: string) => (id: string) =>
      `<iq type='error' id='${id}'><error type='cancel'><${condition} xmlns='${NS_STANZAS}'/></error></iq>`;
    const cases: readonly (readonly [RegExp, (id: string) => string])[] = [
      [/does not belong to ann@localhost/, bound('bob@localhost/x')],
      [/does not belong to ann@localhost/, bound('ann@localhost')],
      [/resource-constraint/, error('resource-constraint')],
      [/conflict/, error('conflict')],
    ];
    for (const [message, answer] of cases) {
      const { client, peer } = await dialogue(t);
      const offline = next(client, 'offline');
      await peer.authenticates();
      peer.sends(HEADER + features(BIND));
      const id = /id='([^']*)'/.exec(await peer.receives(/<\/iq>/))?.[1] ?? '';
      peer.sends(answer(id));
      t.match((await offline).reason, { name: 'NegotiationError', message });
      t.notMatch(await peer.receivesEnd(), '<presence');
    }
    const { client, peer } = await dialogue(t);
    const offline = next(client, 'offline');
    await peer.authenticates();
    peer.sends(HEADER + features());
    t.match((await offline).reason, { name: 'NegotiationError', message: /no way to bind/ });
  },
);

// [RFC6120-8.2.3-e] [RFC6120-8.3.1-b] [pitfall-error-loop]
t.test('answers and errors are never answered', async (t) => {
  const { server, online } = await startLoopback(t);
  const log = recorder();
  server.misbehave(log);
  const ann = await online('ann');
  await until(() => log.find('presence', NS_CLIENT) !== undefined, 'the first presence');
  const before = log.sent.length;
  const error = `<error type='cancel'><item-not-found xmlns='${NS_STANZAS}'/></error>`;
  server.inject(
    ann.jid ?? ann.account,
    `<iq type='result' id='x' from='bob@localhost'/><iq type='error' id='y' from='bob@localhost'>${error}</iq>` +
      `<iq type='error' from='bob@localhost'/><iq type='result' from='bob@localhost'><a xmlns='urn:a'/><b xmlns='urn:a'/></iq>` +
      `<message type='error' from='bob@localhost'>${error}</message><presence type='error' from='bob@localhost'>${error}</presence>` +
      `<iq type='get' id='last' from='bob@localhost'><unknown xmlns='urn:x'/></iq>`,
  );
  await until(() => log.sent.length > before, 'the answer to the only request');
  t.same(
    log.sent.slice(before).map((stanza) => stanza.attr('id')),
    ['last'],
  );
});

// [RFC6120-8.1.1.1-a] [RFC6120-8.4-a] [RFC6120-10.1-a,b] [RFC6120-11.4-a] [RFC6120-11.6-a]
t.test('stanzas keep their order both ways, in UTF-8, whatever else they hold', async (t) => {
  const { server, online } = await startLoopback(t);
  const log = recorder();
  server.misbehave(log);
  const ann = await online('ann');
  const heard: (string | undefined)[] = [];
  ann.events.on('message', ({ body }) => heard.push(body));
  const texts = ['é', '日本', '😀', 'ß'];
  const jid = ann.jid ?? ann.account;
  for (const text of texts) {
    server.inject(
      jid,
      `<message odd='1' from='bob@localhost'><odd/><x xmlns='urn:x'>${text}</x><body>${text}</body></message>`,
    );
  }
  await until(() => heard.length === texts.length, 'the messages');
  t.same(heard, texts);
  for (const body of texts) ann.send(writeMessage({ to: jid, type: 'chat', body }));
  const bodies = (): unknown[] => log.sent.flatMap((stanza) => stanza.childText('body') ?? []);
  await until(() => bodies().length === texts.length, 'them at the server');
  t.same(bodies(), texts);
  const sentTo = log.sent
    .filter(({ ns }) => ns === NS_CLIENT)
    .map((stanza) => `${stanza.name} ${stanza.attr('to') ?? ''}`);
  t.same(new Set(sentTo), new Set(['iq ', 'presence ', `message ${jid.toString()}`]));
});

// [RFC6120-13.12-b]
t.test('a server that does not read cannot make our send buffer grow without limit', async (t) => {
  const { client, peer, started } = await dialogue(t);
  await peer.acceptsLogin();
  await started;
  peer.readsNoMore();
  const offline = next(client, 'offline');
  const body = 'x'.repeat(1_000_000);
  let sent = 0;
  for (; sent < 200 && client.state === 'online'; sent++) {
    client.send(writeMessage({ to: client.account, type: 'chat', body }));
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.match((await offline).reason?.message, /stopped reading/);
  t.ok(sent < 100, `${sent} MB`);
});

// [RFC6120-8.1.3-a,b] [pitfall-iq-by-id]
t.test('ids are 128 random bits', async (t) => {
  const ids = Array.from({ length: 1000 }, () => newId());
  t.equal(new Set(ids).size, ids.length);
  t.ok(ids.every((id) => /^[\w-]{22}$/.test(id)));
  for (let place = 0; place < 21; place++) {
    t.ok(new Set(ids.map((id) => id[place])).size > 32, `character ${place} is anything`);
  }
});

// [RFC6120-8.3.1-c] [RFC6120-8.3.2-a,b,c] [RFC6120-8.3.4-a] [RFC6120-8.1.5-a,b]
t.test('a stanza error is read for what it says, and written as it has to be', async (t) => {
  const read = (inside: string, around = ''): StanzaError =>
    readStanzaError(parseElement(`<iq xmlns='jabber:client' type='error' ${around}>${inside}</iq>`), 'en');
  const gone = `<gone xmlns='${NS_STANZAS}'>xmpp:new@localhost</gone>`;
  t.match(read(`<error type='auth'>${gone}<why xmlns='urn:app'/></error>`), {
    type: 'auth',
    condition: 'gone',
    details: { application: { name: 'why', ns: 'urn:app' }, alternative: 'xmpp:new@localhost' },
  });
  t.match(read(''), { condition: 'undefined-condition' });
  t.match(read(`<error type='nonsense'><gone xmlns='urn:other'/></error>`), { condition: 'undefined-condition' });
  t.match(read(`<error type='nonsense'>${gone}</error>`), { type: 'cancel', condition: 'gone' });
  const texts = `<text xmlns='${NS_STANZAS}' xml:lang='fr'>parti</text><text xmlns='${NS_STANZAS}'>weg</text>`;
  t.match(read(`<error type='auth'>${gone}${texts}</error>`, `xml:lang='de'`), {
    text: 'weg',
    details: { language: 'de' },
  });
  t.equal(read(`<error type='auth'>${gone}${texts}</error>`).details.language, 'en', 'that of the stream');

  const written = writeStanzaError(
    new StanzaError('wait', 'not-acceptable', 'no', undefined, { application: el('a', 'urn:app') }),
  );
  t.equal(written.attr('type'), 'wait');
  t.same(
    written.children().map(({ name, ns }) => `${ns} ${name}`),
    [`${NS_STANZAS} not-acceptable`, `${NS_STANZAS} text`, 'urn:app a'],
  );
});

// [XEP-0474-7-c]
t.test('an account that has used one SCRAM mechanism may use another', async (t) => {
  const storage = memoryStorage();
  for (const mechanism of ['SCRAM-SHA-256', 'SCRAM-SHA-1']) {
    const { server, online } = await startLoopback(t, { mechanisms: [mechanism] });
    const log = recorder();
    server.misbehave(log);
    await (await online('ann', { storage })).stop();
    t.equal(log.find('auth', NS_SASL)?.attr('mechanism'), mechanism);
  }
});

// [RFC6120-3.2.1-f] [RFC6120-13.7.2.1-a] [XEP-0368-3-b,c,d] [XEP-0368-5-a] [pitfall-certificate-name]
t.test('DNS says where to go and by which kind of TLS, and nothing of who has to be there', async (t) => {
  const { server } = await startLoopback(t);
  server.addAccount('ann', PASSWORD);
  const at = (port: number, name = '127.0.0.1'): readonly SrvRecord[] => [{ name, port, priority: 0, weight: 0 }];
  const none = at(0, '.');
  const clientOf = (jid: string, direct: readonly SrvRecord[], starttls: readonly SrvRecord[]): Client => {
    const resolveSrv: SrvResolver['resolveSrv'] = async (name) => (name.startsWith('_xmpps-') ? direct : starttls);
    const options = { password: PASSWORD, ca: LOOPBACK_CERTIFICATE, resolver: { resolveSrv } };
    const client = createClient({ jid: Jid.parse(jid), ...options });
    t.teardown(() => client.stop());
    return client;
  };
  const { startTls, directTls } = server.ports;
  await clientOf('ann@localhost', at(directTls), []).start();
  await clientOf('ann@localhost', [], at(startTls)).start();
  await clientOf('ann@localhost', none, at(startTls)).start();
  for (const client of [
    clientOf('ann@example.org', at(directTls, 'localhost'), []),
    clientOf('ann@example.org', [], at(startTls, 'localhost')),
  ]) {
    await t.rejects(client.start(), { name: 'TlsError', permanent: true, message: /example\.org.*another name/ });
  }
});

// [RFC7395-3.3.3-a,d]
t.test('what a WebSocket carries declares its own namespaces', async (t) => {
  const error = parseElement(messageFraming.element(el('error', NS_STREAM, {}, el('conflict', NS_STREAMS))));
  t.ok(error.is('error', NS_STREAM));
  t.ok(error.child('conflict', NS_STREAMS));
  const message = messageFraming.element(writeMessage({ to: Jid.parse('a@b'), type: 'chat' }));
  t.ok(parseElement(message).is('message', NS_CLIENT));
});

// [pitfall-stanza-before-bind]
t.test('stanzas before the bound resource are kept, up to a limit', async (t) => {
  const early = (count: number): string => `<message from='bob@localhost/x'><body>early</body></message>`.repeat(count);
  for (const [count, condition] of [
    [63, undefined],
    [64, /policy-violation/],
  ] as const) {
    const { client, peer, started } = await dialogue(t);
    const bodies: (string | undefined)[] = [];
    client.events.on('message', ({ body }) => bodies.push(body));
    await peer.authenticates();
    peer.sends(HEADER + features(BIND));
    const request = await peer.receives(/<\/iq>/);
    const outcome = Promise.race([
      started.then(() => undefined),
      client.events.once('offline', { timeoutMs: PATIENCE_MS }),
    ]);
    peer.sends(early(count));
    peer.binds(request);
    t.match((await outcome)?.reason?.message ?? 'online', condition ?? 'online', `${count} messages and the answer`);
    t.equal(bodies.length, condition === undefined ? count : 0);
    await client.stop();
  }
});
