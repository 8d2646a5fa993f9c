/** Runs work that nobody awaits, so that no failure is lost or becomes an unhandled rejection. */

/**
 * Starts `work` at once and returns at its first `await`.
 * @param onFailure called with what `work` throws or rejects with; it must not throw
 */
export function inBackground(work: () => unknown, onFailure: (error: unknown) => void): void {
  const run = async (): Promise<void> => {
    try {
      await work();
    } catch (error) {
      onFailure(error);
    }
  };
  void run();
}
