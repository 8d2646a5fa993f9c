import { spawn } from 'node:child_process';
import dns from 'node:dns';
import http from 'node:http';
import https from 'node:https';
import net, { type AddressInfo } from 'node:net';
import tls from 'node:tls';
import t, { type Test } from 'tap';
import { LOOPBACK_CERTIFICATE, LOOPBACK_KEY } from '../../src/loopback/certificate.js';
import { LoopbackServer } from '../../src/loopback/server.js';
import { createClient } from '../../src/xmpp-core/client.js';
import { connectFirst, type Route } from '../../src/xmpp-core/connecting.js';
import { ConnectError, SaslError, StreamError, TlsError } from '../../src/xmpp-core/errors.js';
import { isLoopbackAddress, isPublicAddress } from '../../src/xmpp-core/transport/addresses.js';
import { discoverWebSockets } from '../../src/xmpp-core/transport/host-meta.js';
import { httpRequest, type HttpRequest, type HttpResponse } from '../../src/xmpp-core/transport/http.js';
import { describeTarget, redirectedFrom, type Target } from '../../src/xmpp-core/transport/targets.js';
import { connectTcp } from '../../src/xmpp-core/transport/tcp.js';
import { startLoopback } from '../support/loopback.js';

const never = new AbortController().signal;

/** Nothing of the real network is asked: what is not given fails. */
function route(changes: Partial<Route> = {}): Route {
  return {
    domain: 'example.com',
    timeoutMs: 5_000,
    resolver: { resolveSrv: () => Promise.reject(Object.assign(new Error('no such record'), { code: 'ENOTFOUND' })) },
    http: () => Promise.reject(new Error('no web site')),
    ...changes,
  };
}

/** DNS with these records of `_xmpp-client` and `_xmpps-client`. */
function zone(starttls: readonly string[], direct: readonly string[] = []): NonNullable<Route['resolver']> {
  const records = (names: readonly string[]) =>
    names.map((name, priority) => ({ name, port: 5222, priority, weight: 0 }));
  return {
    resolveSrv: (service) => Promise.resolve(records(service.startsWith('_xmpps') ? direct : starttls)),
  };
}

/** Refuses every target with what `why` says, and keeps their order. */
function refusing(why: (target: Target) => Error): { tried: string[]; enter: (target: Target) => Promise<never> } {
  const tried: string[] = [];
  return {
    tried,
    enter: (target) => {
      tried.push(describeTarget(target));
      return Promise.reject(why(target));
    },
  };
}

function answer(body: string, status = 200): HttpResponse {
  return { url: '', status, headers: {}, body: new TextEncoder().encode(body) };
}

function xrd(...links: readonly string[]): string {
  const rel = 'urn:xmpp:alt-connections:websocket';
  return `<?xml version='1.0'?><XRD xmlns='http://docs.oasis-open.org/ns/xri/xrd-1.0'>${links.map((href) => `<Link rel='${rel}' href='${href}'/>`).join('')}</XRD>`;
}

