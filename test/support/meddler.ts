/** For tests: a plain TCP listener, and a proxy that changes what the server sends. */
import net, { type AddressInfo, type Socket } from 'node:net';
import type { Test } from 'tap';

/**
 * Listens on a free port of 127.0.0.1 until the test ends.
 * @returns the port, and the connections that are open
 */
export async function listen(
  t: Test,
  serve: (socket: Socket) => void,
): Promise<{ readonly port: number; readonly sockets: ReadonlySet<Socket> }> {
  const sockets = new Set<Socket>();
  const listener = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => socket.destroy());
    serve(socket);
  });
  await new Promise<void>((resolve) => {
    listener.listen(0, '127.0.0.1', resolve);
  });
  t.teardown(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => listener.close(resolve));
  });
  return { port: (listener.address() as AddressInfo).port, sockets };
}

/** Proxies to the server at `port`, and changes what it sends with `meddle`. @returns the port of the proxy */
export async function startMeddler(t: Test, port: number, meddle: (chunk: Buffer) => Buffer): Promise<number> {
  const middle = await listen(t, (client) => {
    const server = net.connect(port, '127.0.0.1');
    server.on('data', (chunk: Buffer) => client.write(meddle(chunk)));
    client.on('data', (chunk) => server.write(chunk));
    server.on('close', () => client.destroy()).on('error', () => client.destroy());
    client.on('close', () => server.destroy());
  });
  return middle.port;
}
