/** What the recorder makes of what it saw: names for what differs from run to run, lines that can be read, remarks where they were. */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { layOut } from './recorder/layout.js';
import { fillIn, generalise, nameValues, type Place, type Sighting } from './recorder/placeholders.js';
import { People } from './recorder/people.js';
import { withRemarks } from './recorder/recorder.js';
import { parseScenario, type StepKind } from './scenario.js';
import { parseItem, withoutLayout } from './xml-tree.js';

const PLACE: Place = {
  httpsPort: 5281,
  plan: 'message to bob@example.org id chosen',
  taken: new Set(),
  resource: 'laptop',
};
const ID = 'q3ZkBv0Xh1mGd8Jw5TsYcA';
const OTHER_ID = 'e7RfNu2LpKqWi4Ho9Vb_xZ';
const SASL2 = `xmlns='urn:xmpp:sasl:2'`;

function said(kind: 'C' | 'S', text: string): Sighting {
  return { kind, text, item: parseItem(text) };
}

/** All as a scenario would say it. */
function generalised(seen: readonly Sighting[], place = PLACE): readonly string[] {
  const names = nameValues(seen, place);
  return seen.map((one) => generalise(one, names, place));
}

t.test('an id that the client made has one name, wherever it comes again', async (t) => {
  t.strictSame(
    generalised([
      said('C', `<message id='${ID}'><origin-id xmlns='urn:xmpp:sid:0' id='${ID}'/><body>${ID}</body></message>`),
      said('C', `<iq type='get' id='${OTHER_ID}'/>`),
      said('S', `<iq type='result' id="${OTHER_ID}"/>`),
      { kind: 'E', text: `acknowledged id ${ID}` },
    ]),
    [
      `<message id='{id:1}'><origin-id xmlns='urn:xmpp:sid:0' id='{id:1}'/><body>{id:1}</body></message>`,
      `<iq type='get' id='{id:2}'/>`,
      `<iq type='result' id="{id:2}"/>`,
      'acknowledged id {id:1}',
    ],
  );
});

t.test('an id stays as it is when the plan chose it, or the server said it first', async (t) => {
  const seen = [
    said('C', `<message id='chosen'/>`),
    said('S', `<iq type='get' id='${ID}'/>`),
    said('C', `<iq type='result' id='${ID}'/>`),
  ];
  t.strictSame(
    generalised(seen),
    seen.map(({ text }) => text),
  );
});

t.test('a scenario that comes after another gives its ids names that the other does not have', async (t) => {
  const taken = new Set(['{id:1}', '{id:2}']);
  t.strictSame(generalised([said('C', `<message id='${ID}'/>`)], { ...PLACE, taken }), [`<message id='{id:3}'/>`]);
});

t.test('what an archive calls a message has a name of the recording, by which a plan can speak of it', async (t) => {
  const seen = [
    said('S', `<message><stanza-id xmlns='urn:xmpp:sid:0' id='1763868245123456' by='ann@example.org'/></message>`),
    said('S', `<message><result xmlns='urn:xmpp:mam:2' id='1763868245123456' queryid='f'/></message>`),
  ];
  t.match(generalised(seen).join(' '), /stanza-id [^>]*id='stanza-1'.*result [^>]*id='stanza-1'/);
  t.equal(fillIn('retract id stanza-1', nameValues(seen, PLACE)), 'retract id 1763868245123456');
});

t.test('an occupant has the same name in each recording, wherever the id comes again', async (t) => {
  const presence = `<presence><occupant-id id='g20AAAAgXWN6+/8=' xmlns='urn:xmpp:occupant-id:0'/></presence>`;
  const seen = [
    said('S', presence),
    said('S', `<message><occupant-id xmlns='urn:xmpp:occupant-id:0' id='other'/></message>`),
    { kind: 'E', text: 'message occupant-id g20AAAAgXWN6+/8= own yes' } as const,
  ];
  t.strictSame(generalised(seen), [
    presence.replace('g20AAAAgXWN6+/8=', 'occupant-1'),
    `<message><occupant-id xmlns='urn:xmpp:occupant-id:0' id='occupant-2'/></message>`,
    'message occupant-id occupant-1 own yes',
  ]);
});

