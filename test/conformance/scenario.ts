/** Scenarios as they stand in fixtures/streams: reading and writing the format that docs/fixtures.md describes. */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const STREAMS = fileURLToPath(new URL('../../fixtures/streams/', import.meta.url));

/** Client, server, application, event, network, other: who does what a step says. */
export type StepKind = 'C' | 'S' | 'A' | 'E' | 'N' | 'O';

export interface Step {
  readonly kind: StepKind;
  /** Whether it may change places with those of its kind next to it (`C&:`). */
  readonly unordered: boolean;
  /** As written, without what marks it and with its line breaks. */
  readonly content: string;
  /** Its first line is at `fixtures/streams/…:LINE`. */
  readonly at: string;
  /** The remarks right above it, without their marks. */
  readonly remarks: readonly string[];
}

export type Way = 'StartTLS' | 'direct TLS' | 'WebSocket';

/** Who the client is and what it can do. A scenario that comes after another has these of that one. */
export interface Settings {
  /** A bare JID. */
  readonly account: string;
  readonly password: string;
  readonly resource: string | undefined;
  readonly way: Way;
  readonly login: 'password' | 'anonymous' | 'external';
  /** What is switched on: `roster`, `XEP-0184`. */
  readonly client: readonly string[];
}

export interface Scenario {
  /** Below fixtures/streams, such as `prosody-13/message.txt`. */
  readonly file: string;
  readonly title: string;
  readonly server: string;
  /** The day of it; by hand when no server said it. */
  readonly made: { readonly on: string; readonly byHand: boolean };
  readonly shows: string;
  /** Sections (`XEP-0045 §7.2`), and ids of requirements in brackets. */
  readonly covers: readonly string[];
  /** The file whose steps come first, below fixtures/streams. */
  readonly after: string | undefined;
  readonly settings: Settings;
  /** Its own steps. */
  readonly steps: readonly Step[];
  /** Its own, after those of what it comes after. */
  readonly allSteps: readonly Step[];
  /** As written, for who writes the file anew. */
  readonly headers: ReadonlyMap<string, string>;
}

/** A file that cannot be read. `message` begins with the file and the line, and says what to do. */
export class ScenarioError extends Error {
  override readonly name = 'ScenarioError';
}

const HEADERS = ['Title', 'Server', 'Recorded', 'Written', 'Shows', 'Covers', 'After'];
const SETTINGS = ['Account', 'Password', 'Resource', 'Way', 'Client', 'Login'];
const LINE_LENGTH = 137;
const WAYS: readonly Way[] = ['StartTLS', 'direct TLS', 'WebSocket'];
const LOGINS = ['password', 'anonymous', 'external'] as const;
/** Only what the client does may change places. */
const STEP = /^([SANO](?!&)|[CE])(&?):(?: (.*))?$/;
const HEADER = /^([A-Z][a-z]+):(?: (.*))?$/;

