/** XEP-0486 MUC Avatars. */
import t from 'tap';
import * as xeps from '../../src/xeps/index.js';
import { PATIENCE_MS, recorder, startLoopback } from '../support/loopback.js';
import { iqError, ROOM, ROOM_TEXT, status } from '../support/rooms.js';

const { muc } = xeps;
const DOT = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==';

// [XEP-0486 §3.1] [XEP-0486 §3.2] [XEP-0486 §3.3]
t.test(
  'the avatar of a room is the one that it announces, and an event reports that it may have changed',
  async (t) => {
    const { server, online } = await startLoopback(t);
    const { mucAvatars } = xeps;
    let announced: string[] = [];
    const log = recorder((element) => {
      const id = element.attr('id') ?? '';
      if (element.attr('to') !== ROOM_TEXT || element.name !== 'iq') return undefined;
      const result = (payload: string): string => `<iq type='result' id='${id}' from='${ROOM_TEXT}'>${payload}</iq>`;
      if (element.child('query', xeps.NS_DISCO_INFO) !== undefined)
        return result(
          `<query xmlns='${xeps.NS_DISCO_INFO}'><identity category='conference' type='text'/>` +
            `<x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE' type='hidden'><value>http://jabber.org/protocol/muc#roominfo</value></field>` +
            `<field var='muc#roominfo_avatarhash' type='text-multi'>${announced.map((one) => `<value>${one}</value>`).join('')}</field></x></query>`,
        );
      if (element.child('vCard', xeps.NS_VCARD) === undefined) return undefined;
      if (element.attr('type') === 'set') return iqError(id, ROOM_TEXT, 'forbidden');
      return result(`<vCard xmlns='vcard-temp'><PHOTO><BINVAL>${DOT}</BINVAL></PHOTO></vCard>`);
    });
    server.misbehave(log);
    const ann = await online('ann', { plugins: [muc, mucAvatars] });
    const pictures = ann.get(mucAvatars);
    const asked = (): number => log.sent.filter((one) => one.child('vCard', xeps.NS_VCARD)).length;
    t.equal(await pictures.fetch(ROOM), undefined);
    t.equal(asked(), 0, 'a room that announces no avatar is not asked for one');
    const hash = Buffer.from((await xeps.digest('sha-1', new Uint8Array(Buffer.from(DOT, 'base64')))) ?? []);
    announced = ['no hash', 'f'.repeat(40)];
    t.equal(await pictures.fetch(ROOM), undefined, 'an avatar whose hash is not announced');
    t.strictSame(await pictures.hashes(ROOM), ['f'.repeat(40)]);
    announced = [hash.toString('hex').toUpperCase()];
    t.match(await pictures.fetch(ROOM), { mediaType: 'image/png', bytes: Buffer.from(DOT, 'base64') });
    const publishing = pictures.publish(ROOM, Buffer.from(DOT, 'base64'));
    await t.rejects(publishing, { name: 'RoomError', attempt: 'picture', why: 'rank' });
    await t.rejects(pictures.publish(ROOM, new Uint8Array(3)), { name: 'XmppError' });
    t.equal(log.sent.at(-1)?.child('vCard', xeps.NS_VCARD)?.child('PHOTO')?.childText('BINVAL'), DOT);

    await ann.get(muc).join(ROOM, { nick: 'ann' });
    const changes: string[] = [];
    pictures.events.on('changed', ({ room: { jid } }) => changes.push(jid.toString()));
    const update = (from: string, photo = `<photo/>`): string =>
      `<presence from='${from}'><x xmlns='${xeps.NS_VCARD_UPDATE}'>${photo}</x></presence>`;
    const said = (code: number, from = ROOM_TEXT): string =>
      `<message type='groupchat' from='${from}'><x xmlns='${xeps.NS_MUC_USER}'>${status(code)}</x></message>`;
    const last = `<message type='chat' from='bob@localhost/x'><body>well?</body></message>`;
    const heard = ann.events.once('message', { timeoutMs: PATIENCE_MS });
    server.inject(
      ann.jid ?? ann.account,
      said(104) +
        update(ROOM_TEXT) +
        // The avatar of an occupant, an update that is not ready yet, and a room that we are not in.
        [update(`${ROOM_TEXT}/bob`), update(ROOM_TEXT, ''), update('other@rooms.localhost')].join('') +
        said(172) +
        said(104, `${ROOM_TEXT}/bob`) +
        last,
    );
    await heard;
    t.strictSame(changes, [ROOM_TEXT, ROOM_TEXT]);
  },
);
