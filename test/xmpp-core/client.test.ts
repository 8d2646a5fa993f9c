import t from 'tap';
import { createClient, type Client } from '../../src/xmpp-core/client.js';
import {
  ConnectError,
  SaslError,
  StanzaError,
  StreamError,
  TimeoutError,
  TlsError,
  WrongPortError,
  XmppError,
} from '../../src/xmpp-core/errors.js';
import { LOOPBACK_CERTIFICATE, LOOPBACK_KEY } from '../../src/loopback/certificate.js';
import { Jid } from '../../src/xmpp-core/jid/jid.js';
import { definePlugin, senders, handled, type PluginContext, type SenderGuard } from '../../src/xmpp-core/plugin.js';
import { backoffMs, isPermanent } from '../../src/xmpp-core/reconnect.js';
import { NS_CLIENT, NS_SASL } from '../../src/xmpp-core/stanza/namespaces.js';
import { readStanzaError } from '../../src/xmpp-core/stanza/stanza-error.js';
import { writeMessage } from '../../src/xmpp-core/stanza/stanzas.js';
import { memoryStorage } from '../../src/xmpp-core/storage.js';
import { el } from '../../src/xmpp-core/xml/element.js';
import { PASSWORD, PATIENCE_MS, recorder, startLoopback, until } from '../support/loopback.js';

const NS_TEST = 'urn:test';
const question = el('question', NS_TEST);

const mechanismsFeature = (...names: string[]): string =>
  `<mechanisms xmlns='${NS_SASL}'>${names.map((name) => `<mechanism>${name}</mechanism>`).join('')}</mechanisms>`;

const next = <Name extends 'offline' | 'online' | 'message' | 'undelivered' | 'error'>(client: Client, name: Name) =>
  client.events.once(name, { timeoutMs: PATIENCE_MS });

// [RFC6120-4.2-a] [RFC6120-4.3.3-a] [RFC6120-5.2-a] [RFC6120-5.3.2-a] [RFC6120-6.2-a] [RFC6120-6.3.2-a] [RFC6120-7.2-a]
// [RFC6120-7.3.1-a] [RFC6120-7.7-a]
t.test('logs in by STARTTLS and by direct TLS, and gets its full JID', async (t) => {
  const { server, online } = await startLoopback(t);
  for (const directTls of [false, true]) {
    const port = directTls ? server.ports.directTls : server.ports.startTls;
    const client = await online('ann', { resource: 'desk', server: { host: '127.0.0.1', port, directTls } });
    t.equal(client.state, 'online');
    t.equal(client.jid?.toString(), 'ann@localhost/desk');
    await client.stop();
    t.equal(client.state, 'offline');
    t.equal(client.jid, undefined);
  }
});

// [RFC6120-4.3.6-a] [RFC6120-7.6-a]
t.test('without a resource of ours the server chooses one', async (t) => {
  const { online } = await startLoopback(t);
  t.not((await online('ann')).jid?.resource, '');
});

// [RFC5802-6-b] [RFC6120-6.4.2-a] [RFC6120-6.4.3-a] [RFC6120-13.8.1-a]
t.test('a login is bound to its TLS connection when both sides can, unless told otherwise', async (t) => {
  const cases = [
    { mechanisms: ['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256'], channelBinding: 'preferred', used: 'SCRAM-SHA-256-PLUS' },
    { mechanisms: ['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256'], channelBinding: 'required', used: 'SCRAM-SHA-256-PLUS' },
    { mechanisms: ['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256'], channelBinding: 'off', used: 'SCRAM-SHA-256' },
    { mechanisms: ['SCRAM-SHA-256', 'SCRAM-SHA-1'], channelBinding: 'preferred', used: 'SCRAM-SHA-256' },
    { mechanisms: ['SCRAM-SHA-1', 'PLAIN'], channelBinding: 'preferred', used: 'SCRAM-SHA-1' },
  ] as const;
  for (const { mechanisms, channelBinding, used } of cases) {
    const { server, online } = await startLoopback(t, { mechanisms });
    const log = recorder();
    server.misbehave(log);
    await online('ann', { channelBinding });
    t.equal(log.find('auth', NS_SASL)?.attr('mechanism'), used);
  }
});

t.test('sends nothing and does not retry when a required channel binding is not available', async (t) => {
  const { server, client } = await startLoopback(t, { mechanisms: ['SCRAM-SHA-256', 'PLAIN'] });
  const log = recorder();
  server.misbehave(log);
  await t.rejects(client('ann', { channelBinding: 'required' }).start(), {
    name: 'SaslError',
    condition: 'channel-binding',
  });
  t.equal(log.find('auth', NS_SASL), undefined);
});

