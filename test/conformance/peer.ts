/** The scripted peer: the server's side of connections, on real sockets with real TLS. It knows nothing of a scenario. */
import { createHash, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer as createWebServer } from 'node:https';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import tls, { type SecureVersion } from 'node:tls';
import { WebSocketServer, type WebSocket } from 'ws';
import { Queue } from './queue.js';
import type { Site } from './implementation.js';
import type { Way } from './scenario.js';
import { ItemReader, malformed, parseFrame, type Item } from './xml-tree.js';

const CERTIFICATES = new URL('../../fixtures/certificates/', import.meta.url);

/** What the server shows in a TLS handshake. */
export interface Handshake {
  /** Which of fixtures/certificates. */
  readonly certificate: string;
  /** The highest version it speaks. */
  readonly version: SecureVersion;
}

/** A connection of the client, from the server's side. */
export interface Connection {
  /** What the client says, item by item; undefined at the end of the connection. */
  readonly items: Queue<Item>;
  /** Resolves when the client has closed it. */
  readonly closed: Promise<void>;
  /** @param byteByByte in as many writes as there are bytes */
  say(data: string | Buffer, byteByByte: boolean): Promise<void>;
  /** The server's side of the handshake. Rejects when the client ends it. */
  secure(handshake: Handshake): Promise<void>;
  /** What the channel of this type is bound to (RFC 9266, RFC 5929). */
  binding(type: string): Buffer;
  /** Ends the server's side. */
  end(): void;
  /** Breaks it. */
  cut(): void;
}

export class ScriptedPeer {
  readonly site: Site;
  /** The connections of the client, as they come. */
  readonly connections: Queue<Connection>;
  readonly #server: Server;
  readonly #open = new Set<Socket>();

  private constructor(server: Server, connections: Queue<Connection>, way: Way) {
    this.#server = server;
    this.connections = connections;
    const { port } = server.address() as AddressInfo; // as that of a TCP socket is
    this.site = {
      host: '127.0.0.1',
      port,
      webSocket: `wss://localhost:${port}/ws`,
      authority: read('authority.crt'),
      identity: { certificate: read('ann.crt'), key: read('ann.key') },
    };
    server.on(way === 'WebSocket' ? 'secureConnection' : 'connection', (socket: Socket) => {
      this.#open.add(socket);
      socket.once('close', () => this.#open.delete(socket));
    });
  }

  /** Listens on a free port of this machine. */
  static async listen(way: Way): Promise<ScriptedPeer> {
    const connections = new Queue<Connection>();
    const server = way === 'WebSocket' ? webServer(connections) : createServer();
    if (way !== 'WebSocket') server.on('connection', (socket) => connections.add(new TcpConnection(socket, way)));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new ScriptedPeer(server, connections, way);
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#open) socket.destroy();
  }
}

class TcpConnection implements Connection {
  readonly items = new Queue<Item>();
  readonly closed: Promise<void>;
  readonly #carrier: Socket;
  #socket: Socket;
  #secure: tls.TLSSocket | undefined;
  #certificate = '';
  #close: () => void = () => undefined;

  constructor(socket: Socket, way: Way) {
    this.#carrier = socket;
    this.#socket = socket;
    this.closed = new Promise((resolve) => {
      this.#close = resolve;
    });
    socket.setNoDelay(true);
    this.#handleEnd(socket);
    // What comes first by direct TLS is for the handshake.
    if (way === 'direct TLS') socket.pause();
    else this.#read(socket);
  }

  async say(data: string | Buffer, byteByByte: boolean): Promise<void> {
    if (!byteByByte) {
      this.#socket.write(data);
      return;
    }
    const bytes = Buffer.from(data);
    for (const [index, byte] of bytes.entries()) {
      this.#socket.write(Uint8Array.of(byte));
      // After the last the client may begin a handshake, for which the peer has to be ready.
      if (index < bytes.length - 1) await nextTurn();
    }
  }

