/** Publish-subscribe, personal eventing and what is kept with them, against a real server. */
import t from 'tap';

import { fieldValue } from '../../../src/xeps/xep-0004-data-forms.js';
import { legacyBookmarks, readBookmarkStorage, withConference } from '../../../src/xeps/xep-0048-legacy-bookmarks.js';
import { pubsub, pubsubError } from '../../../src/xeps/xep-0060-pubsub/index.js';
import { avatarUpdates, userAvatar } from '../../../src/xeps/xep-0084-user-avatar.js';
import { entityCapabilities } from '../../../src/xeps/xep-0115-entity-capabilities.js';
import { personalEventing } from '../../../src/xeps/xep-0163-personal-eventing.js';
import { nicknameUpdates, userNickname } from '../../../src/xeps/xep-0172-user-nickname.js';
import { privateData } from '../../../src/xeps/xep-0223-private-data.js';
import { vcard4, vcard4Updates } from '../../../src/xeps/xep-0292-vcard4.js';
import { bookmarks, NS_BOOKMARKS, NS_BOOKMARKS_COMPATIBILITY } from '../../../src/xeps/xep-0402-bookmarks.js';
import type { Client } from '../../../src/xmpp-core/client.js';
import { StanzaError } from '../../../src/xmpp-core/errors.js';
import { roster } from '../../../src/xmpp-core/im/roster.js';
import { subscriptions } from '../../../src/xmpp-core/im/subscriptions.js';
import { Jid } from '../../../src/xmpp-core/jid/jid.js';
import { el } from '../../../src/xmpp-core/xml/element.js';
import { PATIENCE } from '../inbox.js';
import type { Server } from '../servers/server.js';
import { enter } from './enter.js';

const NS_TEST = 'urn:example:pubsub';
const soon = { timeoutMs: PATIENCE };
const plugins = [
  roster,
  subscriptions,
  entityCapabilities,
  pubsub,
  privateData,
  bookmarks,
  userAvatar,
  avatarUpdates,
  vcard4,
  vcard4Updates,
  userNickname,
  nicknameUpdates,
];

/** A PNG of one pixel. */
const PIXEL = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);

