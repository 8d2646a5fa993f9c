import t from 'tap';
import { chunk, Chunker } from '../../../src/agent/text/chunk.js';
import { toMessageStyling } from '../../../src/agent/text/styling.js';

const points = (text: string): number => Array.from(text).length;

// [promise-answer-chunks]
t.test('a long text is cut at the best boundary that fits: paragraph, line, sentence, word', async (t) => {
  const cases: [promise: string, text: string, limit: number, chunks: string[]][] = [
    ['what fits is left as it is', 'One.\n\nTwo.', 10, ['One.\n\nTwo.']],
    ['a paragraph before a line', 'aa bb\n\ncc. dd\nee ff', 16, ['aa bb', 'cc. dd\nee ff']],
    ['the last paragraph that fits', 'aaaa\n\nbbbb\n\ncccc', 10, ['aaaa\n\nbbbb', 'cccc']],
    ['a line before a sentence', 'aa bb\ncc. dd ee', 12, ['aa bb', 'cc. dd ee']],
    ['a sentence before a word', 'Hello there. How are you?', 20, ['Hello there.', 'How are you?']],
    ['a closing quote belongs to its sentence', 'He said "no." And went on.', 20, ['He said "no."', 'And went on.']],
    ['a full stop within a word ends nothing', 'see example.com for it', 16, ['see example.com', 'for it']],
    ['a word before its letters', 'alpha beta gamma', 12, ['alpha beta', 'gamma']],
    ['a word that ends at the limit is whole', 'alpha beta gamma', 10, ['alpha beta', 'gamma']],
    ['a word longer than the limit is cut', 'abcdefgh', 3, ['abc', 'def', 'gh']],
    ['spaces at a cut are dropped, indentation is not', 'alpha    \n  - beta', 9, ['alpha', '  - beta']],
    ['many spaces at a cut are dropped', 'alpha      beta', 5, ['alpha', 'beta']],
    ['a Chinese sentence needs no space', '你好世界。今天天气很好', 8, ['你好世界。', '今天天气很好']],
    ['a Chinese word is whole', 'ok 今天天气很好', 8, ['ok 今天天气', '很好']],
    ['a blank text is no message', ' \n\t\n ', 2, []],
    ['an empty text is no message', '', 2, []],
    ['code points are counted, not UTF-16 units', '😀😀😀😀', 4, ['😀😀😀😀']],
    ['a family is not torn apart', 'ab👨‍👩‍👧cd', 6, ['ab', '👨‍👩‍👧c', 'd']],
    ['a grapheme longer than the limit is cut between code points', '👨‍👩‍👧', 2, ['👨\u200d', '👩\u200d', '👧']],
    ['a mark stays with the space it stands on', 'ab  \u0308cd', 3, ['ab', ' \u0308c', 'd']],
    ['Windows line ends are line ends', 'aa bb\r\n\r\ncc dd', 8, ['aa bb', 'cc dd']],
  ];
  for (const [promise, text, limit, chunks] of cases) t.strictSame(chunk(text, limit), chunks, promise);
});

// [promise-answer-fences]
t.test('a code block that is cut is closed and reopened with its language', async (t) => {
  const cases: [promise: string, text: string, limit: number, chunks: string[]][] = [
    [
      'closed at the cut, opened after it',
      '```py\nfirst = 1\nsecond = 2\n```\nend',
      23,
      ['```py\nfirst = 1\n```', '```py\nsecond = 2\n```', 'end'],
    ],
    [
      'rather cut before the block',
      'Some words:\n```py\na = 1\n\nb = 2\n```',
      26,
      ['Some words:', '```py\na = 1\n\nb = 2\n```'],
    ],
    [
      'with its indentation and tildes',
      '1. so\n  ~~~js\n  let a\n  let b\n  let c\n  ~~~',
      30,
      ['1. so', '  ~~~js\n  let a\n  let b\n  ~~~', '  ~~~js\n  let c\n  ~~~'],
    ],
    [
      'the indentation of code is kept',
      '```\nif a:\n    b = 1\n    c = 2\n```',
      24,
      ['```\nif a:\n    b = 1\n```', '```\n    c = 2\n```'],
    ],
    [
      'a long line of code, too',
      '```c\naaaaaaaaaaaaaaaaaaaa\n```',
      20,
      ['```c\naaaaaaaaaaa\n```', '```c\naaaaaaaaa\n```'],
    ],
    [
      'a shorter fence does not close a longer',
      '````\n```\na b c d\n```\ne\n````',
      22,
      ['````\n```\na b c d\n````', '````\n```\ne\n````'],
    ],
    ['a closing fence at a cut is not sent alone', '```\nabcdefghijk\n``````', 20, ['```\nabcdefghijk\n```']],
    ['nor does it open a block', '```\nabcdefghijk\n``````\nThe end.', 20, ['```\nabcdefghijk\n```', 'The end.']],
    ['fences that leave no room for code are text', '```py\na b c d\n```', 8, ['```py', 'a b c d', '```']],
  ];
  for (const [promise, text, limit, chunks] of cases) t.strictSame(chunk(text, limit), chunks, promise);
});

