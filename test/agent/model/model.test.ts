import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import t from 'tap';
import type { Test } from 'tap';
import { Secret } from '../../../src/agent/config/secret.js';
import type {
  ChatMessage,
  Model,
  ModelErrorKind,
  ModelEvent,
  ModelRequest,
  ToolDefinition,
} from '../../../src/agent/model/model.js';
import { ModelError } from '../../../src/agent/model/model.js';
import { AnswerText, type AnswerPiece } from '../../../src/agent/model/answer-text.js';
import { createModel } from '../../../src/agent/model/openai-model.js';
import type { ModelProvider } from '../../../src/agent/model/provider.js';
import { createScriptedModel } from '../../../src/agent/model/scripted-model.js';
import { estimateTokens } from '../../../src/agent/model/tokens.js';
import { delay } from '../../../src/xmpp-core/deadline.js';
import * as openai from '../../support/openai-server.js';
import type { OpenAiServer, Script } from '../../support/openai-server.js';

const QUESTION: readonly ChatMessage[] = [{ role: 'user', content: 'Are you there?' }];
const never = new AbortController().signal;
const noWait = async (): Promise<void> => undefined;

/** A server that ends with the test, with scripts for its first requests. */
async function serverFor(test: Test, ...scripts: Script[]): Promise<OpenAiServer> {
  const server = await openai.startOpenAiServer();
  test.teardown(() => server.close());
  server.next(...scripts);
  return server;
}

function providerAt(server: OpenAiServer, changes: Partial<ModelProvider> = {}): ModelProvider {
  return {
    name: 'acme',
    baseUrl: server.baseUrl,
    apiKey: new Secret(server.apiKey),
    model: 'acme-1',
    firstTokenMs: 5_000,
    idleMs: 5_000,
    retries: 0,
    ...changes,
  };
}

/** What came of a question: the pieces of text, the last event or the error. */
interface Outcome {
  readonly pieces: readonly string[];
  readonly done: Extract<ModelEvent, { type: 'done' }> | undefined;
  readonly error: unknown;
}

/** Asks, and calls `heard` at every piece of text. */
async function ask(
  model: Model,
  {
    signal = never,
    messages = QUESTION,
    heard = (): void => undefined,
    ...more
  }: Partial<ModelRequest> & { readonly heard?: () => void } = {},
): Promise<Outcome> {
  const pieces: string[] = [];
  let done: Outcome['done'];
  try {
    for await (const event of model.answer({ messages, signal, ...more })) {
      if (event.type === 'done') done = event;
      else if (event.type === 'restart') pieces.push('(restart)');
      else {
        pieces.push(event.text);
        heard();
      }
    }
    return { pieces, done, error: undefined };
  } catch (error) {
    return { pieces, done, error };
  }
}

function modelErrorOf({ error }: Outcome): ModelError {
  if (error instanceof ModelError) return error;
  throw new Error('a ModelError was expected', { cause: error });
}

/** A promise to hold, and the hand that lets go. */
function gate(): { readonly opened: Promise<void>; readonly open: () => void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

t.test('an answer', async (t) => {
  t.test('streams its text in order and ends with its usage', async (t) => {
    const server = await serverFor(t, openai.textAnswer('Yes', ', I', ' am.'));
    const { pieces, done, error } = await ask(createModel(providerAt(server)));
    t.equal(error, undefined);
    t.strictSame(pieces, ['Yes', ', I', ' am.']);
    t.strictSame(done, {
      type: 'done',
      model: 'acme/acme-1',
      finishReason: 'stop',
      usage: { promptTokens: 11, completionTokens: 7, estimated: false },
    });
    t.strictSame(server.violations, []);
  });

  // [promise-model-choice]
  t.test('is requested with exactly the model, the messages and the option for usage', async (t) => {
    const server = await serverFor(t);
    const messages: ChatMessage[] = [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'Hello', name: 'Zoë van Dam 🙂' },
      { role: 'assistant', content: 'Hello.' },
      { role: 'user', content: 'What now?', name: '🙂' },
    ];
    await ask(createModel(providerAt(server)), { messages });
    t.strictSame(server.requests[0]?.body, {
      model: 'acme-1',
      messages: [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: 'Hello', name: 'Zoe_van_Dam' },
        { role: 'assistant', content: 'Hello.' },
        { role: 'user', content: 'What now?' },
      ],
      stream: true,
      stream_options: { include_usage: true },
    });
    t.strictSame(server.violations, []);
  });

  t.test('reaches the consumer while the model is still answering', async (t) => {
    const heard = gate();
    const server = await serverFor(t, async (exchange) => {
      exchange.text('first');
      await heard.opened;
      exchange.text(' second');
      exchange.finish();
    });
    const { pieces } = await ask(createModel(providerAt(server)), { heard: heard.open });
    t.strictSame(pieces, ['first', ' second']);
  });

  t.test('that was cut by a length limit or a filter has that finish reason', async (t) => {
    const ends =
      (reason: string): Script =>
      (exchange) => {
        exchange.text('So');
        exchange.finish(reason);
      };
    const server = await serverFor(t, ends('length'), ends('content_filter'), ends('tool_calls'));
    const model = createModel(providerAt(server));
    t.equal((await ask(model)).done?.finishReason, 'length');
    t.equal((await ask(model)).done?.finishReason, 'content-filter');
    t.equal((await ask(model)).done?.finishReason, 'other');
  });

  t.test('gets an estimated usage when the provider reports none', async (t) => {
    const server = await serverFor(t, (exchange) => {
      exchange.text('12345678');
      exchange.event({ choices: [{ delta: {}, finish_reason: 'stop' }], usage: { prompt_tokens: -1 } });
      exchange.end();
    });
    const { done } = await ask(createModel(providerAt(server)), { messages: [{ role: 'user', content: '1234' }] });
    t.strictSame(done?.usage, { promptTokens: 1 + 4, completionTokens: 2, estimated: true });
  });

  t.test('is complete with its finish reason, even if the connection stays open or breaks', async (t) => {
    const finishes: Script = (exchange) => {
      for (const choice of [{ delta: { content: 'All of it.' } }, { delta: {}, finish_reason: 'stop' }])
        exchange.event({ choices: [choice] });
    };
    const heard = gate();
    const server = await serverFor(t, finishes, async (exchange) => {
      await finishes(exchange);
      await heard.opened;
      exchange.cut();
    });
    const model = createModel(providerAt(server, { idleMs: 600_000 }));
    t.match(await ask(model), { pieces: ['All of it.'], done: { finishReason: 'stop' } }, 'left open');
    const broken = await ask(model, { heard: heard.open });
    t.match(broken, { pieces: ['All of it.'], done: { finishReason: 'stop' } }, 'broken');
  });

  t.test('in parts is read like one in plain text, and reasoning is not shown', async (t) => {
    const server = await serverFor(t, (exchange) => {
      exchange.delta({ reasoning_content: 'hm' });
      exchange.delta({ content: [{ type: 'thinking', thinking: [{ type: 'text', text: 'hm' }] }] });
      exchange.delta({ content: [{ type: 'text', text: 'Yes.' }] });
      exchange.finish();
    });
    t.strictSame((await ask(createModel(providerAt(server)))).pieces, ['Yes.']);
  });

  t.test('that never ends is stopped with finish reason length', async (t) => {
    const server = await serverFor(t, async (exchange) => {
      for (let sent = 0; sent < 12; sent += 1) exchange.text('x'.repeat(100_000));
      await exchange.closed;
    });
    const { pieces, done } = await ask(createModel(providerAt(server)));
    t.equal(done?.finishReason, 'length');
    t.ok(pieces.join('').length < 1_200_000);
  });

  t.test('leaves no connection open when its consumer stops early', async (t) => {
    const left = gate();
    const server = await serverFor(t, async (exchange) => {
      exchange.text('One');
      await exchange.closed;
      left.open();
    });
    for await (const event of createModel(providerAt(server)).answer({ messages: QUESTION, signal: never })) {
      if (event.type === 'text') break;
    }
    await left.opened;
  });
});

t.test('sends nothing that is meant for another provider', async (t) => {
  // [promise-model-key]
  t.test('whatever the environment contains', async (t) => {
    const decoy = await serverFor(t);
    const server = await serverFor(t, openai.textAnswer('Yes.'), (exchange) => {
      exchange.raw('data: garbage\n\n');
      exchange.end();
    });
    const environment = {
      OPENAI_API_KEY: 'sk-of-the-environment',
      OPENAI_ADMIN_KEY: 'sk-admin-of-the-environment',
      OPENAI_ORG_ID: 'org-of-the-environment',
      OPENAI_PROJECT_ID: 'project-of-the-environment',
      OPENAI_WEBHOOK_SECRET: 'webhook-of-the-environment',
      OPENAI_BASE_URL: decoy.baseUrl,
      OPENAI_CUSTOM_HEADERS: 'X-Of-The-Environment: yes\nAuthorization: Bearer of-the-environment\nCookie: a=b',
      OPENAI_LOG: 'debug',
    };
    const before = { ...process.env };
    Object.assign(process.env, environment);
    t.teardown(() => {
      for (const name of Object.keys(environment)) {
        if (before[name] === undefined) Reflect.deleteProperty(process.env, name);
        else process.env[name] = before[name];
      }
    });
    const printed: unknown[][] = [];
    const capture = (...line: unknown[]): number => printed.push(line);
    t.intercept(console, 'debug', { value: capture });
    t.intercept(console, 'info', { value: capture });
    t.intercept(console, 'log', { value: capture });
    t.intercept(console, 'warn', { value: capture });
    t.intercept(console, 'error', { value: capture });

    const model = createModel(providerAt(server));
    t.equal((await ask(model)).error, undefined);
    t.equal(modelErrorOf(await ask(model)).kind, 'malformed');

    const { host, 'content-length': length, ...headers } = server.requests[0]?.headers ?? {};
    t.ok(host);
    t.ok(length);
    t.strictSame(headers, {
      accept: 'text/event-stream, application/json',
      'accept-encoding': 'gzip, deflate',
      'accept-language': '*',
      authorization: `Bearer ${server.apiKey}`,
      connection: 'keep-alive',
      'content-type': 'application/json',
      'sec-fetch-mode': 'cors',
      'user-agent': 'moltis-xmpp',
    });
    t.strictSame(decoy.requests, []);
    t.strictSame(printed, [], 'and the package prints nothing');
  });

  t.test('and no key where none is configured', async (t) => {
    const server = await serverFor(t);
    await ask(createModel(providerAt(server, { apiKey: undefined })));
    t.equal(server.requests.length, 1);
    t.notOk('authorization' in (server.requests[0]?.headers ?? {}));
  });

  // [promise-model-key]
  t.test('and a redirect is not followed', async (t) => {
    const elsewhere = await serverFor(t);
    const location = `${elsewhere.baseUrl}/chat/completions`;
    const server = await serverFor(t, (exchange) => exchange.respond(307, '', { location }));
    const error = modelErrorOf(await ask(createModel(providerAt(server))));
    t.match(error, { kind: 'bad-request', status: 307 });
    t.ok(error.message.includes(location), 'the operator reads where it points');
    t.strictSame(elsewhere.requests, []);
  });
});

