/**
 * XEP-0313 Message Archive Management, 1.1.3 (Stable). https://xmpp.org/extensions/xep-0313.html
 *
 * What was said while we were away: the messages that an account's server, or a room, keeps, asked for page by page in either direction,
 * and caught up with after a time offline. A result counts only from the archive that was asked and with the id of a query under way.
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

/** How to read on from a point. */
export type SinceOptions = Pick<ArchiveQuery, 'archive' | 'includeGroupchat' | 'pageSize' | 'signal' | 'timeoutMs'>;

export interface CatchUpOptions extends SinceOptions {
  /** Where to begin when nothing is remembered of this archive; with its end unless told, so that nothing of before comes. */
  readonly otherwise?: Date;
  /**
   * How far before what is remembered to begin, in milliseconds, when this is the first time in this run of the program: what arrived
   * just before a crash may have come to nothing. The caller has to know again what it has dealt with.
   */
  readonly overlapMs?: number;
}

export interface ArchiveEvents {
  /** How far we are could not be kept: the next run of the program will fetch some messages again. */
  failed: { readonly error: unknown };
}

export const messageArchive = definePlugin({
  name: 'message-archive',
  xep: 313,
  requires: [serviceDiscovery, stanzaIds],
  setup(context) {
    const events = context.events<ArchiveEvents>();
    const reader = new ArchiveReader(context);
    const ids = context.get(stanzaIds);
    /** Of the archives that were caught up with, by their JIDs. */
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
     * What follows the message of that id. Servers say rather that nothing follows it than that they do not have it (§4.3.2), so that nothing
     * is believed only if it is the last; it may be so no longer by the time that this is asked.
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
     * Messages after a point that did not come in another way already. One counts as taken when the next is asked for.
     * @param onPassed is told of each that was taken, or had come already
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
        if (ids.note(archive, id)) {
          let isTaken = false;
          try {
            yield archived;
            isTaken = true;
          } finally {
            if (!isTaken) ids.forget(archive, id);
          }
        }
        onPassed(archived);
      }
    }

    /** From a point on, moving the mark. */
    async function* onFrom(
      point: string | Date,
      mark: ArchiveMark,
      options: SinceOptions,
    ): AsyncGenerator<ArchivedMessage> {
      let isStable = true;
      yield* since(point, options, ({ id, at = new Date(), stable }) => {
        // What may change still is fetched again another time (§4.3.2).
        isStable &&= stable;
        if (isStable) mark.reached({ id, at });
      });
      if (isStable) mark.caughtUp();
    }

    return {
      events,
      /**
       * The messages that a query finds. The archive is asked for a page when that is read, so that never more than a page is held.
       * @throws ArchiveIdGoneError, ArchiveError, StanzaError (such as `forbidden`), TimeoutError, XmppError, or the signal's reason
       */
      messages: (query: ArchiveQuery = {}): AsyncIterable<ArchivedMessage> => reader.messages(query),
      /**
       * What an archive got after the message of that id, or from that moment on, without what came live or as a carbon meanwhile. A message
       * counts as taken when the next one is asked for.
       * @throws what `messages` throws; after an `ArchiveIdGoneError` a time can be tried
       */
      since: (point: string | Date, options: SinceOptions = {}): AsyncIterable<ArchivedMessage> =>
        since(point, options, () => undefined),
      /**
       * What was missed since this was last called to its end, also by an earlier run of the program: to be called at each `online` that is
       * not `resumed`. It goes by the id of the last message, and by its time where the archive has forgotten the id. What comes live
       * after the end counts as not missed; for rooms that have it told by `stanzaIds.arrived`.
       * @throws what `messages` throws
       */
      async *catchUp(options: CatchUpOptions = {}): AsyncGenerator<ArchivedMessage> {
        const mark = markOf(archiveOf(options));
        const isFirst = !mark.isLoaded;
        const last = (await mark.load()) ?? { id: undefined, at: options.otherwise };
        if (last.at !== undefined && isFirst && options.overlapMs !== undefined) {
          yield* onFrom(new Date(last.at.getTime() - options.overlapMs), mark, options);
          return;
        }
        if (last.at === undefined) {
          const { id, at = new Date() } = (await newest(options)) ?? {};
          mark.reached({ id, at });
          mark.caughtUp();
          return;
        }
        try {
          yield* onFrom(last.id ?? last.at, mark, options);
        } catch (error) {
          if (!(error instanceof ArchiveIdGoneError)) throw error;
          yield* onFrom((await mark.load())?.at ?? last.at, mark, options);
        }
      },
      /** What an archive holds. @throws ArchiveError when it does not tell, and what `PluginContext.iq` throws */
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
