/** What a scenario is held against: an implementation of XMPP, behind a neutral face of lines. */
import type { Settings } from './scenario.js';

/** Where the scripted peer is, and whom the client may trust. */
export interface Site {
  readonly host: string;
  readonly port: number;
  /** With the way `WebSocket`, the URL to use instead of host and port. */
  readonly webSocket: string;
  /** The authority's certificate, PEM. */
  readonly authority: string;
  /** What the client shows in a TLS handshake where it logs in by certificate, PEM. */
  readonly identity: { readonly certificate: string; readonly key: string };
}

/**
 * One client and its application. Made for one scenario; what it stores lasts as long. It does nothing before the action `start`, tries again at
 * once when a connection is lost, and tells of the result of what it was asked by an event, too.
 */
export interface Implementation {
  /** Does what an `A:` step says, without waiting for what comes of it. Throws when it does not know the action. */
  act(action: Line): void;
  /** Ends everything. */
  stop(): Promise<void>;
}

export type StartImplementation = (
  settings: Settings,
  site: Site,
  told: (event: Line) => void,
) => Promise<Implementation>;

/** An action or an event: `message from bob@example.org body "hello there"`. */
export interface Line {
  /** Its first word. */
  readonly verb: string;
  /** The others, as pairs. */
  readonly fields: ReadonlyMap<string, string>;
}

const WORD = /"((?:[^"\\]|\\.)*)"|(\S+)/gs;

/**
 * Reads a line: a verb, then pairs of a name and a value; a value with spaces stands in quotes, where `\"`, `\\` and `\n` are what they are elsewhere.
 * @throws Error when a value is missing
 */
export function readLine(text: string): Line {
  const words = [...text.matchAll(WORD)].map(([, quoted, bare]) => bare ?? unescape(quoted ?? ''));
  const [verb = '', ...rest] = words;
  const fields = new Map<string, string>();
  for (let index = 0; index < rest.length; index += 2) {
    const [name = '', value] = rest.slice(index, index + 2);
    if (value === undefined) throw new Error(`'${name}' has no value in: ${text}`);
    fields.set(name, value);
  }
  return { verb, fields };
}

/** The line as text, in one line. */
export function writeLine({ verb, fields }: Line): string {
  return [verb, ...[...fields].flatMap(([name, value]) => [name, quoted(value)])].join(' ');
}

/** A line made of what is known: fields without a value are left out. */
export function line(verb: string, fields: Readonly<Record<string, string | number | boolean | undefined>> = {}): Line {
  const known = Object.entries(fields).filter(
    (entry): entry is [string, string | number | boolean] => entry[1] !== undefined,
  );
  return { verb, fields: new Map(known.map(([name, value]) => [name, String(value)])) };
}

function quoted(value: string): string {
  if (/^[^\s"]+$/.test(value)) return value;
  return `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`;
}

function unescape(value: string): string {
  return value.replaceAll(/\\(.)/gs, (_, character: string) => (character === 'n' ? '\n' : character));
}
