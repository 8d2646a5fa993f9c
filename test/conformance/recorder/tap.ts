/**
 * Looks over the shoulder of a client that runs in this process, inside its TLS.
 *
 * A proxy that ends TLS would change what is recorded: a login could not be bound to the connection. So the two functions that open
 * sockets are put in others' place for the time of a recording. Node's modules are ordinary objects, and whoever wrote `import net from 'node:net'`
 * looks `net.connect` up on that object at each call; so does `ws`. A socket that goes to the watched port has its own `emit` and `write`, which
 * tell first and then do what they always do: nothing is read earlier, or in other pieces, than the client reads it.
 */
import net, { type Socket } from 'node:net';
import tls from 'node:tls';
import { WebSocket } from 'ws';
import { ItemReader, parseFrame, type Item } from '../xml-tree.js';

/** What is told of the connections to the watched port. */
export interface Watcher {
  /** @param write the number of the write it came in: what has the same number was sent at once */
  said(who: 'client' | 'server', item: Item, write: number): void;
  /** As an `N:` step says it. */
  happened(what: string): void;
}

type Method = (...values: unknown[]) => unknown;

/**
 * Watches each connection to `port` of this machine.
 * @returns ends the watch
 */
export function tap(port: number, watcher: Watcher): () => void {
  const watched = new Map<unknown, Connection>();
  /** What a WebSocket stands on is in a field that `ws` does not tell its users of. */
  const carrierOf = (socket: WebSocket): Connection | undefined => watched.get(Reflect.get(socket, '_socket'));
  const undo = [
    replace(net, 'connect', (original) => (...values) => {
      const socket = original(...values);
      if (isOptions(values[0]) && Number(values[0]['port']) === port && socket instanceof net.Socket) {
        watched.set(socket, new Connection(socket, watcher));
      }
      return socket;
    }),
    replace(tls, 'connect', (original) => (...values) => {
      const socket = original(...values);
      if (!isOptions(values[0]) || !(socket instanceof tls.TLSSocket)) return socket;
      const below = watched.get(values[0]['socket']);
      if (below !== undefined) below.secure(socket);
      else if (Number(values[0]['port']) === port) watched.set(socket, new Connection(socket, watcher).secure(socket));
      return socket;
    }),
    replace(
      WebSocket.prototype,
      'send',
      (original) =>
        function send(this: WebSocket, ...values) {
          carrierOf(this)?.frame('client', String(values[0]));
          return Reflect.apply(original, this, values);
        },
    ),
    replace(
      WebSocket.prototype,
      'emit',
      (original) =>
        function emit(this: WebSocket, ...values) {
          const [event, data] = values;
          if (event === 'open') carrierOf(this)?.upgraded();
          if (event === 'message') carrierOf(this)?.frame('server', String(data));
          return Reflect.apply(original, this, values);
        },
    ),
  ];
  return () => {
    for (const one of undo) one();
  };
}

let writes = 0;

function nextWrite(): number {
  writes += 1;
  return writes;
}

/** One connection: the socket, and later the TLS in it. */
class Connection {
  readonly #watcher: Watcher;
  #top: Socket;
  #isSecure = false;
  /** What is inside are frames, which are told of when they are whole. */
  #isWebSocket = false;
  #serverIsDone = false;
  #isOver = false;

  constructor(socket: Socket, watcher: Watcher) {
    this.#watcher = watcher;
    this.#top = socket;
    replace(socket, 'emit', (original) => (...values) => {
      if (values[0] === 'connect') watcher.happened('connected');
      return original(...values);
    });
    if (!(socket instanceof tls.TLSSocket)) this.#listen(socket);
  }

  /** What goes through `socket` is what is said from here on. */
  secure(socket: tls.TLSSocket): this {
    this.#top = socket;
    this.#listen(socket);
    return this;
  }

  upgraded(): void {
    this.#watcher.happened('WebSocket');
  }

  frame(who: 'client' | 'server', text: string): void {
    const item = parseFrame(text);
    this.#note(who, item, item.tree.name === 'close', nextWrite());
  }

  #note(who: 'client' | 'server', item: Item, isEnd: boolean, write: number): void {
    // What arrives at a socket that the client has closed, it does not read; and the next connection may be there already.
    if (this.#isOver) return;
    if (who === 'server' && isEnd) this.#serverIsDone = true;
    this.#watcher.said(who, item, write);
  }

  #listen(socket: Socket): void {
    const client = this.#reader('client');
    const server = this.#reader('server');
    replace(socket, 'write', (original) => (...values) => {
      if (this.#top === socket) client(values[0]);
      return original(...values);
    });
    for (const method of ['end', 'destroy'] as const) {
      replace(socket, method, (original) => (...values) => {
        if (this.#top === socket) this.#closed(values[0]);
        return original(...values);
      });
    }
    replace(socket, 'emit', (original) => (...values) => {
      const [event, data] = values;
      if (event === 'secureConnect') {
        this.#isSecure = true;
        const version = socket instanceof tls.TLSSocket ? socket.getProtocol() : undefined;
        this.#watcher.happened(version === 'TLSv1.2' ? 'TLS version 1.2' : 'TLS');
      }
      if (this.#top === socket && event === 'data') server(data);
      if (this.#top === socket && event === 'end') this.#ended();
      return original(...values);
    });
  }

  #reader(who: 'client' | 'server'): (data: unknown) => void {
    const decoder = new TextDecoder();
    let write = 0;
    const reader = new ItemReader((item) => this.#note(who, item, item.kind === 'end', write));
    return (data) => {
      const text = typeof data === 'string' ? data : decoder.decode(data as Uint8Array, { stream: true });
      // The request for a WebSocket, and its answer, are HTTP.
      if (/^(?:GET |HTTP\/)/.test(text)) this.#isWebSocket = true;
      if (this.#isWebSocket || text.trim() === '') return;
      write = nextWrite();
      reader.read(text);
    };
  }

  /** The server has ended its side. After the end of its stream that is what one expects, and tells nothing. */
  #ended(): void {
    if (this.#isOver || this.#serverIsDone) return;
    this.#isOver = true;
    this.#watcher.happened('ended');
  }

  /** The socket ends or is destroyed: by the client, or, with an error of the network, by Node. */
  #closed(reason: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const code = reason instanceof Error && 'code' in reason ? reason.code : undefined;
    // It was never open.
    if (code === 'ECONNREFUSED') return;
    if (code === 'ECONNRESET' || code === 'EPIPE') this.#watcher.happened('cut');
    else if (this.#top instanceof tls.TLSSocket && !this.#isSecure) this.#watcher.happened('TLS refused');
    else this.#watcher.happened('closed');
  }
}

/** Puts a function in another's place. @returns puts it back */
function replace(owner: object, name: string, make: (original: Method) => Method): () => void {
  const before: unknown = Reflect.get(owner, name);
  if (typeof before !== 'function') throw new TypeError(`there is no ${name} to watch`);
  const isOwn = Object.hasOwn(owner, name);
  // On a prototype the function is called on many objects; on an object of its own, on that.
  const isPrototype = owner === WebSocket.prototype;
  const original: Method = isPrototype ? (before as Method) : (...values) => Reflect.apply(before, owner, values);
  Reflect.set(owner, name, make(original));
  return () => {
    if (isOwn) Reflect.set(owner, name, before);
    else Reflect.deleteProperty(owner, name);
  };
}

function isOptions(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