t.test('a failure has a kind, a sentence for the chat, and a message for the operator', async (t) => {
  const shape =
    (status: number, body: unknown): Script =>
    (exchange) =>
      exchange.respond(status, body);
  const stream =
    (...events: string[]): Script =>
    (exchange) => {
      for (const event of events) exchange.raw(`data: ${event}\n\n`);
      exchange.end();
    };
  const finish = JSON.stringify({ choices: [{ delta: { content: null }, finish_reason: 'stop' }] });
  const cases: readonly (readonly [
    what: string,
    script: Script,
    kind: ModelErrorKind,
    status?: number | undefined,
    said?: string,
  ])[] = [
    ['401', openai.fails(401, { message: 'said-so' }), 'auth', 401, 'said-so'],
    ['403', openai.fails(403, { message: 'said-so' }), 'auth', 403, 'said-so'],
    ['402', openai.fails(402), 'quota', 402],
    ['429', openai.fails(429), 'rate-limited', 429],
    ['429 for want of money', openai.fails(429, { code: 'insufficient_quota' }), 'quota', 429],
    ['500', openai.fails(500), 'unavailable', 500],
    ['529', openai.fails(529), 'unavailable', 529],
    ['400', openai.fails(400, { message: 'said-so' }), 'bad-request', 400, 'said-so'],
    ['404', openai.fails(404, { message: 'no such model' }), 'bad-request', 404, 'no such model'],
    ['a context that is too long', openai.fails(400, { code: 'context_length_exceeded' }), 'too-long', 400],
    ['the same in words', openai.fails(400, { message: 'This model has a context length of 9' }), 'too-long', 400],
    ['an error as a bare word', shape(404, { error: 'said-so' }), 'bad-request', 404, 'said-so'],
    ['an error in a list', shape(503, [{ error: { message: 'said-so' } }]), 'unavailable', 503, 'said-so'],
    ['an error as detail', shape(422, { detail: 'said-so' }), 'bad-request', 422, 'said-so'],
    ['JSON of no known shape', shape(500, { oops: 'private' }), 'unavailable', 500, 'JSON with oops'],
    ['JSON that is null', shape(500, 'null'), 'unavailable', 500],
    ['no body', shape(500, ''), 'unavailable', 500],
    [
      'a page with status 502',
      openai.sendsPage(502, '502 Bad Gateway'),
      'unavailable',
      502,
      'a web page: 502 Bad Gateway',
    ],
    ['a page with status 200', openai.sendsPage(200, 'Log in'), 'malformed', 200, 'a web page: Log in'],
    ['JSON that is no completion', shape(200, { oops: 'said-so' }), 'malformed'],
    ['a completion without choices', shape(200, { choices: [] }), 'truncated'],
    [
      'an error with status 200',
      shape(200, { error: { code: 429, message: 'said-so' } }),
      'rate-limited',
      429,
      'said-so',
    ],
    ['an error as an event', stream('{"error":{"message":"said-so"}}'), 'unavailable', undefined, 'said-so'],
    ['an error as an event, with its status', stream('{"error":{"code":402}}'), 'quota', 402],
    ['garbage', stream('garbage'), 'malformed'],
    ['half of a JSON', stream('{"choices":['), 'malformed'],
    ['an event that is no object', stream('7'), 'malformed'],
    ['an event that is null', stream('null'), 'malformed'],
    ['an event without end', (exchange) => exchange.raw(`data: ${'x'.repeat(2 ** 21)}`), 'malformed'],
    ['a stream of nothing', stream('[DONE]'), 'truncated'],
    ['empty choices', stream('{"choices":[]}', '{"choices":[]}', '[DONE]'), 'truncated'],
    ['choices that are none', stream('{"choices":{"0":1}}', '{"choices":[null]}', '[DONE]'), 'truncated'],
    ['no text', stream('{"choices":[{"delta":{"content":null}}]}', finish, '[DONE]'), 'empty'],
    ['a missing finish reason', openai.forgetsToFinish(''), 'truncated'],
    ['a finish reason error', stream('{"choices":[{"delta":{},"finish_reason":"error"}]}'), 'unavailable'],
    ['a filter', stream('{"choices":[{"delta":{},"finish_reason":"content_filter"}]}'), 'refused'],
    ['a refusal', stream('{"choices":[{"delta":{"refusal":"private"}}]}', finish), 'refused'],
  ];
  t.test('quotes no text of people or the model', async (t) => {
    const answer = { choices: [{ message: { content: 'confidential' } }] };
    const detail = [{ loc: ['body', 'model'], msg: 'said-so', input: { messages: [{ content: 'confidential' }] } }];
    for (const script of [shape(200, answer), shape(422, { detail })]) {
      const error = modelErrorOf(await ask(createModel(providerAt(await serverFor(t, script)))));
      t.notMatch(error.message, 'confidential');
      if (error.status === 422) t.match(error.message, 'body.model: said-so');
    }
  });
  for (const [what, script, kind, status, said = ''] of cases) {
    t.test(what, async (t) => {
      const server = await serverFor(t, script);
      const outcome = await ask(createModel(providerAt(server)));
      const error = modelErrorOf(outcome);
      t.strictSame({ kind: error.kind, status: error.status }, { kind, status });
      t.strictSame(outcome.pieces, []);
      t.match(error.publicText, /^[A-Z][^.<>]+\.$/, 'one sentence');
      t.notMatch(error.publicText, /said-so|acme|\d/);
      t.ok(error.message.startsWith(`acme/acme-1 at ${new URL(server.baseUrl).host} `), error.message);
      t.ok(error.message.includes(said), error.message);
      t.ok(error.message.length < 600);
      t.notMatch(error.message, /[<\n]/);
      t.equal(server.requests.length, 1);
      t.strictSame(server.violations, []);
    });
  }

  // [promise-model-cut]
  t.test('is thrown after text that arrived before it', async (t) => {
    const heard = gate();
    const server = await serverFor(
      t,
      openai.cutsOff('Half', heard.opened),
      (exchange) => {
        exchange.text('Half');
        exchange.end();
      },
      (exchange) => {
        exchange.text('Half');
        exchange.raw('data: {"choices":[\n\n');
        exchange.end();
      },
    );
    const model = createModel(providerAt(server, { retries: 3 }), undefined, noWait);
    for (const kind of ['truncated', 'truncated', 'malformed']) {
      const outcome = await ask(model, { heard: heard.open });
      t.strictSame(outcome.pieces, ['Half']);
      t.equal(modelErrorOf(outcome).kind, kind);
    }
    t.equal(server.requests.length, 3, 'and nothing was asked twice');
  });

  t.test('names an unreachable server, with the cause', async (t) => {
    const listener = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => listener.once('listening', resolve));
    const { port } = listener.address() as AddressInfo;
    await new Promise((resolve) => listener.close(resolve));
    const server = await serverFor(t);
    const baseUrl = `http://127.0.0.1:${port}/v1`;
    const error = modelErrorOf(await ask(createModel(providerAt(server, { baseUrl }))));
    t.equal(error.kind, 'unreachable');
    t.match(error.message, `127.0.0.1:${port} could not be reached, saying "ECONNREFUSED"`);
  });

  t.test('never contains the key, even if the provider quotes it', async (t) => {
    const echo: Script = (exchange) =>
      exchange.respond(401, {
        error: `Wrong key ${server.apiKey}, or Bearer ${'q'.repeat(40)}, or sk-proj-${'q'.repeat(40)}`,
      });
    const server = await serverFor(t, echo);
    const error = modelErrorOf(await ask(createModel(providerAt(server))));
    t.match(error.message, 'Wrong key [key], or Bearer [key], or [key]');
    t.notMatch(inspect(error, { depth: 9 }), new RegExp(`${server.apiKey}|qqqq`));
    t.equal(error.cause, undefined);
  });

  t.test('reports a key that no header can carry, or an invalid base_url, before anything is sent', async (t) => {
    const server = await serverFor(t);
    const key = new Secret('secret-with\na line');
    const wrongKey = modelErrorOf(await ask(createModel(providerAt(server, { apiKey: key }))));
    t.equal(wrongKey.kind, 'auth');
    t.notMatch(wrongKey.message, 'secret-with');
    for (const baseUrl of ['', 'example.org', 'ftp://example.org', server.baseUrl.replace('//', '//user:pass@')]) {
      const wrongUrl = modelErrorOf(await ask(createModel(providerAt(server, { baseUrl }))));
      t.equal(wrongUrl.kind, 'bad-request', baseUrl);
      t.notMatch(wrongUrl.message, 'pass@');
    }
    t.strictSame(server.requests, []);
  });
});

