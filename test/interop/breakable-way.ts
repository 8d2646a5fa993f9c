import net from 'node:net';

import type { Test } from 'tap';

import { listen } from '../support/meddler.js';

/** A way to a port of this machine that can be cut: connections through it end without a word, and none is let through until it is mended. */
export async function breakableWay(
  t: Test,
  to: number,
): Promise<{ readonly port: number; readonly cut: () => void; readonly mend: () => void }> {
  let isCut = false;
  const { port, sockets } = await listen(t, (client) => {
    if (isCut) {
      client.destroy();
      return;
    }
    const behind = net.connect(to, '127.0.0.1');
    client.pipe(behind).on('error', () => client.destroy());
    behind.pipe(client);
    client.on('close', () => behind.destroy());
    behind.on('close', () => client.destroy());
  });
  return {
    port,
    cut(): void {
      isCut = true;
      for (const socket of sockets) socket.destroy();
    },
    mend(): void {
      isCut = false;
    },
  };
}
