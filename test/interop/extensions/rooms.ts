/** Rooms of real servers: XEP-0045 and what goes with it. */
import { randomUUID } from 'node:crypto';

import t, { type Test } from 'tap';

import type { FormValues } from '../../../src/xeps/xep-0004-data-forms.js';
import { muc, type MucEvents, type Room, type RoomOptions } from '../../../src/xeps/xep-0045-muc/index.js';
import { NS_PING, ping } from '../../../src/xeps/xep-0199-ping.js';
import { mucSelfPing, selfPingVerdict } from '../../../src/xeps/xep-0410-muc-self-ping.js';
import { NS_OCCUPANT_ID } from '../../../src/xeps/xep-0421-occupant-id.js';
import { NS_MODERATION } from '../../../src/xeps/xep-0425-moderated-message-retraction.js';
import { mucAvatars } from '../../../src/xeps/xep-0486-muc-avatars.js';
import type { Client } from '../../../src/xmpp-core/client.js';
import { Jid } from '../../../src/xmpp-core/jid/jid.js';
import { el } from '../../../src/xmpp-core/xml/element.js';
import type { Server } from '../servers/server.js';
import { enter } from './enter.js';

const PATIENCE = { timeoutMs: 20_000 };

const PICTURE = new Uint8Array(
  Buffer.from(
    'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
    'base64',
  ),
);

/** Somebody with a client that knows rooms. */
const person = (t: Test, server: Server): Promise<Client> =>
  enter(t, server, { plugins: [muc, mucAvatars, mucSelfPing, ping] });

const join = (client: Client, room: Jid, nick: string, options: Partial<RoomOptions> = {}): Promise<Room> =>
  client.get(muc).join(room, { nick, whenTaken: 'fail', ...options });

const next = <Name extends keyof MucEvents>(
  client: Client,
  name: Name,
  where?: (event: MucEvents[Name]) => boolean,
): Promise<MucEvents[Name]> =>
  client.get(muc).events.once(name, { ...PATIENCE, ...(where === undefined ? {} : { where }) });

/** Prosody has no setting for whether there is a password. */
const locked = (server: Server, password: string): FormValues => ({
  'muc#roomconfig_roomsecret': password,
  ...(server.name === 'prosody' ? {} : { 'muc#roomconfig_passwordprotectedroom': true }),
});

