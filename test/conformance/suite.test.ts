/** The suite itself: what a scenario says is read as docs/fixtures.md describes it, and a client that does something else is found out. */
import t from 'tap';
import { line, readLine, writeLine, type StartImplementation } from './implementation.js';
import { startLibrary } from './library.js';
import { replay } from './replay.js';
import { SaslPeer } from './sasl-peer.js';
import { parseScenario, readScenario, scenarioFiles, ScenarioError, writeScenario, type Scenario } from './scenario.js';
import { sectionTable } from './sections.js';
import { fill, matchText, matchTree } from './template.js';
import { nextOf, turnsOf } from './turns.js';
import { ReplayError } from './verdict.js';
import { ItemReader, parseItem, withoutLayout, type Item } from './xml-tree.js';

const HEADER = `Title: A
Server: none
Written: 2026-11-23
Shows: something
   of note
Covers: RFC6120 §4.3.2, §4.4; [a-requirement]
Account: ann@example.org
Password: pencil
Way: StartTLS
Client: roster, XEP-0184
`;
const none = (): never => {
  throw new Error('comes after nothing');
};
const parsed = (text: string): Scenario => parseScenario(text, 'x.txt', none);

t.test('a scenario is read with its header, its steps, their places and the remarks above them', async (t) => {
  const scenario = parsed(`${HEADER}
# Bob writes.
S: <message>
     <body>one</body>
   </message>
E&: message body one
E&: state from bob@example.org
`);
  t.equal(scenario.shows, 'something of note');
  t.strictSame(scenario.covers, ['RFC6120 §4.3.2', 'RFC6120 §4.4', '[a-requirement]']);
  t.strictSame(scenario.settings.client, ['roster', 'XEP-0184']);
  t.match(scenario.steps, [
    {
      kind: 'S',
      at: 'fixtures/streams/x.txt:13',
      content: '<message>\n  <body>one</body>\n</message>',
      remarks: ['Bob writes.'],
    },
    { kind: 'E', unordered: true, at: 'fixtures/streams/x.txt:16' },
    { kind: 'E', unordered: true },
  ]);
});

t.test('a scenario that comes after another has its settings and its steps', async (t) => {
  const base = parsed(`${HEADER}\nA: start\n`);
  const text = 'Title: B\nServer: none\nWritten: 2026-11-23\nShows: b\nCovers: RFC6120 §1\nAfter: a.txt\n';
  const scenario = parseScenario(`${text}\nA: stop\n`, 'folder/b.txt', (file) => {
    t.equal(file, 'folder/a.txt', 'which is in the same folder');
    return base;
  });
  t.equal(scenario.settings, base.settings);
  t.strictSame(
    scenario.allSteps.map(({ content }) => content),
    ['start', 'stop'],
  );
  t.throws(() => parseScenario(`${text}Way: WebSocket\n`, 'b.txt', () => base), /b\.txt:1: Way is that of x\.txt/);
});

t.test('what cannot be read is refused with its file, its line, and what is right there', async (t) => {
  const mistakes = [
    [`${HEADER}Colour: red\n`, /^x\.txt:11: not a header; they are Title/],
    [`${HEADER}Title: again\n`, /^x\.txt:11: there is a second Title/],
    [HEADER.replace(/^Shows.*\n.*\n/m, ''), /^x\.txt:1: the header has no Shows/],
    [
      HEADER.replace('StartTLS', 'carrier pigeon'),
      /^x\.txt:1: Way is one of StartTLS, direct TLS, WebSocket, not 'carrier pigeon'/,
    ],
    [HEADER.replace('Written: 2026-11-23', 'Written: today'), /^x\.txt:1: needs either 'Recorded' or 'Written'/],
    [`${HEADER}\nS&: <a/>\n`, /^x\.txt:12: a step begins/],
    [`${HEADER}\nA: start\nX: start\n`, /^x\.txt:13: a step begins with C:, S:, A:, E:, N: or O:/],
    [`${HEADER}\nA: start\n too little space\n`, /^x\.txt:13: a step begins/],
  ] as const;
  for (const [text, message] of mistakes) t.throws(() => parsed(text), { name: ScenarioError.name, message });
});

