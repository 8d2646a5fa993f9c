/** For tests: a WebSocket server that does what a test tells it to, and shows every message as it came. */
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Test } from 'tap';
import { WebSocketServer, type WebSocket } from 'ws';
import { LOOPBACK_CERTIFICATE, LOOPBACK_KEY } from '../../src/loopback/certificate.js';

export interface Script {
  /** What to send when this message came, as the n-th of its connection. */
  readonly answer: (message: string, n: number, socket: WebSocket) => readonly string[];
  /** The subprotocol to agree to; none when it is `false`. */
  readonly protocol?: string | false;
  readonly tls?: boolean;
  readonly host?: string;
}

export interface ScriptedServer {
  readonly url: string;
  /** What came, in order, of all connections. */
  readonly messages: readonly { readonly text: string; readonly isBinary: boolean }[];
  /** The subprotocols that clients asked for. */
  readonly asked: readonly (string | undefined)[];
  /** The codes with which clients closed. */
  readonly closed: readonly number[];
  /** The connections that were made. */
  readonly sockets: readonly WebSocket[];
}

export const OPEN = `<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' from='localhost' id='1' version='1.0' xml:lang='en'/>`;
export const CLOSE = `<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>`;

/** Stream features with these elements in them. */
export function features(inner: string): string {
  return `<stream:features xmlns:stream='http://etherx.jabber.org/streams'>${inner}</stream:features>`;
}

export const PLAIN = features(
  `<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms>`,
);

/** Lets anybody in who speaks as RFC 7395 wants it, and answers a close. */
export function acceptLogin(message: string, n: number): readonly string[] {
  if (message.startsWith('<open')) {
    return [OPEN, n === 1 ? PLAIN : features(`<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>`)];
  }
  if (message.startsWith('<auth')) return [`<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>`];
  if (message.startsWith('<close')) return [CLOSE];
  const id = /<iq[^>]* id='([^']+)'/.exec(message)?.[1];
  if (id === undefined || !message.includes('xmpp-bind')) return [];
  const jid = '<jid>alice@localhost/here</jid>';
  return [
    `<iq xmlns='jabber:client' type='result' id='${id}'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>${jid}</bind></iq>`,
  ];
}

/** Starts it for the time of a test, on 127.0.0.1 with the certificate of the loopback server. */
export async function scriptedServer(t: Test, script: Script): Promise<ScriptedServer> {
  const { answer, protocol = 'xmpp', tls = true, host = '127.0.0.1' } = script;
  const messages: { text: string; isBinary: boolean }[] = [];
  const asked: (string | undefined)[] = [];
  const closed: number[] = [];
  const sockets: WebSocket[] = [];
  const server = tls ? https.createServer({ key: LOOPBACK_KEY, cert: LOOPBACK_CERTIFICATE }) : http.createServer();
  const webSockets = new WebSocketServer({ server, handleProtocols: () => protocol });
  webSockets.on('connection', (socket, request) => {
    let count = 0;
    sockets.push(socket);
    asked.push(request.headers['sec-websocket-protocol']);
    socket.on('error', () => undefined);
    socket.on('close', (code) => closed.push(code));
    socket.on('message', (data: Buffer, isBinary) => {
      const text = data.toString();
      messages.push({ text, isBinary });
      for (const reply of answer(text, ++count, socket)) socket.send(reply);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  t.teardown(async () => {
    for (const socket of sockets) socket.terminate();
    await new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    });
  });
  const { port } = server.address() as AddressInfo;
  return { url: `${tls ? 'wss' : 'ws'}://${host}:${port}/ws`, messages, asked, closed, sockets };
}
