/** Plays the server's side of a scenario, and holds an implementation against the rest. */
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import type { SecureVersion } from 'node:tls';
import { readLine, writeLine, type Implementation, type Line, type StartImplementation } from './implementation.js';
import { ScriptedPeer, type Connection } from './peer.js';
import { inTime, Queue } from './queue.js';
import { SaslPeer } from './sasl-peer.js';
import type { Scenario, Step } from './scenario.js';
import { bytesOf, fill, SASL, type Bindings, type Outcome } from './template.js';
import { nextOf, turnsOf } from './turns.js';
import { differs, matchItem, matchLine, ReplayError, shown } from './verdict.js';
import { parseFrame, parseItem, withoutLayout, type Item, type XmlTree } from './xml-tree.js';

const NS_COUNTING = 'urn:xmpp:sm:3';

/** How long who is not online has for what it must not do, such as to come back. */
const QUIET_MS = 50;

const VERSIONS: ReadonlyMap<string, SecureVersion> = new Map([
  ['1.1', 'TLSv1.1'],
  ['1.2', 'TLSv1.2'],
]);

export interface ReplayOptions {
  /** Whether each byte of the server is a write of its own; else each turn is one. */
  readonly byteByByte?: boolean;
}

/**
 * Plays a scenario once.
 * @throws ReplayError at the first step that does not hold
 */
export async function replay(
  scenario: Scenario,
  start: StartImplementation,
  { byteByByte = false }: ReplayOptions = {},
): Promise<void> {
  const peer = await ScriptedPeer.listen(scenario.settings.way);
  const told = new Queue<Line>();
  let implementation: Implementation | undefined;
  try {
    implementation = await start(scenario.settings, peer.site, (event) => told.add(event));
    await new Replay(scenario, peer, implementation, told, byteByByte).run();
  } finally {
    peer.close();
    await implementation?.stop();
  }
}

/** One side of the client: what it sends, or what it tells. */
interface Side<Thing> {
  /** What a step wants. */
  readonly read: (step: Step) => Thing;
  readonly next: () => Promise<Thing>;
  readonly match: (wanted: Thing, came: Thing, bindings: Bindings) => Outcome;
  /** What came, for people. */
  readonly text: (came: Thing) => string;
  readonly taken: (came: Thing) => void;
  /** Whether it is right wherever it comes; if so, it is no more to be looked at. */
  readonly passOver: (came: Thing) => boolean;
}

class Replay {
  readonly #scenario: Scenario;
  readonly #peer: ScriptedPeer;
  readonly #implementation: Implementation;
  readonly #told: Queue<Line>;
  readonly #byteByByte: boolean;
  readonly #tokens = new Map<string, string>();
  #bindings: Bindings = new Map();
  /** The last one, and all of them. */
  #connection: Connection | undefined;
  readonly #connections: Connection[] = [];
  #sasl: SaslPeer | undefined;
  #advertised: { mechanisms: string[]; bindings: string[] } = { mechanisms: [], bindings: [] };
  #fences = 0;
  /** What the client has told of itself. */
  #isOnline = false;
  #mayReturn = false;
  /** Whether it has asked for stream management (XEP-0198). */
  #isCounting = false;
  /** How often it has asked how far the server is before the script does. */
  #askedAhead = 0;

  constructor(
    scenario: Scenario,
    peer: ScriptedPeer,
    implementation: Implementation,
    told: Queue<Line>,
    byteByByte: boolean,
  ) {
    this.#scenario = scenario;
    this.#peer = peer;
    this.#implementation = implementation;
    this.#told = told;
    this.#byteByByte = byteByByte;
  }

  async run(): Promise<void> {
    for (const turn of turnsOf(this.#scenario.allSteps)) {
      const [first] = turn;
      if (first === undefined) continue;
      try {
        await this.#take(first, turn);
      } catch (error) {
        if (error instanceof ReplayError) throw error;
        throw new ReplayError(
          `${first.at}: ${error instanceof Error ? error.message : String(error)}\n${shown(first)}`,
          {
            cause: error,
          },
        );
      }
    }
    await this.#nothingMore(this.#scenario.allSteps.at(-1));
  }

  async #take(step: Step, turn: readonly Step[]): Promise<void> {
    switch (step.kind) {
      case 'A':
        return this.#implementation.act(readLine(this.#fill(step.content)));
      case 'S':
        return this.#say(turn);
      case 'C':
        return this.#hear(turn);
      case 'E':
        return step.content === 'nothing' ? this.#nothing(step.at) : this.#learn(turn);
      case 'N':
        return this.#network(step);
      case 'O':
      // What somebody else did shows in what the server says.
    }
  }