/** A web server for the time of a test; the answers are by path. */
async function webSite(
  t: Test,
  serve: (path: string, request: http.IncomingMessage, response: http.ServerResponse) => void,
): Promise<string> {
  const server = http.createServer((request, response) => serve(request.url ?? '', request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

// [RFC6120-3.2.1-d]
t.test('targets are tried in order until one accepts us', async (t) => {
  const tried: string[] = [];
  const entered = await connectFirst(
    route({ resolver: zone(['a.test', 'b.test', 'c.test']) }),
    (target) => {
      tried.push(describeTarget(target));
      return tried.length === 2 ? Promise.resolve('in') : Promise.reject(new Error('refused'));
    },
    never,
  );
  t.equal(entered, 'in');
  t.same(tried, ['a.test:5222 (StartTLS)', 'b.test:5222 (StartTLS)']);
});

// [RFC6120-3.2.1-e] [pitfall-blackhole]
t.test('when no target accepts us, the error lists every attempt and why it failed', async (t) => {
  const { enter } = refusing((target) => new Error(`no ${describeTarget(target)}`));
  const error = await connectFirst(route({ resolver: zone(['a.test', 'b.test'], ['c.test']) }), enter, never).catch(
    (error: unknown) => error,
  );
  t.ok(error instanceof ConnectError);
  if (!(error instanceof ConnectError)) return;
  t.same(error.attempts.map(({ target }) => target).sort(), [
    'a.test:5222 (StartTLS)',
    'b.test:5222 (StartTLS)',
    'c.test:5222 (direct TLS)',
  ]);
  for (const { target } of error.attempts) t.ok(error.message.includes(`no ${target}`));
});

// [pitfall-blackhole]
t.test('a silent target delays the next one only until its own deadline', async (t) => {
  const entered = await connectFirst(
    route({ resolver: zone(['silent.test', 'b.test']), timeoutMs: 30 }),
    (target) =>
      describeTarget(target).startsWith('silent') ? new Promise<string>(() => undefined) : Promise.resolve('in'),
    never,
  );
  t.equal(entered, 'in');
});

// [pitfall-sasl-downgrade]
t.test('a rejected password is not tried at the next server', async (t) => {
  const { tried, enter } = refusing(() => new SaslError('not-authorized'));
  await t.rejects(connectFirst(route({ resolver: zone(['a.test', 'b.test']) }), enter, never), SaslError);
  t.equal(tried.length, 1);
});

// [RFC7395-4-a] [XEP-0156-2.2-d]
t.test(
  'the web site of a domain is asked only on request, and only when TCP is exhausted (XEP-0156 §2.2)',
  async (t) => {
    const asked: string[] = [];
    const site = (request: HttpRequest): Promise<HttpResponse> => {
      asked.push(request.url);
      return Promise.resolve(answer(xrd('wss://example.com/ws')));
    };
    const resolver = zone(['a.test']);
    const { tried, enter } = refusing(() => new Error('refused'));

    await t.rejects(connectFirst(route({ resolver, http: site }), enter, never));
    t.same(asked, [], 'not without a request');

    tried.length = 0;
    await t.rejects(connectFirst(route({ resolver, http: site, websocket: 'discover' }), enter, never), ConnectError);
    t.same(tried, ['a.test:5222 (StartTLS)', 'wss://example.com/ws'], 'TCP goes first');
    t.same(asked, ['https://example.com/.well-known/host-meta']);

    tried.length = 0;
    const none = zone(['.']);
    await t.rejects(connectFirst(route({ resolver: none, http: site, websocket: 'discover' }), enter, never));
    t.same(tried, ['wss://example.com/ws'], 'a domain may have nothing but a WebSocket');

    asked.length = 0;
    const distrusted = refusing(() => new TlsError('another name', { problem: 'other-name' }));
    const wary = route({ resolver, http: site, websocket: 'discover' });
    await t.rejects(connectFirst(wary, distrusted.enter, never), TlsError);
    t.same(asked, [], 'a server that is not to be trusted does not send us there');

    const nothing = route({ resolver, websocket: 'discover' });
    await t.rejects(connectFirst(nothing, enter, never), { message: /a\.test.*host-meta.*no web site/s });
  },
);

t.test('a WebSocket that was named is the only target', async (t) => {
  const { tried, enter } = refusing(() => new Error('refused'));
  const only = route({ websocket: 'wss://example.com/ws?token=hunter2', resolver: zone(['a.test']) });
  await t.rejects(connectFirst(only, enter, never), { message: /^(?!.*hunter2)/s });
  t.same(tried, ['wss://example.com/ws'], 'told without its query, where people keep secrets');
});

// [XEP-0156-2.2-b]
t.test('host-meta is read as XML, and as JSON where that fails', async (t) => {
  const link = { rel: 'urn:xmpp:alt-connections:websocket', href: 'wss://json.test/ws' };
  const sites: readonly (readonly [string, string, string, readonly string[]])[] = [
    ['both', xrd('wss://a.test/ws', 'wss://b.test/ws'), '', ['wss://a.test/ws', 'wss://b.test/ws']],
    ['JSON only', '<html>not found', JSON.stringify({ links: [{ rel: 'x' }, 7, link] }), ['wss://json.test/ws']],
    [
      'a doctype',
      xrd('wss://evil.test/').replace('?>', `?><!DOCTYPE XRD [<!ENTITY a 'b'>]>`),
      JSON.stringify({ links: [link] }),
      [link.href],
    ],
    ['a processing instruction', `${xrd('wss://evil.test/')}<?php ?>`, JSON.stringify({ links: [link] }), [link.href]],
    ['an error at the end', `${xrd('wss://evil.test/')}<`, JSON.stringify({ links: [link] }), [link.href]],
    [
      'a stranger’s format',
      xrd('wss://evil.test/').replaceAll('XRD', 'DRX'),
      JSON.stringify({ links: [link] }),
      [link.href],
    ],
    [
      'a link where none belongs',
      xrd('wss://evil.test/').replace(/(<Link.*\/>)/, '<x>$1</x>'),
      JSON.stringify({ links: [link] }),
      [link.href],
    ],
    [
      'less than wss',
      xrd('ws://a.test/', 'ws://localhost/', 'https://a.test/', 'wss://a.test/'),
      '',
      ['wss://a.test/'],
    ],
  ];
  for (const [what, xml, json, expected] of sites) {
    const ask = ({ url }: HttpRequest): Promise<HttpResponse> =>
      Promise.resolve(answer(url.endsWith('.json') ? json : xml));
    t.same(
      (await discoverWebSockets('example.com', ask)).map(({ url }) => url),
      expected,
      what,
    );
  }
});

// [XEP-0156-2.2-a]
t.test('host-meta is asked over https by the name in DNS, within limits; that it says nothing is told', async (t) => {
  const requests: HttpRequest[] = [];
  const ask = (request: HttpRequest): Promise<HttpResponse> => {
    requests.push(request);
    return Promise.resolve(answer(request.url.endsWith('.json') ? '{"links":3}' : xrd(), 200));
  };
  await t.rejects(discoverWebSockets('bücher.example', ask), {
    name: 'NegotiationError',
    message: /host-meta: it lists no wss.*host-meta\.json: it has no list/s,
  });
  t.same(
    requests.map(({ url }) => url),
    ['https://xn--bcher-kva.example/.well-known/host-meta', 'https://xn--bcher-kva.example/.well-known/host-meta.json'],
  );
  for (const { maxBytes = Infinity, timeoutMs = Infinity, maxRedirects = Infinity } of requests) {
    t.ok(maxBytes <= 65_536 && timeoutMs <= 15_000 && maxRedirects <= 5);
  }
  const many = xrd(...Array.from({ length: 100 }, (_, index) => `wss://${index}.test/`));
  t.ok((await discoverWebSockets('a.test', () => Promise.resolve(answer(many)))).length <= 8);
  await t.rejects(
    discoverWebSockets('a.test', () => Promise.resolve(answer('no', 404))),
    { message: /404/ },
  );
});

const SEE_OTHER = (host: string): string =>
  `<stream:error><see-other-host xmlns='urn:ietf:params:xml:ns:xmpp-streams'>${host}</see-other-host></stream:error>`;

// [RFC6120-4.9.3-19-a]
t.test(
  'a server that sends us elsewhere is obeyed under TLS, while logging in and later (RFC 6120 §4.9.3.19)',
  async (t) => {
    const goal = await LoopbackServer.start();
    t.teardown(() => goal.stop());
    goal.addAccount('alice', 'correct horse');
    const there = `127.0.0.1:${goal.ports.startTls}`;
    const { server, client, online } = await startLoopback(t);

    const alice = await online('alice');
    const back = alice.events.once('online');
    const { jid } = alice;
    if (jid !== undefined) server.inject(jid, SEE_OTHER(there));
    await back;
    t.equal(goal.sessions.length, 1, 'in the middle of a session');
    await alice.stop();

    server.misbehave({ features: (stage) => (stage === 'secure' ? SEE_OTHER(there) : undefined) });
    const again = client('alice');
    await again.start();
    t.equal(goal.sessions.length, 1, 'while logging in');
  },
);

// [RFC6120-4.9.3-19-c]
t.test('a redirect before TLS is not followed, since anybody could forge it', async (t) => {
  const { server, client } = await startLoopback(t);
  let visits = 0;
  const trap = net.createServer((socket) => {
    visits++;
    socket.destroy();
  });
  await new Promise<void>((resolve) => trap.listen(0, '127.0.0.1', resolve));
  t.teardown(() => trap.close());
  const { port } = trap.address() as AddressInfo;
  server.misbehave({ features: (stage) => (stage === 'plain' ? SEE_OTHER(`127.0.0.1:${port}`) : undefined) });
  const alice = client('alice');
  const offline = alice.events.once('offline');
  alice.start().catch(() => undefined);
  t.ok((await offline).reason !== undefined);
  t.equal(visits, 0);
});

// [RFC6120-4.9.3-19-d]
t.test('a redirect loop ends after five hops', async (t) => {
  const { tried, enter } = refusing(
    () => new StreamError('see-other-host', undefined, { by: 'peer', seeOther: 'again.test' }),
  );
  await t.rejects(connectFirst(route({ resolver: zone(['a.test']) }), enter, never), ConnectError);
  t.equal(tried.length, 6);
});

// [RFC6120-4.9.3-19-b] [RFC7395-3.6.1-a]
t.test('where we are sent is read strictly, and the kind of TLS stays', (t) => {
  const from = { host: 'a.test', port: 5222, tls: 'starttls' } as const;
  const direct = { ...from, tls: 'direct' } as const;
  t.same(redirectedFrom(from, 'b.test'), { ...from, host: 'b.test' });
  t.same(redirectedFrom(from, 'b.test:443'), { ...from, host: 'b.test', port: 443 });
  t.same(redirectedFrom(direct, '[2001:db8::1]'), { host: '2001:db8::1', port: 5223, tls: 'direct' });
  t.same(redirectedFrom(direct, '[2001:db8::1]:9222'), { host: '2001:db8::1', port: 9222, tls: 'direct' });
  for (const nonsense of [
    '',
    'b.test:0',
    'b.test:99999',
    'a b',
    'me@b.test',
    'https://b.test/',
    '2001:db8::1',
    '[x]',
  ]) {
    t.equal(redirectedFrom(from, nonsense), undefined, nonsense);
  }
  const socket = { url: 'wss://a.test/ws' };
  t.same(redirectedFrom(socket, 'wss://b.test/ws'), { url: 'wss://b.test/ws' });
  for (const less of ['ws://b.test/', 'ws://localhost/', 'http://b.test/', 'b.test', 'wss://me@b.test/']) {
    t.equal(redirectedFrom(socket, less), undefined, less);
  }
  t.end();
});

/** An address and port that never answer: a process that listens and sleeps, with its queue of connections full. */
async function blackHole(t: Test, host: string, port: number): Promise<void> {
  const script = `require('net').createServer().listen({ host: '${host}', port: ${port}, backlog: 1 }, () => console.log('up'))`;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'ignore'] });
  t.teardown(() => child.kill('SIGKILL'));
  await new Promise((resolve) => child.stdout.once('data', resolve));
  child.kill('SIGSTOP');
  const fillers = Array.from({ length: 6 }, () => net.connect(port, host).on('error', () => undefined));
  t.teardown(() => fillers.forEach((filler) => filler.destroy()));
  // The kernel takes a backlog of 1 for two connections.
  let filled = 0;
  await new Promise<void>((resolve) => {
    for (const filler of fillers) filler.once('connect', () => ++filled === 2 && resolve());
  });
}

