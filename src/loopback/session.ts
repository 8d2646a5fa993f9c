/** A client's session on the loopback server. With stream management (XEP-0198) it outlives its connection. */
import { StreamError } from '../xmpp-core/errors.js';
import type { Jid } from '../xmpp-core/jid/jid.js';
import { newId } from '../xmpp-core/stanza/ids.js';
import { NS_CLIENT } from '../xmpp-core/stanza/namespaces.js';
import { el, type Element } from '../xmpp-core/xml/element.js';
import { parseElement } from '../xmpp-core/xml/stream-parser.js';
import { Ledger, NS_STREAM_MANAGEMENT } from '../xeps/xep-0198-stream-management/ledger.js';

/** The connection of a session. */
export interface Carrier {
  send(element: Element): void;
  sendRaw(text: string): void;
  /** Ends the stream with an error. @param application an application-specific condition (RFC 6120 §4.9.4) */
  fail(condition: string, application?: Element): void;
}

/** What a session needs from its server. */
export interface SessionHost {
  /** How many seconds a session can be resumed; `undefined` without stream management. */
  readonly resumableSeconds: number | undefined;
  onStanza(session: Session, stanza: Element): void;
  /** The session has ended. @param undelivered what the client did not acknowledge */
  onEnded(session: Session, undelivered: readonly Element[]): void;
}

/** The most data to queue for a disconnected client; the session ends when it is exceeded. */
const LIMITS = { stanzas: 1_000, characters: 4 * 1024 * 1024 };

/** The session of one bound resource. */
export class Session {
  readonly jid: Jid;
  /** The id to resume it by. */
  readonly id = newId();
  readonly #host: SessionHost;
  #carrier: Carrier | undefined;
  /** Set when the client enables stream management. */
  #ledger: Ledger | undefined;
  #isRequested = false;
  #isOver = false;
  #expiry: NodeJS.Timeout | undefined;

  constructor(jid: Jid, carrier: Carrier, host: SessionHost) {
    this.jid = jid;
    this.#carrier = carrier;
    this.#host = host;
  }

  get isConnected(): boolean {
    return this.#carrier !== undefined;
  }

  /** Whether the client may resume it. */
  get isResumable(): boolean {
    return this.#ledger !== undefined;
  }

  /** Sends a stanza, now or when the client reconnects. */
  send(stanza: Element): void {
    this.#queue(stanza);
    this.#carrier?.send(stanza);
    this.#requestAcknowledgement();
  }

  /** Sends raw text. Stanzas in it are counted; text that is not XML is not. */
  sendRaw(text: string): void {
    if (this.#ledger !== undefined) for (const stanza of readStanzas(text)) this.#queue(stanza);
    this.#carrier?.sendRaw(text);
    this.#requestAcknowledgement();
  }

  /** Handles an element of the client: a stanza, or one of stream management. */
  receive(element: Element): void {
    if (element.ns !== NS_STREAM_MANAGEMENT) {
      this.#ledger?.countHandled();
      this.#host.onStanza(this, element);
    } else if (element.name === 'enable') this.#enable();
    else if (element.name === 'r') this.#carrier?.send(writeCount('a', this.#ledger));
    else if (element.name === 'a') {
      this.#isRequested = false;
      this.#acknowledge(element.attr('h'), this.#carrier);
      this.#requestAcknowledgement();
    }
  }

  /** Continues the session on another connection, and replaces the former one (§5). */
  resume(carrier: Carrier, h: string | undefined): void {
    const before = this.#carrier;
    if (!this.#acknowledge(h, carrier)) return;
    clearTimeout(this.#expiry);
    this.#carrier = carrier;
    before?.fail('conflict');
    this.#isRequested = false;
    carrier.send(writeCount('resumed', this.#ledger).withAttributes({ previd: this.id }));
    for (const { stanza } of this.#ledger?.queue ?? []) carrier.send(stanza);
    this.#requestAcknowledgement();
  }

  /** A connection has ended. @param inOrder whether its stream was closed properly: then the session ends too (§7) */
  disconnected(carrier: Carrier, inOrder: boolean): void {
    if (carrier !== this.#carrier) return;
    this.#carrier = undefined;
    const seconds = this.#host.resumableSeconds;
    if (inOrder || this.#ledger === undefined || seconds === undefined) this.end();
    else this.#expiry = setTimeout(() => this.end(), seconds * 1_000);
    this.#isRequested = false;
  }

  /** Ends the session. @param condition a stream error to send to a connected client */
  end(condition?: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#expiry);
    const carrier = this.#carrier;
    this.#carrier = undefined;
    if (condition !== undefined) carrier?.fail(condition);
    this.#host.onEnded(this, this.#ledger?.queue.map(({ stanza }) => stanza) ?? []);
  }

  #enable(): void {
    if (this.#ledger !== undefined || this.#host.resumableSeconds === undefined) {
      this.#carrier?.send(el('failed', NS_STREAM_MANAGEMENT));
      return;
    }
    this.#ledger = new Ledger(LIMITS);
    const { resumableSeconds: max } = this.#host;
    this.#carrier?.send(el('enabled', NS_STREAM_MANAGEMENT, { id: this.id, resume: true, max }));
  }

  #queue(stanza: Element): void {
    this.#ledger?.add(stanza);
    if ((this.#ledger?.queue.length ?? 0) > LIMITS.stanzas) this.end('resource-constraint');
  }

  /** Requests an acknowledgement, one at a time. */
  #requestAcknowledgement(): void {
    if (this.#isRequested || this.#carrier === undefined || (this.#ledger?.queue.length ?? 0) === 0) return;
    this.#isRequested = true;
    this.#carrier.send(el('r', NS_STREAM_MANAGEMENT));
  }

  /** Applies a count of the client; an invalid one ends the stream with an error. @returns whether it was valid */
  #acknowledge(h: string | undefined, sender: Carrier | undefined): boolean {
    try {
      this.#ledger?.acknowledge(h);
      return true;
    } catch (error) {
      if (!(error instanceof StreamError)) throw error;
      sender?.fail(error.condition, error.details.application);
      return false;
    }
  }
}

function writeCount(name: 'a' | 'resumed', ledger: Ledger | undefined): Element {
  return el(name, NS_STREAM_MANAGEMENT, { h: ledger?.handled ?? 0 });
}

function readStanzas(text: string): readonly Element[] {
  try {
    return parseElement(`<all xmlns='${NS_CLIENT}'>${text}</all>`).children();
  } catch (error) {
    if (!(error instanceof StreamError)) throw error;
    return [];
  }
}
