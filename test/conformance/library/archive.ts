/** Archives of messages (XEP-0313), and what goes into them (XEP-0441). */
import {
  type ArchivedMessage,
  type ArchiveQuery,
  messageArchive,
} from '../../../src/xeps/xep-0313-message-archive/index.js';
import { archivePreferences, type ArchivePreferences } from '../../../src/xeps/xep-0441-archive-preferences.js';
import { Jid } from '../../../src/xmpp-core/jid/jid.js';
import type { Asked } from './asked.js';
import { list, time, yes, type Application, type Extensions, type Fields } from './extension.js';

const ORDERS = ['oldest-first', 'newest-first'] as const;
const DEFAULTS = ['always', 'never', 'roster'] as const;

export const archiveExtensions: Extensions = {
  'XEP-0313': {
    plugins: [messageArchive],
    attach(application) {
      const archive = application.client.get(messageArchive);
      const tellAll = async (
        messages: AsyncIterable<ArchivedMessage>,
        item: (fields: Fields) => void,
      ): Promise<Fields> => {
        let count = 0;
        for await (const message of messages) {
          item(archivedFields(application, message));
          count += 1;
        }
        return { count };
      };
      return {
        archive: async (asked, item) => tellAll(archive.messages(queryOf(asked)), item),
        async 'archive-since'(asked, item) {
          const { archive: where, pageSize } = queryOf(asked);
          const options = {
            ...(where === undefined ? {} : { archive: where }),
            ...(pageSize === undefined ? {} : { pageSize }),
          };
          return tellAll(archive.since(asked.date('time') ?? asked.need('id'), options), item);
        },
        async 'catch-up'(asked, item) {
          const otherwise = asked.date('otherwise');
          return tellAll(archive.catchUp(otherwise === undefined ? {} : { defaultStart: otherwise }), item);
        },
        async 'archive-metadata'(asked) {
          const { start, end } = await archive.metadata(asked.jid('archive'));
          return { first: start?.id, 'first-at': time(start?.at), last: end?.id, 'last-at': time(end?.at) };
        },
      };
    },
  },
  'XEP-0441': {
    plugins: [archivePreferences],
    attach({ client }) {
      const preferences = client.get(archivePreferences);
      return {
        'archive-preferences': async () => preferenceFields(await preferences.get()),
        'archive-preferences-set': async (asked) =>
          preferenceFields(
            await preferences.set({
              default: asked.needWord('default', DEFAULTS),
              always: asked.list('always').map((jid) => Jid.parse(jid)),
              never: asked.list('never').map((jid) => Jid.parse(jid)),
            }),
          ),
      };
    },
  },
};

function queryOf(asked: Asked): ArchiveQuery {
  const query = {
    archive: asked.jid('archive'),
    with: asked.jid('with'),
    start: asked.date('start'),
    end: asked.date('end'),
    afterId: asked.text('after-id'),
    beforeId: asked.text('before-id'),
    ids: asked.text('ids')?.split(', '),
    includeGroupchat: asked.text('groupchat') === undefined ? undefined : asked.flag('groupchat'),
    order: asked.word('order', ORDERS),
    pageSize: asked.number('page-size'),
    limit: asked.number('limit'),
  };
  // What is not asked for is not there.
  return Object.fromEntries(Object.entries(query).filter(([, value]) => value !== undefined));
}

function archivedFields({ messageFields }: Application, { id, at, message, stable }: ArchivedMessage): Fields {
  return { 'archive-id': id, at: time(at), unstable: yes(!stable), ...messageFields(message) };
}

function preferenceFields({ default: byDefault, always, never }: ArchivePreferences): Fields {
  return { default: byDefault, always: list(always), never: list(never) };
}