// [RFC6120-3.2.1-d] [pitfall-blackhole]
t.test('an address that never answers does not block the other addresses of its host', async (t) => {
  const { server } = await startLoopback(t);
  const port = server.ports.directTls;
  await blackHole(t, '127.0.0.2', port);
  const addresses = [
    { address: '127.0.0.2', family: 4 },
    { address: '127.0.0.1', family: 4 },
  ];
  const lookup = (_host: string, _options: unknown, found: (error: null, all: typeof addresses) => void): void =>
    found(null, addresses);
  t.intercept(dns, 'lookup', { value: lookup });
  const target = { host: 'two.test', port, tls: 'direct' } as const;
  const options = { domain: 'localhost', ca: LOOPBACK_CERTIFICATE };
  const transport = await connectTcp(target, options, AbortSignal.timeout(10_000));
  t.ok(transport.security);
  transport.destroy();
});

// [pitfall-fetch-what-is-named]
t.test('only addresses of the public internet are public', (t) => {
  const strange =
    `0.0.0.0 10.1.2.3 100.64.0.1 100.127.255.255 127.0.0.1 127.9.9.9 169.254.169.254 172.16.0.1 172.31.255.255 192.0.0.1 192.0.2.1
    192.168.1.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 224.0.0.1 239.1.1.1 240.0.0.1 255.255.255.255 :: ::1 ::ffff:8.8.8.8
    ::ffff:127.0.0.1 ::127.0.0.1 64:ff9b::7f00:1 64:ff9b:1::1 100::1 2001::1 2001:db8::1 2002:7f00:1::1 3fff::1 fc00::1 fd12::1 fe80::1
    fe80::1%eth0 fec0::1 ff02::1 localhost 1 0x7f.1`.split(/\s+/);
  for (const address of strange) t.equal(isPublicAddress(address), false, address);
  for (const address of [
    '8.8.8.8',
    '100.63.255.255',
    '100.128.0.1',
    '172.15.0.1',
    '172.32.0.1',
    '192.169.0.1',
    '223.255.255.255',
    '2606:4700::1',
    '2a00:1450::1',
  ]) {
    t.equal(isPublicAddress(address), true, address);
  }
  for (const address of ['127.0.0.1', '127.255.0.9', '::1']) t.equal(isLoopbackAddress(address), true, address);
  for (const address of ['128.0.0.1', '::2', '::ffff:8.8.8.8', '10.0.0.1'])
    t.equal(isLoopbackAddress(address), false, address);
  t.end();
});