export async function pubsubExtensions(server: Server): Promise<void> {
  await t.test(`${server.name}: a service keeps nodes, and tells who is subscribed what happens in them`, async (t) => {
    const service = Jid.parse(`pubsub.${server.domain}`);
    const owner = await enter(t, server, { plugins });
    const reader = await enter(t, server, { plugins });
    const ours = owner.get(pubsub).service(service);
    const theirs = reader.get(pubsub).service(service);
    const told = reader.get(pubsub).events;

    const node = await ours.create(`news-${owner.account.localpart}`, {
      'pubsub#access_model': 'open',
      'pubsub#max_items': 10,
      'pubsub#notify_retract': true,
      'pubsub#notify_delete': true,
      'pubsub#persist_items': true,
    });
    t.equal((await theirs.subscribe(node)).state, 'subscribed');
    t.match(await theirs.subscriptions(), [{ node, state: 'subscribed' }]);

    for (const id of ['a', 'b', 'c']) {
      const heard = told.once('items', soon);
      t.equal(await ours.publish(node, el('entry', NS_TEST, {}, id), { id }), id);
      const { items, service: from } = await heard;
      t.equal(items[0]?.payload?.text, id);
      t.equal(from.toString(), service.toString());
    }
    const idsOf = async (wanted: object): Promise<unknown> =>
      new Set((await theirs.items(node, wanted)).items.map(({ id }) => id));
    t.strictSame(await idsOf({}), new Set(['a', 'b', 'c']));
    t.strictSame(await idsOf({ newest: 1 }), new Set(['c']));
    t.strictSame(await idsOf({ ids: ['b'] }), new Set(['b']));
    // Prosody 13 gives no pages (XEP-0059) and does not say what we are at its nodes (§5.7).
    if (server.name === 'ejabberd') {
      const { items, page } = await theirs.items(node, { page: { max: 2 } });
      t.equal(items.length, 2, 'a page has as many as were asked for');
      t.equal(page?.count, 3, 'and says how many there are');
      t.equal((await ours.affiliations()).get(node), 'owner');
    }
    t.equal((await theirs.allItems(node, 100)).length, 3);
    const refused = await theirs.publish(node, el('entry', NS_TEST)).catch((error: unknown) => error);
    t.match(refused, { condition: 'forbidden' });
    await ours.setAffiliate(node, reader.account, 'publisher');
    t.equal((await ours.affiliates(node)).get(reader.account.toString()), 'publisher');
    await theirs.publish(node, el('entry', NS_TEST), { id: 'd' });

    const retracted = told.once('items', { ...soon, where: (event) => event.retracted.length > 0 });
    await ours.retract(node, ['a']);
    t.strictSame((await retracted).retracted, ['a']);

    const options = { 'pubsub#access_model': 'whitelist' } as const;
    await ours.publish(node, el('entry', NS_TEST), { id: 'e', options });
    const form = await ours.configuration(node);
    t.equal(fieldValue(form, 'pubsub#access_model'), 'whitelist', 'a node that is otherwise is configured');

    const purged = told.once('purged', soon);
    await ours.configure(node, { 'pubsub#access_model': 'open' });
    await ours.purge(node);
    t.equal((await purged).node, node);
    await theirs.unsubscribe(node);
    const twice = await theirs.unsubscribe(node).catch((error: unknown) => error);
    t.ok(twice instanceof StanzaError);
    t.equal(pubsubError(twice)?.condition, 'not-subscribed');
    await theirs.subscribe(node);
    const deleted = told.once('deleted', soon);
    await ours.delete(node);
    t.equal((await deleted).node, node);
  });

  await t.test(`${server.name}: contacts hear what we publish, and read our avatar and our vCard`, async (t) => {
    const ann = await enter(t, server, { plugins });
    const bob = await enter(t, server, { plugins });
    await befriend(ann, bob);

    const named = bob.get(nicknameUpdates).once('changed', soon);
    await ann.get(userNickname).publish('Ännchen');
    const { from, value } = await named;
    t.equal(value, 'Ännchen');
    t.equal(from.toString(), ann.account.toString());
    t.equal(await bob.get(userNickname).read(ann.account), 'Ännchen');

    const pictured = bob.get(avatarUpdates).once('changed', soon);
    const id = await ann.get(userAvatar).publish(PIXEL);
    t.equal((await pictured).value?.[0]?.id, id);
    const avatar = await bob.get(userAvatar).read(ann.account);
    t.match(avatar, { id, type: 'image/png', width: 1, height: 1 });
    t.same(avatar?.image, new Uint8Array(PIXEL));
    const hidden = bob.get(avatarUpdates).once('changed', soon);
    await ann.get(userAvatar).disable();
    t.strictSame((await hidden).value, []);
    t.equal(await bob.get(userAvatar).read(ann.account), undefined);

    const described = bob.get(vcard4Updates).once('changed', soon);
    await ann.get(vcard4).update({ fullName: 'Ann Example', nicknames: ['Ännchen', 'A'], kind: 'application' });
    await described;
    await ann.get(vcard4).update({ note: 'a bot' });
    t.strictSame(await bob.get(vcard4).read(ann.account), {
      fullName: 'Ann Example',
      note: 'a bot',
      kind: 'application',
      nicknames: ['Ännchen', 'A'],
    });
  });

  await t.test(`${server.name}: private data is for our own clients only, also where the node was open`, async (t) => {
    const ann = await enter(t, server, { plugins });
    const bob = await enter(t, server, { plugins });
    await befriend(ann, bob);
    const { own } = ann.get(personalEventing);
    await own.publish(NS_TEST, el('secret', NS_TEST, {}, 'none yet'), {
      id: 'one',
      options: { 'pubsub#access_model': 'open' },
    });
    t.equal((await bob.get(personalEventing).read(ann.account, NS_TEST)).length, 1, 'an open node is read by others');

    await ann.get(privateData).publish(NS_TEST, el('secret', NS_TEST, {}, 'treasure'), 'one');
    t.match(await ann.get(privateData).items(NS_TEST), [{ id: 'one', payload: { name: 'secret' } }]);
    t.strictSame(await bob.get(personalEventing).read(ann.account, NS_TEST), []);
    await ann.get(privateData).publish(`${NS_TEST}:new`, el('secret', NS_TEST), 'one');
    const refused = await bob
      .get(pubsub)
      .service(ann.account)
      .items(`${NS_TEST}:new`)
      .catch((error: unknown) => error);
    t.ok(refused instanceof StanzaError, String(refused));
  });

  await t.test(`${server.name}: what one client of ours remembers the other one knows`, async (t) => {
    const first = await enter(t, server, { plugins });
    const second = await enter(t, server, { plugins, jid: first.account });
    const { events } = second.get(bookmarks);
    const features = await first.get(personalEventing).features();
    t.ok(features.has(NS_BOOKMARKS_COMPATIBILITY), 'the server keeps old and new bookmarks the same');
    const jid = Jid.parse(server.room('tea'));
    const unknown = el('state', 'urn:example:client', { minimized: true });

    const set = events.once('changed', soon);
    await first.get(bookmarks).set({ jid, name: 'Tea & cake', autojoin: true, nick: 'Ann', extensions: [unknown] });
    t.match((await set).bookmark, { name: 'Tea & cake', autojoin: true, nick: 'Ann' });
    const changed = events.once('changed', soon);
    await second.get(bookmarks).set({ jid, autojoin: false, password: 'sugar' });
    await changed;
    const [bookmark, ...others] = await first.get(bookmarks).all();
    t.strictSame(bookmark, { jid, autojoin: false, password: 'sugar', extensions: [unknown] });
    t.strictSame(others, []);

    // The server's own conversion: what was set is in the older storage, and what is put there is here.
    const { inPrivateXml } = first.get(legacyBookmarks);
    const storage = (await inPrivateXml.load()) ?? el('storage', 'storage:bookmarks');
    t.match(readBookmarkStorage(storage), [{ jid: { localpart: 'tea' }, password: 'sugar' }]);
    const milk = Jid.parse(server.room('milk'));
    const converted = events.once('changed', { ...soon, where: ({ bookmark }) => bookmark.jid.equals(milk) });
    await inPrivateXml.save(withConference(storage, { jid: milk, name: 'Milk', autojoin: false }));
    t.equal((await converted).bookmark.name, 'Milk');

    const removed = events.once('removed', { ...soon, where: (event) => event.jid.equals(jid) });
    await first.get(bookmarks).remove(jid);
    await removed;
    await first.get(bookmarks).remove(milk);
    t.strictSame(await second.get(bookmarks).all(), []);

    const stranger = await enter(t, server, { plugins });
    t.strictSame(await stranger.get(personalEventing).read(first.account, NS_BOOKMARKS), []);
  });
}

/** Each sees the other's presence. */
async function befriend(one: Client, other: Client): Promise<void> {
  for (const [asking, asked] of [
    [one, other],
    [other, one],
  ] as const) {
    const requested = asked.get(subscriptions).events.once('requested', soon);
    const approved = asking.get(subscriptions).events.once('approved', soon);
    asking.get(subscriptions).request(asked.account);
    await requested;
    asked.get(subscriptions).approve(asking.account);
    await approved;
  }
  // ejabberd learns what somebody wants to hear from presences that came when the subscriptions were there.
  const seen = one.events.once('presence', { ...soon, where: ({ from }) => other.jid?.equals(from) === true });
  other.setPresence({});
  await seen;
}