t.test('a scenario that is written and read again is the same', async (t) => {
  for (const file of scenarioFiles()) {
    const scenario = readScenario(file);
    const again = parseScenario(writeScenario(scenario.headers, scenario.steps), file, readScenario);
    const plain = ({ steps }: Scenario): unknown => steps.map((step) => ({ ...step, at: '' }));
    t.strictSame([...again.headers], [...scenario.headers], file);
    t.strictSame(plain(again), plain(scenario), file);
  }
});

t.test('lines of actions and events are read back as they were written, quotes, breaks and all', async (t) => {
  const said = line('message', { from: 'bob@example.org', body: 'a "b"\n\\c', empty: '', none: undefined });
  const text = String.raw`message from bob@example.org body "a \"b\"\n\\c" empty ""`;
  t.equal(writeLine(said), text);
  t.strictSame(readLine(text), said);
  t.throws(() => readLine('message from'), /'from' has no value/);
});

t.test(
  'two elements are the same whatever their prefixes, quotes, layout and order are, and different in everything else',
  async (t) => {
    const outcome = (wanted: string, came: string): unknown =>
      matchTree(parseItem(withoutLayout(wanted)).tree, parseItem(came).tree, new Map());
    const wanted = `<iq type='get' id='{id:1}'>\n  <a xmlns='x' b="1" c='2'/>\n  <d xmlns='y'>text</d>\n</iq>`;
    t.match(outcome(wanted, `<iq id="7" type="get"><q:d xmlns:q="y">text</q:d><a c='2' b='1' xmlns='x'/></iq>`), {
      bindings: new Map([['id:1', '7']]),
    });
    const differences = [
      [`<iq type='set' id='7'/>`, /attribute type: 'set' is not 'get'/],
      [`<iq type='get'/>`, /attribute id='\{id:1\}' is missing/],
      [`<iq type='get' id='7' to='x'/>`, /attribute to='x' too many/],
      [`<iq type='get' id='7'><a xmlns='x' b='1' c='2'/></iq>`, /<d xmlns='y'> is missing/],
      [
        `<iq type='get' id='7'><a xmlns='x' b='1' c='2'/><d xmlns='y'>test</d></iq>`,
        /iq\/d, text: 'test' is not 'text'/,
      ],
      [
        `<iq type='get' id='7'><a xmlns='x' b='1' c='3'/><d xmlns='y'>text</d></iq>`,
        /iq\/a, attribute c: '3' is not '2'/,
      ],
      [`<iq type='get' id='7'><a xmlns='z' b='1' c='2'/><d xmlns='y'>text</d></iq>`, /<a xmlns='x'> is missing/],
      [`<iq type='get' id='7'>!<a xmlns='x' b='1' c='2'/><d xmlns='y'>text</d></iq>`, /iq, text: '!' is not ''/],
      [
        `<iq type='get' id='7'><a xmlns='x' b='1' c='2'/><d xmlns='y'>text</d><e xmlns='z'/></iq>`,
        /<e xmlns='z'> is too many/,
      ],
      [`<iq xmlns='jabber:server' type='get' id='7'/>`, /<iq xmlns='jabber:server'> is not/],
    ] as const;
    for (const [came, difference] of differences) t.match(outcome(wanted, came), { difference });
  },
);

t.test('a placeholder stands for the same wherever it comes again, and children find their order by it', async (t) => {
  const wanted = parseItem(`<m><a>{x}</a><b>{x}</b><c>{{x}</c></m>`).tree;
  t.match(matchTree(wanted, parseItem('<m><b>1</b><c>{x}</c><a>1</a></m>').tree, new Map()), {
    bindings: new Map([['x', '1']]),
  });
  t.match(matchTree(wanted, parseItem('<m><a>1</a><b>2</b><c>{x}</c></m>').tree, new Map()), {
    difference: /'2' is not '1'/,
  });
  const twins = parseItem(`<m><a v='{x}'/><a v='{y}'/><b>{y}</b></m>`).tree;
  t.match(matchTree(twins, parseItem(`<m><a v='1'/><a v='2'/><b>1</b></m>`).tree, new Map()), {
    bindings: new Map([
      ['x', '2'],
      ['y', '1'],
    ]),
  });
  const optional = parseItem(`<m a='{?}'><text>{?}</text></m>`).tree;
  for (const came of ['<m/>', `<m a='1'/>`, `<m><text>why</text></m>`, `<m xml:lang='de'/>`]) {
    t.match(matchTree(optional, parseItem(came).tree, new Map()), { bindings: new Map() });
  }
  t.match(matchText('{time}', '2026-11-23T02:03:04Z', new Map()), { bindings: new Map() });
  t.match(matchText('{time}', 'noon', new Map()), { difference: /'noon' is not/ });
  t.match(matchText('a{*}z.', 'a to z.', new Map()), { bindings: new Map() });
  t.match(matchText('a{*}z.', 'a to z!', new Map()), { difference: /is not/ });
  t.equal(
    fill(`<a b='{x}'>{{"json":{"y":1}}</a>`, () => `<'&">`),
    `<a b='&lt;&apos;&amp;&quot;>'>{"json":{"y":1}}</a>`,
  );
});

