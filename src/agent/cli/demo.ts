/**
 * `moltis-xmpp demo`: an XMPP server in this process, the bot on it, and a terminal that talks with the bot over real XMPP.
 * Nothing is needed: no account, no key, no server. With input piped in, each line is answered, then it ends.
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
import { ConfigError, loadConfig } from '../config/load-config.js';
import { parseConfig } from '../config/parse-config.js';
import { configuredModels } from '../model/configured-models.js';
import { findLocalModel } from '../model/local-model.js';
import type { Model } from '../model/model.js';
import { createScriptedModel } from '../model/scripted-model.js';
import { createLog } from '../log.js';
import { ReplyScreen } from './reply-screen.js';
import type { CommonOptions } from './options.js';

/** Longer than this no answer is waited for. */
const ANSWER_MS = 180_000;
const WORD_MS = 30;
/** For so long the demo's server waits for a client whose connection broke. */
const RESUMABLE_S = 60;

/** @returns the exit code */
export async function demo(options: CommonOptions): Promise<number> {
  const directory = await mkdtemp(join(tmpdir(), 'moltis-demo-'));
  const server = await LoopbackServer.start({ resumableSeconds: RESUMABLE_S });
  const interrupted = new AbortController();
  // The first signal ends in order, so that nothing is left behind; a second one is not ours any more.
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
    await Promise.all([person.stop(), bot.stop()]);
    await running;
    return answered ? 0 : 1;
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
    await server.stop();
    await rm(directory, { recursive: true, force: true });
  }
}

/**
 * The model of the configuration, if there is one; else one that runs on this machine; else the scripted one.
 * @throws ConfigError when a configuration was asked for by name and is missing or wrong
 */
async function chooseModel({ config: path }: CommonOptions): Promise<Model> {
  try {
    const loaded = await loadConfig({ path, env: process.env, cwd: process.cwd(), home: homedir() });
    const account = loaded.config?.accounts[0];
    if (loaded.config !== undefined && account !== undefined)
      return configuredModels(loaded.config)(account.modelProvider, account.model);
    for (const finding of loaded.findings) process.stderr.write(`${formatFinding(finding)}\n`);
    const wrong = `the configuration ${loaded.path} has errors`;
    if (path !== undefined) throw new ConfigError(`${wrong}; fix them, or leave out --config`);
    process.stderr.write(`${wrong}; the demo runs without it\n`);
  } catch (error) {
    // Whoever names a file wants to know what is wrong with it; whoever names none need not have one.
    if (path !== undefined || !(error instanceof ConfigError)) throw error;
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
    // The screen belongs to the conversation; what is no trouble is shown only to whoever asks for it.
    level: logLevel === 'info' ? 'error' : logLevel,
    colours: false,
    write: (line) => process.stderr.write(`${line}\n`),
  });
  const accounts = [demoAccount(server, jid, password)];
  return Bot.open({
    config: { accounts, providers: new Map(), skillPaths: [] },
    modelOf: () => model,
    dataDirectory,
    log,
  });
}

/** An account as the configuration file would give it, with its defaults; only the limits for strangers do not hold here. */
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
  const unlimited = { messagesPerMinute: Infinity, turnsPerMinute: Infinity, tokensPerDay: Infinity };
  // A screen has no messages: what is long is shown whole.
  const textChunkLimit = 100_000;
  return { ...account, ca: LOOPBACK_CERTIFICATE, textChunkLimit, limits: { ...account.limits, ...unlimited } };
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

/** Reads lines until they end or `signal` says so, sends each to the bot, and shows what comes back. @returns whether each was answered */
async function talk(person: Client, bot: Jid, signal: AbortSignal): Promise<boolean> {
  const isTerminal = process.stdin.isTTY && process.stdout.isTTY;
  const screen = new ReplyScreen((text) => process.stdout.write(text), isTerminal);
  const lines = createInterface({
    input: process.stdin,
    signal,
    ...(isTerminal ? { output: process.stdout, prompt: 'you> ' } : {}),
  });
  if (isTerminal) {
    process.stdout.write('Type a message. /help lists the commands, Ctrl-D quits.\n');
    lines.prompt();
  }
  for await (const line of lines) {
    if (line.trim() !== '') {
      const answer = screen.show(person, bot, { timeoutMs: ANSWER_MS, signal });
      person.send(writeMessage({ to: bot, type: 'chat', body: line }));
      if (!(await answer)) {
        if (!signal.aborted) process.stderr.write(`No answer within ${ANSWER_MS / 1000} seconds.\n`);
        return false;
      }
    }
    if (isTerminal) lines.prompt();
  }
  return true;
}
