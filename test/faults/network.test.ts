import t from 'tap';
import type { Client } from '../../src/xmpp-core/client.js';
import { ConnectError, TimeoutError } from '../../src/xmpp-core/errors.js';
import { NS_SASL, NS_STREAM, NS_STREAMS, NS_TLS } from '../../src/xmpp-core/stanza/namespaces.js';
import { livenessWith } from '../../src/xeps/liveness.js';
import { PATIENCE_MS, recorder, startLoopback, until } from '../support/loopback.js';
import { listen, startMeddler } from '../support/meddler.js';

const next = <Name extends 'offline' | 'online' | 'message'>(client: Client, name: Name) =>
  client.events.once(name, { timeoutMs: PATIENCE_MS });

/** What the server says in a login, its two TLS bytes aside, is less than this. */
const LOGIN_BYTES = 2_000;

t.test('a connection that is cut at any byte of the login is tried again until the login is through', async (t) => {
  const stage = await startLoopback(t);
  const seed = Math.floor(Math.random() * 53);
  t.comment(`the first cut is at byte ${seed}`);
  let last = 0;
  for (let cutAtByte = seed; ; cutAtByte += 53) {
    stage.server.misbehave({ cutAtByte });
    const client = stage.client('ann', { reconnect: { firstMs: 1, maxMs: 4 } });
    let failures = 0;
    client.events.on('offline', ({ willRetry, reason }) => {
      if (client.jid === undefined && willRetry && reason instanceof Error) failures++;
      if (failures === 2) stage.server.misbehave();
    });
    await client.start();
    if (failures > 0) last = cutAtByte;
    stage.server.misbehave();
    await client.stop();
    if (failures === 0) break;
    if (failures < 2 || cutAtByte > LOGIN_BYTES) t.fail(`${failures} failures with a cut at byte ${cutAtByte}`);
  }
  t.ok(last > 900, `the last cut within the login was at byte ${last}`);
});

// [pitfall-blackhole]
t.test('leaves a server that falls silent at any stage of the login, at the deadline', async (t) => {
  const stage = await startLoopback(t);
  const silences = [
    ...[0, 60, 180, 330, 500, 700, 900, 1_050].map((stallAtByte) => ({ stallAtByte })),
    ...(['plain', 'secure', 'authenticated'] as const).map((deafAt) => ({ deafAt })),
  ];
  for (const silence of silences) {
    stage.server.misbehave(silence);
    const client = stage.client('ann', { connectTimeoutMs: 300 });
    const offline = next(client, 'offline');
    const started = client.start();
    const { reason, willRetry } = await offline;
    t.ok(willRetry);
    t.match(reason, ConnectError, JSON.stringify(silence));
    t.match(reason instanceof ConnectError && reason.attempts[0]?.error, TimeoutError);
    t.match(reason?.message, /127\.0\.0\.1:\d+ \(StartTLS\).*300 ms/);
    stage.server.misbehave();
    await started;
    await client.stop();
  }
});

// [pitfall-blackhole]
t.test(
  'a server that never finishes the TLS handshake is left at the deadline, and its connection is closed',
  async (t) => {
    const mute = await listen(t, (socket) => socket.resume());
    const consenting = await listen(t, (socket) => {
      socket.once('data', () => {
        const features = `<stream:features><starttls xmlns='${NS_TLS}'/></stream:features>`;
        socket.write(
          `<stream:stream xmlns='jabber:client' xmlns:stream='${NS_STREAM}' version='1.0' from='localhost'>${features}`,
        );
        socket.once('data', () => socket.write(`<proceed xmlns='${NS_TLS}'/>`));
      });
    });
    const stage = await startLoopback(t);
    for (const [{ port, sockets }, directTls] of [
      [mute, true],
      [mute, false],
      [consenting, false],
    ] as const) {
      const client = stage.client('ann', { server: { host: '127.0.0.1', port, directTls }, connectTimeoutMs: 80 });
      const offline = next(client, 'offline');
      client.start().catch(() => undefined);
      t.match((await offline).reason?.message, /80 ms/);
      await client.stop();
      await until(() => sockets.size === 0, 'the end of the connection');
    }
  },
);