t.test(
  'a client that does something else than a scenario says is told where, what was wanted, and what came',
  async (t) => {
    const online = readScenario('hostile/login-wrong-signature.txt');
    const changed = (from: string, to: string): Scenario => ({
      ...online,
      allSteps: online.allSteps.map((step) => ({ ...step, content: step.content.replace(from, to) })),
    });
    const failures = [
      [
        changed("mechanism='SCRAM-SHA-256'", "mechanism='PLAIN'"),
        /:\d+: auth, attribute mechanism: 'SCRAM-SHA-256' is not 'PLAIN'[^]*but the client sent:\n {3}<auth/,
      ],
      [
        changed('offline kind sasl', 'offline kind tls'),
        /: kind: 'sasl' is not 'tls'[^]*but the client told:\n {3}offline/,
      ],
      [changed('offline kind sasl', 'online'), /'offline' is not 'online'/],
      [changed('offline kind sasl', 'offline kind ""'), /kind: 'sasl' is not ''/],
      [changed('offline kind sasl', 'offline by peer'), /it does not tell 'by'/],
      [changed('TLS', 'sunshine'), /nothing like 'sunshine' happens to a connection/],
      [
        { ...online, allSteps: online.allSteps.slice(0, -1) },
        /after fixtures\S+: the client told something more:\n {3}offline/,
      ],
      [changed('start', 'dance'), /'dance' comes before 'start'/],
    ] as const;
    for (const [scenario, message] of failures) {
      await t.rejects(replay(scenario, startLibrary), { name: ReplayError.name, message });
    }
  },
);

t.test('a client that proves another password than it was told is found out', async (t) => {
  const impostor: StartImplementation = async (settings, site, told) =>
    startLibrary({ ...settings, password: 'pen' }, site, told);
  await t.rejects(replay(readScenario('hostile/login-wrong-signature.txt'), impostor), /proves another password/);
});

t.test(
  'a client that does more than a scenario says is found out, also when it does it after the last step',
  async (t) => {
    /** Does this, once, when it has told that. */
    const eager = (verb: string, action: string): StartImplementation => {
      return async (settings, site, told) => {
        let isDone = false;
        const library = await startLibrary(settings, site, (event) => {
          told(event);
          if (event.verb !== verb || isDone) return;
          isDone = true;
          queueMicrotask(() => library.act(readLine(action)));
        });
        return library;
      };
    };
    const online = readScenario('prosody-13/online.txt');
    await t.rejects(
      replay(online, eager('presence', 'message to bob@example.org body "one more"')),
      /online\.txt:\d+: the client sent something:\n {3}<message/,
    );
    await t.rejects(replay(online, eager('presence', 'stop')), /the client sent something:\n {3}<presence/);
    await t.rejects(
      replay(readScenario('hostile/login-wrong-signature.txt'), eager('offline', 'start')),
      /the client connected once more/,
    );
  },
);

