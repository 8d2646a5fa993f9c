/** Runs the plan of a scenario against a real server, and writes down what was seen. */
import { readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import type { Server } from '../../interop/servers/server.js';
import { readLine, writeLine, type Implementation, type StartImplementation } from '../implementation.js';
import type { Scenario, Step } from '../scenario.js';
import { writeScenario } from '../scenario.js';
import { Gate } from './gate.js';
import { layOut } from './layout.js';
import { fillIn, generalise, nameValues, type Names, type Place, type Sighting } from './placeholders.js';
import type { People } from './people.js';
import { tap } from './tap.js';

/** How long a client and a server may go on talking after a step of the plan. */
const LONGEST_MS = 30_000;
/** What an `N:` step of a plan asks for; the others happen by themselves. */
const BREAKS: readonly string[] = ['cut', 'ended'];
const PLACEHOLDER = /\{[a-z-]+:\d+\}|\b(?:stanza|occupant|session)-\d+\b|(?<=\/)[^\s/'"<]*~\d+\b/g;

export interface Recording {
  readonly server: Server;
  readonly people: People;
  /** What the server calls itself. */
  readonly version: string;
  readonly start: StartImplementation;
  /** A step of the plan is over when nothing was said for so long. */
  readonly quietMs: number;
}

/** @returns the scenario anew, as the text of its file */
export async function record(scenario: Scenario, recording: Recording): Promise<string> {
  const session = await Session.open(scenario, recording);
  try {
    const base = scenario.allSteps.slice(0, scenario.allSteps.length - scenario.steps.length);
    for (const step of base.filter(isPlanned)) await session.take(step);
    session.beginOwn();
    for (const step of scenario.steps.filter(isPlanned)) await session.take(step);
    const { version, people } = recording;
    return writeScenario(headersOf(scenario, [version, ...people.programs].join(', ')), session.ownSteps());
  } finally {
    await session.close();
  }
}

/** Whether a step is one that the recorder takes; the others are what comes of it. */
function isPlanned({ kind, content }: Step): boolean {
  if (kind === 'A' || kind === 'O') return true;
  return kind === 'N' ? BREAKS.includes(content) : kind === 'E' && content === 'nothing';
}

/** What a step was, before it is written as one. */
interface Noted extends Sighting {
  readonly remarks: readonly string[];
}

class Session {
  readonly #scenario: Scenario;
  readonly #recording: Recording;
  readonly #gate: Gate;
  readonly #place: Place;
  readonly #noted: Noted[] = [];
  #implementation: Implementation | undefined;
  #unwatch: () => void = () => undefined;
  #isRecording = true;
  #lastNews = 0;
  /** A connection began, and the client has not told yet what became of it: a handshake can take longer than any pause between stanzas. */
  #isConnecting = false;
  /** The full JID of the client, once it is online. */
  #jid = '';
  /** Where the scenario's own part begins, and what had names before. */
  #own = 0;
  #baseNames: Names = new Map();

  private constructor(scenario: Scenario, recording: Recording, gate: Gate) {
    this.#scenario = scenario;
    this.#recording = recording;
    this.#gate = gate;
    const base = scenario.allSteps.slice(0, scenario.allSteps.length - scenario.steps.length);
    this.#place = {
      httpsPort: recording.server.site.ports.https,
      plan: scenario.allSteps
        .filter(isPlanned)
        .map(({ content }) => content)
        .join('\n'),
      resource: scenario.settings.resource,
      taken: new Set(base.flatMap(({ content }) => content.match(PLACEHOLDER) ?? [])),
    };
  }

  static async open(scenario: Scenario, recording: Recording): Promise<Session> {
    const { account, password, way, login } = scenario.settings;
    const { server, people } = recording;
    const { startTls, directTls, https } = server.site.ports;
    if (login === 'password') await people.settle(account, password);
    const gate = await Gate.open({ StartTLS: startTls, 'direct TLS': directTls, WebSocket: https }[way]);
    const session = new Session(scenario, recording, gate);
    await session.#begin();
    return session;
  }

  async #begin(): Promise<void> {
    const { server, start } = this.#recording;
    this.#unwatch = tap(this.#gate.port, {
      said: (who, item, write) => this.#note({ kind: who === 'client' ? 'C' : 'S', item, text: item.text, write }),
      happened: (text) => this.#note({ kind: 'N', text }),
    });
    const webSocket = new URL(server.webSocket);
    webSocket.port = String(this.#gate.port);
    const { client } = server.site.certificates;
    const site = {
      host: '127.0.0.1',
      port: this.#gate.port,
      webSocket: webSocket.href,
      authority: await readFile(server.authority, 'utf8'),
      identity: {
        certificate: await readFile(client.certificate, 'utf8'),
        key: await readFile(client.key, 'utf8'),
      },
    };
    this.#implementation = await start(this.#scenario.settings, site, (event) => {
      if (event.verb === 'online') this.#jid = event.fields.get('jid') ?? this.#jid;
      this.#note({ kind: 'E', text: writeLine(event) });
    });
  }

  /** Takes a step of the plan, and waits until nothing more comes of it. */
  async take({ kind, content, remarks, at }: Step): Promise<void> {
    // A break is noted when the client sees it, so that it stands where it happens.
    if (kind !== 'N') this.#note({ kind, text: content, remarks });
    try {
      await this.#do(kind, content);
    } catch (error) {
      throw new Error(`${at}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    }
    await this.#quiet(at);
  }

  async #do(kind: Step['kind'], content: string): Promise<void> {
    const words = fillIn(content, this.#names()).replaceAll('{jid}', this.#jid);
    if (kind === 'A') this.#implementation?.act(readLine(words));
    else if (kind === 'N' && content === 'cut') this.#gate.cut();
    else if (kind === 'N') this.#gate.end();
    else if (kind === 'O') await this.#elsewhere(words);
  }

  /** What others do, and the server. */
  async #elsewhere(words: string): Promise<void> {
    const { server, people } = this.#recording;
    if (words === 'the network loses all that is said') return this.#gate.lose();
    const down = /^server (stops|restarts|is killed)$/.exec(words)?.[1];
    if (down === undefined && words !== 'server starts') return people.do(words);
    if (down !== undefined) {
      this.#gate.hold();
      await (down === 'is killed' ? server.kill() : server.halt());
    }
    if (down === undefined || down === 'restarts') {
      await server.start();
      this.#gate.release();
    }
  }

  /** What comes from here on is the scenario's own. */
  beginOwn(): void {
    this.#own = this.#noted.length;
    this.#baseNames = nameValues(this.#noted, { ...this.#place, taken: new Set() });
  }

  /** The steps of the scenario itself. */
  ownSteps(): readonly Step[] {
    const names = this.#names();
    const steps = this.#noted.slice(this.#own).map((noted, index, all): Step => {
      const { kind, text, item, remarks } = noted;
      const isOfPlan = kind === 'A' || kind === 'O';
      const general = isOfPlan ? text : generalise(noted, names, this.#place);
      const content = item === undefined ? general : layOut(general);
      const isOneOfMany = [all[index - 1], all[index + 1]].some((other) => isExchangeable(noted, other));
      return { kind, unordered: item !== undefined && isOneOfMany, content, at: '', remarks };
    });
    return withRemarks(steps, this.#scenario.steps);
  }

  async close(): Promise<void> {
    this.#isRecording = false;
    await this.#implementation?.stop();
    this.#unwatch();
    this.#gate.close();
    await this.#recording.people.removeAll();
  }

  #names(): Names {
    return nameValues(this.#noted, this.#place, this.#baseNames);
  }

  #note(seen: Sighting & { readonly remarks?: readonly string[] }): void {
    this.#lastNews = performance.now();
    if (seen.kind === 'N' && seen.text === 'connected') this.#isConnecting = true;
    if (seen.kind === 'E') this.#isConnecting = false;
    if (this.#isRecording) this.#noted.push({ remarks: [], ...seen });
  }

  /** A recorder cannot know what a client will do next: it waits until nobody said anything for a while. */
  async #quiet(at: string): Promise<void> {
    const { quietMs } = this.#recording;
    this.#lastNews = performance.now();
    const deadline = this.#lastNews + LONGEST_MS;
    for (;;) {
      const left = this.#lastNews + quietMs - performance.now();
      if (left <= 0 && (!this.#isConnecting || this.#gate.isHolding)) return;
      if (performance.now() > deadline) throw new Error(`${at}: after ${LONGEST_MS} ms they still talk`);
      await pause(Math.max(left, 10));
    }
  }
}

/** Whether the client could as well have sent them the other way round: stanzas of one write, or an acknowledgement and what is beside it. */
function isExchangeable(one: Sighting, other: Sighting | undefined): boolean {
  if (one.kind !== 'C' || other?.kind !== 'C') return false;
  const names = [one, other].map(({ item }) => item?.tree.name ?? '');
  const isOf = (...kinds: readonly string[]): boolean => names.every((name) => kinds.includes(name));
  if (isOf('message', 'presence', 'iq')) return one.write === other.write;
  // XEP-0198 §4: what is acknowledged is what came, whatever is sent meanwhile.
  return names.includes('a') && isOf('message', 'presence', 'iq', 'a', 'r');
}

/**
 * Puts back what somebody wrote to what came of a step of the plan, its remarks, that its order is free and what an event must not say: each to
 * what has its place now, among what is of its kind between the same two steps of the plan.
 */
export function withRemarks(steps: readonly Step[], before: readonly Step[]): readonly Step[] {
  const earlier = new Map(places(before));
  return places(steps).map(([place, step]) => {
    const { remarks = [], unordered = false, content = '' } = earlier.get(place) ?? {};
    return {
      ...step,
      content: step.kind === 'E' ? withAbsences(step.content, content) : step.content,
      unordered: step.unordered || unordered,
      remarks: step.remarks.length > 0 ? step.remarks : remarks,
    };
  });
}

/** What is not told cannot be seen in a run: a field that somebody wrote as empty stays so while the event has no such field. */
function withAbsences(event: string, before: string): string {
  const { verb, fields } = readLine(event);
  const earlier = readLine(before);
  if (earlier.verb !== verb) return event;
  const absent = [...earlier.fields].filter(([name, value]) => value === '' && !fields.has(name));
  return [event, ...absent.map(([name]) => `${name} ""`)].join(' ');
}

/** Each step with its place: `2 S 3` is the third that the server said after the second step of the plan. */
function places(steps: readonly Step[]): readonly (readonly [string, Step])[] {
  let section = 0;
  let counts = new Map<string, number>();
  return steps.map((step) => {
    if (step.kind === 'A' || step.kind === 'O') {
      section += 1;
      counts = new Map();
    }
    const count = (counts.get(step.kind) ?? 0) + 1;
    counts.set(step.kind, count);
    return [`${section} ${step.kind} ${count}`, step] as const;
  });
}

function headersOf({ headers }: Scenario, version: string): ReadonlyMap<string, string> {
  const today = new Date().toISOString().slice(0, 10);
  return new Map(
    [...headers].map(([name, value]) => {
      if (name === 'Recorded' || name === 'Written') return ['Recorded', today];
      return [name, name === 'Server' ? version : value];
    }),
  );
}
