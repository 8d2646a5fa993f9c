import t from 'tap';
import { exitCodeOfError } from '../../../src/agent/cli/exit-codes.js';
import { ConfigError } from '../../../src/agent/config/load-config.js';
import { startProgram, Stage } from '../../support/bot.js';

/** Makes the bot fail on a signal, as code that has a mistake would. */
const MISTAKES = `
  process.on('SIGUSR2', () => { Promise.reject(new Error('a forgotten promise')); });
  process.on('SIGWINCH', () => { throw new Error('a broken handler'); });
`;

// [promise-exit-codes]
t.test(
  'an unhandled rejection is logged and the bot goes on; an uncaught exception ends it with one line and exit code 70',
  async (t) => {
    const stage = await Stage.set(t);
    const configuration = await stage.write(stage.settings({ bot: stage.account() }));
    const program = startProgram(['run', '--config', configuration, '--data-dir', stage.dataDirectory], {
      env: { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(MISTAKES)}` },
    });
    t.teardown(() => program.stop('SIGKILL'));
    const next = (event: string): Promise<Record<string, unknown>> =>
      new Promise((resolve) => {
        program.onLine((line) => {
          const told = JSON.parse(line) as Record<string, unknown>;
          if (told['event'] === event) resolve(told);
        });
      });
    await next('online');
    const logged = next('error');
    program.signal('SIGUSR2');
    t.match(await logged, {
      level: 'error',
      kind: 'internal',
      message: 'unhandled rejection: a forgotten promise',
      stack: /at process/,
    });
    t.ok(program.running);
    const before = program.output.length;
    program.signal('SIGWINCH');
    t.equal(await program.ended, 70);
    t.match(
      program.output.slice(before),
      /^moltis-xmpp: ends after an uncaught exception: Error: a broken handler at .*\n$/,
    );
  },
);

// [promise-exit-codes]
t.test('an error that ends a command is a failure if it is of a kind that we expect, else a fault', (t) => {
  const expected = [
    new ConfigError('no file'),
    Object.assign(new Error('no space'), { code: 'ENOSPC' }),
    Object.assign(new TypeError('fetch failed'), { code: 'ECONNREFUSED' }),
  ];
  for (const error of expected) t.equal(exitCodeOfError(error), 1, error.message);
  const faults = [
    new Error('impossible'),
    new TypeError('undefined is not a function'),
    new RangeError('1'),
    'text',
    undefined,
  ];
  for (const error of faults) t.equal(exitCodeOfError(error), 70, String(error));
  t.end();
});
