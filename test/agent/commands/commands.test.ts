import t from 'tap';
import { Jid } from '../../../src/xmpp-core/jid/jid.js';
import type { Command, CommandContext } from '../../../src/agent/commands/command.js';
import { conversationCommands } from '../../../src/agent/commands/conversation-commands.js';
import { operatorCommands } from '../../../src/agent/commands/operator-commands.js';
import { parseCommand } from '../../../src/agent/commands/parse.js';
import { CommandRegistry } from '../../../src/agent/commands/registry.js';

const command = (name: string, argument = ''): unknown => ({ kind: 'command', name, argument });
const text = (text: string): unknown => ({ kind: 'text', text });

// [promise-command-unknown]
t.test('a message that starts with a slash and a letter is a command, and everything else is text', async (t) => {
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

const LLAMA = { provider: 'ollama', model: 'llama' };
const CHOICES = [
  LLAMA,
  { provider: 'openai', model: 'gpt-5' },
  { provider: 'openrouter', model: 'gpt-5' },
  { provider: 'openrouter', model: 'anthropic/claude-sonnet-4' },
];

const HELP_END = 'To send text that begins with a slash, start it with two.';

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
      conversation: 'alice@example.com',
      uptimeMs: 93_784_000,
      busy: true,
      queued: 2,
    }),
    room: undefined,
    models: () => ({ current: LLAMA, configured: LLAMA, choices: CHOICES }),
    chooseModel: async ({ provider, model }) => void done.push(`${provider}/${model}`),
    contextUsage: () => ({ tokens: 1200, budget: 16_000, includedTurns: 4, turns: 4, summaryTokens: undefined }),
    compact: async () => ({ outcome: 'nothing there' }),
    retry: async () => 'nothing there',
    skills: () => [],
    operations: {
      approve: async (who) => done.push(`approve ${who.toString()}`) > 0,
      deny: async (who) => done.push(`deny ${who.toString()}`) > 0,
      isAdmitted: () => done.at(-1)?.startsWith('approve') ?? false,
      findContact: (address) => (address === '♥@example.com' ? Jid.fromWire(address) : undefined),
      pendingRequests: () => ['carl@example.com'],
      rooms: () => [],
      join: async (room) => void done.push(`join ${room.toString()}`),
      leave: async (room) => done.push(`leave ${room.toString()}`) > 0,
      usage: () => ({ spent: [], limit: Infinity }),
    },
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
const operators = new CommandRegistry(operatorCommands);
const { signal } = new AbortController();
const run = async (name: string, context: CommandContext, argument = ''): Promise<string> =>
  registry.run(name, argument, context, signal);

t.test('/new starts a new session and reports that the old one is kept', async (t) => {
  const conversation = context();
  t.match(await run('new', conversation), /kept/);
  t.strictSame(conversation.done, ['new']);
});

t.test('/stop stops the answer under way, or reports that there is none', async (t) => {
  const conversation = context();
  t.equal(await run('stop', conversation), 'Stopped.');
  t.strictSame(conversation.done, ['stop']);
  t.match(await run('stop', context({ stop: () => false })), /nothing/);
});

t.test('commands that change the history are queued; others run at once', async (t) => {
  const waiting = registry.list({ isOperator: true }).filter(({ immediate }) => !immediate);
  t.strictSame(
    waiting.map(({ name }) => name),
    ['compact', 'new', 'retry'],
  );
});

// [promise-command-status]
t.test('/status shows account, model, conversation, queue and time', async (t) => {
  t.equal(
    await run('status', context()),
    [
      'Account: bot@example.com',
      'Model: ollama/llama',
      'Conversation: alice@example.com',
      'Now: writing an answer, 2 waiting',
      'Session: 4 turns in context, about 1200 tokens',
      'Uptime: 1 d 2 h',
    ].join('\n'),
  );
  const idle = context().status();
  for (const [uptimeMs, shown] of [
    [0, '0 s'],
    [59_999, '59 s'],
    [60_000, '1 min 0 s'],
    [3_600_000, '1 h 0 min'],
  ] as const) {
    const answer = await run('status', context({ status: () => ({ ...idle, uptimeMs }) }));
    t.ok(answer.endsWith(`Uptime: ${shown}`), shown);
  }
});

// [promise-command-help] [promise-command-operators]
t.test('/help lists every command with its usage, and operator commands only for operators', async (t) => {
  const help = await run('help', context());
  t.strictSame(
    help.split('\n').map((line) => line.split(':')[0]),
    ['/compact', '/context', '/help', '/model [NAME]', '/new', '/retry', '/skills', '/status', '/stop', HELP_END],
  );
  t.match(await run('help', context({ isOperator: true })), /^\/approve JID: lets someone in$/m);
});