// [pitfall-fetch-what-is-named]
t.test('a URL from a stranger never leads to a private address, whatever the host name', async (t) => {
  let visits = 0;
  const site = await webSite(t, (_path, _request, response) => {
    visits++;
    response.end('inside');
  });
  const { port } = new URL(site);
  for (const host of [
    '127.0.0.1',
    'localhost',
    '2130706433',
    '0x7f.1',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '10.0.0.1',
    '169.254.169.254',
  ]) {
    const url = `http://${host}:${port}/secret?key=hunter2`;
    const error = await httpRequest({ method: 'GET', url, addresses: 'public', timeoutMs: 5_000 }).catch(
      (error: unknown) => error,
    );
    t.match(error, { name: 'HttpError', message: /no address that connections are allowed to/ }, host);
    t.notMatch(String(error), /hunter2|secret/, 'without what the URL says');
  }
  // The name answers differently each time: what counts is the address that is connected to.
  const rebinding = ['8.8.8.8', '127.0.0.1'];
  t.intercept(dns, 'lookup', {
    value: (_host: string, _options: unknown, found: (error: null, all: unknown) => void) =>
      found(null, [{ address: rebinding.pop(), family: 4 }]),
  });
  await t.rejects(httpRequest({ method: 'GET', url: `http://rebind.test:${port}/`, addresses: 'public' }), {
    name: 'HttpError',
  });
  t.same(rebinding, ['8.8.8.8'], 'it was looked up once');
  t.equal(visits, 0);
  const allowed = await httpRequest({ method: 'GET', url: site, addresses: 'public', privateHosts: ['127.0.0.1'] });
  t.equal(Buffer.from(allowed.body).toString(), 'inside', 'unless that host is named');
});