// [RFC6120-5.4.3.1-b] [RFC6120-5.4.3.3-b] [pitfall-starttls-buffering]
t.test('nothing that was slipped in between the consent to TLS and the handshake reaches the session', async (t) => {
  const stage = await startLoopback(t);
  const log = recorder();
  stage.server.misbehave(log);
  const injected = `<message from='boss@localhost'><body>injected</body></message>`;
  for (const injection of [injected, injected.slice(0, 40), `${injected}${injected}<`]) {
    let isInjecting = true;
    const port = await startMeddler(t, stage.server.ports.startTls, (chunk) =>
      isInjecting && chunk.includes('<proceed') ? Buffer.concat([chunk, Buffer.from(injection)]) : chunk,
    );
    const client = stage.client('ann', { server: { host: '127.0.0.1', port, directTls: false } });
    const messages: unknown[] = [];
    client.events.on('message', (message) => messages.push(message));
    client.events.on('offline', () => {
      isInjecting = false;
    });
    await client.start();
    t.strictSame(messages, []);
    await client.stop();
  }
  t.ok(
    log.sent.every((element) => element.is('starttls', NS_TLS) || !element.is('auth', NS_SASL) || element.text !== ''),
  );
});

// [RFC6120-4.9.3-20]
t.test('reconnects after a cut connection, and at once on `reconnectNow`', async (t) => {
  const { server, online } = await startLoopback(t);
  const ann = await online('ann', { reconnect: { firstMs: 3_600_000, maxMs: 3_600_000 } });
  const offline = next(ann, 'offline');
  server.cutAll();
  t.match(await offline, { willRetry: true, reason: Error });
  t.equal(ann.state, 'offline');
  const back = next(ann, 'online');
  ann.reconnectNow();
  t.match(await back, { resumed: false });
  ann.reconnectNow();
  t.equal(ann.state, 'online', 'while online it does nothing');
});

// [RFC6120-4.9.3-3,6,20] [pitfall-resource-fight] [pitfall-error-permanence]
t.test('a stream error of the server decides how the client comes back', async (t) => {
  const { server, client } = await startLoopback(t);
  const cases = [
    { condition: 'conflict', willRetry: true, atLeast: 120_000 },
    { condition: 'system-shutdown', willRetry: true, atLeast: 0 },
    { condition: 'reset', willRetry: true, atLeast: 0 },
    { condition: 'host-unknown', willRetry: false, atLeast: undefined },
  ];
  for (const { condition, willRetry, atLeast } of cases) {
    const ann = client('ann', { reconnect: { firstMs: 50, maxMs: 200_000 } });
    await ann.start();
    const offline = next(ann, 'offline');
    server.failAll(condition);
    const { reason, ...then } = await offline;
    t.match(reason, { name: 'StreamError', condition, by: 'peer' });
    t.equal(then.willRetry, willRetry);
    t.ok(atLeast === undefined ? then.retryInMs === undefined : (then.retryInMs ?? -1) >= atLeast, condition);
    t.ok(atLeast !== 0 || (then.retryInMs ?? Infinity) <= 200);
    await ann.stop();
  }
});

t.test(
  'a server that says the end together with our resource never had a session with us, and its reason is told',
  async (t) => {
    const { server, client } = await startLoopback(t);
    server.misbehave({
      answer: (element, stage) =>
        stage !== 'authenticated'
          ? undefined
          : `<iq type='result' id='${element.attr('id') ?? ''}'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>` +
            `<jid>ann@localhost/x</jid></bind></iq><stream:error><conflict xmlns='${NS_STREAMS}'/></stream:error></stream:stream>`,
    });
    const ann = client('ann', { reconnect: { firstMs: 1, maxMs: 120_000 } });
    const offline = next(ann, 'offline');
    let online = 0;
    ann.events.on('online', () => online++);
    ann.start().catch(() => undefined);
    const { reason, retryInMs } = await offline;
    t.match(reason, { name: 'StreamError', condition: 'conflict' });
    t.ok((retryInMs ?? 0) >= 120_000);
    t.equal(online, 0);
  },
);

