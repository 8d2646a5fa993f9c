/**
 * The one door between the `openai` package and the network: what goes out, and how much may come in.
 *
 * The package adds headers of its own and, with no option to stop it, those of OPENAI_CUSTOM_HEADERS, which may be meant for
 * another provider. So the request's headers are not filtered here but written anew. The key is added here too: the package never
 * holds it, so nothing the package logs or throws can show it.
 */

/** An error page or a JSON error is cut here; nobody reads more of it. */
const ERROR_BODY_BYTES = 64 * 1024;
/** One event of a stream is a few hundred bytes. The package gathers an event in time quadratic in its size, so it must end. */
const EVENT_BYTES = 1024 * 1024;

const LF = 0x0a;
const CR = 0x0d;

type Fetch = (url: string | URL | Request, init?: RequestInit) => Promise<Response>;

/** The provider answered, but with something other than an event stream: an error, or a page. */
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
 * A `fetch` for the `openai` package that sends its JSON body, our headers and nothing else, follows no redirect, and gives back event
 * streams only: anything else is thrown as a `NoStreamError`, which the package passes on as the `cause` of its own.
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
      // Followed, a redirect would carry the conversation to a host nobody configured.
      redirect: 'manual',
    });
    const { body, status, statusText } = response;
    if (body === null || !isStream(response)) {
      throw new NoStreamError(response, await new Response(body?.pipeThrough(firstBytes(ERROR_BODY_BYTES))).text());
    }
    return new Response(body.pipeThrough(eventsUpTo(EVENT_BYTES)), { status, statusText, headers: response.headers });
  };
}

/** Whether a response may be an event stream: some servers leave the content type out, but none calls a stream HTML or JSON. */
function isStream(response: Response): boolean {
  return response.ok && !/\b(?:html|json)\b/i.test(response.headers.get('content-type') ?? '');
}

/** Passes the first `limit` bytes on, and ends there. */
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

/** Passes everything on, and fails when more than `limit` bytes come without the empty line that ends an event. */
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
