/** Publish-subscribe and what is built on it: whose events count, and that what is private stays private. */
import t from 'tap';
import * as xeps from '../../src/xeps/index.js';
import { StanzaError, XmppError } from '../../src/xmpp-core/errors.js';
import { Jid } from '../../src/xmpp-core/jid/jid.js';
import { readStanzaError } from '../../src/xmpp-core/stanza/stanza-error.js';
import { el, type Element } from '../../src/xmpp-core/xml/element.js';
import { serialize } from '../../src/xmpp-core/xml/serialize.js';
import { parseElement } from '../../src/xmpp-core/xml/stream-parser.js';
import { recorded } from '../support/fixtures.js';
import { PATIENCE_MS } from '../support/loopback.js';
import { account, answer, configurationOf, event, inPubsub, OPTIONS, refuse, session } from '../support/pubsub.js';

const CONTACT = Jid.parse('bob@localhost');
const SERVICE = Jid.parse('pubsub.localhost');
const soon = { timeoutMs: PATIENCE_MS };
const servers = ['Prosody', 'ejabberd'];

// [XEP-0060 §7.1.5]
t.test('a node that is not as a publication needs it is configured, and the item published after that', async (t) => {
  const { client, peer } = await session(t, xeps.pubsub);
  const published = client
    .get(xeps.pubsub)
    .service(SERVICE)
    .publish('news', el('entry', 'urn:x'), { id: '1', options: { 'pubsub#access_model': 'whitelist' } });
  const precondition = `<precondition-not-met xmlns='http://jabber.org/protocol/pubsub#errors'/>`;
  const first = await refuse(peer, 'publish-options', 'conflict', precondition, 'pubsub.localhost');
  const [form] = first.children()[0]?.child('publish-options')?.children() ?? [];
  t.match(form === undefined ? undefined : xeps.readDataForm(form), {
    type: 'submit',
    fields: [{ values: [OPTIONS] }, {}],
  });
  await answer(peer, '<configure', configurationOf('news', 'open'), 'pubsub.localhost');
  const configured = await answer(peer, `type='submit'`, '', 'pubsub.localhost');
  t.match(serialize(configured), /var='pubsub#access_model'[^>]*><value>whitelist</);
  await answer(peer, '<publish ', '', 'pubsub.localhost');
  t.equal(await published, '1');
});

// [XEP-0060 §6.5.4] [XEP-0059]
t.test('a list that comes in pages is read to its end', async (t) => {
  const { client, peer } = await session(t, xeps.pubsub);
  const all = client.get(xeps.pubsub).service(SERVICE).allItems('news', 100);
  const page = (ids: string[], last: string): string =>
    inPubsub(
      `<items node='news'>${ids.map((id) => `<item id='${id}'/>`).join('')}</items>` +
        `<set xmlns='http://jabber.org/protocol/rsm'><last>${last}</last><count>3</count></set>`,
    );
  await answer(peer, '<items', page(['a', 'b'], 'b'), 'pubsub.localhost');
  await answer(peer, '<after>b</after>', page(['c'], 'c'), 'pubsub.localhost');
  t.strictSame(
    (await all).map(({ id }) => id),
    ['a', 'b', 'c'],
  );
});

// [XEP-0060 §12.17]
t.test('events of services count only when we are subscribed there', async (t) => {
  const { client, peer } = await session(t, xeps.pubsub);
  const handle = client.get(xeps.pubsub);
  const { events } = handle;
  const heard: string[] = [];
  events.on('items', ({ service: from, items }) => heard.push(`${from.toString()} ${items[0]?.id ?? ''}`));
  const subscribed = handle.service(SERVICE).subscribe('news');
  const subscription = `<subscription node='news' jid='ann@localhost' subscription='subscribed' subid='s'/>`;
  await answer(peer, '<subscribe ', inPubsub(subscription), 'pubsub.localhost');
  t.match(await subscribed, { node: 'news', state: 'subscribed', subid: 's' });
  const last = events.once('items', { ...soon, where: ({ items }) => items[0]?.id === 'ours' });
  peer.sends(event('evil.localhost', 'news', `<item id='forged'/>`));
  peer.sends(event('pubsub.localhost', 'news', `<item id='ours'/>`));
  await last;
  t.strictSame(heard, ['pubsub.localhost ours']);
});