// [RFC6120-13.8.3-a,b] [XEP-0474-7-b] [pitfall-sasl-downgrade]
// [promise-account-secure]
t.test('uses PLAIN only without a better mechanism, and never after a login by SCRAM', async (t) => {
  const storage = memoryStorage();
  const plain = await startLoopback(t, { mechanisms: ['PLAIN'] });
  const log = recorder();
  plain.server.misbehave(log);
  await (await plain.online('ann', { storage })).stop();
  t.equal(log.find('auth', NS_SASL)?.attr('mechanism'), 'PLAIN');

  const scram = await startLoopback(t);
  await (await scram.online('ann', { storage })).stop();

  const later = recorder();
  plain.server.misbehave(later);
  await t.rejects(plain.client('ann', { storage }).start(), { name: 'SaslError', condition: 'no-mechanism' });
  t.equal(later.find('auth', NS_SASL), undefined);
  await t.resolves(plain.online('bob', { storage }), 'another account knows nothing of that');
});

// [RFC5802-9-a] [RFC6120-5.3.4-a] [RFC6120-13.3-a] [RFC7590-3.1-a] [pitfall-starttls-stripping]
// [pitfall-auth-no-starttls]
t.test('sends nothing to a server without STARTTLS, and does not retry', async (t) => {
  const { server, client } = await startLoopback(t);
  const log = recorder();
  server.misbehave({
    ...log,
    features: () => `<stream:features>${mechanismsFeature('PLAIN', 'SCRAM-SHA-256')}</stream:features>`,
  });
  const ann = client('ann');
  const offline = next(ann, 'offline');
  await t.rejects(ann.start(), { name: 'TlsError', permanent: true, problem: 'not-offered' });
  t.match(await offline, { willRetry: false, retryInMs: undefined, reason: TlsError });
  t.strictSame(log.sent, []);
});

// [RFC6120-4.3.3-b] [RFC6120-5.4.3.3-a] [RFC6120-6.3.1-a] [RFC6120-6.3.4-a] [pitfall-starttls-buffering]
t.test('ignores after TLS what the server offered before it', async (t) => {
  const { server, client } = await startLoopback(t);
  const log = recorder();
  server.misbehave({
    ...log,
    features: (stage) =>
      stage === 'plain'
        ? `<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>${mechanismsFeature('PLAIN')}</stream:features>`
        : '<stream:features/>',
  });
  const ann = client('ann');
  const offline = next(ann, 'offline');
  ann.start().catch(() => undefined);
  t.match((await offline).reason?.message, /no way to authenticate/);
  t.equal(log.find('auth', NS_SASL), undefined);
});

// [RFC6120-4.7.1-b] [RFC6120-5.4.3.1-a] [RFC6120-13.7.2-a,d] [RFC6120-13.7.2.1-a] [RFC7590-3.4-a] [XEP-0368-3-d]
// [pitfall-certificate-name] [pitfall-auth-other-name] [pitfall-auth-self-signed]
t.test('a certificate of an unknown authority, or for another name, ends it before a secret is sent', async (t) => {
  const { server, client } = await startLoopback(t);
  const log = recorder();
  server.misbehave(log);
  for (const directTls of [false, true]) {
    const port = directTls ? server.ports.directTls : server.ports.startTls;
    const override = { host: '127.0.0.1', port, directTls };
    const untrusting = createClient({ jid: Jid.parse('ann@localhost'), password: PASSWORD, server: override });
    await t.rejects(untrusting.start(), { name: 'TlsError', permanent: true, problem: 'self-signed' });
    const elsewhere = client('ann', { jid: Jid.parse('ann@example.org'), server: override });
    await t.rejects(elsewhere.start(), { name: 'TlsError', permanent: true, message: /another name/ });
  }
  t.ok(log.sent.every(({ name }) => name === 'starttls'));
});

// [RFC7590-3.4-a] [pitfall-certificate-name]
t.test('verification cannot be turned off by the environment', async (t) => {
  const { server } = await startLoopback(t);
  process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';
  t.teardown(() => delete process.env['NODE_TLS_REJECT_UNAUTHORIZED']);
  const override = { host: '127.0.0.1', port: server.ports.directTls, directTls: true };
  const client = createClient({ jid: Jid.parse('ann@localhost'), password: PASSWORD, server: override });
  await t.rejects(client.start(), { name: 'TlsError', permanent: true });
});

