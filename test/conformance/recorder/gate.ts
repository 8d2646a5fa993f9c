/** The way to the server: a port of its own for the client that is recorded, where the connection can be broken and the server be away. */
import net, { type AddressInfo, type Socket } from 'node:net';

/** Passes connections on as they are, TLS and all. Who else comes to the server does not come this way. */
export class Gate {
  readonly port: number;
  readonly #listener: net.Server;
  readonly #clients: Set<Socket>;

  private constructor(listener: net.Server, clients: Set<Socket>) {
    this.port = (listener.address() as AddressInfo).port; // as that of a TCP socket is
    this.#listener = listener;
    this.#clients = clients;
  }

  /** Opens on a free port of this machine. @param to the server's port */
  static async open(to: number): Promise<Gate> {
    const clients = new Set<Socket>();
    const listener = net.createServer({ allowHalfOpen: true }, (client) => {
      clients.add(client);
      client.once('close', () => clients.delete(client));
      connectThrough(client, to);
    });
    await listenAt(listener, 0);
    return new Gate(listener, clients);
  }

  /** Breaks what is connected: nobody says goodbye. */
  cut(): void {
    for (const client of this.#clients) client.resetAndDestroy();
  }

  /** Ends the server's side of what is connected. */
  end(): void {
    for (const client of this.#clients) client.end();
  }

  /** Lets no new connection in, as when nobody listens. Those that are there go on. */
  shut(): void {
    this.#listener.close();
  }

  async reopen(): Promise<void> {
    await listenAt(this.#listener, this.port);
  }

  close(): void {
    this.#listener.close();
    for (const client of this.#clients) client.destroy();
  }
}

function connectThrough(client: Socket, to: number): void {
  const server = net.connect({ port: to, host: '127.0.0.1', allowHalfOpen: true });
  client.pipe(server);
  server.pipe(client);
  client.on('error', () => server.destroy());
  client.on('close', () => server.destroy());
  // A server that dies with unread bytes resets the connection: so do we.
  server.on('error', () => client.resetAndDestroy());
}

async function listenAt(listener: net.Server, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    listener.once('error', reject).listen(port, '127.0.0.1', () => {
      listener.off('error', reject);
      resolve();
    });
  });
}
