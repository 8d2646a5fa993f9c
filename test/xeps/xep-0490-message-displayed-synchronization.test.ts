/** XEP-0490 Message Displayed Synchronization. */
import t from 'tap';
import type { MessageInRoom } from '../../src/xeps/message-identity.js';
import * as xeps from '../../src/xeps/index.js';
import type { Client } from '../../src/xmpp-core/client.js';
import { StanzaError, XmppError } from '../../src/xmpp-core/errors.js';
import { Jid } from '../../src/xmpp-core/jid/jid.js';
import type { Message } from '../../src/xmpp-core/stanza/stanzas.js';
import type { Element } from '../../src/xmpp-core/xml/element.js';
import { serialize } from '../../src/xmpp-core/xml/serialize.js';
import { parseElement } from '../../src/xmpp-core/xml/stream-parser.js';
import { PATIENCE_MS, startLoopback } from '../support/loopback.js';
import { account, answer, configurationOf, event, inPubsub, OPTIONS, refuse, session } from '../support/pubsub.js';
import type { Peer } from '../support/script.js';

const { displayedSynchronization, NS_DISPLAYED_SYNCHRONIZATION: NODE, NS_STABLE_IDS, readDisplayedState } = xeps;
const soon = { timeoutMs: PATIENCE_MS };
const ANN = Jid.parse('ann@localhost');
const BOB = Jid.parse('bob@localhost');
const ROOM = Jid.parse('tea@rooms.localhost');

const stanzaId = (id: string, by = 'ann@localhost'): string =>
  `<stanza-id xmlns='${NS_STABLE_IDS}' id='${id}' by='${by}'/>`;
const displayed = (inside: string): string => `<displayed xmlns='${NODE}'>${inside}</displayed>`;
const item = (chat: string, inside: string): string => `<item id='${chat}'>${displayed(inside)}</item>`;

/** A message as the client tells it. */
async function heard(client: Client, peer: Peer, from: string, inside: string, type = 'chat'): Promise<Message> {
  const message = client.events.once('message', soon);
  peer.sends(`<message from='${from}' type='${type}'><body>Hi</body>${inside}</message>`);
  return message;
}

/** The item that is published, to which the server agrees. */
async function published(peer: Peer): Promise<Element | undefined> {
  const request = await answer(peer, '<publish ', '');
  return request.children()[0]?.child('publish')?.child('item');
}

// [XEP-0490 §4.1]
t.test('a state is read as it was written, and what names no message of a chat is none', async (t) => {
  const state = { chat: BOB, id: '0f710f2b', by: ANN };
  const payload = xeps.writeDisplayedState(state);
  t.equal(serialize(payload), displayed(stanzaId('0f710f2b')));
  t.strictSame(readDisplayedState({ id: 'bob@localhost', payload }), state);
  t.equal(readDisplayedState({ id: 'tea@rooms.localhost/bob', payload })?.chat.resource, 'bob', 'private in a room');
  for (const id of [undefined, '', '@', 'a@b@c'])
    t.equal(readDisplayedState({ id, payload }), undefined, id ?? 'no id');
  for (const other of [
    displayed(''),
    displayed(stanzaId('one') + stanzaId('two')),
    displayed(stanzaId('')),
    displayed(stanzaId('one', '@')),
    displayed(`<stanza-id xmlns='${NS_STABLE_IDS}'/>`),
    displayed(`<stanza-id id='one' by='ann@localhost'/>`),
    `<displayed xmlns='urn:xmpp:chat-markers:0' id='one'>${stanzaId('one')}</displayed>`,
  ])
    t.equal(readDisplayedState({ id: 'bob@localhost', payload: parseElement(other) }), undefined, other);
  t.equal(readDisplayedState({ id: 'bob@localhost', payload: undefined }), undefined);
});