t.test('tools', async (t) => {
  const NOW: ToolDefinition = { name: 'now', description: 'Tells the time.', parameters: { type: 'object' } };
  /** Pieces of calls, one a chunk, then the end. */
  const asks =
    (reason: string, ...pieces: readonly object[]): Script =>
    (exchange) => {
      for (const piece of pieces) exchange.delta({ tool_calls: [piece] });
      exchange.finish(reason);
    };
  const call = (name: string, written: unknown, more: object = {}): object => ({
    ...more,
    function: { name, arguments: written },
  });
  /** The calls that come of these pieces, by name and arguments. */
  const callsOf = async (t: Test, ...pieces: readonly object[]): Promise<readonly (readonly string[])[]> => {
    const server = await serverFor(t, asks('tool_calls', ...pieces));
    const { done } = await ask(createModel(providerAt(server)), { tools: [NOW] });
    t.equal(done?.finishReason, 'tool-calls');
    const calls = done?.toolCalls ?? [];
    t.equal(new Set(calls.map(({ id }) => id)).size, calls.length, 'each has an id of its own');
    t.notOk(calls.some(({ id }) => id === ''));
    return calls.map(({ name, arguments: given }) => [name, given]);
  };

  t.test('are offered in the format of the API, and so are a call and its result', async (t) => {
    const server = await serverFor(t, openai.saysAndCalls('Let me see.', ['now', { zone: 'UTC' }]));
    const { pieces, done } = await ask(createModel(providerAt(server)), { tools: [NOW] });
    t.strictSame(pieces, ['Let me see.']);
    const [made] = done?.toolCalls ?? [];
    t.match(made, { name: 'now', arguments: '{"zone":"UTC"}' });
    t.strictSame(server.requests[0]?.body?.['tools'], [{ type: 'function', function: NOW }]);
    const messages: readonly ChatMessage[] = [
      ...QUESTION,
      { role: 'assistant', content: '', toolCalls: [made ?? { id: '', name: '', arguments: '' }] },
      { role: 'tool', content: 'noon', toolCallId: made?.id ?? '' },
    ];
    await ask(createModel(providerAt(server)), { tools: [NOW], messages });
    t.match(server.requests[1]?.body?.messages.slice(1), [
      { role: 'assistant', content: null, tool_calls: [{ id: made?.id, function: { arguments: '{"zone":"UTC"}' } }] },
      { role: 'tool', content: 'noon', tool_call_id: made?.id },
    ]);
    t.strictSame(server.violations, []);
  });

  t.test('are called in pieces, whatever indices and names a server sends', async (t) => {
    const two = [
      ['now', '{"a":1}'],
      ['then', '{}'],
    ];
    t.strictSame(
      await callsOf(
        t,
        call('now', '{"a"', { index: 0, id: 'x' }),
        call('then', '{', { index: 1, id: 'y' }),
        call('', ':1}', { index: 0 }),
        call('', '}', { index: 1 }),
      ),
      two,
      'numbered, and interleaved',
    );
    const whole = [call('now', '{"a":1}', { index: 0, id: 'x' }), call('then', '{}', { index: 0, id: 'y' })];
    t.strictSame(await callsOf(t, ...whole), two, 'all with the number 0');
    t.strictSame(
      await callsOf(t, call('now', '{"a":1}', { id: 'x' }), call('then', '{}', { id: 'y' })),
      two,
      'without numbers',
    );
    t.strictSame(await callsOf(t, call('now', '{"a":1}'), call('then', '{}')), two, 'without numbers and ids');
    t.strictSame(
      await callsOf(t, call('now', '{"a"', { id: 'x' }), call('', ':1}'), call('then', '{}', { id: 'y' })),
      two,
      'without numbers, in pieces',
    );
    t.strictSame(
      await callsOf(
        t,
        call('now', '{"a"', { index: 0, id: 'x' }),
        call('now', ':1}', { index: 0, id: 'x' }),
        call('then', {}, { index: 1 }),
      ),
      two,
      'with the name again in each piece, or arguments that are no text',
    );
    t.strictSame(
      await callsOf(t, call('now', '{"a"', { index: 0, id: 'x' }), call('now', ':1}', { index: 1, id: 'x' })),
      [['now', '{"a":1}']],
      'one id is one call',
    );
  });

  // [pitfall-merged-calls]
  t.test('that a server put into one are two calls', async (t) => {
    const [a, b] = ['{"q":"}{"}', '{"q":"b"}'];
    const two = [
      ['look_up', a],
      ['look_up', b],
    ];
    const same = { index: 0, id: 'x' };
    t.strictSame(
      await callsOf(t, call('look_up', a, { index: 0 }), call('look_up', b, { index: 0 })),
      two,
      'one index',
    );
    t.strictSame(await callsOf(t, call('look_up', a, same), call('look_up', b, same)), two, 'one id');
    t.strictSame(await callsOf(t, call('look_up', `${a}${b}`, same)), two, 'one text');
    t.strictSame(await callsOf(t, call('look_up', `${a} \n ${b}\n`, same)), two, 'one text, with space between');
    t.strictSame(await callsOf(t, call('look_up', `${a}{"q"`, same)), [['look_up', `${a}{"q"`]], 'half a call is none');
    t.strictSame(await callsOf(t, call('now', '{}', same), call('now', '', same)), [['now', '{}']], 'a name again');
  });

  // [pitfall-merged-calls]
  t.test('have the names and arguments that models wrap up', async (t) => {
    for (const name of [
      'functions.now',
      'function.now',
      'default_api:now',
      'tools.now',
      'now<|channel|>commentary',
      ' now\n',
    ])
      t.strictSame(await callsOf(t, call(name, '{}')), [['now', '{}']], name);
    for (const [written, meant] of [
      ['null', '{}'],
      [' null ', '{}'],
      ['"{\\"q\\":\\"x\\"}"', '{"q":"x"}'],
      ['"q"', '"q"'],
      ['', ''],
      ['{"q":"x"}\n', '{"q":"x"}\n'],
    ] as const)
      t.strictSame(await callsOf(t, call('now', written)), [['now', meant]], written);
  });

  // [promise-model-echo] [pitfall-thought-signature]
  t.test('get back what has to go with them, from the model that they came from, and nobody else does', async (t) => {
    const extra = { google: { thought_signature: 'c2ln' } };
    const server = await serverFor(
      t,
      (exchange) => {
        exchange.delta({ reasoning_content: 'I should ' });
        exchange.delta({ reasoning_content: 'look.' });
        exchange.delta({ reasoning_details: [{ type: 'reasoning.text', index: 0, text: 'I ' }] });
        exchange.delta({ reasoning_details: [{ type: 'reasoning.text', index: 0, text: 'look', signature: 's' }] });
        exchange.delta({ reasoning_details: [{ type: 'reasoning.encrypted', index: 1, data: 'abc' }] });
        exchange.delta({ tool_calls: [{ ...call('now', '{}', { index: 0, id: 'x' }), extra_content: extra }] });
        exchange.finish('tool_calls');
      },
      openai.textAnswer('Noon.'),
      openai.textAnswer('Noon.'),
    );
    const model = createModel(providerAt(server));
    const { done } = await ask(model, { tools: [NOW] });
    const { toolCalls = [], echo } = done ?? {};
    const messages: readonly ChatMessage[] = [
      ...QUESTION,
      { role: 'assistant', content: '', toolCalls, ...(echo && { echo }) },
      { role: 'tool', content: '12:00', toolCallId: 'x' },
    ];
    await ask(model, { messages, tools: [NOW] });
    const sent = server.requests[1]?.body?.messages.at(-2);
    t.match(sent, {
      reasoning_content: 'I should look.',
      reasoning_details: [
        { type: 'reasoning.text', index: 0, text: 'I look', signature: 's' },
        { type: 'reasoning.encrypted', index: 1, data: 'abc' },
      ],
      tool_calls: [{ id: 'x', extra_content: extra }],
    });
    await ask(createModel({ ...providerAt(server), name: 'other' }), { messages, tools: [NOW] });
    t.notMatch(JSON.stringify(server.requests[2]?.body), /reasoning|extra_content|signature/, 'another provider');
  });

  // [pitfall-tool-use-failed]
  t.test('that came out wrong are chance: the model is asked again, and at last without tools', async (t) => {
    const wrong = openai.fails(400, { code: 'tool_use_failed', message: 'Failed to call a function.' });
    for (const [retries, failures, tools] of [
      [2, 1, [1, 1]],
      [2, 3, [1, 1, 1, 0]],
      [0, 1, [1, 0]],
    ] as const) {
      const server = await serverFor(
        t,
        ...Array.from({ length: failures }, () => wrong),
        openai.textAnswer('It is noon.'),
        openai.textAnswer('Again.'),
      );
      const model = createModel(providerAt(server, { retries }), undefined, noWait);
      const { pieces, done } = await ask(model, { tools: [NOW] });
      t.strictSame(pieces, ['It is noon.']);
      t.equal(done?.notice, undefined, 'tools stay in use');
      const offered = server.requests.map(({ body }) => (Array.isArray(body?.['tools']) ? body['tools'].length : 0));
      t.strictSame(offered, tools, `${retries} retries, ${failures} failures`);
      await ask(model, { tools: [NOW] });
      t.ok(server.requests.at(-1)?.body?.['tools']);
    }
  });

  t.test('that are called with garbage do no harm', async (t) => {
    t.strictSame(
      await callsOf(
        t,
        {},
        { function: 7 },
        call('functions.now\n', 'so: what', { index: -1, id: 9 }),
        call('', '', { index: 3 }),
      ),
      [['now', 'so: what']],
    );
    const many = Array.from({ length: 100 }, (_, index) => call('now', '{}', { index, id: `id${index}` }));
    t.equal((await callsOf(t, ...many)).length, 32);
    const server = await serverFor(t, asks('tool_calls', call('', '{}', { index: 0 })), (exchange) => {
      exchange.delta({ tool_calls: 'now' });
      exchange.finish();
    });
    const model = createModel(providerAt(server));
    t.equal(modelErrorOf(await ask(model, { tools: [NOW] })).kind, 'empty', 'a call of nothing is none');
    t.equal(modelErrorOf(await ask(model, { tools: [NOW] })).kind, 'empty');
  });

  t.test(
    'that are wanted are no empty answer, whatever the finish reason; cut by a filter they are not wanted',
    async (t) => {
      const wanted = call('now', '{}', { index: 0, id: 'x' });
      const server = await serverFor(
        t,
        asks('stop', wanted),
        asks('content_filter', wanted),
        openai.saysNothing,
        openai.saysNothing,
      );
      const model = createModel(providerAt(server));
      t.equal((await ask(model, { tools: [NOW] })).done?.finishReason, 'tool-calls');
      t.equal(modelErrorOf(await ask(model, { tools: [NOW] })).kind, 'refused');
      t.equal(modelErrorOf(await ask(model)).kind, 'empty');
      t.equal(
        (await ask(model, { allowEmpty: true })).done?.finishReason,
        'stop',
        'silence is an answer where it may be',
      );
    },
  );

  t.test('arguments that are not a JSON object are not sent back, because servers parse them', async (t) => {
    const server = await serverFor(t);
    const toolCalls = ['{"a', '[]', '"x"', ''].map((given, index) => ({
      id: `c${index}`,
      name: 'now',
      arguments: given,
    }));
    const answers = toolCalls.map(({ id }): ChatMessage => ({ role: 'tool', content: 'Error', toolCallId: id }));
    const messages: readonly ChatMessage[] = [...QUESTION, { role: 'assistant', content: '', toolCalls }, ...answers];
    await ask(createModel(providerAt(server)), { tools: [NOW], messages });
    const call = { function: { arguments: '{}' } };
    t.match(server.requests[0]?.body?.messages[1], { tool_calls: [call, call, call, call] });
  });

  t.test('that a model does not support are left out from then on, with one notice in the log', async (t) => {
    for (const refused of [
      openai.fails(400, { message: 'registry.ollama.ai/library/gemma:2b does not support tools' }),
      openai.fails(404, { message: 'No endpoints found that support tool use.' }),
      openai.fails(400, { message: '"auto" tool choice requires --enable-auto-tool-choice to be set' }),
      openai.fails(500, { message: 'tools param requires --jinja flag' }),
    ]) {
      const server = await serverFor(t, refused);
      const model = createModel(providerAt(server));
      const toolCalls = [{ id: 'c1', name: 'now', arguments: '{}' }];
      const messages: readonly ChatMessage[] = [
        ...QUESTION,
        { role: 'assistant', content: 'Wait.', toolCalls },
        { role: 'tool', content: 'noon', toolCallId: 'c1' },
      ];
      const first = await ask(model, { tools: [NOW], messages });
      t.match(first.done?.notice, /^tools will be left out of requests from now on, because acme\/acme-1/);
      t.equal((await ask(model, { tools: [NOW] })).done?.notice, undefined);
      t.strictSame(
        server.requests.map(({ body }) => 'tools' in (body ?? {})),
        [true, false, false],
      );
      const [, said, result] = server.requests[1]?.body?.messages ?? [];
      t.match(said, { role: 'assistant', content: 'Wait.\n(I used now {})' });
      t.match(result, { role: 'user', content: /noon/ });
    }
  });

  t.test(
    'are offered again after an error about one conversation, or when leaving them out did not help',
    async (t) => {
      const about = "Invalid parameter: messages with role 'tool' must follow a call";
      const still = openai.fails(400, { message: 'the tools are not supported' });
      const server = await serverFor(
        t,
        openai.fails(400, { message: about }),
        openai.textAnswer('Well.'),
        openai.textAnswer('Yes.'),
        still,
        still,
      );
      const model = createModel(providerAt(server));
      t.equal((await ask(model, { tools: [NOW] })).done?.notice, undefined);
      await ask(model, { tools: [NOW] });
      t.equal(modelErrorOf(await ask(model, { tools: [NOW] })).kind, 'bad-request');
      await ask(model, { tools: [NOW] });
      t.strictSame(
        server.requests.map(({ body }) => 'tools' in (body ?? {})),
        [true, false, true, true, false, true],
      );
    },
  );
});

