/** `moltis-xmpp run`: connects every enabled account and answers until stopped. `SIGHUP` reloads the configuration. */
import { homedir } from 'node:os';
import { Background } from '../background.js';
import { Bot, type BotSettings } from '../bot.js';
import { formatFinding } from '../config/finding.js';
import { ConfigError, findDataDirectory, loadConfig } from '../config/load-config.js';
import { errorText, type Log } from '../log.js';
import { configuredModels } from '../model/configured-models.js';
import { EXIT_CONFIG, exitCodeOf } from './exit-codes.js';
import { installLastResort } from './last-resort.js';
import { standardLog, type CommonOptions } from './options.js';

/** Runs the bot until it stops. @returns the exit code (see `exit-codes.ts`) */
export async function run(options: CommonOptions): Promise<number> {
  const settings = await firstSettings(options);
  if (settings === undefined) return EXIT_CONFIG;
  const log = standardLog(options);
  const removeLastResort = installLastResort(log);
  const dataDirectory = findDataDirectory({ flag: options.dataDirectory, env: process.env, home: homedir() });
  const bot = await Bot.open({ ...settings, dataDirectory, log });
  const background = new Background(log);
  const removeStop = onStopSignals(() => background.run('stop', () => bot.stop()), log);
  const removeReload = onReloadSignal(() => background.run('reload', () => reload(bot, options, log)));
  try {
    return exitCodeOf(await bot.run());
  } finally {
    removeStop();
    removeReload();
    removeLastResort();
  }
}

/** As `readSettings`. A file that is missing is an error of the configuration, too. */
async function firstSettings(options: CommonOptions): Promise<BotSettings | undefined> {
  try {
    return await readSettings(options);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`moltis-xmpp: ${error.message}\n`);
    return undefined;
  }
}

/** Reads the configuration and prints its findings. @returns `undefined` when it has errors */
async function readSettings({ config: path }: CommonOptions): Promise<BotSettings | undefined> {
  const { env } = process;
  const { config, findings } = await loadConfig({ path, env, cwd: process.cwd(), home: homedir() });
  for (const finding of findings) process.stderr.write(`${formatFinding(finding)}\n`);
  return config === undefined ? undefined : { config, modelOf: configuredModels(config) };
}

async function reload(bot: Bot, options: CommonOptions, log: Log): Promise<void> {
  const failed = (message: string): void => log('error', 'error', { kind: 'config', message });
  try {
    const settings = await readSettings(options);
    if (settings === undefined) return failed('the configuration has errors; the previous one stays in use');
    await bot.reload(settings);
    log('info', 'reloaded', { accounts: settings.config.accounts.filter(({ enabled }) => enabled).length });
  } catch (error) {
    failed(errorText(error));
  }
}

function onReloadSignal(reload: () => void): () => void {
  process.on('SIGHUP', reload);
  return () => process.off('SIGHUP', reload);
}

/** The first signal shuts down cleanly, the second one exits at once. @returns removes the handlers */
function onStopSignals(stop: () => void, log: Log): () => void {
  let stopping = false;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (stopping) process.exit(1);
    stopping = true;
    log('info', 'stopping', { signal });
    stop();
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  return () => {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  };
}
