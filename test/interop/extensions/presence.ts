import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';

import t, { type Test } from 'tap';

import { serviceDiscovery } from '../../../src/xeps/xep-0030-service-discovery.js';
import { adHocCommands } from '../../../src/xeps/xep-0050-ad-hoc-commands.js';
import { vcard } from '../../../src/xeps/xep-0054-vcard-temp.js';
import { register, registration } from '../../../src/xeps/xep-0077-in-band-registration.js';
import { softwareVersion } from '../../../src/xeps/xep-0092-software-version.js';
import { entityCapabilities } from '../../../src/xeps/xep-0115-entity-capabilities.js';
import { vcardAvatars } from '../../../src/xeps/xep-0153-vcard-avatars.js';
import { contactAddresses } from '../../../src/xeps/xep-0157-contact-addresses.js';
import { blocking } from '../../../src/xeps/xep-0191-blocking-command.js';
import { ping } from '../../../src/xeps/xep-0199-ping.js';
import { entityTime } from '../../../src/xeps/xep-0202-entity-time.js';
import { entityCapabilities2 } from '../../../src/xeps/xep-0390-entity-capabilities-2.js';
import { type Client, createClient } from '../../../src/xmpp-core/client.js';
import { contactPresence } from '../../../src/xmpp-core/im/contact-presence.js';
import { subscriptions } from '../../../src/xmpp-core/im/subscriptions.js';
import { Jid } from '../../../src/xmpp-core/jid/jid.js';
import { writeMessage } from '../../../src/xmpp-core/stanza/stanzas.js';
import { PATIENCE } from '../inbox.js';
import type { Server } from '../servers/server.js';
import { enter, wayIn } from './enter.js';

const PLUGINS = [
  serviceDiscovery,
  entityCapabilities,
  entityCapabilities2,
  contactPresence,
  subscriptions,
  adHocCommands,
  blocking,
  entityTime,
  ping,
  registration,
  softwareVersion,
  vcardAvatars,
];

/** A red dot: a PNG of one pixel. */
const PICTURE = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==',
  'base64',
);

/** Two accounts that see each other's presence. */
async function friends(test: Test, server: Server): Promise<{ ann: Client; bob: Client }> {
  const ann = await enter(test, server, { plugins: PLUGINS });
  const bob = await enter(test, server, { plugins: PLUGINS });
  for (const [one, other] of [
    [ann, bob],
    [bob, ann],
  ] as const) {
    one.get(subscriptions).events.on('requested', ({ contact }) => one.get(subscriptions).approve(contact));
    one.get(subscriptions).request(other.account);
  }
  const here = (one: Client, other: Client): Promise<unknown> =>
    one.get(contactPresence).of(other.account).length > 0
      ? Promise.resolve()
      : one.get(contactPresence).events.once('available', {
          where: ({ jid }) => jid.bare.equals(other.account),
          timeoutMs: PATIENCE,
        });
  await Promise.all([here(ann, bob), here(bob, ann)]);
  return { ann, bob };
}

function full(client: Client): Jid {
  if (client.jid === undefined) throw new Error('not online');
  return client.jid;
}

