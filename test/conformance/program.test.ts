/** Implementations in other processes, tried with this library as one of them. */
import { extname } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { LOOPBACK_CERTIFICATE, LOOPBACK_KEY } from '../../src/loopback/certificate.js';
import { PASSWORD, startLoopback } from '../support/loopback.js';
import { readLine, writeLine, type Implementation, type Site } from './implementation.js';
import { startProgram } from './program.js';
import type { Settings } from './scenario.js';

const adapter = fileURLToPath(new URL(`./library-program${extname(import.meta.url)}`, import.meta.url));
const COMMAND = [process.execPath, ...process.execArgv, adapter].map((word) => JSON.stringify(word)).join(' ');

/** A process may have to be compiled first. */
const PATIENCE_MS = 100_000;

/** The events that a program told. */
class Told {
  readonly events: string[] = [];
  #news: () => void = () => undefined;

  add(event: string): void {
    this.events.push(event);
    this.#news();
  }

  /** Waits until there are so many. */
  async first(count: number): Promise<readonly string[]> {
    const deadline = AbortSignal.timeout(PATIENCE_MS);
    while (this.events.length < count) {
      await new Promise<void>((resolve, reject) => {
        this.#news = resolve;
        deadline.addEventListener('abort', () =>
          reject(new Error(`${count} events never came, but ${this.events.join('; ')}`)),
        );
      });
    }
    return this.events.slice(0, count);
  }
}

/** A program, against a server that has the account ann. */
async function start(t: Test, command: string): Promise<{ program: Implementation; told: Told }> {
  const { server } = await startLoopback(t);
  server.addAccount('ann', PASSWORD);
  const settings: Settings = {
    account: `ann@${server.domain}`,
    password: PASSWORD,
    resource: 'laptop',
    way: 'StartTLS',
    login: 'password',
    client: ['roster', 'XEP-0308'],
  };
  const site: Site = {
    host: '127.0.0.1',
    port: server.ports.startTls,
    webSocket: '',
    authority: LOOPBACK_CERTIFICATE,
    identity: { certificate: LOOPBACK_CERTIFICATE, key: LOOPBACK_KEY },
  };
  const told = new Told();
  const program = await startProgram(command)(settings, site, (event) => told.add(writeLine(event)));
  t.teardown(() => program.stop());
  return { program, told };
}

t.test('a program does what it is asked for by lines, tells by lines, and ends with its input', async (t) => {
  const { program, told } = await start(t, COMMAND);
  const says = (text: string): void => program.act(readLine(text));
  says('start');
  t.strictSame((await told.first(2)).toSorted(), ['online jid ann@localhost/laptop', 'roster-received contacts 0']);
  says('message to ann@localhost/laptop id m1 body "two\\nlines, \\"quoted\\"" replaces m0');
  t.equal(
    (await told.first(3)).at(-1),
    'message from ann@localhost/laptop type chat id m1 body "two\\nlines, \\"quoted\\"" replaces m0',
  );
  says('dance');
  t.match((await told.first(4)).at(-1), /^unknown of dance text /);
  says('stop');
  t.equal((await told.first(5)).at(-1), 'offline');
  await program.stop();
  t.equal(told.events.length, 5, 'that it ended when its input did is no event');
});

t.test('a program that ends by itself is an event, so that no scenario waits for it', async (t) => {
  const { told } = await start(t, 'exit 3');
  t.strictSame(await told.first(1), ['program-ended code 3']);
});

t.test('a line of a program that is no event is one that nobody waits for', async (t) => {
  const { told } = await start(t, 'echo message from; read end');
  t.match(await told.first(1), [/^unreadable why /]);
});
