/** The bot in a test, in its own process or in the test's, against the loopback server and a stand-in for the model. */
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { stringify } from 'smol-toml';
import { Bot } from '../../src/agent/bot.js';
import { exitCodeOf } from '../../src/agent/cli/exit-codes.js';
import { formatFinding } from '../../src/agent/config/finding.js';
import { loadConfig } from '../../src/agent/config/load-config.js';
import { createLog, errorText } from '../../src/agent/log.js';
import { configuredModels } from '../../src/agent/model/configured-models.js';
import { LOOPBACK_CERTIFICATE } from '../../src/loopback/certificate.js';
import { LoopbackServer, type LoopbackOptions } from '../../src/loopback/server.js';
import { chatPlugins } from '../../src/xeps/chat-plugins.js';
import { serviceDiscovery } from '../../src/xeps/xep-0030-service-discovery.js';
import { muc, type Room, type RoomMessage } from '../../src/xeps/xep-0045-muc/index.js';
import { readChatState } from '../../src/xeps/xep-0085-chat-states.js';
import { readCorrection } from '../../src/xeps/xep-0308-message-correction.js';
import { writeOriginId } from '../../src/xeps/xep-0359-stable-ids.js';
import { readReactions } from '../../src/xeps/xep-0444-message-reactions.js';
import { readReply } from '../../src/xeps/xep-0461-message-replies.js';
import { type Client, createClient } from '../../src/xmpp-core/client.js';
import { Jid } from '../../src/xmpp-core/jid/jid.js';
import type { Plugin } from '../../src/xmpp-core/plugin.js';
import { newId } from '../../src/xmpp-core/stanza/ids.js';
import { type Message, writeMessage } from '../../src/xmpp-core/stanza/stanzas.js';
import { Inbox } from '../interop/inbox.js';
import { Program, type End } from '../interop/program.js';
import { textAnswer, startOpenAiServer, type OpenAiServer, type Script } from './openai-server.js';

/** The program, bundled for the tests (scripts/lib/transpile.mjs). */
const COMMAND = fileURLToPath(new URL('../../bin/cli.js', import.meta.url));
/** The deadline for events, in milliseconds. */
const PATIENCE = 30_000;
/** The password of the bot's accounts. */
export const PASSWORD = 'the-password-of-the-bot';
const ACCOUNT = 'moltis';
/** The bot's environment: nothing else of the test's own reaches it. */
const ENVIRONMENT = { PATH: process.env['PATH'] ?? '', TMPDIR: tmpdir() };

/** Registers teardowns: any test of `tap`. */
interface Teardown {
  teardown(undo: () => Promise<unknown>): void;
}

/** A table of the configuration, as written to TOML. */
export type Settings = Readonly<Record<string, unknown>>;

/** A server, a model and a folder for a bot and the people who talk with it. */
export class Stage {
  readonly server: LoopbackServer;
  readonly model: OpenAiServer;
  readonly directory: string;
  readonly #teardown: Teardown;
  readonly #bots = new Set<BotInProcess>();

  private constructor(teardown: Teardown, server: LoopbackServer, model: OpenAiServer, directory: string) {
    this.#teardown = teardown;
    this.server = server;
    this.model = model;
    this.directory = directory;
  }

