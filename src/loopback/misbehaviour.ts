/** What the loopback server can be told to do wrong, for tests of clients: what a bad network or a hostile server would do. */
import type { Element } from '../xmpp-core/xml/element.js';

/** Where a connection stands when a client's element comes in. */
export type Stage = 'plain' | 'secure' | 'authenticated' | 'bound';

/** Holds for connections that begin after it was set. */
export interface Misbehaviour {
  /** Resets the connection after so many bytes to the client; those of TLS itself do not count. */
  readonly cutAtByte?: number;
  /** Sends nothing more after so many bytes, and keeps the connection. */
  readonly stallAtByte?: number;
  /** Reads nothing any more once the client is at that stage. */
  readonly deafAt?: Stage;
  /**
   * Answers in the server's place: given each element of the client, returns the raw text to send instead of the server's own
   * answer, or `undefined` to let the server answer. The text may be anything, also what is not XML.
   */
  readonly answer?: (element: Element, stage: Stage) => string | undefined;
  /** Replaces the stream features of a stage, as raw text. */
  readonly features?: (stage: Stage) => string | undefined;
}