// [promise-media-image]
t.test('pictures', async (t) => {
  const images = [{ mediaType: 'image/png', base64: 'iVBORw0KGgo=' }];
  const messages: readonly ChatMessage[] = [{ role: 'user', content: 'What is it?', images }];
  const partsOf = (server: OpenAiServer, index: number): unknown => server.requests[index]?.body?.messages[0]?.content;

  t.test('are sent to a model with image input', async (t) => {
    const server = await serverFor(t);
    await ask(createModel(providerAt(server)), { messages });
    t.strictSame(partsOf(server, 0), [
      { type: 'text', text: 'What is it?' },
      { type: 'image_url', image_url: { url: 'data:image/png;base64,iVBORw0KGgo=' } },
    ]);
    t.strictSame(server.violations, []);
  });

  t.test('are described to a model without image input from then on, with one notice in the log', async (t) => {
    for (const [status, message] of [
      [404, 'No endpoints found that support image input'],
      [400, 'acme-1 is not a multimodal model'],
      [400, 'Invalid content type. image_url is only supported by certain models.'],
      [422, 'messages.0.content: Input should be a valid string'],
      [500, 'image input is not supported - hint: you may need to provide the mmproj'],
    ] as const) {
      const server = await serverFor(t, openai.fails(status, { message }));
      const model = createModel(providerAt(server));
      const first = await ask(model, { messages });
      t.match(first.done?.notice, /^images will be left out of requests from now on/, message);
      t.equal((await ask(model, { messages })).done?.notice, undefined);
      for (const index of [1, 2])
        t.match(partsOf(server, index), /^What is it\?\n\(.*cannot see pictures: image\/png\)$/);
      t.equal(server.requests.length, 3);
    }
  });

  t.test('that are broken do not disable image input', async (t) => {
    const broken = openai.fails(400, { message: 'Invalid image data: could not decode the image.' });
    const server = await serverFor(t, broken, openai.textAnswer('I cannot see it.'));
    const model = createModel(providerAt(server));
    t.equal((await ask(model, { messages })).done?.notice, undefined);
    await ask(model, { messages });
    t.type(partsOf(server, 1), 'string');
    t.ok(Array.isArray(partsOf(server, 2)), 'the next one is shown again');
  });
});

// [pitfall-no-system-role]
t.test(
  'a model without a system role gets the prompt with the first message, and so does each later request',
  async (t) => {
    for (const [status, message] of [
      [400, 'Developer instruction is not enabled for models/gemma-3-27b-it'],
      [500, 'System role not supported'],
    ] as const) {
      const server = await serverFor(
        t,
        openai.fails(status, { message }),
        openai.textAnswer('One.'),
        openai.textAnswer('Two.'),
      );
      const model = createModel(providerAt(server));
      const messages: readonly ChatMessage[] = [{ role: 'system', content: 'Be kind.' }, ...QUESTION];
      const { done } = await ask(model, { messages });
      t.match(done?.notice, /system/, 'the log says so once');
      t.equal((await ask(model, { messages })).done?.notice, undefined);
      for (const { body } of server.requests.slice(1)) {
        t.strictSame(
          body?.messages.map(({ role }) => role),
          ['user'],
        );
        t.match(body?.messages[0]?.content, /^Be kind\.\n\n/);
      }
      t.equal(server.requests.length, 3);
    }
  },
);

// [pitfall-no-system-role]
t.test('a server that refuses names of speakers gets none from then on', async (t) => {
  const detail = [
    { loc: ['body', 'messages', 0, 'user', 'name'], msg: 'Extra inputs are not permitted', input: 'Ann' },
  ];
  const refuses: Script = (exchange) => exchange.respond(422, { object: 'error', message: { detail } });
  const server = await serverFor(t, refuses, openai.textAnswer('One.'), openai.textAnswer('Two.'));
  const model = createModel(providerAt(server));
  const messages: readonly ChatMessage[] = [{ role: 'user', content: 'hello', name: 'Ann' }];
  for (const text of ['One.', 'Two.']) t.strictSame((await ask(model, { messages })).pieces, [text]);
  t.strictSame(
    server.requests.map(({ body }) => body?.messages[0]?.name),
    ['Ann', undefined, undefined],
  );
});

