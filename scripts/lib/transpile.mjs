/** Sources as JavaScript, in well under a second. Types are checked by `npm run types`; what is shipped is made by `npm run build`. */
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { buildSync, transformSync } from 'esbuild';
import { filesOf } from './tests.mjs';

const OPTIONS = {
  format: 'esm',
  platform: 'node',
  target: 'node20',
  sourcemap: 'inline',
  sourcesContent: false,
  logLevel: 'warning',
  // Errors and tests go by the names of classes.
  keepNames: true,
  // Imports stay as they are written, as in tsconfig.json.
  tsconfigRaw: { compilerOptions: { target: 'ES2023', verbatimModuleSyntax: true } },
};

/** What a bundle of modules needs for the packages in it that are CommonJS. */
const REQUIRE = `import { createRequire as requireOf } from 'node:module'; const require = requireOf(import.meta.url);`;

/** The clients of test/interop are packages that only its own run installs. */
const CLIENTS = 'test/interop';
/** Native parts of ws, which it does without. */
const ABSENT = ['bufferutil', 'utf-8-validate'];
/** CommonJS that is loaded on demand: in a chunk of its own, a bundle gives it a default export and no other. */
const ON_DEMAND = ['saxes'];

/**
 * Writes the program and its tests as JavaScript below a folder, module by module, beside links to what they read. The tests start the program as
 * `bin/cli.js`.
 * @param folder below the root, such as `.build`; what was there is gone
 * @returns the files of the tests, in the order of their names
 */
export function transpileAll(folder) {
  const files = transpileModules(folder);
  symlinkSync('src', join(folder, 'bin'));
  return files.filter((file) => file.startsWith('test/')).map((file) => scriptOf(folder, file));
}

/**
 * Does the same, but makes bundles of the program and of these tests, which start in half of the time.
 * @param tests files of tests, from the root
 * @returns their scripts
 */
export function bundleAll(folder, tests) {
  // What tests start by its name is there as well.
  transpileModules(folder);
  const bundle = { ...OPTIONS, bundle: true, splitting: true, sourcemap: 'linked', banner: { js: REQUIRE } };
  buildSync({
    ...bundle,
    entryPoints: ['src/cli.ts'],
    outdir: join(folder, 'bin'),
    external: [...ABSENT, ...ON_DEMAND],
  });
  buildSync({
    ...bundle,
    // What reads files beside it is in a chunk of its own, even when there is only one test.
    entryPoints: [...tests, 'src/agent/version.ts', 'test/support/bot.ts', 'test/support/fixtures.ts'],
    outdir: folder,
    outbase: '.',
    // As deep as the modules that read files beside them.
    chunkNames: 'test/shared/[name]-[hash]',
    // Tools, and the clients of test/interop.
    external: [
      ...ABSENT,
      ...ON_DEMAND,
      ...dependencies('package.json', 'devDependencies'),
      ...dependencies(join(CLIENTS, 'package.json')),
    ],
    allowOverwrite: true,
  });
  return tests.map((file) => scriptOf(folder, file));
}

/** One file's source as JavaScript. */
export function transpile(source, name) {
  return transformSync(source, { ...OPTIONS, loader: 'ts', sourcefile: name }).code;
}

/** @returns the files */
function transpileModules(folder) {
  rmSync(folder, { recursive: true, force: true });
  const files = ['src', 'test'].flatMap((root) => filesOf(root, '.ts')).filter((file) => !file.endsWith('.d.ts'));
  buildSync({ ...OPTIONS, entryPoints: files, outdir: folder, outbase: '.' });
  bundleTap(join(folder, 'node_modules'));
  const packages = join(CLIENTS, 'node_modules');
  link(folder, { fixtures: 'fixtures', 'package.json': 'package.json', [packages]: packages });
  return files;
}

/** The package tap as one module: to load its 400 takes longer than most files of tests. Where it is keeps its frames out of what a failure shows. */
function bundleTap(modules) {
  const outdir = join(modules, '@tapjs/tap');
  buildSync({
    ...OPTIONS,
    entryPoints: ['node_modules/tap/dist/esm/index.js'],
    outdir,
    bundle: true,
    sourcemap: false,
    keepNames: false,
    alias: { 'async-hook-domain': './scripts/lib/tap-domain.mjs' },
    banner: { js: REQUIRE },
  });
  writeFileSync(join(outdir, 'package.json'), JSON.stringify({ type: 'module', exports: './index.js' }));
  symlinkSync('@tapjs/tap', join(modules, 'tap'));
}

function scriptOf(folder, file) {
  return join(folder, file.replace(/\.ts$/, '.js'));
}

function dependencies(manifest, kind = 'dependencies') {
  return Object.keys(JSON.parse(readFileSync(manifest, 'utf8'))[kind]);
}

function link(folder, links) {
  for (const [name, target] of Object.entries(links)) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    symlinkSync(relative(resolve(dirname(path)), resolve(target)), path);
  }
}
