/** A client's session on the loopback server. With stream management (XEP-0198) it outlives the connection that it began on. */
import { StreamError } from '../xmpp-core/errors.js';
import type { Jid } from '../xmpp-core/jid/jid.js';
import { newId } from '../xmpp-core/stanza/ids.js';
import { NS_CLIENT } from '../xmpp-core/stanza/namespaces.js';
import { el, type Element } from '../xmpp-core/xml/element.js';
import { parseElement } from '../xmpp-core/xml/stream-parser.js';
import { Ledger, NS_STREAM_MANAGEMENT } from '../xeps/xep-0198-stream-management/ledger.js';

/** What carries a session: a connection. */
export interface Carrier {
  send(element: Element): void;
  sendRaw(text: string): void;
  /** Ends the stream with an error. @param application a condition of its own beside that (RFC 6120 §4.9.4) */
  fail(condition: string, application?: Element): void;
}

export interface SessionHost {
  /** For how many seconds a session waits for its client; `undefined` where there is no stream management. */
  readonly resumableSeconds: number | undefined;
  onStanza(session: Session, stanza: Element): void;
  /** The session is over. @param undelivered what its client never acknowledged */
  onEnded(session: Session, undelivered: readonly Element[]): void;
}

/** What waits for a client that is away; of more, its session ends. */
const LIMITS = { stanzas: 1_000, characters: 4 * 1024 * 1024 };

export class Session {
  readonly jid: Jid;
  /** By which the client resumes it. */
  readonly id = newId();
  readonly #host: SessionHost;
  #carrier: Carrier | undefined;
  /** There once the client has enabled stream management. */
  #ledger: Ledger | undefined;
  #isAsking = false;
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

  /** Whether a client may ask to resume it. */
  get isResumable(): boolean {
    return this.#ledger !== undefined;
  }

  /** Sends a stanza, now or when the client is back. */
  send(stanza: Element): void {
    this.#keep(stanza);
    this.#carrier?.send(stanza);
    this.#ask();
  }

  /** Sends raw text; stanzas in it count as such, and what is no XML as nothing. */
  sendRaw(text: string): void {
    if (this.#ledger !== undefined) for (const stanza of readStanzas(text)) this.#keep(stanza);
    this.#carrier?.sendRaw(text);
    this.#ask();
  }

  /** Takes what the client sent: a stanza, or a word about those. */
  take(element: Element): void {
    if (element.ns !== NS_STREAM_MANAGEMENT) {
      this.#ledger?.countHandled();
      this.#host.onStanza(this, element);
    } else if (element.name === 'enable') this.#enable();
    else if (element.name === 'r') this.#carrier?.send(writeCount('a', this.#ledger));
    else if (element.name === 'a') {
      this.#isAsking = false;
      this.#acknowledge(element.attr('h'), this.#carrier);
      this.#ask();
    }
  }

  /** Goes on over another connection, whatever became of the first (§5). */
  resume(carrier: Carrier, h: string | undefined): void {
    const before = this.#carrier;
    if (!this.#acknowledge(h, carrier)) return;
    clearTimeout(this.#expiry);
    this.#carrier = carrier;
    before?.fail('conflict');
    this.#isAsking = false;
    carrier.send(writeCount('resumed', this.#ledger).withAttributes({ previd: this.id }));
    for (const { stanza } of this.#ledger?.queue ?? []) carrier.send(stanza);
    this.#ask();
  }

  /** A connection is gone. @param inOrder whether its stream was closed: then there is nothing to wait for (§7) */
  disconnected(carrier: Carrier, inOrder: boolean): void {
    if (carrier !== this.#carrier) return;
    this.#carrier = undefined;
    const seconds = this.#host.resumableSeconds;
    if (inOrder || this.#ledger === undefined || seconds === undefined) this.end();
    else this.#expiry = setTimeout(() => this.end(), seconds * 1_000);
    this.#isAsking = false;
  }

  /** Ends it; with a condition its client is told, if there is a connection. */
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

  #keep(stanza: Element): void {
    this.#ledger?.add(stanza);
    if ((this.#ledger?.queue.length ?? 0) > LIMITS.stanzas) this.end('resource-constraint');
  }

  /** One question at a time. */
  #ask(): void {
    if (this.#isAsking || this.#carrier === undefined || (this.#ledger?.queue.length ?? 0) === 0) return;
    this.#isAsking = true;
    this.#carrier.send(el('r', NS_STREAM_MANAGEMENT));
  }

  /** @returns whether the count can be; if not, whoever sent it is told so */
  #acknowledge(h: string | undefined, teller: Carrier | undefined): boolean {
    try {
      this.#ledger?.acknowledge(h);
      return true;
    } catch (error) {
      if (!(error instanceof StreamError)) throw error;
      teller?.fail(error.condition, error.details.application);
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