// [RFC6120-4.9.1.1-a] [RFC6120-4.9.2-a] [RFC6120-4.9.3-13,14,18] [RFC6120-11.1-a,c,d] [pitfall-restricted-xml]
// [pitfall-size-and-depth]
t.test('XML that is broken, restricted or too large gets its stream error, and the client comes back', async (t) => {
  const { server, online } = await startLoopback(t);
  const cases = [
    ['not-well-formed', '<message><body></message>'],
    ['not-well-formed', '<message from="a"from="b"/>'],
    ['restricted-xml', '<message><!-- a comment --></message>'],
    ['restricted-xml', '<!DOCTYPE x>'],
    ['restricted-xml', '<message><body>&custom;</body></message>'],
    ['policy-violation', `<message><body>${'x'.repeat(5_000)}</body></message>`],
    ['policy-violation', '<a xmlns="urn:a">'.repeat(200)],
  ] as const;
  const ann = await online('ann', { limits: { stanzaBytes: 4_000 } });
  for (const [condition, text] of cases) {
    const log = recorder();
    server.misbehave(log);
    const [offline, back] = [next(ann, 'offline'), next(ann, 'online')];
    server.inject(ann.jid ?? ann.account, text);
    t.match((await offline).reason, { name: 'StreamError', condition, by: 'us' }, text.slice(0, 40));
    await back;
    // The connection that broke kept the recorder of its own time, so the error shows one turn later.
    const later = recorder();
    server.misbehave(later);
    const again = next(ann, 'online');
    server.inject(ann.jid ?? ann.account, text);
    await again;
    await until(() => log.find('error', NS_STREAM) !== undefined, 'the stream error at the server');
    t.ok(log.find('error', NS_STREAM)?.child(condition, NS_STREAMS), condition);
  }
});

// [RFC6120-3.3-b] [pitfall-backoff-reset]
t.test('the backoff grows while a server accepts and drops us, and resets after a lasting session', async (t) => {
  const { server, client } = await startLoopback(t);
  const firstMs = 60;
  const ann = client('ann', { reconnect: { firstMs, maxMs: 1e9 } });
  const waits: number[] = [];
  ann.events.on('offline', ({ retryInMs }) => {
    if (retryInMs !== undefined) waits.push(retryInMs);
    // After the handler the client waits; then it need not.
    setImmediate(() => ann.reconnectNow());
  });
  t.intercept(Math, 'random', { value: () => 1, configurable: true, writable: true });
  await ann.start();
  for (let drop = 0; drop < 4; drop++) {
    const back = next(ann, 'online');
    server.failAll('reset');
    await back;
  }
  t.strictSame(waits, [firstMs, firstMs * 2, firstMs * 4, firstMs * 8]);
  const upAt = performance.now();
  await until(() => performance.now() - upAt > firstMs, 'a session that held');
  const offline = next(ann, 'offline');
  server.failAll('reset');
  t.equal((await offline).retryInMs, firstMs);
});

// [RFC6120-4.6.1-a] [pitfall-one-liveness-policy]
t.test(
  'a server that takes our words and never answers is noticed by the ping, given up, and tried again',
  async (t) => {
    const { server, client } = await startLoopback(t);
    let dead = true;
    server.misbehave({ answer: (_, stage) => (dead && stage === 'bound' ? '' : undefined) });
    const ann = client('ann', { plugins: [livenessWith({ silenceMs: 20, deadlineMs: 40 })] });
    await ann.start();
    const [offline, back] = [next(ann, 'offline'), next(ann, 'online')];
    t.match(await offline, {
      willRetry: true,
      reason: { name: 'TimeoutError', message: /waiting for any data from the server/ },
    });
    dead = false;
    await back;
    const log = recorder();
    server.misbehave(log);
    server.cutAll();
    await next(ann, 'online');
    await until(() => log.sent.filter((one) => one.child('ping', 'urn:xmpp:ping')).length >= 3, 'three pings');
    t.equal(ann.state, 'online', 'as long as each is answered');
  },
);

