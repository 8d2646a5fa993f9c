/** The loopback server's WebSocket (RFC 7395): `wss://localhost`, whatever the path, with the same certificate as everything else. */
import https from 'node:https';
import { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { WebSocketServer, type WebSocket } from 'ws';
import { DEFAULT_LIMITS } from '../xmpp-core/xml/limits.js';
import { LOOPBACK_CERTIFICATE, LOOPBACK_KEY } from './certificate.js';

/**
 * Makes a server that is yet to listen.
 * @param accept is given each WebSocket, as a stream of which each chunk is a message, and the TLS connection under it
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

/** Each chunk is one message, of text (RFC 7395 §3.2): bytes alone would be sent as binary. */
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
