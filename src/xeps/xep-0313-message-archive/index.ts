/**
 * XEP-0313 Message Archive Management, 1.1.3 (Stable). https://xmpp.org/extensions/xep-0313.html
 *
 * Queries the messages that an account's server or a room archives, page by page in either direction, and catches up after a time offline.
 * A result counts only if it comes from the queried archive, with the id of a pending query.
 *
 * Left out: custom form fields of an archive (§4.1.5), and archives of pubsub nodes (XEP-0442). Preferences are in XEP-0441.
 */
import { Jid } from '../../xmpp-core/jid/jid.js';
import { definePlugin } from '../../xmpp-core/plugin.js';
import { el } from '../../xmpp-core/xml/element.js';
import { serviceDiscovery } from '../xep-0030-service-discovery.js';
import { stanzaIds } from '../xep-0359-stable-ids.js';
import { ArchiveMark } from './catch-up.js';
import { NS_MAM, NS_MAM_EXTENDED, readArchiveMetadata, type ArchiveMetadata } from './codecs.js';
import { ArchiveError, ArchiveIdGoneError, ArchiveReader, type ArchivedMessage, type ArchiveQuery } from './query.js';

export * from './codecs.js';
export { ArchiveError, ArchiveIdGoneError, type ArchivedMessage, type ArchiveQuery } from './query.js';

/** The options of reading on from a point. */
export type SinceOptions = Pick<ArchiveQuery, 'archive' | 'includeGroupchat' | 'pageSize' | 'signal' | 'timeoutMs'>;

/** The options of `catchUp`. */
export interface CatchUpOptions extends SinceOptions {
  /** Where to start in an archive without a stored mark; by default at its end, so that no earlier messages are returned. */
  readonly defaultStart?: Date;
  /**
   * How long before the stored mark to start, in milliseconds, on the first call after a start of the program: messages that arrived just
   * before a crash may not have been processed. The caller has to recognise those that were.
   */
  readonly overlapMs?: number;
}

/** The events of the plugin. */
export interface ArchiveEvents {
  /** The mark could not be stored: after a restart some messages will be fetched again. */
  failed: { readonly error: unknown };
}