t.test(
  'a session has the same name in each recording, and so has the resource that the server made for it',
  async (t) => {
    const bound = `<success ${SASL2}><authorization-identifier>ann@example.org/laptop~8sX.+</authorization-identifier></success>`;
    const seen = [
      said('S', bound),
      said('S', `<enabled xmlns='urn:xmpp:sm:3' id='d6euj4ohD_KK' resume='true'/>`),
      said('C', `<resume xmlns='urn:xmpp:sm:3' h='1' previd='d6euj4ohD_KK'/>`),
      { kind: 'E', text: 'online jid ann@example.org/laptop~8sX.+' } as const,
    ];
    t.strictSame(generalised(seen), [
      bound.replace('~8sX.+', '~1'),
      `<enabled xmlns='urn:xmpp:sm:3' id='session-1' resume='true'/>`,
      `<resume xmlns='urn:xmpp:sm:3' h='1' previd='session-1'/>`,
      'online jid ann@example.org/laptop~1',
    ]);
    const wished = said('S', `<iq type='result'><bind><jid>ann@example.org/laptop</jid></bind></iq>`);
    t.strictSame(generalised([wished]), [wished.text]);
  },
);

t.test('a challenge with a hash of what the server offered says so (XEP-0474)', async (t) => {
  const payload = Buffer.from('r=a,s=b,i=4096,h=c').toString('base64');
  t.strictSame(generalised([said('S', `<challenge ${SASL2}>${payload}</challenge>`)]), [
    `<challenge ${SASL2}>{sasl:downgrade-hash}</challenge>`,
  ]);
});

t.test('an exchange of SASL is left to be computed, in both forms of it', async (t) => {
  t.strictSame(
    generalised([
      said('C', `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGFubgBwZW5jaWw=</auth>`),
      said('S', `<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>`),
      said(
        'C',
        `<authenticate ${SASL2} mechanism='PLAIN'><initial-response>AGFubg==</initial-response></authenticate>`,
      ),
      said('S', `<challenge ${SASL2}>cj1h</challenge>`),
      said(
        'S',
        `<success ${SASL2}><additional-data>dj0x</additional-data><authorization-identifier>a@b</authorization-identifier></success>`,
      ),
    ]),
    [
      `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{sasl}</auth>`,
      `<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>`,
      `<authenticate ${SASL2} mechanism='PLAIN'><initial-response>{sasl}</initial-response></authenticate>`,
      `<challenge ${SASL2}>{sasl}</challenge>`,
      `<success ${SASL2}><additional-data>{sasl}</additional-data><authorization-identifier>a@b</authorization-identifier></success>`,
    ],
  );
});

t.test('no token for logins or uploads is in a recording, and none expires before it is played', async (t) => {
  const [fast = '', upload = ''] = generalised([
    said(
      'S',
      `<success ${SASL2}><token xmlns='urn:xmpp:fast:0' expiry='2026-12-14T02:30:00Z' token='c2VjcmV0'/></success>`,
    ),
    said('S', `<put url='https://localhost:5281/f'><header name='Authorization'>Bearer aaa.bbb.ccc</header></put>`),
  ]);
  t.match(fast, `expiry='2099-01-01T00:00:00Z' token='{token:1}'`);
  t.equal(upload, `<put url='https://upload.example.org/f'><header name='Authorization'>Bearer token</header></put>`);
});

t.test('the run of a command has a name, also where its server calls it by the time', async (t) => {
  const command = (session: string): string =>
    `<iq id='x'><command xmlns='http://jabber.org/protocol/commands' node='n' sessionid='${session}'/></iq>`;
  const seen = [said('S', command('2026-11-23T03:20:13.595911Z')), said('C', command('2026-11-23T03:20:13.595911Z'))];
  t.strictSame(generalised(seen), [command('session-1'), command('session-1')]);
});

t.test('a time that the plan asks for stays in what the client says of it', async (t) => {
  const place = { ...PLACE, plan: 'archive start 2026-11-01T00:00:00Z' };
  t.strictSame(generalised([said('C', `<value>2026-11-01T00:00:00.000Z</value>`)], place), [
    '<value>2026-11-01T00:00:00.000Z</value>',
  ]);
});

t.test('what a client calls itself, and the time it has, is not what is recorded', async (t) => {
  const caps = (ver: string, node: string): string =>
    `<presence><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='${node}' ver='${ver}'/></presence>`;
  const caps2 = `<presence><c xmlns='urn:xmpp:caps'><hash xmlns='urn:xmpp:hashes:2' algo='sha-256'>u79ZroNJbdSWhdSp311mddz44oHHPsEBntQ5b1jqBSY=</hash></c></presence>`;
  t.strictSame(
    generalised([
      said('C', caps('k0jLI+P9M67A9SqcTRFTIxs8Hi8=', 'https://client.example')),
      said('S', caps('k0jLI+P9M67A9SqcTRFTIxs8Hi8=', 'https://client.example')),
      said('C', caps2),
      said('S', caps2),
      said(
        'C',
        `<iq type='result' id='v'><query xmlns='jabber:iq:version'><name>Ours</name><version>1</version></query></iq>`,
      ),
      said('C', `<message><delay xmlns='urn:xmpp:delay' stamp='2026-11-23T02:30:00.123Z'/></message>`),
      said('S', `<message><delay xmlns='urn:xmpp:delay' stamp='2026-11-23T02:31:00Z'/></message>`),
    ]),
    [
      caps('{caps:1}', '{caps-node:1}'),
      caps('{caps:1}', '{caps-node:1}'),
      caps2.replace('u79ZroNJbdSWhdSp311mddz44oHHPsEBntQ5b1jqBSY=', '{caps-hash:1}'),
      caps2.replace('u79ZroNJbdSWhdSp311mddz44oHHPsEBntQ5b1jqBSY=', '{caps-hash:1}'),
      `<iq type='result' id='{id:1}'><query xmlns='jabber:iq:version'><name>{*}</name><version>{*}</version></query></iq>`,
      `<message><delay xmlns='urn:xmpp:delay' stamp='{time}'/></message>`,
      `<message><delay xmlns='urn:xmpp:delay' stamp='2026-11-23T02:31:00Z'/></message>`,
    ],
  );
});

