/** The WebSocket listener of the loopback server (RFC 7395): `wss://localhost` with any path, and the same certificate. */
import https from 'node:https';
import { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { WebSocketServer, type WebSocket } from 'ws';
import { DEFAULT_LIMITS } from '../xmpp-core/xml/limits.js';
import { LOOPBACK_CERTIFICATE, LOOPBACK_KEY } from './certificate.js';

/**
 * Creates the server; the caller starts listening.
 * @param accept called with each WebSocket, as a stream of which each chunk is a message, and its TLS connection
 */
export function webSocketListener(accept: (socket: Duplex, carrier: TLSSocket) => void): https.Server {
  const server = https.createServer({ key: LOOPBACK_KEY, cert: LOOPBACK_CERTIFICATE });
  const webSockets = new WebSocketServer({
    server,
    maxPayload: DEFAULT_LIMITS.stanzaBytes,
    perMessageDeflate: false,
    handleProtocols: (protocols) => (protocols.has('xmpp') ? 'xmpp' : false),
  });
  webSockets.on('connection', (socket, { socket: carrier }) => {
    if (socket.protocol !== 'xmpp' || !(carrier instanceof TLSSocket)) return socket.terminate();
    accept(asStream(socket), carrier);
  });
  return server;
}

/** Each chunk is one text message (RFC 7395 §3.2); by default, bytes would be sent as binary. */
function asStream(socket: WebSocket): Duplex {
  const stream = new Duplex({
    readableObjectMode: true,
    read: () => undefined,
    write: (bytes: Buffer, _encoding, written) => socket.send(bytes, { binary: false }, written),
    final: (ended) => {
      socket.close(1000);
      ended();
    },
    destroy: (error, destroyed) => {
      socket.terminate();
      destroyed(error);
    },
  });
  socket.on('message', (message) => stream.push(message));
  socket.on('error', () => stream.destroy());
  socket.on('close', () => stream.destroy());
  return stream;
}