// [XEP-0163 §4.3.3]
t.test(
  'what an account published counts only from its bare address, of a contact whose presence we see, or from ourselves',
  async (t) => {
    const { client, peer } = await session(t, xeps.nicknameUpdates);
    const heard: string[] = [];
    const updates = client.get(xeps.nicknameUpdates);
    updates.on('changed', ({ from, value }) => heard.push(`${from.toString()} ${value ?? ''}`));
    const nick = (text: string): string => `<item id='1'><nick xmlns='${xeps.NS_NICKNAME}'>${text}</nick></item>`;
    const last = updates.once('changed', { ...soon, where: ({ value }) => value === 'Ann' });
    for (const [from, text] of [
      ['bob@localhost/phone', 'a client of his'],
      ['dan@localhost', 'no contact that we see'],
      ['eve@localhost', 'a stranger'],
      ['localhost', 'the server'],
      ['ann@localhost/other', 'a client of ours'],
      ['bob@localhost', 'Bob'],
      ['ann@localhost', 'Ann'],
    ] as const)
      peer.sends(event(from, xeps.NS_NICKNAME, nick(text)));
    await last;
    t.strictSame(heard, ['bob@localhost Bob', 'ann@localhost Ann']);
  },
);

// [XEP-0223 §7] [pitfall-pep-privacy]
t.test('private data is not stored in a node that a server leaves open, whatever it said', async (t) => {
  const { client, peer } = await session(t, xeps.privateData);
  const stored = client.get(xeps.privateData).publish('urn:secret', el('secret', 'urn:secret'), 'one');
  stored.catch(() => undefined);
  // It claims to look at the options of a publication, and does not.
  await answer(peer, 'disco#info', account(OPTIONS));
  await refuse(peer, '<configure', 'item-not-found');
  t.match(serialize(await answer(peer, '<create ', '')), /whitelist/);
  await answer(peer, '<configure', configurationOf('urn:secret', 'open'));
  await answer(peer, '<configure', configurationOf('urn:secret', 'open'));
  await answer(peer, `type='submit'`, '');
  await answer(peer, '<configure', configurationOf('urn:secret', 'open'));
  await t.rejects(stored, XmppError);
  t.notMatch(peer.unread, /<secret/);
});

// [XEP-0223 §7] [pitfall-pep-privacy]
t.test('where publications have no options the node is looked at before each of them', async (t) => {
  const { client, peer } = await session(t, xeps.privateData);
  const handle = client.get(xeps.privateData);
  const first = handle.publish('urn:secret', el('secret', 'urn:secret'), 'one');
  await answer(peer, 'disco#info', account());
  await answer(peer, '<configure', configurationOf('urn:secret', 'whitelist'));
  t.notMatch(serialize(await answer(peer, '<publish ', '')), /publish-options/);
  await first;
  const second = handle.publish('urn:secret', el('secret', 'urn:secret'), 'two');
  await answer(peer, '<configure', configurationOf('urn:secret', 'whitelist'));
  await answer(peer, '<publish ', '');
  await second;
});

// [XEP-0402 §4] [XEP-0223 §7]
t.test('only our own account can tell us that a bookmark changed', async (t) => {
  const { client, peer } = await session(t, xeps.bookmarks);
  const { events } = client.get(xeps.bookmarks);
  const heard: string[] = [];
  events.on('changed', ({ bookmark }) => heard.push(bookmark.jid.toString()));
  const item = (room: string): string =>
    `<item id='${room}'><conference xmlns='${xeps.NS_BOOKMARKS}' autojoin='true'/></item>`;
  const removed = events.once('removed', soon);
  for (const from of ['bob@localhost', 'ann@localhost/other', 'localhost'])
    peer.sends(event(from, xeps.NS_BOOKMARKS, item('trap@rooms')));
  peer.sends(event('ann@localhost', xeps.NS_BOOKMARKS, item('tea@rooms')));
  peer.sends(event('ann@localhost', xeps.NS_BOOKMARKS, `<retract id='tea@rooms'/>`));
  await answer(peer, 'disco#info', account(xeps.NS_BOOKMARKS_COMPATIBILITY));
  t.equal((await removed).jid.toString(), 'tea@rooms');
  t.strictSame(heard, ['tea@rooms']);
});