// [RFC6120-6.4.5-a] [RFC6120-6.5-b] [pitfall-sasl-downgrade] [pitfall-error-permanence]
t.test('reports a wrong password and does not retry', async (t) => {
  const { server, client } = await startLoopback(t);
  const log = recorder();
  server.misbehave(log);
  const ann = client('ann', { password: 'wrong' });
  const offline = next(ann, 'offline');
  await t.rejects(ann.start(), { name: 'SaslError', condition: 'not-authorized', message: /password is wrong/ });
  t.match(await offline, { willRetry: false, reason: SaslError });
  t.equal(log.sent.filter((element) => element.is('auth', NS_SASL)).length, 1);
});

// [RFC5802-5-a] [pitfall-scram-signature] [pitfall-auth-early-success]
t.test('leaves a server that cannot prove that it knows the password', async (t) => {
  const { server, client } = await startLoopback(t, { mechanisms: ['SCRAM-SHA-256'] });
  server.misbehave({
    answer: (element) => (element.is('auth', NS_SASL) ? `<success xmlns='${NS_SASL}'/>` : undefined),
  });
  await t.rejects(client('ann').start(), SaslError);
});

// [RFC6120-8.1.2.1-b,c] [RFC6120-8.2.3-a] [RFC7622-4-a] [pitfall-iq-by-id]
t.test('accepts a response only from the entity that got the request', async (t) => {
  const { server, online } = await startLoopback(t);
  const log = recorder((element) => (element.child('question', NS_TEST) === undefined ? undefined : ''));
  server.misbehave(log);
  const ann = await online('ann');
  const jid = ann.jid ?? ann.account;
  const reply = (from: string | undefined, id: string, word: string, type = 'result'): string =>
    `<iq xmlns='${NS_CLIENT}' type='${type}' id='${id}' ${from === undefined ? '' : `from='${from}'`}>` +
    `<answer xmlns='${NS_TEST}'>${word}</answer></iq>`;
  const ask = async (to: Jid | undefined, replies: (id: string) => string[]): Promise<string | undefined> => {
    const asked = log.sent.length;
    const answer = ann.iq({ type: 'get', payload: question, ...(to === undefined ? {} : { to }) });
    await until(() => log.sent.length > asked, 'the question');
    server.inject(jid, replies(log.sent.at(-1)?.attr('id') ?? '').join(''));
    return (await answer)?.text;
  };

  const bob = Jid.parse('bob@localhost/desk');
  t.equal(
    await ask(bob, (id) => [
      reply('eve@localhost/desk', id, 'forged'),
      reply('bob@localhost', id, 'the bare JID is somebody else'),
      reply('bob@localhost/other', id, 'and so is another resource'),
      reply(undefined, id, 'and so are we'),
      reply('eve@localhost/desk', id, 'an error', 'error'),
      reply('bob@localhost/desk', `${id}x`, 'another question'),
      reply('BOB@localhost/desk', id, 'true'),
    ]),
    'true',
  );
  const own = (id: string): string[] => [reply('localhost', id, 'forged'), reply('bob@localhost', id, 'forged')];
  t.equal(await ask(undefined, (id) => [...own(id), reply(undefined, id, 'true')]), 'true', 'no `from`');
  t.equal(await ask(undefined, (id) => [...own(id), reply('ann@localhost', id, 'true')]), 'true', 'our own account');
});

// [pitfall-iq-by-id]
t.test('rejects a request at its deadline, on abort, and when the connection ends', async (t) => {
  const { server, online } = await startLoopback(t);
  const log = recorder((element) => (element.child('question', NS_TEST) === undefined ? undefined : ''));
  server.misbehave(log);
  const ann = await online('ann');
  const to = Jid.parse('bob@localhost/desk');
  await t.rejects(ann.iq({ to, type: 'get', payload: question, timeoutMs: 5 }), {
    name: 'TimeoutError',
    message: /bob@localhost\/desk.*question.*5 ms/,
  });
  const controller = new AbortController();
  const given = ann.iq({ to, type: 'get', payload: question, signal: controller.signal });
  controller.abort(new Error('enough'));
  await t.rejects(given, /enough/);
  const asked = log.sent.length;
  await t.rejects(ann.iq({ to, type: 'get', payload: question, signal: AbortSignal.abort() }));
  t.equal(log.sent.length, asked, 'what was given up before it began is not sent');

  const lost = ann.iq({ to, type: 'get', payload: question });
  await until(() => log.sent.length > asked, 'the question');
  server.cutAll();
  await t.rejects(lost, { name: 'OfflineError', message: /connection was lost/ });
  await next(ann, 'online');
});

t.test('nothing can be sent before and after a session, and the error says so', async (t) => {
  const { client } = await startLoopback(t);
  const ann = client('ann');
  t.throws(() => ann.send(question), { name: 'OfflineError', message: /ann@localhost is not online/ });
  await t.rejects(ann.iq({ type: 'get', payload: question }), /not online/);
  await ann.start();
  await ann.stop();
  t.throws(() => ann.send(question), /not online/);
});

