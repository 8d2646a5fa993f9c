/**
 * A stand-in for the OpenAI API on 127.0.0.1, for tests and for trying a bot without a provider. It checks every request as strictly
 * as the real API, remembers what it refused, and answers as scripted.
 *
 *   const server = await startOpenAiServer();
 *   server.next(textAnswer('Hello ', 'there.'), fails(429, { headers: { 'retry-after': '1' } }));
 *   … point a client at server.baseUrl, with the key server.apiKey …
 *   t.strictSame(server.violations, []);
 *   await server.close();
 *
 * A script is a function over an `Exchange`; it may await whatever the test holds, so that the test, not a clock, decides when the next
 * word comes. Without a script left, the server says back what it was told.
 */
import { randomUUID } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { refusalOf } from './openai-rules.js';
import type { Refusal } from './openai-rules.js';

/** A request for a completion as it arrived. */
export interface RecordedRequest {
  readonly headers: IncomingHttpHeaders;
  /** The parsed body; undefined when it is not JSON. */
  readonly body: CompletionBody | undefined;
}

/** The part of a body that tests look at; it has passed the rules unless the request was refused. */
export interface CompletionBody {
  readonly model: string;
  readonly stream?: boolean;
  readonly stream_options?: { readonly include_usage?: boolean };
  readonly messages: readonly { readonly role: string; readonly content?: unknown; readonly name?: string }[];
  readonly [field: string]: unknown;
}

/** What answers one request. When it returns without an ending, the connection stays open until the client leaves. */
export type Script = (exchange: Exchange) => void | Promise<void>;

/** One request and the answer to it, piece by piece. */
export interface Exchange {
  readonly request: RecordedRequest;
  /** Resolves when the connection is closed, by whomever. */
  readonly closed: Promise<void>;
  /** Sends text of the answer. */
  text(text: string): void;
  /** Sends a chunk with this delta. */
  delta(delta: object): void;
  /** Sends an event with this JSON. */
  event(value: unknown): void;
  /** Sends bytes of the event stream as they are. */
  raw(bytes: string): void;
  /** Ends the answer as the API does: finish reason, usage if it was asked for, `[DONE]`. */
  finish(reason?: string): void;
  /** Ends the stream, whatever is missing. */
  end(): void;
  /** Breaks the connection off. */
  cut(): void;
  /** Answers with a status and a body in place of a stream; JSON unless it is a string. */
  respond(status: number, body: unknown, headers?: Readonly<Record<string, string>>): void;
}

/** The running server. */
export interface OpenAiServer {
  /** `http://127.0.0.1:PORT/v1` */
  readonly baseUrl: string;
  /** The only key that is let in. */
  readonly apiKey: string;
  /** Every request for a completion, in order of arrival, refused ones as well. */
  readonly requests: readonly RecordedRequest[];
  /** What the real API would not have accepted. A test of a client asserts that there is none. */
  readonly violations: readonly string[];
  /** Sets the scripts of the requests to come, one each. */
  next(...scripts: readonly Script[]): void;
  /** The request with this index, from 0, as soon as it is there. */
  request(index: number): Promise<RecordedRequest>;
  /** Stops listening and closes every connection. */
  close(): Promise<void>;
}

/** The usage that the server reports. */
export const USAGE = { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 };

/**
 * Starts a server.
 * @param options.apiKey the key to let in
 * @param options.port where to listen; any free port unless given
 * @param options.models the models it has; any name unless given
 * @param options.otherwise the script of requests that `next` has none for
 */
