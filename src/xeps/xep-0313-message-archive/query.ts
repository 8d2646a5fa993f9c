/** Queries archives page by page, and accepts results only from the queried archive. */
import { untilAborted } from '../../xmpp-core/deadline.js';
import { StanzaError, XmppError } from '../../xmpp-core/errors.js';
import { Jid } from '../../xmpp-core/jid/jid.js';
import { senders, handled, type PluginContext, type SenderGuard } from '../../xmpp-core/plugin.js';
import { newId } from '../../xmpp-core/stanza/ids.js';
import type { Message } from '../../xmpp-core/stanza/stanzas.js';
import { serviceDiscovery } from '../xep-0030-service-discovery.js';
import { readForwardedMessage } from '../xep-0297-stanza-forwarding.js';
import {
  NS_MAM,
  NS_MAM_EXTENDED,
  NS_MAM_GROUPCHAT_FIELD,
  readArchivePage,
  readArchiveResult,
  writeArchiveRequest,
  type ArchiveFilter,
  type ArchivePage,
  type ArchiveRequest,
} from './codecs.js';

/** A query to an archive. */
export interface ArchiveQuery extends ArchiveFilter {
  /** The bare JID of a room; our own account by default. */
  readonly archive?: Jid | string;
  /** `oldest-first` by default. */
  readonly order?: 'oldest-first' | 'newest-first';
  /** How many messages to request, and hold in memory, at a time; 50 by default, at most 500. */
  readonly pageSize?: number;
  /** The most messages to return in all. */
  readonly limit?: number;
  readonly signal?: AbortSignal;
  /** For each page, in milliseconds; 30 seconds by default. */
  readonly timeoutMs?: number;
}

/** A message from an archive. */
export interface ArchivedMessage {
  /** The bare JID of the archive. */
  readonly archive: Jid;
  /** Its id in this archive, which is its `stanza-id` when it arrives live. */
  readonly id: string;
  /** When the archive received it. */
  readonly at: Date | undefined;
  readonly message: Message;
  /** Whether another query will return the same result (§4.3.2). */
  readonly stable: boolean;
}

/** An archive does not support a query, or breaks the protocol. */
export class ArchiveError extends XmppError {
  override readonly name: string = 'ArchiveError';
}

/** The archive no longer has a message with an id in the query (§4.1.3, §4.3.2). Query by time instead. */
export class ArchiveIdGoneError extends ArchiveError {
  override readonly name = 'ArchiveIdGoneError';
  readonly archive: Jid;

  constructor(archive: Jid, cause?: StanzaError) {
    super(`the archive of ${archive.toString()} no longer has a message with that id; query by time instead`, {
      cause,
    });
    this.archive = archive;
  }
}

const PAGE_SIZE = 50;
const MAX_PAGE_SIZE = 500;

/** A page whose results are arriving. */
interface PendingPage {
  readonly archive: Jid;
  readonly max: number;
  /** The ids of all results in order of arrival, including those without a readable message. */
  readonly ids: string[];
  readonly messages: Omit<ArchivedMessage, 'stable'>[];
  isOverfull: boolean;
}

interface FinishedPage extends PendingPage {
  readonly end: ArchivePage;
}

/** Sends queries and collects their results. */
export class ArchiveReader {
  readonly #context: PluginContext;
  readonly #collecting = new Map<string, PendingPage>();