  /** The server's turn: one write. */
  async #say(turn: readonly Step[]): Promise<void> {
    const connection = this.#connected();
    if (this.#scenario.settings.way === 'WebSocket') {
      for (const { content } of turn) await connection.say(this.#server(withoutLayout(content)), false);
      return;
    }
    const said = turn.map(({ content }) => bytesOf(withoutLayout(content), (text) => this.#server(text)));
    await connection.say(Buffer.concat(said), this.#byteByByte);
  }

  #server(content: string): string {
    const text = this.#fill(content);
    this.#noteAdvertised(text);
    return text;
  }

  /** The client's turn: what it sends, one by one; those that may change places in any order. */
  async #hear(turn: readonly Step[]): Promise<void> {
    const wanted = turn.filter(({ content }) => !(this.#askedAhead > 0 && this.#isFree(this.#itemOf(content))));
    this.#askedAhead -= turn.length - wanted.length;
    await this.#meet(wanted, {
      read: ({ content }) => this.#itemOf(content),
      next: async () => this.#connected().items.next(),
      match: matchItem,
      text: (item) => `the client sent:\n   ${item.text}`,
      taken: ({ tree }) => {
        this.#hearSasl(tree);
        this.#isCounting ||= has(tree, NS_COUNTING, ['enable', 'resume']);
      },
      passOver: (item) => this.#passOver(item),
    });
  }

  /** What the client tells, likewise. */
  async #learn(turn: readonly Step[]): Promise<void> {
    await this.#meet(turn, {
      read: ({ content }) => readLine(content),
      next: async () => this.#told.next(),
      match: matchLine,
      text: (event) => `the client told:\n   ${writeLine(event)}`,
      taken: (event) => this.#noteState(event),
      passOver: () => false,
    });
  }

  /** When a client that counts stanzas asks how far the server is, is its own affair (XEP-0198 §4). */
  #isFree({ tree }: Item): boolean {
    return this.#isCounting && tree.name === 'r' && tree.ns === NS_COUNTING;
  }

  #passOver(item: Item): boolean {
    if (!this.#isFree(item)) return false;
    this.#askedAhead += 1;
    return true;
  }

  #noteState({ verb, fields }: Line): void {
    if (!['online', 'suspended', 'offline'].includes(verb)) return;
    this.#isOnline = verb === 'online';
    this.#mayReturn = verb === 'suspended' || fields.get('retry') === 'yes';
  }

  async #meet<Thing>(turn: readonly Step[], side: Side<Thing>): Promise<void> {
    let open = turn;
    while (open.length > 0) {
      const came = await side.next();
      const next = nextOf(open);
      const outcomes = next.map((step) => side.match(side.read(step), came, this.#bindings));
      const index = outcomes.findIndex((outcome) => 'bindings' in outcome);
      const outcome = outcomes[index];
      if (outcome === undefined || !('bindings' in outcome)) {
        if (side.passOver(came)) continue;
        throw differs(next[0], outcomes[0], side.text(came));
      }
      open = open.filter((step) => step !== next[index]);
      this.#bindings = outcome.bindings;
      side.taken(came);
    }
  }

  #hearSasl(tree: XmlTree): void {
    const mechanism = tree.attributes.get('mechanism');
    if ((tree.name === 'auth' || tree.name === 'authenticate') && mechanism !== undefined) {
      const { account, password } = this.#scenario.settings;
      const connection = this.#connected();
      this.#sasl = new SaslPeer({
        username: account.slice(0, account.indexOf('@')),
        password,
        binding: (type) => connection.binding(type),
        tokens: this.#tokens,
        advertised: this.#advertised,
      });
      this.#sasl.begin(mechanism);
    }
    const payload = this.#bindings.get(SASL);
    if (payload === undefined) return;
    this.#bindings = new Map([...this.#bindings].filter(([name]) => name !== SASL));
    if (this.#sasl === undefined) throw new Error('there is no SASL exchange that this could belong to');
    this.#sasl.hear(payload);
  }

  /** Makes sure that the client has done nothing beside the script, for which a message of it may be under way. */
  async #nothing(at: string): Promise<void> {
    const connection = this.#connected();
    const answer = await this.#answerOf(connection);
    if (answer !== undefined) throw new ReplayError(`${at}: the client sent something:\n   ${answer.text}`);
    // What another process told before it answered has come, but may not have been read.
    await nextTurn();
    this.#nothingWaits(at, [connection]);
  }

  /** Any entity answers a request (RFC 6120 §8.2.3): what came before the answer is all that there was. @returns what is no answer */
  async #answerOf(connection: Connection): Promise<Item | undefined> {
    this.#fences += 1;
    const id = `fence-${this.#fences}`;
    const { account, way } = this.#scenario.settings;
    const framed = way === 'WebSocket' ? ` xmlns='jabber:client'` : '';
    const server = account.slice(account.indexOf('@') + 1);
    await connection.say(
      `<iq${framed} type='get' id='${id}' from='${server}'><ping xmlns='urn:xmpp:ping'/></iq>`,
      false,
    );
    let item = await connection.items.next();
    while (this.#passOver(item)) item = await connection.items.next();
    const type = item.tree.attributes.get('type');
    const isAnswer = item.tree.attributes.get('id') === id && (type === 'result' || type === 'error');
    return isAnswer ? undefined : item;
  }

  async #network({ content, at }: Step): Promise<void> {
    const { verb, fields } = readLine(content);
    switch (verb) {
      case 'connected':
        this.#connection = await this.#peer.connections.next();
        this.#connections.push(this.#connection);
        this.#askedAhead = 0;
        return;
      case 'TLS':
        // What was said in the clear is not said again.
        this.#nothingWaits(at, [this.#connected()]);
        return inTime(this.#connected().secure(handshakeOf(fields)));
      case 'TLS-refused': {
        // In TLS 1.3 the server is done before the client has judged its certificate.
        const refused = this.#connected()
          .secure(handshakeOf(fields))
          .then(
            async () => this.#connected().closed,
            () => undefined,
          );
        return inTime(refused);
      }
      case 'WebSocket':
        return;
      case 'cut':
        return this.#connected().cut();
      case 'ended':
        return this.#connected().end();
      case 'closed':
        return inTime(this.#connected().closed);
      default:
        throw new Error(`nothing like '${verb}' happens to a connection; docs/fixtures.md lists what does`);
    }
  }

  /** The end: what the client does now is more than it should. */
  async #nothingMore(last: Step | undefined): Promise<void> {
    const at = last === undefined ? this.#scenario.file : `after ${last.at}`;
    // Nothing is due at the end either: what is under way comes to light.
    if (this.#isOnline && last?.content !== 'nothing') await this.#nothing(at);
    else await sleep(QUIET_MS);
    this.#nothingWaits(at, this.#connections);
    if (!this.#mayReturn && this.#peer.connections.waiting.length > 0)
      throw new ReplayError(`${at}: the client connected once more`);
  }

  /** What has come and was not taken. */
  #nothingWaits(at: string, connections: readonly Connection[]): void {
    const item = connections.flatMap(({ items }) => items.waiting).find((one) => !this.#isFree(one));
    if (item !== undefined) throw new ReplayError(`${at}: the client sent something more:\n   ${item.text}`);
    const [event] = this.#told.waiting;
    if (event !== undefined) throw new ReplayError(`${at}: the client told something more:\n   ${writeLine(event)}`);
  }

  #connected(): Connection {
    if (this.#connection === undefined) throw new Error(`there is no connection yet: 'N: connected' comes first`);
    return this.#connection;
  }

  #itemOf(content: string): Item {
    const text = withoutLayout(content);
    return this.#scenario.settings.way === 'WebSocket' ? parseFrame(text) : parseItem(text);
  }

  #fill(text: string): string {
    return fill(text, (name) => this.#valueOf(name));
  }

  #valueOf(name: string): string {
    const [kind, which] = name.split(':');
    if (kind === SASL) {
      if (this.#sasl === undefined) throw new Error('there is no SASL exchange that this could belong to');
      return this.#sasl.say(which);
    }
    if (kind === 'token') {
      const token = this.#tokens.get(name) ?? `a-${name}-of-the-peer`;
      this.#tokens.set(name, token);
      return token;
    }
    if (kind === 'peer') return `${this.#peer.site.host}:${this.#peer.site.port}`;
    if (kind === 'long') return 'x'.repeat(Number(which));
    const value = this.#bindings.get(name);
    if (value === undefined) throw new Error(`{${name}} stands for nothing yet: the client has not said it`);
    return value;
  }

  /** What the features of this stream said about SASL. */
  #noteAdvertised(text: string): void {
    if (!text.includes('<mechanism')) return;
    // Those of tokens (XEP-0484) are no mechanisms of SASL.
    const login = text.replace(/<fast\b.*?<\/fast>/s, '');
    const every = (pattern: RegExp): string[] => [...login.matchAll(pattern)].map(([, name = '']) => name);
    this.#advertised = {
      mechanisms: [...new Set(every(/<mechanism>([^<]*)<\/mechanism>/g))],
      bindings: every(/<channel-binding type=['"]([^'"]*)['"]/g),
    };
  }
}

/** Whether it is one of these elements, or one of them is somewhere in it. */
function has(tree: XmlTree, ns: string, names: readonly string[]): boolean {
  return (tree.ns === ns && names.includes(tree.name)) || tree.elements.some((child) => has(child, ns, names));
}

function handshakeOf(fields: ReadonlyMap<string, string>): { certificate: string; version: SecureVersion } {
  return {
    certificate: fields.get('certificate') ?? 'good',
    version: VERSIONS.get(fields.get('version') ?? '') ?? 'TLSv1.3',
  };
}