t.test('what servers send in place of an event stream', async (t) => {
  const whole = {
    choices: [{ message: { role: 'assistant', content: 'Hello!' }, finish_reason: 'stop' }],
    usage: openai.USAGE,
  };
  const chunk = (delta: object, more: object = {}): string => JSON.stringify({ choices: [{ delta, ...more }] });
  const raw =
    (text: string): Script =>
    (exchange) => {
      exchange.raw(text);
      exchange.end();
    };
  const labelled =
    (text: string, type: string): Script =>
    (exchange) =>
      exchange.respond(200, text, { 'content-type': type });
  const events = `data: ${chunk({ content: 'Hel' })}\n\ndata: ${chunk({ content: 'lo!' })}\n\ndata: ${chunk({}, { finish_reason: 'stop' })}\n\n`;

  // [pitfall-no-event-stream]
  t.test('is read, whatever it is called', async (t) => {
    const cases: readonly (readonly [string, Script])[] = [
      ['a whole completion', (exchange) => exchange.respond(200, whole)],
      ['a completion over several lines', labelled(JSON.stringify(whole, null, 2), 'application/json')],
      ['a completion in an event stream', raw(`${JSON.stringify(whole)}\n\ndata: [DONE]\n\n`)],
      ['a stream called JSON', labelled(events, 'application/json')],
      ['a stream called HTML', labelled(events, 'text/html')],
      ['a stream with CRLF', raw(events.replaceAll('\n', '\r\n'))],
      ['a stream with CR', raw(events.replaceAll('\n', '\r'))],
      ['a stream with a byte order mark', raw(`\uFEFF${events}`)],
      ['single line ends', raw(`${events.replaceAll('\n\n', '\n')}data: [DONE]\n`)],
      ['no space, and comments', raw(`: hi\n\n${events.replaceAll('data: ', 'data:')}`)],
      ['JSON, one object a line', raw(events.replaceAll('data: ', '').replaceAll('\n\n', '\n'))],
      ['a completion over several lines, and [DONE]', raw(`${JSON.stringify(whole, null, 2)}\ndata: [DONE]\n`)],
      ['single line ends after a heartbeat', raw(`data:\n${events.replaceAll('\n\n', '\n')}`)],
      ['several lines of data', raw(events.replaceAll('{"choices":', '{\ndata: "choices":'))],
      ['the whole message at the end', raw(`${events.slice(0, -2)}\n\ndata: ${JSON.stringify(whole)}\n\n`)],
      ['an end without an empty line', raw(events.trimEnd())],
      ['an end without a finish reason', raw(`data: ${chunk({ content: 'Hello!' })}\n\ndata: [DONE]\n\n`)],
    ];
    for (const [what, script] of cases) {
      const outcome = await ask(createModel(providerAt(await serverFor(t, script))));
      t.equal(outcome.pieces.join(''), 'Hello!', what);
      t.equal(outcome.done?.finishReason, 'stop', what);
    }
  });

  // [pitfall-heartbeats]
  t.test('heartbeats and empty events are passed over', async (t) => {
    const beats = [
      'data:',
      'data: ',
      'data: null',
      'event: ping',
      'event: ping\ndata:',
      'retry: 3000',
      'data: {"type":"ping"}',
      'id: 7',
      ': x',
    ];
    for (const beat of beats) {
      const between = events.replaceAll('\n\n', `\n\n${beat}\n\n`);
      const outcome = await ask(createModel(providerAt(await serverFor(t, raw(`${beat}\n\n${between}`)))));
      t.equal(outcome.pieces.join(''), 'Hello!', beat);
    }
    const silent: Script = async (exchange) => {
      for (const beat of beats) exchange.raw(`${beat}\n\n`);
      await exchange.closed;
    };
    const model = createModel(providerAt(await serverFor(t, silent), { firstTokenMs: 50 }));
    t.equal(modelErrorOf(await ask(model)).kind, 'timeout', 'they are no content');
  });

  // [pitfall-finish-everywhere]
  t.test('a finish reason with every piece does not end the answer; one that comes alone does', async (t) => {
    const pause = gate();
    const server = await serverFor(t, async (exchange) => {
      exchange.event({ choices: [{ delta: { content: 'One, ' }, finish_reason: 'STOP' }] });
      await pause.opened;
      exchange.event({ choices: [{ delta: { content: 'two.' }, finish_reason: 'STOP' }] });
      exchange.event({ choices: [{ delta: {}, finish_reason: 'null' }] });
      exchange.end();
    });
    const asking = ask(createModel(providerAt(server, { idleMs: 60_000 })));
    setTimeout(pause.open, 1_500);
    t.match(await asking, { pieces: ['One, ', 'two.'], done: { finishReason: 'stop' } });
  });

  // [pitfall-finish-everywhere]
  t.test('a finish reason before any content does not end the answer', async (t) => {
    const pause = gate();
    const server = await serverFor(t, async (exchange) => {
      exchange.event({ choices: [{ delta: { role: 'assistant', content: '' }, finish_reason: 'stop' }] });
      await pause.opened;
      exchange.event({ choices: [{ delta: { content: 'One.' }, finish_reason: 'stop' }] });
      exchange.end();
    });
    const asking = ask(createModel(providerAt(server, { firstTokenMs: 60_000 })));
    setTimeout(pause.open, 1_500);
    t.match(await asking, { pieces: ['One.'], done: { finishReason: 'stop' } });
    const filtered = await serverFor(t, async (exchange) => {
      exchange.event({ choices: [{ delta: {}, finish_reason: 'content_filter' }] });
      await exchange.closed;
    });
    const declined = createModel(providerAt(filtered, { firstTokenMs: 60_000 }));
    t.equal(modelErrorOf(await ask(declined)).kind, 'refused', 'another one does, although the connection stays open');
  });

  // [pitfall-finish-everywhere] [pitfall-errors-in-streams]
  t.test('an error after a finish reason counts, unless the answer had ended', async (t) => {
    const failed = `data: {"error":{"message":"said-so","code":503}}\n\n`;
    const early = raw(`data: ${chunk({ content: 'One' }, { finish_reason: 'stop' })}\n\n${failed}`);
    const outcome = await ask(createModel(providerAt(await serverFor(t, early))));
    t.strictSame(outcome.pieces, ['One']);
    t.match(modelErrorOf(outcome), { kind: 'unavailable', message: 'said-so' });
    const late = raw(`${events}${failed}`);
    t.match(await ask(createModel(providerAt(await serverFor(t, late)))), { done: { finishReason: 'stop' } });
  });

  // [pitfall-finish-everywhere]
  t.test('finish reasons in capitals are understood', async (t) => {
    for (const [reason, finishReason] of [
      ['MAX_TOKENS', 'length'],
      ['STOP', 'stop'],
      ['End_Turn', 'stop'],
    ] as const) {
      const script = raw(`data: ${chunk({ content: 'One' })}\n\ndata: ${chunk({}, { finish_reason: reason })}\n\n`);
      t.equal((await ask(createModel(providerAt(await serverFor(t, script))))).done?.finishReason, finishReason);
    }
    for (const reason of ['ERROR', 'network_error', 'insufficient_system_resource', 'abort']) {
      const script = raw(`data: ${chunk({ content: 'One' })}\n\ndata: ${chunk({}, { finish_reason: reason })}\n\n`);
      const outcome = await ask(createModel(providerAt(await serverFor(t, script))));
      t.equal(modelErrorOf(outcome).kind, 'unavailable', reason);
    }
    const filtered = raw(`data: ${chunk({}, { finish_reason: 'SAFETY' })}\n\n`);
    t.equal(modelErrorOf(await ask(createModel(providerAt(await serverFor(t, filtered))))).kind, 'refused');
  });

  // [promise-limit-tokens] [pitfall-usage]
  t.test('usage is read where it is, and zeros are estimated', async (t) => {
    const used = { prompt_tokens: 19, completion_tokens: 2 };
    const zero = { prompt_tokens: 0, completion_tokens: 0 };
    const of = async (...chunks: readonly object[]): Promise<unknown> => {
      const server = await serverFor(t, (exchange) => {
        for (const one of chunks) exchange.event(one);
        exchange.end();
      });
      return (await ask(createModel(providerAt(server)), { messages: [{ role: 'user', content: '1234' }] })).done
        ?.usage;
    };
    const text = { choices: [{ delta: { content: '12345678' } }] };
    const end = { choices: [{ delta: {}, finish_reason: 'stop' }] };
    const reported = { promptTokens: 19, completionTokens: 2, estimated: false };
    t.strictSame(await of(text, { choices: [{ ...end.choices[0], usage: used }] }), reported, 'in the choice');
    t.strictSame(await of(text, { ...end, x_groq: { usage: used } }), reported, 'under x_groq');
    t.strictSame(await of({ ...text, usage: used }, { ...end, usage: zero }), reported, 'running, and then zero');
    t.strictSame(
      await of(
        { ...text, usage: { prompt_tokens: 19 } },
        { ...end, usage: { prompt_tokens: 0, completion_tokens: 2 } },
      ),
      reported,
      'the two figures apart',
    );
    const estimated = { promptTokens: 5, completionTokens: 2, estimated: true };
    t.strictSame(await of({ ...text, usage: zero }, { ...end, usage: zero }), estimated, 'only zeros');
    t.strictSame(
      await of(text, { ...end, usage: { prompt_tokens: 5, completion_tokens: 0 } }),
      estimated,
      'half of it',
    );
  });

  // [promise-log-private] [pitfall-answer-in-log]
  t.test('no word of an answer is in an error, however the answer is packed', async (t) => {
    const secret = chunk({ content: 'Rosebud' });
    const cases: readonly Script[] = [
      (exchange) => exchange.respond(500, `data: ${secret}\n\n`, { 'content-type': 'text/event-stream' }),
      (exchange) => exchange.respond(400, { choices: [{ message: { content: 'Rosebud' } }] }),
      labelled(`{"choices":[{"message":{"content":"Rosebud ${'x'.repeat(100_000)}"}`, 'application/json'),
      labelled(`data: ${secret.slice(0, -1)}\n\n`, 'application/json'),
      labelled('Rosebud', 'text/plain'),
      labelled('<think>Rosebud</think>', 'text/plain'),
      (exchange) =>
        exchange.respond(500, `{"choices":[{"message":{"content":"Rosebud ${'x'.repeat(100_000)}"}}]}`, {
          'content-type': 'application/json',
        }),
      (exchange) => exchange.respond(500, `${secret}\n${secret}\n`, { 'content-type': 'application/x-ndjson' }),
      (exchange) => exchange.respond(500, `OK\ndata: ${secret}\n\n`, { 'content-type': 'text/plain' }),
      (exchange) => exchange.respond(500, { message: { role: 'assistant', content: 'Rosebud' } }),
      (exchange) => exchange.respond(500, { response: 'Rosebud' }),
      (exchange) => exchange.respond(500, { content: [{ type: 'text', text: 'Rosebud' }] }),
      (exchange) => exchange.respond(400, { error: { code: 'x', failed_generation: 'Rosebud' } }),
      raw(`event: error\ndata: ${secret}\n\n`),
      raw(`data: {"code":500,"response":"Rosebud"}\n\n`),
      raw(`data: ${chunk({}, { finish_reason: 'Rosebud is a sled' })}\n\n`),
      raw(`data: {"message":"Rosebud"}\n\n`),
      raw(`data: [1, "Rosebud"\n\n`),
    ];
    for (const [index, script] of cases.entries()) {
      const error = modelErrorOf(await ask(createModel(providerAt(await serverFor(t, script)))));
      t.notMatch(error.message, /rosebud/i, `case ${index}: ${error.message}`);
    }
  });

  // [pitfall-errors-in-streams]
  t.test('an error in a stream has its kind and its words', async (t) => {
    const cases: readonly (readonly [text: string, kind: ModelErrorKind, said: string])[] = [
      [
        'error: {"code":400,"message":"the request exceeds the available context size"}',
        'too-long',
        'exceeds the available',
      ],
      ['data: {"object":"error","message":"maximum context length is 4096","code":400}', 'too-long', '4096'],
      [
        'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}',
        'unavailable',
        'Overloaded',
      ],
      [
        'data: {"choices":null,"base_resp":{"status_code":1008,"status_msg":"insufficient balance"}}',
        'quota',
        'insufficient',
      ],
      ['data: {"error":{"message":"quota exceeded"}}', 'rate-limited', 'quota exceeded'],
      ['event: error\ndata: something broke', 'unavailable', 'something broke'],
      ['data: {"error":"said-so","status_code":401}', 'auth', 'said-so'],
      ['data: {"error":true,"message":"quota exceeded"}', 'rate-limited', 'quota exceeded'],
      ['data: {"error":"Bad Request","message":"maximum context length is 4096"}', 'too-long', '4096'],
      ['data: {"success":false,"errors":[{"code":7009,"message":"said-so"}],"result":null}', 'unavailable', 'said-so'],
      ['data: {"code":20015,"message":"said-so","data":null}', 'unavailable', 'said-so'],
      ['data: {"code":401,"msg":"said-so","success":false}', 'auth', 'said-so'],
      ['data: {"error_code":17,"error_msg":"said-so"}', 'unavailable', 'said-so'],
      ['data: {"type":"error","error":{"type":"x","message":"said-so","http_code":"402"}}', 'quota', 'said-so'],
    ];
    for (const [text, kind, said] of cases) {
      const error = modelErrorOf(await ask(createModel(providerAt(await serverFor(t, raw(`${text}\n\n`))))));
      t.equal(error.kind, kind, text);
      t.match(error.message, said);
    }
    const harmless = raw(
      `data: {"error":null,"errors":[],"code":200,"status":"ok","error_code":0,"base_resp":{"status_code":0},${chunk({ content: 'Hello!' }).slice(1)}\n\ndata: [DONE]\n\n`,
    );
    t.strictSame((await ask(createModel(providerAt(await serverFor(t, harmless))))).pieces, ['Hello!']);
  });

  // [pitfall-error-wordings]
  t.test('each provider words its errors in its own way', async (t) => {
    const cases: readonly (readonly [status: number, body: unknown, kind: ModelErrorKind])[] = [
      [400, { error: { message: 'Your credit balance is too low to access the Anthropic API.' } }, 'quota'],
      [
        429,
        { error: { message: 'suspended due to insufficient balance', type: 'exceeded_current_quota_error' } },
        'quota',
      ],
      [
        403,
        { error: 'Your team has either used all available credits or reached its monthly spending limit.' },
        'quota',
      ],
      [400, { error: { code: '1113', message: '您的账户已欠费' } }, 'quota'],
      [400, [{ error: { code: 400, message: 'API key not valid. Please pass a valid API key.' } }], 'auth'],
      [400, { error: 'Incorrect API key provided: x' }, 'auth'],
      [400, { error: { message: 'input length and `max_tokens` exceed context limit: 9 + 9 > 10' } }, 'too-long'],
      [
        400,
        [{ error: { message: 'The input token count (9) exceeds the maximum number of tokens allowed (8).' } }],
        'too-long',
      ],
      [413, { error: { message: 'Request too large for model', code: 'rate_limit_exceeded' } }, 'too-long'],
      [
        400,
        { code: 20015, message: 'number of input tokens (9) has exceeded max_prompt_tokens (8) limit.' },
        'too-long',
      ],
      [400, { error: 'maximum prompt length is 8 but the request contains 9 tokens.' }, 'too-long'],
      [400, { error: { message: 'Your request exceeded model token limit: 8' } }, 'too-long'],
      [400, { error: { code: '1261', message: 'said-so' } }, 'too-long'],
      [400, { error: { message: 'Range of input length should be [1, 8]' } }, 'too-long'],
      [400, { error: { message: 'Please reduce the length of the messages or completion.' } }, 'too-long'],
      [403, { code: 'no permission', error: "Your newly created team doesn't have any credits yet." }, 'quota'],
      [429, { error: { code: 'billing_not_active', message: 'Your account is not active.' } }, 'quota'],
      [400, { error: { message: 'Billing hard limit has been reached' } }, 'quota'],
      [400, { error: { code: 'Arrearage', message: 'Access denied.' } }, 'quota'],
      [400, [{ error: { code: 400, message: 'API key expired. Please renew the API key.' } }], 'auth'],
      [400, [{ error: { code: 400, message: 'API Key not found. Please pass a valid API key.' } }], 'auth'],
      [400, { error: { message: 'there is no such parameter' } }, 'bad-request'],
      [400, { error: { message: 'Input exceeds the number of pictures' } }, 'bad-request'],
      [400, { error: { message: 'said-so', code: 16130 } }, 'bad-request'],
    ];
    for (const [status, body, kind] of cases) {
      const script: Script = (exchange) => exchange.respond(status, body);
      const error = modelErrorOf(await ask(createModel(providerAt(await serverFor(t, script)))));
      t.equal(error.kind, kind, JSON.stringify(body));
    }
    const retryInfo = [{ error: { code: 429, message: 'check your plan', details: [{ retryDelay: '37s' }] } }];
    const later = await serverFor(t, (exchange) => exchange.respond(429, retryInfo));
    t.match(modelErrorOf(await ask(createModel(providerAt(later)))), { kind: 'rate-limited', retryAfterMs: 37_000 });
  });
});

