/**
 * The `fetch` of the `openai` package: controls what is sent, and limits what is received.
 *
 * The package adds headers of its own and, with no option to prevent it, those of OPENAI_CUSTOM_HEADERS, which may be meant for
 * another provider. So the request's headers are not filtered but replaced. The key is added here too: the package never
 * has it, so its logs and errors cannot contain it.
 */

/** Error bodies are cut at this length. */
const ERROR_BODY_BYTES = 64 * 1024;
/** The maximum size of one event, usually a few hundred bytes. The package needs quadratic time to assemble an event. */
const EVENT_BYTES = 1024 * 1024;

const LF = 0x0a;
const CR = 0x0d;

type Fetch = (url: string | URL | Request, init?: RequestInit) => Promise<Response>;

/** The response is not an event stream but an error or a web page. */
export class NoStreamError extends Error {
  override readonly name = 'NoStreamError';
  readonly status: number;
  readonly headers: Headers;
  /** The body as text, cut to 64 KiB. */
  readonly body: string;

  constructor(response: Response, body: string) {
    super('the answer is not an event stream');
    this.status = response.status;
    this.headers = response.headers;
    this.body = body;
  }
}

/**
 * A `fetch` for the `openai` package that sends only its JSON body and our headers, follows no redirect, and returns only event
 * streams.
 * @throws NoStreamError for any other response; the package passes it on as the `cause` of its own error
 */
export function openAiFetch(apiKey: { reveal(): string } | undefined): Fetch {
  return async (url, init) => {
    const headers = new Headers({
      accept: 'text/event-stream, application/json',
      'content-type': 'application/json',
      'user-agent': 'moltis-xmpp',
    });
    if (apiKey !== undefined) headers.set('authorization', `Bearer ${apiKey.reveal()}`);
    const response = await fetch(url, {
      method: 'POST',
      headers,
      body: init?.body ?? null,
      signal: init?.signal ?? null,
      // Following a redirect would send the conversation to a host that nobody configured.
      redirect: 'manual',
    });
    const { body, status, statusText } = response;
    if (body === null || !isStream(response)) {
      throw new NoStreamError(response, await new Response(body?.pipeThrough(firstBytes(ERROR_BODY_BYTES))).text());
    }
    return new Response(body.pipeThrough(eventsUpTo(EVENT_BYTES)), { status, statusText, headers: response.headers });
  };
}

/** Whether a response may be an event stream: some servers omit the content type, but none labels a stream HTML or JSON. */
function isStream(response: Response): boolean {
  return response.ok && !/\b(?:html|json)\b/i.test(response.headers.get('content-type') ?? '');
}

/** Passes on the first `limit` bytes and ends the stream there. */
function firstBytes(limit: number): TransformStream<Uint8Array, Uint8Array> {
  let left = limit;
  return new TransformStream({
    transform(chunk, controller) {
      controller.enqueue(chunk.subarray(0, left));
      left -= chunk.length;
      if (left <= 0) controller.terminate();
    },
  });
}

/** Passes everything on, and fails when more than `limit` bytes arrive without the empty line that ends an event. */
function eventsUpTo(limit: number): TransformStream<Uint8Array, Uint8Array> {
  let size = 0;
  let previous = 0;
  return new TransformStream({
    transform(chunk, controller) {
      for (const byte of chunk) {
        size = byte === LF && previous === LF ? 0 : size + 1;
        if (byte !== CR) previous = byte;
      }
      if (size > limit) throw new SyntaxError(`an event of more than ${limit} bytes`);
      controller.enqueue(chunk);
    },
  });
}