// [pitfall-fetch-what-is-named]
t.test('redirects are followed when asked for, so many, and each is judged like the first', async (t) => {
  const seen: string[] = [];
  const other = await webSite(t, (_path, request, response) =>
    response.end(`with ${request.headers.authorization ?? 'nothing'}`),
  );
  const site = await webSite(t, (path, request, response) => {
    seen.push(path);
    const leads: Record<string, string> = {
      '/start': '/next',
      '/away': `${other}/`,
      '/loop': '/loop',
      '/inside': 'http://localhost:1/',
      '/file': 'file:///etc/passwd',
      '/login': other.replace('//', '//me:hunter2@'),
    };
    const location = leads[path];
    if (location === undefined) response.end(`with ${request.headers.authorization ?? 'nothing'}`);
    else response.writeHead(302, { location }).end();
  });
  const get = async (path: string, more: Partial<HttpRequest> = {}): Promise<string> => {
    const headers = { authorization: 'Bearer me' };
    const { body } = await httpRequest({
      method: 'GET',
      url: site + path,
      maxRedirects: 3,
      headers,
      timeoutMs: 5_000,
      ...more,
    });
    return Buffer.from(body).toString();
  };
  t.equal(await get('/start'), 'with Bearer me', 'to the same origin with its headers');
  t.equal(await get('/away'), 'with nothing', 'to another without');
  t.equal((await httpRequest({ method: 'GET', url: `${site}/start` })).status, 302, 'not unless asked for');
  t.equal((await httpRequest({ method: 'PUT', url: `${site}/start`, maxRedirects: 3 })).status, 302, 'a PUT never');
  seen.length = 0;
  await t.rejects(get('/loop'), { name: 'HttpError', message: /more than 3/ });
  t.equal(seen.length, 4);
  const guarded = { addresses: 'public', privateHosts: ['127.0.0.1'] } as const;
  await t.rejects(get('/inside', guarded), { message: /no address that connections are allowed to/ });
  await t.rejects(get('/file'), { message: /only http and https/ });
  await t.rejects(get('/login'), { message: /^(?!.*hunter2)/s });
});

