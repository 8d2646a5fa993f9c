/**
 * The `fetch` of the `openai` package: controls what is sent, and limits what is received.
 *
 * The package adds headers of its own and, with no option to prevent it, those of OPENAI_CUSTOM_HEADERS, which may be meant for
 * another provider. So the request's headers are not filtered but replaced. The key is added here too: the package never
 * has it, so its logs and errors cannot contain it.
 */

/** Error bodies are cut at this length. */
const ERROR_BODY_BYTES = 64 * 1024;
/** How many pieces of white space may come before the text. */
const MAX_PEEKED = 64;

type Fetch = (url: string | URL | Request, init?: RequestInit) => Promise<Response>;

/** The response is an error or a web page, and no answer. */
export class NoAnswerError extends Error {
  override readonly name = 'NoAnswerError';
  readonly status: number;
  readonly headers: Headers;
  /** The body as text, cut to 64 KiB. */
  readonly body: string;

  constructor(response: Response, body: string) {
    super('the response is no answer');
    this.status = response.status;
    this.headers = response.headers;
    this.body = body;
  }
}

/**
 * A `fetch` for the `openai` package that sends only its JSON body and our headers, follows no redirect, and returns only what can be an
 * answer. Its label says little: servers call streams JSON or HTML. So a page is known by its first character.
 * @throws NoAnswerError for any other response; the package passes it on as the `cause` of its own error
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
    const { body, ok, status, statusText, headers: received } = response;
    const [first, all] = await peeked(body);
    if (ok && !isPage(first)) return new Response(all, { status, statusText, headers: received });
    throw new NoAnswerError(response, await new Response(all?.pipeThrough(firstBytes(ERROR_BODY_BYTES))).text());
  };
}

/** Reads the beginning of a body, up to its first text. @returns that, and the whole body */
async function peeked(
  body: ReadableStream<Uint8Array<ArrayBuffer>> | null,
): Promise<[string, ReadableStream<Uint8Array<ArrayBuffer>> | null]> {
  if (body === null) return ['', null];
  const reader = body.getReader();
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let text = '';
  let isEnded = false;
  while (!isEnded && text.trim() === '' && chunks.length < MAX_PEEKED) {
    const { done, value } = await reader.read();
    isEnded = done;
    if (value !== undefined) chunks.push(value);
    text += new TextDecoder().decode(value);
  }
  const all = new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      const next = chunks.shift() ?? (await reader.read()).value;
      if (next === undefined) controller.close();
      else controller.enqueue(next);
    },
    cancel: (reason) => reader.cancel(reason),
  });
  return [text.trimStart(), all];
}

function isPage(text: string): boolean {
  return text.startsWith('<');
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
