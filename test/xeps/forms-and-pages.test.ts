import t from 'tap';
import {
  answerForm,
  childForm,
  fieldBoolean,
  fieldOf,
  fieldValue,
  fieldValues,
  formType,
  readDataForm,
  readPage,
  readPageRequest,
  submitForm,
  writeDataForm,
  writePage,
  writePageRequest,
} from '../../src/xeps/index.js';
import { el } from '../../src/xmpp-core/xml/element.js';
import { serialize, scope } from '../../src/xmpp-core/xml/serialize.js';
import { parseElement } from '../../src/xmpp-core/xml/stream-parser.js';
import type { Element } from '../../src/xmpp-core/xml/element.js';

const written = (element: Element): string => serialize(element, scope(element.ns, {}));
const form = (type: string, content: string): Element =>
  parseElement(`<x xmlns='jabber:x:data' type='${type}'>${content}</x>`);

// [XEP-0004 §3.1, §3.2, §3.3]
t.test('a form is read with everything that it says, in its order, and written back the same', async (t) => {
  const source = form(
    'form',
    "<title>Bot Configuration</title><instructions>First.</instructions><instructions>Second.</instructions><field var='FORM_TYPE' type='hidden'>" +
      "<value>jabber:bot</value></field><field type='fixed'><value>Section 1</value></field><field var='name' type='text-single' label='The name'><desc>What it " +
      "is called</desc><required/></field><field var='features' type='list-multi'><value>news</value><value>search</value><option label='News'><value>news</value>" +
      "</option><option><value>search</value></option></field><field var='picture' type='text-single'><media xmlns='urn:xmpp:media-element'/></field>",
  );
  const read = readDataForm(source);
  t.match(read, {
    type: 'form',
    title: 'Bot Configuration',
    instructions: ['First.', 'Second.'],
    fields: [
      { name: 'FORM_TYPE', type: 'hidden', values: ['jabber:bot'] },
      { type: 'fixed', values: ['Section 1'] },
      { name: 'name', label: 'The name', description: 'What it is called', required: true, values: [] },
      {
        name: 'features',
        values: ['news', 'search'],
        options: [{ value: 'news', label: 'News' }, { value: 'search' }],
      },
      { name: 'picture' },
    ],
  });
  t.equal(formType(read), 'jabber:bot');
  t.equal(read && written(writeDataForm(read)), written(source));
});

// [XEP-0004 §3.4]
t.test('a table of results is read by rows and columns, whatever order they come in', async (t) => {
  const row = (name: string): string => `<item><field var='name'><value>${name}</value></field></item>`;
  const columns = "<reported><field var='name' type='text-single' label='Name'/></reported>";
  for (const content of [columns + row('a') + row('b'), row('a') + columns + row('b')]) {
    const read = readDataForm(form('result', content));
    t.strictSame(
      read?.reported?.map(({ name, label }) => [name, label]),
      [['name', 'Name']],
    );
    t.strictSame(
      read?.items?.map((item) => fieldValue(item, 'name')),
      ['a', 'b'],
    );
  }
  const table = form('result', columns + row('a'));
  const read = readDataForm(table);
  t.equal(read && written(writeDataForm(read)), written(table));
});

// [XEP-0004 §3.3]
t.test('what no specification knows is read as far as it goes, and never throws', async (t) => {
  t.equal(readDataForm(form('question', '')), undefined, 'a type that does not exist');
  t.equal(readDataForm(parseElement("<x xmlns='jabber:x:data'/>")), undefined, 'no type');
  t.equal(readDataForm(parseElement("<x xmlns='jabber:x:oob' type='form'/>")), undefined, 'another namespace');
  t.equal(childForm(parseElement('<query/>')), undefined);
  const odd = readDataForm(
    form('form', "<field/><field var='a' type='color'><value>red</value></field><field var='l'><option/></field>"),
  );
  t.strictSame(odd?.fields, [
    { values: [] },
    { name: 'a', type: 'text-single', values: ['red'] },
    { name: 'l', values: [], options: [{ value: '' }] },
  ]);
  const yes = readDataForm(
    form(
      'submit',
      ['1', 'true', '0', 'false', 'maybe']
        .map((value) => `<field var='${value}'><value>${value}</value></field>`)
        .join(''),
    ),
  );
  t.strictSame(
    ['1', 'true', '0', 'false', 'maybe', 'nothing'].map((name) => fieldBoolean(yes, name)),
    [true, true, false, false, undefined, undefined],
  );
  t.strictSame(fieldValues(yes, 'constructor'), []);
});