// [pitfall-fetch-what-is-named]
t.test('a redirect never leads from https to http', async (t) => {
  const plain = await webSite(t, (_path, _request, response) => response.end('in the clear'));
  const server = https.createServer({ key: LOOPBACK_KEY, cert: LOOPBACK_CERTIFICATE }, (_request, response) =>
    response.writeHead(301, { location: plain }).end(),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const url = `https://localhost:${(server.address() as AddressInfo).port}/`;
  await t.rejects(httpRequest({ method: 'GET', url, ca: LOOPBACK_CERTIFICATE, maxRedirects: 3 }), {
    name: 'HttpError',
    message: /from https to http/,
  });
});

/** A server on 127.0.0.1 for the time of a test. @returns its port */
async function portOf(t: Test, server: net.Server): Promise<number> {
  const sockets = new Set<net.Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket.on('error', () => undefined));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return (server.address() as AddressInfo).port;
}

/** Why a client of localhost cannot log in there. */
async function whyNot(host: string, port: number, directTls: boolean): Promise<unknown> {
  const client = createClient({
    jid: 'alice@localhost',
    password: 'secret',
    ca: LOOPBACK_CERTIFICATE,
    server: { host, port, directTls },
  });
  const offline = client.events.once('offline');
  client.start().catch(() => undefined);
  const { reason } = await offline;
  await client.stop();
  return reason;
}

const TLS_FILES = { key: LOOPBACK_KEY, cert: LOOPBACK_CERTIFICATE };

