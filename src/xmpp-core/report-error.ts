/** The last resort for an error without a listener. */

/**
 * Prints an error with its stack and its causes, for the developer to see. A library must not end the process of its application, as an
 * unhandled `error` event of Node would; and a process warning hides the stack. The console is there in every runtime.
 */
export function reportError(error: unknown, where: string): void {
  // oxlint-disable-next-line no-console -- the last resort of a library that has no log: a silent failure would be worse
  console.error(`moltis-xmpp: unhandled error in '${where}':`, error);
}