t.test('an end is told before or after what else the client tells then, but not before what was found', async (t) => {
  const steps = (text: string): Scenario['steps'] => parsed(`${HEADER}\n${text}`).steps;
  const turns = turnsOf(
    steps(`A: join
S: <a/>
S: <b/>
E: done of join
C: <c/>
E: occupant
E: item of archive
E: done of archive
E: nothing
E: subject
C&: <d/>
C&: <e/>
C: <f/>
`),
  ).map((turn) => turn.map(({ content }) => content));
  t.strictSame(turns, [
    ['join'],
    ['<a/>', '<b/>'],
    ['done of join', 'occupant', 'item of archive', 'done of archive'],
    ['<c/>'],
    ['nothing'],
    ['subject'],
    ['<d/>', '<e/>'],
    ['<f/>'],
  ]);
  const next = (text: string): readonly string[] => nextOf(steps(text)).map(({ content }) => content);
  t.strictSame(next('E: done of join\nE: occupant\nE: subject\n'), ['occupant', 'done of join']);
  t.strictSame(next('E: occupant\nE: item of a\nE: done of a\nE: done of b\n'), ['occupant', 'done of b']);
  t.strictSame(next('E&: a\nE&: b\nE: c\nE&: d\n'), ['a', 'b']);
  t.strictSame(next('E: a\nE&: b\n'), ['a']);
  t.strictSame(next('C&: <a/>\nC&: <b/>\n'), ['<a/>', '<b/>']);
});

t.test('two requests with one id are found out', async (t) => {
  const wanted = parseItem(`<iq type='get' id='{id:2}'/>`).tree;
  const came = parseItem(`<iq type='get' id='7'/>`).tree;
  t.match(matchTree(wanted, came, new Map([['id:1', '7']])), { difference: /'7' is the id of something else/ });
  t.match(matchTree(wanted, came, new Map([['id:1', '8']])), { bindings: new Map([['id:2', '7']]) });
  t.match(matchTree(wanted, parseItem(`<iq type='get' id=''/>`).tree, new Map()), { difference: /'' is not/ });
});

t.test('a stream is read however its bytes come, and what may not stand in one is found out', async (t) => {
  const head = `<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>`;
  const read = (pieces: Iterable<string>): readonly string[] => {
    const items: Item[] = [];
    const reader = new ItemReader((item) => items.push(item));
    for (const piece of pieces) reader.read(piece);
    return items.map(({ kind, tree }) => `${kind} ${tree.name} ${tree.text}`.trim());
  };
  const whole = `<?xml version='1.0'?>${head}<a><![CDATA[<b>]]></a> \n<?xml version='1.0'?>${head}<c/></stream:stream>`;
  const items = ['head stream', 'element a <b>', 'head stream', 'element c', 'end stream'];
  t.strictSame(read([whole]), items);
  t.strictSame(read(whole), items, 'each character by itself');
  for (const content of ['text<a/>', '<!-- comment -->', '<?php ?>', '<a><!-- comment --></a>', '<a></b>']) {
    t.throws(() => read([head, content]), { name: 'Error' }, content);
  }
});

t.test(
  'a client that binds its login to TLS in a way that was not offered, or denies what was, is found out',
  async (t) => {
    const begin = (mechanism: string, first: string): void => {
      const peer = new SaslPeer({
        username: 'ann',
        password: 'pencil',
        binding: () => Buffer.alloc(32),
        tokens: new Map(),
        advertised: { mechanisms: ['SCRAM-SHA-256', 'SCRAM-SHA-256-PLUS'], bindings: ['tls-exporter'] },
      });
      peer.begin(mechanism);
      peer.hear(Buffer.from(first).toString('base64'));
    };
    begin('SCRAM-SHA-256-PLUS', 'p=tls-exporter,,n=ann,r=nonce');
    begin('SCRAM-SHA-256', 'n,,n=ann,r=nonce');
    t.throws(() => begin('SCRAM-SHA-256-PLUS', 'p=tls-unique,,n=ann,r=nonce'), /tls-unique, which was not offered/);
    t.throws(() => begin('SCRAM-SHA-256', 'y,,n=ann,r=nonce'), /cannot bind to TLS, which it has offered/);
  },
);

t.test('the table tells, for each section, how many scenarios cover it and how many hold', async (t) => {
  const scenario = (covers: readonly string[]): Scenario => ({ ...parsed(HEADER), covers });
  t.strictSame(
    sectionTable([
      { scenario: scenario(['XEP-0045 §7.10', '[a-requirement]']), holds: true },
      { scenario: scenario(['XEP-0045 §7.2', 'XEP-0045 §7.10']), holds: false },
    ]),
    ['section         scenarios  hold', 'XEP-0045 §7.2           1     0', 'XEP-0045 §7.10          2     1'],
  );
});
