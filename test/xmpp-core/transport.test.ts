import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import tls from 'node:tls';
import t, { type Test } from 'tap';
import { LOOPBACK_CERTIFICATE, LOOPBACK_KEY } from '../../src/loopback/certificate.js';
import { NegotiationError } from '../../src/xmpp-core/errors.js';
import { factsOf, type Chain } from '../../src/xmpp-core/transport/certificate-facts.js';
import { endPointHash } from '../../src/xmpp-core/transport/certificate.js';
import { foreignUse } from '../../src/xmpp-core/transport/first-bytes.js';
import { httpRequest } from '../../src/xmpp-core/transport/http.js';
import { describeTarget, findTargets, type SrvResolver } from '../../src/xmpp-core/transport/targets.js';
import { connectTcp } from '../../src/xmpp-core/transport/tcp.js';
import { tlsError, tlsOptions } from '../../src/xmpp-core/transport/tls.js';

interface SrvRecord {
  readonly name: string;
  readonly port: number;
  readonly priority: number;
  readonly weight: number;
}

/** Answers from a zone; a name that is not in it does not exist. */
function zone(records: Readonly<Record<string, readonly SrvRecord[]>>, asked: string[] = []): SrvResolver {
  return {
    resolveSrv: async (name) => {
      asked.push(name);
      const found = new Map(Object.entries(records)).get(name);
      if (found === undefined) throw Object.assign(new Error('no such record'), { code: 'ENOTFOUND' });
      return found;
    },
  };
}

const srv = (name: string, priority = 0, weight = 0, port = 5222): SrvRecord => ({ name, port, priority, weight });
const described = async (domain: string, resolver: SrvResolver): Promise<string[]> =>
  (await findTargets(domain, undefined, resolver)).map(describeTarget);

t.test('a configured server goes before DNS, on the usual port unless told', async (t) => {
  const asked: string[] = [];
  const resolver = zone({}, asked);
  const of = async (host: string, port: number | undefined, directTls: boolean): Promise<string[]> =>
    (await findTargets('example.com', { host, port, directTls }, resolver)).map(describeTarget);
  t.strictSame(await of('a.example', undefined, false), ['a.example:5222 (StartTLS)']);
  t.strictSame(await of('a.example', undefined, true), ['a.example:5223 (direct TLS)']);
  t.strictSame(await of('::1', 1234, true), ['[::1]:1234 (direct TLS)']);
  t.strictSame(asked, []);
});

// [RFC6120-3.2.1-a] [RFC6120-3.2.2-a]
t.test(
  'a domain without records, or that is an address, is connected to itself; DNS is asked in A-labels',
  async (t) => {
    const asked: string[] = [];
    t.strictSame(await described('bücher.example', zone({}, asked)), ['xn--bcher-kva.example:5222 (StartTLS)']);
    t.strictSame(asked.toSorted(), [
      '_xmpp-client._tcp.xn--bcher-kva.example',
      '_xmpps-client._tcp.xn--bcher-kva.example',
    ]);
    const none: string[] = [];
    t.strictSame(await described('[::1]', zone({}, none)), ['[::1]:5222 (StartTLS)']);
    t.strictSame(await described('127.0.0.1', zone({}, none)), ['127.0.0.1:5222 (StartTLS)']);
    t.strictSame(none, []);
  },
);

// [RFC6120-3.2.1-c] [XEP-0368-3-a]
t.test('records are tried by priority, with both kinds of TLS mixed', async (t) => {
  const resolver = zone({
    '_xmpp-client._tcp.example.com': [srv('c', 20), srv('a', 5)],
    '_xmpps-client._tcp.example.com': [srv('d', 30, 0, 5223), srv('b', 10, 0, 443)],
  });
  t.strictSame(await described('example.com', resolver), [
    'a:5222 (StartTLS)',
    'b:443 (direct TLS)',
    'c:5222 (StartTLS)',
    'd:5223 (direct TLS)',
  ]);
});

