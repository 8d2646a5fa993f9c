/** The command line: usage, `check`, `run` with an invalid configuration, and `demo`. */
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { runToEnd, startProgram } from '../../support/bot.js';

// Starting programs is slow on a busy machine.
t.setTimeout(180_000);

const GOOD = `
[channels.xmpp.bot]
jid = "bot@example.com"
password = "\${BOT_PASSWORD}"
[providers.local]
base_url = "http://127.0.0.1:1/v1"
models = ["mock"]
`;
const BAD = `
[channels.xmpp.bot]
jid = "bot@example.com"
pasword = "very-secret"
text_chunk_limit = 0
[providers.local]
base_url = "http://127.0.0.1:1/v1"
models = ["mock"]
`;
const env = { BOT_PASSWORD: 'from-the-environment' };

const folder = await mkdtemp(join(tmpdir(), 'cli-test-'));
t.teardown(() => rm(folder, { recursive: true, force: true }));
const [good, bad, broken] = ['good.toml', 'bad.toml', 'broken.toml'].map((name) => join(folder, name));
if (good === undefined || bad === undefined || broken === undefined) throw new Error('no names');
await writeFile(good, GOOD);
await writeFile(bad, BAD);
await writeFile(broken, '[channels\n');

// [promise-flags] [promise-exit-codes]
t.test('rejects unknown commands and flags with exit code 2 and a hint', async (t) => {
  const cases: readonly [args: string[], said: RegExp][] = [
    [['fly'], /unknown command 'fly'; the commands are run, check, demo/],
    [['run', '--fast'], /--fast/],
    [['run', 'now'], /'run' takes no arguments, but got 'now'/],
    [['run', '--log-format', 'xml'], /--log-format must be pretty or json/],
    [['run', '--log-level', 'loud'], /--log-level must be one of debug, info, warn, error/],
    [['run', '--config'], /--config/],
  ];
  for (const [args, said] of cases) {
    const { end, output, lines } = await runToEnd(args);
    t.equal(end, 2, args.join(' '));
    t.match(output, said);
    t.match(output, 'Try moltis-xmpp --help.');
    t.same(lines, [], 'standard output stays empty');
  }
});

// [promise-flags]
t.test('--help and --version print the usage and the version', async (t) => {
  const help = await runToEnd(['--help']);
  t.equal(help.end, 0);
  t.match(help.output, /^Usage: moltis-xmpp .*\brun\b.*\bcheck\b.*\bdemo\b/s);
  const version = await runToEnd(['--version']);
  t.equal(version.end, 0);
  t.match(version.lines, [/^\d+\.\d+\.\d+/]);
});

// [promise-check] [promise-check-position] [promise-check-suggestion] [promise-check-secret] [promise-config-variables] [promise-exit-codes]
t.test('check prints the position of each error and exits with 1, or prints OK and exits with 0', async (t) => {
  const fine = await runToEnd(['check', '--config', good], { env });
  t.equal(fine.end, 0);
  t.match(fine.output, /good\.toml: OK, 1 account: bot/);
  t.notMatch(fine.output, env.BOT_PASSWORD);

  const wrong = await runToEnd(['check', '--config', bad]);
  t.equal(wrong.end, 1);
  t.match(wrong.output, /bad\.toml:4:1: .*pasword.*did you mean.*password/i);
  t.match(wrong.output, /bad\.toml:5:20: /);
  t.notMatch(wrong.output, 'very-secret');

  const unset = await runToEnd(['check', '--config', good]);
  t.equal(unset.end, 1);
  t.match(unset.output, /good\.toml:4:12: .*BOT_PASSWORD/);

  const torn = await runToEnd(['check', '--config', broken]);
  t.equal(torn.end, 1);
  t.match(torn.output, /broken\.toml:1:\d+: /);
});

// [promise-check]
t.test('check --json prints one JSON object', async (t) => {
  const fine = await runToEnd(['check', '--json', '--config', good], { env });
  t.equal(fine.end, 0);
  t.match(JSON.parse(fine.lines.join('')), { file: good, valid: true });
  const wrong = await runToEnd(['check', '--json', '--config', bad]);
  t.equal(wrong.end, 1);
  const report = JSON.parse(wrong.lines.join('')) as { findings: { line: number; column: number; severity: string }[] };
  t.match(report, { file: bad, valid: false });
  t.ok(report.findings.some(({ line, column, severity }) => line === 4 && column === 1 && severity === 'error'));
});

