import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';

import type { Test } from 'tap';

import { type Client, createClient } from '../../src/xmpp-core/client.js';
import { contactPresence } from '../../src/xmpp-core/im/contact-presence.js';
import type { RosterItem } from '../../src/xmpp-core/im/roster-item.js';
import { roster } from '../../src/xmpp-core/im/roster.js';
import { subscriptions } from '../../src/xmpp-core/im/subscriptions.js';
import { Jid } from '../../src/xmpp-core/jid/jid.js';
import { memoryStorage, type Storage } from '../../src/xmpp-core/storage.js';
import { PATIENCE } from './inbox.js';
import type { Stage } from './stage.js';

const PASSWORD = 'contacts have a password too';
const soon = { timeoutMs: PATIENCE };

/** The library and slixmpp come to see each other's presence; the roster outlives the client and is not sent again; and back. */
export async function contactsComeAndGo(t: Test, stage: Stage): Promise<void> {
  const { server } = stage;
  const account = Jid.parse(await server.register(`contact-${randomUUID()}`, PASSWORD));
  const storage = memoryStorage();
  const human = await stage.human();
  const them = Jid.parse(human.jid);
  const client = await enter(t, stage, account, storage);
  const { events, items } = client.get(roster);
  t.equal(items.size, 0, 'a new account has an empty roster');

  const added = events.once('changed', soon);
  await client.get(roster).set({ jid: them, name: 'Alice & "Al"', groups: ['Früh', 'People'] });
  t.match(sorted((await added).item), { name: 'Alice & "Al"', groups: ['Früh', 'People'], subscription: 'none' });

  const requested = client.get(subscriptions).events.once('requested', soon);
  await human.presence(account.toString(), 'subscribe');
  t.equal((await requested).contact.toString(), them.toString(), 'they ask to see us');
  client.get(subscriptions).approve(them);
  await human.expectPresence('our approval', ({ from, type }) => from === account.toString() && type === 'subscribed');
  await human.expectPresence(
    'our presence',
    ({ from, type }) => from === client.jid?.toString() && type === 'available',
  );

  const approved = client.get(subscriptions).events.once('approved', soon);
  const available = client.get(contactPresence).events.once('available', {
    ...soon,
    where: ({ jid }) => jid.bare.equals(them),
  });
  client.get(subscriptions).request(them, 'It is me.');
  await human.expectPresence('our request', ({ from, type }) => from === account.toString() && type === 'subscribe');
  await human.presence(account.toString(), 'subscribed');
  t.equal((await approved).contact.toString(), them.toString(), 'they let us see them');
  const { jid } = await available;
  t.notOk(jid.isBare, 'their client is there');
  t.strictSame(
    client
      .get(contactPresence)
      .of(them)
      .map((resource) => resource.jid.toString()),
    [jid.toString()],
  );
  t.match(client.get(roster).get(them), { subscription: 'both', isAsked: false, name: 'Alice & "Al"' });
  await client.stop();
  await human.expectPresence('our going', ({ type }) => type === 'unavailable');

  // Only who trusts its copy shows what stands in it and nowhere else.
  const key = `roster ${account.toString()}`;
  await storage.set(key, (await storage.get(key))?.replace('Früh', 'Only in the copy'));
  const later = await enter(t, stage, account, storage);
  t.ok(later.get(roster).get(them)?.groups.includes('Only in the copy'), 'the server had nothing new to tell (§2.6.3)');

  const removed = later.get(roster).events.once('removed', soon);
  await later.get(roster).remove(them);
  t.equal((await removed).item.jid.toString(), them.toString());
  await human.expectPresence(
    'the end of it',
    ({ from, type }) => from === account.toString() && type === 'unsubscribed',
  );
}

async function enter(t: Test, { server }: Stage, jid: Jid, storage: Storage): Promise<Client> {
  const client = createClient({
    jid,
    password: PASSWORD,
    server: { host: '127.0.0.1', port: server.site.ports.startTls, directTls: false },
    ca: await readFile(server.authority, 'utf8'),
    plugins: [roster, subscriptions, contactPresence],
    storage,
  });
  t.teardown(async () => client.stop());
  const received = client.get(roster).events.once('received', soon);
  await client.start();
  await received;
  return client;
}

/** Servers keep groups in an order of their own. */
function sorted(item: RosterItem): RosterItem {
  return { ...item, groups: item.groups.toSorted() };
}
