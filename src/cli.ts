#!/usr/bin/env node
/** The entry point of the standalone bot: parses the command line and runs a command. */
import { parseArgs } from 'node:util';
import { EXIT_USAGE, exitCodeOfError } from './agent/cli/exit-codes.js';
import { readLogFormat, readLogLevel, UsageError, type CommonOptions } from './agent/cli/options.js';
import { ownVersion } from './agent/version.js';

const USAGE = `Usage: moltis-xmpp [command] [flags]

Commands
  run      connect all configured accounts and answer until stopped (default)
  check    validate the configuration without connecting
  demo     chat with the bot in this terminal; needs no account, key or server

Flags
  --config FILE              configuration; default: moltis.toml in ., $MOLTIS_CONFIG_DIR or ~/.config/moltis
  --data-dir DIR             (run) where conversations are kept; default: $MOLTIS_DATA_DIR or ~/.moltis
  --log-format pretty|json   (run) default: pretty on a terminal, json elsewhere
  --log-level LEVEL          (run, demo) debug, info, warn or error; default: info
  --json                     (check) print the result as JSON
  --help, --version
`;

interface Command {
  /** The flags that it accepts. */
  readonly flags: readonly string[];
  /** @returns the exit code */
  readonly run: (options: CommonOptions) => Promise<number>;
}

/** Commands are loaded on demand: `check` does not load the code that connects. */
const COMMANDS: ReadonlyMap<string, Command> = new Map([
  [
    'run',
    {
      flags: ['config', 'data-dir', 'log-format', 'log-level'],
      run: async (options) => (await import('./agent/cli/run.js')).run(options),
    },
  ],
  [
    'check',
    { flags: ['config', 'json'], run: async (options) => (await import('./agent/cli/check.js')).check(options) },
  ],
  [
    'demo',
    { flags: ['config', 'log-level'], run: async (options) => (await import('./agent/cli/demo.js')).demo(options) },
  ],
]);

async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = readCommandLine(args);
  if (values.help === true) {
    process.stdout.write(USAGE);
    return 0;
  }
  if (values.version === true) {
    process.stdout.write(`${await ownVersion()}\n`);
    return 0;
  }
  const [name = 'run', ...rest] = positionals;
  const command = COMMANDS.get(name);
  if (command === undefined)
    throw new UsageError(`unknown command '${name}'; the commands are ${[...COMMANDS.keys()].join(', ')}`);
  if (rest.length > 0) throw new UsageError(`'${name}' takes no arguments, but got '${rest.join(' ')}'`);
  const unknown = Object.keys(values).find((flag) => !command.flags.includes(flag));
  if (unknown !== undefined)
    throw new UsageError(`'${name}' does not accept --${unknown}; its flags are ${flagList(command)}`);
  return command.run({
    config: values.config,
    dataDirectory: values['data-dir'],
    logFormat: readLogFormat(values['log-format']),
    logLevel: readLogLevel(values['log-level']),
    json: values.json === true,
  });
}

function flagList({ flags }: Command): string {
  return flags.map((flag) => `--${flag}`).join(', ');
}

function readCommandLine(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        config: { type: 'string' },
        'data-dir': { type: 'string' },
        'log-format': { type: 'string' },
        'log-level': { type: 'string' },
        json: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
        version: { type: 'boolean', short: 'v' },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

/** The bot's packages are optional, so that the library can be installed without them; a bot that lacks one says how to get it. */
function missingPackage(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error) || error.code !== 'ERR_MODULE_NOT_FOUND') return undefined;
  const [, name] = /^Cannot find package '([^']+)'/.exec(error.message) ?? [];
  return name === undefined
    ? undefined
    : `the bot needs the package '${name}', which is not installed; install moltis-xmpp without --omit=optional`;
}

// The reader of the output has gone (`moltis-xmpp run | head`), which is not an error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  // Users get one line; MOLTIS_DEBUG adds the stack.
  const text = error instanceof Error ? error.message : String(error);
  process.stderr.write(`moltis-xmpp: ${missingPackage(error) ?? text}\n`);
  if (error instanceof UsageError) process.stderr.write('Try moltis-xmpp --help.\n');
  if (process.env['MOLTIS_DEBUG'] !== undefined && error instanceof Error)
    process.stderr.write(`${error.stack ?? ''}\n`);
  process.exitCode = error instanceof UsageError ? EXIT_USAGE : exitCodeOfError(error);
}
