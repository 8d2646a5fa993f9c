/** The log for the operator: one event a line, as readable text for terminals or as JSON. */

/** The levels, least important first. */
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
/** One of `LOG_LEVELS`. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** The fields of an event: plain values, without message text or secrets. */
export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

/** Logs one event. */
export type Log = (level: LogLevel, event: string, fields?: LogFields) => void;

/** Options of `createLog`. */
export interface LogOptions {
  readonly format: 'pretty' | 'json';
  /** Events below this level are dropped. */
  readonly level: LogLevel;
  readonly colours: boolean;
  /** Writes one line, which has no line feed. */
  readonly write: (line: string) => void;
  readonly now?: () => Date;
}

/** Creates a log that writes lines. */
export function createLog({ format, level, colours, write, now = () => new Date() }: LogOptions): Log {
  const least = LOG_LEVELS.indexOf(level);
  return (eventLevel, event, fields = {}) => {
    if (LOG_LEVELS.indexOf(eventLevel) < least) return;
    const time = now();
    write(
      format === 'json'
        ? JSON.stringify({ time: time.toISOString(), level: eventLevel, event, ...fields })
        : pretty(time, eventLevel, event, fields, colours),
    );
  };
}

/** The same log, with fields added to every event. */
export function withFields(log: Log, always: LogFields): Log {
  return (level, event, fields) => log(level, event, { ...always, ...fields });
}

/** The text of a thrown value, for a field. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

const COLOURS: Readonly<Record<LogLevel, string>> = { debug: '90', info: '36', warn: '33', error: '31' };

/** `12:00:01 error  my-bot  message  (kind auth)` */
function pretty(time: Date, level: LogLevel, event: string, fields: LogFields, colours: boolean): string {
  const { account, message, ...rest } = fields;
  const details = Object.entries(rest).flatMap(([name, value]) =>
    value === undefined || value === null ? [] : [`${name} ${printable(String(value))}`],
  );
  const parts = [
    time.toTimeString().slice(0, 8),
    colours ? `\u001b[${COLOURS[level]}m${event.padEnd(9)}\u001b[0m` : event.padEnd(9),
    account === undefined || account === null ? '' : printable(String(account)),
    message === undefined || message === null ? '' : printable(String(message)),
    details.length === 0 ? '' : `(${details.join(', ')})`,
  ];
  return parts.filter((part) => part !== '').join('  ');
}

/** Replaces control characters: text of peers and servers must not move the cursor or colour the screen. */
function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, ' ');
}