// [promise-answer-clean] [pitfall-thoughts-shown]
t.test('thoughts, marks and control characters are no part of an answer, however it is cut', (t) => {
  const harmony =
    '<|channel|>analysis<|message|>They greet.<|end|><|start|>assistant<|channel|>final<|message|>Hello!<|return|>';
  const cases: readonly (readonly [written: string, shown: string])[] = [
    ['<think>\nThey want a greeting.\n</think>\n\nHello!', 'Hello!'],
    ['<think>\n\n</think>\n\nHello!', 'Hello!'],
    ['<think>a</think><think>b</think>Hello!', 'Hello!'],
    ['[THINK]a[/THINK]Hello!', 'Hello!'],
    ['<think>never ends', ''],
    ['They want a greeting.\n</think>\n\nHello!', 'Hello!'],
    ['</think>\nHello!', 'Hello!'],
    [harmony, 'Hello!'],
    ['<|start|>assistant<|channel|>final<|message|>Hello!', 'Hello!'],
    ['Hello!<|im_end|>', 'Hello!'],
    ['Hello!<|im_end|>\n<|endoftext|>\n', 'Hello!'],
    ['Hello!</s>', 'Hello!'],
    ['[#k3fz] Hello!', 'Hello!'],
    ['[#k3fz][#ab12] Hello!', 'Hello!'],
    ['He\u0000l\u001blo!\u0085\ufffe', 'Hello!'],
    [
      'The tag <think> and </think> stay, and <|im_end|> too.',
      'The tag <think> and </think> stay, and <|im_end|> too.',
    ],
    ['```\n</think>\n```\nis code', '```\n</think>\n```\nis code'],
    ['<thinker> and [#k3] and a < b', '<thinker> and [#k3] and a < b'],
    ['[a link](x), [#k3fz] in the middle', '[a link](x), [#k3fz] in the middle'],
    ['tabs\tand\nlines \n', 'tabs\tand\nlines \n'],
    ['ends with <', 'ends with <'],
    ['<Think>x</THINK>Hello!', 'Hello!'],
    ['<thought>x</thought>Hello!', 'Hello!'],
    ['<reasoning>x</reasoning>Hello!', 'Hello!'],
    ['<seed:think>x</seed:think>Hello!', 'Hello!'],
    ['◁think▷x◁/think▷Hello!', 'Hello!'],
    ['<unused94>thought\nx<unused95>Hello!', 'Hello!'],
    ['<|START_THINKING|>x<|END_THINKING|><|START_RESPONSE|>Hello!<|END_RESPONSE|>', 'Hello!'],
    ['<|begin_of_thought|>x<|end_of_thought|>\n\n<|begin_of_solution|>Hello!<|end_of_solution|>', 'Hello!'],
    ['Sure.\n<think>\nhm\n</think>\nHello!', 'Sure.\n\nHello!'],
    ['Thoughts.\r\n</think>\r\n\r\nHello!', 'Hello!'],
    ['Thoughts◁/think▷Hello!', 'Hello!'],
    ['Close it:\n</think> closes it.', 'Close it:\n</think> closes it.'],
    ['~~~\n<think>\n</think>\n~~~\nis code', '~~~\n<think>\n</think>\n~~~\nis code'],
    ['They greet.<|end|><|start|>assistant<|channel|>final<|message|>Hello!<|return|>', 'Hello!'],
    ['<|channel|>final\nHello!', 'Hello!'],
    ['<|channel|>commentary to=functions.now <|constrain|>json<|message|>{"a":1}<|call|>', ''],
    ['<|channel|>final<|message|>One.\n</think>\nTwo.', 'One.\n</think>\nTwo.'],
    ['analysisThey greet.assistantfinalHello!', 'Hello!'],
    ['analysis is what you want', 'analysis is what you want'],
    ['<|im_start|>assistant\nHello!', 'Hello!'],
    ['<｜Assistant｜>Hello!<｜end▁of▁sentence｜>', 'Hello!'],
    ['<s> Hello! </s>', 'Hello! '],
    ['<start_of_turn>model\nHello!<end_of_turn>\n<start_of_turn>user', 'Hello!'],
    ['Hello!<|im_end|>\n<|im_start|>user\nAnd you?<|im_end|>', 'Hello!'],
    ['Hello!<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nHello again!', 'Hello!'],
    [
      'Write <|im_start|>, a role, and <|im_end|> at the end.',
      'Write <|im_start|>, a role, and <|im_end|> at the end.',
    ],
    ['[#k3fz]: Hello!', 'Hello!'],
    ['a |> b <| c', 'a |> b <| c'],
    ['smile 😀', 'smile 😀'],
  ];
  for (const [written, shown] of cases) {
    for (let size = 1; size <= written.length; size += 1) {
      const filter = new AnswerText();
      let text = '';
      const take = (piece: AnswerPiece): void => {
        text = piece.restarts ? piece.text : text + piece.text;
      };
      for (let at = 0; at < written.length; at += size) take(filter.push(written.slice(at, at + size)));
      take(filter.end());
      if (text !== shown || size === 1) t.equal(text, shown, `${JSON.stringify(written)} in pieces of ${size}`);
    }
  }
  t.end();
});

