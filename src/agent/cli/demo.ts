/**
 * `moltis-xmpp demo`: runs an XMPP server and the bot in this process, and a terminal chat with the bot over real XMPP. Needs no account, key
 * or server. With piped input it answers each line and exits.
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createClient, type Client } from '../../xmpp-core/client.js';
import type { Jid } from '../../xmpp-core/jid/jid.js';
import { writeMessage } from '../../xmpp-core/stanza/stanzas.js';
import { chatStates } from '../../xeps/xep-0085-chat-states.js';
import { LOOPBACK_CERTIFICATE } from '../../loopback/certificate.js';
import { LoopbackServer } from '../../loopback/server.js';
import { Bot } from '../bot.js';
import type { AccountConfig } from '../config/config.js';
import { formatFinding } from '../config/finding.js';
import { ConfigError, loadConfig, NoConfigError } from '../config/load-config.js';
import { parseConfig } from '../config/parse-config.js';
import { configuredModels } from '../model/configured-models.js';
import { findLocalModel } from '../model/local-model.js';
import type { Model } from '../model/model.js';
import { createScriptedModel } from '../model/scripted-model.js';
import { createLog } from '../log.js';
import { ReplyScreen } from './reply-screen.js';
import type { CommonOptions } from './options.js';
import { chatOnTerminal } from './terminal-chat.js';

/** The longest wait for an answer. */
const ANSWER_MS = 180_000;
/** The scripted model's pause between two words on a terminal. */
const WORD_MS = 30;
/** How long the demo's server keeps the session of a client whose connection was lost. */
const RESUMABLE_S = 60;

/** Runs the demo until the input ends. @returns the exit code: 0 when every line was answered */
export async function demo(options: CommonOptions): Promise<number> {
  const directory = await mkdtemp(join(tmpdir(), 'moltis-demo-'));
  const server = await LoopbackServer.start({ resumableSeconds: RESUMABLE_S });
  const interrupted = new AbortController();
  // The first signal ends cleanly and removes the files; a second one has its default effect.
  const interrupt = (): void => interrupted.abort();
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  try {
    const model = await chooseModel(options);
    const password = randomBytes(12).toString('hex');
    const botJid = server.addAccount('moltis', password);
    const bot = await openBot(options, server, botJid, password, model, directory);
    const running = bot.run();
    const person = await logIn(server);
    process.stderr.write(
      `XMPP server: 127.0.0.1:${server.ports.startTls}. Bot: ${botJid.toString()}. Model: ${model.name}.\n`,
    );
    const answered = await talk(person, botJid, interrupted.signal);
    await Promise.all([person.stop(), bot.stop({ graceMs: 0 })]);
    await running;
    return answered ? 0 : 1;
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
    await server.stop();
    await rm(directory, { recursive: true, force: true });
  }
}

/**
 * Chooses the configured model, else a model that runs on this machine, else the scripted one.
 * @throws ConfigError when `--config` names a file that is missing or has errors
 */
async function chooseModel({ config: path }: CommonOptions): Promise<Model> {
  try {
    const loaded = await loadConfig({ path, env: process.env, cwd: process.cwd(), home: homedir() });
    const account = loaded.config?.accounts[0];
    if (loaded.config !== undefined && account !== undefined)
      return configuredModels(loaded.config)(account.modelProvider, account.model);
    for (const finding of loaded.findings) process.stderr.write(`${formatFinding(finding)}\n`);
    const problem = `the configuration ${loaded.path} has errors`;
    if (path !== undefined) throw new ConfigError(`${problem}; fix them, or leave out --config`);
    process.stderr.write(`${problem}; the demo runs without it\n`);
  } catch (error) {
    // Without --config, the configuration is optional.
    if (path !== undefined || !(error instanceof ConfigError)) throw error;
    if (!(error instanceof NoConfigError)) process.stderr.write(`${error.message}; the demo runs without it\n`);
  }
  return (await findLocalModel()) ?? createScriptedModel({ paceMs: process.stdout.isTTY ? WORD_MS : 0 });
}

async function openBot(
  { logLevel }: CommonOptions,
  server: LoopbackServer,
  jid: Jid,
  password: string,
  model: Model,
  dataDirectory: string,
): Promise<Bot> {
  const log = createLog({
    format: 'pretty',
    // The screen is for the chat: by default only errors are logged.
    level: logLevel === 'info' ? 'error' : logLevel,
    colours: false,
    write: (line) => process.stderr.write(`${line}\n`),
  });
  const accounts = [{ ...demoAccount(server, jid, password), ...namesOf(model) }];
  return Bot.open({
    config: { accounts, providers: new Map(), skillPaths: [] },
    modelOf: () => model,
    dataDirectory,
    log,
  });
}

/** An account with the default settings, but without rate limits. */
function demoAccount(server: LoopbackServer, jid: Jid, password: string): AccountConfig {
  const text = `
    [channels.xmpp.demo]
    jid = "${jid.toString()}"
    password = "${password}"
    server = "127.0.0.1:${server.ports.startTls}"
    [providers.demo]
    base_url = "http://127.0.0.1:1/v1"
    models = ["demo"]`;
  const { config, findings } = parseConfig(text, { file: 'demo', env: {}, baseDirectory: '.' });
  const account = config?.accounts[0];
  if (account === undefined) throw new Error(`the demo's own configuration has errors: ${findings[0]?.message ?? ''}`);
  const unlimited = {
    messagesPerMinute: Infinity,
    turnsPerMinute: Infinity,
    botTurns: Infinity,
    tokensPerDay: Infinity,
  };
  // A terminal needs no splitting into messages.
  const textChunkLimit = 100_000;
  return { ...account, ca: LOOPBACK_CERTIFICATE, textChunkLimit, limits: { ...account.limits, ...unlimited } };
}

/** What `/status` shows. */
function namesOf({ name }: Model): Pick<AccountConfig, 'modelProvider' | 'model'> {
  const [provider = name, ...model] = name.split('/');
  return { modelProvider: provider, model: model.join('/') || name };
}

async function logIn(server: LoopbackServer): Promise<Client> {
  const password = randomBytes(12).toString('hex');
  const jid = server.addAccount('you', password);
  const person = createClient({
    jid,
    password,
    resource: 'terminal',
    ca: LOOPBACK_CERTIFICATE,
    server: { host: '127.0.0.1', port: server.ports.startTls, directTls: false },
    plugins: [chatStates],
  });
  await person.start();
  return person;
}

/** Sends each input line to the bot and prints the answer, until the input ends or `signal` is aborted. @returns whether each was answered */
async function talk(person: Client, bot: Jid, signal: AbortSignal): Promise<boolean> {
  if (process.stdin.isTTY && process.stdout.isTTY) {
    await chatOnTerminal(person, bot, signal);
    return true;
  }
  const screen = new ReplyScreen((text) => process.stdout.write(text));
  const lines = createInterface({ input: process.stdin, signal });
  for await (const line of lines) {
    if (line.trim() !== '') {
      const answer = screen.show(person, bot, { timeoutMs: ANSWER_MS, signal });
      person.send(writeMessage({ to: bot, type: 'chat', body: line }));
      if (!(await answer)) {
        if (!signal.aborted) process.stderr.write(`No answer within ${ANSWER_MS / 1000} seconds.\n`);
        return false;
      }
    }
  }
  return true;
}