// [promise-trouble-port]
t.test('a port for something else is recognized, whether it answers, closes the connection or is silent', async (t) => {
  const { server } = await startLoopback(t);
  const { startTls, directTls } = server.ports;
  const web = await portOf(
    t,
    http.createServer((_request, response) => response.end('welcome')),
  );
  const secureWeb = await portOf(
    t,
    https.createServer(TLS_FILES, (_request, response) => response.end('welcome')),
  );
  // It answers complete requests only, as some web servers do.
  const patient = await portOf(
    t,
    net.createServer((socket) => {
      let request = '';
      socket.on('data', (chunk: Buffer) => {
        request += chunk.toString('latin1');
        if (request.includes('\r\n\r\n')) socket.end('HTTP/1.0 400 Bad Request\r\n\r\n');
      });
    }),
  );
  const shell = await portOf(
    t,
    net.createServer((socket) => socket.write('SSH-2.0-Shell\r\n')),
  );
  // As Prosody and ejabberd do, which close a connection for direct TLS that begins with a stream header.
  const closes = await portOf(
    t,
    tls.createServer(TLS_FILES, () => undefined).on('tlsClientError', (_error, socket) => socket.destroy()),
  );
  const cases = [
    ['StartTLS where TLS is direct', directTls, false, 'direct', /expects TLS from the first byte/],
    ['StartTLS where a wrong first byte closes', closes, false, 'direct', /expects TLS from the first byte/],
    ['direct TLS where StartTLS is', startTls, true, 'starttls', /is a port for StartTLS/],
    ['a web server', web, false, 'http', /web server/],
    ['a web server, by direct TLS', web, true, 'http', /web server/],
    ['a web server with TLS', secureWeb, false, 'http', /web server/],
    ['a web server with TLS, by direct TLS', secureWeb, true, 'http', /web server/],
    ['a silent web server', patient, false, 'http', /web server/],
    ['a silent web server, by direct TLS', patient, true, 'http', /web server/],
    ['a shell', shell, false, 'other', /does not speak XMPP/],
    ['a shell, by direct TLS', shell, true, 'other', /does not speak XMPP/],
  ] as const;
  const begin = performance.now();
  await Promise.all(
    cases.map(async ([what, port, direct, found, message]) => {
      const reason = await whyNot('127.0.0.1', port, direct);
      const expected = direct ? 'direct' : 'starttls';
      t.match(reason, { name: 'WrongPortError', expected, found, peer: `127.0.0.1:${port}`, message }, what);
      t.notMatch((reason as Error).message, /openssl|SSL routines/i);
    }),
  );
  t.ok(performance.now() - begin < 15_000, 'long before the 30 seconds of a connection are over');
});

// [promise-trouble-port]
t.test('a port that is right is not blamed for another fault', async (t) => {
  const { server } = await startLoopback(t);
  const { startTls, directTls } = server.ports;
  for (const [port, direct] of [
    [startTls, false],
    [directTls, true],
  ] as const) {
    const untrusting = createClient({
      jid: 'alice@localhost',
      password: 'secret',
      server: { host: '127.0.0.1', port, directTls: direct },
    });
    await t.rejects(untrusting.start(), { name: 'TlsError', problem: 'self-signed' });
  }
  const closed = await portOf(
    t,
    net.createServer((socket) => socket.destroy()),
  );
  t.match(await whyNot('127.0.0.1', closed, false), {
    name: 'UnreachableError',
    problem: 'closed',
    message: /without an answer/,
  });
  t.match(await whyNot('127.0.0.1', closed, true), {
    name: 'TlsError',
    problem: 'closed',
    message: /during the TLS handshake/,
  });
});

// [promise-trouble-address]
t.test('a host that cannot be reached is named with the cause', async (t) => {
  const free = net.createServer();
  const port = await portOf(t, free);
  await new Promise((resolve) => free.close(resolve));
  t.match(await whyNot('127.0.0.1', port, false), {
    name: 'UnreachableError',
    problem: 'refused',
    message: `127.0.0.1:${port} refused the connection (ECONNREFUSED)`,
  });
  t.match(await whyNot('::1', port, false), { problem: /refused|no-route/, message: `[::1]:${port}` });
  for (const [code, problem, message] of [
    ['ENOTFOUND', 'no-such-name', 'there is no xmpp.exmaple.com in DNS'],
    ['EAI_AGAIN', 'dns-failed', 'DNS gives no answer for xmpp.exmaple.com (EAI_AGAIN)'],
    ['EHOSTUNREACH', 'no-route', 'there is no route to xmpp.exmaple.com:5222 (EHOSTUNREACH)'],
    ['ETIMEDOUT', 'no-answer', 'xmpp.exmaple.com:5222 does not answer (ETIMEDOUT)'],
    ['EPERM', 'other', /^no connection to xmpp\.exmaple\.com:5222: /],
  ] as const) {
    const lookup = (_host: string, _options: unknown, found: (error: Error) => void): void =>
      found(Object.assign(new Error(`lookup ${code}`), { code }));
    const failing = t.capture(dns, 'lookup', lookup);
    t.match(await whyNot('xmpp.exmaple.com', 5222, false), { name: 'UnreachableError', problem, message });
    failing.restore();
  }
});
