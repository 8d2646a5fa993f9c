/** For tests: an HTTPS file server that can misbehave, and records requests. */
import https from 'node:https';
import http from 'node:http';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { LOOPBACK_CERTIFICATE, LOOPBACK_KEY } from '../../src/loopback/certificate.js';

export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

export interface MediaServer {
  /** The requested paths, in order. */
  readonly requests: readonly string[];
  /** The number of connections, including those without a request. */
  readonly connections: () => number;
  /** Serves a path. @returns its URL at `localhost` */
  serve(path: string, handler: Handler): string;
  /** The URL of a path at another name of this machine. */
  at(host: string, path: string): string;
  close(): Promise<void>;
}

/** Starts it on a free port of 127.0.0.1. @param scheme of its URLs; `http` has no TLS */
export async function startMediaServer(scheme: 'https' | 'http' = 'https'): Promise<MediaServer> {
  const requests: string[] = [];
  let connections = 0;
  const handlers = new Map<string, Handler>();
  const listener: RequestListener = (request, response) => {
    const { url: path = '' } = request;
    requests.push(path);
    const handler = handlers.get(path);
    if (handler === undefined) response.writeHead(404).end('no such file');
    else handler(request, response);
  };
  const keys = { key: LOOPBACK_KEY, cert: LOOPBACK_CERTIFICATE };
  const server = scheme === 'https' ? https.createServer(keys, listener) : http.createServer(listener);
  server.on('connection', () => (connections += 1));
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  const at = (host: string, path: string): string => `${scheme}://${host}:${port}${path}`;
  return {
    requests,
    connections: () => connections,
    at,
    serve: (path, handler) => {
      handlers.set(path, handler);
      return at('localhost', path);
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
}

/** Responds with content and its type. */
export const gives =
  (type: string | undefined, content: string | Uint8Array, headers: Readonly<Record<string, string>> = {}): Handler =>
  (_request, response) => {
    response.writeHead(200, { ...(type === undefined ? {} : { 'content-type': type }), ...headers }).end(content);
  };

/** Redirects. */
export const redirects =
  (location: string): Handler =>
  (_request, response) => {
    response.writeHead(302, { location }).end();
  };

/** Sends a few bytes at intervals, without end. */
export const drips: Handler = (_request, response) => {
  response.writeHead(200, { 'content-type': 'text/plain' });
  const timer = setInterval(() => response.write('drip '), 20);
  response.on('close', () => clearInterval(timer));
};

/** Sends as fast as the client reads, without end. */
export const floods: Handler = (_request, response) => {
  response.writeHead(200, { 'content-type': 'text/plain' });
  const more = (): void => {
    while (response.write('flood '.repeat(10_000)));
    response.once('drain', more);
  };
  more();
};
