import type { Socket } from 'node:net';
import t, { type Test } from 'tap';
import * as xeps from '../../src/xeps/index.js';
import type { Client } from '../../src/xmpp-core/client.js';
import { Jid } from '../../src/xmpp-core/jid/jid.js';
import type { Plugin } from '../../src/xmpp-core/plugin.js';
import { writeMessage } from '../../src/xmpp-core/stanza/stanzas.js';
import { readStreamLimits } from '../../src/xmpp-core/stream/stream-limits.js';
import type { Element } from '../../src/xmpp-core/xml/element.js';
import { parseElement } from '../../src/xmpp-core/xml/stream-parser.js';
import { LOOPBACK_CERTIFICATE } from '../../src/loopback/certificate.js';
import { recorded } from '../support/fixtures.js';
import { PASSWORD, PATIENCE_MS } from '../support/loopback.js';
import { BIND, dialogue, features, HEADER, Peer } from '../support/script.js';
import { listen } from '../support/meddler.js';

const BOB = Jid.parse('bob@example.org/desk');
const INFO = 'http://jabber.org/protocol/disco#info';

/** A client whose session is up, and the server of which the test says every word. */
async function session(t: Test, plugins: readonly Plugin<unknown>[]): Promise<{ client: Client; peer: Peer }> {
  const { client, peer, started } = await dialogue(t, { plugins });
  await peer.acceptsLogin();
  await started;
  return { client, peer };
}

/** Hears a request that contains `what`, and answers it. */
async function answers(peer: Peer, what: string, payload: string, type = 'result'): Promise<string> {
  const heard = await peer.receives(new RegExp(`<iq [^>]*>(?:(?!</iq>).)*${what}.*?</iq>`, 's'));
  const request = heard.slice(heard.lastIndexOf('<iq '));
  const id = / id='([^']*)'/.exec(request)?.[1] ?? '';
  const to = / to='([^']*)'/.exec(request.slice(0, request.indexOf('>')))?.[1];
  peer.sends(`<iq type='${type}' id='${id}' ${to === undefined ? '' : `from='${to}'`}>${payload}</iq>`);
  return request;
}

async function asks(peer: Peer, payload: string, from = BOB.toString(), type = 'get'): Promise<Element> {
  const id = `q${Math.random().toString(36).slice(2)}`;
  peer.sends(`<iq type='${type}' id='${id}' from='${from}' to='ann@localhost/x'>${payload}</iq>`);
  const heard = await peer.receives(new RegExp(`<iq [^>]*id='${id}'[^>]*?(/>|>.*?</iq>)`, 's'));
  return parseElement(heard.slice(heard.lastIndexOf('<iq ')).replace('<iq ', `<iq xmlns='jabber:client' `));
}

const SIMPLE = `<query xmlns='${INFO}' node='http://code.google.com/p/exodus#QgayPKawpkPSDYmwT/WM94uAlu0='>
  <identity category='client' name='Exodus 0.9.1' type='pc'/><feature var='http://jabber.org/protocol/caps'/>
  <feature var='http://jabber.org/protocol/disco#info'/><feature var='http://jabber.org/protocol/disco#items'/>
  <feature var='http://jabber.org/protocol/muc'/></query>`;
const COMPLEX = `<query xmlns='${INFO}' node='http://psi-im.org#q07IKJEyjvHSyhy//CH0CxmKi8w='>
  <identity xml:lang='en' category='client' name='Psi 0.11' type='pc'/><identity xml:lang='el' category='client' name='Ψ 0.11' type='pc'/>
  <feature var='http://jabber.org/protocol/caps'/><feature var='http://jabber.org/protocol/disco#info'/>
  <feature var='http://jabber.org/protocol/disco#items'/><feature var='http://jabber.org/protocol/muc'/>
  <x xmlns='jabber:x:data' type='result'>
    <field var='FORM_TYPE' type='hidden'><value>urn:xmpp:dataforms:softwareinfo</value></field>
    <field var='ip_version' type='text-multi'><value>ipv4</value><value>ipv6</value></field>
    <field var='os'><value>Mac</value></field><field var='os_version'><value>10.5.1</value></field>
    <field var='software'><value>Psi</value></field><field var='software_version'><value>0.11</value></field></x></query>`;
const sha1 = async (query: string): Promise<string | undefined> => {
  const text = xeps.verificationString(parseElement(query));
  return text === undefined ? undefined : xeps.digestBase64('sha-1', new TextEncoder().encode(text));
};