  async secure({ certificate, version }: Handshake): Promise<void> {
    this.#socket.removeAllListeners('data');
    this.#certificate = read(`${certificate}.crt`);
    const secure = new tls.TLSSocket(this.#socket, {
      isServer: true,
      key: read(`${certificate}.key`),
      cert: this.#certificate,
      ca: [read('authority.crt')],
      requestCert: true,
      rejectUnauthorized: false,
      minVersion: version === 'TLSv1.1' ? version : 'TLSv1.2',
      maxVersion: version,
      // Without the lowest level of security OpenSSL speaks no version that is out of use.
      ...(version === 'TLSv1.1' ? { ciphers: 'DEFAULT:@SECLEVEL=0' } : {}),
      ALPNProtocols: ['xmpp-client'],
    });
    this.#secure = secure;
    this.#socket = secure;
    this.#handleEnd(secure);
    await new Promise<void>((resolve, reject) => {
      const refused = (): void => reject(new Error('the client ended the TLS handshake'));
      secure.once('secure', resolve).once('error', refused).once('close', refused);
    });
    this.#read(secure);
  }

  binding(type: string): Buffer {
    return bindingOf(type, this.#secure, this.#certificate);
  }

  end(): void {
    this.#socket.end();
  }

  cut(): void {
    this.#carrier.resetAndDestroy();
  }

  #read(socket: Socket): void {
    const reader = new ItemReader((item) => this.items.add(item));
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => {
      try {
        reader.read(text);
      } catch (error) {
        this.items.add(malformed(error));
      }
    });
  }

  #handleEnd(socket: Socket): void {
    // What an error was shows in what is missing.
    socket.on('error', () => undefined);
    socket.on('end', () => this.#ended());
    socket.on('close', () => this.#ended());
  }

  #ended(): void {
    this.items.fail(new Error('the client has ended the connection'));
    this.#close();
  }
}

class WebSocketConnection implements Connection {
  readonly items = new Queue<Item>();
  readonly closed: Promise<void>;
  readonly #socket: WebSocket;
  readonly #carrier: Socket;

  constructor(socket: WebSocket, carrier: Socket) {
    this.#socket = socket;
    this.#carrier = carrier;
    socket.on('message', (data: Buffer) => {
      try {
        this.items.add(parseFrame(data.toString()));
      } catch (error) {
        this.items.add(malformed(error));
      }
    });
    this.closed = new Promise((resolve) => {
      socket.on('close', () => {
        this.items.fail(new Error('the client has closed the WebSocket'));
        resolve();
      });
    });
  }

  async say(text: string | Buffer): Promise<void> {
    this.#socket.send(text);
  }

  async secure(): Promise<void> {
    // It came with the connection.
  }

  binding(type: string): Buffer {
    return bindingOf(type, this.#carrier, read('good.crt'));
  }

  end(): void {
    this.#socket.close(1000);
  }

  cut(): void {
    this.#socket.terminate();
  }
}

/** What is bound to (RFC 9266 §2; RFC 5929 §4.1, for a certificate signed with SHA-256); nothing without TLS. */
function bindingOf(type: string, socket: Socket | undefined, certificate: string): Buffer {
  if (!(socket instanceof tls.TLSSocket)) return Buffer.alloc(0);
  if (type === 'tls-exporter') return socket.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0));
  if (type !== 'tls-server-end-point') throw new Error(`the peer cannot bind to ${type}`);
  return createHash('sha256').update(new X509Certificate(certificate).raw).digest();
}

function webServer(connections: Queue<Connection>): Server {
  const server = createWebServer({ key: read('good.key'), cert: read('good.crt') });
  const sockets = new WebSocketServer({
    server,
    handleProtocols: (offered) => (offered.has('xmpp') ? 'xmpp' : false),
  });
  sockets.on('connection', (socket, request) => connections.add(new WebSocketConnection(socket, request.socket)));
  return server;
}

function read(name: string): string {
  return readFileSync(new URL(name, CERTIFICATES), 'utf8');
}
