/** `npm run new:xep`: what it lays is a sound beginning, and what it cannot lay it refuses. */
import { execFile } from 'node:child_process';
import { cp, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { check, resolveConfig } from 'prettier';
import t from 'tap';

const ROOT = process.cwd();
const run = promisify(execFile);

/** A copy of what the script changes, beside links to what its files import. */
const project = t.testdir({ src: {}, test: { xeps: {} } });
await cp(join(ROOT, 'src/xeps'), join(project, 'src/xeps'), { recursive: true });
for (const name of ['src/xmpp-core', 'src/loopback', 'test/support', '.prettierrc.json', 'package.json'])
  await symlink(join(ROOT, name), join(project, name));

async function lay(...args: readonly string[]): Promise<readonly string[]> {
  const { stdout } = await run(process.execPath, [join(ROOT, 'scripts/new-xep.mjs'), ...args], { cwd: project });
  return stdout.split('\n').filter((line) => line.endsWith('.ts'));
}

t.test('bad input is refused, with the reason, and lays nothing', async (t) => {
  const before = await readdir(join(project, 'src/xeps'));
  const refusals: readonly (readonly [RegExp, ...string[]])[] = [
    [/'' is not the four digits of a XEP/],
    [/'990' is not the four digits of a XEP/, '990', 'Invented'],
    [/XEP-9990 needs its title/, '9990'],
    [/put the title in quotes/, '9990', 'Invented', 'Extension'],
    [/no name can be made of '…'/, '9990', '…'],
    [/XEP-0085 is there already: src\/xeps\/xep-0085-chat-states\.ts/, '0085', 'Chat State Notifications'],
    [/another module exports 'chatStates'/, '9990', 'Chat States'],
  ];
  for (const [reason, ...args] of refusals) await t.rejects(lay(...args), { code: 1, stderr: reason });
  t.strictSame(await readdir(join(project, 'src/xeps')), before);
  t.strictSame(await readdir(join(project, 'test/xeps')), []);
});

t.test('a module, its test and its line in the index are laid, typed and formatted', async (t) => {
  const files = await lay('9990', 'Invented: An Extension (Mostly)');
  t.strictSame(files, [
    'src/xeps/xep-9990-invented-an-extension-mostly.ts',
    'test/xeps/xep-9990-invented-an-extension-mostly.test.ts',
    'src/xeps/index.ts',
  ]);
  const paths = files.map((file) => join(project, file));
  const [module = '', , index = ''] = await Promise.all(paths.map((path) => readFile(path, 'utf8')));
  t.match(
    module,
    /^\/\*\*\n \* XEP-9990 Invented: An Extension \(Mostly\), 0\.0\.0 \(Experimental\)\. https:\/\/xmpp\.org\//,
  );
  const numbers = [...index.matchAll(/^export \* from '\.\/xep-(\d{4})-/gm)].map(([, number]) => number);
  t.equal(numbers.at(-1), '9990');
  t.equal(await problemsOf(paths), '');
  for (const filepath of paths)
    t.ok(await check(await readFile(filepath, 'utf8'), { ...(await resolveConfig('src')), filepath }), filepath);
});

/** What the compiler finds in these files, under the settings of this project. */
async function problemsOf(paths: readonly string[]): Promise<string> {
  const settings = join(project, 'tsconfig.json');
  await writeFile(settings, JSON.stringify({ extends: join(ROOT, 'tsconfig.json'), include: [], files: paths }));
  const compiler = join(ROOT, 'node_modules/typescript-7/bin/tsc');
  return run(process.execPath, [compiler, '--project', settings, '--rootDir', ROOT]).then(
    () => '',
    (error: { readonly stdout: string }) => error.stdout,
  );
}