// [promise-command-operators]
t.test('an operator command is unknown to everybody else', async (t) => {
  t.equal(await run('approve', context({ isOperator: true }), 'a@b.example'), 'a@b.example is in.');
  const refused = await run('approve', context(), 'a@b.example');
  t.match(refused, /^I don't know \/approve\./);
  t.notMatch(refused, 'mean /approve');
  t.equal(registry.find('approve', { isOperator: false }), undefined);
});

// [promise-command-unknown]
t.test('an unknown command is answered with the nearest one', async (t) => {
  const cases: [written: string, meant: string][] = [
    ['hlep', 'help'],
    ['neu', 'new'],
    ['stpo', 'stop'],
    ['stat', 'status'],
    ['entirely-different', 'help'],
  ];
  for (const [written, meant] of cases) {
    t.ok((await run(written, context())).includes(`I don't know /${written}. Did you mean /${meant}?`), written);
  }
});

t.test('a very long unknown command gets a short answer', async (t) => {
  const answer = await run('x'.repeat(100_000), context());
  t.ok(answer.length < 150);
});

t.test('names of object properties are not commands', async (t) => {
  for (const name of ['constructor', '__proto__', 'tostring']) t.match(await run(name, context()), /I don't know/);
});

t.test('two commands with the same name are rejected', async (t) => {
  t.throws(() => new CommandRegistry([approve, approve]), /same name/);
  t.throws(() => new CommandRegistry([{ ...approve, name: 'help' }]), /same name/);
});

// [promise-command-model]
t.test(
  '/model finds a model by its name, with the provider where that is needed, and suggests the nearest one',
  async (t) => {
    const cases: [written: string, chosen: string | undefined, answer: RegExp][] = [
      ['llama', 'ollama/llama', /I will use ollama\/llama from the next answer on, until \/new/],
      ['OpenAI/GPT-5', 'openai/gpt-5', /openai\/gpt-5/],
      ['anthropic/claude-sonnet-4', 'openrouter/anthropic/claude-sonnet-4', /openrouter/],
      ['gpt-5', undefined, /Several models have that name: openai\/gpt-5, openrouter\/gpt-5\. Which one\?/],
      ['sonnet', undefined, /no model “sonnet”\. Did you mean openrouter\/anthropic\/claude-sonnet-4\?/],
      ['llamma', undefined, /Did you mean ollama\/llama\?/],
      ['entirely-different', undefined, /\/model lists/],
      ['x'.repeat(10_000), undefined, /^.{1,100}$/],
    ];
    for (const [written, chosen, answer] of cases) {
      const conversation = context();
      t.match(await run('model', conversation, written), answer, written.slice(0, 40));
      t.strictSame(conversation.done, chosen === undefined ? [] : [chosen]);
    }
    t.match(
      await run('model', context()),
      /^Current model: ollama\/llama\..*^- ollama\/llama \(current\) \(default here\)\n- openai\/gpt-5\n/ms,
    );
  },
);

// [promise-command-context]
t.test('/context reports what does not fit, and the summary', async (t) => {
  const past = { tokens: 15_000, budget: 16_000, includedTurns: 7, turns: 9, summaryTokens: 210 };
  const told = await run('context', context({ contextUsage: () => past }));
  t.match(told, /15000 tokens of history, 94 % of the limit of 16000 tokens/);
  t.match(told, /newest 7 turns; 2 older ones do not fit\. \/compact makes room/);
  t.match(told, /summary of about 210 tokens/);
  t.match(await run('context', context()), /all 4 turns/);
});

// [promise-command-approve] [promise-command-join]
t.test('an address may be plain, a link, or have a resource; an invalid one is explained', async (t) => {
  const cases: [name: string, written: string, done: string | undefined, answer: RegExp][] = [
    ['approve', 'Dora@Example.com', 'approve dora@example.com', /^dora@example\.com is approved\.$/],
    ['approve', 'xmpp:dora@example.com?message', 'approve dora@example.com', /is approved/],
    ['deny', 'dora@example.com/phone', 'deny dora@example.com', /^dora@example\.com is denied\.$/],
    ['approve', '', undefined, /^Who\? Example: \/approve alice@example\.com\. Waiting: carl@example\.com\.$/],
    ['deny', 'dora', undefined, /An address needs an @/],
    ['approve', '♥@example.com', 'approve ♥@example.com', /^♥@example\.com is approved\.$/],
    ['approve', '♡@example.com', undefined, /not a valid address/],
    ['approve', 'a@b@c', undefined, /not a valid address: not a JID/],
    ['approve', 'two words@example.com', undefined, /not a valid address/],
    ['join', 'team@rooms.example.com', 'join team@rooms.example.com', /^I am in team@rooms\.example\.com\.$/],
    ['join', '', undefined, /^Which room\?/],
    ['leave', 'rooms.example.com', undefined, /Which room\?.*An address needs an @/],
  ];
  for (const [name, written, done, answer] of cases) {
    const conversation = context({ isOperator: true });
    t.match(await operators.run(name, written, conversation, signal), answer, `/${name} ${written}`);
    t.strictSame(conversation.done, done === undefined ? [] : [done]);
  }
  const here = context({ isOperator: true, room: Jid.parse('team@rooms.example.com') });
  t.equal(await operators.run('leave', '', here, signal), 'I left team@rooms.example.com.');
});

// [promise-command-approve]
t.test('/approve and /deny report when the configuration overrides them', async (t) => {
  const closed = context({ isOperator: true });
  const { operations } = closed;
  const still = (isLetIn: boolean): CommandContext => ({
    ...closed,
    operations: { ...operations, isAdmitted: () => isLetIn },
  });
  t.match(await operators.run('approve', 'a@b.example', still(false), signal), /dm_policy lets nobody in/);
  t.match(await operators.run('deny', 'a@b.example', still(true), signal), /still allowed by the configuration/);
});
