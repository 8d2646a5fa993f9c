import dns from 'node:dns';
import t, { type Test } from 'tap';
import { LOOPBACK_CERTIFICATE } from '../../src/loopback/certificate.js';
import { muc } from '../../src/xeps/xep-0045-muc/index.js';
import { createClient, type Client, type ClientOptions } from '../../src/xmpp-core/client.js';
import { ConnectError, NegotiationError, StreamError, TlsError } from '../../src/xmpp-core/errors.js';
import { Jid } from '../../src/xmpp-core/jid/jid.js';
import { writeMessage } from '../../src/xmpp-core/stanza/stanzas.js';
import { parseElement } from '../../src/xmpp-core/xml/stream-parser.js';
import { recorder, startLoopback, until } from '../support/loopback.js';
import { CLOSE, acceptLogin, OPEN, PLAIN, scriptedServer } from '../support/websocket-server.js';

const NS_FRAMING = 'urn:ietf:params:xml:ns:xmpp-framing';

/** A client of a scripted server; it is stopped with the test. */
function clientOf(t: Test, websocket: string, options: Partial<ClientOptions> = {}): Client {
  const client = createClient({
    jid: Jid.parse('alice@localhost'),
    password: 'correct horse',
    websocket,
    ca: LOOPBACK_CERTIFICATE,
    reconnect: { firstMs: 5, maxMs: 40 },
    connectTimeoutMs: 5_000,
    ...options,
  });
  t.teardown(() => client.stop());
  return client;
}

/** Why the client first went offline. */
async function firstFailure(client: Client): Promise<Error | undefined> {
  const offline = client.events.once('offline');
  client.start().catch(() => undefined);
  const { reason } = await offline;
  await client.stop();
  return reason;
}

// [RFC7395-4-a]
void t.test('over a WebSocket two people write to each other and meet in a room', async (t) => {
  const { server, online } = await startLoopback(t);
  const websocket = `wss://localhost:${server.ports.webSocket}/xmpp`;
  const alice = await online('alice', { websocket, plugins: [muc] });
  const bob = await online('bob', { websocket, plugins: [muc] });

  const heard = bob.events.once('message');
  alice.send(writeMessage({ to: bob.account, type: 'chat', body: 'Grüße & <3 😀' }));
  t.equal((await heard).body, 'Grüße & <3 😀');

  const room = Jid.parse(`lounge@${server.rooms.domain}`);
  await alice.get(muc).join(room, { nick: 'alice' });
  await bob.get(muc).join(room, { nick: 'bob' });
  const said = bob.get(muc).events.once('message');
  alice.send(writeMessage({ to: room, type: 'groupchat', body: 'hello, room' }));
  t.equal((await said).message.body, 'hello, room');
});

void t.test('over a WebSocket the login is bound to the TLS connection under it', async (t) => {
  const { server, online } = await startLoopback(t);
  const record = recorder();
  server.misbehave(record);
  await online('alice', { websocket: `wss://localhost:${server.ports.webSocket}/`, channelBinding: 'required' });
  t.equal(record.find('auth', 'urn:ietf:params:xml:ns:xmpp-sasl')?.attr('mechanism'), 'SCRAM-SHA-256-PLUS');
});

// [RFC5802-6-a]
void t.test(
  'where TLS may end before the server, one that speaks of no binding is not told of an attack',
  async (t) => {
    const scram = PLAIN.replace('>PLAIN<', '>SCRAM-SHA-256<');
    const server = await scriptedServer(t, {
      answer: (message) =>
        message.startsWith('<open')
          ? [OPEN, scram]
          : [`<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><aborted/></failure>`],
    });
    await firstFailure(clientOf(t, server.url));
    const first = parseElement(server.messages[1]?.text ?? '').text;
    t.match(Buffer.from(first, 'base64').toString(), /^n,,/, 'and not y,, (RFC 5802 §6)');
    const strict = await firstFailure(clientOf(t, server.url, { channelBinding: 'required' }));
    t.match(strict, { name: 'SaslError', condition: 'channel-binding' }, 'who wants a binding does without the login');
  },
);

// [pitfall-websocket-space]
void t.test('white space around a document, and alone, means nothing over a WebSocket', async (t) => {
  const spaced = (message: string, n: number): readonly string[] =>
    acceptLogin(message, n).flatMap((answer) => [
      ' ',
      `<?xml version='1.0'?>${answer}\n`,
      `\r\n${answer === '' ? '' : ' '}`,
    ]);
  const server = await scriptedServer(t, { answer: spaced });
  const client = clientOf(t, server.url);
  await client.start();
  t.equal(client.state, 'online');
});

// [RFC7395-3.6-b]
void t.test('a lost WebSocket is noticed, and the client comes back', async (t) => {
  const { server, online } = await startLoopback(t);
  const alice = await online('alice', { websocket: `wss://localhost:${server.ports.webSocket}/` });
  const back = alice.events.once('online');
  server.cutAll();
  await back;
  t.equal(alice.state, 'online');
});

