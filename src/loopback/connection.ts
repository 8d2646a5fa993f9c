/** One connection of a client to the loopback server: StartTLS, SASL, bind, then stanzas (the server's side of RFC 6120 §4 to §8). */
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import tls from 'node:tls';
import { inBackground } from '../xmpp-core/background.js';
import { Jid } from '../xmpp-core/jid/jid.js';
import { NS_ROSTER_VERSIONING } from '../xmpp-core/im/roster.js';
import { NS_PRE_APPROVAL } from '../xmpp-core/im/subscriptions.js';
import { decodeBase64, encodeBase64 } from '../xmpp-core/sasl/base64.js';
import { StreamError } from '../xmpp-core/errors.js';
import { reportError } from '../xmpp-core/report-error.js';
import { newId } from '../xmpp-core/stanza/ids.js';
import {
  NS_BIND,
  NS_CLIENT,
  NS_SASL,
  NS_STANZAS,
  NS_STREAM,
  NS_STREAMS,
  NS_TLS,
} from '../xmpp-core/stanza/namespaces.js';
import { el, type Element } from '../xmpp-core/xml/element.js';
import { NS_STREAM_MANAGEMENT } from '../xeps/xep-0198-stream-management/ledger.js';
import { documentFraming, messageFraming, type FrameReader, type Framing } from '../xmpp-core/stream/framing.js';
import type { Accounts } from './accounts.js';
import { LOOPBACK_CERTIFICATE, LOOPBACK_KEY } from './certificate.js';
import type { Misbehaviour, Stage } from './misbehaviour.js';
import type { Carrier, Session } from './session.js';
import { beginScram, readUsername, type ScramExchange } from './scram-exchange.js';

/** What a connection needs from its server. */
export interface ConnectionHost {
  readonly domain: string;
  readonly accounts: Accounts;
  readonly mechanisms: readonly string[];
  readonly misbehaviour: Misbehaviour;
  /** Whether sessions can be resumed (XEP-0198). */
  readonly isResumable: boolean;
  /** A resource was bound. @returns the new session, which replaces one with the same JID */
  onBound(connection: Connection, jid: Jid): Session;
  /** A client has logged in and wants to resume a session. @returns that session, if it belongs to the account */
  onResume(username: string, id: string): Session | undefined;
  /** The connection was closed or broken. */
  onClosed(connection: Connection): void;
}

/** How TLS starts: after StartTLS, at once (XEP-0368), or below a WebSocket. */
export type TlsStart = 'starttls' | 'direct' | { readonly webSocketOver: tls.TLSSocket };

const NS_CHANNEL_BINDING = 'urn:xmpp:sasl-cb:0';

/** The server's side of one stream. */
export class Connection implements Carrier {
  readonly #host: ConnectionHost;
  readonly #framing: Framing;
  #socket: Duplex;
  #tls: tls.TLSSocket | undefined;
  #reader: FrameReader;
  #stage: Stage;
  #session: Session | undefined;
  #username = '';
  #scram: ScramExchange | undefined;
  #isFinalSent = false;
  #sentBytes = 0;
  #unsent: string[] = [];
  #closed = false;
  readonly #onData = (chunk: Buffer): void => this.#read(chunk);
  readonly #onEnd = (): void => this.#end('broken');

  /** @param socket a TCP socket, or a WebSocket of which each chunk is a message */
  constructor(socket: Duplex, host: ConnectionHost, tlsStart: TlsStart) {
    this.#host = host;
    this.#socket = socket;
    this.#stage = 'plain';
    this.#framing = typeof tlsStart === 'string' ? documentFraming : messageFraming;
    this.#reader = this.#newReader();
    if (typeof tlsStart !== 'string') {
      this.#tls = tlsStart.webSocketOver;
      this.#stage = 'secure';
    }
    if (tlsStart === 'direct') this.#secure();
    else this.#listen();
  }

  /** Sends an element. */
  send(element: Element): void {
    this.#write(this.#framing.element(element));
  }

  /** Sends raw text, which need not be XML. */
  sendRaw(text: string): void {
    this.#write(text);
  }

  /** Ends the stream with an error (RFC 6120 §4.9). */
  fail(condition: string, application?: Element): void {
    this.send(el('error', NS_STREAM, {}, el(condition, NS_STREAMS), application));
    this.close();
  }