  constructor(context: PluginContext) {
    this.#context = context;
    const fromAskedArchive: SenderGuard = {
      name: 'fromAskedArchive',
      admits: (sender) => [...this.#collecting.values()].some(({ archive }) => archive.equals(sender)),
    };
    context.onMessage({ ns: NS_MAM, name: 'result' }, fromAskedArchive, (payload, outer) => {
      this.#take(payload, outer);
    });
    // A message that wraps a result is never a message to us, whoever sent it (§8.2).
    context.onMessage({ ns: NS_MAM, name: 'result' }, senders.anyone, () => handled);
  }

  /** The features of an archive, queried once per session. @throws ArchiveError if there is no archive, and what `iq` throws */
  async features(archive: Jid, signal?: AbortSignal): Promise<ReadonlySet<string>> {
    const asked = this.#context.get(serviceDiscovery).infoOnce(archive);
    const { features } = await (signal === undefined ? asked : untilAborted(signal, asked));
    if (!features.has(NS_MAM)) throw new ArchiveError(`${archive.toString()} has no message archive`);
    return features;
  }

  /** The messages that match a query. @throws as `messages` of the plugin */
  async *messages(query: ArchiveQuery): AsyncGenerator<ArchivedMessage, void, undefined> {
    const { order = 'oldest-first', pageSize = PAGE_SIZE, limit = Infinity, signal } = query;
    const archive = Jid.from(query.archive ?? this.#context.account).bare;
    const features = await this.features(archive, signal);
    const isBackward = order === 'newest-first';
    const { filter, place } = startingPoint(query, isBackward);
    const isExtended = features.has(NS_MAM_EXTENDED);
    if (!isExtended && (filter.afterId ?? filter.beforeId ?? filter.ids) !== undefined) {
      throw new ArchiveError(`the archive of ${archive.toString()} cannot filter by ids`);
    }
    // Set wherever the archive supports it (§4.1.4): rooms have archives of their own, so their messages are left out by default.
    const { includeGroupchat = false } = query;
    const supportsGroupchat = features.has(NS_MAM_GROUPCHAT_FIELD) && archive.equals(this.#context.account);
    const asked = supportsGroupchat ? { ...filter, includeGroupchat } : filter;
    const flipPage = isBackward && isExtended;
    let cursor = place;
    for (let left = limit; left > 0;) {
      const max = Math.max(1, Math.min(pageSize, MAX_PAGE_SIZE, left));
      const page = isBackward ? { max, before: cursor ?? '' } : cursor === undefined ? { max } : { max, after: cursor };
      const collected = await this.#page(archive, max, { filter: asked, page, flipPage }, query);
      const { messages, ids, end } = collected;
      const isReversed = isBackward && !flipPage;
      for (const message of isReversed ? messages.toReversed() : messages) {
        signal?.throwIfAborted();
        left--;
        yield { ...message, stable: end.stable };
      }
      if (end.complete) return;
      const next = (isReversed ? ids[0] : ids.at(-1)) ?? (isBackward ? end.page?.first : end.page?.last);
      // Neither complete nor a next page: some servers do not mark an empty page as the last.
      if (next === undefined || next === cursor) return;
      cursor = next;
    }
  }

  async #page(archive: Jid, max: number, request: ArchiveRequest, options: ArchiveQuery): Promise<FinishedPage> {
    const { signal, timeoutMs } = options;
    const queryId = newId();
    const collecting: PendingPage = { archive, max, ids: [], messages: [], isOverfull: false };
    this.#collecting.set(queryId, collecting);
    try {
      const fin = await this.#context.iq({
        ...(archive.equals(this.#context.account) ? {} : { to: archive }),
        type: 'set',
        payload: writeArchiveRequest({ ...request, queryId }),
        // Results after the end of the page are ignored.
        onResult: () => this.#collecting.delete(queryId),
        ...(signal === undefined ? {} : { signal }),
        ...(timeoutMs === undefined ? {} : { timeoutMs }),
      });
      const end = fin === undefined ? undefined : readArchivePage(fin);
      if (end === undefined) throw new ArchiveError(`${archive.toString()} ended a page of its archive without <fin/>`);
      if (collecting.isOverfull) {
        throw new ArchiveError(`${archive.toString()} sent more than the ${max} requested messages`);
      }
      return { ...collecting, end };
    } catch (error) {
      const isUnknownId = error instanceof StanzaError && error.condition === 'item-not-found' && hasId(request);
      throw isUnknownId ? new ArchiveIdGoneError(archive, error) : error;
    } finally {
      this.#collecting.delete(queryId);
    }
  }

  /** A result counts only with the id of a pending query, from the archive that was queried (§8.2). */
  #take(payload: Parameters<typeof readArchiveResult>[0], outer: Message): void {
    const result = readArchiveResult(payload);
    const collecting = result?.queryId === undefined ? undefined : this.#collecting.get(result.queryId);
    if (result === undefined || collecting === undefined || !collecting.archive.equals(outer.from)) return;
    if (collecting.ids.length >= collecting.max) {
      collecting.isOverfull = true;
      return;
    }
    const { archive } = collecting;
    const { id, forwarded } = result;
    collecting.ids.push(id);
    const message = forwarded === undefined ? undefined : readForwardedMessage(forwarded, outer.language);
    if (message === undefined) return;
    // The archive of a room has only messages from that room (§6.1.2).
    const isRoom = !archive.equals(this.#context.account);
    if (isRoom && !message.from.bare.equals(archive)) return;
    collecting.messages.push({ archive, id, at: forwarded?.delay?.stamp, message });
  }
}

/**
 * Where a query starts. The id on the side where we start becomes the position of the first page (§9), which every archive supports; the id
 * on the other side is a filter.
 */
function startingPoint(query: ArchiveQuery, isBackward: boolean): { filter: ArchiveFilter; place: string | undefined } {
  const { with: partner, start, end, afterId, beforeId, ids } = query;
  const [place, bound] = isBackward ? [beforeId, { afterId }] : [afterId, { beforeId }];
  const filter = Object.entries({ with: partner, start, end, ids, ...bound }).filter(
    ([, value]) => value !== undefined,
  );
  return { filter: Object.fromEntries(filter), place };
}

function hasId({ filter: { afterId, beforeId, ids }, page }: ArchiveRequest): boolean {
  const place = page?.after ?? page?.before ?? '';
  return place !== '' || (afterId ?? beforeId ?? ids) !== undefined;
}