t.test('a limit below one is rejected', async (t) => {
  for (const limit of [0, -1, 0.5, NaN, Infinity]) t.throws(() => chunk('text', limit), RangeError, String(limit));
});

/** A small reproducible source of randomness (mulberry32). */
function randomSource(seed: number): (below: number) => number {
  return (below) => {
    seed = (seed + 0x6d2b79f5) | 0;
    let z = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    z = (z + Math.imul(z ^ (z >>> 7), 61 | z)) ^ z;
    return ((z ^ (z >>> 14)) >>> 0) % below;
  };
}

const PIECES = [
  ['a', 'word', 'Wörter', 'x'.repeat(30), '.', '! ', '? ', ' ', '  ', '\n', '\n\n', '\n   ', '\r\n', '\t', '\u00a0'],
  ['👨‍👩‍👧', '🇩🇪🇫🇷', 'e\u0301\u0302', ' \u0308', '\u0308', '👍🏽', '今天天气', 'ロボット。', 'สวัสดี', '한국어', '\u200d'],
  ['\n```\n', '\n```python\n', '\n~~~\n', '\n````md\n', '> ', '- ', '**', '`c`'],
].flat();

function randomText(random: (below: number) => number): string {
  return Array.from({ length: random(60) }, () => PIECES[random(PIECES.length)] ?? '').join('');
}

const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
t.comment(`seed ${seed}`);

