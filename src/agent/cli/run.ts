/** `moltis-xmpp run`: connects every configured account and answers until stopped. */
import { homedir } from 'node:os';
import { Bot } from '../bot.js';
import { formatFinding } from '../config/finding.js';
import { findDataDirectory, loadConfig } from '../config/load-config.js';
import { errorText } from '../log.js';
import { configuredModels } from '../model/configured-models.js';
import { standardLog, type CommonOptions } from './options.js';

/** @returns the exit code */
export async function run(options: CommonOptions): Promise<number> {
  const { env } = process;
  const { config, findings } = await loadConfig({ path: options.config, env, cwd: process.cwd(), home: homedir() });
  for (const finding of findings) process.stderr.write(`${formatFinding(finding)}\n`);
  if (config === undefined) return 1;
  const log = standardLog(options);
  const dataDirectory = findDataDirectory({ flag: options.dataDirectory, env, home: homedir() });
  const bot = await Bot.open({ accounts: config.accounts, modelOf: configuredModels(config), dataDirectory, log });
  const forget = onStopSignals(() => bot.stop(), log);
  try {
    return (await bot.run()) ? 0 : 1;
  } finally {
    forget();
  }
}

/** The first signal stops in order, the second one at once. */
function onStopSignals(stop: () => Promise<void>, log: ReturnType<typeof standardLog>): () => void {
  let stopping = false;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (stopping) process.exit(1);
    stopping = true;
    log('info', 'stopping', { signal });
    stop().catch((error: unknown) => {
      log('error', 'error', { kind: 'internal', message: errorText(error) });
    });
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  return () => {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  };
}
