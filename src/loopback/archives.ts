/** The archives of the loopback server (XEP-0313): the newest messages of accounts and rooms. */
import { StanzaError } from '../xmpp-core/errors.js';
import { Jid } from '../xmpp-core/jid/jid.js';
import { newId } from '../xmpp-core/stanza/ids.js';
import { NS_CLIENT } from '../xmpp-core/stanza/namespaces.js';
import { el, type Element } from '../xmpp-core/xml/element.js';
import {
  NS_MAM,
  NS_MAM_EXTENDED,
  readArchiveRequest,
  writeArchiveMetadata,
  writeArchivePage,
  writeArchiveResult,
  type ArchiveFilter,
} from '../xeps/xep-0313-message-archive/codecs.js';

interface ArchivedMessage {
  readonly id: string;
  readonly at: Date;
  readonly message: Element;
}

const MAX_MESSAGES = 1_000;
const MAX_PAGE = 100;

/** The features of an entity with an archive. */
export const ARCHIVE_FEATURES = [NS_MAM, NS_MAM_EXTENDED];

/** All archives. */
export class Archives {
  readonly #archives = new Map<string, ArchivedMessage[]>();

  /** Archives a message. @returns its id in the archive */
  store(archive: Jid, message: Element): string {
    const kept = { id: newId(), at: new Date(), message };
    const all = this.#of(archive);
    all.push(kept);
    if (all.length > MAX_MESSAGES) all.shift();
    this.#archives.set(archive.toString(), all);
    return kept.id;
  }

  delete(archive: Jid): void {
    this.#archives.delete(archive.toString());
  }

  /**
   * Answers a query. The caller has checked that the requester may query the archive.
   * @param send sends the results, before the answer
   * @returns the payload of the answer
   */
  answer(archive: Jid, requester: Jid, payload: Element, send: (message: Element) => void): Element {
    const all = this.#of(archive);
    const [start, end] = [all[0], all.at(-1)];
    if (payload.name === 'metadata')
      return writeArchiveMetadata(start === undefined || end === undefined ? {} : { start, end });
    const request = readArchiveRequest(payload);
    if (request === undefined) throw StanzaError.of('feature-not-implemented');
    const { queryId, filter, page = {}, flipPage = false } = request;
    const { max = MAX_PAGE, after, before } = page;
    const found = select(all, filter, after, before === '' ? undefined : before);
    const limit = Math.min(max, MAX_PAGE);
    const wanted = before === undefined ? found.slice(0, limit) : found.slice(Math.max(0, found.length - limit));
    for (const { id, at, message } of flipPage ? wanted.toReversed() : wanted) {
      const forwarded = { stanza: message, delay: { stamp: at, from: undefined } };
      const result = writeArchiveResult({ ...(queryId === undefined ? {} : { queryId }), id, forwarded });
      send(el('message', NS_CLIENT, { from: archive.toString(), to: requester.toString() }, result));
    }
    const [first, last] = [wanted[0]?.id, wanted.at(-1)?.id];
    const ends = first === undefined || last === undefined ? {} : { first, last };
    const complete = wanted.length === found.length;
    return writeArchivePage({ complete, stable: true, page: { ...ends, count: all.length } });
  }

  #of(archive: Jid): ArchivedMessage[] {
    return this.#archives.get(archive.toString()) ?? [];
  }
}

/** The messages that match a query, before paging. @throws StanzaError `item-not-found` if the query contains an unknown id (§4.1.3) */
function select(
  all: ArchivedMessage[],
  filter: ArchiveFilter,
  after: string | undefined,
  before: string | undefined,
): ArchivedMessage[] {
  const { with: partner, start, end, afterId, beforeId, ids } = filter;
  const placeOf = (id: string): number => {
    const place = all.findIndex((kept) => kept.id === id);
    if (place < 0) throw StanzaError.of('item-not-found');
    return place;
  };
  const from = Math.max(0, ...[after, afterId].flatMap((id) => (id === undefined ? [] : placeOf(id) + 1)));
  const to = Math.min(all.length, ...[before, beforeId].flatMap((id) => (id === undefined ? [] : placeOf(id))));
  const wanted = ids === undefined ? undefined : new Set(ids.map(placeOf));
  return all
    .filter((_kept, place) => place >= from && place < to && wanted?.has(place) !== false)
    .filter(({ at }) => (start === undefined || at >= start) && (end === undefined || at <= end))
    .filter(({ message }) => partner === undefined || concerns(message, partner));
}

function concerns(message: Element, partner: Jid): boolean {
  return ['from', 'to'].some((end) => {
    const jid = Jid.tryParse(message.attr(end));
    return jid !== undefined && partner.equals(partner.isBare ? jid.bare : jid);
  });
}
