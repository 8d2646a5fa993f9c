/** XEP-0224 Attention. */
import t from 'tap';
import { attention, NS_ATTENTION, readAttention, writeAttention } from '../../src/xeps/xep-0224-attention.js';
import { serviceDiscovery } from '../../src/xeps/xep-0030-service-discovery.js';
import { NS_DELAY, writeDelay } from '../../src/xeps/xep-0203-delayed-delivery.js';
import { roster } from '../../src/xmpp-core/im/roster.js';
import { NS_CLIENT } from '../../src/xmpp-core/stanza/namespaces.js';
import { el } from '../../src/xmpp-core/xml/element.js';
import { serialize } from '../../src/xmpp-core/xml/serialize.js';
import { recorded } from '../support/fixtures.js';
import { PATIENCE_MS, startLoopback } from '../support/loopback.js';
import { dialogue } from '../support/script.js';

const soon = { timeoutMs: PATIENCE_MS };

// [XEP-0224 §3]
t.test('a call is read as it was written, and anything else is none', async (t) => {
  t.equal(serialize(writeAttention()), `<attention xmlns='urn:xmpp:attention:0'/>`);
  t.ok(
    readAttention(el('message', NS_CLIENT, { type: 'headline' }, writeAttention(), el('body', NS_CLIENT, {}, 'Hey'))),
  );
  for (const other of [
    undefined,
    el('attention', NS_CLIENT),
    el('attention', 'urn:xmpp:attention:1'),
    el('body', NS_ATTENTION),
  ])
    t.notOk(readAttention(el('message', NS_CLIENT, {}, other)));
  for (const server of ['Prosody', 'ejabberd'])
    t.ok(readAttention(recorded(224).get(`a call of slixmpp, by ${server}`) ?? el('nothing', '')), server);
});

// [XEP-0224 §4]
t.test('a call that was held back is none, even if it cannot be read since when', async (t) => {
  const late = writeDelay({ stamp: new Date(0), from: undefined });
  for (const delay of [late, el('delay', NS_DELAY, { stamp: 'yesterday' })])
    t.notOk(readAttention(el('message', NS_CLIENT, {}, writeAttention(), delay)));
});

// [XEP-0224 §3] [XEP-0224 §5]
t.test('who calls is heard by a contact, with what there is to say', async (t) => {
  const { online } = await startLoopback(t);
  const ann = await online('ann', { plugins: [attention, serviceDiscovery] });
  const bob = await online('bob', { plugins: [attention, serviceDiscovery] });
  await ann.get(roster).set({ jid: bob.account });
  const { features } = await bob.get(serviceDiscovery).info(ann.jid ?? ann.account);
  t.ok(features.has('urn:xmpp:attention:0'));
  const { events } = ann.get(attention);
  const called = events.once('called', soon);
  bob.get(attention).call(ann.jid ?? ann.account, `Why don't you answer?`);
  t.match(await called, { from: bob.jid, message: { type: 'headline', body: `Why don't you answer?` } });
  const again = events.once('called', soon);
  bob.get(attention).call(ann.jid ?? ann.account);
  t.match(await again, { from: bob.jid, message: { body: undefined } });
});

// [XEP-0224 §7]
t.test('only contacts can call, and not from the past', async (t) => {
  const { client, peer, started } = await dialogue(t, { plugins: [attention], presence: false });
  await peer.acceptsLogin();
  await started;
  const request = await peer.receives(/<iq [^>]*><query xmlns='jabber:iq:roster'[^>]*>/);
  const id = /id='([^']*)'/.exec(request)?.[1] ?? '';
  peer.sends(
    `<iq type='result' id='${id}'><query xmlns='jabber:iq:roster'><item jid='bob@localhost' subscription='none'/></query></iq>`,
  );
  const heard: string[] = [];
  const { events } = client.get(attention);
  events.on('called', ({ from }) => heard.push(from.toString()));
  const last = events.once('called', { ...soon, where: ({ from }) => from.resource === 'last' });
  const call = (from: string, more = ''): void =>
    peer.sends(`<message from='${from}' type='headline'><attention xmlns='${NS_ATTENTION}'/>${more}</message>`);
  for (const from of ['eve@localhost/x', 'localhost', 'bob@evil.example/x', 'rooms.localhost']) call(from);
  call('bob@localhost/late', `<delay xmlns='${NS_DELAY}' stamp='2026-07-01T00:00:00Z'/>`);
  call('bob@localhost/phone');
  call('bob@localhost/last');
  await last;
  t.strictSame(heard, ['bob@localhost/phone', 'bob@localhost/last']);
});
