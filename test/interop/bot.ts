import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
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

/** The `[channels.xmpp.bot]` table. */
export interface BotAccount {
  readonly jid: string;
  readonly password: string;
  readonly server?: string;
  readonly direct_tls?: boolean;
  readonly websocket?: string;
  readonly ca_file: string;
  readonly rooms?: readonly string[];
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
  readonly #directory: string;

  private constructor(program: Program, directory: string) {
    this.#program = program;
    this.#directory = directory;
    program.onLine((line) => this.#events.put(JSON.parse(line) as BotEvent));
    void program.ended.then((end) =>
      this.#events.close(new Error(`it ended (${end}): ${program.output.slice(-2_000)}`)),
    );
  }

  /** Writes a configuration with one account and one provider, and runs the bot with it. */
  static async run(account: BotAccount, model: BotModel): Promise<Bot> {
    const directory = await mkdtemp(join(tmpdir(), 'bot-'));
    const configuration = join(directory, 'moltis.toml');
    const provider = { base_url: model.baseUrl, api_key: model.apiKey, models: ['mock'] };
    const settings = { channels: { xmpp: { bot: account } }, providers: { local: provider } };
    await writeFile(configuration, stringify(settings), { mode: 0o600 });
    const args = ['run', '--config', configuration, '--data-dir', join(directory, 'data'), '--log-format', 'json'];
    return new Bot(new Program('the bot', process.execPath, [COMMAND, ...args]), directory);
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

  /** Asks the bot to stop, as a service manager does, and says how it ended. */
  async stop(): Promise<End> {
    const end = await this.#program.stop('SIGTERM', 10_000);
    await rm(this.#directory, { recursive: true, force: true });
    return end;
  }
}
