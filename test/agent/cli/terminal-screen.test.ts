/** The demo on a terminal: what the screen shows. */
import { PassThrough } from 'node:stream';
import t from 'tap';
import { TerminalScreen, wrapped } from '../../../src/agent/cli/terminal-screen.js';

/** A screen whose output a simple terminal shows: rows of text, and a cursor. */
function terminal(columns: number, typed = '') {
  const output = Object.assign(new PassThrough(), { columns });
  const rows: string[] = [''];
  const cursor = { row: 0, column: 0 };
  const take = (sequence: string): void => {
    const [, count = '1', command] = /^\u001B\[(\d*)([A-Z])$/.exec(sequence) ?? [];
    if (command === 'A') cursor.row -= Number(count);
    else if (command === 'G') cursor.column = Number(count) - 1;
    else if (command === 'J') rows.splice(cursor.row, Infinity, (rows[cursor.row] ?? '').slice(0, cursor.column));
    else if (sequence === '\n') {
      cursor.row += 1;
      cursor.column = 0;
      rows[cursor.row] ??= '';
    } else {
      rows[cursor.row] = (rows[cursor.row] ?? '') + sequence;
      cursor.column += sequence.length;
    }
  };
  output.on('data', (data: Buffer) => {
    for (const sequence of data.toString().match(/\u001B\[\d*[A-Z]|\n|[^\u001B\n]+/gu) ?? []) take(sequence);
  });
  const prompt = (): void => void output.write(`you> ${typed}`);
  prompt();
  const screen = new TerminalScreen(output, { getCursorPos: () => ({ rows: 0, cols: cursor.column }), prompt });
  return { screen, output, rows, cursor };
}

// [promise-demo-terminal]
t.test('an answer grows above the input line, which keeps what is being typed', async (t) => {
  const { screen, rows } = terminal(14, '/st');
  screen.append('bot> one');
  t.same(rows, ['bot> one', 'you> /st']);
  screen.append(' two three');
  t.same(rows, ['bot> one two', 'three', 'you> /st']);
  screen.append(' four\nfive');
  t.same(rows, ['bot> one two', 'three four', 'five', 'you> /st']);
  screen.end();
  screen.append('bot> new');
  t.same(rows, ['bot> one two', 'three four', 'five', 'bot> new', 'you> /st']);
});

// [promise-demo-terminal]
t.test('a terminal that became narrower shows the last row in several, which are all replaced', async (t) => {
  const { screen, output, rows, cursor } = terminal(20);
  screen.append('one two three four');
  t.same(rows, ['one two three four', 'you> ']);
  output.columns = 10;
  rows.splice(0, 1, 'one two th', 'ree four');
  cursor.row += 1;
  screen.append(' five');
  t.same(rows, ['one two', 'three', 'four five', 'you> ']);
});

t.test('control characters of an answer do not reach the terminal', async (t) => {
  const { screen, rows } = terminal(40);
  screen.append('a\u001B[2Jb\u0007c\rd\u009Be');
  t.same(rows, ['a [2Jb c d e', 'you> ']);
});

// [promise-demo-terminal]
t.test('rows end between words', async (t) => {
  t.same(wrapped('one two three', 7), ['one two', 'three']);
  t.same(wrapped('one two three', 6), ['one', 'two', 'three']);
  t.same(wrapped('abcdefgh', 3), ['abc', 'def', 'gh'], 'a long word is cut');
  t.same(wrapped('a\n\n  b', 10), ['a', '', '  b'], 'lines and indents stay');
  t.same(wrapped('日本語日本', 4), ['日本', '語日', '本'], 'wide characters fill two columns');
  t.same(wrapped('', 10), ['']);
  t.same(wrapped('ab', 0), ['ab'], 'a terminal without a width');
});
