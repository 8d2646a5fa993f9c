/**
 * The package as users get it: packed, unpacked into an empty project beside the library's dependencies and nothing else, and used from there. The
 * bot's dependencies are left out, so that a module of the library that needed one would not load.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import type TypeScript from 'typescript';
import { LOOPBACK_CERTIFICATE } from '../src/loopback/certificate.js';
import { LoopbackServer } from '../src/loopback/server.js';
import { muc } from '../src/xeps/xep-0045-muc/index.js';
import { readSharedFiles } from '../src/xeps/xep-0447-stateless-file-sharing.js';
import type { Message } from '../src/xmpp-core/stanza/stanzas.js';
import { el } from '../src/xmpp-core/xml/element.js';
import { createClient, type ChatClient } from '../src/chat-client.js';
import { PASSWORD, PATIENCE_MS } from './support/loopback.js';

const run = promisify(execFile);
/** As scripts/lib/typescript.mjs has it. */
const ts = createRequire(import.meta.url)('typescript') as typeof TypeScript;
/** The types of node are the user's own, as the compiler is. */
const TYPES = ['@types/node', 'undici-types'];
const COMPILER = resolve('node_modules/typescript-7/bin/tsc');
const REPOSITORY = resolve('.');

/** Statements that only say what there is. */
const DECLARATIONS: ReadonlySet<TypeScript.SyntaxKind> = new Set([
  ts.SyntaxKind.ImportDeclaration,
  ts.SyntaxKind.ExportDeclaration,
  ts.SyntaxKind.VariableStatement,
  ts.SyntaxKind.FunctionDeclaration,
  ts.SyntaxKind.ClassDeclaration,
  ts.SyntaxKind.InterfaceDeclaration,
  ts.SyntaxKind.TypeAliasDeclaration,
]);

interface Manifest {
  readonly scripts: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, string>>;
  readonly sideEffects: boolean;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly optionalDependencies: Readonly<Record<string, string>>;
}

// The compiler and eight programs are started, on a machine that may be busy.
t.setTimeout(200_000);

const project = await mkdtemp(join(tmpdir(), 'moltis-library-'));
t.teardown(() => rm(project, { recursive: true, force: true }));
const installed = join(project, 'node_modules/moltis-xmpp');

const { stdout } = await run('npm', ['pack', '--silent', '--json', '--pack-destination', project]);
const [{ filename }] = JSON.parse(stdout) as [{ filename: string }];
await mkdir(installed, { recursive: true });
await run('tar', ['-xzf', join(project, filename), '-C', installed, '--strip-components=1']);
const manifest = JSON.parse(await readFile(join(installed, 'package.json'), 'utf8')) as Manifest;
for (const name of [...Object.keys(manifest.dependencies), ...TYPES]) {
  const place = join(project, 'node_modules', name);
  await mkdir(dirname(place), { recursive: true });
  await symlink(join(REPOSITORY, 'node_modules', name), place);
}
await writeFile(join(project, 'package.json'), JSON.stringify({ type: 'module' }));
await cp(join(installed, 'examples'), project, { recursive: true });

const entries = Object.keys(manifest.exports).map((path) => path.replace(/^\./, 'moltis-xmpp'));
const modules = entries.filter((entry) => !entry.endsWith('.json'));