// [XEP-0004 §3.2] A type that everybody could fill in would let a peer say what its form is about.
t.test('what a question or a result is about counts only from a hidden field', async (t) => {
  const type = (kind: string, field: string): string | undefined =>
    formType(readDataForm(form(kind, `<field var='FORM_TYPE'${field}><value>urn:x</value></field>`)));
  t.equal(type('result', " type='hidden'"), 'urn:x');
  t.equal(type('result', ''), undefined);
  t.equal(type('form', " type='text-single'"), undefined);
  t.equal(type('submit', ''), 'urn:x', 'answers need not repeat types');
});

// [XEP-0004 §3.1, §3.5]
t.test(
  'an answer keeps what the question proposed, changes what it is told, and leaves out what only shows',
  async (t) => {
    const question = readDataForm(
      form(
        'form',
        "<field type='fixed'><value>Text</value></field><field var='FORM_TYPE' type='hidden'><value>urn:x</value></field><field var='kept' type='boolean'>" +
          "<value>1</value></field><field var='changed'><value>old</value></field><field var='open'/><field var='list' type='list-multi'><value>a</value></field>",
      ),
    );
    if (question === undefined) throw new Error('a form is a form');
    const answer = answerForm(question, { changed: 'new', list: [], number: 7 });
    t.equal(answer.type, 'submit');
    t.strictSame(
      answer.fields.map(({ name, values }) => [name, values]),
      [
        ['FORM_TYPE', ['urn:x']],
        ['kept', ['1']],
        ['changed', ['new']],
        ['list', []],
        ['number', ['7']],
      ],
    );
    const submit = submitForm('urn:y', { yes: true, no: false, left: undefined, many: ['1', '2'] });
    t.equal(formType(submit), 'urn:y');
    t.strictSame(fieldValues(submit, 'many'), ['1', '2']);
    t.equal(fieldValue(submit, 'yes'), '1');
    t.equal(fieldValue(submit, 'no'), '0');
    t.equal(fieldOf(submit, 'left'), undefined);
  },
);

// [XEP-0059 §2.1, §2.2, §2.3, §2.5, §2.6]
t.test('each way to ask for a page is written as it is, and read back', async (t) => {
  const set = (content: string): string => `<set xmlns='http://jabber.org/protocol/rsm'>${content}</set>`;
  const asked = [
    [{ max: 10 }, '<max>10</max>'],
    [{ max: 10, after: 'peterpan@neverland.lit' }, '<max>10</max><after>peterpan@neverland.lit</after>'],
    [{ max: 10, before: 'peter@pixyland.org' }, '<max>10</max><before>peter@pixyland.org</before>'],
    [{ max: 10, before: '' }, '<max>10</max><before></before>'],
    [{ max: 10, index: 371 }, '<max>10</max><index>371</index>'],
    [{ max: 0 }, '<max>0</max>'],
  ] as const;
  for (const [request, content] of asked) {
    const expected = parseElement(set(content));
    t.equal(written(writePageRequest(request)), written(expected), content);
    t.strictSame(readPageRequest(el('query', 'x', {}, expected)), request);
  }
  t.equal(readPageRequest(el('query', 'x')), undefined);
  t.strictSame(readPageRequest(parseElement(`<q>${set('<max>many</max><index>-1</index>')}</q>`)), {}, 'no numbers');
});

// [XEP-0059 §2.2, §2.7]
t.test('what came of a result is read: its ends, its place, the number of all', async (t) => {
  const page = (content: string): Element =>
    parseElement(`<query><set xmlns='http://jabber.org/protocol/rsm'>${content}</set></query>`);
  const whole = { first: 'stpeter@jabber.org', last: 'peterpan@neverland.lit', firstIndex: 0, count: 800 };
  t.strictSame(
    readPage(page("<first index='0'>stpeter@jabber.org</first><last>peterpan@neverland.lit</last><count>800</count>")),
    whole,
  );
  t.strictSame(readPage(el('query', 'x', {}, writePage(whole))), whole);
  t.strictSame(readPage(page('<count>790</count>')), { count: 790 }, 'an empty page');
  t.strictSame(readPage(page("<first index='x'>a</first><count>-3</count>")), { first: 'a' }, 'no numbers');
  t.equal(readPage(undefined), undefined);
});