// [promise-answer-clean] [pitfall-thoughts-shown]
t.test('a piece of an answer ends with no half character, and with nothing that may be a mark', (t) => {
  const pieces = (...texts: readonly string[]): readonly string[] => {
    const filter = new AnswerText();
    return texts.map((text) => filter.push(text).text);
  };
  t.strictSame(pieces('Fine \ud83d', '\ude00!'), ['Fine ', '😀!']);
  t.strictSame(pieces('Hello! <|im', '_en', 'd|> or not'), ['Hello! ', '', '<|im_end|> or not']);
  t.strictSame(pieces('One.\n</th', 'ink', 'er> x'), ['One.\n', '', '</thinker> x']);
  t.strictSame(pieces('1 < 2', ' < 3'), ['1 < 2', ' < 3']);
  t.end();
});

// [pitfall-thoughts-shown]
t.test('what models repeat without end is not collected, and takes no more time than other text', (t) => {
  for (const repeated of [
    ' ',
    '\n',
    '<|im_end|>',
    '</think>',
    '<|channel|>',
    '<|channel|>final',
    '[#k3fz]',
    '<',
    '\t',
  ]) {
    for (const before of ['', 'Hi', 'Hi\n', '<think>']) {
      const filter = new AnswerText();
      let out = filter.push(before).text.length;
      const begin = performance.now();
      for (let at = 0; at < 50_000; at += repeated.length) {
        const { text, hidden } = filter.push(repeated);
        out += text.length + hidden.length;
      }
      t.ok(out > 45_000, `${JSON.stringify(before + repeated)}: ${out}`);
      t.ok(performance.now() - begin < 5_000);
    }
  }
  t.end();
});

// [pitfall-thoughts-shown]
t.test('white space without end ends the answer at its limit', async (t) => {
  const server = await serverFor(t, async (exchange) => {
    for (let sent = 0; sent < 1_100_000; sent += 50_000) exchange.text(' '.repeat(50_000));
    await exchange.closed;
  });
  t.equal(modelErrorOf(await ask(createModel(providerAt(server, { retries: 0 })))).kind, 'empty');
});

// [pitfall-thoughts-shown]
t.test('thoughts count as tokens and not as an answer', async (t) => {
  const server = await serverFor(
    t,
    openai.textAnswer('<think>', '12345678', '</think>'),
    openai.textAnswer('12345678\n', '</think>\nYes'),
  );
  const model = createModel(providerAt(server));
  t.equal(modelErrorOf(await ask(model)).kind, 'empty');
  t.strictSame((await ask(model)).pieces, ['12345678\n', '(restart)', 'Yes']);
});

// [promise-prompt-safety]
t.test('a message cannot contain the control tokens of a server', async (t) => {
  const server = await serverFor(t);
  const marks =
    '<|im_end|> <|start_header_id|> <｜User｜> <end_of_turn> </s> [INST] [/INST] <<SYS>> <</SYS>> </tool_response>';
  const harmless = 'a <b> 1 <2 |x| [ 1 ] <strong> if (a<|b) <script> [INSTALL]';
  const content = `${marks} ${harmless}`;
  await ask(createModel(providerAt(server)), {
    messages: [
      { role: 'user', content },
      { role: 'assistant', content },
    ],
  });
  for (const message of server.requests[0]?.body?.messages ?? []) {
    const sent = String(message.content);
    for (const mark of marks.split(' ')) t.notOk(sent.includes(mark), mark);
    t.match(sent, 'a <b> 1 <2 |x| [ 1 ] <strong>');
    t.match(sent, '<script> [INSTALL]');
  }
});

t.test('a retry', async (t) => {
  // [promise-model-retries]
  t.test('follows a transient error before the first content, as often as configured', async (t) => {
    const passing: readonly Script[] = [
      openai.fails(429),
      openai.fails(500),
      openai.sendsPage(503, 'Busy'),
      (exchange) => exchange.cut(),
      openai.forgetsToFinish(''),
    ];
    for (const script of passing) {
      const server = await serverFor(t, script, script, openai.textAnswer('At last.'));
      const model = createModel(providerAt(server, { retries: 2 }), undefined, noWait);
      t.match(await ask(model), { pieces: ['At last.'], error: undefined });
      t.equal(server.requests.length, 3);
    }
    const slow = await serverFor(t, openai.keepsAlive, openai.textAnswer('At last.'));
    const model = createModel(providerAt(slow, { retries: 1, firstTokenMs: 1_000 }), undefined, noWait);
    t.match(await ask(model), { pieces: ['At last.'], error: undefined });
    t.equal(slow.requests.length, 2);

    const server = await serverFor(
      t,
      openai.fails(500),
      openai.fails(500),
      openai.fails(500),
      openai.textAnswer('Late.'),
    );
    const error = modelErrorOf(await ask(createModel(providerAt(server, { retries: 2 }), undefined, noWait)));
    t.equal(error.kind, 'unavailable');
    t.match(error.message, '(after 3 attempts)');
    t.equal(server.requests.length, 3);
  });

  // [promise-model-retries]
  t.test('never follows a permanent error: a rejected key, no credit, a wrong request, garbage', async (t) => {
    for (const script of [
      openai.fails(401),
      openai.fails(403),
      openai.fails(400),
      openai.fails(404),
      openai.fails(429, { code: 'insufficient_quota' }),
      openai.sendsPage(200, 'Hello'),
    ]) {
      const server = await serverFor(t, script);
      modelErrorOf(await ask(createModel(providerAt(server, { retries: 5 }), undefined, noWait)));
      t.equal(server.requests.length, 1);
    }
  });

  t.test('waits as long as Retry-After asks, or else longer each time, with jitter', async (t) => {
    const server = await serverFor(
      t,
      openai.fails(429, { headers: { 'retry-after': '7' } }),
      openai.fails(429, { headers: { 'retry-after-ms': '70', 'retry-after': '7' } }),
      openai.fails(503, { headers: { 'retry-after': new Date(Date.now() + 20_000).toUTCString() } }),
      openai.fails(503, { headers: { 'retry-after': 'soon' } }),
      openai.fails(500),
      openai.textAnswer('Yes.'),
    );
    const waits: number[] = [];
    const wait = async (ms: number): Promise<void> => void waits.push(ms);
    t.equal((await ask(createModel(providerAt(server, { retries: 9 }), undefined, wait))).error, undefined);
    const [seconds = 0, fine = 0, date = 0, fourth = 0, fifth = 0] = waits;
    t.strictSame([seconds, fine], [7_000, 70]);
    t.ok(date > 10_000 && date <= 20_000, `${date}`);
    t.ok(fourth >= 2_000 && fourth <= 4_000, `${fourth}`);
    t.ok(fifth >= 4_000 && fifth <= 8_000, `${fifth}`);
  });

  t.test('does not happen when Retry-After is too long', async (t) => {
    const server = await serverFor(t, openai.fails(429, { headers: { 'retry-after': '3600' } }));
    const error = modelErrorOf(await ask(createModel(providerAt(server, { retries: 5 }), undefined, noWait)));
    t.match(error, { kind: 'rate-limited', retryAfterMs: 3_600_000 });
    t.equal(server.requests.length, 1);
  });

  t.test('really waits, and stops waiting when aborted', async (t) => {
    const server = await serverFor(t, openai.fails(429, { headers: { 'retry-after': '29' } }));
    const controller = new AbortController();
    const reason = new Error('/stop');
    const outcome = ask(createModel(providerAt(server, { retries: 5 })), { signal: controller.signal });
    await server.request(0);
    setImmediate(() => controller.abort(reason));
    t.equal((await outcome).error, reason);
    t.equal(server.requests.length, 1);
  });

  t.test(
    'happens at once, and once for all, without stream_options for a server that does not know them',
    async (t) => {
      const strict: Script = (exchange) =>
        exchange.request.body?.stream_options === undefined
          ? openai.textAnswer('Yes.')(exchange)
          : exchange.respond(422, { detail: [{ type: 'extra_forbidden', loc: ['body', 'stream_options'] }] });
      const server = await serverFor(t, strict, openai.fails(500), strict, strict);
      const model = createModel(providerAt(server, { retries: 1 }), undefined, noWait);
      t.match(await ask(model), { pieces: ['Yes.'], done: { usage: { estimated: true } } });
      t.equal(server.requests.length, 3, 'and the retry was still to be had');
      t.match(await ask(model), { pieces: ['Yes.'] });
      t.equal(server.requests.length, 4);
    },
  );
});