  /** Starts everything, with an account for the bot, until the test ends. @param options of the XMPP server */
  static async set(teardown: Teardown, options: LoopbackOptions = {}): Promise<Stage> {
    const directory = await mkdtemp(join(tmpdir(), 'bot-test-'));
    const server = await LoopbackServer.start(options);
    const model = await startOpenAiServer();
    server.addAccount(ACCOUNT, PASSWORD);
    await writeFile(join(directory, 'ca.pem'), LOOPBACK_CERTIFICATE);
    const stage = new Stage(teardown, server, model, directory);
    teardown.teardown(async () => {
      // Together: a bot that still waits for the server or the model ends when they are gone.
      await Promise.all([server.stop(), model.close(), ...[...stage.#bots].map((bot) => bot.stop())]);
      await rm(directory, { recursive: true, force: true });
    });
    return stage;
  }

  /** The bare JID of an account; the bot's own unless named. */
  jid(name = ACCOUNT): Jid {
    return Jid.of(name, this.server.domain);
  }

  /** The bot's data directory. */
  get dataDirectory(): string {
    return join(this.directory, 'data');
  }

  /** A room's JID. */
  room(name: string): Jid {
    return Jid.of(name, this.server.rooms.domain);
  }

  /** The JID of a room on another domain than the accounts'. */
  foreignRoom(name: string): Jid {
    return Jid.of(name, this.server.foreignRooms.domain);
  }

  /** The table of an account on this server. Creates the account unless it is the bot's own. */
  account(more: Settings = {}, name = ACCOUNT): Settings {
    if (name !== ACCOUNT) this.server.addAccount(name, PASSWORD);
    return {
      jid: this.jid(name).toString(),
      password: PASSWORD,
      server: `127.0.0.1:${this.server.ports.startTls}`,
      ca_file: 'ca.pem',
      ...more,
    };
  }

  /** The whole configuration. @param accounts tables by name @param provider more settings of the provider */
  settings(accounts: Readonly<Record<string, Settings>>, provider: Settings = {}): Settings {
    const { baseUrl, apiKey } = this.model;
    const local = { base_url: baseUrl, api_key: apiKey, models: ['mock'], retries: 0, ...provider };
    return { channels: { xmpp: accounts }, providers: { local } };
  }

  /** Writes a configuration file. @returns its path */
  async write(settings: Settings | string): Promise<string> {
    const path = join(this.directory, 'moltis.toml');
    await writeFile(path, typeof settings === 'string' ? settings : stringify(settings), { mode: 0o600 });
    return path;
  }

  /** Runs the bot with one account in this process, and waits until it is online. */
  async run(account: Settings = {}, provider: Settings = {}): Promise<RunningBot> {
    return online(await this.start(this.settings({ bot: this.account(account) }, provider)));
  }

  /** Runs the bot with this configuration in this process, which takes a tenth of the time that a process of its own takes. */
  async start(settings: Settings): Promise<RunningBot> {
    const bot = new BotInProcess({ path: await this.write(settings), dataDirectory: this.dataDirectory });
    this.#bots.add(bot);
    return bot;
  }

  /** As `run`, in a process of its own: for what a signal, another process or a killed one does. */
  async runProcess(account: Settings = {}, provider: Settings = {}): Promise<BotProcess> {
    return online(await this.startProcess(this.settings({ bot: this.account(account) }, provider)));
  }

  /** As `start`, in a process of its own. */
  async startProcess(settings: Settings, flags: readonly string[] = []): Promise<BotProcess> {
    const configuration = await this.write(settings);
    await mkdir(this.dataDirectory, { recursive: true });
    const bot = new BotProcess(['run', '--config', configuration, '--data-dir', this.dataDirectory, ...flags]);
    this.#teardown.teardown(() => bot.stop('SIGKILL'));
    return bot;
  }

  /** A person with a new account, logged in. @param more plugins besides `chatPlugins` */
  async person(name: string, more: readonly Plugin<unknown>[] = []): Promise<Person> {
    const password = `the password of ${name}`;
    const client = createClient({
      jid: this.server.addAccount(name, password),
      password,
      resource: 'phone',
      ca: LOOPBACK_CERTIFICATE,
      server: { host: '127.0.0.1', port: this.server.ports.startTls, directTls: false },
      plugins: [...chatPlugins, ...more],
      reconnect: { firstMs: 50, maxMs: 50 },
    });
    client.get(serviceDiscovery).setIdentity({ category: 'client', type: 'phone' });
    const person = new Person(client, this.jid());
    this.#teardown.teardown(() => client.stop());
    await client.start();
    return person;
  }

  /** Another client of the bot's account; not started yet. @param test stops it at its end */
  otherClient(test: Teardown, plugins: readonly Plugin<unknown>[]): Client {
    const client = createClient({
      jid: this.jid(),
      password: PASSWORD,
      resource: 'other',
      ca: LOOPBACK_CERTIFICATE,
      server: { host: '127.0.0.1', port: this.server.ports.startTls, directTls: false },
      plugins,
    });
    test.teardown(() => client.stop());
    return client;
  }

  /** Every file below the data directory, with its mode and text; folders have no text. Files that are removed meanwhile are left out. */
  async data(): Promise<readonly DataFile[]> {
    const entries = await readdir(this.dataDirectory, { recursive: true, withFileTypes: true });
    const files = entries.map(async (entry): Promise<DataFile[]> => {
      const path = join(entry.parentPath, entry.name);
      try {
        const mode = (await stat(path)).mode & 0o777;
        return [{ path, mode, text: entry.isDirectory() ? undefined : await readFile(path, 'utf8') }];
      } catch (error) {
        if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
        throw error;
      }
    });
    return (await Promise.all(files)).flat();
  }
}

/** A file or folder of the data directory. */
export interface DataFile {
  readonly path: string;
  /** The permission bits. */
  readonly mode: number;
  readonly text: string | undefined;
}

/** A line of the bot's log. */
export interface BotEvent {
  readonly time: string;
  readonly level: string;
  readonly event: string;
  readonly account?: string;
  readonly [field: string]: unknown;
}

async function online<T extends RunningBot>(bot: T): Promise<T> {
  await bot.expect('online');
  return bot;
}

/** The running bot, whose log is read line by line. */
export abstract class RunningBot {
  /** The events so far. */
  readonly log: BotEvent[] = [];
  /** Lines of standard output that are not events. There must be none. */
  readonly noise: string[] = [];
  readonly #events = new Inbox<BotEvent>('the bot');

  /** The standard output and standard error so far. */
  abstract get output(): string;

  /** Waits for the end. */
  abstract end(): Promise<End>;

  /** Stops it in order and waits for the end. */
  abstract stop(): Promise<End>;

  /** Takes the first event with this name and these fields, received already or later. */
  async expect(event: string, fields: Readonly<Record<string, unknown>> = {}, patience = PATIENCE): Promise<BotEvent> {
    const fits = (candidate: BotEvent): boolean =>
      candidate.event === event && Object.entries(fields).every(([name, value]) => candidate[name] === value);
    return this.#events.expect(`${event} ${JSON.stringify(fields)}`, fits, patience);
  }

  /** The events of this name so far. */
  logged(event: string): readonly BotEvent[] {
    return this.log.filter((one) => one.event === event);
  }

  protected take(line: string): void {
    try {
      const event = JSON.parse(line) as BotEvent;
      this.log.push(event);
      this.#events.put(event);
    } catch {
      this.noise.push(line);
    }
  }

  /** No event comes any more. */
  protected close(end: End): void {
    this.#events.close(new Error(`it ended (${end}): ${this.output.slice(-2_000)}`));
  }
}

/** The bot in a process of its own. */
export class BotProcess extends RunningBot {
  readonly #program: Program;

  constructor(args: readonly string[]) {
    super();
    this.#program = startProgram(args);
    this.#program.onLine((line) => this.take(line));
    void this.#program.ended.then((end) => this.close(end));
  }

  get output(): string {
    return this.#program.output;
  }

  signal(signal: NodeJS.Signals): void {
    this.#program.signal(signal);
  }

  async end(): Promise<End> {
    return this.#program.end(PATIENCE);
  }

  /** Sends a signal and waits for the exit. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<End> {
    return this.#program.stop(signal, PATIENCE);
  }
}

/** The bot in the process of the test: the same parts as `run` puts together (src/agent/cli/run.ts), without those that serve a process. */
class BotInProcess extends RunningBot {
  output = '';
  readonly #ended: Promise<End>;
  readonly #bot: Promise<Bot>;
  readonly #log = createLog({ format: 'json', level: 'debug', colours: false, write: (line) => this.#print(line) });
  #isStopping = false;

  constructor(options: { readonly path: string; readonly dataDirectory: string }) {
    super();
    this.#bot = this.#open(options);
    this.#ended = this.#run();
    void this.#ended.then((end) => this.close(end));
  }

  async end(): Promise<End> {
    const late = new AbortController();
    const timeout = delay(PATIENCE, undefined, { signal: late.signal }).then(() => {
      throw new Error(`the bot still runs after ${PATIENCE} ms`);
    });
    try {
      return await Promise.race([this.#ended, timeout]);
    } finally {
      late.abort();
    }
  }

  async stop(): Promise<End> {
    const bot = await this.#bot.catch(() => undefined);
    if (!this.#isStopping) {
      this.#isStopping = true;
      this.#log('info', 'stopping', { signal: 'SIGTERM' });
      await bot?.stop();
    }
    return this.end();
  }

  async #open({ path, dataDirectory }: { readonly path: string; readonly dataDirectory: string }): Promise<Bot> {
    const { config, findings } = await loadConfig({ path, env: ENVIRONMENT, cwd: dirname(path), home: dirname(path) });
    for (const finding of findings) this.output += `${formatFinding(finding)}\n`;
    if (config === undefined) throw new Error('the configuration has errors');
    return Bot.open({ config, modelOf: configuredModels(config), dataDirectory, log: this.#log });
  }

  async #run(): Promise<End> {
    try {
      const bot = await this.#bot;
      return exitCodeOf(await bot.run());
    } catch (error) {
      this.output += `${errorText(error)}\n`;
      return 1;
    }
  }

  #print(line: string): void {
    this.output += `${line}\n`;
    this.take(line);
  }
}

/** How a program is started. */
interface StartOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** Starts the built program with these arguments and a clean environment. */
export function startProgram(args: readonly string[], { env = {}, cwd }: StartOptions = {}): Program {
  return new Program(args.join(' '), process.execPath, [COMMAND, ...args], {
    env: { ...ENVIRONMENT, ...env },
    ...(cwd === undefined ? {} : { cwd }),
  });
}

/** Runs the built program until it exits. @returns its exit, all output, and the lines of standard output */
export async function runToEnd(
  args: readonly string[],
  { input = '', ...options }: StartOptions & { readonly input?: string } = {},
): Promise<{ readonly end: End; readonly output: string; readonly lines: readonly string[] }> {
  const program = startProgram(args, options);
  const lines: string[] = [];
  program.onLine((line) => lines.push(line));
  program.write(input);
  program.endInput();
  return { end: await program.end(), output: program.output, lines };
}

/** A message as a person's client sees it. */
export interface ReceivedMessage {
  readonly from: string;
  readonly type: string;
  readonly id: string | undefined;
  readonly body: string | undefined;
  readonly thread: string | undefined;
  readonly state: string | undefined;
  /** The id of the message that this corrects. */
  readonly replaces: string | undefined;
  /** The id of the message that this replies to (XEP-0461). */
  readonly replyTo: string | undefined;
  readonly reactions: readonly string[] | undefined;
  /** The id of the message that the reactions belong to. */
  readonly reactedTo: string | undefined;
}

/** A person who talks with the bot, through our own client. */
export class Person {
  readonly client: Client;
  /** The messages received so far, in order. */
  readonly received: ReceivedMessage[] = [];
  readonly #inbox: Inbox<ReceivedMessage>;
  readonly #bot: Jid;

  constructor(client: Client, bot: Jid) {
    this.client = client;
    this.#bot = bot;
    this.#inbox = new Inbox(client.account.toString());
    const rooms = client.get(muc).events;
    client.events.on('message', (message) => this.#take(message));
    rooms.on('privateMessage', ({ message }) => this.#take(message));
    rooms.on('message', ({ message, own }) => {
      if (!own) this.#take(message);
    });
  }

  /** Sends a direct message to the bot. @returns the id of the message */
  send(
    body: string,
    { to = this.#bot, thread, id = newId() }: { to?: Jid; thread?: string; id?: string } = {},
  ): string {
    this.client.send(writeMessage({ to, type: 'chat', id, body, thread, payloads: [writeOriginId(id)] }));
    return id;
  }

  /** Joins a room with the localpart as nick. */
  async enter(room: Jid): Promise<Room> {
    return this.client.get(muc).join(room, { nick: this.client.account.localpart, history: { maxStanzas: 0 } });
  }

  /** Sends a message to a room, and waits for the room's copy. @returns the copy */
  async sendIn(room: Room, body: string): Promise<RoomMessage> {
    const own = this.client.get(muc).events.once('message', {
      where: ({ message, own }) => own && message.body === body,
      timeoutMs: PATIENCE,
    });
    room.sendMessage(body);
    return own;
  }

  /** Takes the first message with this body, received already or later. */
  async receives(body: string | RegExp): Promise<ReceivedMessage> {
    const fits = (text: string): boolean => (typeof body === 'string' ? text === body : body.test(text));
    return this.expect(`message ${String(body)}`, (message) => message.body !== undefined && fits(message.body));
  }

  /** Takes the first message that fits, received already or later. */
  async expect(what: string, fits: (message: ReceivedMessage) => boolean): Promise<ReceivedMessage> {
    return this.#inbox.expect(what, fits, PATIENCE);
  }

  /** The bodies received so far. */
  get texts(): readonly string[] {
    return this.received.flatMap(({ body }) => body ?? []);
  }

  #take({ element, from, type, id, body, thread }: Message): void {
    const reactions = readReactions(element);
    const received = {
      from: from.toString(),
      type,
      id,
      body,
      thread,
      state: readChatState(element),
      replaces: readCorrection(element),
      replyTo: readReply(element)?.id,
      reactions: reactions === undefined ? undefined : [...reactions.emoji],
      reactedTo: reactions?.id,
    };
    this.received.push(received);
    this.#inbox.put(received);
  }
}

/** A script of the model that sends `before`, waits for `release()`, and sends `after`. */
export function pausedAnswer(
  before: string,
  after: string,
): { readonly script: Script; readonly release: () => void; readonly released: Promise<void> } {
  let release = (): void => undefined;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const script: Script = async (exchange) => {
    if (before !== '') exchange.text(before);
    await Promise.race([released, exchange.closed]);
    exchange.text(after);
    exchange.finish();
  };
  return { script, release, released };
}

/** The messages of a request to the model, by role: `[['system', '…'], ['user', '…']]`; without the marks of messages. */
export function promptOf(
  model: OpenAiServer,
  index = model.requests.length - 1,
): readonly (readonly [string, string])[] {
  const messages = model.requests.at(index)?.body?.messages ?? [];
  const withoutMarks = (text: string): string => text.replaceAll(/^\[#\w{4}\] /gm, '');
  return messages.map(({ role, content }) => [
    role,
    typeof content === 'string' ? withoutMarks(content) : JSON.stringify(content),
  ]);
}

/** Asks another question and waits for its answer. Everything sent before has arrived by then. */
export async function askAgain(stage: Stage, person: Person): Promise<void> {
  stage.model.next(textAnswer('And on it goes.'));
  person.send('and now?');
  await person.receives('And on it goes.');
}

/** How often `text` occurs in `texts`. */
export function times(texts: readonly string[], text: string): number {
  return texts.filter((one) => one === text).length;
}
