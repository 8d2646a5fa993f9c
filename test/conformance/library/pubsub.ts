/** Nodes where things are published (XEP-0060), those of accounts (XEP-0163), and what is kept in them. */
import { type Conference, legacyBookmarks, readBookmarkStorage } from '../../../src/xeps/xep-0048-legacy-bookmarks.js';
import {
  type NodeOptions,
  pubsub,
  type PubsubItem,
  type PubsubService,
  type PubsubSubscription,
} from '../../../src/xeps/xep-0060-pubsub/index.js';
import { avatarUpdates, userAvatar } from '../../../src/xeps/xep-0084-user-avatar.js';
import { type PepUpdates, personalEventing } from '../../../src/xeps/xep-0163-personal-eventing.js';
import {
  nicknameUpdates,
  readNickname,
  userNickname,
  writeNickname,
} from '../../../src/xeps/xep-0172-user-nickname.js';
import { privateData } from '../../../src/xeps/xep-0223-private-data.js';
import { vcard4, vcard4Updates } from '../../../src/xeps/xep-0292-vcard4.js';
import {
  displayedSynchronization,
  type DisplayedState,
} from '../../../src/xeps/xep-0490-message-displayed-synchronization.js';
import { bookmarks } from '../../../src/xeps/xep-0402-bookmarks.js';
import type { Listenable } from '../../../src/xmpp-core/events.js';
import { parseElement } from '../../../src/xmpp-core/xml/stream-parser.js';
import { ActionError, type Asked } from './asked.js';
import {
  formItems,
  list,
  time,
  yes,
  type Actions,
  type Application,
  type Extensions,
  type Fields,
} from './extension.js';
import { payload } from './messages.js';

const AFFILIATIONS = ['member', 'none', 'outcast', 'owner', 'publish-only', 'publisher'] as const;
const SUBSCRIPTIONS = ['none', 'pending', 'subscribed', 'unconfigured'] as const;