/** A plugin that hands its context to the test. */
const opened = (setup: (context: PluginContext) => void) => definePlugin({ name: 'test', setup });

// [RFC6120-8.2.3-b,d] [RFC6120-8.3.1-a,c] [RFC6120-8.4-b]
t.test('each request is answered once: by its handler, by the error it throws, or by the core', async (t) => {
  const { online } = await startLoopback(t);
  const handlers = opened((context) => {
    const on = (name: string, handler: Parameters<PluginContext['onIq']>[2]): unknown =>
      context.onIq({ type: 'get', ns: NS_TEST, name }, senders.anyone, handler);
    on('now', () => el('answer', NS_TEST, {}, 'at once'));
    on('later', async () => el('answer', NS_TEST, {}, 'later'));
    on('empty', () => undefined);
    on('refuse', () => {
      throw new StanzaError('auth', 'forbidden', 'not for you');
    });
    on('crash', () => {
      throw new Error('a secret of ours');
    });
  });
  const ann = await online('ann', { resource: 'desk', plugins: [handlers] });
  const bob = await online('bob');
  const ask = (name: string, type: 'get' | 'set' = 'get') =>
    bob.iq({ to: Jid.parse('ann@localhost/desk'), type, payload: el(name, NS_TEST) });

  t.equal((await ask('now'))?.text, 'at once');
  t.equal((await ask('later'))?.text, 'later');
  t.equal(await ask('empty'), undefined);
  await t.rejects(ask('refuse'), { name: 'StanzaError', type: 'auth', condition: 'forbidden', text: 'not for you' });
  await t.rejects(ask('unknown'), { name: 'StanzaError', type: 'cancel', condition: 'service-unavailable' });
  await t.rejects(ask('now', 'set'), { name: 'StanzaError', condition: 'service-unavailable' });
  const failure = next(ann, 'error');
  await t.rejects(ask('crash'), { name: 'StanzaError', condition: 'internal-server-error', text: undefined });
  t.match(await failure, { where: 'iq', error: /a secret of ours/ });
});

// [RFC6120-8.1.4-a] [RFC6120-8.2.3-c,f]
t.test('a request without an id, without one payload, or of an unknown type is a bad request', async (t) => {
  const { server, online } = await startLoopback(t);
  const log = recorder();
  server.misbehave(log);
  const ann = await online('ann');
  const malformed = [
    `<iq from='localhost' type='get'><ping xmlns='urn:xmpp:ping'/></iq>`,
    `<iq from='localhost' type='get' id='a'/>`,
    `<iq from='localhost' type='get' id='a'><x xmlns='urn:a'/><y xmlns='urn:a'/></iq>`,
    `<iq from='localhost' type='ask' id='a'><x xmlns='urn:a'/></iq>`,
    `<iq from='localhost' id='a'><x xmlns='urn:a'/></iq>`,
  ];
  for (const request of malformed) {
    const before = log.sent.length;
    server.inject(ann.jid ?? ann.account, request);
    await until(() => log.sent.length > before, 'the answer');
    const answer = log.sent.at(-1) ?? question;
    t.match({ type: answer.attr('type'), to: answer.attr('to') }, { type: 'error', to: 'localhost' });
    t.match(readStanzaError(answer), { type: 'modify', condition: 'bad-request' }, request);
  }
});