t.test('time limits count content', async (t) => {
  // [promise-model-times]
  t.test('time out a server that accepts the request and sends nothing, and close the connection', async (t) => {
    const left = gate();
    const server = await serverFor(t, async (exchange) => {
      await exchange.closed;
      left.open();
    });
    const error = modelErrorOf(await ask(createModel(providerAt(server, { firstTokenMs: 50 }))));
    t.equal(error.kind, 'timeout');
    t.match(error.message, 'no content within 50 ms');
    await left.opened;
  });

  // [promise-model-times]
  t.test('do not count keepalive comments and empty deltas as content', async (t) => {
    const server = await serverFor(t, openai.keepsAlive);
    t.equal(modelErrorOf(await ask(createModel(providerAt(server, { firstTokenMs: 60 })))).kind, 'timeout');
  });

  // [promise-model-times]
  t.test('report an answer that stops in the middle as stalled, with or without keepalives', async (t) => {
    const server = await serverFor(t, openai.stalls('Half'), async (exchange) => {
      exchange.text('Half');
      await openai.keepsAlive(exchange);
    });
    const model = createModel(providerAt(server, { idleMs: 60, retries: 3 }), undefined, noWait);
    for (const pieces of [['Half'], ['Half']]) {
      const outcome = await ask(model);
      t.strictSame(outcome.pieces, pieces);
      t.equal(modelErrorOf(outcome).kind, 'stalled');
    }
    t.equal(server.requests.length, 2);
  });

  t.test('also end an error response that never ends', async (t) => {
    const server = await serverFor(t, (exchange) => exchange.respond(500, 'Half of', { 'content-length': '1000' }));
    t.equal(modelErrorOf(await ask(createModel(providerAt(server, { firstTokenMs: 60 })))).kind, 'timeout');
  });

  t.test('count reasoning as content, although it is not shown', async (t) => {
    const server = await serverFor(t, async (exchange) => {
      exchange.delta({ reasoning: 'hm' });
      await delay(1_200, never);
      exchange.text('Yes.');
      exchange.finish();
    });
    t.match(await ask(createModel(providerAt(server, { firstTokenMs: 800 }))), { pieces: ['Yes.'], error: undefined });
  });

  t.test('do not include the time that the consumer takes', async (t) => {
    const read = gate();
    const server = await serverFor(t, async (exchange) => {
      exchange.text('One');
      exchange.text(' two');
      await read.opened;
      exchange.text(' three');
      exchange.finish();
    });
    const pieces: string[] = [];
    const model = createModel(providerAt(server, { firstTokenMs: 600, idleMs: 600 }));
    for await (const event of model.answer({ messages: QUESTION, signal: never })) {
      if (event.type !== 'text') continue;
      pieces.push(event.text);
      if (pieces.length !== 2) continue;
      await delay(900, never);
      read.open();
    }
    t.strictSame(pieces, ['One', ' two', ' three']);
  });
});

t.test('an abort', async (t) => {
  const reason = new Error('/stop');

  t.test('before the request sends nothing', async (t) => {
    const server = await serverFor(t);
    t.equal((await ask(createModel(providerAt(server)), { signal: AbortSignal.abort(reason) })).error, reason);
    t.strictSame(server.requests, []);
  });

  t.test('rejects with its reason while the server has not answered, and closes the connection', async (t) => {
    const left = gate();
    const server = await serverFor(t, async (exchange) => {
      await exchange.closed;
      left.open();
    });
    const controller = new AbortController();
    const outcome = ask(createModel(providerAt(server, { retries: 3 })), { signal: controller.signal });
    await server.request(0);
    controller.abort(reason);
    t.equal((await outcome).error, reason);
    await left.opened;
    t.equal(server.requests.length, 1);
  });

  t.test('in the middle of the answer rejects with its reason, even if more text has already arrived', async (t) => {
    const server = await serverFor(t, openai.textAnswer('One', ' two', ' three'));
    const controller = new AbortController();
    const pieces: string[] = [];
    const reading = (async (): Promise<void> => {
      const model = createModel(providerAt(server), createScriptedModel());
      for await (const event of model.answer({ messages: QUESTION, signal: controller.signal })) {
        if (event.type === 'text') pieces.push(event.text);
        controller.abort(reason);
      }
    })();
    await t.rejects(reading, reason);
    t.strictSame(pieces, ['One']);
  });

  t.test('during a pause in the answer rejects at once, and asks no fallback', async (t) => {
    const server = await serverFor(t, openai.stalls('One'));
    const controller = new AbortController();
    const model = createModel(providerAt(server), createScriptedModel());
    const answer = model.answer({ messages: QUESTION, signal: controller.signal })[Symbol.asyncIterator]();
    t.match(await answer.next(), { value: { text: 'One' } });
    const next = answer.next();
    controller.abort(reason);
    await t.rejects(next, reason);
  });
});

t.test('a fallback', async (t) => {
  const fallback = createScriptedModel();

  // [promise-model-fallback]
  t.test('answers when the first model fails before any text, and reports that failure', async (t) => {
    for (const script of [
      openai.fails(401),
      openai.fails(500),
      openai.sendsPage(200, 'Hi'),
      openai.forgetsToFinish(''),
    ]) {
      const server = await serverFor(t, script, script);
      const { pieces, done } = await ask(createModel(providerAt(server, { retries: 1 }), fallback, noWait));
      t.match(pieces.join(''), 'I am only a scripted one');
      t.equal(done?.model, 'scripted');
      t.ok(done?.insteadOf instanceof ModelError);
    }
  });

  // [promise-model-fallback]
  t.test('is not asked after the first text, nor when the model declined', async (t) => {
    const heard = gate();
    const server = await serverFor(t, openai.cutsOff('Half', heard.opened), (exchange) => {
      exchange.delta({ refusal: 'No.' });
      exchange.finish();
    });
    const model = createModel(providerAt(server), fallback);
    const outcome = await ask(model, { heard: heard.open });
    t.strictSame(outcome.pieces, ['Half']);
    t.equal(modelErrorOf(outcome).kind, 'truncated');
    t.equal(modelErrorOf(await ask(model)).kind, 'refused');
  });

  t.test('that fails too leads to one error about both', async (t) => {
    const server = await serverFor(t, openai.fails(401));
    const second = await serverFor(t, openai.fails(429));
    const model = createModel(providerAt(server), createModel(providerAt(second, { name: 'spare' })));
    const error = modelErrorOf(await ask(model));
    t.match(error, { kind: 'rate-limited', status: 429 });
    t.match(error.message, /^acme\/acme-1 at .* 401.*; then the fallback spare\/acme-1 at .* 429/);
  });
});

t.test('token estimates count four ASCII characters, or two others, as one token', async (t) => {
  t.equal(estimateTokens(''), 0);
  t.equal(estimateTokens('a'), 1);
  t.equal(estimateTokens('abcd'.repeat(100)), 100);
  t.equal(estimateTokens('éü'.repeat(100)), 100);
  t.equal(estimateTokens('🙂🙂'), 1);
});

t.test('the scripted model', async (t) => {
  const say = async (...said: string[]): Promise<Outcome> =>
    ask(createScriptedModel(), { messages: said.map((content) => ({ role: 'user', content })) });

  t.test('greets, says that it is scripted, and mentions /help', async (t) => {
    for (const hello of ['hello', 'Hi!', 'alice: hey there']) {
      const text = (await say(hello)).pieces.join('');
      t.match(text, /^Hello!.*scripted.*\/help/);
    }
  });

  t.test('quotes the message, word by word, the same each time', async (t) => {
    const first = await say('My tea is cold.', 'Is there more?');
    t.match(first.pieces.join(''), /"Is there more\?".*"My tea is cold\.".*scripted.*\/help/);
    t.ok(first.pieces.length > 10);
    t.strictSame(await say('My tea is cold.', 'Is there more?'), first);
    t.match(first.done, { model: 'scripted', finishReason: 'stop', usage: { estimated: true } });
    t.match((await say('x'.repeat(10_000))).pieces.join('').length < 500, true);
    t.match((await say('')).pieces.join(''), 'scripted');
  });

  t.test('stops when aborted, also between two words', async (t) => {
    const controller = new AbortController();
    const reason = new Error('/stop');
    const answer = createScriptedModel({ paceMs: 10_000 }).answer({ messages: QUESTION, signal: controller.signal });
    const next = answer[Symbol.asyncIterator]().next();
    controller.abort(reason);
    await t.rejects(next, reason);
  });
});