/** The files of all scenarios, below fixtures/streams, in the order of their names. */
export function scenarioFiles(): readonly string[] {
  return readdirSync(STREAMS, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.txt'))
    .toSorted();
}

/**
 * Reads a scenario, and those that it comes after.
 * @param file below fixtures/streams
 * @throws ScenarioError
 */
export function readScenario(file: string): Scenario {
  return parseScenario(readFileSync(join(STREAMS, file), 'utf8'), file, (name) => readScenario(name));
}

/**
 * @param file what positions in messages begin with, below fixtures/streams
 * @param read finds the scenario that this one comes after
 * @throws ScenarioError
 */
export function parseScenario(text: string, file: string, read: (file: string) => Scenario): Scenario {
  const lines = text.split('\n');
  const end = lines.findIndex((line) => line.trim() === '');
  const headers = readHeaders(lines.slice(0, end === -1 ? lines.length : end), file);
  const steps = readSteps(lines, end === -1 ? lines.length : end, file);
  const after = headers.get('After');
  const base = after === undefined ? undefined : read(join(dirname(file), after));
  const { on, byHand } = dayOf(headers, file);
  return {
    file,
    title: need(headers, 'Title', file),
    server: need(headers, 'Server', file),
    made: { on, byHand },
    shows: need(headers, 'Shows', file),
    covers: need(headers, 'Covers', file).split(/; */).flatMap(eachSection),
    after: base?.file,
    settings: base === undefined ? readSettings(headers, file) : inherited(base, headers, file),
    steps,
    allSteps: [...(base?.allSteps ?? []), ...steps],
    headers,
  };
}

/** `XEP-0045 §7.2, §7.4` is two of them. */
function eachSection(covered: string): readonly string[] {
  const [specification = '', ...sections] = covered.split(/,? §/);
  return sections.length === 0 ? [covered] : sections.map((section) => `${specification} §${section}`);
}

/** The text of a scenario with other steps, ready to be written to its file. */
export function writeScenario(headers: ReadonlyMap<string, string>, steps: readonly Step[]): string {
  const top = [...headers].map(([name, value]) => continued(wrapped(`${name}: ${value}`)));
  const blocks: string[] = [];
  for (const { kind, unordered, content, remarks } of steps) {
    const lines = [...remarks.map((remark) => `# ${remark}`), `${kind}${unordered ? '&' : ''}: ${continued(content)}`];
    // What the application or somebody else begins stands apart from what came before.
    const isBeginning = kind === 'A' || kind === 'O' || remarks.length > 0;
    blocks.push(`${isBeginning && blocks.length > 0 ? '\n' : ''}${lines.join('\n')}`);
  }
  return `${top.join('\n')}\n\n${blocks.join('\n')}\n`;
}

/** Lines of a length that is read well. */
function wrapped(text: string): string {
  const lines = [''];
  for (const word of text.split(' ')) {
    const line = lines.at(-1) ?? '';
    if (line !== '' && line.length + word.length >= LINE_LENGTH) lines.push(word);
    else lines.splice(-1, 1, line === '' ? word : `${line} ${word}`);
  }
  return lines.join('\n');
}

function continued(content: string): string {
  return content.replaceAll('\n', '\n   ');
}

function readHeaders(lines: readonly string[], file: string): ReadonlyMap<string, string> {
  const headers = new Map<string, string>();
  let last: string | undefined;
  for (const [index, line] of lines.entries()) {
    const [, name, value = ''] = HEADER.exec(line) ?? [];
    if (name !== undefined && [...HEADERS, ...SETTINGS].includes(name)) {
      if (headers.has(name)) throw new ScenarioError(`${file}:${index + 1}: there is a second ${name}`);
      headers.set(name, value);
      last = name;
    } else if (line.startsWith('   ') && last !== undefined) {
      headers.set(last, `${headers.get(last) ?? ''} ${line.trim()}`.trim());
    } else {
      const known = [...HEADERS, ...SETTINGS].join(', ');
      throw new ScenarioError(`${file}:${index + 1}: not a header; they are ${known}, each with a colon after it`);
    }
  }
  return headers;
}

function readSteps(lines: readonly string[], from: number, file: string): readonly Step[] {
  const steps: Step[] = [];
  let remarks: string[] = [];
  for (let index = from; index < lines.length; index += 1) {
    const line = lines[index] ?? '';
    if (line.startsWith('#')) {
      remarks.push(line.slice(1).trim());
      continue;
    }
    if (line.trim() === '') continue;
    const [, kind, ampersand, first = ''] = STEP.exec(line) ?? [];
    if (kind === undefined) {
      throw new ScenarioError(
        `${file}:${index + 1}: a step begins with C:, S:, A:, E:, N: or O:, a remark with #, and a line that goes on with three spaces`,
      );
    }
    const at = `fixtures/streams/${file}:${index + 1}`;
    const content = [first];
    while (lines[index + 1]?.startsWith('   ') === true) content.push(lines[(index += 1)]?.slice(3) ?? '');
    steps.push({
      kind: isKind(kind) ? kind : 'O',
      unordered: ampersand === '&',
      content: content.join('\n').trimEnd(),
      at,
      remarks,
    });
    remarks = [];
  }
  return steps;
}

function isKind(kind: string): kind is StepKind {
  return 'CSAENO'.includes(kind);
}

function readSettings(headers: ReadonlyMap<string, string>, file: string): Settings {
  const way = need(headers, 'Way', file);
  const login = headers.get('Login') ?? 'password';
  return {
    account: need(headers, 'Account', file),
    password: headers.get('Password') ?? '',
    resource: headers.get('Resource'),
    way: oneOf(WAYS, way, 'Way', file),
    login: oneOf(LOGINS, login, 'Login', file),
    client: (headers.get('Client') ?? '')
      .split(',')
      .map((one) => one.trim())
      .filter((one) => one !== ''),
  };
}

function inherited(base: Scenario, headers: ReadonlyMap<string, string>, file: string): Settings {
  const own = SETTINGS.find((name) => headers.has(name));
  if (own === undefined) return base.settings;
  throw new ScenarioError(`${file}:1: ${own} is that of ${basename(base.file)}, which this comes after; take it out`);
}

function oneOf<Word extends string>(words: readonly Word[], value: string, name: string, file: string): Word {
  const word = words.find((one) => one === value);
  if (word === undefined) throw new ScenarioError(`${file}:1: ${name} is one of ${words.join(', ')}, not '${value}'`);
  return word;
}

function dayOf(headers: ReadonlyMap<string, string>, file: string): Scenario['made'] {
  const recorded = headers.get('Recorded');
  const written = headers.get('Written');
  const on = recorded ?? written ?? '';
  if ((recorded === undefined) === (written === undefined) || !/^\d{4}-\d\d-\d\d$/.test(on)) {
    throw new ScenarioError(`${file}:1: needs either 'Recorded' or 'Written', with a day as YYYY-MM-DD`);
  }
  return { on, byHand: written !== undefined };
}

function need(headers: ReadonlyMap<string, string>, name: string, file: string): string {
  const value = headers.get(name);
  if (value !== undefined && value !== '') return value;
  throw new ScenarioError(`${file}:1: the header has no ${name}`);
}