// [XEP-0115 §5.2] [XEP-0115 §5.3]
t.test('the verification strings are those of the specification', async (t) => {
  t.equal(await sha1(SIMPLE), 'QgayPKawpkPSDYmwT/WM94uAlu0=');
  t.equal(await sha1(COMPLEX), 'q07IKJEyjvHSyhy//CH0CxmKi8w=');
  t.equal(xeps.byOctets('\u{10000}', '\uFFFF') > 0, true, 'sorted as UTF-8 is');
});

// [XEP-0115 §5.4] [XEP-0115 §7.3]
t.test('an answer with something in it twice, or with the separator in it, has no verification string', async (t) => {
  const [, form = ''] = /(<x .*<\/x>)/s.exec(COMPLEX) ?? [];
  const add = (what: string): string => COMPLEX.replace('</query>', `${what}</query>`);
  for (const wrong of [
    add(`<feature var='http://jabber.org/protocol/muc'/>`),
    add(`<identity xml:lang='en' category='client' name='Psi 0.11' type='pc'/>`),
    add(form),
    COMPLEX.replace('softwareinfo</value>', 'softwareinfo</value><value>other</value>'),
    add(`<feature var='a&lt;b'/>`),
    COMPLEX.replace('Psi 0.11', 'Psi&lt;http://evil'),
  ])
    t.equal(xeps.verificationString(parseElement(wrong)), undefined);
  t.equal(await sha1(COMPLEX.replace(`type='hidden'`, '')), await sha1(COMPLEX.replace(form, '')), 'a form of no type');
});

