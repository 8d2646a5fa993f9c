/** `<x xmlns='http://jabber.org/protocol/muc'/>`: the wish to enter a room (XEP-0045 §7.2). */
import { el, type Element } from '../../xmpp-core/xml/element.js';
import { writeDateTime } from '../xep-0082-date-time.js';

export const NS_MUC = 'http://jabber.org/protocol/muc';

/** How much of the past a room is asked for (§7.2.14). All that is given has to hold; rooms may still send less, or more. */
export interface HistoryRequest {
  /** Characters of the whole stanzas, not of their text. */
  readonly maxChars?: number;
  readonly maxStanzas?: number;
  /** Only what was said in so many last seconds. */
  readonly seconds?: number;
  readonly since?: Date;
}

/** Nothing of the past: what the section tells clients to say for that. */
export const NO_HISTORY: HistoryRequest = { maxChars: 0 };

export interface Join {
  readonly history?: HistoryRequest | undefined;
  readonly password?: string | undefined;
}

export function writeMucJoin({ history, password }: Join): Element {
  const wish =
    history === undefined
      ? undefined
      : el('history', NS_MUC, {
          maxchars: history.maxChars,
          maxstanzas: history.maxStanzas,
          seconds: history.seconds,
          since: history.since === undefined ? undefined : writeDateTime(history.since),
        });
  return el('x', NS_MUC, {}, wish, password === undefined ? undefined : el('password', NS_MUC, {}, password));
}
