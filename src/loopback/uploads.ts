/** The upload service of the loopback server: XEP-0363 slots, and the HTTPS server behind them. Files are kept in memory. */
import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { inBackground } from '../xmpp-core/background.js';
import { StanzaError } from '../xmpp-core/errors.js';
import { reportError } from '../xmpp-core/report-error.js';
import type { Element } from '../xmpp-core/xml/element.js';
import { writeDataForm } from '../xeps/xep-0004-data-forms.js';
import { NS_DISCO_INFO, writeDiscoInfo } from '../xeps/xep-0030-service-discovery.js';
import { NS_HTTP_UPLOAD, readSlotRequest, writeSlot, type SlotRequest } from '../xeps/xep-0363-http-file-upload.js';
import { LOOPBACK_CERTIFICATE, LOOPBACK_KEY } from './certificate.js';

const MAX_FILE_SIZE = 10 * 1024 * 1024;
const MAX_FILES = 100;

interface UploadSlot extends SlotRequest {
  readonly token: string;
  content: Buffer | undefined;
}

/** The service with its HTTPS server. */
export class Uploads {
  readonly domain: string;
  readonly #files = new Map<string, UploadSlot>();
  readonly #server: https.Server;

  constructor(domain: string) {
    this.domain = domain;
    this.#server = https.createServer({ key: LOOPBACK_KEY, cert: LOOPBACK_CERTIFICATE }, (request, response) => {
      inBackground(
        () => this.#serve(request, response),
        (error) => {
          // Clients may disconnect at any time; such system errors have a code.
          if (!(error instanceof Error && 'code' in error)) reportError(error, 'loopback uploads');
          response.destroy();
        },
      );
    });
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject).listen(0, '127.0.0.1', resolve);
    });
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  /** Answers a request to the service. @throws StanzaError */
  answer(payload: Element): Element {
    if (payload.ns === NS_DISCO_INFO) return this.#info();
    if (!payload.is('request', NS_HTTP_UPLOAD)) throw new StanzaError('cancel', 'service-unavailable');
    const request = readSlotRequest(payload);
    if (request === undefined) throw new StanzaError('modify', 'bad-request');
    if (request.size > MAX_FILE_SIZE) throw new StanzaError('modify', 'not-acceptable', 'the file is too large');
    if (this.#files.size >= MAX_FILES) throw new StanzaError('wait', 'resource-constraint');
    const path = `/${randomBytes(16).toString('hex')}/${encodeURIComponent(request.filename)}`;
    const token = randomBytes(16).toString('hex');
    this.#files.set(path, { ...request, token, content: undefined });
    const { port } = this.#server.address() as AddressInfo;
    const url = `https://localhost:${port}${path}`;
    return writeSlot({ putUrl: url, getUrl: url, headers: { Authorization: `Bearer ${token}` } });
  }

  #info(): Element {
    const form = writeDataForm({
      type: 'result',
      fields: [
        { name: 'FORM_TYPE', type: 'hidden', values: [NS_HTTP_UPLOAD] },
        { name: 'max-file-size', values: [String(MAX_FILE_SIZE)] },
      ],
    });
    const identity = { category: 'store', type: 'file', name: 'Uploads' };
    return writeDiscoInfo({
      identities: [identity],
      features: new Set([NS_DISCO_INFO, NS_HTTP_UPLOAD]),
      forms: [form],
    });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const file = this.#files.get(request.url ?? '');
    if (file === undefined) response.writeHead(404).end();
    else if (request.method === 'GET') this.#serveFile(file, response);
    else if (request.method === 'PUT') await this.#receiveFile(file, request, response);
    else response.writeHead(405).end();
  }

  #serveFile(file: UploadSlot, response: ServerResponse): void {
    if (file.content === undefined) response.writeHead(404).end();
    else response.writeHead(200, { 'Content-Type': file.contentType }).end(file.content);
  }

  async #receiveFile(file: UploadSlot, request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.headers['authorization'] !== `Bearer ${file.token}`) return void response.writeHead(403).end();
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of request as AsyncIterable<Buffer>) {
      size += chunk.byteLength;
      if (size > file.size) return void response.writeHead(413).end();
      chunks.push(chunk);
    }
    if (size !== file.size) return void response.writeHead(400).end();
    file.content = Buffer.concat(chunks);
    response.writeHead(201).end();
  }
}
