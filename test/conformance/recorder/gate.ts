/** The way to the server: a port of its own for the client that is recorded, where the connection can be broken and the server be away. */
import net, { type AddressInfo, type Socket } from 'node:net';

/** Passes connections on as they are, TLS and all. Who else comes to the server does not come this way. */
export class Gate {
  readonly port: number;
  readonly #listener: net.Server;
  readonly #to: number;
  readonly #clients = new Set<Socket>();
  /** Clients, and what passes their words on. */
  readonly #lines = new Map<Socket, Socket>();
  /** Those that came while the server was away; there is no such list while it is there. */
  #waiting: Socket[] | undefined;

  private constructor(listener: net.Server, to: number) {
    this.port = (listener.address() as AddressInfo).port; // as that of a TCP socket is
    this.#listener = listener;
    this.#to = to;
    listener.on('connection', (client: Socket) => this.#enter(client));
  }

  /** Opens on a free port of this machine. @param to the server's port */
  static async open(to: number): Promise<Gate> {
    const listener = net.createServer({ allowHalfOpen: true });
    await new Promise<void>((resolve, reject) => {
      listener.once('error', reject).listen(0, '127.0.0.1', resolve);
    });
    return new Gate(listener, to);
  }

  /** Breaks what is connected: nobody says goodbye. */
  cut(): void {
    for (const client of this.#clients) client.resetAndDestroy();
  }

  /** Ends the server's side of what is connected. */
  end(): void {
    for (const client of this.#clients) client.end();
  }

  /** What is said on the connections of now arrives nowhere, and nobody is told. */
  lose(): void {
    for (const [client, server] of this.#lines) {
      client.unpipe(server).resume();
      server.unpipe(client).resume();
    }
  }

  /** While the server is away who comes has to wait: a refusal would be tried again and again, and each try be in the recording. */
  hold(): void {
    this.#waiting ??= [];
  }

  /** The server is there again. */
  release(): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const client of waiting) this.#connectThrough(client);
  }

  get isHolding(): boolean {
    return this.#waiting !== undefined;
  }

  close(): void {
    this.#listener.close();
    for (const client of this.#clients) client.destroy();
  }

  #enter(client: Socket): void {
    this.#clients.add(client);
    client.on('error', () => client.destroy()).once('close', () => this.#clients.delete(client));
    if (this.#waiting === undefined) this.#connectThrough(client);
    else this.#waiting.push(client);
  }

  #connectThrough(client: Socket): void {
    const server = net.connect({ port: this.#to, host: '127.0.0.1', allowHalfOpen: true });
    this.#lines.set(client, server);
    client.pipe(server);
    server.pipe(client);
    client.on('close', () => {
      this.#lines.delete(client);
      server.destroy();
    });
    // A server that dies with unread bytes resets the connection: so do we.
    server.on('error', () => client.resetAndDestroy());
  }
}
