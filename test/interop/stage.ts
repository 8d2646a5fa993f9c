import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { Test } from 'tap';

import type { ClientOptions } from '../../src/xmpp-core/client-options.js';
import { type Client, createClient } from '../../src/xmpp-core/client.js';
import { Jid } from '../../src/xmpp-core/jid/jid.js';
import { type OpenAiServer, startOpenAiServer } from '../support/openai-server.js';
import { Bot, type BotAccount } from './bot.js';
import { Human } from './human.js';
import type { Server } from './servers/server.js';

export const BOT_PASSWORD = 'correct-horse-battery-staple';

/** The nick that the bot has unless told otherwise. */
export const BOT_NICK = 'moltis';

/**
 * Who takes part in one test: a model, and the bots and people that enter. All leave when the test ends; when it failed, what
 * they and the server printed is shown.
 */
export class Stage {
  readonly server: Server;
  readonly model: OpenAiServer;
  readonly #test: Test;
  readonly #home: string;

  private constructor(test: Test, server: Server, model: OpenAiServer, home: string) {
    this.#test = test;
    this.#home = home;
    this.server = server;
    this.model = model;
  }

  static async open(test: Test, server: Server): Promise<Stage> {
    const model = await startOpenAiServer();
    const home = await mkdtemp(join(tmpdir(), 'bot-'));
    const stage = new Stage(test, server, model, home);
    test.teardown(async () => {
      stage.#explain(server.name, server.log);
      await model.close();
      await rm(home, { recursive: true, force: true });
    });
    return stage;
  }

  /** The settings of an account of this server. What is given replaces the usual ones. */
  account(settings: Partial<BotAccount> = {}): BotAccount {
    return {
      jid: `bot@${this.server.domain}`,
      password: BOT_PASSWORD,
      ca_file: this.server.authority,
      server: this.server.address(settings.direct_tls ?? false),
      ...settings,
    };
  }

  /** Runs the bot on such an account. One that is run after another in the same test remembers what that one did. */
  async bot(settings: Partial<BotAccount> = {}): Promise<Bot> {
    const bot = await Bot.run(this.#home, this.account(settings), this.model);
    this.#test.teardown(async () => {
      await bot.stop();
      this.#explain('the bot', bot.log);
    });
    return bot;
  }

  /** Another client of a bot's account logs in: the library alone, called `desk`. */
  async desk(account: string, options: Partial<ClientOptions>): Promise<Client> {
    const client = createClient({
      jid: Jid.parse(account),
      password: BOT_PASSWORD,
      resource: 'desk',
      server: { host: '127.0.0.1', port: this.server.site.ports.startTls, directTls: false },
      ca: await readFile(this.server.authority, 'utf8'),
      ...options,
    });
    this.#test.teardown(async () => client.stop());
    await client.start();
    return client;
  }

  /** Somebody with a new account logs in. */
  async human(): Promise<Human> {
    const password = 'a person has a password too';
    const jid = await this.server.register(`human-${randomUUID()}`, password);
    const human = new Human(this.server.authority);
    this.#test.teardown(async () => {
      await human.leave();
      this.#explain('slixmpp', human.log);
    });
    const { startTls } = this.server.site.ports;
    await human.connect({ jid, password, host: '127.0.0.1', port: startTls, directTls: false });
    return human;
  }

  #explain(who: string, log: string): void {
    if (!this.#test.passing()) this.#test.comment(`what ${who} printed:\n${log}`);
  }
}