t.test('calls a handler only for senders that its guard admits', async (t) => {
  const { server, online } = await startLoopback(t);
  const log = recorder((element) => (element.child('question', NS_TEST) === undefined ? undefined : ''));
  server.misbehave(log);
  const heard: string[] = [];
  const onlyBob: SenderGuard = { name: 'onlyBob', admits: (sender) => sender.toString() === 'bob@localhost/desk' };
  const ann = await online('ann', {
    plugins: [
      opened((context) => {
        for (const guard of [senders.anyone, senders.ownAccount, senders.server, senders.asked, onlyBob]) {
          const hear = (_: unknown, stanza: { from: Jid }): undefined => {
            heard.push(`${guard.name} ${stanza.from.toString()}`);
            return undefined;
          };
          context.onMessage({ ns: NS_TEST, name: guard.name }, guard, hear);
          context.onPresence({ ns: NS_TEST, name: guard.name }, guard, hear);
          context.onIq({ type: 'set', ns: NS_TEST, name: guard.name }, guard, hear);
        }
      }),
    ],
  });
  const question = ann.iq({ to: Jid.parse('pubsub.localhost'), type: 'get', payload: el('question', NS_TEST) });
  question.catch(() => undefined);

  const addresses = [
    undefined,
    'ann@localhost',
    'ann@localhost/other',
    'localhost',
    'bob@localhost/desk',
    'pubsub.localhost',
  ];
  const admitted: Record<string, (string | undefined)[]> = {
    anyone: addresses,
    ownAccount: [undefined, 'ann@localhost'],
    server: [undefined, 'ann@localhost', 'localhost'],
    asked: ['pubsub.localhost'],
    onlyBob: ['bob@localhost/desk'],
  };
  for (const [name, those] of Object.entries(admitted)) {
    for (const sender of addresses) {
      heard.length = 0;
      const attributes = sender === undefined ? '' : `from='${sender}'`;
      const payload = `<${name} xmlns='${NS_TEST}'/>`;
      const before = log.sent.length;
      server.inject(
        ann.jid ?? ann.account,
        `<message ${attributes}>${payload}</message><presence ${attributes}>${payload}</presence>` +
          `<iq type='set' id='g' ${attributes}>${payload}</iq>`,
      );
      await until(() => log.sent.length > before, 'the answer to the request');
      const admits = those.includes(sender);
      const line = `${name} ${sender ?? 'ann@localhost'}`;
      t.strictSame(heard, admits ? [line, line, line] : [], `${line}: ${String(admits)}`);
      t.equal(log.sent.at(-1)?.attr('type'), admits ? 'result' : 'error');
    }
  }
});

// [RFC6120-8.4-a] [RFC6121-5.3-a]
t.test('emits a message once, unless a plugin returns `handled`', async (t) => {
  const { online } = await startLoopback(t);
  const seen: string[] = [];
  const ann = await online('ann', {
    plugins: [
      opened((context) => {
        context.onMessage({ ns: NS_TEST, name: 'kept' }, senders.anyone, () => handled);
        context.onMessage({ ns: NS_TEST }, senders.anyone, (payload) => void seen.push(`plugin ${payload.name}`));
      }),
    ],
  });
  ann.events.on('message', ({ body, type, thread }) => seen.push(`${type} ${thread ?? '-'} ${body ?? '-'}`));
  const bob = await online('bob');
  const to = ann.account;
  bob.send(writeMessage({ to, type: 'chat', body: 'one', thread: 't' }));
  bob.send(writeMessage({ to, type: 'normal', payloads: [el('kept', NS_TEST)], body: 'two' }));
  bob.send(writeMessage({ to, type: 'chat', payloads: [el('other', NS_TEST)], body: 'three & <more>' }));
  await until(() => seen.length === 4, 'the messages');
  t.strictSame(seen, ['chat t one', 'plugin kept', 'plugin other', 'chat - three & <more>']);
});

// [RFC6120-8.3.1-d] [RFC6121-5.2.2-c] [pitfall-error-loop]
t.test('emits an error message as `undelivered` only', async (t) => {
  const { online } = await startLoopback(t);
  const others: unknown[] = [];
  const ann = await online('ann', {
    plugins: [opened((context) => context.onMessage('every', senders.anyone, (payload) => void others.push(payload)))],
  });
  ann.events.on('message', (message) => others.push(message));
  const undelivered = next(ann, 'undelivered');
  const lost = writeMessage({ to: Jid.parse('nobody@localhost'), type: 'chat', body: 'hello' });
  ann.send(lost);
  t.match(await undelivered, { id: lost.attr('id'), error: { name: 'StanzaError', condition: 'service-unavailable' } });
  t.equal((await undelivered).from.toString(), 'nobody@localhost');
  t.strictSame(others, []);
});

// [RFC6120-8.1.4-a] [RFC6121-4.7.1-b] [RFC7622-3.1-d] [RFC7622-4-b]
t.test('drops a stanza of an unknown kind or without a valid sender', async (t) => {
  const { server, online } = await startLoopback(t);
  const reached: unknown[] = [];
  const ann = await online('ann', {
    plugins: [
      opened((context) => {
        context.onMessage('every', senders.anyone, ({ name }) => void reached.push(name));
        context.onPresence('every', senders.anyone, ({ name }) => void reached.push(name));
      }),
    ],
  });
  const failure = next(ann, 'error');
  const message = next(ann, 'message');
  const sender = `from='@@/x'`;
  server.inject(
    ann.jid ?? ann.account,
    `<message ${sender}><body>x</body></message><presence ${sender}/><iq ${sender} type='get' id='i'><x xmlns='urn:a'/></iq>` +
      `<presence from='a@b' type='nonsense'/><parcel from='a@b'/><message from='a@b'><body>last</body></message>`,
  );
  t.match((await failure).error, { name: 'XmppError', message: /'from' is no address/ });
  t.equal((await message).body, 'last');
  t.strictSame(reached, ['message']);
});