// [promise-exit-codes] [promise-config-places]
t.test('an invalid or missing configuration is reported; run exits with 78, check with 1', async (t) => {
  for (const [command, code] of [
    ['run', 78],
    ['check', 1],
  ] as const) {
    const missing = await runToEnd([command, '--config', join(folder, 'none.toml')]);
    t.equal(missing.end, code);
    t.match(missing.output, /none\.toml/);
    t.notMatch(missing.output, /\bat .*\.js:\d+/, 'no stack trace');
    const nowhere = await runToEnd([command], { cwd: folder, env: { HOME: folder } });
    t.equal(nowhere.end, code);
    t.match(nowhere.output, /moltis\.toml/);
  }
  const wrong = await runToEnd(['run', '--config', bad, '--data-dir', join(folder, 'data')]);
  t.equal(wrong.end, 78);
  t.match(wrong.output, /bad\.toml:4:1: /);
  t.same(wrong.lines, [], 'standard output is for events');
});

// [promise-exit-codes]
t.test('run reports that no account is enabled and exits with 78', async (t) => {
  const off = join(folder, 'off.toml');
  await writeFile(off, GOOD.replace('jid =', 'enabled = false\njid ='));
  const { end, output } = await runToEnd(['run', '--config', off, '--data-dir', join(folder, 'data')], { env });
  t.equal(end, 78);
  t.match(output, /enabled/);
});

t.test('run reports an unusable data directory and exits with 1', async (t) => {
  const data = join(folder, 'damaged');
  await mkdir(data);
  await writeFile(join(data, 'state.json'), '{"torn');
  const { end, output } = await runToEnd(['run', '--config', good, '--data-dir', data], { env });
  t.equal(end, 1);
  t.match(output, /state\.json is damaged/);

  const blocked = join(folder, 'blocked');
  await mkdir(join(blocked, 'lock'), { recursive: true });
  const cases: readonly [directory: string, said: RegExp][] = [
    [good, /cannot use \S*good\.toml as the data folder: it is a file; choose another with --data-dir/],
    [join(good, 'deeper'), /cannot use \S*deeper as the data folder: a part of its path is a file; choose another/],
    ['/proc/moltis', /cannot use \/proc\/moltis as the data folder: .*; choose another/],
    [blocked, /cannot remove \S*lock; delete it by hand/],
  ];
  for (const [directory, said] of cases) {
    const refused = await runToEnd(['run', '--config', good, '--data-dir', directory], { env });
    t.equal(refused.end, 1);
    t.match(refused.output, said);
  }
});

t.test('demo reports errors in the file of --config and exits with 1', async (t) => {
  const { end, output } = await runToEnd(['demo', '--config', bad]);
  t.equal(end, 1);
  t.match(output, /bad\.toml:4:1: .*pasword/);
  t.match(output, /bad\.toml has errors; fix them, or leave out --config/);
});

// [promise-demo] [promise-demo-piped] [promise-exit-codes]
t.test('demo answers each piped line, exits with 0, and removes its files', async (t) => {
  const temporary = join(folder, 'tmp');
  await mkdir(temporary);
  const surroundings = { cwd: folder, env: { HOME: folder, TMPDIR: temporary } };
  const one = await runToEnd(['demo'], { ...surroundings, input: 'hello\n' });
  t.equal(one.end, 0);
  t.equal(one.lines.length, 1);
  t.match(one.lines[0], /scripted model/);

  const last = await runToEnd(['demo'], { ...surroundings, input: 'hello\n\n/status\nbye' });
  t.equal(last.end, 0);
  t.match(last.lines, [/scripted/, /^Account: moltis@localhost/]);

  const questions = Array.from({ length: 35 }, (_, index) => `question ${index + 1}`);
  const many = await runToEnd(['demo'], { ...surroundings, input: questions.join('\n') });
  t.equal(many.end, 0);
  t.equal(many.lines.length, 35, 'no limit of strangers holds here');
  t.same(await readdir(temporary), [], 'nothing is left behind');
});

t.test('an interrupted demo exits and removes its files', async (t) => {
  const temporary = join(folder, 'tmp-interrupted');
  await mkdir(temporary);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    const program = startProgram(['demo'], { cwd: folder, env: { HOME: folder, TMPDIR: temporary } });
    t.teardown(() => program.stop('SIGKILL'));
    const answered = new Promise<void>((resolve) => {
      program.onLine(() => resolve());
    });
    program.write('hello\n');
    await answered;
    await program.stop(signal);
    t.same(await readdir(temporary), [], signal);
  }
});
