/** Asking archives: page after page, each only as long as it is wanted, and nothing but what the archive that was asked says. */
import { untilAborted } from '../../xmpp-core/deadline.js';
import { StanzaError, XmppError } from '../../xmpp-core/errors.js';
import { Jid } from '../../xmpp-core/jid/jid.js';
import { from, handled, type PluginContext, type SenderGuard } from '../../xmpp-core/plugin.js';
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

/** What is wanted of an archive. */
export interface ArchiveQuery extends ArchiveFilter {
  /** Our own account's unless told; a room's is under its bare JID. */
  readonly archive?: Jid | string;
  /** Unless told the oldest first. */
  readonly order?: 'oldest-first' | 'newest-first';
  /** How many messages are asked for, and held, at a time; 50 unless told, 500 at most. */
  readonly pageSize?: number;
  /** How many messages are wanted in all. */
  readonly limit?: number;
  readonly signal?: AbortSignal;
  /** For each page, in milliseconds; 30 seconds unless told. */
  readonly timeoutMs?: number;
}

/** A message of an archive. */
export interface ArchivedMessage {
  /** Bare. */
  readonly archive: Jid;
  /** Its id in this archive, which is the `stanza-id` that it had when it came live. */
  readonly id: string;
  /** When the archive got it. */
  readonly at: Date | undefined;
  readonly message: Message;
  /** Whether the archive will say the same when it is asked again (§4.3.2). */
  readonly stable: boolean;
}

/** An archive cannot do what is wanted, or does not keep to the protocol. */
export class ArchiveError extends XmppError {
  override readonly name: string = 'ArchiveError';
}

/**
 * The archive no longer has a message of an id that the query named (§4.1.3, §4.3.2). Who wanted what came after it can ask by time.
 */
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

/** A page that is on its way. */
interface Collecting {
  readonly archive: Jid;
  readonly max: number;
  /** The ids of all results in the order they came, also of those without a message. */
  readonly ids: string[];
  readonly messages: Omit<ArchivedMessage, 'stable'>[];
  isTooMuch: boolean;
}

interface Collected extends Collecting {
  readonly end: ArchivePage;
}

export class ArchiveReader {
  readonly #context: PluginContext;
  readonly #collecting = new Map<string, Collecting>();

  constructor(context: PluginContext) {
    this.#context = context;
    const fromAskedArchive: SenderGuard = {
      name: 'fromAskedArchive',
      admits: (sender) => [...this.#collecting.values()].some(({ archive }) => archive.equals(sender)),
    };
    context.onMessage({ ns: NS_MAM, name: 'result' }, fromAskedArchive, (payload, outer) => {
      this.#take(payload, outer);
    });
    // What wraps a result is nothing that was said to us, whoever it is from (§8.2).
    context.onMessage({ ns: NS_MAM, name: 'result' }, from.anyone, () => handled);
  }

  /** What an archive announces; asked for once a session. @throws ArchiveError when there is no archive, and what `iq` throws */
  async features(archive: Jid, signal?: AbortSignal): Promise<ReadonlySet<string>> {
    const asked = this.#context.get(serviceDiscovery).infoOnce(archive);
    const { features } = await (signal === undefined ? asked : untilAborted(signal, asked));
    if (!features.has(NS_MAM)) throw new ArchiveError(`${archive.toString()} has no message archive`);
    return features;
  }

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
    // Asked for wherever it can be (§4.1.4): rooms have archives of their own, so that they are not wanted here unless told.
    const { includeGroupchat = false } = query;
    const mayAskForGroupchat = features.has(NS_MAM_GROUPCHAT_FIELD) && archive.equals(this.#context.account);
    const asked = mayAskForGroupchat ? { ...filter, includeGroupchat } : filter;
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
      // Neither the end nor a way on: some servers forget to say that an empty page is the last.
      if (next === undefined || next === cursor) return;
      cursor = next;
    }
  }

  async #page(archive: Jid, max: number, request: ArchiveRequest, options: ArchiveQuery): Promise<Collected> {
    const { signal, timeoutMs } = options;
    const queryId = newId();
    const collecting: Collecting = { archive, max, ids: [], messages: [], isTooMuch: false };
    this.#collecting.set(queryId, collecting);
    try {
      const fin = await this.#context.iq({
        ...(archive.equals(this.#context.account) ? {} : { to: archive }),
        type: 'set',
        payload: writeArchiveRequest({ ...request, queryId }),
        // What comes after the end of the page belongs to nothing.
        onResult: () => this.#collecting.delete(queryId),
        ...(signal === undefined ? {} : { signal }),
        ...(timeoutMs === undefined ? {} : { timeoutMs }),
      });
      const end = fin === undefined ? undefined : readArchivePage(fin);
      if (end === undefined) throw new ArchiveError(`${archive.toString()} ended a page of its archive without <fin/>`);
      if (collecting.isTooMuch) {
        throw new ArchiveError(`${archive.toString()} sent more than the ${max} requested messages`);
      }
      return { ...collecting, end };
    } catch (error) {
      const isGone = error instanceof StanzaError && error.condition === 'item-not-found' && namesAnId(request);
      throw isGone ? new ArchiveIdGoneError(archive, error) : error;
    } finally {
      this.#collecting.delete(queryId);
    }
  }

  /** A result counts only with the id of a query that is under way, and from the very archive that was asked (§8.2). */
  #take(payload: Parameters<typeof readArchiveResult>[0], outer: Message): void {
    const result = readArchiveResult(payload);
    const collecting = result?.queryId === undefined ? undefined : this.#collecting.get(result.queryId);
    if (result === undefined || collecting === undefined || !collecting.archive.equals(outer.from)) return;
    if (collecting.ids.length >= collecting.max) {
      collecting.isTooMuch = true;
      return;
    }
    const { archive } = collecting;
    const { id, forwarded } = result;
    collecting.ids.push(id);
    const message = forwarded === undefined ? undefined : readForwardedMessage(forwarded, outer.language);
    if (message === undefined) return;
    // In a room's archive everything was said in that room (§6.1.2).
    const isRooms = !archive.equals(this.#context.account);
    if (isRooms && !message.from.bare.equals(archive)) return;
    collecting.messages.push({ archive, id, at: forwarded?.delay?.stamp, message });
  }
}

/**
 * Where a query begins. The id on the side from which we come is the first page's place (§9), which every archive understands; the id on
 * the other side is a filter.
 */
function startingPoint(query: ArchiveQuery, isBackward: boolean): { filter: ArchiveFilter; place: string | undefined } {
  const { with: partner, start, end, afterId, beforeId, ids } = query;
  const [place, bound] = isBackward ? [beforeId, { afterId }] : [afterId, { beforeId }];
  const filter = Object.entries({ with: partner, start, end, ids, ...bound }).filter(
    ([, value]) => value !== undefined,
  );
  return { filter: Object.fromEntries(filter), place };
}

function namesAnId({ filter: { afterId, beforeId, ids }, page }: ArchiveRequest): boolean {
  const place = page?.after ?? page?.before ?? '';
  return place !== '' || (afterId ?? beforeId ?? ids) !== undefined;
}
