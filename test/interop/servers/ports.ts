import { createServer } from 'node:net';

/**
 * Ports free on 127.0.0.1, below the range that outgoing connections take theirs from: so that while a server is down nobody
 * else gets its port, and a client that tries to reach it cannot connect to itself.
 */
export async function freePorts<Name extends string>(names: readonly Name[]): Promise<Readonly<Record<Name, number>>> {
  const ports = new Map<number, Name>();
  for (const name of names) {
    let port: number;
    do port = 10_000 + Math.floor(Math.random() * 20_000);
    while (ports.has(port) || !(await isFree(port)));
    ports.set(port, name);
  }
  return Object.fromEntries([...ports].map(([port, name]) => [name, port])) as Record<Name, number>;
}

async function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
}
