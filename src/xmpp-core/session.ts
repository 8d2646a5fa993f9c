/** Sessions that outlive their connection: the interface of a session keeper. The core has none; XEP-0198 provides one. */
import type { Jid } from './jid/jid.js';
import { NS_CLIENT } from './stanza/namespaces.js';
import type { Element } from './xml/element.js';

/** How long a session can be resumed after its connection was lost, and where. */
export interface Kept {
  readonly ms: number;
  /** `host` or `host:port`, as in RFC 6120 §4.9.3.19: where the server wants us to reconnect. */
  readonly location: string | undefined;
}

/** Keeps the sessions of a client. Calls follow the order of events on the stream. */
export interface SessionKeeper {
  /**
   * A session has started, or a stream feature has resumed one (`Negotiation.resumed`): stanzas flow from here on.
   * @returns elements to write first, without a call of `sent`
   */
  began(session: { readonly jid: Jid; readonly resumed: boolean }): readonly Element[];
  /**
   * Called with each stanza in its final form; without a connection it is sent when the session is resumed.
   * @throws XmppError when the buffer is full; the stanza is then not sent
   */
  sent(stanza: Element): void;
  /** A stanza was received and routed; its synchronous handlers have returned. */
  handled(): void;
  /** The connection is lost. @returns `undefined` when the session is lost with it */
  lost(): Kept | undefined;
  /** The session has ended and will not be resumed. */
  ended(): void;
  /** The last element to send before the stream is closed, if any. */
  parting(): Element | undefined;
  /** Requests an acknowledgement to probe the connection. @returns false if that is not possible */
  probe(): boolean;
}

/** Whether an element is a stanza (RFC 6120 §8), which is routed and counted; everything else belongs to the stream. */
export function isStanza({ name, ns }: Element): boolean {
  return ns === NS_CLIENT && (name === 'message' || name === 'presence' || name === 'iq');
}
