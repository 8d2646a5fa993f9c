/** What the bot tells the person who runs it: one event a line, readable on a terminal, JSON everywhere else. */

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** What an event carries: plain values, no message text, no secret. */
export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

/** Tells one event. */
export type Log = (level: LogLevel, event: string, fields?: LogFields) => void;

export interface LogOptions {
  readonly format: 'pretty' | 'json';
  readonly level: LogLevel;
  readonly colours: boolean;
  /** Takes one line, without its line feed. */
  readonly write: (line: string) => void;
  readonly now?: () => Date;
}

/** A log that writes lines. */
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

/** The same log with fields that each of its events carries. */
export function withFields(log: Log, always: LogFields): Log {
  return (level, event, fields) => log(level, event, { ...always, ...fields });
}

/** What an event says of something that was thrown. */
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

/** What peers and servers say must not move the cursor or colour the screen. */
function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, ' ');
}