/** Message archives: `client.get(messageArchive)` queries them and catches up. */
export const messageArchive = definePlugin({
  name: 'message-archive',
  xep: 313,
  requires: [serviceDiscovery, stanzaIds],
  setup(context) {
    const events = context.events<ArchiveEvents>();
    const reader = new ArchiveReader(context);
    const ids = context.get(stanzaIds);
    /** The marks of archives that `catchUp` was called for, by JID. */
    const marks = new Map<string, ArchiveMark>();

    const background = (work: () => unknown): void =>
      context.background(work, (error) => events.emit('failed', { error }));
    const markOf = (archive: Jid): ArchiveMark => {
      const key = archive.toString();
      const mark = marks.get(key) ?? new ArchiveMark(context.storage, context.account, archive, background);
      marks.set(key, mark);
      return mark;
    };
    context.onBound(() => {
      for (const mark of marks.values()) mark.interrupted();
    });
    ids.events.on('arrived', ({ by, id }) => marks.get(by.toString())?.arrived({ id, at: new Date() }));

    const archiveOf = ({ archive }: { readonly archive?: Jid | string }): Jid =>
      Jid.from(archive ?? context.account).bare;

    /** The last message of an archive. */
    async function newest(options: SinceOptions): Promise<ArchivedMessage | undefined> {
      for await (const found of reader.messages({ ...options, order: 'newest-first', limit: 1 })) return found;
      return undefined;
    }

    /**
     * The messages after an id. Some servers return an empty result instead of an error if they no longer have the id (§4.3.2). So an empty
     * result counts only if the id is that of the last message, checked twice, as a message may arrive in between.
     */
    async function* after(id: string, options: SinceOptions): AsyncGenerator<ArchivedMessage> {
      for (let attempt = 0; attempt < 2; attempt++) {
        let isLast = true;
        for await (const archived of reader.messages({ ...options, afterId: id })) {
          isLast = false;
          yield archived;
        }
        if (!isLast || (await newest(options))?.id === id) return;
      }
      throw new ArchiveIdGoneError(archiveOf(options));
    }

    /**
     * The messages after a point that did not arrive in another way. A message counts as consumed when the next one is requested.
     * @param onPassed called for each message that was consumed or had arrived before
     */
    async function* since(
      point: string | Date,
      options: SinceOptions,
      onPassed: (archived: ArchivedMessage) => void,
    ): AsyncGenerator<ArchivedMessage> {
      const following =
        typeof point === 'string' ? after(point, options) : reader.messages({ ...options, start: point });
      for await (const archived of following) {
        const { archive, id } = archived;
        if (ids.record(archive, id)) {
          let isConsumed = false;
          try {
            yield archived;
            isConsumed = true;
          } finally {
            if (!isConsumed) ids.forget(archive, id);
          }
        }
        onPassed(archived);
      }
    }

    /** Reads on from a point and moves the mark. */
    async function* catchUpFrom(
      point: string | Date,
      mark: ArchiveMark,
      options: SinceOptions,
    ): AsyncGenerator<ArchivedMessage> {
      let isStable = true;
      yield* since(point, options, ({ id, at = new Date(), stable }) => {
        // Results that may still change are fetched again next time (§4.3.2).
        isStable &&= stable;
        if (isStable) mark.reached({ id, at });
      });
      if (isStable) mark.caughtUp();
    }

    return {
      events,
      /**
       * The messages that match a query. Each page is requested when the previous one has been read, so that at most one page is in memory.
       * @throws ArchiveIdGoneError, ArchiveError, StanzaError (such as `forbidden`), TimeoutError, XmppError, or the signal's reason
       */
      messages: (query: ArchiveQuery = {}): AsyncIterable<ArchivedMessage> => reader.messages(query),
      /**
       * The messages after an id, or from a time on, except those that arrived live or as carbons meanwhile. A message counts as consumed
       * when the next one is requested.
       * @throws what `messages` throws; after an `ArchiveIdGoneError`, try a time
       */
      since: (point: string | Date, options: SinceOptions = {}): AsyncIterable<ArchivedMessage> =>
        since(point, options, () => undefined),
      /**
       * The messages missed since the last complete call, also before a restart: call it at each `online` that is not `resumed`. It starts
       * from the id of the last message, or from its time if the archive no longer has the id. Live messages after the end are not missed;
       * for rooms, report them with `stanzaIds.arrived`.
       * @throws what `messages` throws
       */
      async *catchUp(options: CatchUpOptions = {}): AsyncGenerator<ArchivedMessage> {
        const mark = markOf(archiveOf(options));
        const isFirst = !mark.isLoaded;
        const last = (await mark.load()) ?? { id: undefined, at: options.defaultStart };
        if (last.at !== undefined && isFirst && options.overlapMs !== undefined) {
          yield* catchUpFrom(new Date(last.at.getTime() - options.overlapMs), mark, options);
          return;
        }
        if (last.at === undefined) {
          const { id, at = new Date() } = (await newest(options)) ?? {};
          mark.reached({ id, at });
          mark.caughtUp();
          return;
        }
        try {
          yield* catchUpFrom(last.id ?? last.at, mark, options);
        } catch (error) {
          if (!(error instanceof ArchiveIdGoneError)) throw error;
          yield* catchUpFrom((await mark.load())?.at ?? last.at, mark, options);
        }
      },
      /**
       * Queries the range of messages in an archive.
       * @throws ArchiveError if it does not support this, and what `PluginContext.iq` throws
       */
      async metadata(address: Jid | string = context.account, signal?: AbortSignal): Promise<ArchiveMetadata> {
        const archive = Jid.from(address).bare;
        const features = await reader.features(archive, signal);
        if (!features.has(NS_MAM_EXTENDED))
          throw new ArchiveError(`the archive of ${archive.toString()} sent no metadata`);
        const options = signal === undefined ? {} : { signal };
        const payload = el('metadata', NS_MAM);
        const to = archive.equals(context.account) ? {} : { to: archive };
        const result = await context.iq({ ...to, type: 'get', payload, ...options });
        return (result === undefined ? undefined : readArchiveMetadata(result)) ?? {};
      },
    };
  },
});
