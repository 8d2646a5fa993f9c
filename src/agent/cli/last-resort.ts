/** Handles failures that nothing else in the program handles. */
import { writeSync } from 'node:fs';
import { EXIT_FAULT } from './exit-codes.js';
import { errorText, type Log } from '../log.js';

const STDERR = 2;

/**
 * Logs each unhandled rejection with its stack; the accounts go on. An uncaught exception may leave anything half done, so it ends the process.
 * @returns removes the handlers
 */
export function installLastResort(log: Log): () => void {
  const onRejection = (reason: unknown): void => {
    const stack = reason instanceof Error ? reason.stack : undefined;
    log('error', 'error', { kind: 'internal', message: `unhandled rejection: ${errorText(reason)}`, stack });
  };
  const onException = (error: unknown): void => {
    const text = (error instanceof Error ? error.stack : undefined) ?? errorText(error);
    // Synchronous: buffered output would be lost when the process exits.
    writeSync(STDERR, `moltis-xmpp: ends after an uncaught exception: ${text.replaceAll(/\s*\n\s*/g, ' ')}\n`);
    process.exit(EXIT_FAULT);
  };
  process.on('unhandledRejection', onRejection).on('uncaughtException', onException);
  return () => {
    process.off('unhandledRejection', onRejection).off('uncaughtException', onException);
  };
}
