/** `moltis-xmpp run`: connects every enabled account and answers until stopped. `SIGHUP` reloads the configuration. */
import { homedir } from 'node:os';
import { Background } from '../background.js';
import { Bot, type BotSettings } from '../bot.js';
import { formatFinding } from '../config/finding.js';
import { findDataDirectory, loadConfig } from '../config/load-config.js';
import { errorText, type Log } from '../log.js';
import { configuredModels } from '../model/configured-models.js';
import { installLastResort } from './last-resort.js';
import { standardLog, type CommonOptions } from './options.js';

/** Runs the bot until it stops. @returns the exit code: 0 after a stop, 1 if the configuration has errors or every account gave up */
export async function run(options: CommonOptions): Promise<number> {
  const settings = await readSettings(options);
  if (settings === undefined) return 1;
  const log = standardLog(options);
  const removeLastResort = installLastResort(log);
  const dataDirectory = findDataDirectory({ flag: options.dataDirectory, env: process.env, home: homedir() });
  const bot = await Bot.open({ ...settings, dataDirectory, log });
  const background = new Background(log);
  const removeStop = onStopSignals(() => background.run('stop', () => bot.stop()), log);
  const removeReload = onReloadSignal(() => background.run('reload', () => reload(bot, options, log)));
  try {
    return (await bot.run()) ? 0 : 1;
  } finally {
    removeStop();
    removeReload();
    removeLastResort();
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
