/** What the loopback server can do wrong, to test clients: the faults of bad networks and hostile servers. */
import type { Element } from '../xmpp-core/xml/element.js';

/** The state of a connection. */
export type Stage = 'plain' | 'secure' | 'authenticated' | 'bound';

/** Faults, for connections that start after they were set. */
export interface Misbehaviour {
  /** Resets the connection after this many bytes to the client, not counting those of TLS. */
  readonly cutAtByte?: number;
  /** Sends nothing after this many bytes, but keeps the connection open. */
  readonly stallAtByte?: number;
  /** Stops reading when the client reaches that stage. */
  readonly deafAt?: Stage;
  /**
   * Called for each element of the client.
   * @returns raw text to send instead of the server's answer, not necessarily XML; `undefined` to let the server answer
   */
  readonly answer?: (element: Element, stage: Stage) => string | undefined;
  /** Replaces the stream features of a stage, as raw text. */
  readonly features?: (stage: Stage) => string | undefined;
}