// [XEP-0402 §3.4]
t.test('what other clients keep in a bookmark stays in it when we change it', async (t) => {
  const { client, peer } = await session(t, xeps.bookmarks);
  const jid = Jid.parse('tea@rooms');
  const set = client.get(xeps.bookmarks).set({ jid, autojoin: true, nick: 'Ann' });
  await answer(peer, 'disco#info', account(xeps.NS_BOOKMARKS_COMPATIBILITY, OPTIONS));
  const kept = `<extensions><state xmlns='urn:x'/></extensions><new xmlns='urn:y'/>`;
  const former = `<conference xmlns='${xeps.NS_BOOKMARKS}' name='Tea' other='1'><nick>A</nick>${kept}</conference>`;
  const items = `<items node='${xeps.NS_BOOKMARKS}'><item id='Tea@rooms'>${former}</item></items>`;
  await answer(peer, '<items ', inPubsub(items));
  await answer(peer, '<configure', configurationOf(xeps.NS_BOOKMARKS, 'whitelist'));
  const request = await answer(peer, '<publish ', '');
  await set;
  const item = request.children()[0]?.child('publish')?.child('item');
  t.equal(item?.attr('id'), 'Tea@rooms', 'under the id that it has, not twice');
  const [payload] = item?.children() ?? [];
  t.match(payload === undefined ? '' : serialize(payload), /other='1' autojoin='true'><nick>Ann<.*<state .*<new /);
  t.equal(payload?.attr('name'), undefined);
});

// [XEP-0402 §6.1] [XEP-0048] [XEP-0049]
t.test('on a server that keeps old and new bookmarks apart, the list that is there is the one list', async (t) => {
  const { client, peer } = await session(t, xeps.bookmarks);
  const jid = Jid.parse('tea@rooms');
  const all = client.get(xeps.bookmarks).all();
  await answer(peer, 'disco#info', account(OPTIONS));
  await refuse(peer, `<items node='urn:xmpp:bookmarks:1'`, 'item-not-found');
  await refuse(peer, `<items node='storage:bookmarks'`, 'item-not-found');
  const page = `<url name='page' url='https://example.org'/>`;
  const storage = `<storage xmlns='storage:bookmarks'>${page}<conference jid='tea@rooms' autojoin='1'/></storage>`;
  const stored = `<query xmlns='jabber:iq:private'>${storage}</query>`;
  await answer(peer, 'jabber:iq:private', stored);
  await answer(peer, 'jabber:iq:private', stored);
  t.strictSame(await all, [{ jid, autojoin: true }]);
  const removed = client.get(xeps.bookmarks).remove(jid);
  await answer(peer, 'jabber:iq:private', stored);
  const request = await answer(peer, 'jabber:iq:private', '');
  await removed;
  t.match(serialize(request), /<storage [^>]*><url [^>]*\/><\/storage>/, 'web pages stay, the room is gone');
});

// [XEP-0084 §3.4]
t.test('an avatar is read only when it is the image that was announced, and not too large', async (t) => {
  const { client, peer } = await session(t, xeps.userAvatar);
  const image = new Uint8Array([1, 2, 3]);
  const id = '7037807198c22a7d2b0807371d763779a84fdfcf';
  const avatars = client.get(xeps.userAvatar);
  const info = { id, type: 'image/png', bytes: 3 };
  const data = (bytes: Uint8Array): string =>
    inPubsub(`<items node='x'><item id='${id}'>${serialize(xeps.writeAvatarData(bytes))}</item></items>`);

  const good = avatars.read(CONTACT, info);
  await answer(peer, `<item id='${id}'`, data(image), 'bob@localhost');
  t.same((await good)?.image, image);
  const forged = avatars.read(CONTACT, info);
  forged.catch(() => undefined);
  await answer(peer, `<item id='${id}'`, data(new Uint8Array([4])), 'bob@localhost');
  await t.rejects(forged, /does not match its metadata/);
  await t.rejects(avatars.read(CONTACT, { ...info, bytes: xeps.MAX_AVATAR_BYTES + 1 }), /larger/);
  t.equal(await avatars.read(CONTACT, { ...info, url: 'https://evil.example' }), undefined, 'nothing is fetched');
  const hidden = avatars.read(CONTACT);
  await refuse(peer, 'avatar:metadata', 'forbidden', '', 'bob@localhost');
  t.equal(await hidden, undefined);
  await t.rejects(avatars.publish(image), /PNG/);
});