t.test('a brace that was said is not taken for a placeholder', async (t) => {
  t.strictSame(generalised([said('S', '<message><body>{id:1}</body></message>')]), [
    '<message><body>{{id:1}</body></message>',
  ]);
});

t.test('a long element is broken between tags, and is the same when the breaks are taken out', async (t) => {
  const features = Array.from({ length: 5 }, (_, index) => `<feature var='urn:example:feature:${index}>'/>`).join('');
  const long = `<iq type='result'><query xmlns='a'>${features}<note>two words</note></query></iq>`;
  const laidOut = layOut(long);
  t.ok(laidOut.split('\n').length > 3 && laidOut.split('\n').every((line) => line.length <= 140));
  t.equal(withoutLayout(laidOut), long);
});

t.test('no break comes beside a text, and one inside a text is not lost', async (t) => {
  const body = `<body>${'long '.repeat(40)}<b>text</b></body>`;
  t.equal(layOut(body), body);
  t.equal(layOut(`<body>\n</body>`), '<body>&#10;</body>');
  t.strictSame(parseItem(withoutLayout(layOut(`<body>one\n\ntwo</body>`))).tree.text, 'one\n\ntwo');
  const head = `<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>`;
  t.equal(layOut(head), head);
  t.equal(layOut('</stream:stream>'), '</stream:stream>');
});

const HEADER = 'Title: t\nServer: s\nRecorded: 2026-11-23\nShows: s\nCovers: c\nAccount: a@b\nWay: StartTLS\n\n';

function steps(text: string): ReturnType<typeof parseScenario>['steps'] {
  return parseScenario(HEADER + text, 't.txt', () => {
    throw new Error('it comes after none');
  }).steps;
}

t.test('a remark stays with what it speaks of when a scenario is recorded anew', async (t) => {
  const before = steps('A: start\nS: <a/>\n# The second.\nS: <b/>\nA: stop\n# The first after it.\nS: <c/>\n');
  const now = steps('A: start\nC: <x/>\nS: <a/>\nS: <b2/>\nA: stop\nS: <c/>\nS: <d/>\n');
  const remarked = withRemarks(now, before).filter(({ remarks }) => remarks.length > 0);
  const expected: readonly [StepKind, string, string][] = [
    ['S', '<b2/>', 'The second.'],
    ['S', '<c/>', 'The first after it.'],
  ];
  t.strictSame(
    remarked.map(({ kind, content, remarks }) => [kind, content, remarks[0]]),
    expected,
  );
});

t.test('what an event must not say stays when a scenario is recorded anew', async (t) => {
  const before = steps('A: start\nE: message id m1 by-author "" thread ""\nE: offline kind ""\n');
  const now = steps('A: start\nE: message id m2 thread t1\nE: online\n');
  t.strictSame(
    withRemarks(now, before).map(({ content }) => content),
    ['start', 'message id m2 thread t1 by-author ""', 'online'],
  );
});

t.test('what others can do in a plan, by themselves and with clients of others, is what its page says', async (t) => {
  const page = readFileSync('docs/fixtures.md', 'utf8');
  const [, table = ''] = /\n\| `O:` \|.*\n\|[-|]+\n([^]*?)\n\n/.exec(page) ?? [];
  const steps = table.split('\n').flatMap((row) => (row.split('|')[1] ?? '').match(/(?<=`)[^`]{2,}(?=`)/g) ?? []);
  const byPeople = steps.filter((step) => !/^(?:server|the network|, )/.test(step));
  t.ok(byPeople.length > 10 && byPeople.some((step) => step.startsWith('profanity')));
  t.strictSame(
    byPeople.filter((step) => !People.knows(step)),
    [],
  );
});
