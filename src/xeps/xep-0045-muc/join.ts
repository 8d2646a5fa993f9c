/** `<x xmlns='http://jabber.org/protocol/muc'/>`: the request to enter a room (XEP-0045 §7.2). */
import { el, type Element } from '../../xmpp-core/xml/element.js';
import { writeDateTime } from '../xep-0082-date-time.js';

/** The namespace of joins, and the feature of chat services. */
export const NS_MUC = 'http://jabber.org/protocol/muc';

/** Which part of its history a room shall send (§7.2.14). All given limits apply together. A room may send less or more. */
export interface HistoryRequest {
  /** Counts the characters of the whole stanzas, not of their text. */
  readonly maxChars?: number;
  readonly maxStanzas?: number;
  /** Only messages of the last so many seconds. */
  readonly seconds?: number;
  /** Only messages since this time. */
  readonly since?: Date;
}

/** No history, written as §7.2.14 asks for. */
export const NO_HISTORY: HistoryRequest = { maxChars: 0 };

/** The contents of a join. */
export interface Join {
  readonly history?: HistoryRequest | undefined;
  readonly password?: string | undefined;
}

/** Writes the payload of the presence that asks to enter a room. */
export function writeMucJoin({ history, password }: Join): Element {
  const request =
    history === undefined
      ? undefined
      : el('history', NS_MUC, {
          maxchars: history.maxChars,
          maxstanzas: history.maxStanzas,
          seconds: history.seconds,
          since: history.since === undefined ? undefined : writeDateTime(history.since),
        });
  return el('x', NS_MUC, {}, request, password === undefined ? undefined : el('password', NS_MUC, {}, password));
}