// [XEP-0060] [XEP-0048] [XEP-0084] [XEP-0172] [XEP-0292] [XEP-0402]
t.test('what real servers sent is understood', (t) => {
  const told = (xep: number, name: string): xeps.PubsubEvent | undefined => {
    const payload = recorded(xep).get(name)?.child('event', xeps.NS_PUBSUB_EVENT);
    return payload === undefined ? undefined : xeps.readPubsubEvent(payload);
  };
  const payloadOf = (xep: number, name: string): Element => {
    const found = told(xep, name);
    const payload = found?.type === 'items' ? found.items[0]?.payload : undefined;
    return payload ?? el('nothing', '');
  };
  for (const server of servers) {
    t.match(told(60, `an item published, by ${server}`), {
      type: 'items',
      items: [{ id: 'a', payload: { name: 'entry' } }],
    });
    t.match(told(60, `an item retracted, by ${server}`), { type: 'items', items: [], retracted: ['a'] });
    t.match(told(60, `a node purged, by ${server}`), { type: 'purged', node: 'news' });
    t.match(told(60, `a node deleted, by ${server}`), { type: 'deleted', node: 'news' });
    for (const [name, condition] of [
      ['a precondition not met', 'precondition-not-met'],
      ['not subscribed', 'not-subscribed'],
    ] as const) {
      const stanza = recorded(60).get(`${name}, by ${server}`);
      t.strictSame(stanza && xeps.pubsubError(readStanzaError(stanza)), { condition });
    }
    const made = told(402, `a bookmark set, by ${server}`);
    t.match(made?.type === 'items' && made.items.map(xeps.readBookmark), [
      { jid: { localpart: 'tea' }, name: 'Tea & cake', autojoin: true, nick: 'Ann', extensions: [{ name: 'state' }] },
    ]);
    const storage = recorded(48).get(`the bookmarks in private XML, by ${server}`)?.children()[0]?.children()[0];
    t.match(storage && xeps.readBookmarkStorage(storage), [{ jid: { localpart: 'tea' }, password: 'sugar' }]);
    t.match(xeps.readAvatarMetadata(payloadOf(84, `an avatar shown, by ${server}`)), [{ width: 1, bytes: 70 }]);
    t.strictSame(xeps.readAvatarMetadata(payloadOf(84, `an avatar no longer shown, by ${server}`)), []);
    t.match(xeps.readVCard4(payloadOf(292, `a vCard published, by ${server}`)), {
      fullName: 'Ann Example',
      note: 'a bot',
    });
    t.equal(xeps.readNickname(payloadOf(172, `a nickname published, by ${server}`)), 'Ännchen');
  }
  t.end();
});

// [XEP-0060 §12] [XEP-0292 §3] [XEP-0402 §2]
t.test('what makes no sense is nothing, and what is not changed stays', (t) => {
  for (const inside of [`<items/>`, `<other node='n'/>`, `<items xmlns='urn:x' node='n'/>`, ''])
    t.equal(xeps.readPubsubEvent(parseElement(`<event xmlns='${xeps.NS_PUBSUB_EVENT}'>${inside}</event>`)), undefined);
  const conference = el('conference', xeps.NS_BOOKMARKS);
  for (const id of [undefined, '', 'a@b/nick', '@']) t.equal(xeps.readBookmark({ id, payload: conference }), undefined);
  t.equal(xeps.readBookmark({ id: 'a@b', payload: el('conference', 'urn:x') }), undefined);
  const metadata = (attributes: string): Element =>
    parseElement(`<metadata xmlns='${xeps.NS_AVATAR_METADATA}'><info ${attributes}/></metadata>`);
  for (const attributes of [
    '',
    `id='../../etc' bytes='1' type='image/png'`,
    `id='${'a'.repeat(40)}' bytes='-1' type='a/b'`,
  ])
    t.strictSame(xeps.readAvatarMetadata(metadata(attributes)), []);
  t.equal(xeps.pubsubError(new StanzaError('cancel', 'conflict')), undefined);
  t.equal(xeps.pubsubError(new Error('other')), undefined);

  const vcard = parseElement(
    `<vcard xmlns='${xeps.NS_VCARD4}'><fn><text>Old</text></fn><tel><uri>tel:1</uri></tel><note><text>n</text></note></vcard>`,
  );
  const changed = xeps.writeVCard4({ fullName: 'New', note: '', nicknames: ['a', 'b'] }, vcard);
  t.strictSame(xeps.readVCard4(changed), { fullName: 'New', nicknames: ['a', 'b'] });
  t.match(serialize(changed), /<fn><text>New<.*<tel><uri>tel:1</);
  t.end();
});
