/**
 * What some providers require back with a tool call: Gemini its thought signature (`extra_content` of the call), DeepSeek its `reasoning_content`,
 * OpenRouter the `reasoning_details`. It is kept with the calls as it came, and sent back to the model that it came from, and to no other.
 */

/** What goes back with the tool calls of one answer. JSON, as the provider wrote it. */
export interface Echo {
  /** The name of the model that it came from: `provider/model`. */
  readonly from: string;
  /** Fields of the message. */
  readonly message?: Readonly<Record<string, unknown>>;
  /** `extra_content` of the calls, by their ids. */
  readonly calls?: Readonly<Record<string, unknown>>;
}

/** The most characters of JSON that are kept. Requests without it may be refused, but history files stay readable. */
const MAX_CHARACTERS = 256 * 1024;
/** How many parts of `reasoning_details` are kept. */
const MAX_DETAILS = 256;

/** Collects what goes back, from the pieces of a stream. */
export class EchoCollector {
  #reasoning = '';
  readonly #details: Record<string, unknown>[] = [];

  /** Adds the fields of a delta or message. */
  add({ reasoning_content: reasoning, reasoning_details: details }: Readonly<Record<string, unknown>>): void {
    if (typeof reasoning === 'string' && this.#reasoning.length < MAX_CHARACTERS) this.#reasoning += reasoning;
    if (!Array.isArray(details)) return;
    for (const detail of details as unknown[])
      if (typeof detail === 'object' && detail !== null) this.#addDetail(detail as Record<string, unknown>);
  }

  /** @param calls `extra_content` by the id of the call @returns `undefined` when nothing has to go back */
  finish(from: string, calls: ReadonlyMap<string, unknown>): Echo | undefined {
    const message = {
      ...(this.#reasoning === '' ? {} : { reasoning_content: this.#reasoning }),
      ...(this.#details.length === 0 ? {} : { reasoning_details: this.#details }),
    };
    const echo = {
      from,
      ...(Object.keys(message).length === 0 ? {} : { message }),
      ...(calls.size === 0 ? {} : { calls: Object.fromEntries(calls) }),
    };
    const isEmpty = echo.message === undefined && echo.calls === undefined;
    return isEmpty || JSON.stringify(echo).length > MAX_CHARACTERS ? undefined : echo;
  }

  /** The pieces of one part have its index and type; their texts are joined. */
  #addDetail(piece: Record<string, unknown>): void {
    const last = this.#details.at(-1);
    const continues =
      last !== undefined &&
      piece['index'] !== undefined &&
      last['index'] === piece['index'] &&
      last['type'] === piece['type'];
    if (!continues) {
      if (this.#details.length < MAX_DETAILS) this.#details.push({ ...piece });
      return;
    }
    for (const [field, value] of Object.entries(piece)) {
      const before = last[field];
      const isText =
        ['text', 'summary', 'data'].includes(field) && typeof before === 'string' && typeof value === 'string';
      if (isText && before.length + value.length <= MAX_CHARACTERS) last[field] = before + value;
      else if (!isText && value !== null && value !== undefined) last[field] = value;
    }
  }
}