// [RFC7395-3.1-a] [RFC7395-3.2-a] [RFC7395-3.3.2-a] [RFC7395-3.3.3-a,b,c] [RFC7395-3.4-a,c] [RFC7395-3.6-a]
// [RFC7395-3.7-a] [RFC7395-3.8-a]
void t.test('every message is text, and one whole element with its own namespaces (RFC 7395 §3.2, §3.3)', async (t) => {
  const server = await scriptedServer(t, { answer: acceptLogin });
  const client = clientOf(t, server.url);
  await client.start();
  // Both are sent in one turn, and are two messages all the same.
  for (const body of ['one', 'two']) client.send(writeMessage({ to: Jid.parse('bob@localhost'), type: 'chat', body }));
  await client.stop();
  await until(() => server.closed.length > 0, 'the end of the WebSocket');

  t.same(server.asked, ['xmpp'], 'the subprotocol is asked for (§3.1)');
  t.equal(
    server.messages.some(({ isBinary }) => isBinary),
    false,
    'text only',
  );
  const elements = server.messages.map(({ text }) => {
    t.equal(text[0], '<');
    t.notMatch(text, /^<\?/, 'no XML declaration');
    return parseElement(text);
  });
  t.same(
    elements.map(({ name, ns }) => `${name} ${ns}`),
    [
      `open ${NS_FRAMING}`,
      'auth urn:ietf:params:xml:ns:xmpp-sasl',
      `open ${NS_FRAMING}`,
      'iq jabber:client',
      'presence jabber:client',
      'message jabber:client',
      'message jabber:client',
      'presence jabber:client',
      `close ${NS_FRAMING}`,
    ],
    'a restart is a new open without a close (§3.7), and the end is a close (§3.6)',
  );
  const [open] = elements;
  t.equal(open?.attr('to'), 'localhost');
  t.equal(open?.attr('version'), '1.0');
  t.same(server.closed, [1000], 'then the WebSocket is closed in order');
});

// [RFC7395-3.9-b]
void t.test('StartTLS is not begun inside a WebSocket, even when it is offered (RFC 7395 §3.9)', async (t) => {
  const tls = `<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>`;
  const server = await scriptedServer(t, {
    answer: (message, n) =>
      n === 1 ? [OPEN, PLAIN.replace('<mechanisms', `${tls}<mechanisms`)] : acceptLogin(message, n),
  });
  await clientOf(t, server.url).start();
  t.equal(
    server.messages.some(({ text }) => text.includes('starttls')),
    false,
  );
});

// [RFC7395-3.1-b]
void t.test('a server that does not agree to the subprotocol is not spoken to (RFC 7395 §3.1)', async (t) => {
  for (const protocol of [false, 'chat'] as const) {
    const server = await scriptedServer(t, { answer: acceptLogin, protocol });
    const reason = await firstFailure(clientOf(t, server.url));
    t.ok(reason instanceof ConnectError);
    t.match(reason?.message, /subprotocol/);
    t.same(server.messages, [], 'not a word');
  }
});

// [RFC7395-6-a] [XEP-0156-2.2-c] [pitfall-certificate-name]
void t.test('the certificate has to be trusted, and be for the host of the URL', async (t) => {
  const trusted = await scriptedServer(t, { answer: acceptLogin });
  const stranger = createClient({ jid: Jid.parse('alice@localhost'), password: 'secret', websocket: trusted.url });
  await t.rejects(stranger.start(), TlsError, 'an authority that nobody named');
  const elsewhere = await scriptedServer(t, { answer: acceptLogin, host: '127.0.0.2' });
  await t.rejects(
    clientOf(t, elsewhere.url).start(),
    { name: 'TlsError', permanent: true, message: /another name/ },
    'the name of the domain is not enough',
  );
  t.same(elsewhere.messages, []);
});