  /** Closes the stream properly. */
  close(): void {
    if (this.#closed) return;
    this.#write(this.#framing.footer);
    this.#flush();
    this.#socket.end();
    this.#end('in order');
  }

  /** Breaks the connection, like a failing network. */
  reset(): void {
    if (this.#tls === undefined && this.#socket instanceof Socket) this.#socket.resetAndDestroy();
    else this.#socket.destroy();
    this.#end('broken');
  }

  #newReader(): FrameReader {
    return this.#framing.reader({
      onOpen: () => this.#open(),
      onElement: (element) => this.#receive(element),
      onClose: () => this.close(),
    });
  }

  #listen(): void {
    this.#socket.on('data', this.#onData).on('error', this.#onEnd).on('close', this.#onEnd);
  }

  #read(chunk: Uint8Array): void {
    if (this.#closed || this.#host.misbehaviour.deafAt === this.#stage) return;
    try {
      this.#reader.write(chunk);
    } catch (error) {
      if (!(error instanceof StreamError)) throw error;
      this.fail(error.condition);
    }
  }

  #secure(): void {
    const plain = this.#socket.off('data', this.#onData).off('close', this.#onEnd);
    plain.on('error', this.#onEnd);
    this.#tls = new tls.TLSSocket(plain, {
      isServer: true,
      key: LOOPBACK_KEY,
      cert: LOOPBACK_CERTIFICATE,
      // Accounts list the certificates they accept, so the issuer does not matter.
      requestCert: this.#host.mechanisms.includes('EXTERNAL'),
      rejectUnauthorized: false,
    });
    this.#socket = this.#tls;
    // A failed handshake takes the handle from the plain socket, which would count as open in its listener forever.
    this.#socket.on('close', () => plain.destroy());
    this.#stage = 'secure';
    this.#restart();
    this.#listen();
  }

  #restart(): void {
    this.#reader.stop();
    this.#reader = this.#newReader();
  }

  #open(): void {
    const { domain: from } = this.#host;
    this.#write(this.#framing.header({ from, id: newId(), version: '1.0', 'xml:lang': 'en' }));
    const replacement = this.#host.misbehaviour.features?.(this.#stage);
    if (replacement === undefined) this.send(el('features', NS_STREAM, {}, ...this.#features()));
    else this.#write(replacement);
  }

  #features(): Element[] {
    if (this.#stage === 'plain') return [el('starttls', NS_TLS, {}, el('required', NS_TLS))];
    if (this.#stage === 'authenticated')
      return [
        el('bind', NS_BIND),
        el('ver', NS_ROSTER_VERSIONING),
        el('sub', NS_PRE_APPROVAL),
        ...(this.#host.isResumable ? [el('sm', NS_STREAM_MANAGEMENT)] : []),
      ];
    const mechanisms = this.#host.mechanisms.map((name) => el('mechanism', NS_SASL, {}, name));
    const binding = el('channel-binding', NS_CHANNEL_BINDING, { type: 'tls-exporter' });
    const listed = this.#host.mechanisms.some((name) => name.endsWith('-PLUS'));
    return [
      el('mechanisms', NS_SASL, {}, ...mechanisms),
      ...(listed ? [el('sasl-channel-binding', NS_CHANNEL_BINDING, {}, binding)] : []),
    ];
  }

  #receive(element: Element): void {
    const replacement = this.#host.misbehaviour.answer?.(element, this.#stage);
    if (replacement !== undefined) this.#write(replacement);
    else if (this.#stage === 'bound') this.#session?.receive(element);
    else if (this.#stage === 'plain') this.#startTls(element);
    else if (this.#stage === 'secure')
      inBackground(
        () => this.#authenticate(element),
        (error) => this.#crash(error),
      );
    else if (element.is('resume', NS_STREAM_MANAGEMENT)) this.#resume(element);
    else this.#bind(element);
  }

  /** A bug of this server: users and tests have to see it. */
  #crash(error: unknown): void {
    reportError(error, 'loopback server');
    this.fail('internal-server-error');
  }

  #startTls(element: Element): void {
    if (!element.is('starttls', NS_TLS)) return this.fail('policy-violation');
    this.send(el('proceed', NS_TLS));
    this.#flush();
    this.#secure();
  }

  async #authenticate(element: Element): Promise<void> {
    if (element.ns !== NS_SASL) return this.fail('not-authorized');
    const data = element.text === '=' ? new Uint8Array() : (decodeBase64(element.text) ?? new Uint8Array());
    const text = new TextDecoder().decode(data);
    if (element.name === 'auth') await this.#beginAuthentication(element.attr('mechanism') ?? '', text);
    else if (element.name === 'response') this.#proceed(text);
    else this.#refuse('aborted');
  }

  async #beginAuthentication(mechanism: string, text: string): Promise<void> {
    const { accounts, mechanisms } = this.#host;
    if (!mechanisms.includes(mechanism)) return this.#refuse('invalid-mechanism');
    if (!mechanism.startsWith('SCRAM-')) {
      const username = this.#identify(mechanism, text);
      if (username === undefined) return this.#refuse('not-authorized');
      this.#username = username;
      return this.#succeed();
    }
    this.#username = readUsername(text) ?? '';
    const verifier = await accounts.verifier(this.#username, mechanism);
    const binding = mechanism.endsWith('-PLUS') ? this.#exporter() : undefined;
    this.#scram = verifier === undefined ? undefined : beginScram(verifier, text, binding);
    this.#isFinalSent = false;
    if (this.#scram === undefined) return this.#refuse('not-authorized');
    this.send(el('challenge', NS_SASL, {}, encodeBase64(new TextEncoder().encode(this.#scram.serverFirst))));
  }

  /** The user name, for mechanisms of a single message. */
  #identify(mechanism: string, text: string): string | undefined {
    const { accounts } = this.#host;
    if (mechanism === 'ANONYMOUS') return newId().toLowerCase();
    if (mechanism === 'EXTERNAL') return accounts.byFingerprint(this.#tls?.getPeerCertificate().fingerprint256 ?? '');
    const [, username = '', password = ''] = text.split('\0');
    return accounts.checkPlain(username, password) ? username : undefined;
  }

  #proceed(clientFinal: string): void {
    const final = this.#isFinalSent ? undefined : this.#scram?.finish(clientFinal);
    if (final === undefined) return this.#refuse('not-authorized');
    this.#isFinalSent = true;
    this.#succeed(encodeBase64(new TextEncoder().encode(final)));
  }

  #succeed(data?: string): void {
    this.#stage = 'authenticated';
    this.#restart();
    this.send(el('success', NS_SASL, {}, data));
  }

  #refuse(condition: string): void {
    this.send(el('failure', NS_SASL, {}, el(condition, NS_SASL)));
  }

  #exporter(): Uint8Array | undefined {
    return this.#tls?.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0));
  }

  #bind(element: Element): void {
    const request = element.child('bind', NS_BIND);
    if (!element.is('iq', NS_CLIENT) || request === undefined) return this.fail('not-authorized');
    const resource = request.childText('resource');
    const jid = Jid.tryParse(
      `${this.#username}@${this.#host.domain}/${resource === undefined || resource === '' ? newId() : resource}`,
    );
    if (jid === undefined) return this.fail('bad-format');
    this.#stage = 'bound';
    this.#session = this.#host.onBound(this, jid);
    const bound = el('bind', NS_BIND, {}, el('jid', NS_BIND, {}, jid.toString()));
    this.send(el('iq', NS_CLIENT, { type: 'result', id: element.attr('id') }, bound));
  }

  #resume(request: Element): void {
    const session = this.#host.onResume(this.#username, request.attr('previd') ?? '');
    if (session === undefined) {
      this.send(el('failed', NS_STREAM_MANAGEMENT, {}, el('item-not-found', NS_STANZAS)));
      return;
    }
    this.#stage = 'bound';
    this.#session = session;
    session.resume(this, request.attr('h'));
  }

  /** Everything is sent through here, so that `misbehaviour` counts every byte. */
  #write(text: string): void {
    if (this.#unsent.length === 0) queueMicrotask(() => this.#flush());
    this.#unsent.push(text);
  }

  #flush(): void {
    const sent = this.#unsent;
    this.#unsent = [];
    for (const piece of this.#framing.pieces(sent)) this.#writePiece(piece);
  }

  #writePiece(piece: string): void {
    const bytes = Buffer.from(piece);
    if (bytes.byteLength === 0 || this.#socket.destroyed || this.#socket.writableEnded) return;
    const { cutAtByte = Infinity, stallAtByte = Infinity } = this.#host.misbehaviour;
    const left = Math.max(0, Math.min(cutAtByte, stallAtByte) - this.#sentBytes);
    this.#sentBytes += bytes.byteLength;
    if (bytes.byteLength < left) {
      this.#socket.write(bytes);
      return;
    }
    this.#socket.write(bytes.subarray(0, left), () => {
      if (this.#sentBytes >= cutAtByte) this.reset();
    });
  }

  #end(how: 'in order' | 'broken'): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#reader.stop();
    this.#host.onClosed(this);
    this.#session?.disconnected(this, how === 'in order');
  }
}
