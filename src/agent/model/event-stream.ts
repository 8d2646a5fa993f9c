/**
 * Reads the body of a response as events: server-sent events (WHATWG HTML §9.2), and what servers send in their place: events without an empty line
 * between them, the event of an error under a field named `error`, or bare JSON, one object a line or one for the whole body.
 */

/** One event. */
export interface ServerEvent {
  /** Its name; `message` where none was sent, `error` for a field with that name. */
  readonly name: string;
  readonly data: string;
}

/** An event is larger than allowed. */
export class EventTooLong extends Error {
  override readonly name = 'EventTooLong';
}

/** The most characters of one event, which usually has a few hundred. */
const MAX_EVENT = 1024 * 1024;

/** Yields the events of a body. An event without data is none. @throws EventTooLong, and the error of the body */
export async function* readEvents(
  body: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): AsyncGenerator<ServerEvent, void, undefined> {
  const decoder = new TextDecoder();
  const parser = new EventParser();
  for await (const bytes of body) yield* parser.push(decoder.decode(bytes, { stream: true }));
  yield* parser.push(`${decoder.decode()}\n`);
  yield* parser.end();
}

/** Parses text that arrives in pieces. */
export class EventParser {
  /** Pieces of the line that is not complete. */
  #line: string[] = [];
  #lineLength = 0;
  #endedWithCr = false;
  #name = '';
  #data: string[] = [];
  /** Lines of bare JSON. */
  #json: string[] = [];
  #size = 0;

  /** Takes the next text. @returns the events that it completes @throws EventTooLong */
  push(text: string): ServerEvent[] {
    const events: ServerEvent[] = [];
    // A line ends with LF, CR or both, and the two can come in different pieces.
    const [first = '', ...rest] = (this.#endedWithCr && text.startsWith('\n') ? text.slice(1) : text).split(
      /\r\n|\r|\n/,
    );
    if (text !== '') this.#endedWithCr = text.endsWith('\r');
    this.#hold(first);
    for (const piece of rest) {
      const line = this.#line.join('');
      this.#line = [];
      this.#lineLength = 0;
      events.push(...this.#take(line));
      this.#hold(piece);
    }
    return events;
  }

  /** The body has ended. @returns the event that no empty line ended */
  end(): ServerEvent[] {
    return this.#dispatch();
  }

  #hold(piece: string): void {
    this.#lineLength += piece.length;
    if (this.#size + this.#lineLength > MAX_EVENT)
      throw new EventTooLong(`an event of more than ${MAX_EVENT} characters`);
    if (piece !== '') this.#line.push(piece);
  }

  #take(line: string): ServerEvent[] {
    if (line.trim() === '') return this.#dispatch();
    this.#size += line.length;
    const [, field, value = ''] = /^\uFEFF?(data|event|error|id|retry)(?::\s?(.*))?$/s.exec(line) ?? [];
    if (field === 'event') this.#name = value.trim();
    else if (field === 'data' || field === 'error') return this.#addData(field, value);
    else if (field === undefined && (this.#json.length > 0 || /^\uFEFF?\s*[[{]/.test(line))) return this.#addJson(line);
    return [];
  }

  /** Some servers leave the empty line out: a whole object is then followed by the next. Blanks are heartbeats, or white space in JSON. */
  #addData(field: 'data' | 'error', value: string): ServerEvent[] {
    if (value.trim() === '') return [];
    const isNext = this.#json.length > 0 || (this.#data.length === 1 && isWhole(this.#data[0] ?? ''));
    const before = isNext ? this.#dispatch() : [];
    if (field === 'error') this.#name = 'error';
    this.#data.push(value);
    return before;
  }

  #addJson(line: string): ServerEvent[] {
    this.#json.push(line);
    return this.#json.length === 1 && isWhole(line) ? this.#dispatch() : [];
  }

  #dispatch(): ServerEvent[] {
    const name = this.#name === '' ? 'message' : this.#name;
    const data = (this.#data.length > 0 ? this.#data : this.#json).join('\n').trim();
    this.#name = '';
    this.#data = [];
    this.#json = [];
    this.#size = 0;
    return data === '' ? [] : [{ name, data }];
  }
}

/** Whether a text is a whole JSON object, or the end of a stream. */
function isWhole(text: string): boolean {
  const trimmed = text.trim();
  if (trimmed === '[DONE]') return true;
  if (!/^[[{]/.test(trimmed)) return false;
  try {
    JSON.parse(trimmed);
    return true;
  } catch {
    return false;
  }
}