export async function startOpenAiServer(
  options: {
    readonly apiKey?: string;
    readonly port?: number;
    readonly models?: readonly string[];
    readonly otherwise?: Script;
  } = {},
): Promise<OpenAiServer> {
  const { apiKey = 'test-key-0123456789', models, otherwise = echoes } = options;
  const requests: RecordedRequest[] = [];
  const violations: string[] = [];
  const scripts: Script[] = [];
  const arrivals = new EventEmitter();

  const refusal = ({ method, url, headers }: IncomingMessage, body: unknown): HttpRefusal | undefined => {
    if (headers.authorization !== `Bearer ${apiKey}`) {
      return { status: 401, message: 'Incorrect API key provided.', param: null, code: 'invalid_api_key' };
    }
    if (method !== 'POST' || url !== '/v1/chat/completions') {
      return { status: 404, message: `Unknown request URL: ${method} ${url}`, param: null, code: 'unknown_url' };
    }
    if (headers['content-type'] !== 'application/json') {
      return { status: 400, message: 'The content type must be application/json.', param: null, code: null };
    }
    const wrong = refusalOf(body);
    if (wrong !== undefined) return { status: 400, code: null, ...wrong };
    const { model } = body as CompletionBody;
    return models === undefined || models.includes(model)
      ? undefined
      : { status: 404, message: `The model '${model}' does not exist.`, param: 'model', code: 'model_not_found' };
  };

  const handle = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (incoming.method === 'GET' && incoming.url === '/v1/models') {
      const data = (models ?? ['scripted']).map((id) => ({ id, object: 'model', created: 0, owned_by: 'test' }));
      answer(response, 200, { object: 'list', data });
      return;
    }
    const body = parse(await textOf(incoming));
    const refused = refusal(incoming, body);
    const request: RecordedRequest = { headers: incoming.headers, body: body as CompletionBody | undefined };
    requests.push(request);
    arrivals.emit('request');
    if (refused === undefined) {
      await (scripts.shift() ?? otherwise)(exchange(request, response));
    } else {
      const { status, ...error } = refused;
      violations.push(error.message);
      answer(response, status, { error: { ...error, type: 'invalid_request_error' } });
    }
  };

  const server = createServer((incoming, response) => {
    handle(incoming, response).catch((error: unknown) => {
      violations.push(`a script failed: ${String(error)}`);
      response.destroy();
    });
  });
  server.listen(options.port ?? 0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    baseUrl: `http://127.0.0.1:${port}/v1`,
    apiKey,
    requests,
    violations,
    next: (...more) => {
      scripts.push(...more);
    },
    request: async (index) => {
      const signal = AbortSignal.timeout(10_000);
      for (;;) {
        const request = requests[index];
        if (request !== undefined) return request;
        await once(arrivals, 'request', { signal });
      }
    },
    close: async () => {
      if (!server.listening) return;
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

interface HttpRefusal extends Refusal {
  readonly status: number;
  readonly code: string | null;
}

/** The exchange over one response. A request without `stream` gets what its script streams as one completion, at its end. */
function exchange(request: RecordedRequest, response: ServerResponse): Exchange {
  const { model = '', stream = false, stream_options } = request.body ?? {};
  const kind = stream ? 'chat.completion.chunk' : 'chat.completion';
  const completion = { id: 'chatcmpl-1', object: kind, created: 1_700_000_000, model };
  let gathered = '';
  const raw = (bytes: string): void => {
    if (!response.headersSent) response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
    response.write(bytes);
  };
  const event = (value: unknown): void => raw(`data: ${JSON.stringify(value)}\n\n`);
  const chunk = (delta: object, finish_reason: string | null): void => {
    if (stream) event({ ...completion, choices: [{ index: 0, delta, finish_reason }] });
  };
  return {
    request,
    closed: new Promise((resolve) => {
      response.once('close', resolve);
    }),
    text: (text) => {
      gathered += text;
      chunk({ content: text }, null);
    },
    delta: (delta) => chunk(delta, null),
    event,
    raw,
    finish: (finish_reason = 'stop') => {
      if (!stream) {
        const message = { role: 'assistant', content: gathered, refusal: null };
        answer(response, 200, { ...completion, choices: [{ index: 0, message, finish_reason }], usage: USAGE });
        return;
      }
      chunk({}, finish_reason);
      if (stream_options?.include_usage === true) event({ ...completion, choices: [], usage: USAGE });
      raw('data: [DONE]\n\n');
      response.end();
    },
    end: () => {
      response.end();
    },
    cut: () => {
      response.destroy();
    },
    respond: (status, body, headers) => answer(response, status, body, headers),
  };
}

/** Says these pieces, and is done. */
export const textAnswer =
  (...pieces: readonly string[]): Script =>
  (exchange) => {
    exchange.delta({ role: 'assistant', content: '' });
    for (const piece of pieces) exchange.text(piece);
    exchange.finish();
  };

/** A tool to be used: its name, and its arguments, as JSON unless they are a text. */
export type Wanted = readonly [name: string, args?: unknown];

/** Wants tools used, with each call in pieces, as the API streams them. */
export const calls =
  (...wanted: readonly Wanted[]): Script =>
  (exchange) => {
    for (const [index, [name, args = {}]] of wanted.entries()) {
      const written = typeof args === 'string' ? args : JSON.stringify(args);
      const half = Math.ceil(written.length / 2);
      const call = { index, id: `call_${randomUUID()}`, type: 'function', function: { name, arguments: '' } };
      exchange.delta({ tool_calls: [call] });
      for (const piece of [written.slice(0, half), written.slice(half)])
        exchange.delta({ tool_calls: [{ index, function: { arguments: piece } }] });
    }
    exchange.finish('tool_calls');
  };

/** Says something, and wants tools used. */
export const saysAndCalls =
  (text: string, ...wanted: readonly Wanted[]): Script =>
  (exchange) => {
    exchange.text(text);
    return calls(...wanted)(exchange);
  };

/** Ends without a word. */
export const saysNothing: Script = (exchange) => exchange.finish();

/** Says back what the last message said, without the mark in front of it. */
export const echoes: Script = (exchange) => {
  const said = exchange.request.body?.messages.at(-1)?.content;
  return textAnswer(
    'You said: ',
    typeof said === 'string' ? said.replace(/^\[#\w{4}\] /, '') : JSON.stringify(said),
  )(exchange);
};

/** Refuses with an error of the API's own shape: 401, 403, 429, 500 … */
export const fails =
  (
    status: number,
    {
      message = `failure ${status}`,
      code = null,
      headers = {},
    }: {
      readonly message?: string;
      readonly code?: string | null;
      readonly headers?: Readonly<Record<string, string>>;
    } = {},
  ): Script =>
  (exchange) =>
    exchange.respond(status, { error: { message, type: 'error', param: null, code } }, headers);

/** Answers with a web page, as a proxy in between does. */
export const sendsPage =
  (status: number, title: string): Script =>
  (exchange) =>
    exchange.respond(
      status,
      `<!DOCTYPE html><html><head><title>${title}</title></head><body>${'<p>…</p>'.repeat(500)}</body></html>`,
      {
        'content-type': 'text/html',
      },
    );

/** Takes the request, and never answers. */
export const hangs: Script = () => undefined;

/** Says something, and then nothing more, with the connection open. */
export const stalls =
  (text: string): Script =>
  (exchange) =>
    exchange.text(text);

/**
 * Says something, and breaks the connection off: when `when` says so, else after a moment that lets the client read the text first
 * (what it has not read by then is lost with the connection).
 */
export const cutsOff =
  (text: string, when?: Promise<void>): Script =>
  async (exchange) => {
    exchange.text(text);
    await (when ??
      new Promise((resolve) => {
        setTimeout(resolve, 50);
      }));
    exchange.cut();
  };

/** Says something and ends its stream without a finish reason. */
export const forgetsToFinish =
  (text: string): Script =>
  (exchange) => {
    if (text !== '') exchange.text(text);
    exchange.raw('data: [DONE]\n\n');
    exchange.end();
  };

/** Says nothing, and keeps the connection alive with comments and empty deltas until the client leaves. */
export const keepsAlive: Script = async (exchange) => {
  const timer = setInterval(() => {
    exchange.raw(': keepalive\n\n');
    exchange.delta({ content: '' });
  }, 5);
  await exchange.closed;
  clearInterval(timer);
};

function answer(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(typeof body === 'string' ? body : JSON.stringify(body));
}

async function textOf(incoming: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of incoming) pieces.push(piece as Buffer);
  return Buffer.concat(pieces).toString('utf8');
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
