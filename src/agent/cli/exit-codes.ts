/** The exit codes of the program: those of sysexits.h where a service manager has to tell failures apart. */
import type { BotOutcome } from '../bot.js';

/** Success. */
export const EXIT_DONE = 0;
/** A failure that another start may get over. */
export const EXIT_FAILED = 1;
/** A wrong command line. */
export const EXIT_USAGE = 2;
/** EX_SOFTWARE: a fault of the program. A service manager starts the bot again. */
export const EXIT_FAULT = 70;
/** EX_CONFIG: the bot cannot work until a person changes something. A service manager need not start it again. */
export const EXIT_CONFIG = 78;

/** The exit code for the end of a bot. */
export function exitCodeOf(outcome: BotOutcome): number {
  if (outcome === 'stopped') return EXIT_DONE;
  return outcome === 'misconfigured' ? EXIT_CONFIG : EXIT_FAILED;
}

/** The exit code for an error that ended a command. What we expect has a class of its own or a code of the system; all else is a fault. */
export function exitCodeOfError(error: unknown): number {
  if (!(error instanceof Error)) return EXIT_FAULT;
  const isExpected = 'code' in error || !BUILT_IN.has(Object.getPrototypeOf(error));
  return isExpected ? EXIT_FAILED : EXIT_FAULT;
}

const BUILT_IN: ReadonlySet<unknown> = new Set(
  [Error, TypeError, RangeError, ReferenceError, SyntaxError, AggregateError].map(({ prototype }) => prototype),
);
