/** The flags that every command knows, and how the log is set up from them. */
import { createLog, LOG_LEVELS, type LogLevel, type Log } from '../log.js';

export interface CommonOptions {
  /** `--config` */
  readonly config: string | undefined;
  /** `--data-dir` */
  readonly dataDirectory: string | undefined;
  /** `--log-format`; decided by where standard output goes when it is not given. */
  readonly logFormat: 'pretty' | 'json' | undefined;
  readonly logLevel: LogLevel;
  /** `--json` */
  readonly json: boolean;
}

/** A command line that cannot be understood; the message says how it goes. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** @throws UsageError */
export function readLogFormat(text: string | undefined): 'pretty' | 'json' | undefined {
  if (text === undefined || text === 'pretty' || text === 'json') return text;
  throw new UsageError(`--log-format must be pretty or json, not '${text}'`);
}

/** @throws UsageError */
export function readLogLevel(text: string | undefined): LogLevel {
  const level = LOG_LEVELS.find((one) => one === (text ?? 'info'));
  if (level === undefined)
    throw new UsageError(`--log-level must be one of ${LOG_LEVELS.join(', ')}, not '${text ?? ''}'`);
  return level;
}

/** The log to standard output: for people on a terminal, one JSON object a line elsewhere. */
export function standardLog({ logFormat, logLevel }: CommonOptions): Log {
  const isTerminal = process.stdout.isTTY;
  return createLog({
    format: logFormat ?? (isTerminal ? 'pretty' : 'json'),
    level: logLevel,
    colours: isTerminal && (process.env['NO_COLOR'] ?? '') === '',
    write: (line) => process.stdout.write(`${line}\n`),
  });
}