export async function presenceExtensions(server: Server): Promise<void> {
  const domain = Jid.parse(server.domain);

  await t.test('what the server can do is verified by the hash that it announces', async (t) => {
    const ann = await enter(t, server, { plugins: PLUGINS });
    const info = await ann.get(entityCapabilities).of(domain);
    t.ok(info.features.has('urn:xmpp:blocking'));
    t.ok(info.identities.some(({ category }) => category === 'server'));
    t.match(contactAddresses(info).get('abuse'), [`mailto:abuse@${server.domain}`]);
  });

  await t.test('two clients learn what each other can do, and what changes', async (t) => {
    const { ann, bob } = await friends(t, server);
    const capabilities = ann.get(entityCapabilities);
    const info = await capabilities.of(full(bob));
    t.strictSame([...info.features].sort(), [...bob.get(serviceDiscovery).own().features].sort());
    const changed = capabilities.events.once('changed', {
      where: ({ entity }) => entity.equals(full(bob)),
      timeoutMs: PATIENCE,
    });
    bob.get(softwareVersion).announce({ name: 'Bob', version: '1' });
    await changed;
    t.ok(await capabilities.supports(full(bob), 'jabber:iq:version'));
    t.strictSame(await ann.get(softwareVersion).of(full(bob)), { name: 'Bob', version: '1' });
    const time = await ann.get(entityTime).of(full(bob));
    t.ok(Math.abs((time?.utc.getTime() ?? 0) - Date.now()) < PATIENCE);
    t.type(await ann.get(ping).ping(full(bob)), 'number');
  });

  await t.test('the server tells its version and its time', async (t) => {
    const ann = await enter(t, server, { plugins: PLUGINS });
    t.type((await ann.get(softwareVersion).of(domain))?.version, 'string');
    t.equal((await ann.get(entityTime).of(domain))?.utc instanceof Date, true);
    t.type(await ann.get(ping).ping(domain), 'number');
  });

  await t.test('a command is offered, listed and run in two stages', async (t) => {
    const { ann, bob } = await friends(t, server);
    ann.get(adHocCommands).offer({
      node: 'greet',
      name: 'Greet',
      allowed: (jid) => jid.bare.equals(bob.account),
      start: () => ({
        form: { type: 'form', fields: [{ name: 'whom', type: 'text-single', values: [] }] },
        complete: (answer) => ({ notes: [{ type: 'info', text: `hello ${answer?.fields[0]?.values[0] ?? ''}` }] }),
      }),
    });
    const commands = bob.get(adHocCommands);
    t.match(await commands.list(full(ann)), [{ node: 'greet', name: 'Greet' }]);
    const running = await commands.execute(full(ann), 'greet');
    t.equal(running.status, 'executing');
    const done = await running.act('complete', { type: 'submit', fields: [{ name: 'whom', values: ['world'] }] });
    t.match(done, { status: 'completed', notes: [{ type: 'info', text: 'hello world' }] });
  });

  await t.test('a name and a picture are published, and others see the picture by its hash', async (t) => {
    const { ann, bob } = await friends(t, server);
    const seen = bob.get(vcardAvatars).events.once('changed', {
      where: ({ entity, hash }) => entity.equals(full(ann)) && typeof hash === 'object',
      timeoutMs: PATIENCE,
    });
    await ann.get(vcard).publish({ nickname: 'Annie', photo: PICTURE });
    await seen;
    const photo = await bob.get(vcardAvatars).fetch(full(ann));
    t.equal(photo?.mediaType, 'image/png');
    t.equal(Buffer.compare(photo?.bytes ?? new Uint8Array(), PICTURE), 0);
    t.equal((await bob.get(vcard).fetch(ann.account))?.nickname, 'Annie');
  });

  await t.test('who is blocked reaches us no more, and we do not reach them', async (t) => {
    const { ann, bob } = await friends(t, server);
    t.strictSame(await ann.get(blocking).list(), []);
    const blocked = ann.get(blocking).events.once('blocked', { timeoutMs: PATIENCE });
    await ann.get(blocking).block(bob.account);
    await blocked;
    t.ok(await ann.get(blocking).blocks(full(bob)));
    const heard: string[] = [];
    ann.events.on('message', ({ body }) => heard.push(body ?? ''));
    // Prosody drops it without a word, unless it is told to (XEP-0191 §3.3 says should).
    const refused = server.name === 'prosody' ? undefined : bob.events.once('undelivered', { timeoutMs: PATIENCE });
    bob.send(writeMessage({ to: ann.account, type: 'chat', body: 'are you there?' }));
    if (refused !== undefined) t.equal((await refused).error.condition, 'service-unavailable');
    const unsent = ann.events.once('undelivered', { timeoutMs: PATIENCE });
    ann.send(writeMessage({ to: bob.account, type: 'chat', body: 'no' }));
    t.equal((await unsent).error.condition, 'not-acceptable');
    await ann.get(blocking).unblock(bob.account);
    const message = ann.events.once('message', { timeoutMs: PATIENCE });
    bob.send(writeMessage({ to: ann.account, type: 'chat', body: 'and now?' }));
    t.equal((await message).body, 'and now?');
    t.strictSame(heard, ['and now?']);
  });

  await t.test('an account is registered in band, gets a new password, and is given up', async (t) => {
    const jid = Jid.parse(`new-${randomUUID()}@${server.domain}`);
    const [ca, { server: address }] = [await readFile(server.authority, 'utf8'), await wayIn(server, jid)];
    const way = { jid, ca, ...(address === undefined ? {} : { server: address }) };
    await register({ ...way, password: 'the first password' });
    await t.rejects(register({ ...way, password: 'another' }), {
      name: 'RegistrationError',
      message: /already exists/,
    });
    const first = await enter(t, server, { ...way, password: 'the first password', plugins: PLUGINS });
    await first.get(registration).changePassword('the second password');
    await first.stop();
    const old = createClient({ ...way, password: 'the first password' });
    t.teardown(() => old.stop());
    await t.rejects(old.start(), { name: 'SaslError' });
    const second = await enter(t, server, { ...way, password: 'the second password', plugins: PLUGINS });
    await second.get(registration).cancelAccount();
    await second.stop();
    const gone = createClient({ ...way, password: 'the second password' });
    t.teardown(() => gone.stop());
    await t.rejects(gone.start(), { name: 'SaslError' });
  });
}
