import t from 'tap';
import type { Command, CommandContext } from '../../src/agent/commands/command.js';
import { conversationCommands } from '../../src/agent/commands/conversation-commands.js';
import { parseCommand } from '../../src/agent/commands/parse.js';
import { CommandRegistry } from '../../src/agent/commands/registry.js';

const command = (name: string, argument = ''): unknown => ({ kind: 'command', name, argument });
const text = (text: string): unknown => ({ kind: 'text', text });

t.test('a slash and a letter at the start make a command, and everything else is text', async (t) => {
  const cases: [promise: string, message: string, parsed: unknown][] = [
    ['a name alone', '/new', command('new')],
    ['a name with an argument', '/model  claude opus ', command('model', 'claude opus')],
    ['an argument on the next line', '/new\nand then', command('new', 'and then')],
    ['a capital, as telephones write', '/New', command('new')],
    ['spaces before it', ' /new', command('new')],
    ['an unknown name', '/hlep', command('hlep')],
    ['a name in another script', '/помощь', command('помощь')],
    ['a path', '/usr/bin is full', text('/usr/bin is full')],
    ['a file', '/notes.txt', text('/notes.txt')],
    ['a slash and a number', '/1 of 3', text('/1 of 3')],
    ['a slash alone', '/', text('/')],
    ['a slash later on', 'try /new', text('try /new')],
    ['what someone does (XEP-0245)', '/me waves', text('/me waves')],
    ['a name that only begins like it', '/member x', command('member', 'x')],
    ['two slashes send one', '//new is a command', text('/new is a command')],
    ['two slashes and a space are a comment', '// a comment', text('// a comment')],
    ['nothing', '', text('')],
    ['text keeps its own spaces', '  indented', text('  indented')],
  ];
  for (const [promise, message, parsed] of cases) t.strictSame(parseCommand(message), parsed, promise);
});

interface Recorded extends CommandContext {
  readonly done: string[];
}

function context(facts: Partial<CommandContext> = {}): Recorded {
  const done: string[] = [];
  return {
    done,
    isOperator: false,
    startNew: async () => void done.push('new'),
    stop: () => done.push('stop') > 0,
    status: () => ({
      account: 'bot@example.com',
      model: 'ollama/llama',
      conversation: 'alice@example.com',
      uptimeMs: 93_784_000,
      busy: true,
      queued: 2,
    }),
    ...facts,
  };
}

const approve: Command = {
  name: 'approve',
  usage: 'JID',
  summary: 'lets someone in',
  operator: true,
  immediate: true,
  run: (_, argument) => `${argument} is in.`,
};

const registry = new CommandRegistry([...conversationCommands, approve]);

t.test('/new starts a new session and says that the old one is kept', async (t) => {
  const conversation = context();
  t.match(await registry.run('new', '', conversation), /kept/);
  t.strictSame(conversation.done, ['new']);
});

t.test('/stop stops what is running, or says that nothing is', async (t) => {
  const conversation = context();
  t.equal(await registry.run('stop', '', conversation), 'Stopped.');
  t.strictSame(conversation.done, ['stop']);
  t.match(await registry.run('stop', '', context({ stop: () => false })), /nothing/);
});

t.test('only /new waits for its turn; what must help at once does not', async (t) => {
  const immediate = registry.list({ isOperator: false }).map(({ name, immediate }) => `${name} ${immediate}`);
  t.strictSame(immediate, ['help true', 'new false', 'status true', 'stop true']);
});

t.test('/status shows account, model, conversation, queue and time', async (t) => {
  t.equal(
    await registry.run('status', '', context()),
    [
      'Account: bot@example.com',
      'Model: ollama/llama',
      'Conversation: alice@example.com',
      'Now: writing an answer, 2 waiting',
      'Up for 1 d 2 h',
    ].join('\n'),
  );
  const idle = context().status();
  for (const [uptimeMs, shown] of [
    [0, '0 s'],
    [59_999, '59 s'],
    [60_000, '1 min 0 s'],
    [3_600_000, '1 h 0 min'],
  ] as const) {
    const answer = await registry.run('status', '', context({ status: () => ({ ...idle, uptimeMs }) }));
    t.ok(answer.endsWith(`Up for ${shown}`), shown);
  }
});

t.test('/help lists every command with its use, and those of operators only for operators', async (t) => {
  const help = await registry.run('help', '', context());
  t.strictSame(
    help.split('\n').map((line) => line.split(':')[0]),
    ['/help', '/new', '/status', '/stop', 'To send a text that begins with a slash, double the slash.'],
  );
  t.match(await registry.run('help', '', context({ isOperator: true })), /^\/approve JID: lets someone in$/m);
});

t.test('an operator command does not exist for anyone else', async (t) => {
  t.equal(await registry.run('approve', 'a@b.example', context({ isOperator: true })), 'a@b.example is in.');
  const refused = await registry.run('approve', 'a@b.example', context());
  t.match(refused, /^I don't know \/approve\./);
  t.notMatch(refused, 'mean /approve');
  t.equal(registry.find('approve', { isOperator: false }), undefined);
});

t.test('an unknown command is answered with the nearest one', async (t) => {
  const cases: [written: string, meant: string][] = [
    ['hlep', 'help'],
    ['neu', 'new'],
    ['stpo', 'stop'],
    ['s', 'status'],
    ['entirely-different', 'help'],
  ];
  for (const [written, meant] of cases) {
    t.ok(
      (await registry.run(written, '', context())).includes(`I don't know /${written}. Did you mean /${meant}?`),
      written,
    );
  }
});

t.test('a very long unknown command gets a short answer', async (t) => {
  const answer = await registry.run('x'.repeat(100_000), '', context());
  t.ok(answer.length < 150);
});

t.test('names of objects are no commands', async (t) => {
  for (const name of ['constructor', '__proto__', 'tostring'])
    t.match(await registry.run(name, '', context()), /I don't know/);
});

t.test('two commands of one name are refused', async (t) => {
  t.throws(() => new CommandRegistry([approve, approve]), /same name/);
  t.throws(() => new CommandRegistry([{ ...approve, name: 'help' }]), /same name/);
});