// [pitfall-depth-desync]
t.test('reports a handler that throws as an `error`, and still calls the others', async (t) => {
  const { online } = await startLoopback(t);
  const ann = await online('ann', {
    plugins: [
      opened((context) => {
        context.onMessage('every', senders.anyone, () => {
          throw new Error('handler');
        });
        context.onPresence('every', senders.anyone, () => {
          throw new Error('presence handler');
        });
      }),
    ],
  });
  const errors: string[] = [];
  ann.events.on('error', ({ error, where }) => {
    errors.push(`${where}: ${error instanceof Error ? error.message : ''}`);
    throw new Error('even this one');
  });
  ann.events.on('message', () => {
    throw new Error('listener');
  });
  const message = next(ann, 'message');
  const bob = await online('bob');
  bob.send(writeMessage({ to: ann.account, type: 'chat', body: 'hello' }));
  t.equal((await message).body, 'hello');
  t.strictSame(errors, ['message: handler', 'message: listener']);
  t.equal(ann.state, 'online');
});

t.test('an error without a listener is printed with its stack, also that of an asynchronous handler', async (t) => {
  const printed: unknown[][] = [];
  t.capture(console, 'error', (...args: unknown[]) => void printed.push(args));
  const { online } = await startLoopback(t);
  const ann = await online('ann');
  ann.events.on('message', function echo() {
    throw new Error('a bug of the application');
  });
  ann.events.on('message', async () => {
    await Promise.resolve();
    throw new Error('a later bug');
  });
  const bob = await online('bob');
  bob.send(writeMessage({ to: ann.account, type: 'chat', body: 'hello' }));
  await until(() => printed.length === 2, 'both errors');
  const [[where, error] = []] = printed;
  t.match(where, /unhandled error in 'message'/);
  t.match((error as Error).stack, /a bug of the application[^]*at .*echo/);
  t.match(printed[1]?.[1], { message: 'a later bug' });
  t.equal(ann.state, 'online');
});

t.test('background work of a plugin that fails is an error with its name, unless the session has ended', async (t) => {
  const { online } = await startLoopback(t);
  const own: string[] = [];
  let context: PluginContext | undefined;
  const ann = await online('ann', {
    plugins: [
      opened((given) => {
        context = given;
      }),
    ],
  });
  const failure = next(ann, 'error');
  context?.background(async () => {
    await Promise.resolve();
    throw new Error('a bug of the plugin');
  });
  t.match(await failure, { where: 'test', error: { message: 'a bug of the plugin' } });
  const failed = (error: unknown): number => own.push(String(error));
  context?.background(() => Promise.reject(new Error('its own business')), failed);
  await until(() => own.length === 1, 'its own handler');

  ann.events.on('error', ({ error }) => failed(error));
  let isOver = false;
  const timerMs = 200;
  context?.after(timerMs, () => own.push('a timer after the stop'));
  context?.background(async () => {
    await ann.stop();
    context?.after(0, () => own.push('a timer that was set after the stop'));
    isOver = true;
    context?.send(question);
  }, failed);
  await until(() => isOver, 'the stop');
  // Timers of one duration fire in their order: the one of before would have come by then.
  await new Promise((resolve) => setTimeout(resolve, timerMs));
  t.strictSame(own, ['Error: its own business']);
});

