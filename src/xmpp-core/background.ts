/** Work that nobody awaits. It goes through this door, so that no failure is lost and none becomes an unhandled rejection. */

/**
 * Starts `work` at once and returns at its first `await`.
 * @param onFailure gets what `work` throws, or rejects with; it must not throw
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