const BOMBUS = `<query xmlns="http://jabber.org/protocol/disco#info">
  <identity category="client" name="BombusMod" type="mobile"/>${`
  http://jabber.org/protocol/si http://jabber.org/protocol/bytestreams http://jabber.org/protocol/chatstates http://jabber.org/protocol/disco#info http://jabber.org/protocol/disco#items urn:xmpp:ping jabber:iq:time jabber:iq:privacy jabber:iq:version http://jabber.org/protocol/rosterx urn:xmpp:time jabber:x:oob http://jabber.org/protocol/ibb http://jabber.org/protocol/si/profile/file-transfer urn:xmpp:receipts jabber:iq:roster jabber:iq:last`
    .trim()
    .split(/\s+/)
    .map((feature) => `<feature var="${feature}"/>`)
    .join('')}</query>`;

const TKABBER = `<query xmlns="http://jabber.org/protocol/disco#info">
  <identity category="client" name="Tkabber" type="pc" xml:lang="en"/><identity category="client" name="Ткаббер" type="pc" xml:lang="ru"/>${`
  games:board http://jabber.org/protocol/activity http://jabber.org/protocol/activity+notify http://jabber.org/protocol/bytestreams http://jabber.org/protocol/chatstates http://jabber.org/protocol/commands http://jabber.org/protocol/disco#info http://jabber.org/protocol/disco#items http://jabber.org/protocol/evil http://jabber.org/protocol/feature-neg http://jabber.org/protocol/geoloc http://jabber.org/protocol/geoloc+notify http://jabber.org/protocol/ibb http://jabber.org/protocol/iqibb http://jabber.org/protocol/mood http://jabber.org/protocol/mood+notify http://jabber.org/protocol/rosterx http://jabber.org/protocol/si http://jabber.org/protocol/si/profile/file-transfer http://jabber.org/protocol/tune http://www.facebook.com/xmpp/messages http://www.xmpp.org/extensions/xep-0084.html#ns-metadata+notify jabber:iq:avatar jabber:iq:browse jabber:iq:dtcp jabber:iq:filexfer jabber:iq:ibb jabber:iq:inband jabber:iq:jidlink jabber:iq:last jabber:iq:oob jabber:iq:privacy jabber:iq:roster jabber:iq:time jabber:iq:version jabber:x:data jabber:x:event jabber:x:oob urn:xmpp:avatar:metadata+notify urn:xmpp:ping urn:xmpp:receipts urn:xmpp:time`
    .trim()
    .split(/\s+/)
    .map((feature) => `<feature var="${feature}"/>`)
    .join('')}
  <x xmlns="jabber:x:data" type="result"><field type="hidden" var="FORM_TYPE"><value>urn:xmpp:dataforms:softwareinfo</value></field><field var="software"><value>Tkabber</value></field><field var="software_version"><value>0.11.1-svn-20111216-mod (Tcl/Tk 8.6b2)</value></field><field var="os"><value>Windows</value></field><field var="os_version"><value>XP</value></field></x></query>`;

// [XEP-0390 §4.1] [XEP-0390 §4.5]
t.test('the input of capabilities 2 is that of the specification', async (t) => {
  const hash = (query: string): Promise<string | undefined> =>
    xeps.digestBase64('sha-256', new TextEncoder().encode(xeps.capabilitiesInput(parseElement(query)) ?? ''));
  t.equal(await hash(BOMBUS), 'kzBZbkqJ3ADrj7v08reD1qcWUwNGHaidNUgD7nHpiw8=');
  t.equal(await hash(TKABBER), 'u79ZroNJbdSWhdSp311mddz44oHHPsEBntQ5b1jqBSY=');
  for (const wrong of [
    `<query xmlns='${INFO}'><other/></query>`,
    `<query xmlns='${INFO}'><x xmlns='jabber:x:data' type='result'><field var='a'/></x></query>`,
    TKABBER.replace('</x>', '<reported/></x>'),
    TKABBER.replace('</x>', '<item/></x>'),
  ])
    t.equal(xeps.capabilitiesInput(parseElement(wrong)), undefined);
});

const caps = (ver: string, hash = 'sha-1', more = ''): string =>
  `<presence from='${BOB.toString()}'><c xmlns='http://jabber.org/protocol/caps' hash='${hash}' node='http://code.google.com/p/exodus' ver='${ver}'/>${more}</presence>`;

// [XEP-0115 §5.4] [XEP-0115 §6.2]
t.test('a verified answer counts for all who announce its hash, a false one for nobody', async (t) => {
  const { client, peer } = await session(t, [xeps.entityCapabilities]);
  const capabilities = client.get(xeps.entityCapabilities);
  const presence = async (text: string): Promise<void> => {
    const heard = client.events.once('presence');
    peer.sends(text);
    await heard;
  };
  const eve = Jid.parse('eve@example.org/x');
  await presence(caps('QgayPKawpkPSDYmwT/WM94uAlu0=').replace(BOB.toString(), eve.toString()));
  const lie = capabilities.of(eve);
  await answers(peer, 'disco#info', `<query xmlns='${INFO}'><feature var='urn:evil'/></query>`);
  t.ok((await lie).features.has('urn:evil'), 'her word about herself');

  await presence(caps('QgayPKawpkPSDYmwT/WM94uAlu0='));
  const asked = capabilities.of(BOB);
  const request = await answers(peer, 'disco#info', SIMPLE);
  t.match(request, `node='http://code.google.com/p/exodus#QgayPKawpkPSDYmwT/WM94uAlu0='`);
  t.ok((await asked).features.has('http://jabber.org/protocol/muc'));

  const cleo = Jid.parse('cleo@example.org/x');
  await presence(caps('QgayPKawpkPSDYmwT/WM94uAlu0=').replace(BOB.toString(), cleo.toString()));
  t.ok((await capabilities.of(cleo)).features.has('http://jabber.org/protocol/muc'), 'without asking');

  const dan = Jid.parse('dan@example.org/x');
  await presence(caps('QgayPKawpkPSDYmwT/WM94uAlu0=', 'whirlpool').replace(BOB.toString(), dan.toString()));
  const unknown = capabilities.of(dan);
  await answers(peer, 'disco#info', SIMPLE);
  t.ok((await unknown).features.has('http://jabber.org/protocol/muc'), 'of a hash we do not know he is asked');
});

// [XEP-0390 §4.4] [XEP-0390 §7.2]
t.test('capabilities 2 are preferred where both are announced', async (t) => {
  const { client, peer } = await session(t, [xeps.entityCapabilities2]);
  const heard = client.events.once('presence');
  const both = `<c xmlns='urn:xmpp:caps'><hash xmlns='urn:xmpp:hashes:2' algo='sha-256'>kzBZbkqJ3ADrj7v08reD1qcWUwNGHaidNUgD7nHpiw8=</hash></c>`;
  peer.sends(caps('QgayPKawpkPSDYmwT/WM94uAlu0=', 'sha-1', both));
  await heard;
  const asked = client.get(xeps.entityCapabilities).of(BOB);
  const request = await answers(peer, 'disco#info', BOMBUS);
  t.match(request, `node='urn:xmpp:caps#sha-256.kzBZbkqJ3ADrj7v08reD1qcWUwNGHaidNUgD7nHpiw8='`);
  t.equal((await asked).identities[0]?.name, 'BombusMod');
});

// [XEP-0115 §6.1] [XEP-0390 §6.1] [XEP-0030 §3.1] [XEP-0128 §2]
t.test(
  'what we can do is announced, again when it changes, and is answered for under every hash of late',
  async (t) => {
    const { client, peer } = await session(t, [xeps.entityCapabilities2, xeps.softwareVersion]);
    const announced = async (): Promise<Element> => {
      const heard = await peer.receives(/<presence [^>]*><c .*?<\/presence>/s);
      return parseElement(
        heard.slice(heard.lastIndexOf('<presence ')).replace('<presence ', `<presence xmlns='jabber:client' `),
      );
    };
    const first = await announced();
    const node = ({ ver, node }: xeps.Capabilities): string => `${node}#${ver}`;
    const old = xeps.readCapabilities(first);
    client.get(xeps.softwareVersion).announce({ name: 'x', version: '1' });
    const now = await announced();
    const caps = xeps.readCapabilities(now);
    const hash = xeps.readCapabilityHashes(now)?.get('sha-256') ?? '';
    if (old === undefined || caps === undefined) throw new Error('nothing is announced');
    t.not(old.ver, caps.ver);
    for (const [at, tellsVersion] of [
      [node(old), false],
      [node(caps), true],
      [`urn:xmpp:caps#sha-256.${hash}`, true],
    ] as const) {
      const query = (await asks(peer, `<query xmlns='${INFO}' node='${at}'/>`)).child('query', INFO);
      t.equal(query?.attr('node'), at);
      t.equal(
        query === undefined ? undefined : xeps.readDiscoInfo(query).features.has('jabber:iq:version'),
        tellsVersion,
      );
    }
    t.equal((await asks(peer, `<query xmlns='${INFO}' node='nowhere'/>`)).attr('type'), 'error');
  },
);

