/** For tests: a scripted server, to check what a client sends byte by byte. */
import type { Socket } from 'node:net';
import tls from 'node:tls';
import type { Test } from 'tap';
import { LOOPBACK_CERTIFICATE, LOOPBACK_KEY } from '../../src/loopback/certificate.js';
import { createClient, type Client, type ClientOptions } from '../../src/xmpp-core/client.js';
import { Jid } from '../../src/xmpp-core/jid/jid.js';
import { NS_BIND, NS_SASL, NS_STREAM, NS_TLS } from '../../src/xmpp-core/stanza/namespaces.js';
import { PASSWORD, PATIENCE_MS } from './loopback.js';
import { listen } from './meddler.js';

export const HEADER = `<stream:stream xmlns='jabber:client' xmlns:stream='${NS_STREAM}' id='s' from='localhost' version='1.0'>`;
export const MECHANISMS = `<mechanisms xmlns='${NS_SASL}'><mechanism>PLAIN</mechanism></mechanisms>`;
export const BIND = `<bind xmlns='${NS_BIND}'/>`;
export const features = (...offers: string[]): string => `<stream:features>${offers.join('')}</stream:features>`;

/** What a client requests in a TLS handshake. */
export interface Handshake {
  readonly serverName: unknown;
  readonly protocol: string | false | null;
}

/** The server's end of one connection. */
export class Peer {
  #socket: Socket;
  #unread = '';
  #ended = false;
  #wake: (() => void) | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#listen();
  }

  /** The received data that `receives` has not taken yet. */
  get unread(): string {
    return this.#unread;
  }

  sends(text: string): void {
    this.#socket.write(text);
  }

  /** Waits until the received data matches. @returns the data up to the end of the match, which it takes */
  async receives(pattern: RegExp): Promise<string> {
    for (;;) {
      const match = pattern.exec(this.#unread);
      if (match !== null) {
        const received = this.#unread.slice(0, match.index + match[0].length);
        this.#unread = this.#unread.slice(received.length);
        return received;
      }
      if (this.#ended) throw new Error(`the client ended after ${JSON.stringify(this.#unread)}, without ${pattern}`);
      await this.#news(String(pattern));
    }
  }

  /** Waits until the client has closed its side of the connection. @returns the data before that */
  async receivesEnd(): Promise<string> {
    while (!this.#ended) await this.#news('the end');
    return this.#unread;
  }

  hangsUp(): void {
    this.#socket.destroy();
  }

  readsNoMore(): void {
    this.#socket.pause();
  }

  /** Does the server's side of a TLS handshake. @returns what the client requested */
  async startsTls(options: tls.TLSSocketOptions = {}): Promise<Handshake> {
    this.#socket.removeAllListeners('data').removeAllListeners('close');
    const secure = new tls.TLSSocket(this.#socket, {
      isServer: true,
      key: LOOPBACK_KEY,
      cert: LOOPBACK_CERTIFICATE,
      ...options,
    });
    const done = new Promise<void>((resolve, reject) => {
      secure
        .once('secure', resolve)
        .once('error', reject)
        .once('close', () => reject(new Error('no handshake')));
    });
    this.#socket = secure;
    this.#listen();
    await done;
    return { serverName: Reflect.get(secure, 'servername'), protocol: secure.alpnProtocol };
  }

  /** Accepts a login by PLAIN. The client has then restarted its stream and waits for the response. */
  async authenticates(): Promise<void> {
    await this.receives(/<stream:stream [^>]*>/);
    this.sends(HEADER + features(MECHANISMS));
    await this.receives(/<\/auth>/);
    this.sends(`<success xmlns='${NS_SASL}'/>`);
    await this.receives(/<stream:stream [^>]*>/);
  }

  /** Accepts a whole login, up to the bound resource. */
  async acceptsLogin(): Promise<void> {
    await this.authenticates();
    this.sends(HEADER + features(BIND));
    this.binds(await this.receives(/<\/iq>/));
  }

  /** Answers a bind request. */
  binds(request: string, jid = 'ann@localhost/made-by-the-server'): void {
    const id = /id='([^']*)'/.exec(request)?.[1] ?? '';
    this.sends(`<iq type='result' id='${id}'><bind xmlns='${NS_BIND}'><jid>${jid}</jid></bind></iq>`);
  }

  #listen(): void {
    const end = (): void => {
      this.#ended = true;
      this.#wake?.();
    };
    this.#socket.on('error', end).on('close', end).on('end', end);
    this.#socket.on('data', (chunk: Buffer) => {
      this.#unread += chunk.toString('utf8');
      this.#wake?.();
    });
  }

  async #news(what: string): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve, reject) => {
      this.#wake = resolve;
      timer = setTimeout(() => reject(new Error(`never received: ${what}; unread: ${this.#unread}`)), PATIENCE_MS);
    });
    clearTimeout(timer);
  }
}

export const STARTTLS = `<starttls xmlns='${NS_TLS}'><required/></starttls>`;

/**
 * Starts a client of ann@localhost. Returns it with the server's end of its first connection, after the handshake of direct TLS.
 * @param options of the client; `plain` connects without TLS, `tls` are options of the server's side
 */
export async function dialogue(
  t: Test,
  options: Partial<ClientOptions> & { readonly plain?: boolean; readonly tls?: tls.TLSSocketOptions } = {},
): Promise<{
  client: Client;
  peer: Peer;
  started: Promise<void>;
  asked: Handshake | undefined;
  /** Where the server listens, on 127.0.0.1. */
  port: number;
  /** The server's end of the next connection, after the handshake like the first one. */
  next: () => Promise<Peer>;
}> {
  const { plain = false, tls: tlsOptions, ...changes } = options;
  const waiting: Socket[] = [];
  let arrived: () => void = () => undefined;
  const connection = async (): Promise<Peer> => {
    while (waiting.length === 0) {
      await new Promise<void>((resolve) => {
        arrived = resolve;
      });
    }
    return new Peer(waiting.shift() as Socket);
  };
  const { port } = await listen(t, (socket) => {
    waiting.push(socket);
    arrived();
  });
  const client = createClient({
    jid: Jid.parse('ann@localhost'),
    password: PASSWORD,
    server: { host: '127.0.0.1', port, directTls: !plain },
    ca: LOOPBACK_CERTIFICATE,
    reconnect: { firstMs: 3_600_000, maxMs: 3_600_000 },
    connectTimeoutMs: PATIENCE_MS,
    ...changes,
  });
  const started = client.start();
  started.catch(() => undefined);
  const peer = await connection();
  t.teardown(() => {
    peer.hangsUp();
    return client.stop();
  });
  const asked = plain ? undefined : await peer.startsTls(tlsOptions);
  const next = async (): Promise<Peer> => {
    const another = await connection();
    t.teardown(() => another.hangsUp());
    if (!plain) await another.startsTls(tlsOptions);
    return another;
  };
  return { client, peer, started, asked, port, next };
}
