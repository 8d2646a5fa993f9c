/**
 * What tap gets in place of its package `async-hook-domain` (scripts/lib/transpile.mjs): it receives the errors that nobody catches, and fails the test
 * that they came from. To know it, the package follows every promise, which takes a third of the tests' time. Here the test that began last fails.
 */
import process from 'node:process';

/** The domains of the tests that run, in the order of their beginnings. */
const running = [];

export class Domain {
  #take;

  /** @param take takes an error and the name of the event that brought it */
  constructor(take) {
    this.#take = take;
    if (running.length === 0) process.on('uncaughtException', fail);
    running.push(this);
  }

  destroy() {
    if (!running.includes(this)) return;
    running.splice(running.indexOf(this), 1);
    if (running.length === 0) process.off('uncaughtException', fail);
  }

  onerror(error, event) {
    this.#take(error, event);
  }
}

function fail(error, event) {
  // A test with a listener of its own expects the error.
  if (process.listenerCount('uncaughtException') === 1) running.at(-1).onerror(error, event);
}
