import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { stringify } from 'smol-toml';

import { Inbox, PATIENCE } from './inbox.js';
import { type End, Program } from './program.js';

/** As built by `npm run build`: what people run. */
const COMMAND = join(process.cwd(), 'dist/cli.js');

/** A line of the bot's log. */
export interface BotEvent {
  readonly time: string;
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly event: string;
  readonly account?: string;
  readonly [field: string]: unknown;
}

/** The `[channels.xmpp.bot]` table: any of its settings. */
export interface BotAccount {
  readonly jid: string;
  readonly password: string;
  readonly ca_file: string;
  readonly direct_tls?: boolean;
  readonly [setting: string]: unknown;
}

/** The model that the bot asks: an OpenAI-compatible endpoint. */
export interface BotModel {
  readonly baseUrl: string;
  readonly apiKey: string;
}

/** The bot as people run it: a process with a configuration file, whose log is read line by line. */
export class Bot {
  readonly #program: Program;
  readonly #events = new Inbox<BotEvent>('the bot');
  readonly #home: string;

  private constructor(program: Program, home: string) {
    this.#program = program;
    this.#home = home;
    program.onLine((line) => this.#events.put(JSON.parse(line) as BotEvent));
    void program.ended.then((end) =>
      this.#events.close(new Error(`it ended (${end}): ${program.output.slice(-2_000)}`)),
    );
  }

  /** Writes a configuration with one account and one provider, and runs the bot with it. @param home where it and the bot's data are */
  static async run(home: string, account: BotAccount, model: BotModel): Promise<Bot> {
    const configuration = await configure(home, account, model);
    const args = ['run', '--config', configuration, '--data-dir', join(home, 'data'), '--log-format', 'json'];
    return new Bot(new Program('the bot', process.execPath, [COMMAND, ...args]), home);
  }

  /** Writes another configuration, and has the bot read it. */
  async reload(account: BotAccount, model: BotModel): Promise<void> {
    await configure(this.#home, account, model);
    this.#program.signal('SIGHUP');
    await this.expect('reloaded');
  }

  /** What the bot keeps of its sessions and rooms, by name, and who may read the file. */
  async state(): Promise<{ readonly mode: number; readonly values: Readonly<Record<string, string>> }> {
    const file = join(this.#home, 'data', 'state.json');
    const values = JSON.parse(await readFile(file, 'utf8')) as Readonly<Record<string, string>>;
    return { mode: (await stat(file)).mode & 0o777, values };
  }

  /** What the bot printed. */
  get log(): string {
    return this.#program.output;
  }

  /** Takes the first event of this name, come or to come, whose fields are as given. */
  async expect(
    event: string,
    fields: Readonly<Record<string, unknown>> = {},
    patience: number = PATIENCE,
  ): Promise<BotEvent> {
    return this.#events.expect(
      `${event} ${JSON.stringify(fields)}`,
      (candidate) =>
        candidate.event === event && Object.entries(fields).every(([name, value]) => candidate[name] === value),
      patience,
    );
  }

  /** Waits for the bot to end by itself. */
  async end(): Promise<End> {
    return this.#program.end();
  }

  /** Ends it where it stands. */
  async kill(): Promise<void> {
    await this.#program.stop('SIGKILL');
  }

  /** Asks the bot to stop, as a service manager does, and says how it ended. */
  async stop(): Promise<End> {
    return this.#program.stop('SIGTERM', 10_000);
  }
}

/** @returns the path of the configuration */
async function configure(home: string, account: BotAccount, { baseUrl, apiKey }: BotModel): Promise<string> {
  const path = join(home, 'moltis.toml');
  const provider = { base_url: baseUrl, api_key: apiKey, models: ['mock'] };
  const settings = { channels: { xmpp: { bot: account } }, providers: { local: provider } };
  await writeFile(path, stringify(settings), { mode: 0o600 });
  return path;
}