// [XEP-0490 §4.3] [XEP-0490 §4.2] [XEP-0223 §7]
t.test('only our own account can tell what was displayed, and only in the name of who assigns ids there', async (t) => {
  const { client, peer } = await session(t, displayedSynchronization);
  const { events } = client.get(displayedSynchronization);
  const told: string[] = [];
  events.on('displayed', ({ chat, id, by }) => told.push(`${chat.toString()} ${id} ${by.toString()}`));
  const last = events.once('displayed', { ...soon, where: ({ id }) => id === 'last' });
  for (const from of ['bob@localhost', 'dan@localhost', 'eve@evil.example', 'ann@localhost/other', 'localhost'])
    peer.sends(event(from, NODE, item('bob@localhost', stanzaId('forged'))));
  const items = [
    item('bob@localhost', stanzaId('a')),
    item('tea@rooms.localhost', stanzaId('b', 'tea@rooms.localhost')),
    item('tea@rooms.localhost/bob', stanzaId('c')),
    item('bob@localhost', stanzaId('foreign', 'evil.example')),
    item('bob@localhost', ''),
    `<retract id='bob@localhost'/>`,
    item('bob@localhost', stanzaId('last')),
  ];
  peer.sends(event('ann@localhost', NODE, items.join('')));
  await last;
  t.strictSame(told, [
    'bob@localhost a ann@localhost',
    'tea@rooms.localhost b tea@rooms.localhost',
    'tea@rooms.localhost/bob c ann@localhost',
    'bob@localhost last ann@localhost',
  ]);
});

// [XEP-0490 §4.2] [XEP-0490 §7]
t.test('what was displayed is published in a node for ourselves, by the id that our server gave it', async (t) => {
  const { client, peer } = await session(t, displayedSynchronization);
  const message = await heard(client, peer, 'bob@localhost/phone', stanzaId('one') + stanzaId('x', 'bob@localhost'));
  const marked = client.get(displayedSynchronization).mark(message);
  await answer(peer, 'disco#info', account(OPTIONS, NS_STABLE_IDS));
  await answer(peer, '<configure', configurationOf(NODE, 'whitelist'));
  const request = await answer(peer, '<publish ', '');
  t.ok(await marked);
  const pubsub = request.children()[0];
  const published = pubsub?.child('publish')?.child('item');
  t.equal(published?.attr('id'), 'bob@localhost');
  t.strictSame(
    published?.children().map((one) => serialize(one)),
    [displayed(stanzaId('one'))],
  );
  const form = pubsub?.child('publish-options')?.children()[0];
  for (const [field, value] of [
    ['access_model', 'whitelist'],
    ['persist_items', 'true'],
    ['max_items', 'max'],
    ['send_last_published_item', 'never'],
  ] as const)
    t.match(
      xeps.fieldValue(form && xeps.readDataForm(form), `pubsub#${field}`),
      value === 'true' ? /^(true|1)$/ : value,
    );
});

// [XEP-0490 §7] [pitfall-pep-privacy]
t.test('nothing is published where the server would show it to others', async (t) => {
  const { client, peer } = await session(t, displayedSynchronization);
  const published = client.get(displayedSynchronization).publish({ chat: BOB, id: 'one', by: ANN });
  published.catch(() => undefined);
  await answer(peer, 'disco#info', account());
  await answer(peer, '<configure', configurationOf(NODE, 'open'));
  await answer(peer, '<configure', configurationOf(NODE, 'open'));
  await answer(peer, `type='submit'`, '');
  await answer(peer, '<configure', configurationOf(NODE, 'open'));
  await t.rejects(published, XmppError);
  t.notMatch(peer.unread, /<displayed/);
});

