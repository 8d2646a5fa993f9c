/** A session that outlives its connection: what a client asks of whoever can keep one. The core knows no way of its own. */
import type { Jid } from './jid/jid.js';
import { NS_CLIENT } from './stanza/namespaces.js';
import type { Element } from './xml/element.js';

/** How long a session can be taken up again after its connection was lost, and where. */
export interface Kept {
  readonly ms: number;
  /** `host` or `host:port`, as in RFC 6120 §4.9.3.19: where the server wants us to come back. */
  readonly location: string | undefined;
}

/** Keeps the sessions of a client. All calls come in the order of what happens on the stream. */
export interface SessionKeeper {
  /**
   * Stanzas flow from here on: those of a new session, or of the one that was taken up by a stream feature (`Negotiation.resumed`).
   * @returns what is written before anything else; it is not shown to `sent`
   */
  began(session: { readonly jid: Jid; readonly resumed: boolean }): readonly Element[];
  /**
   * Is shown each stanza in the form in which it leaves; without a connection it leaves when the session is taken up.
   * @throws XmppError when no more can be kept; the stanza is not sent then
   */
  sent(stanza: Element): void;
  /** A stanza was received, and all that it brings about at once has been done. */
  handled(): void;
  /** The connection is lost. @returns `undefined` when the session is lost with it */
  lost(): Kept | undefined;
  /** The session is over, and will not be taken up. */
  ended(): void;
  /** What the server should still hear before the stream is closed in order. */
  parting(): Element | undefined;
  /** Asks the server for a sign of life. @returns false when there is no way to ask */
  probe(): boolean;
}

/** Whether an element is one of the three that are routed and counted (RFC 6120 §8); all else belongs to the stream. */
export function isStanza({ name, ns }: Element): boolean {
  return ns === NS_CLIENT && (name === 'message' || name === 'presence' || name === 'iq');
}