// [promise-answer-chunks] [promise-answer-fences]
t.test(
  'for any text every message fits, no text is lost, no grapheme is cut, and the pieces do not matter',
  async (t) => {
    const random = randomSource(seed);
    const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });
    // Fence lines may be repeated or dropped at a cut, white space may go; everything else stays, in order.
    const essence = (text: string): string => text.replace(/(?:`{3,}|~{3,})(?:python|md)?|\s/g, '');
    for (let round = 0; round < 3000; round += 1) {
      const text = randomText(random);
      // Below 16 fences are plain text; from 40 on every fence here is repeated with its language.
      const limit = random(2) === 0 ? 1 + random(15) : 40 + random(80);
      const chunks = chunk(text, limit);
      const where = { seed, round, text, limit, chunks };
      if (chunks.some((part) => points(part) > limit)) return t.fail('a message is over the limit', where);
      if (chunks.some((part) => part.trim() === '')) return t.fail('a message is blank', where);
      if (limit >= 16 && essence(chunks.join('\n')) !== essence(text)) return t.fail('something was lost', where);
      if (limit < 16 && chunks.join('').replace(/\s/g, '') !== text.replace(/\s/g, '')) {
        return t.fail('something was lost', where);
      }
      const whole = [...graphemes.segment(text)].map(({ segment }) => segment);
      if (whole.every((grapheme) => points(grapheme) <= limit)) {
        const known = new Set(whole);
        const torn = chunks
          .flatMap((part) => [...graphemes.segment(part)].map(({ segment }) => segment))
          .find((grapheme) => grapheme !== '\n' && !known.has(grapheme));
        if (torn !== undefined) return t.fail('a grapheme is torn', { ...where, torn });
      }
      const chunker = new Chunker(limit);
      const grown: string[] = [];
      for (let at = 0; at < text.length;) {
        const step = 1 + random(9);
        grown.push(...chunker.push(text.slice(at, at + step)));
        if (points(chunker.rest()) > limit) return t.fail('the growing message is over the limit', where);
        at += step;
      }
      const rest = chunker.rest();
      if (rest !== '') grown.push(rest);
      if (JSON.stringify(grown) !== JSON.stringify(chunks))
        return t.fail('pieces are cut differently', { ...where, grown });
    }
    return t.pass('3000 texts');
  },
);

// [promise-answer-freeze]
t.test('a growing answer returns a message as soon as it is full, and never changes it', async (t) => {
  const chunker = new Chunker(10);
  t.strictSame(chunker.push('Hello the'), []);
  t.equal(chunker.rest(), 'Hello the');
  t.strictSame(chunker.push('re'), ['Hello']);
  t.equal(chunker.rest(), 'there');
  t.strictSame(chunker.push('   '), []);
  t.equal(chunker.rest(), 'there', 'space at the end is not shown');
});

// [promise-answer-styling]
t.test('Markdown becomes message styling that is readable in a plain client', async (t) => {
  const cases: [promise: string, markdown: string, styled: string][] = [
    ['strong', 'a **b c** d', 'a *b c* d'],
    ['strong, written with underscores', '__b__!', '*b*!'],
    ['emphasis', 'an *important* _word_', 'an _important_ _word_'],
    ['both', '***b***', '*_b_*'],
    ['emphasis in strong text', '**a *b* c**', '*a _b_ c*'],
    ['strike', '~~gone~~', '~gone~'],
    ['strong text within Chinese', '这是**重要**的', '这是*重要*的'],
    ['a delimiter without a partner stays', 'a ** b, **c', 'a ** b, **c'],
    ['sums are not emphasis', '2*3*4 and 2**3**4 and 5 * 6 * 7', '2*3*4 and 2**3**4 and 5 * 6 * 7'],
    ['names with underscores are not emphasis', 'snake_case_name and _a_b', 'snake_case_name and _a_b'],
    ['overlapping delimiters cannot both count', '**a *b** c*', '*a *b* c*'],
    ['an escape loses its backslash', 'snake\\_case \\# 1', 'snake_case # 1'],
    ['other backslashes stay', 'C:\\dir \\(x\\)', 'C:\\dir \\(x\\)'],
    ['a heading is a strong line', '## Title\ntext', '*Title*\ntext'],
    ['a heading with closing hashes', '# Title ##', '*Title*'],
    ['a heading about C#', '# About C#', '*About C#*'],
    ['strong text in a heading is not strong twice', '# A **b** `c`', '*A b `c`*'],
    ['a tag is no heading', '#tag', '#tag'],
    ['bullets', '- a\n* b\n  + c', '• a\n• b\n  • c'],
    ['tasks', '- [ ] a\n- [x] b', '☐ a\n☑ b'],
    ['numbers', '1. **a**', '1. *a*'],
    ['a strong line is no bullet', '**a** b', '*a* b'],
    ['a rule', '***', '---'],
    ['a quotation', '> **a**\n>> # b', '> *a*\n>> *b*'],
    ['a link', 'see [the *page*](https://a.example/b_c_d).', 'see the _page_ <https://a.example/b_c_d>.'],
    ['a link with parentheses and a title', '[w](https://w.example/F_(x) "t")', 'w <https://w.example/F_(x)>'],
    ['a link in pointed brackets', '[w](<https://w.example/>)', 'w <https://w.example/>'],
    ['a link that is its own label', '[https://a.example/](https://a.example/)', 'https://a.example/'],
    ['a mail address', '[a@b.example](mailto:a@b.example)', 'a@b.example'],
    ['an image', '![a cat](https://a.example/c.png)', 'a cat <https://a.example/c.png>'],
    ['an image without words', '![](https://a.example/c.png)', 'https://a.example/c.png'],
    [
      'an image in a link',
      '[![a](https://a.example/i)](https://a.example/)',
      'a <https://a.example/i> <https://a.example/>',
    ],
    ['a link to nowhere', '[a]()', '[a]()'],
    ['brackets that are no link', 'a [b] (c) [d', 'a [b] (c) [d'],
    ['a bare link is left alone', 'https://a.example/__x__.py', 'https://a.example/__x__.py'],
    ['a bare link in strong text', '**https://a.example/**', '*https://a.example/*'],
    ['code in a line', 'a `**b** [c](d)` ``e`**f**`` **g**', 'a `**b** [c](d)` ``e`**f**`` *g*'],
    ['a backtick without a partner hides nothing', '`a **b**', '`a *b*'],
    ['a block of code', '```\n# a **b**\n- c\n> d\n```\n# e', '```\n# a **b**\n- c\n> d\n```\n*e*'],
    [
      'the language of a block of code, which makes it no block to some',
      '```c++\na\n```\n~~~ py\nb\n~~~',
      '```\na\n```\n```\nb\n```',
    ],
    ['words behind a fence that are no language', '```a title\nb\n```', '```a title\nb\n```'],
    ['a block of code in a list', '- a\n  ```\n  **b**\n    c\n  ```', '• a\n```\n**b**\n  c\n```'],
    ['a block of code between tildes', '~~~\n**a**\n~~~', '```\n**a**\n```'],
    ['a block of code in a quotation ends with it', '> ```\n> **a**\n**b**', '> ```\n> **a**\n*b*'],
    ['a quotation in a block of code does not close it', '```\n> ```\n**a**\n```', '```\n> ```\n**a**\n```'],
    ['a block of code that is still growing', '```\n**a**', '```\n**a**'],
    [
      'a table',
      'So:\n\n| **Name** | Size |\n|:---|---:|\n| [a](https://a.example/) | `1|2` |\n| **b** | |\n\nEnd | of it',
      'So:\n\n*Name* | *Size*\na <https://a.example/> | `1|2`\n*b* |\n\nEnd | of it',
    ],
    ['a table without lines around it, in a quotation', '> a|b\n> -|-\n> 1|2', '> *a*|*b*\n> 1|2'],
    ['a table that ends', '| a |\n|---|\n| 1 |\n- b', '*a*\n1\n• b'],
    ['pipes alone are no table', 'a | b\nc | d\n---', 'a | b\nc | d\n---'],
    ['hyphens of another width are no table', '| a | b |\n|---|', '| a | b |\n|---|'],
    ['a table in a block of code', '```\n| a |\n|---|\n```', '```\n| a |\n|---|\n```'],
    ['lists in lists, and numbers', '1. a\n   - b\n     * [x] c\n2) d', '1. a\n   • b\n     ☑ c\n2) d'],
  ];
  for (const [promise, markdown, styled] of cases) t.equal(toMessageStyling(markdown), styled, promise);
});