// [RFC7395-3.9-a]
void t.test('without TLS a WebSocket goes to this machine only', async (t) => {
  const near = await scriptedServer(t, { answer: acceptLogin, tls: false });
  await clientOf(t, near.url).start();
  for (const url of [
    'ws://example.com/ws',
    'ws://192.0.2.1/ws',
    'http://localhost/',
    'wss://me:pw@localhost/',
    'nonsense',
  ]) {
    const reason = await firstFailure(clientOf(t, url));
    t.ok(reason instanceof NegotiationError, url);
    t.match(reason?.message, /wss:\/\//);
    t.notMatch(reason?.message, /me:pw/, 'no secret is told');
  }
  // A name that means this machine by its spelling, and leads elsewhere.
  t.intercept(dns, 'lookup', {
    value: (_host: string, _options: unknown, found: (error: null, all: unknown) => void) =>
      found(null, [{ address: '192.0.2.1', family: 4 }]),
  });
  const astray = await firstFailure(clientOf(t, 'ws://elsewhere.localhost/ws'));
  t.match(astray?.message, /no address that connections are allowed to/);
});

// [RFC7395-3.2-a] [RFC7395-3.3.2-a] [RFC7395-3.3.3-a] [RFC7395-3.4-b] [RFC6120-13.12-a]
void t.test('what is no text, too long, or not one element ends the stream', async (t) => {
  const cases: readonly (readonly [string, (socket: { send(data: string | Buffer): void }) => void, RegExp])[] = [
    ['binary', (socket) => socket.send(Buffer.from(OPEN)), /binary frame/],
    ['longer than a stanza may be', (socket) => socket.send(`<open a='${'x'.repeat(10_000)}'/>`), /policy-violation/],
    ['longer than an answer may be', (socket) => socket.send('x'.repeat(20_001)), /payload/],
    ['two elements', (socket) => socket.send(`${OPEN}${OPEN}`), /not-well-formed/],
    ['half an element', (socket) => socket.send('<open '), /not-well-formed/],
    [
      'a stream header',
      (socket) => socket.send(`<stream xmlns='http://etherx.jabber.org/streams' version='1.0'/>`),
      /invalid-namespace/,
    ],
  ];
  for (const [what, send, complaint] of cases) {
    const server = await scriptedServer(t, {
      answer: (message, _n, socket) => {
        if (message.startsWith('<open')) send(socket);
        return [];
      },
    });
    const reason = await firstFailure(
      clientOf(t, server.url, { limits: { stanzaBytes: 10_000 }, longAnswerBytes: 20_000 }),
    );
    t.match(reason?.message, complaint, what);
  }
});

void t.test('a stream error is told as what it is, and answered with a close (RFC 7395 §3.5)', async (t) => {
  const error = `<error xmlns='http://etherx.jabber.org/streams'><host-unknown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></error>`;
  const server = await scriptedServer(t, { answer: (message) => (message.startsWith('<open') ? [OPEN, error] : []) });
  const reason = await firstFailure(clientOf(t, server.url));
  t.match(reason?.message, /host-unknown/);
  await until(() => server.closed.length > 0, 'the end of the WebSocket');
  t.match(server.messages.at(-1)?.text, /^<close /);
});

// [RFC7395-3.6-a] [RFC6120-4.4-e]
void t.test('when the server closes, its close is answered and then the WebSocket ends (RFC 7395 §3.6)', async (t) => {
  const server = await scriptedServer(t, { answer: acceptLogin });
  const client = clientOf(t, server.url);
  await client.start();
  const offline = client.events.once('offline');
  server.sockets[0]?.send(CLOSE);
  t.equal((await offline).reason, undefined, 'in order');
  await until(() => server.closed.length > 0, 'the end of the WebSocket');
  t.match(server.messages.at(-1)?.text, /^<close /);
});

// [RFC6120-4.4-d] [pitfall-stop-on-dead-socket]
void t.test('a server that never answers a close does not keep the client from stopping', async (t) => {
  const server = await scriptedServer(t, {
    answer: (message, n) => (message.startsWith('<close') ? [] : acceptLogin(message, n)),
  });
  const client = clientOf(t, server.url);
  await client.start();
  await client.stop();
  t.equal(client.state, 'offline');
});

void t.test('a close may name another WebSocket, which is then entered instead (RFC 7395 §3.6.1)', async (t) => {
  const goal = await scriptedServer(t, { answer: acceptLogin });
  const move = `<close xmlns='${NS_FRAMING}' see-other-uri='${goal.url}'/>`;
  const answerAtOnce = await scriptedServer(t, { answer: () => [move] });
  await clientOf(t, answerAtOnce.url).start();
  t.ok(goal.messages.length > 0, 'instead of an open');

  const later = await scriptedServer(t, { answer: acceptLogin });
  const client = clientOf(t, later.url);
  await client.start();
  const back = client.events.once('online');
  later.sockets[0]?.send(move);
  await back;
  t.equal(goal.sockets.length, 2, 'in the middle of a session');
});

// [RFC7395-3.6.1-a]
void t.test('a close that names something less protected is not followed (RFC 7395 §3.6.1)', async (t) => {
  const plain = await scriptedServer(t, { answer: acceptLogin, tls: false });
  for (const uri of [plain.url, plain.url.replace('ws:', 'http:'), 'nonsense']) {
    const server = await scriptedServer(t, { answer: () => [`<close xmlns='${NS_FRAMING}' see-other-uri='${uri}'/>`] });
    const reason = await firstFailure(clientOf(t, server.url));
    t.ok(reason instanceof ConnectError && reason.attempts.every(({ error }) => error instanceof StreamError));
  }
  t.equal(plain.sockets.length, 0);
});

void t.test('stream features may come without a prefix of their own', async (t) => {
  const unprefixed = PLAIN.replace('stream:features xmlns:stream', 'features xmlns').replace('/stream:', '/');
  const server = await scriptedServer(t, {
    answer: (message, n) => (n === 1 ? [OPEN, unprefixed] : acceptLogin(message, n)),
  });
  const client = clientOf(t, server.url);
  await client.start();
  t.equal(client.state, 'online');
});
