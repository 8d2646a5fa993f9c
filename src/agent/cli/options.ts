/** The options of all commands, and the log that they configure. */
import { createLog, LOG_LEVELS, type LogLevel, type Log } from '../log.js';

/** The parsed flags. A command uses only those in its list (see `cli.ts`). */
export interface CommonOptions {
  /** `--config` */
  readonly config: string | undefined;
  /** `--data-dir` */
  readonly dataDirectory: string | undefined;
  /** `--log-format`; `undefined`: pretty on a terminal, JSON elsewhere. */
  readonly logFormat: 'pretty' | 'json' | undefined;
  /** `--log-level` */
  readonly logLevel: LogLevel;
  /** `--json` */
  readonly json: boolean;
}

/** An invalid command line. The message says what is valid. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Reads the value of `--log-format`. @throws UsageError */
export function readLogFormat(text: string | undefined): 'pretty' | 'json' | undefined {
  if (text === undefined || text === 'pretty' || text === 'json') return text;
  throw new UsageError(`--log-format must be pretty or json, not '${text}'`);
}

/** Reads the value of `--log-level`; `info` unless given. @throws UsageError */
export function readLogLevel(text: string | undefined): LogLevel {
  const level = LOG_LEVELS.find((one) => one === (text ?? 'info'));
  if (level === undefined)
    throw new UsageError(`--log-level must be one of ${LOG_LEVELS.join(', ')}, not '${text ?? ''}'`);
  return level;
}

/** The log on standard output: readable text on a terminal, one JSON object per line elsewhere. */
export function standardLog({ logFormat, logLevel }: CommonOptions): Log {
  const isTerminal = process.stdout.isTTY;
  return createLog({
    format: logFormat ?? (isTerminal ? 'pretty' : 'json'),
    level: logLevel,
    colours: isTerminal && (process.env['NO_COLOR'] ?? '') === '',
    write: (line) => process.stdout.write(`${line}\n`),
  });
}