// [XEP-0050 §2.2] [XEP-0050 §2.4] [XEP-0050 §3.3] [XEP-0050 §3.4] [XEP-0050 §4.4]
t.test('a command is run by who may, stage by stage, and by nobody else', async (t) => {
  const { client, peer } = await session(t, [xeps.adHocCommands]);
  const COMMANDS = xeps.NS_COMMANDS;
  client.get(xeps.adHocCommands).offer({
    node: 'config',
    name: 'Configure Service',
    allowed: (jid) => jid.bare.equals(BOB.bare),
    start: () => stage,
  });
  const stage: xeps.CommandStep = {
    form: { type: 'form', fields: [{ name: 'service', values: [] }] },
    next: (answer) => {
      if (xeps.fieldValue(answer, 'service') !== 'httpd') throw new Error('a fault of ours');
      return { prev: () => stage, complete: () => ({ notes: [{ type: 'info', text: 'done' }] }) };
    },
  };
  const run = async (attributes: string, from?: string, form = ''): Promise<Element> =>
    asks(peer, `<command xmlns='${COMMANDS}' node='config' ${attributes}>${form}</command>`, from, 'set');
  const condition = (reply: Element): (string | undefined)[] =>
    reply
      .child('error')
      ?.children()
      .map(({ name }) => name) ?? [];
  const items = async (from: string): Promise<number> => {
    const query = `<query xmlns='http://jabber.org/protocol/disco#items' node='${COMMANDS}'/>`;
    return (await asks(peer, query, from)).children()[0]?.children().length ?? 0;
  };
  t.equal(await items(BOB.toString()), 1);
  t.equal(await items('eve@example.org/x'), 0);
  t.strictSame(condition(await run('', 'eve@example.org/x')), ['forbidden']);
  t.strictSame(condition(await run(`action='dance'`)), ['bad-request', 'malformed-action']);
  t.strictSame(condition(await run(`sessionid='none'`)), ['bad-request', 'bad-sessionid']);

  const first = (await run(`action='execute'`)).child('command', COMMANDS);
  const id = first?.attr('sessionid') ?? '';
  t.equal(first?.child('actions')?.attr('execute'), 'next');
  t.strictSame(condition(await run(`sessionid='${id}'`, 'bob@example.org/other')), ['bad-request', 'bad-sessionid']);
  t.strictSame(condition(await run(`sessionid='${id}' action='prev'`)), ['bad-request', 'bad-action']);
  t.strictSame(condition(await run(`sessionid='${id}'`)), ['internal-server-error'], 'and the stage stays');
  const form = `<x xmlns='jabber:x:data' type='submit'><field var='service'><value>httpd</value></field></x>`;
  const second = (await run(`sessionid='${id}'`, undefined, form)).child('command', COMMANDS);
  t.strictSame(
    second
      ?.child('actions')
      ?.children()
      .map(({ name }) => name),
    ['prev', 'complete'],
  );
  t.equal(
    (await run(`sessionid='${id}' action='prev'`)).child('command', COMMANDS)?.child('actions')?.attr('execute'),
    'next',
  );
  await run(`sessionid='${id}'`, undefined, form);
  const last = (await run(`sessionid='${id}'`)).child('command', COMMANDS);
  t.equal(last?.attr('status'), 'completed');
  t.equal(last?.childText('note'), 'done');
  t.strictSame(condition(await run(`sessionid='${id}'`)), ['bad-request', 'bad-sessionid'], 'it is over');

  const another = (await run('')).child('command', COMMANDS)?.attr('sessionid') ?? '';
  const canceled = (await run(`sessionid='${another}' action='cancel'`)).child('command', COMMANDS);
  t.equal(canceled?.attr('status'), 'canceled');
});