t.test('the error of a request names the entity and the request, and leads to whoever asked', async (t) => {
  const { client, server } = await startLoopback(t);
  const ann = client('ann');
  const to = Jid.parse('nobody@localhost/x');
  async function askNobody(timeoutMs?: number): Promise<void> {
    await ann.iq({ to, type: 'get', payload: question, ...(timeoutMs === undefined ? {} : { timeoutMs }) });
  }
  await ann.start();
  const request = /the answer of nobody@localhost\/x to <question xmlns='urn:test'\/>/;
  const stack = /StanzaError: service-unavailable \(the answer[^]*at (async )?askNobody/;
  await t.rejects(askNobody(), { name: 'StanzaError', message: request, stack, reason: 'service-unavailable' });
  server.misbehave({ answer: (element, stage) => (stage === 'bound' && element.name === 'iq' ? '' : undefined) });
  await ann.stop();
  const silent = client('ann');
  await silent.start();
  const given = silent.iq({ to, type: 'get', payload: question, timeoutMs: 5 });
  await t.rejects(given, { name: 'TimeoutError', message: request, stack: /client\.test/ });
  const lost = silent.iq({ to, type: 'get', payload: question });
  server.cutAll();
  await t.rejects(lost, { name: 'OfflineError', message: request, stack: /client\.test/ });
});

t.test('undoes all registrations of plugins at the stop, and each one on request', async (t) => {
  const { online } = await startLoopback(t);
  const contexts: PluginContext[] = [];
  const calls: string[] = [];
  const ann = await online('ann', {
    plugins: [
      opened((context) => {
        contexts.push(context);
        const dispose = [
          context.onMessage('every', senders.anyone, () => void calls.push('message')),
          context.onPresence('every', senders.anyone, () => void calls.push('presence')),
          context.onOnline(() => calls.push('online')),
          context.outgoing((stanza) => {
            calls.push('outgoing');
            return stanza;
          }),
        ];
        for (const one of [...dispose, ...dispose]) one();
        context.onIq({ type: 'get', ns: NS_TEST, name: 'x' }, senders.anyone, () => undefined);
        context.onNonza(NS_TEST, () => undefined);
        context.onOffline(() => calls.push('offline'));
      }),
    ],
  });
  const register = (): void => {
    for (const context of contexts) {
      context.onIq({ type: 'get', ns: NS_TEST, name: 'x' }, senders.anyone, () => undefined);
      context.onNonza(NS_TEST, () => undefined);
    }
  };
  t.throws(register, { name: 'XmppError', message: /already/ });
  ann.send(writeMessage({ to: ann.account, type: 'chat', body: 'to myself' }));
  await next(ann, 'message');
  await ann.stop();
  t.doesNotThrow(register, 'the places are free again');
  t.strictSame(calls, ['offline']);
});

t.test('plugins are set up once, after those they require, and are found by what they are', async (t) => {
  const { client } = await startLoopback(t);
  const order: string[] = [];
  const base = definePlugin({ name: 'base', features: ['urn:base'], setup: () => void order.push('base') });
  const upper = definePlugin({
    name: 'upper',
    requires: [base],
    setup: ({ features }) => {
      order.push('upper');
      return { features };
    },
  });
  const ann = client('ann', { plugins: [upper, base, upper] });
  t.strictSame(order, ['base', 'upper']);
  t.strictSame(ann.get(upper).features, ['urn:base']);
  t.throws(() => ann.get(definePlugin({ name: 'absent', setup: () => undefined })), /no plugin 'absent'/);
});

t.test('lets a plugin replace outgoing stanzas', async (t) => {
  const { server, online } = await startLoopback(t);
  const log = recorder();
  server.misbehave(log);
  const marking = opened((context) => {
    context.outgoing((stanza) => stanza.withNodes(el('mark', NS_TEST)));
  });
  const ann = await online('ann', { plugins: [marking] });
  ann.send(writeMessage({ to: ann.account, type: 'chat', body: 'x' }));
  await until(() => log.find('message', NS_CLIENT) !== undefined, 'the message');
  t.ok(log.find('message', NS_CLIENT)?.child('mark', NS_TEST));
  t.ok(log.find('presence', NS_CLIENT)?.child('mark', NS_TEST));
});

t.test('a plugin whose work on what is sent fails ends the session, not the client', async (t) => {
  const { client, server } = await startLoopback(t);
  let failing = true;
  const ann = client('ann', {
    plugins: [
      opened((context) => {
        context.outgoing((stanza) => {
          if (failing) throw new Error('cannot');
          return stanza;
        });
      }),
    ],
  });
  const offline = next(ann, 'offline');
  const started = ann.start();
  t.match(await offline, { willRetry: true, reason: /cannot/ });
  await until(() => server.sessions.length === 0, 'the end of the session at the server');
  failing = false;
  await started;
  failing = true;
  const failure = next(ann, 'error');
  await t.resolves(ann.stop(), 'not even the good-bye can keep it from stopping');
  t.match((await failure).where, 'stop');
});

// [RFC6120-3.3-a,b] [RFC6120-4.9.3-3] [pitfall-resource-fight]
t.test('backs off exponentially with full jitter, and longer after a conflict', async (t) => {
  const policy = { firstMs: 1_000, maxMs: 300_000 };
  const longest = [0, 1, 2, 8, 9, 40, 1e9].map((failures) => backoffMs(failures, undefined, policy, 1));
  t.strictSame(longest, [1_000, 2_000, 4_000, 256_000, 300_000, 300_000, 300_000]);
  t.equal(backoffMs(5, undefined, policy, 0), 0);
  t.equal(backoffMs(0, new StreamError('conflict', undefined, { by: 'peer' }), policy, 0), 120_000);
  t.equal(backoffMs(0, new StreamError('reset', undefined, { by: 'peer' }), policy, 0), 0);
});

// [RFC6120-4.9.3-6,20] [RFC6120-6.5-b] [pitfall-error-permanence]
t.test('treats only errors that a person must fix as permanent', async (t) => {
  const permanent = [
    new SaslError('not-authorized'),
    new SaslError('account-disabled'),
    new TlsError('wrong name', { problem: 'other-name' }),
    new StreamError('host-unknown', undefined, { by: 'peer' }),
    new ConnectError('a', [{ target: 'b', error: new TlsError('wrong name', { problem: 'other-name' }) }]),
  ];
  const passing = [
    new SaslError('temporary-auth-failure'),
    new TlsError('reset', { problem: 'closed' }),
    new StreamError('conflict', undefined, { by: 'peer' }),
    new StreamError('system-shutdown', undefined, { by: 'peer' }),
    new StreamError('not-well-formed'),
    new TimeoutError('connecting', 1),
    new XmppError('anything'),
    new Error('ECONNRESET'),
    undefined,
    new ConnectError('a', []),
    new ConnectError('a', [
      { target: 'b', error: new TlsError('wrong name', { problem: 'other-name' }) },
      { target: 'c', error: new Error('ECONNREFUSED') },
    ]),
  ];
  for (const error of permanent) t.ok(isPermanent(error), error.message);
  const wrongPort = new WrongPortError('a:1', { expected: 'starttls', found: 'http' });
  t.ok(isPermanent(wrongPort));
  for (const error of passing) t.notOk(isPermanent(error), error?.message ?? 'closed in order');
  // What has worked before will be mended at the server; a password that no longer works, or a domain that is gone, will not.
  for (const error of permanent.slice(0, 2)) t.ok(isPermanent(error, true), error.message);
  t.ok(isPermanent(new StreamError('host-unknown', undefined, { by: 'peer' }), true));
  for (const error of [new TlsError('expired', { problem: 'expired' }), wrongPort]) {
    t.notOk(isPermanent(error, true), error.message);
    t.notOk(isPermanent(new ConnectError('a', [{ target: 'b', error }]), true));
  }
});

t.test('a start that is aborted before the first session stops the client, with the reason given', async (t) => {
  const { server, client } = await startLoopback(t);
  server.misbehave({ deafAt: 'plain' });
  const ann = client('ann');
  const controller = new AbortController();
  const started = ann.start(controller.signal);
  const offline = ann.events.once('offline', { timeoutMs: PATIENCE_MS });
  controller.abort(new Error('changed our mind'));
  await t.rejects(started, { message: 'changed our mind' });
  t.match(await offline, { willRetry: false });
  t.equal(ann.state, 'offline');
});

// [RFC6120-6.4.2-b] [RFC6120-13.8.4-a]
t.test(
  'EXTERNAL logs in by the certificate shown in TLS, without a password, and nobody else by another',
  async (t) => {
    const { server } = await startLoopback(t, { mechanisms: ['EXTERNAL', 'PLAIN'] });
    const jid = server.addAccount('ann', PASSWORD);
    server.trustCertificate(jid, LOOPBACK_CERTIFICATE);
    const to = {
      jid,
      ca: LOOPBACK_CERTIFICATE,
      server: { host: '127.0.0.1', port: server.ports.startTls, directTls: false },
    };
    const certificate = { certificate: LOOPBACK_CERTIFICATE, key: LOOPBACK_KEY };
    const ann = createClient({ ...to, login: 'EXTERNAL', certificate });
    t.teardown(() => ann.stop());
    await ann.start();
    t.equal(ann.jid?.bare.toString(), 'ann@localhost');
    const nobody = createClient({ ...to, login: 'EXTERNAL' });
    await t.rejects(nobody.start(), SaslError);
    await nobody.stop();
  },
);

t.test('logs in by ANONYMOUS, and learns the account from the server', async (t) => {
  const { server, online } = await startLoopback(t, { mechanisms: ['ANONYMOUS', 'SCRAM-SHA-256'] });
  const guest = createClient({
    jid: Jid.parse('localhost'),
    login: 'ANONYMOUS',
    ca: LOOPBACK_CERTIFICATE,
    server: { host: '127.0.0.1', port: server.ports.directTls, directTls: true },
  });
  t.teardown(() => guest.stop());
  await guest.start();
  t.ok(guest.account.localpart.length > 8 && guest.account.domainpart === 'localhost');
  t.ok(guest.jid?.bare.equals(guest.account));
  const bob = await online('bob');
  const heard = bob.events.once('message', { timeoutMs: PATIENCE_MS });
  guest.send(writeMessage({ to: bob.account, type: 'chat', body: 'hello' }));
  t.ok((await heard).from.bare.equals(guest.account));
});