export const pubsubExtensions: Extensions = {
  'XEP-0048': {
    plugins: [legacyBookmarks],
    attach({ client }) {
      const { inPubsub, inPrivateXml } = client.get(legacyBookmarks);
      return {
        async 'legacy-bookmarks'(asked, item) {
          const where = asked.needWord('in', ['pubsub', 'private-xml']);
          const storage = await (where === 'pubsub' ? inPubsub : inPrivateXml).load();
          for (const one of storage === undefined ? [] : readBookmarkStorage(storage)) item(conferenceFields(one));
        },
      };
    },
  },
  'XEP-0060': {
    plugins: [pubsub],
    attach(application) {
      const service = (asked: Asked): PubsubService => application.client.get(pubsub).service(asked.jid('service'));
      tellOfNodes(application);
      return { ...nodeActions(service), ...ownerActions(service) };
    },
  },
  'XEP-0084': {
    plugins: [userAvatar, avatarUpdates],
    attach({ client, tell }) {
      const avatars = client.get(userAvatar);
      tellUpdates(client.get(avatarUpdates), tell, 'avatar', ([info]) => ({
        hash: info?.id ?? 'none',
        type: info?.type,
        bytes: info?.bytes,
      }));
      return {
        async avatar(asked) {
          const avatar = await avatars.read(asked.needJid('of'));
          return { hash: avatar?.id, type: avatar?.type, bytes: avatar?.image.length };
        },
        'avatar-publish': async (asked) => ({
          hash: await avatars.publish(Buffer.from(asked.need('image'), 'base64')),
        }),
        'avatar-disable': async () => avatars.disable(),
      };
    },
  },
  'XEP-0163': {
    plugins: [personalEventing],
    attach({ client }) {
      const pep = client.get(personalEventing);
      return {
        async 'pep-items'(asked, item) {
          const found = await pep.read(asked.jid('of') ?? client.account, asked.need('node'));
          for (const one of found) item(itemFields(one));
        },
        'pep-features': async () => ({ features: list([...(await pep.features())].toSorted()) }),
      };
    },
  },
  'XEP-0172': {
    plugins: [userNickname, nicknameUpdates],
    read: ({ element }) => ({ nick: readNickname(element) }),
    compose: payload('nick', writeNickname),
    attach({ client, tell }) {
      const nicknames = client.get(userNickname);
      tellUpdates(client.get(nicknameUpdates), tell, 'nickname', (nickname) => ({ nickname }));
      return {
        nickname: async (asked) => ({ nickname: await nicknames.read(asked.needJid('of')) }),
        'nickname-publish': async (asked) => nicknames.publish(asked.need('nickname')),
      };
    },
  },
  'XEP-0223': {
    plugins: [privateData],
    attach({ client }) {
      const data = client.get(privateData);
      return {
        'private-publish': async (asked) =>
          data.publish(asked.need('node'), parseElement(asked.need('payload')), asked.need('id'), optionsOf(asked)),
        async 'private-items'(asked, item) {
          for (const one of await data.items(asked.need('node'))) item(itemFields(one));
        },
        'private-retract': async (asked) => data.retract(asked.need('node'), asked.need('id')),
      };
    },
  },
  'XEP-0292': {
    plugins: [vcard4, vcard4Updates],
    attach({ client, tell }) {
      const cards = client.get(vcard4);
      tellUpdates(client.get(vcard4Updates), tell, 'vcard4', ({ fullName, note }) => ({ 'full-name': fullName, note }));
      return {
        async vcard4(asked) {
          const { fullName, nicknames, email, url, note } = (await cards.read(asked.needJid('of'))) ?? {};
          return { 'full-name': fullName, nicknames: list(nicknames ?? []), email, url, note };
        },
        async 'vcard4-update'(asked) {
          const changes = { fullName: asked.text('full-name'), email: asked.text('email'), note: asked.text('note') };
          await cards.update(Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined)));
        },
      };
    },
  },
  'XEP-0402': {
    plugins: [bookmarks],
    attach({ client, tell }) {
      const rooms = client.get(bookmarks);
      rooms.events.on('changed', ({ bookmark }) => tell('bookmark', conferenceFields(bookmark)));
      rooms.events.on('removed', ({ jid }) => tell('bookmark-removed', { room: jid.toString() }));
      return {
        async bookmarks(_asked, item) {
          for (const bookmark of await rooms.all()) item(conferenceFields(bookmark));
        },
        async 'bookmark-set'(asked) {
          const [name, nick, password] = [asked.text('name'), asked.text('nick'), asked.text('password')];
          await rooms.set({
            jid: asked.needJid('room'),
            autojoin: asked.flag('autojoin'),
            ...(name === undefined ? {} : { name }),
            ...(nick === undefined ? {} : { nick }),
            ...(password === undefined ? {} : { password }),
          });
        },
        'bookmark-remove': async (asked) => rooms.remove(asked.needJid('room')),
      };
    },
  },
  'XEP-0490': {
    plugins: [displayedSynchronization],
    attach({ client, tell, heard }) {
      const states = client.get(displayedSynchronization);
      states.events.on('displayed', (state) => tell('displayed', displayedFields(state)));
      return {
        async 'displayed-states'(_asked, item) {
          for (const state of await states.all()) item(displayedFields(state));
        },
        async 'displayed-set'(asked) {
          const said = heard(asked.need('id'));
          if (said === undefined) throw new ActionError(`no message with the id '${asked.need('id')}' came`);
          return { told: yes(await states.mark(said)) };
        },
      };
    },
  },
};

function tellOfNodes({ client, tell }: Application): void {
  const { events } = client.get(pubsub);
  events.on('items', ({ service, node, items, retracted }) => {
    for (const item of items) tell('published', { service: service.toString(), node, ...itemFields(item) });
    for (const id of retracted) tell('retracted', { service: service.toString(), node, id });
  });
  events.on('purged', ({ service, node }) => tell('purged', { service: service.toString(), node }));
  events.on('deleted', ({ service, node, redirect }) =>
    tell('deleted', { service: service.toString(), node, redirect }),
  );
  events.on('configured', ({ service, node }) => tell('node-configured', { service: service.toString(), node }));
  events.on('subscription', ({ service, subscription }) =>
    tell('node-subscription', { service: service.toString(), ...subscriptionFields(subscription) }),
  );
}