// [XEP-0050 §3.3]
t.test('sessions of commands expire, and one account cannot have them all', async (t) => {
  const limits = { sessionMs: 600_000, sessionsOfOne: 2, sessions: 3 };
  const trial = async (
    plugin: Plugin<xeps.AdHocCommands>,
  ): Promise<(from: string, id?: string) => Promise<Element>> => {
    const { client, peer } = await session(t, [plugin]);
    client.get(plugin).offer({ node: 'n', name: 'N', allowed: () => true, start: () => ({ next: () => ({}) }) });
    return (from, id) =>
      asks(
        peer,
        `<command xmlns='${xeps.NS_COMMANDS}' node='n' ${id === undefined ? '' : `sessionid='${id}'`}/>`,
        from,
        'set',
      );
  };
  const idOf = (reply: Element): string => reply.children()[0]?.attr('sessionid') ?? '';
  const run = await trial(xeps.adHocCommandsWith(limits));
  const first = idOf(await run('a@b/c'));
  await run('a@b/c');
  await run('a@b/d');
  t.equal((await run('a@b/c', first)).attr('type'), 'error', 'the oldest of the same account went');
  await run('e@b/c');
  t.equal((await run('f@b/c')).child('error')?.child('resource-constraint', NS_STANZAS)?.name, 'resource-constraint');
  const hasty = await trial(xeps.adHocCommandsWith({ ...limits, sessionMs: 0 }));
  const id = idOf(await hasty('a@b/c'));
  t.ok((await hasty('a@b/c', id)).child('error')?.child('session-expired', xeps.NS_COMMANDS));
});

const NS_STANZAS = 'urn:ietf:params:xml:ns:xmpp-stanzas';
const DOT = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==';
const card = (photo = DOT): string =>
  `<vCard xmlns='vcard-temp'><FN>Ann</FN><BDAY>1476-06-09</BDAY><PHOTO><TYPE>image/gif</TYPE><BINVAL>${photo}</BINVAL></PHOTO></vCard>`;

// [XEP-0054 §3.2] [XEP-0153 §5] [pitfall-vcard-data-uri]
t.test('a change of the card keeps what it does not name, and a picture is what its bytes are', async (t) => {
  const before = xeps.readVCard(parseElement(card(`${DOT.slice(0, 20)}\n ${DOT.slice(20)}`)));
  t.equal(before.photo?.mediaType, 'image/png');
  const after = xeps.readVCard(xeps.changeVCard(before.element, { nickname: 'A<nn', fullName: null }));
  t.match(after, { nickname: 'A<nn', photo: { mediaType: 'image/png' } });
  t.equal(after.fullName, undefined);
  t.equal(after.element.childText('BDAY'), '1476-06-09');
  t.throws(() => xeps.changeVCard(before.element, { photo: new Uint8Array(10) }), /not a PNG/);
  const huge = Buffer.concat([Buffer.from(DOT, 'base64'), Buffer.alloc(70_000)]);
  t.throws(() => xeps.changeVCard(before.element, { photo: huge }), /smaller/);
  t.equal(xeps.readVCard(parseElement(card('***'))).photo, undefined);
  const fromUri = xeps.readVCard(parseElement(card(`data:image/gif;charset=x;base64,${DOT}`))).photo;
  t.same(fromUri, before.photo, 'a data: URI (RFC 2397) is what its bytes are, too');
  t.equal(
    xeps.readVCard(parseElement(card(`data:image/png,${DOT}`))).photo,
    undefined,
    'without base64 it is not read',
  );
});