// [RFC6120-3.2.1-c]
t.test('among equals the weight decides how often one comes first, and each is tried once', async (t) => {
  const resolver = zone({
    '_xmpp-client._tcp.example.com': [srv('light', 0, 1), srv('heavy', 0, 9), srv('none', 0, 0)],
  });
  const { random } = Math;
  t.teardown(() => {
    Math.random = random;
  });
  const firstOf = async (value: number): Promise<string | undefined> => {
    Math.random = () => value;
    const order = await described('example.com', resolver);
    t.equal(new Set(order).size, 3);
    return order[0];
  };
  // The running sum is none 0, light 1, heavy 10 (RFC 2782); the pick is among 0 to 10.
  t.equal(await firstOf(0), 'none:5222 (StartTLS)');
  t.equal(await firstOf(1 / 11), 'light:5222 (StartTLS)');
  t.equal(await firstOf(2 / 11), 'heavy:5222 (StartTLS)');
  t.equal(await firstOf(0.999), 'heavy:5222 (StartTLS)');
});

// [RFC6120-3.2.1-b] [XEP-0368-5-b]
t.test('a target of "." says that there is no service, and is believed', async (t) => {
  const no = { '_xmpp-client._tcp.example.com': [srv('')] };
  await t.rejects(described('example.com', zone(no)), NegotiationError);
  const only = { ...no, '_xmpps-client._tcp.example.com': [srv('b', 0, 0, 443)] };
  t.strictSame(await described('example.com', zone(only)), ['b:443 (direct TLS)']);
  const noDirect = { '_xmpps-client._tcp.example.com': [srv('')] };
  await t.rejects(described('example.com', zone(noDirect)), NegotiationError);
});

t.test('a zone with very many records is tried only so far, and a look-up can be given up', async (t) => {
  const many = Array.from({ length: 500 }, (_, at) => srv(`host${at}`, at));
  t.equal((await described('example.com', zone({ '_xmpp-client._tcp.example.com': many }))).length, 16);
  const never: SrvResolver = { resolveSrv: () => new Promise(() => undefined) };
  await t.rejects(findTargets('example.com', undefined, never, AbortSignal.abort(new Error('enough'))), /enough/);
});

t.test('the hash of tls-server-end-point is that of the signature, and never weaker than SHA-256', async (t) => {
  const byName = new Map(
    tls.rootCertificates.map((pem) => {
      const certificate = new X509Certificate(pem);
      return [/CN=(.*)/.exec(certificate.subject)?.[1] ?? '', certificate.raw] as const;
    }),
  );
  for (const [name, hash] of [
    ['DigiCert Global Root CA', 'sha256'], // sha1WithRSAEncryption
    ['ISRG Root X1', 'sha256'],
    ['GTS Root R1', 'sha384'],
    ['ISRG Root X2', 'sha384'], // ecdsa-with-SHA384
  ] as const) {
    const raw = byName.get(name);
    if (raw === undefined) t.comment(`this node does not carry ${name}`);
    else t.equal(endPointHash(raw), hash, name);
  }
  const { raw } = new X509Certificate(LOOPBACK_CERTIFICATE);
  t.equal(endPointHash(raw), 'sha256');
  for (let length = 0; length < raw.length; length++) t.equal(endPointHash(raw.subarray(0, length)), undefined);
  t.equal(endPointHash(new Uint8Array(64).fill(0xff)), undefined);
});