// [XEP-0490 §4.1] [XEP-0490 §4.2]
t.test('in a room it is the id that the room gave, and in private there ours, with the occupant', async (t) => {
  const { client, peer } = await session(t, displayedSynchronization);
  const states = client.get(displayedSynchronization);
  const nobody = { nick: 'bob', occupant: undefined, occupantId: undefined, stanzaId: undefined, own: false };
  const inside = stanzaId('ours') + stanzaId('forged', ROOM.toString());
  const message = await heard(client, peer, `${ROOM.toString()}/bob`, inside, 'groupchat');
  const said: MessageInRoom = { ...nobody, message, stanzaId: 'theirs' };
  const marked = states.mark(said);
  await answer(peer, 'disco#info', account(OPTIONS, NS_STABLE_IDS));
  await answer(peer, '<configure', configurationOf(NODE, 'whitelist'));
  const item = await published(peer);
  t.ok(await marked);
  t.equal(item?.attr('id'), ROOM.toString());
  t.match(readDisplayedState({ id: item?.attr('id'), payload: item?.children()[0] }), { id: 'theirs', by: ROOM });

  const whispered = states.mark({ ...nobody, message: await heard(client, peer, `${ROOM.toString()}/bob`, inside) });
  const other = await published(peer);
  t.ok(await whispered);
  t.equal(other?.attr('id'), `${ROOM.toString()}/bob`);
  t.match(readDisplayedState({ id: other?.attr('id'), payload: other?.children()[0] }), { id: 'ours', by: ANN });

  t.notOk(await states.mark({ ...said, own: true }), 'our own');
  t.notOk(await states.mark({ ...said, stanzaId: undefined }), 'without an id that can be believed');
  t.notOk(await states.mark(message), 'as one that did not come through the room');
  t.notMatch(peer.unread, /<publish /);
});

// [XEP-0490 §4.2] [XEP-0359 §6]
t.test('a message that we sent, and one whose id the sender may have written, is not told', async (t) => {
  const { client, peer } = await session(t, displayedSynchronization);
  const states = client.get(displayedSynchronization);
  t.notOk(await states.mark(await heard(client, peer, 'ann@localhost/other', stanzaId('one'))));
  t.notOk(await states.mark(await heard(client, peer, 'bob@localhost/phone', stanzaId('one', 'bob@localhost'))));
  t.notOk(await states.mark(await heard(client, peer, 'bob@localhost/phone', stanzaId('one') + stanzaId('two'))));
  const marked = states.mark(await heard(client, peer, 'bob@localhost/phone', stanzaId('three')));
  await answer(peer, 'disco#info', account(OPTIONS));
  t.notOk(await marked);
  t.notMatch(peer.unread, /<publish |<configure/);
});

// [XEP-0490 §5.1]
t.test('an older state never overtakes a newer one, and one that fails does not hold up the next', async (t) => {
  const { client, peer } = await session(t, displayedSynchronization);
  const states = client.get(displayedSynchronization);
  const first = states.publish({ chat: BOB, id: 'one', by: ANN });
  const second = states.publish({ chat: BOB, id: 'two', by: ANN });
  first.catch(() => undefined);
  await answer(peer, 'disco#info', account(OPTIONS));
  await answer(peer, '<configure', configurationOf(NODE, 'whitelist'));
  const request = await refuse(peer, '<publish ', 'internal-server-error');
  t.match(serialize(request), /id='one'/);
  t.notMatch(peer.unread, /id='two'/);
  await t.rejects(first, StanzaError);
  t.match(serialize((await published(peer)) ?? parseElement('<nothing/>')), /id='two'/);
  await second;
});

// [XEP-0490 §4.4]
t.test('who was away catches up with what is known of all chats', async (t) => {
  const { client, peer } = await session(t, displayedSynchronization);
  const states = client.get(displayedSynchronization);
  const known = states.all();
  const items = [
    item('bob@localhost', stanzaId('a')),
    item('tea@rooms.localhost', stanzaId('b', 'tea@rooms.localhost')),
    item('bob@localhost', stanzaId('foreign', 'evil.example')),
    item('@', stanzaId('c')),
  ];
  await answer(peer, '<items ', inPubsub(`<items node='${NODE}'>${items.join('')}</items>`));
  t.strictSame(await known, [
    { chat: BOB, id: 'a', by: ANN },
    { chat: ROOM, id: 'b', by: ROOM },
  ]);
  const nothing = states.all();
  await refuse(peer, '<items ', 'item-not-found');
  t.strictSame(await nothing, []);
});

// [XEP-0490 §4.3]
t.test('the server is told that we want to hear of it', async (t) => {
  const { online } = await startLoopback(t);
  const ann = await online('ann', { plugins: [displayedSynchronization] });
  const bob = await online('bob', { plugins: [xeps.serviceDiscovery] });
  const { features } = await bob.get(xeps.serviceDiscovery).info(ann.jid ?? ann.account);
  t.ok(features.has('urn:xmpp:mds:displayed:0+notify'));
});