// [XEP-0153 §4.1] [XEP-0153 §4.3] [XEP-0153 §4.4]
t.test('a picture is announced once the card was read, and follows what other clients of ours do', async (t) => {
  const { client, peer } = await session(t, [xeps.vcardAvatars]);
  const says = async (): Promise<string> => {
    const heard = await peer.receives(/<x xmlns='vcard-temp:x:update'(\/>|>.*?<\/x>)/s);
    return heard.slice(heard.lastIndexOf('<x '));
  };
  const sha1 = Buffer.from((await xeps.digest('sha-1', new Uint8Array(Buffer.from(DOT, 'base64')))) ?? []).toString(
    'hex',
  );
  t.equal(await says(), `<x xmlns='vcard-temp:x:update'/>`, 'nothing is known yet');
  await answers(peer, 'vcard-temp', card());
  t.match(await says(), sha1);
  const other = (x: string, type = ''): void =>
    peer.sends(`<presence from='ann@localhost/phone' ${type}>${x}</presence>`);
  other(`<x xmlns='vcard-temp:x:update'/>`);
  other(`<x xmlns='vcard-temp:x:update'><photo>${sha1.toUpperCase()}</photo></x>`);
  other(`<x xmlns='vcard-temp:x:update'><photo/></x>`);
  t.equal(await says(), `<x xmlns='vcard-temp:x:update'/>`, 'of these only the last makes us look');
  await answers(peer, 'vcard-temp', '<vCard xmlns="vcard-temp"/>');
  t.match(await says(), /<photo\/>/);
  other('');
  t.equal(await says(), `<x xmlns='vcard-temp:x:update'/>`, 'a client that does not say what it does');
  other('', `type='unavailable'`);
  await answers(peer, 'vcard-temp', card());
  t.match(await says(), sha1);

  const seen = client.get(xeps.vcardAvatars).events.once('changed');
  peer.sends(`<presence from='${BOB.toString()}'><x xmlns='vcard-temp:x:update'><photo>${sha1}</photo></x></presence>`);
  t.match(await seen, { hash: { sha1 } });
  const fetched = client.get(xeps.vcardAvatars).fetch(BOB);
  t.match(await answers(peer, 'vcard-temp', card()), `to='bob@example.org'`);
  t.equal((await fetched)?.mediaType, 'image/png');
  t.equal(await client.get(xeps.vcardAvatars).fetch(BOB), await fetched, 'remembered by its hash');
});

// [XEP-0191 §3.2] [XEP-0191 §3.3] [XEP-0191 §3.4] [XEP-0191 §3.5] [XEP-0191 §6]
t.test('the list of the blocked is kept by the pushes of our own account, and by nobody else', async (t) => {
  const { client, peer } = await session(t, [xeps.blocking]);
  const blocking = client.get(xeps.blocking);
  const list = blocking.list();
  await answers(
    peer,
    'blocklist',
    `<blocklist xmlns='urn:xmpp:blocking'><item jid='example.com'/><item jid='@@'/></blocklist>`,
  );
  t.strictSame((await list).map(String), ['example.com']);
  t.ok(await blocking.blocks(Jid.parse('any@example.com/x')), 'a whole domain');
  const push = (what: string, from = 'ann@localhost'): Promise<Element> => asks(peer, what, from, 'set');
  const block = `<block xmlns='urn:xmpp:blocking'><item jid='${BOB.bare.toString()}'/></block>`;
  t.equal((await push(block, 'eve@example.org/x')).attr('type'), 'error');
  t.notOk(await blocking.blocks(BOB));
  t.equal((await push(block)).attr('type'), 'result');
  t.ok(await blocking.blocks(BOB));
  t.equal((await push(`<unblock xmlns='urn:xmpp:blocking'><item jid='@@'/></unblock>`)).attr('type'), 'error');
  t.ok(await blocking.blocks(BOB), 'nobody is freed by what cannot be read');
  await push(`<unblock xmlns='urn:xmpp:blocking'/>`);
  t.strictSame(await blocking.list(), []);
});