/** An HTTP server for the time of a test. @returns its URL */
async function serve(t: Test, handler: http.RequestListener, secure = false): Promise<string> {
  const server = secure
    ? https.createServer({ key: LOOPBACK_KEY, cert: LOOPBACK_CERTIFICATE }, handler)
    : http.createServer(handler);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  t.teardown(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return `http${secure ? 's' : ''}://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

t.test('an answer comes with its status, headers and body, and a body goes up whole', async (t) => {
  const url = await serve(t, (request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      const { length } = Buffer.concat(pieces);
      response
        .writeHead(201, { 'X-Got': `${request.method} ${length} of ${request.headers['content-length']}` })
        .end('done');
    });
  });
  const sent: number[] = [];
  const body = new Uint8Array(150_000);
  const answer = await httpRequest({ method: 'PUT', url, body, onProgress: (bytes) => sent.push(bytes) });
  t.match(answer, { status: 201, headers: { 'x-got': 'PUT 150000 of 150000' } });
  t.equal(Buffer.from(answer.body).toString(), 'done');
  t.strictSame(sent, [65_536, 131_072, 150_000]);
});

// [pitfall-fetch-what-is-named]
t.test('an answer that is too large, too late, or given up is not waited for', async (t) => {
  const url = await serve(t, (request, response) => {
    if (request.url === '/endless') {
      const pump = (): void => {
        while (!response.destroyed && response.write('x'.repeat(10_000)));
      };
      response.on('drain', pump);
      pump();
    }
  });
  await t.rejects(httpRequest({ method: 'GET', url: `${url}endless`, maxBytes: 50_000 }), {
    name: 'ResponseTooLargeError',
    message: /more than 50000 bytes/,
  });
  await t.rejects(httpRequest({ method: 'GET', url, timeoutMs: 30 }), {
    name: 'TimeoutError',
    message: /GET 127.*30 ms/,
  });
  const controller = new AbortController();
  const body = new Uint8Array(10_000_000);
  const onProgress = (): void => controller.abort(new Error('enough'));
  await t.rejects(httpRequest({ method: 'PUT', url, body, signal: controller.signal, onProgress }), /enough/);
  await t.rejects(
    httpRequest({
      method: 'PUT',
      url,
      body,
      onProgress: () => {
        throw new Error('the listener fell');
      },
    }),
    { name: 'HttpError', message: /the listener fell/ },
  );
});

t.test('accepts a response that arrives before the body is sent', async (t) => {
  const url = await serve(t, (_, response) => {
    response.writeHead(413).end('too large');
  });
  const answer = await httpRequest({ method: 'PUT', url, body: new Uint8Array(20_000_000) });
  t.equal(answer.status, 413);
});

t.test('HTTPS trusts the authority it was given and no stranger, and other schemes are not spoken', async (t) => {
  const url = await serve(t, (_, response) => response.end('secret'), true);
  t.equal((await httpRequest({ method: 'GET', url, ca: LOOPBACK_CERTIFICATE })).status, 200);
  await t.rejects(httpRequest({ method: 'GET', url }), { name: 'HttpError', message: /self-signed/ });
  for (const other of ['file:///etc/passwd', 'ftp://127.0.0.1/', 'nonsense'])
    await t.rejects(httpRequest({ method: 'GET', url: other }), { name: 'HttpError', message: /only http and https/ });
});

// [promise-trouble-port]
t.test('an HTTPS request to a port without TLS says so, without the text of OpenSSL', async (t) => {
  const url = (await serve(t, (_, response) => response.end())).replace('http:', 'https:');
  await t.rejects(httpRequest({ method: 'GET', url }), {
    name: 'HttpError',
    message: new RegExp(`^GET ${new URL(url).host}: ${new URL(url).host} answers without TLS$`),
  });
});

t.test('names a host that cannot be reached', async (t) => {
  await t.rejects(httpRequest({ method: 'GET', url: 'http://127.0.0.1:1/secret-path' }), {
    name: 'HttpError',
    message: /^GET 127\.0\.0\.1:1: (?!.*secret-path)/,
  });
});

t.test(
  'authorities are read once for a bundle, which trusts nobody for another, and a certificate of ours is shown for itself',
  async (t) => {
    const bundle = (n: number): string => `${LOOPBACK_CERTIFICATE}${'\n'.repeat(n)}`;
    const first = tlsOptions(bundle(0)).secureContext;
    t.ok(first);
    t.equal(tlsOptions(bundle(0)).secureContext, first);
    t.not(tlsOptions(bundle(1)).secureContext, first);
    for (let n = 1; n < 10; n += 1) tlsOptions(bundle(n));
    t.not(tlsOptions(bundle(0)).secureContext, first, 'many bundles are not kept for ever');
    const ours = { certificate: LOOPBACK_CERTIFICATE, key: LOOPBACK_KEY };
    t.match(tlsOptions(bundle(0), ours), {
      secureContext: undefined,
      cert: ours.certificate,
      key: ours.key,
      minVersion: 'TLSv1.2',
    });
    t.equal(tlsOptions(bundle(0)).rejectUnauthorized, true);
  },
);

const certificate = (name: string): string =>
  readFileSync(new URL(`../../fixtures/certificates/${name}`, import.meta.url), 'utf8');

/** Connects for example.org to a server with one of the recorded certificates. */
async function rejected(t: Test, name: string, ca: string, key = name): Promise<unknown> {
  const server = tls.createServer({ cert: certificate(`${name}.crt`), key: certificate(`${key}.key`) });
  server.on('tlsClientError', () => undefined);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  t.teardown(() => server.close());
  const target = { host: '127.0.0.1', port: (server.address() as AddressInfo).port, tls: 'direct' } as const;
  try {
    (await connectTcp(target, { domain: 'example.org', ca }, AbortSignal.timeout(10_000))).destroy();
    return undefined;
  } catch (error) {
    return error;
  }
}

// [pitfall-certificate-name] [promise-trouble-certificate]
t.test('a rejected certificate is described by its names, its days and its issuer', async (t) => {
  const authority = certificate('authority.crt');
  const issuer = 'The authority of the recorded streams';
  t.equal(await rejected(t, 'good', authority), undefined);
  const cases = [
    [
      'wrong-name',
      authority,
      'other-name',
      { names: ['elsewhere.example'] },
      'for another name: elsewhere.example, not for example.org',
    ],
    ['expired', authority, 'expired', { validUntil: new Date('2021-01-01') }, 'its certificate expired on 2021-01-01'],
    ['good', certificate('self-signed.crt'), 'unknown-authority', { issuer }, `does not trust: "${issuer}"`],
    ['self-signed', authority, 'self-signed', { names: ['example.org'] }, 'its certificate is self-signed'],
  ] as const;
  for (const [name, ca, problem, facts, text] of cases) {
    const error = await rejected(t, name, ca);
    t.match(error, { name: 'TlsError', problem, permanent: true, certificate: facts }, name);
    t.ok((error as Error).message.includes(text), text);
  }
});

// [promise-trouble-certificate]
t.test(
  'where the certificate of an authority has expired, that one is described; what a server writes has limits',
  (t) => {
    const one = (name: string, until: string): Chain =>
      ({
        subject: { CN: name },
        subjectaltname: `DNS:${name}`,
        valid_from: 'Jan  1 00:00:00 2020 GMT',
        valid_to: until,
      }) as Chain;
    const authority = one('authority', 'Jan  1 00:00:00 2021 GMT');
    const leaf: Chain = { ...one('leaf', 'Jan  1 00:00:00 2100 GMT'), issuerCertificate: authority };
    const error = Object.assign(new Error('certificate has expired'), { code: 'CERT_HAS_EXPIRED' });
    t.match(tlsError(error, 'a.test', 'peer', leaf).message, /the certificate of its authority expired on 2021-01-01/);
    t.match(tlsError(error, 'a.test', 'peer', authority).message, /its certificate expired on 2021-01-01/);
    t.match(tlsError(error, 'a.test', 'peer').message, /its certificate has expired/);
    const circle: { issuerCertificate?: Chain } & Chain = one('circle', 'Jan  1 00:00:00 2100 GMT');
    Object.assign(circle, { issuerCertificate: circle });
    t.match(tlsError(error, 'a.test', 'peer', circle).certificate, { names: ['circle'] });

    const early = Object.assign(new Error('not yet'), { code: 'CERT_NOT_YET_VALID' });
    t.match(
      tlsError(early, 'a.test', 'peer', leaf).message,
      /not valid yet, but from 2020-01-01 on; today is \d{4}-\d\d-\d\d here/,
    );

    const names = (text: string): readonly string[] => factsOf({ ...leaf, subjectaltname: text }).names;
    t.strictSame(names('DNS:a.test, IP Address:192.0.2.1, DNS:*.b.test, IP Address:2001:DB8:0:0:0:0:0:1'), [
      'a.test',
      '192.0.2.1',
      '*.b.test',
      '2001:DB8:0:0:0:0:0:1',
    ]);
    t.strictSame(names('othername:<unsupported>, DNS:"a, DNS:b.test", URI:https://c.test'), []);
    t.equal(names(Array.from({ length: 9 }, (_, at) => `DNS:${at}.test`).join(', ')).length, 8);
    t.equal(names(`DNS:${'a'.repeat(253)}`).length, 1);
    t.equal(names(`DNS:${'a'.repeat(254)}`).length, 0);
    t.strictSame(factsOf({ ...leaf, subjectaltname: undefined as unknown as string }).names, ['leaf']);
    const subject = { CN: ['x'.repeat(101), 'second'] } as unknown as Chain['issuer'];
    t.equal(factsOf({ ...leaf, issuer: subject }).issuer, 'x'.repeat(100));
    t.equal(factsOf({ ...leaf, valid_to: 'never' }).validUntil, undefined);
    t.end();
  },
);

// [promise-trouble-port]
t.test('an error of a handshake has words of ours, and those of OpenSSL are left out', (t) => {
  const openSsl = (reason: string): string =>
    `write EPROTO 80CCA1:error:0A00010B:SSL routines:ssl3_get_record:${reason}:../deps/openssl/record.c:350:\n`;
  const cases = [
    ['ERR_SSL_WRONG_VERSION_NUMBER', '', 'not-tls', 'peer answers without TLS'],
    ['EPROTO', openSsl('wrong version number'), 'not-tls', 'peer answers without TLS'],
    ['ECONNRESET', 'read ECONNRESET', 'closed', 'peer closed the connection during the TLS handshake'],
    ['ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION', '', 'handshake', /the server has no TLS of version 1\.2 or later/],
    ['EPROTO', openSsl('unsupported protocol'), 'handshake', /the server has no TLS of version 1\.2 or later/],
    ['ERR_SSL_TLSV1_UNRECOGNIZED_NAME', '', 'handshake', /no certificate for this domain/],
    ['ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL', '', 'handshake', /does not offer XMPP on this port/],
    ['ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE', '', 'handshake', /no cipher in common/],
    ['ERR_SSL_DH_KEY_TOO_SMALL', '', 'handshake', /too weak/],
    [
      'ERR_SSL_SOMETHING_NEW',
      openSsl('something new'),
      'handshake',
      'the TLS handshake with peer failed (ERR_SSL_SOMETHING_NEW)',
    ],
  ] as const;
  for (const [code, text, problem, message] of cases) {
    const error = tlsError(Object.assign(new Error(text), { code }), 'a.test', 'peer');
    t.match(error, { problem, permanent: false, message });
    t.notMatch(error.message, /openssl|routines/i);
  }
  t.end();
});

// [promise-trouble-port]
t.test('first bytes that are no XML are recognized, however short the first chunk is', (t) => {
  const bytes = (text: string): Uint8Array => Buffer.from(text, 'latin1');
  const cases = [
    ['HTTP/1.1 400 Bad Request', 'http'],
    ['H', 'http'],
    ['Hello', 'other'],
    ['\x15\x03\x01\x00\x02', 'direct'],
    ['\x16\x03', 'direct'],
    ['SSH-2.0', 'other'],
    ['220 mail.example ESMTP', 'other'],
    ['<', undefined],
    ['<?xml version', undefined],
    ['\r\n <stream:stream', undefined],
    ['\xef\xbb\xbf<', undefined],
    ['\xfe\xff\0<', undefined],
    ['', undefined],
  ] as const;
  for (const [text, use] of cases) t.equal(foreignUse(bytes(text)), use, JSON.stringify(text));
  t.end();
});