// [pitfall-one-liveness-policy]
t.test('an error in answer to the ping is a sign of life as well', async (t) => {
  const { server, client } = await startLoopback(t);
  let pings = 0;
  server.misbehave({
    answer: (element) => {
      if (element.child('ping', 'urn:xmpp:ping') === undefined) return undefined;
      pings++;
      const conditions = ['service-unavailable', 'feature-not-implemented', 'not-allowed', 'item-not-found'];
      const condition = conditions[pings % conditions.length] ?? '';
      return (
        `<iq type='error' from='localhost' id='${element.attr('id') ?? ''}'><error type='cancel'>` +
        `<${condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>`
      );
    },
  });
  const ann = client('ann', { plugins: [livenessWith({ silenceMs: 5, deadlineMs: PATIENCE_MS })] });
  let losses = 0;
  ann.events.on('offline', () => losses++);
  await ann.start();
  await until(() => pings >= 6, 'the pings');
  t.equal(losses, 0);
});

t.test('`stop` ends at any state within its deadline', async (t) => {
  const stage = await startLoopback(t);
  const never = stage.client('ann');
  await never.stop();
  await t.rejects(never.start(), /stopped/);

  for (const stallAtByte of [0, 180, 400, 700, 1_000]) {
    stage.server.misbehave({ stallAtByte });
    const negotiating = stage.client('ann');
    const started = negotiating.start();
    const refused = t.rejects(started, /stopped/);
    await until(() => negotiating.state === 'negotiating', 'the negotiation');
    await negotiating.stop();
    await refused;
    t.equal(negotiating.state, 'offline');
  }

  stage.server.misbehave({ cutAtByte: 1 });
  const waiting = stage.client('ann', { reconnect: { firstMs: 3_600_000, maxMs: 3_600_000 } });
  const refused = t.rejects(waiting.start(), /stopped/);
  await next(waiting, 'offline');
  await waiting.stop();
  await refused;

  const halfway = stage.client('ann', { reconnect: { firstMs: 3_600_000, maxMs: 3_600_000 } });
  const stopped = new Promise<void>((resolve) => {
    halfway.events.on('offline', () => resolve(halfway.stop()));
  });
  halfway.start().catch(() => undefined);
  await stopped;

  stage.server.misbehave();
  const online = await stage.online('ann');
  await Promise.all([online.stop(), online.stop()]);
  await online.stop();
  t.equal(stage.server.sessions.length, 0);
  await t.rejects(online.start(), /already started/);
});

// [RFC6120-4.4-d] [pitfall-stop-on-dead-socket]
t.test('a dead server cannot delay the stop, and no socket or timer remains', async (t) => {
  const count = (kind: RegExp): number => process.getActiveResourcesInfo().filter((name) => kind.test(name)).length;
  const timers = count(/^Timeout/);
  // Bound in order, then nothing is read or answered any more.
  const stage = await startLoopback(t);
  stage.server.misbehave({ deafAt: 'bound' });
  const ann = await stage.online('ann', { plugins: [livenessWith({ silenceMs: 60_000, deadlineMs: 1_000 })] });
  const offline = next(ann, 'offline');
  await ann.stop();
  t.match(await offline, { willRetry: false, reason: undefined });
  await until(() => count(/^(TCPSocket|TLS|TCPConnect)/) === 0, 'an end of all sockets');
  await until(() => count(/^Timeout/) <= timers, 'an end of all timers');
});

// [pitfall-blackhole]
t.test('reports an unreachable server by address, and retries until it is up', async (t) => {
  const stage = await startLoopback(t);
  const gone = await listen(t, (socket) => socket.destroy());
  let port = gone.port;
  const ann = stage.client('ann', {
    server: {
      host: '127.0.0.1',
      directTls: false,
      get port() {
        return port;
      },
    },
  });
  const offline = next(ann, 'offline');
  const started = ann.start();
  t.match((await offline).reason?.message, new RegExp(`127\\.0\\.0\\.1:${port}`));
  port = stage.server.ports.startTls;
  await started;
});