// [XEP-0092 §2] [XEP-0092 §5] [XEP-0202 §2]
t.test('version and time are told and read, the version only once we were told what to tell', async (t) => {
  const { client, peer } = await session(t, [xeps.softwareVersion, xeps.entityTime]);
  const version = `<query xmlns='jabber:iq:version'/>`;
  t.equal((await asks(peer, version)).attr('type'), 'error');
  client.get(xeps.softwareVersion).announce({ name: 'moltis', version: '1' });
  const told = (await asks(peer, version)).child('query', 'jabber:iq:version');
  t.strictSame(told === undefined ? undefined : xeps.readSoftwareVersion(told), { name: 'moltis', version: '1' });
  const time = (await asks(peer, `<time xmlns='urn:xmpp:time'/>`)).child('time', 'urn:xmpp:time');
  t.equal(time?.childText('tzo'), 'Z');
  t.match(time?.childText('utc'), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  const moment = { utc: new Date('2006-12-19T17:58:35Z'), offsetMinutes: -360 };
  t.strictSame(xeps.readEntityTime(xeps.writeEntityTime(moment)), moment);
  t.match(xeps.writeEntityTime(moment).childText('tzo'), '-06:00');
  for (const wrong of [
    '',
    '<tzo>-06:00</tzo><utc>2006-12-19T17:58:35-06:00</utc>',
    '<tzo>CST</tzo><utc>2006-12-19T17:58:35Z</utc>',
  ])
    t.equal(xeps.readEntityTime(parseElement(`<time xmlns='urn:xmpp:time'>${wrong}</time>`)), undefined);
});

// [XEP-0157 §3]
t.test('the addresses of a server are read, and what is no address is left out', async (t) => {
  const form = `<x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE' type='hidden'><value>http://jabber.org/network/serverinfo</value></field>
    <field var='abuse-addresses'><value>mailto:abuse@shakespeare.lit</value><value>no address</value></field><field var='sales-addresses'/></x>`;
  t.strictSame(
    [...xeps.contactAddresses({ forms: [parseElement(form)] })],
    [['abuse', ['mailto:abuse@shakespeare.lit']]],
  );
});

// [XEP-0478 §3.1] [XEP-0478 §4]
t.test('a stanza larger than the server takes is refused with its size, and the session goes on', async (t) => {
  const { client, peer, started } = await dialogue(t, { presence: false });
  await peer.authenticates();
  peer.sends(HEADER + features(BIND, `<limits xmlns='urn:xmpp:stream-limits:0'><max-bytes>1000</max-bytes></limits>`));
  peer.binds(await peer.receives(/<\/iq>/));
  await started;
  const message = (body: string): Element => writeMessage({ to: BOB, type: 'chat', body });
  t.throws(() => client.send(message('é'.repeat(600))), /policy-violation.* 1000/);
  client.send(message('short'));
  t.notMatch(await peer.receives(/short/), 'é');
  const limits = (text: string): unknown =>
    readStreamLimits(parseElement(`<features><limits xmlns='urn:xmpp:stream-limits:0'>${text}</limits></features>`));
  const none = { maxBytes: undefined, idleSeconds: undefined };
  t.strictSame(limits('<max-bytes>10000</max-bytes><idle-seconds>1800</idle-seconds>'), {
    maxBytes: 10_000,
    idleSeconds: 1800,
  });
  t.strictSame(limits('<max-bytes>-1</max-bytes><idle-seconds>soon</idle-seconds>'), none);
});

/** A server of which the test says every word, and a registration there that is under way. */
async function registering(t: Test, says: string): Promise<{ peer: Peer; made: Promise<void> }> {
  let arrived: (socket: Socket) => void = () => undefined;
  const connection = new Promise<Socket>((resolve) => {
    arrived = resolve;
  });
  const { port } = await listen(t, (socket) => arrived(socket));
  const made = xeps.register({
    jid: Jid.parse('ann@localhost'),
    password: PASSWORD,
    server: { host: '127.0.0.1', port, directTls: true },
    ca: LOOPBACK_CERTIFICATE,
    timeoutMs: PATIENCE_MS,
  });
  made.catch(() => undefined);
  const peer = new Peer(await connection);
  await peer.startsTls();
  t.notMatch(await peer.receives(/<stream:stream [^>]*>/), 'ann');
  peer.sends(HEADER + features(`<register xmlns='http://jabber.org/features/iq-register'/>`));
  await answers(peer, 'jabber:iq:register', `<query xmlns='jabber:iq:register'>${says}</query>`);
  return { peer, made };
}

// [XEP-0077 §3.1] [XEP-0077 §4] [XEP-0077 §5] [XEP-0077 §6]
t.test('an account is made with the fields or the form of the server, or it is said why not', async (t) => {
  const legacy = await registering(t, '<instructions>Choose</instructions><username/><password/>');
  const request = await answers(legacy.peer, 'jabber:iq:register', '');
  t.match(request, `<username>ann</username><password>${PASSWORD}</password>`);
  legacy.peer.sends('</stream:stream>');
  await legacy.made;

  const form = `<x xmlns='jabber:x:data' type='form'><field var='FORM_TYPE' type='hidden'><value>jabber:iq:register</value></field>
    <field var='username' type='text-single'><required/></field><field var='password' type='text-private'><required/></field>`;
  const both = await registering(t, `<username/><password/>${form}</x>`);
  const answer = await answers(
    both.peer,
    'jabber:iq:register',
    `<error type='cancel'><conflict xmlns='${NS_STANZAS}'/></error>`,
    'error',
  );
  t.match(answer, `<field var='password'><value>${PASSWORD}</value></field>`);
  t.notMatch(answer, '<password>', 'never both');
  both.peer.sends('</stream:stream>');
  await t.rejects(both.made, { name: 'RegistrationError', message: 'the account ann@localhost already exists' });

  const captcha = await registering(t, `${form}<field var='ocr'><required/></field></x>`);
  captcha.peer.sends('</stream:stream>');
  await t.rejects(captcha.made, { name: 'RegistrationError', message: /ocr/ });

  const web = await registering(
    t,
    `<instructions>Visit us</instructions><x xmlns='jabber:x:oob'><url>https://a/b</url></x>`,
  );
  web.peer.sends('</stream:stream>');
  await t.rejects(web.made, { name: 'RegistrationError', message: /https:\/\/a\/b/ });
});

// [XEP-0030] [XEP-0050] [XEP-0054] [XEP-0092] [XEP-0115 §5] [XEP-0153] [XEP-0191] [XEP-0202] [XEP-0390 §4]
t.test('what Prosody and ejabberd said of themselves, or passed on, is read as they meant it', async (t) => {
  for (const name of ['Prosody', 'ejabberd']) {
    const payload = (xep: number, fixture: string): Element => {
      const [first] = recorded(xep).get(fixture)?.children() ?? [];
      if (first === undefined) throw new Error(`no recording of ${fixture}`);
      return first;
    };
    const info = xeps.readDiscoInfo(payload(30, `what a server is and can do, by ${name}`));
    t.match(info.identities.at(-1), { category: 'server', type: 'im', name });
    for (const feature of [INFO, 'urn:xmpp:blocking', 'urn:xmpp:time', 'jabber:iq:version'])
      t.ok(info.features.has(feature), `${name}: ${feature}`);
    t.match(xeps.readCommand(payload(50, `a command that asks, passed on by ${name}`)), {
      node: 'greet',
      status: 'executing',
      actions: ['complete'],
      defaultAction: 'complete',
    });
    t.match(xeps.readSoftwareVersion(payload(92, `the version of ${name}`)), { name, version: /^(13\.0\.1|24\.12)/ });
    t.match(xeps.readEntityTime(payload(202, `the time of ${name}`)), { utc: Date, offsetMinutes: 0 });
    for (const what of ['blocked', 'unblocked'])
      t.match(xeps.readBlockedJids(payload(191, `somebody is ${what}, by ${name}`)).map(String), [
        /^ann-.*@example\.org$/,
      ]);

    const answer = payload(390, `the answer behind it, passed on by ${name}`);
    const presence = recorded(390).get(`a presence, passed on by ${name}`);
    const hashes = presence && xeps.readCapabilityHashes(presence);
    const sha256 = await digestOf('sha-256', xeps.capabilitiesInput(answer));
    t.same([...(hashes ?? [])], [['sha-256', sha256]], 'the hash of the answer is the one that was announced');
    const announced = recorded(115).get(`capabilities in a presence, passed on by ${name}`);
    const ver = announced && xeps.readCapabilities(announced)?.ver;
    t.equal(ver, await digestOf('sha-1', xeps.verificationString(answer)), 'by the older method, too');

    const card = xeps.readVCard(payload(54, `a vCard that ${name} keeps`));
    t.match(card, { nickname: 'Annie', photo: { mediaType: 'image/png' } });
    const updated = recorded(153).get(`a presence with the hash of a picture, by ${name}`);
    const sha1 = Buffer.from((await xeps.digestBase64('sha-1', card.photo?.bytes ?? new Uint8Array())) ?? '', 'base64');
    t.same(updated && xeps.readAvatarHash(updated), { sha1: sha1.toString('hex') });
  }
  const [list] = recorded(50).get('a list of commands')?.children() ?? [];
  t.match(list && xeps.readDiscoItems(list), [{ node: 'greet', name: 'Greet' }]);
});

async function digestOf(algorithm: string, text: string | undefined): Promise<string | undefined> {
  return text === undefined ? undefined : xeps.digestBase64(algorithm, new TextEncoder().encode(text));
}