t.test('the package is built before it is packed, and has all that it names', async (t) => {
  t.match(manifest.scripts['prepack'], /rmSync\('dist'.* && npm run build$/);
  t.equal(manifest.sideEffects, false);
  for (const file of Object.values(manifest.exports)) await t.resolves(readFile(join(installed, file)), file);
  const built = await readdir(join(installed, 'dist'), { recursive: true });
  // What an earlier build left is packed here, but not by `prepack`, which begins with an empty folder.
  const current = new Set((await readdir('src', { recursive: true })).map((name) => name.replace(/\.ts$/, '')));
  const maps = built.filter((name) => name.endsWith('.map') && current.has(name.replace(/(\.d)?\.[jt]s\.map$/, '')));
  t.ok(maps.length > 2 * modules.length, `${maps.length} maps`);
  for (const name of maps) {
    const file = join(installed, 'dist', name);
    const { sources } = JSON.parse(await readFile(file, 'utf8')) as { sources: string[] };
    for (const source of sources) await t.resolves(readFile(resolve(dirname(file), source)), `${name}: ${source}`);
  }
});

t.test('no module of the library does anything when it is imported, so that bundlers may leave it out', async (t) => {
  const names = (await readdir('src', { recursive: true })).filter((name) => name.endsWith('.ts'));
  const library = names.filter((name) => !name.startsWith('agent/') && name !== 'cli.ts');
  t.ok(library.length > 150, `${library.length} modules`);
  for (const name of library) {
    const source = ts.createSourceFile(name, await readFile(join('src', name), 'utf8'), ts.ScriptTarget.ES2023);
    const acting = source.statements.filter((statement) => !DECLARATIONS.has(statement.kind));
    t.strictSame(
      acting.map((statement) => ts.SyntaxKind[statement.kind]),
      [],
      name,
    );
  }
});

t.test('every entry loads without a dependency of the bot', async (t) => {
  const program = `for (const entry of ${JSON.stringify(modules)}) await import(entry);`;
  await t.resolves(run(process.execPath, ['--input-type=module', '--eval', program], { cwd: project }));
  for (const name of Object.keys(manifest.optionalDependencies))
    await t.rejects(run(process.execPath, ['--eval', `require('${name}')`], { cwd: project }), /Cannot find module/);
});

t.test('the bot says what is missing when its dependencies were left out', async (t) => {
  const cli = join(installed, 'dist/cli.js');
  await t.rejects(run(process.execPath, [cli, 'check'], { cwd: project }), {
    code: 1,
    stderr: /^moltis-xmpp: the bot needs the package '[\w-]+'.*without --omit=optional\n$/,
  });
});

// One run of the compiler: it takes longer than all the rest.
t.test('the examples, every entry and what docs/library.md shows are strictly typed', async (t) => {
  const everything = modules.map((entry, index) => `export * as entry${index} from '${entry}';\n`).join('');
  await writeFile(join(project, 'every-entry.ts'), everything);
  const page = await readFile('docs/library.md', 'utf8');
  const shown = [...page.matchAll(/```ts\n(.*?)```/gs)].map(([, code = '']) => code);
  t.ok(shown.length > 3, `${shown.length} pieces of code`);
  for (const [index, code] of shown.entries())
    await writeFile(join(project, `shown-${index}.ts`), `${code}\nexport {};\n`);
  await t.resolves(
    run(process.execPath, [COMPILER, '--project', project]).catch((error: unknown) => {
      throw new Error((error as { stdout: string }).stdout, { cause: error });
    }),
  );
});

t.test('the echo bot answers with what it was told', async (t) => {
  const { start, person } = await stage(t);
  const ann = await person('ann');
  const bot = await start('echo-bot', 'echo', /^Online as echo@localhost\//);
  const answer = nextMessage(ann);
  ann.sendMessage({ to: 'echo@localhost', body: 'Is there an echo?' });
  t.match(await answer, { body: 'Is there an echo?', type: 'chat' });
  t.equal(await bot.interrupt(), 0);
});

t.test('the room logger prints what was said before, what is said, and who comes and goes', async (t) => {
  const { start, person } = await stage(t);
  const ann = await person('ann');
  const room = await ann.get(muc).join('tea@rooms.localhost', { nick: 'ann' });
  const said = ann.get(muc).events.once('message', { timeoutMs: PATIENCE_MS });
  room.sendMessage('Before you came');
  await said;
  const logger = await start('room-logger', 'logger', /^In tea@rooms.localhost with /, { ROOM: 'tea@rooms.localhost' });
  room.sendMessage('Good morning');
  await logger.line(/^\d{4}-\d\d-\d\dT.*Z <ann> Good morning$/);
  ann.get(muc).leave('tea@rooms.localhost');
  await logger.line(/^ann left$/);
  t.ok(logger.lines.some((line) => /^\d{4}-\d\d-\d\dT.*Z <ann> Before you came$/.test(line)));
  t.equal(await logger.interrupt(), 0);
});

t.test('the file sender uploads a file and sends its link', async (t) => {
  const { start, person } = await stage(t);
  const ann = await person('ann');
  const arriving = nextMessage(ann);
  await writeFile(join(project, 'photo.jpg'), Buffer.alloc(100_000, 'x'));
  const sender = await start('send-file', 'sender', /^Sent as https:/, {}, ['ann@localhost', 'photo.jpg']);
  t.ok(sender.lines.includes('100000 of 100000 bytes'));
  t.match(readSharedFiles((await arriving).element)[0]?.file, { name: 'photo.jpg', mediaType: 'image/jpeg' });
  t.equal(await sender.end(), 0);
});

t.test('the plugin of our own rolls dice for others, and for itself', async (t) => {
  const { start, person } = await stage(t);
  const ann = await person('ann');
  const program = await start('custom-plugin', 'dice', /^Online as /);
  const [, jid = ''] = /^Online as (.*)$/.exec(program.lines.at(-1) ?? '') ?? [];
  await program.line(/^Got ([1-9]|1\d|20)$/);
  const ask = (sides: number) => ann.iq({ to: jid, type: 'get', payload: el('roll', 'urn:example:dice:0', { sides }) });
  t.equal((await ask(2))?.name, 'rolled');
  await program.line(/^Rolled [12] for ann@localhost\//);
  await t.rejects(ask(1), /bad-request/);
  t.equal(await program.interrupt(), 0);
});

const nextMessage = (client: ChatClient): Promise<Message> => client.events.once('message', { timeoutMs: PATIENCE_MS });

/** A program that runs, and what it prints. */
interface Program {
  readonly lines: readonly string[];
  /** Waits until it has printed such a line. */
  line(pattern: RegExp): Promise<void>;
  /** Waits until it has ended. @returns its exit code */
  end(): Promise<number | null>;
  /** The same after a SIGINT. */
  interrupt(): Promise<number | null>;
}

/** A server that the examples find as they would find any: by DNS, with a certificate that their machine trusts. */
async function stage(t: Test) {
  const server = await LoopbackServer.start();
  t.teardown(() => server.stop());
  const authority = join(project, 'authority.pem');
  await writeFile(authority, LOOPBACK_CERTIFICATE);
  const dns = join(project, `dns-${server.ports.startTls}.mjs`);
  await writeFile(
    dns,
    `import dns from 'node:dns/promises';
    const record = { name: '127.0.0.1', port: ${server.ports.startTls}, priority: 0, weight: 0 };
    dns.resolveSrv = async (name) => (name === '_xmpp-client._tcp.localhost' ? [record] : []);`,
  );
  const options = (username: string) => ({
    jid: server.addAccount(username, PASSWORD).toString(),
    password: PASSWORD,
    ...server.clientOptions,
  });

  const person = async (username: string): Promise<ChatClient> => {
    const client = createClient(options(username));
    t.teardown(() => client.stop());
    await client.start();
    return client;
  };

  const start = async (
    name: string,
    username: string,
    ready: RegExp,
    settings: Readonly<Record<string, string>> = {},
    words: readonly string[] = [],
  ): Promise<Program> => {
    const { jid } = options(username);
    const env = { ...process.env, JID: jid, PASSWORD, NODE_EXTRA_CA_CERTS: authority, ...settings };
    const args = ['--import', dns, join(project, 'dist', `${name}.js`), ...words];
    const child = spawn(process.execPath, args, { cwd: project, env, stdio: ['ignore', 'pipe', 'pipe'] });
    const ended = once(child, 'exit') as Promise<[number | null]>;
    const lines: string[] = [];
    t.teardown(() => child.kill('SIGKILL'));
    let looks: (() => void)[] = [];
    for (const output of [child.stdout, child.stderr]) {
      createInterface(output).on('line', (text) => {
        lines.push(text);
        looks.forEach((look) => look());
      });
    }
    const end = async (): Promise<number | null> => (await ended)[0];
    const program: Program = {
      lines,
      end,
      interrupt() {
        child.kill('SIGINT');
        return end();
      },
      line: (pattern) =>
        new Promise((resolve, reject) => {
          const patience = setTimeout(
            () => reject(new Error(`${name}: no ${pattern} in\n${lines.join('\n')}`)),
            PATIENCE_MS,
          );
          const look = (): void => {
            if (!lines.some((line) => pattern.test(line))) return;
            clearTimeout(patience);
            looks = looks.filter((one) => one !== look);
            resolve();
          };
          looks.push(look);
          look();
        }),
    };
    await program.line(ready);
    return program;
  };
  return { start, person };
}