/** What who publishes and who listens ask a service for; our own account's when they name none. */
function nodeActions(service: (asked: Asked) => PubsubService): Actions {
  return {
    async items(asked, item) {
      const [ids, newest] = [asked.list('ids'), asked.number('newest')];
      const { items } = await service(asked).items(asked.need('node'), {
        ...(ids.length === 0 ? {} : { ids }),
        ...(newest === undefined ? {} : { newest }),
      });
      for (const one of items) item(itemFields(one));
    },
    async publish(asked) {
      const id = asked.text('id');
      const content = asked.text('payload');
      return {
        id: await service(asked).publish(
          asked.need('node'),
          content === undefined ? undefined : parseElement(content),
          {
            ...(id === undefined ? {} : { id }),
            ...given(optionsOf(asked)),
          },
        ),
      };
    },
    'item-retract': async (asked) =>
      service(asked).retract(asked.need('node'), asked.list('ids'), { notify: asked.flag('notify') }),
    'node-subscribe': async (asked) => {
      const subscription = await service(asked).subscribe(asked.need('node'), given(optionsOf(asked)));
      return subscriptionFields(subscription);
    },
    'node-unsubscribe': async (asked) => {
      const subid = asked.text('subid');
      await service(asked).unsubscribe(asked.need('node'), subid === undefined ? {} : { subid });
    },
    async 'node-subscriptions'(asked, item) {
      for (const one of await service(asked).subscriptions(asked.text('node'))) item(subscriptionFields(one));
    },
    async 'node-affiliations'(asked, item) {
      for (const [node, affiliation] of await service(asked).affiliations(asked.text('node')))
        item({ node, affiliation });
    },
  };
}

function ownerActions(service: (asked: Asked) => PubsubService): Actions {
  return {
    'node-create': async (asked) => {
      const { options } = given(optionsOf(asked));
      return { node: await service(asked).create(asked.text('node'), options) };
    },
    async 'node-configuration'(asked, item) {
      const node = asked.text('node');
      const owned = service(asked);
      for (const fields of formItems(
        await (node === undefined ? owned.defaultConfiguration() : owned.configuration(node)),
      ))
        item(fields);
    },
    'node-configure': async (asked) => service(asked).configure(asked.need('node'), optionsOf(asked)),
    'node-delete': async (asked) => {
      const redirect = asked.text('redirect');
      await service(asked).delete(asked.need('node'), redirect === undefined ? {} : { redirect });
    },
    'node-purge': async (asked) => service(asked).purge(asked.need('node')),
    async 'node-affiliates'(asked, item) {
      for (const [jid, affiliation] of await service(asked).affiliates(asked.need('node'))) item({ jid, affiliation });
    },
    'node-affiliate-set': async (asked) =>
      service(asked).setAffiliate(
        asked.need('node'),
        asked.needJid('jid'),
        asked.needWord('affiliation', AFFILIATIONS),
      ),
    async 'node-subscribers'(asked, item) {
      for (const one of await service(asked).subscribers(asked.need('node'))) item(subscriptionFields(one));
    },
    'node-subscriber-set': async (asked) =>
      service(asked).setSubscriber(asked.need('node'), asked.needJid('jid'), asked.needWord('state', SUBSCRIPTIONS)),
  };
}

/** Tells what is heard of one node of many accounts. */
function tellUpdates<Value>(
  events: Listenable<PepUpdates<Value>>,
  tell: Application['tell'],
  verb: string,
  fields: (value: Value) => Fields,
): void {
  events.on('changed', ({ from, value }) =>
    tell(verb, { from: from.toString(), ...(value === undefined ? {} : fields(value)) }),
  );
  events.on('removed', ({ from }) => tell(`${verb}-removed`, { from: from.toString() }));
}

/** The options of a node: the fields whose names begin with `pubsub#`. */
function optionsOf(asked: Asked): NodeOptions {
  return asked.form();
}

/** Options where there are some: a form without fields would be sent, too. */
function given(options: NodeOptions): { readonly options?: NodeOptions } {
  return Object.keys(options).length === 0 ? {} : { options };
}

/** What is published stands in the stanza; here is what it is. */
function itemFields({ id, payload: content, publisher }: PubsubItem): Fields {
  return { id, payload: content?.name, namespace: content?.ns, publisher: publisher?.toString() };
}

function subscriptionFields({ node, jid, state, subid, expiry }: PubsubSubscription): Fields {
  return { node, jid: jid.toString(), state, subid, expiry: time(expiry) };
}

function displayedFields({ chat, id, by }: DisplayedState): Fields {
  return { chat: chat.toString(), 'stanza-id': id, 'stanza-id-by': by.toString() };
}

function conferenceFields({ jid, name, nick, autojoin, password }: Conference): Fields {
  return { room: jid.toString(), name, nick, autojoin: yes(autojoin), password };
}