const MARKDOWN_PIECES = [
  [
    'a',
    'word',
    '今天',
    ' ',
    '\n',
    '*',
    '**',
    '***',
    '_',
    '__',
    '~~',
    '`',
    '``',
    '```',
    '\n```\n',
    '\n~~~\n',
    '\n  ```\n',
  ],
  [
    '[',
    ']',
    '](',
    ')',
    '![',
    '<',
    '>',
    '\n> ',
    '\n- ',
    '\n# ',
    ' #',
    '\\',
    '\\*',
    'https://a.example/_b_',
    '"',
    '|',
    '\n|---|---|\n',
    '\n-|-\n',
    '---',
    '👨‍👩‍👧',
  ],
].flat();

// [promise-answer-styling]
t.test('message styling never makes a text longer, so a message that fits still fits', async (t) => {
  const random = randomSource(seed);
  for (let round = 0; round < 5000; round += 1) {
    const markdown = Array.from(
      { length: random(40) },
      () => MARKDOWN_PIECES[random(MARKDOWN_PIECES.length)] ?? '',
    ).join('');
    const styled = toMessageStyling(markdown);
    if (points(styled) > points(markdown)) return t.fail('it grew', { seed, round, markdown, styled });
    const words = (text: string): string => text.replace(/[^\p{L}]/gu, '');
    // A word right behind a fence is a language.
    const worded = markdown.replace(/(`{3,}|~{3,})/g, '$1\n');
    const kept = words(toMessageStyling(worded)).replace(/x/g, '');
    if (!words(worded).includes('httpsaexample') && kept !== words(worded)) {
      return t.fail('a word was lost', { seed, round, worded, kept });
    }
  }
  return t.pass('5000 texts');
});