export async function roomExtensions(server: Server): Promise<void> {
  const address = (): Jid => Jid.parse(server.room(`room-${randomUUID()}`));

  await t.test('a room is made to order, found, and asked what it is', async (t) => {
    const ann = await person(t, server);
    const name = `Tea ${randomUUID()}`;
    const jid = address();
    const room = await join(ann, jid, 'ann', {
      configuration: {
        'muc#roomconfig_roomname': name,
        'muc#roomconfig_publicroom': true,
        'muc#roomconfig_membersonly': false,
        'muc#roomconfig_whois': 'moderators',
      },
    });
    t.match(room.self, { affiliation: 'owner', role: 'moderator' });
    t.ok(room.features.has(NS_OCCUPANT_ID), 'it gives occupant ids');
    t.match(await ann.get(muc).information(jid), {
      name,
      membersOnly: false,
      nonAnonymous: false,
      wantsPassword: false,
    });
    const [service] = await ann.get(muc).services();
    t.equal(service?.toString(), jid.domainpart);
    t.ok((await ann.get(muc).list(Jid.parse(jid.domainpart))).some((one) => one.jid.equals(jid)));
    const changed = next(ann, 'configured');
    await room.management.configure({ 'muc#roomconfig_roomname': 'Coffee' });
    t.match(await changed, { changes: ['settings'] });
    t.equal((await ann.get(muc).information(jid)).name, 'Coffee');
    await t.rejects(
      room.management.configure({ 'muc#roomconfig_nonsense': true }),
      /has no setting .*nonsense; it has/,
    );
  });

  await t.test('moderators see who people are, the others do not; ids stay though nicks change', async (t) => {
    const [ann, bob, eve] = [await person(t, server), await person(t, server), await person(t, server)];
    const jid = address();
    const hers = await join(ann, jid, 'ann', { configuration: { 'muc#roomconfig_whois': 'moderators' } });
    // Who joins is seen by themselves at a time of their own.
    const isSeen = next(ann, 'occupantJoined', ({ occupant }) => occupant.nick === 'bob');
    const his = await join(bob, jid, 'bob');
    await isSeen;
    const third = await join(eve, jid, 'eve');
    t.equal(hers.occupants.get('bob')?.realJid?.toString(), bob.account.toString());
    t.equal(third.occupants.get('bob')?.realJid, undefined);
    const id = third.occupants.get('bob')?.occupantId;
    t.type(id, 'string');
    const renamed = next(eve, 'renamed');
    await his.changeNick('robert');
    t.match(await renamed, { nick: 'robert', before: 'bob', self: false });
    t.equal(third.occupants.get('robert')?.occupantId, id);
    t.equal(his.nick, 'robert');
    await t.rejects(his.changeNick('eve'), { name: 'RoomError', why: 'nick-taken' });
    t.equal(his.nick, 'robert');
    const nonAnonymous = next(eve, 'configured', ({ changes }) => changes.includes('non-anonymous'));
    await hers.management.configure({ 'muc#roomconfig_whois': 'anyone' });
    await nonAnonymous;
    his.leave('bye');
    const joined = next(bob, 'joined');
    await his.join();
    t.equal((await joined).nonAnonymous, true);
  });

  await t.test('words to all and to one, the subject, and history as it was asked for', async (t) => {
    const [ann, bob] = [await person(t, server), await person(t, server)];
    const jid = address();
    const hers = await join(ann, jid, 'ann', { configuration: { 'muc#roomconfig_changesubject': false } });
    for (const text of ['one', 'two', 'three']) {
      const echo = next(ann, 'message', ({ message }) => message.body === text);
      const id = hers.sendMessage(text);
      t.match(await echo, { own: true, message: { id }, stanzaId: String, occupantId: String });
    }
    await hers.setSubject('Fire burn');
    const subject = next(bob, 'subject');
    const past: (string | undefined)[] = [];
    bob.get(muc).events.on('message', ({ message, delayed }) => {
      if (delayed !== undefined) past.push(message.body);
    });
    const his = await join(bob, jid, 'bob', { history: { maxStanzas: 2 } });
    t.match(await subject, { subject: 'Fire burn' });
    t.strictSame(past, ['two', 'three']);
    const alone = next(bob, 'privateMessage');
    hers.sendPrivateMessage('bob', 'psst');
    t.match(await alone, { nick: 'ann', message: { body: 'psst', type: 'chat' } });
    await t.rejects(his.setSubject('mine'), { name: 'RoomError', why: 'rank' });
    const refused = next(ann, 'refused');
    const id = hers.sendPrivateMessage('nobody', 'are you there?');
    t.match(await refused, { id, to: 'nobody', error: { why: 'no-such-occupant' } });
    const cleared = next(bob, 'subject');
    await hers.setSubject('');
    t.equal((await cleared).subject, '');
  });

  await t.test('what keeps people out has a name: nick, password, membership, ban', async (t) => {
    const [ann, bob] = [await person(t, server), await person(t, server)];
    const jid = address();
    const password = 'cauldronburn';
    const hers = await join(ann, jid, 'ann', {
      configuration: locked(server, password),
      password,
    });
    t.equal((await ann.get(muc).information(jid)).wantsPassword, true);
    await t.rejects(join(bob, jid, 'bob'), { name: 'RoomError', why: 'password' });
    await t.rejects(join(bob, jid, 'ann', { password }), { name: 'RoomError', why: 'nick-taken' });
    t.equal((await join(bob, jid, 'ann', { password, whenTaken: 'next' })).nick, 'ann-2');
    const out = next(bob, 'left');
    await hers.management.ban(bob.account, 'enough');
    t.match(await out, { why: 'banned', reason: 'enough' });
    await t.rejects(join(bob, jid, 'bob', { password }), { name: 'RoomError', why: 'banned' });
    t.match(await hers.management.affiliated('outcast'), [{ affiliation: 'outcast' }]);
    await hers.management.setAffiliation(bob.account, 'none');
    const his = await join(bob, jid, 'bob', { password });
    const away = next(bob, 'left');
    await hers.management.configure({ 'muc#roomconfig_membersonly': true });
    t.equal((await away).why, 'membership');
    await t.rejects(his.join(), { name: 'RoomError', why: 'members-only' });
    const told = next(ann, 'affiliationChanged');
    await hers.management.setAffiliation(bob.account, 'member', { reason: 'welcome' });
    t.match(await told, { affiliation: 'member', own: false });
    await his.join();
    t.equal(his.self?.affiliation, 'member');
    await t.rejects(his.management.destroy(), { name: 'RoomError', why: 'rank' });
    await t.rejects(his.management.affiliated('outcast'), { name: 'RoomError', why: 'rank' });
  });

  await t.test('voice is given and taken, asked for and granted; who is kicked knows by whom and why', async (t) => {
    const [ann, bob] = [await person(t, server), await person(t, server)];
    const jid = address();
    const hers = await join(ann, jid, 'ann', {
      configuration: {
        'muc#roomconfig_moderatedroom': true,
        // ejabberd lets everybody speak at first unless told.
        ...(server.name === 'ejabberd' ? { members_by_default: false } : {}),
      },
    });
    const his = await join(bob, jid, 'bob');
    t.equal(his.self?.role, 'visitor');
    const refused = next(bob, 'refused');
    const id = his.sendMessage('may I?');
    t.match(await refused, { id, to: '', error: { why: 'no-voice' } });
    const asked = next(ann, 'approvalRequested');
    his.requestVoice();
    const { request } = await asked;
    t.match(request, { kind: 'voice', nick: 'bob' });
    const granted = next(bob, 'occupantChanged', ({ occupant }) => occupant.nick === 'bob');
    hers.decide(request, true);
    t.match(await granted, { occupant: { role: 'participant' }, before: { role: 'visitor' } });
    t.match(await hers.management.withRole('participant'), [{ nick: 'bob', role: 'participant' }]);
    const taken = next(bob, 'occupantChanged', ({ occupant }) => occupant.nick === 'bob');
    await hers.management.revokeVoice('bob');
    t.match(await taken, { occupant: { role: 'visitor' } });
    await t.rejects(his.management.kick('ann'), { name: 'RoomError', why: 'rank' });
    await t.rejects(hers.management.kick('nobody'), { name: 'RoomError', why: 'no-such-occupant' });
    const [out, seen] = [next(bob, 'left'), next(ann, 'occupantLeft')];
    await hers.management.kick('bob', 'Avaunt!');
    t.match(await out, { why: 'kicked', reason: 'Avaunt!' });
    t.match(await seen, { why: 'kicked', occupant: { nick: 'bob' } });
  });

  await t.test('people are invited, directly and by the room, and may decline', async (t) => {
    const [ann, bob, eve] = [await person(t, server), await person(t, server), await person(t, server)];
    const jid = address();
    const password = 'cauldronburn';
    const hers = await join(ann, jid, 'ann', {
      configuration: locked(server, password),
      password,
    });
    const direct = next(bob, 'invited');
    hers.inviteDirectly(bob.account, { reason: 'come' });
    const hisInvitation = await direct;
    t.match(hisInvitation, { direct: true, reason: 'come', password });
    t.ok(hisInvitation.by?.bare.equals(ann.account));
    await join(bob, hisInvitation.room, 'bob', { password: hisInvitation.password });
    const mediated = next(eve, 'invited');
    hers.invite(eve.account, { reason: 'you too' });
    const herInvitation = await mediated;
    t.match(herInvitation, { direct: false, reason: 'you too', password });
    t.ok(herInvitation.room.equals(jid));
    const declined = next(ann, 'declined');
    eve.get(muc).decline(herInvitation, 'too busy');
    t.match(await declined, { reason: 'too busy' });
    t.ok((await declined).by?.bare.equals(eve.account));
  });

  await t.test('a room that ends says where people go', async (t) => {
    const [ann, bob] = [await person(t, server), await person(t, server)];
    const [jid, other] = [address(), address()];
    const hers = await join(ann, jid, 'ann');
    await join(bob, jid, 'bob');
    const out = next(bob, 'left');
    await hers.management.destroy({ reason: 'Macbeth doth come.', alternate: other });
    const left = await out;
    t.match(left, { why: 'destroyed', reason: 'Macbeth doth come.' });
    t.ok(left.destruction?.alternate?.equals(other));
  });

  await t.test('membership can be asked for', async (t) => {
    const [ann, bob] = [await person(t, server), await person(t, server)];
    const jid = address();
    await join(ann, jid, 'ann', server.name === 'ejabberd' ? { configuration: { allow_subscription: true } } : {});
    const registration = bob.get(muc).registration(jid);
    // Prosody keeps nicks for members, whom an admin has to make first; ejabberd takes subscriptions, by other words of the form.
    if (server.name === 'prosody') {
      await t.rejects(registration.state(), { name: 'RoomError', why: 'members-only' });
      await ann.get(muc).management(jid).setAffiliation(bob.account, 'member');
    }
    t.match(await registration.state(), { registered: false, form: { type: 'form' } });
    if (server.name === 'prosody') {
      await registration.register('bobby');
      t.match(await registration.state(), { registered: true, nick: 'bobby' });
      t.equal(await registration.nick(), 'bobby');
    }
  });

  await t.test('the answer to a self-ping tells whether we are in the room', async (t) => {
    const [ann, bob] = [await person(t, server), await person(t, server)];
    const jid = address();
    await join(ann, jid, 'ann');
    const his = await join(bob, jid, 'bob');
    t.equal(await bob.get(mucSelfPing).check(his), 'joined');
    const gone = next(ann, 'occupantLeft');
    bob.get(muc).leave(jid);
    await gone;
    const pinged = bob.iq({ to: jid.withResource('bob'), type: 'get', payload: el('ping', NS_PING) });
    t.equal(selfPingVerdict(await pinged.catch((error: unknown) => error)), 'lost');
  });

  await t.test('an owner gives a room a picture, which the others see and which goes again', async (t) => {
    const [ann, bob] = [await person(t, server), await person(t, server)];
    const jid = address();
    await join(ann, jid, 'ann');
    await join(bob, jid, 'bob');
    t.equal(await bob.get(mucAvatars).fetch(jid), undefined);
    const changed = bob.get(mucAvatars).events.once('changed', PATIENCE);
    await ann.get(mucAvatars).publish(jid, PICTURE);
    await changed;
    t.strictSame((await bob.get(mucAvatars).fetch(jid))?.bytes, PICTURE);
    await t.rejects(bob.get(mucAvatars).publish(jid, undefined), { name: 'RoomError', why: 'rank' });
    await ann.get(mucAvatars).publish(jid, undefined);
    t.equal(await bob.get(mucAvatars).fetch(jid), undefined);
  });

  await t.test('a moderator takes back what somebody said', async (t) => {
    const [ann, bob] = [await person(t, server), await person(t, server)];
    const jid = address();
    const hers = await join(ann, jid, 'ann');
    t.ok(hers.features.has(NS_MODERATION));
    const his = await join(bob, jid, 'bob');
    const heard = next(ann, 'message');
    his.sendMessage('DM me for free magic potions!');
    const { stanzaId = '' } = await heard;
    await t.rejects(his.management.moderate(stanzaId), { name: 'RoomError', why: 'rank' });
    const moderated = next(bob, 'moderated');
    await hers.management.moderate(stanzaId, 'not here');
    t.match(await moderated, { id: stanzaId, reason: 'not here' });
  });
}
